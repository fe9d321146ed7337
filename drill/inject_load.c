// SPDX-License-Identifier: ISC
// Faults that come as requests: another storm beside that of the well-behaved, with addresses of its own.
// Runs in stayctl drill.
#include "drill/inject.h"

#include <stdarg.h>

enum { FLOOD_SOURCES = 4, STUFFING_SOURCES = 4000, OTHERS_FIRST = 100000, GUESSED = 15000 };
#define FLOOD_RATE    400.0
#define STUFFING_RATE 40.0

// Accounts with passwords that are not theirs.
static bool write_guesses(struct injecting *injecting, const char *path, uint32_t first, uint32_t count)
{
    FILE *out = fopen(path, "we");
    if (out == NULL) {
        return inject_fail(injecting, "%.200s can't be written.", path);
    }
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "user%u password%u\n", first + i, i);
    }
    return fclose(out) == 0;
}

static bool attack(struct injecting *injecting, double rate, unsigned sources, uint32_t first, uint32_t count)
{
    const struct stage *stage = injecting->stage;
    char path[PROGRAM_PATH_MAX], url[64], mix[32], duration[32], from[16], begin[16], seed[24];
    snprintf(path, sizeof(path), "%s/guesses", stage->folder);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", (unsigned)stage->port);
    snprintf(mix, sizeof(mix), "login=%.1f", rate * injecting->strength);
    snprintf(duration, sizeof(duration), "%.1fs", injecting->fault_s + 5);
    snprintf(from, sizeof(from), "%u", sources);
    snprintf(begin, sizeof(begin), "%d", OTHERS_FIRST);
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)injecting->seed);
    const char *words[] = {stage->own, "storm",      url,      "--accounts", path, "--mix",
                           mix,        "--duration", duration, "--sources",  from, "--first-source",
                           begin,      "--seed",     seed,     "--timeout",  "3s", NULL};
    return write_guesses(injecting, path, first, count) &&
           (program_start(&injecting->program[0], &(struct program_options){.words = words}) ||
            inject_fail(injecting, "storm could not be started."));
}

static bool flood_begin(struct injecting *injecting)
{
    return attack(injecting, FLOOD_RATE, FLOOD_SOURCES, 0, 200);
}

static bool stuffing_begin(struct injecting *injecting)
{
    return attack(injecting, STUFFING_RATE, STUFFING_SOURCES, 2000, GUESSED);
}

static bool attack_end(struct injecting *injecting)
{
    program_stop(&injecting->program[0], SIGKILL, 0);
    return true;
}

// Log-ins that come more often are the well-behaved storm's own: its plan knows of them.
const struct injection inject_load[] = {
    {"flood", 0, NULL, flood_begin, NULL, attack_end},
    {"stuffing", 0, NULL, stuffing_begin, NULL, attack_end},
    {"arrivals", 0, NULL, inject_nothing, NULL, inject_nothing},
    {0},
};
