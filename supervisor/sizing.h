// SPDX-License-Identifier: ISC
// How many processes and password workers this machine is worth. Used by the supervisor. Pure.
// Bounds: fronts and workers between 1 and SIZING_WORKERS_MAX; the memory of hashing between that of one
// worker and a quarter of the machine's (or of what its control groups allow).
#ifndef SUPERVISOR_SIZING_H
#define SUPERVISOR_SIZING_H

#include "supervisor/machine.h"

enum {
    SIZING_WORKERS_MAX = 64,
    SIZING_MEMORY_PART = 4,  // hashing has at most one part in so many
    SIZING_FREE_PART = 2,    // and at most one part in so many of what is free or its own
    SIZING_STACK_KIB = 1024, // of a worker
};

struct sizing_wish {
    uint32_t fronts;       // 0: as many as processors
    uint32_t hash_workers; // 0: as many as help and fit
    uint32_t memory_kib;   // of one hash
    uint64_t in_use_kib;   // what hashes use now
};

struct sizing {
    uint16_t fronts;
    uint16_t hash_workers;
    uint32_t hash_memory_kib; // the budget of all hashes together
    uint32_t worker_kib;      // what a worker costs
    bool memory_bound;        // memory, not processors, decides
    bool too_large;           // not even one worker fits into its part
};

void sizing_choose(struct sizing *sizing, const struct sizing_wish *wish, const struct machine *machine);
// One line that says what was chosen and why.
void sizing_text(const struct sizing *sizing, const struct sizing_wish *wish, const struct machine *machine,
                 char *text, size_t size);

// What a look at the machine every few seconds makes of it: smaller at once, larger only when it stays so.
enum { SIZING_STEADY = 3 };
struct sizing_follow {
    struct sizing now;
    unsigned larger; // looks in a row that said more
};
// True when `follow->now` changed.
bool sizing_follow(struct sizing_follow *follow, const struct sizing *seen);

#endif
