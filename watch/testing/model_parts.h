// SPDX-License-Identifier: ISC
// What the model's files share: a tenth of a second as faults make it, and the rows of its pages. Private to
// watch/testing.
#ifndef WATCH_TESTING_MODEL_PARTS_H
#define WATCH_TESTING_MODEL_PARTS_H

#include "watch/testing/model.h"

// What a tenth of a second looks like, after the faults.
struct moment {
    struct model_load load;
    double hold_ms[MODEL_OPERATIONS];
    double hash_ms, workers, connections, way_ms, server_ms, sync_ms, others, others_database, check_ms,
        pressure;
    double stall_ms; // before the server gets to what it was asked
    double heavy;    // share of the busiest sources, 0 to 1
    double wrong;    // of log-ins, that are guesses, a second
    bool gone, locked, hung, silent_database;
    double miss_share, no_room;
};

// What a fault does to this tenth, and what is told of it.
void model_apply(struct model *model, struct moment *moment, struct model_strike *strike);

void model_add(struct stats_page *to, enum stats_counter counter, double by);
void model_put(struct stats_page *to, enum stats_counter gauge, double value);
void model_answer(struct model *model, enum stats_class class, enum stats_answer how, double count);

#endif
