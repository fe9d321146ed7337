// SPDX-License-Identifier: ISC
// A stayd made of queues: arrivals, hashing, a pool and its database, in tenths of a second, written into
// stats pages as the real one writes them. For tests of detection and diagnosis. One seed makes one run.
#ifndef WATCH_TESTING_MODEL_H
#define WATCH_TESTING_MODEL_H

#include "watch/diagnosis.h"

enum model_fault { // the causes by name, and what is none
#define CAUSE(id, ...) MODEL_##id = 1 + CAUSE_##id,
#include "watch/causes.def"
#undef CAUSE
    MODEL_none = 0,
};

enum { MODEL_FRONTS = 2, MODEL_OPERATIONS = 7 };

struct model_load { // what people do, a second
    double logins, checks, changes, misses, guesses;
    double wave, wave_period_s; // amplitude of a sine: 0.5 is from half to one and a half
    double sources;
};

struct model {
    uint64_t random;
    uint64_t mono_ms, wall_ms;
    struct model_load load;
    double workers, hash_ms, connections, connections_max, way_ms, server_ms, sync_ms;
    double hold_ms[MODEL_OPERATIONS]; // when all is well
    double machine_others;            // thousandths
    // queues, in ms of work
    double hash_backlog, pool_backlog, stuck;
    double sessions, sessions_room, away_since, memory_front;
    uint64_t restart_ms; // a hung process is there again
    // faults
    struct model_strike {
        enum model_fault fault;
        double strength; // 0 mild, 1 hard
        uint64_t from_ms, until_ms;
        uint64_t next_ms; // of what repeats
        unsigned said;
    } strike[3];
    unsigned strikes;
    // what is looked at
    struct stats_page *front[MODEL_FRONTS], *core, *store, *hash, *supervisor;
    struct watched watched;
    struct series *series;
    struct facts *facts;
    struct detect *detect;
    struct diagnosis *diagnosis;
    const struct verdict *verdict;
};

// A stayd that has been up for a day, with a load that the seed chooses.
void model_init(struct model *model, uint64_t seed);
void model_release(struct model *model);
double model_uniform(struct model *model, double from, double to);
// From now on.
void model_strike(struct model *model, enum model_fault fault, double strength, double after_s,
                  double lasts_s);
void model_tell(struct model *model, struct wire_event event, const char *name, const char *text,
                const char *more);
// One tenth of a second, and one look.
void model_tick(struct model *model);
void model_run(struct model *model, double seconds);

#endif
