// SPDX-License-Identifier: ISC
// One operation on PostgreSQL: a packet becomes the values of one to three prepared statements, their results
// become the answer. No connection in here: who has one sends all steps in one pipeline that ends in one
// Sync, which makes them one transaction, and comes back with the results. Used by stayd-store and its tests.
// Owns the encoded values. Bounds: POSTGRES_STEPS_MAX statements of POSTGRES_VALUES_MAX values; arrays are at
// most about twice their packet.
//
// Everything is binary, both ways (resultFormat 1). No step depends on what was read in another, so nothing
// waits between them.
#ifndef STORE_POSTGRES_CALL_H
#define STORE_POSTGRES_CALL_H

#include "store/statement.h"

#include <libpq-fe.h>

#define POSTGRES_STEPS_MAX  3
#define POSTGRES_VALUES_MAX 16

struct postgres_step {
    enum statement statement;
    int count;
    const char *values[POSTGRES_VALUES_MAX]; // NULL: SQL's NULL
    int sizes[POSTGRES_VALUES_MAX];
    int formats[POSTGRES_VALUES_MAX];
};

// Not to be moved in memory: values point into it. Borrows the packet that it was made of.
struct postgres_call {
    const struct store_operation *operation;
    uint64_t op;
    uint32_t deadline_ms; // the packet's, or the statement's where that is less
    unsigned steps;
    struct postgres_step step[POSTGRES_STEPS_MAX];
    size_t used;
    uint8_t small[512];  // ids and numbers
    struct bytes arrays; // values that are lists
};

// false: the packet is malformed, or there is no memory; nothing is left to release.
[[nodiscard]] bool postgres_call_make(struct postgres_call *call, struct view packet);
void postgres_call_release(struct postgres_call *call);

enum postgres_taken {
    POSTGRES_TAKEN = 1, // *answer is set
    POSTGRES_AGAIN,     // overtaken by another: nothing was changed, the same call is to be sent again
    POSTGRES_BROKEN,    // not rows that stayd wrote
};
// results[i] belongs to step[i]; all of them are PGRES_TUPLES_OK or PGRES_COMMAND_OK.
enum postgres_taken postgres_call_take(const struct postgres_call *call, const PGresult *const *results,
                                       struct store_answer *answer);

// The result of STATEMENT_META_STATE, which has no values.
[[nodiscard]] bool postgres_state_take(const PGresult *result, bool *empty, uint64_t *last_alive);

#endif
