// SPDX-License-Identifier: ISC
// Fault points: places where a test or a drill makes a process fail on purpose. Compiled in only with
// `meson -Dfaults=true`; otherwise FAULT is the constant false and nothing of it is left in the program.
// Used by every process. A point is armed by name: from the environment
// (STAYD_FAULTS="front_crash=1,store_slow=*": how many times it fires, `*` for always), by fault_arm, or at
// any time by who started stayd, through a page shared by all its processes (STAYD_FAULTS_FILE names it).
// Owns: a fixed table. Bounds: FAULTS_MAX points.
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/bytes.h"

enum { FAULTS_MAX = 32, FAULT_NAME_MAX = 47 };
#define FAULT_ALWAYS UINT32_MAX

#ifdef STAYD_FAULTS
// True when the point is armed; takes one of its times.
#define FAULT(name) fault_hit(name)
// The number that the point is armed with, whatever it means there; 0 when it is not armed.
#define FAULT_VALUE(name) fault_value(name)
// For whoever armed points: this happened, for the first time now (fault_noted).
#define FAULT_NOTE(name) fault_note(name)
#else
#define FAULT(name)       (false)
#define FAULT_VALUE(name) ((int64_t)0)
#define FAULT_NOTE(name)  ((void)0)
#endif

// Reads STAYD_FAULTS and maps STAYD_FAULTS_FILE, once. Without fault points compiled in it does nothing.
void fault_begin(void);
// Arms a point for `times` hits (FAULT_ALWAYS; 0 disarms). False when the table is full or the name too long.
bool fault_arm(struct view name, uint32_t times);
bool fault_hit(const char *name);
int64_t fault_value(const char *name);
// Has armed points with a number: milliseconds to wait, say.
bool fault_arm_value(struct view name, uint32_t times, int64_t value);
// Monotonic nanoseconds of the first note of that name; 0: there was none.
void fault_note(const char *name);
uint64_t fault_noted(const char *name);
// Makes the page of STAYD_FAULTS_FILE, which every process may write, and uses it from here on: for who
// starts stayd. False when the file can't be made.
[[nodiscard]] bool fault_share(const char *path);
// What armed points do: die by SIGSEGV, never return, or wait for so many milliseconds.
_Noreturn void fault_crash(void);
_Noreturn void fault_hang(void);
void fault_wait(int64_t ms);

#endif
