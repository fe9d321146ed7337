// SPDX-License-Identifier: ISC
// Which programs beside stayd use the processors: what the databases on this machine use of them, and which
// one uses most. Used by the supervisor, which looks while others use much. Owns two lists of processes.
// Bounds: PROGRAMS_MAX processes are looked at; names are the kernel's, 15 bytes. A machine that hides the
// processes of other users (hidepid, a namespace of its own) shows none.
#ifndef SUPERVISOR_PROGRAMS_H
#define SUPERVISOR_PROGRAMS_H

#include "supervisor/proc.h"

enum { PROGRAMS_MAX = 4096 };

struct programs_spent {
    int pid;
    uint64_t started, ticks;
};

struct programs {
    struct programs_spent *spent, *before; // by process
    unsigned count, count_before;
    uint64_t looked_ns; // 0: not yet
};

// Since the look before, in thousandths of a processor.
struct programs_use {
    uint64_t database; // by servers of databases and their poolers, as their names tell
    uint64_t busiest;  // by the program that uses most, those and stayd apart
    unsigned processes;
    int pid; // of the busiest of its processes
    char name[PROC_NAME_SIZE];
};

struct programs_ask {
    const char *folder;          // "/proc"
    const cpu_set_t *processors; // time on others does not count, by where a process ran last
    const int *own;              // stayd's processes, ended by 0
    bool database_here; // stayd's database runs on this machine: else its programs are like all others
    uint64_t now_ns;
};

// False: there was no look before, or nothing could be read.
[[nodiscard]] bool programs_look(struct programs *programs, const struct programs_ask *ask,
                                 struct programs_use *use);
// The next look is the first.
void programs_forget(struct programs *programs);
void programs_release(struct programs *programs);

#endif
