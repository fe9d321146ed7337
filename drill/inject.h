// SPDX-License-Identifier: ISC
// The faults of the drills, each by real means: begun at a moment, kept up, ended. Used by stayctl drill.
// Owns: what an injection started, until it is ended.
#ifndef DRILL_INJECT_H
#define DRILL_INJECT_H

#include "drill/stage.h"

struct injecting {
    struct stage *stage;
    double strength;
    uint64_t seed;
    struct psql *psql;      // a session of its own
    struct program program; // what disturbs
    double next_s;          // of `turn`
    uint32_t count;         // how often it was done
    double last_s;          // when it was done last, of a fault that is done again and again
    double statement_s;     // of the degraded statement, measured before; 0: not known
    char problem[256];      // after a failure: one sentence
};

struct injection {
    const char *name;
    bool database; // needs PostgreSQL
    bool faults;   // needs a build with fault points
    // Before the load: looks what it will cost. May be NULL.
    bool (*prepare)(struct injecting *injecting);
    bool (*begin)(struct injecting *injecting);
    // While it lasts, every few milliseconds, `at_s` after its beginning. May be NULL.
    void (*turn)(struct injecting *injecting, double at_s);
    // The cause has ended when this returns.
    bool (*end)(struct injecting *injecting);
};

const struct injection *injection_find(const char *name);
void injecting_init(struct injecting *injecting, struct stage *stage, double strength, uint64_t seed);
// Ends what it started, without healing.
void injecting_release(struct injecting *injecting);

#endif
