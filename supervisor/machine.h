// SPDX-License-Identifier: ISC
// What this machine gives to this process: processors (those it may run on, and the share of them that its
// control groups allow) and memory (of the machine, the limits of its control groups, and what is still
// free). Used by the supervisor. Owns nothing. Control groups of version 2 and 1 are read, each level from
// the process's own up to the root: the least counts.
#ifndef SUPERVISOR_MACHINE_H
#define SUPERVISOR_MACHINE_H

#include "base/bytes.h"

// Where it looks; tests have folders of their own.
struct machine_paths {
    const char *own;         // /proc/self/cgroup
    const char *groups;      // /sys/fs/cgroup
    const char *meminfo;     // /proc/meminfo
    const char *threads_max; // /proc/sys/kernel/threads-max
    const char *load;        // /proc/loadavg
};

extern const struct machine_paths machine_paths_default;

#define MACHINE_NO_LIMIT UINT64_MAX

struct machine {
    unsigned affinity;      // processors it may run on
    uint64_t cpu_milli;     // thousandths of a processor that its groups allow, or MACHINE_NO_LIMIT
    unsigned processors;    // what follows from both, at least 1
    uint64_t memory_total;  // of the machine, bytes
    uint64_t memory_limit;  // of its groups, or MACHINE_NO_LIMIT
    uint64_t memory;        // the lesser of both
    uint64_t threads;       // of the group that is fullest, or of the machine
    uint64_t threads_limit; // MACHINE_NO_LIMIT: not known
    uint64_t memory_free;   // what may still be taken before something is swapped out or killed
};

// What can't be read counts as no limit. `affinity` 0: asks the kernel.
void machine_read(struct machine *machine, const struct machine_paths *paths, unsigned affinity);

#endif
