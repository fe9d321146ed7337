// SPDX-License-Identifier: ISC
// How many statements of a kind that is slow may run at once: one more as long as more are then done. One
// scan at a time wastes a database with idle processors, or far away; two on one processor only take twice as
// long each. Nobody tells which it is, so it is tried. Used by store/pool. Pure. Owns nothing.
//
// By Little's law, what is done is those at work over the time each takes. Of each level a few are timed, the
// first ones left out as they began under another level; then one more is tried, and kept where
// CLIMB_GAIN times as much is done. It is left again where, in the long run, hardly more is done than with
// one less: four scans on two processors waste a tenth on being in each other's way. After a vain try the
// next one is CLIMB_AGAIN_MS away, then twice that: a few statements tell little, and when something became
// slow there is often other work to be done first. What takes far longer without a try (another fault, a
// spike) begins again with one.
#ifndef STORE_CLIMB_H
#define STORE_CLIMB_H

#include <stdint.h>

#define CLIMB_GAIN_PERCENT  120
#define CLIMB_KEEP_PERCENT  108
#define CLIMB_WORSE_PERCENT 160
#define CLIMB_SAMPLES       2 // of each at work
#define CLIMB_AGAIN_MS      1000
#define CLIMB_AGAIN_DOUBLED 6
#define CLIMB_MOST          32u

struct climb {
    uint32_t level; // 0: not slow
    uint32_t skip, count;
    uint64_t sum_us;                   // of this window
    uint64_t usual_us[CLIMB_MOST + 1]; // of each level, when it was the proven one
    uint32_t proven;                   // the level that is worth while; 0: not known
    uint32_t vain;
    uint64_t again_ms; // the next try
};

static inline uint32_t climb_level(const struct climb *climb)
{
    return climb->level == 0 ? 1 : climb->level;
}

// As many as has proved to be worth while.
static inline uint32_t climb_proven(const struct climb *climb)
{
    return climb->proven == 0 ? 1 : climb->proven;
}

// One ended that took `run_us`, while as many ran as the level allows; at most `most` may.
void climb_take(struct climb *climb, uint64_t run_us, uint32_t most, uint64_t now_ms);
// It is no longer slow, or stands still.
void climb_leave(struct climb *climb);

#endif
