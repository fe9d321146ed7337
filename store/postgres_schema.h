// SPDX-License-Identifier: ISC
// Bringing a PostgreSQL database up to the schema of this stayd, and seeing whether it is what stayd made.
// Used by stayd-store before it serves, by check-db and by tests. Owns the text that it asks to be sent.
//
// A dialogue without a connection of its own, so that it runs on a blocking or a non-blocking one: send each
// text by the simple protocol (PQsendQuery; it may hold several statements: give the last result, or the one
// that failed), give the result to the next call. The expansion is one transaction; nodes that start at once
// wait for each other at the row of `meta` that counts the steps, and all but the first find it done. Nothing
// is sent that changes anything when there is nothing to do, so that a role needs no right to create then.
#ifndef STORE_POSTGRES_SCHEMA_H
#define STORE_POSTGRES_SCHEMA_H

#include "store/schema.h"

#include <libpq-fe.h>

#define POSTGRES_WHY_MAX      512
#define POSTGRES_SERVER_LEAST 120000 // 12: common table expressions that are part of the plan

enum postgres_schema_result {
    POSTGRES_SCHEMA_CURRENT = 1, // serve
    POSTGRES_SCHEMA_NEWER,       // written by a newer stayd: install that one
    POSTGRES_SCHEMA_FOREIGN,     // tables of these names that are not stayd's
    POSTGRES_SCHEMA_ALTERED,     // a column is not as stayd made it
    POSTGRES_SCHEMA_RIGHTS,      // the role may not do what is needed
    POSTGRES_SCHEMA_UNFIT,       // the server is too old, or the database's encoding is not UTF-8
    POSTGRES_SCHEMA_FAILED,      // connection, disk, locks…: try again later
};

struct postgres_schema {
    const struct schema *schema;
    enum postgres_schema_result result; // 0 while it goes on
    char why[POSTGRES_WHY_MAX];         // for a person: what is wrong and what to do
    char note[POSTGRES_WHY_MAX];        // with CURRENT: empty, or what makes it slow (an index is missing)
    // the dialogue's own
    unsigned stage, tries, step, late;
    bool look_only;
    char role[64], space[64];
    struct bytes sql;
};

void postgres_schema_init(struct postgres_schema *schema, const struct schema *wanted);
void postgres_schema_release(struct postgres_schema *schema);
// The next text to send, or NULL: it is over. `result`: of the text before, NULL at the first call.
const char *postgres_schema_next(struct postgres_schema *schema, const PGresult *result);

// The same on a blocking connection; nothing is left to release. The struct comes zeroed, or with the schema
// that is wanted.
[[nodiscard]] enum postgres_schema_result postgres_schema_apply(struct postgres_schema *schema,
                                                                PGconn *connection);
// Changes nothing: CURRENT also when there is something to do, whose text is then appended to `pending`.
[[nodiscard]] enum postgres_schema_result postgres_schema_look(struct postgres_schema *schema,
                                                               PGconn *connection, struct bytes *pending);

#endif
