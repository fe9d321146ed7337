// SPDX-License-Identifier: ISC
// What the kernel says of the machine and of a process in /proc. Used by the supervisor. Owns nothing. The
// parsers are pure: tests give them texts.
#ifndef SUPERVISOR_PROC_H
#define SUPERVISOR_PROC_H

#include "base/bytes.h"

#include <sched.h>

// The beginning of a file, at most `size` bytes; an empty view when it can't be read.
struct view proc_file(const char *path, char *text, size_t size);

// /proc/stat: time since the machine was started, of the processors in a set, in ticks.
struct proc_ticks {
    uint64_t busy;   // at work for anyone
    uint64_t stolen; // the hypervisor gave them to others
};
[[nodiscard]] bool proc_ticks_parse(struct view text, const cpu_set_t *processors, struct proc_ticks *ticks);

// /proc/pressure/NAME: microseconds in which something had to wait ("some"); 0 when it is not there.
uint64_t proc_pressure_parse(struct view text);

// /proc/PID/status.
struct proc_status {
    uint64_t memory_bytes; // resident memory of its own, shared tables apart
    uint64_t threads;
};
[[nodiscard]] bool proc_status_parse(struct view text, struct proc_status *status);

// /proc/PID/stat: one process, all of its threads together.
enum { PROC_NAME_SIZE = 16 };
struct proc_process {
    int pid;
    char name[PROC_NAME_SIZE]; // any bytes: a process chooses its own
    uint64_t ticks;            // of processors, user and system
    uint64_t started;          // ticks after the machine
    unsigned processor;        // it ran there last
};
[[nodiscard]] bool proc_process_parse(struct view text, struct proc_process *process);

// /proc/PID/limits: the soft limit of open files; 0 when it is not there.
uint64_t proc_descriptors_limit_parse(struct view text);

// Open descriptors of a process; 0 when the kernel doesn't tell (before Linux 6.2 only the super-user may
// count another's).
uint64_t proc_descriptors(int pid);
// Processor time since it was started, in ns; 0 when it is gone.
uint64_t proc_processor_ns(int pid);

#endif
