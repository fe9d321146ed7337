// SPDX-License-Identifier: ISC
// Fault points: places where a test or a drill makes a process fail on purpose. Compiled in only with
// `meson -Dfaults=true`; otherwise FAULT is the constant false and nothing of it is left in the program.
// Used by every process. A point is armed by name, from the environment
// (STAYD_FAULTS="front_crash=1,store_slow=*": how many times it fires, `*` for always) or by fault_arm. Owns:
// a fixed table. Bounds: FAULTS_MAX points.
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include "base/bytes.h"

enum { FAULTS_MAX = 32, FAULT_NAME_MAX = 47 };

#ifdef STAYD_FAULTS
// True when the point is armed; takes one of its times.
#define FAULT(name) fault_hit(name)
#else
#define FAULT(name) (false)
#endif

// Reads STAYD_FAULTS once. Without fault points compiled in it does nothing.
void fault_begin(void);
// Arms a point for `times` hits (UINT32_MAX: always; 0 disarms). False when the table is full or the name too
// long.
bool fault_arm(struct view name, uint32_t times);
bool fault_hit(const char *name);
// What armed points do: die by SIGSEGV, or never return.
_Noreturn void fault_crash(void);
_Noreturn void fault_hang(void);

#endif
