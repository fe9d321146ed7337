// SPDX-License-Identifier: ISC
// Scheduling of the calling thread. Runs in every child.
#include "base/urgency.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COMPUTES_NICE 10 // of a thread, among those of its session

// As the kernel reads it (include/uapi/linux/sched/types.h, version 0 of the struct): Debian 12 has no header
// for it.
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns; // sched_runtime: for fair policies the slice, 0.1 to 100 ms
    uint64_t deadline_ns;
    uint64_t period_ns;
};

void urgency_set(enum urgency urgency)
{
    static const struct attributes wanted[] = {
        [URGENCY_ANSWERS] = {.policy = SCHED_OTHER, .slice_ns = 100000},
        [URGENCY_COMPUTES] = {.policy = SCHED_BATCH, .nice = COMPUTES_NICE, .slice_ns = 20000000},
    };
    struct attributes attributes = wanted[urgency];
    int nice = getpriority(PRIO_PROCESS, 0) + attributes.nice; // as started, or milder
    attributes.size = sizeof(attributes);
    attributes.nice = nice < 19 ? nice : 19;
    (void)syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

void urgency_compute_apart(void)
{
    // With the weight of any other: with a third, log-ins starved beside a statement that scans a table.
    (void)setsid();
}
