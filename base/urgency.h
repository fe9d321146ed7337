// SPDX-License-Identifier: ISC
// How soon a thread runs once it can: what answers people goes before what computes. Used by every child at
// its start, by stayd-hash for its workers. Best effort: an older kernel takes the priority and leaves the
// slice.
//
// A thread that asks for shorter slices is let in as soon as it wakes, even between two ticks of the clock
// (sched(7), sched_setattr(2); Linux 6.12). Without that, a check that arrives while a password is being
// hashed on the same core waits for the next tick, up to 4 ms.
#ifndef BASE_URGENCY_H
#define BASE_URGENCY_H

enum urgency {
    URGENCY_ANSWERS,  // works for microseconds: fronts, core, store, key
    URGENCY_COMPUTES, // works for long: hashing
};

// For the calling thread and those it starts later.
void urgency_set(enum urgency urgency);
// For a process that computes: its own session. Where the kernel groups what runs by
// session (sched(7), "The autogroup feature"), a thread's priority counts within its session only, and a
// database, whose every process is a session, was kept from running for up to two seconds by hashing.
// Nothing where it leads a process group, as when it is started by hand.
void urgency_compute_apart(void);

#endif
