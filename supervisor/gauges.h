// SPDX-License-Identifier: ISC
// Figures that only the supervisor can take, because the others may not look at /proc: who uses the
// processors, pressure, space on the disk, the clock, and what each child uses, which stands in that child's
// page. Used by the supervisor. Owns the readings before.
//
// Machine-wide: every GAUGES_MACHINE_MS, on the supervisor's page. Children: every GAUGES_CHILDREN_MS.
#ifndef SUPERVISOR_GAUGES_H
#define SUPERVISOR_GAUGES_H

#include "supervisor/programs.h"

// Who uses the processors is looked at while others than stayd use so much of those that it may use.
#define GAUGES_PROGRAMS_FROM 0.3

// stayd-watch looks for growth from second to second: there is a fresh figure of a child in each, also when
// one comes late.
enum { GAUGES_MACHINE_MS = 500, GAUGES_CHILDREN_MS = 700 };

struct gauges {
    uint64_t looked_ns;
    uint64_t spent_ns; // processor time of all of stayd until then
    struct proc_ticks ticks;
    bool has_ticks;
};

struct gauges_programs {
    struct programs programs;
    uint64_t next_ns, said_ns;
    char said[PROC_NAME_SIZE];
};

struct supervisor;
struct process;

// Starts the timers.
void gauges_begin(struct supervisor *supervisor);
// A child is gone: what it used is free.
void gauges_forget(struct process *process);

#endif
