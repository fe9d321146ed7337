// SPDX-License-Identifier: ISC
// Clocks. Used by every process's shell; pure code takes time as an argument instead.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#ifdef STAYD_FAULTS
#include "base/fault.h"
#define CLOCK_JUMP_S ((uint64_t)FAULT_VALUE("clock_jump_s")) // of drills; wraps round for one backwards
#else
#define CLOCK_JUMP_S 0u
#endif

// Monotonic, nanoseconds: durations and deadlines.
static inline uint64_t clock_mono_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Unix time, UTC: what is stored and shown.
static inline uint64_t clock_wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec + CLOCK_JUMP_S;
}

static inline uint64_t clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec + CLOCK_JUMP_S) * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

#endif
