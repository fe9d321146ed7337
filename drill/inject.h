// SPDX-License-Identifier: ISC
// The faults of the drills, each by real means: begun at a moment, kept up, ended. Used by stayctl drill.
// Owns: what an injection started, until it is ended.
#ifndef DRILL_INJECT_H
#define DRILL_INJECT_H

#include "drill/stage.h"

// What an injection needs of the stage, or of the build.
enum injection_needs {
    INJECT_DATABASE = 1u << 0, // PostgreSQL
    INJECT_FAULTS = 1u << 1,   // fault points
    INJECT_PROXY = 1u << 2,    // the fault proxy before PostgreSQL
    INJECT_STANDBY = 1u << 3,  // a second PostgreSQL
    INJECT_SQLITE = 1u << 4,   // a database in a file of stayd's own
};

struct injecting {
    struct stage *stage;
    double strength;
    uint64_t seed;
    struct psql *psql;
    struct program program[8]; // what disturbs
    double next_s;             // of `turn`
    uint32_t count;            // how often it was done
    double last_s;             // when it was done last, of a fault that is done again and again
    double rate;               // of the degraded statement, a second, measured before; 0: not known
    double fault_s;            // how long it is to last
    pid_t held;                // a process that stands still
    uint64_t onset_ns;         // since when it could be noticed: monotonic; 0: from its beginning
    char problem[256];         // after a failure: one sentence
};

struct injection {
    const char *name;
    unsigned needs; // enum injection_needs
    // Before the load: looks what it will cost. May be NULL.
    bool (*prepare)(struct injecting *injecting);
    bool (*begin)(struct injecting *injecting);
    // While it lasts, every few milliseconds, `at_s` after its beginning. May be NULL.
    void (*turn)(struct injecting *injecting, double at_s);
    // The cause has ended when this returns.
    bool (*end)(struct injecting *injecting);
    // When the first harm was done, of a fault that lies in wait, or when stayd could notice it: monotonic
    // ns, 0: not yet. NULL: at once.
    uint64_t (*onset)(const struct injecting *injecting);
    bool scans; // while it lasts, each log-in has the database read the whole table of accounts
};

const struct injection *injection_find(const char *name);
void injecting_init(struct injecting *injecting, struct stage *stage, double strength, uint64_t seed,
                    double fault_s);
// Ends what it started, without healing.
void injecting_release(struct injecting *injecting);

// ---- between the files of the injections

// Each ended by one without a name.
extern const struct injection inject_database[], inject_process[], inject_load[], inject_start[];
[[gnu::format(printf, 2, 3)]] bool inject_fail(struct injecting *injecting, const char *format, ...);
bool inject_nothing(struct injecting *injecting);
bool inject_point(const char *name, double value); // arms a fault point with a number; 0 disarms

#endif
