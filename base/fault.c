// SPDX-License-Identifier: ISC
// Fault points, see fault.h. Runs in every process, in test builds only.
#include "base/fault.h"

#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

struct fault {
    char name[FAULT_NAME_MAX + 1];
    _Atomic uint32_t times;
};

static struct fault faults[FAULTS_MAX];
static _Atomic uint32_t fault_count;

static struct fault *fault_find(struct view name)
{
    uint32_t count = atomic_load(&fault_count);
    for (uint32_t i = 0; i < count; i++) {
        if (view_equal(view_of_cstr(faults[i].name), name)) {
            return &faults[i];
        }
    }
    return NULL;
}

bool fault_arm(struct view name, uint32_t times)
{
    struct fault *fault = fault_find(name);
    if (fault == NULL) {
        uint32_t place = atomic_load(&fault_count);
        if (place == FAULTS_MAX || !view_to_cstr(name, faults[place].name, sizeof faults[place].name)) {
            return false;
        }
        fault = &faults[place];
        atomic_store(&fault_count, place + 1);
    }
    atomic_store(&fault->times, times);
    return true;
}

bool fault_hit(const char *name)
{
    struct fault *fault = fault_find(view_of_cstr(name));
    if (fault == NULL) {
        return false;
    }
    uint32_t times = atomic_load(&fault->times);
    while (times != 0 && times != UINT32_MAX) {
        if (atomic_compare_exchange_weak(&fault->times, &times, times - 1)) {
            return true;
        }
    }
    return times != 0;
}

void fault_begin(void)
{
#ifdef STAYD_FAULTS
    struct view rest = view_of_cstr(getenv("STAYD_FAULTS"));
    while (rest.size > 0) {
        struct view times = view_cut(&rest, ',');
        struct view name = view_cut(&times, '=');
        uint64_t count = 1;
        if (view_equal(times, VIEW("*"))) {
            count = UINT32_MAX;
        } else if (times.size > 0 && !view_to_u64(times, &count)) {
            continue;
        }
        fault_arm(name, count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
    }
#endif
}

void fault_crash(void)
{
    raise(SIGSEGV);
    _exit(1);
}

void fault_hang(void)
{
    for (;;) {
        nanosleep(&(struct timespec){.tv_sec = 3600}, NULL);
    }
}
