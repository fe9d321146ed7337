// SPDX-License-Identifier: ISC
// The faults of the drills, found by name, see inject.h. Runs in stayctl drill.
#include "drill/inject.h"

#include "base/fault.h"

#include <stdarg.h>

bool inject_fail(struct injecting *injecting, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(injecting->problem, sizeof(injecting->problem), format, list);
    va_end(list);
    return false;
}

bool inject_nothing(struct injecting *injecting)
{
    (void)injecting;
    return true;
}

bool inject_point(const char *name, double value)
{
    return fault_arm_value(view_of_cstr(name), value != 0 ? FAULT_ALWAYS : 0, (int64_t)value);
}

const struct injection *injection_find(const char *name)
{
    const struct injection *const tables[] = {inject_database, inject_process, inject_load, inject_start};
    for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct injection *one = tables[i]; one->name != NULL; one++) {
            if (strcmp(one->name, name) == 0) {
                return one;
            }
        }
    }
    return NULL;
}

void injecting_init(struct injecting *injecting, struct stage *stage, double strength, uint64_t seed,
                    double fault_s)
{
    *injecting = (struct injecting){
        .stage = stage, .strength = strength, .seed = seed, .fault_s = fault_s, .psql = &stage->psql};
    for (unsigned i = 0; i < sizeof(injecting->program) / sizeof(injecting->program[0]); i++) {
        injecting->program[i] = (struct program){.in = -1, .out = -1};
    }
}

void injecting_release(struct injecting *injecting)
{
    for (unsigned i = 0; i < sizeof(injecting->program) / sizeof(injecting->program[0]); i++) {
        program_stop(&injecting->program[i], SIGKILL, 0);
    }
}
