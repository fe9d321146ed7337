// SPDX-License-Identifier: ISC
// Bringing a PostgreSQL database up to the schema of this stayd. Used by stayd-store before it serves, and by
// its tests. Owns nothing but its struct.
//
// A dialogue without a connection of its own, so that it runs on a blocking or a non-blocking one: send each
// text by the simple protocol (PQsendQuery; it may hold several statements, then give the last result, or the
// first that failed), give the result to the next call. All of it is one transaction; two nodes that start at
// once wait for each other at the row of the schema's version.
#ifndef STORE_POSTGRES_SCHEMA_H
#define STORE_POSTGRES_SCHEMA_H

#include "base/bytes.h"

#include <libpq-fe.h>

#define POSTGRES_WHY_MAX 512

enum postgres_schema_result {
    POSTGRES_SCHEMA_CURRENT = 1, // serve
    POSTGRES_SCHEMA_NEWER,       // written by a newer stayd: install that one
    POSTGRES_SCHEMA_FOREIGN,     // tables of these names that are not stayd's
    POSTGRES_SCHEMA_ALTERED,     // a table, column or index is not as stayd made it
    POSTGRES_SCHEMA_RIGHTS,      // the role may not do what is needed
    POSTGRES_SCHEMA_FAILED,      // connection, disk…: try again later
};

struct postgres_schema {
    unsigned at;
    enum postgres_schema_result result; // 0 while it goes on
    char why[POSTGRES_WHY_MAX];         // for a person: what is wrong and what to do
};

void postgres_schema_init(struct postgres_schema *schema);
// The next text to send, or NULL: it is over. `result`: of the text before, NULL at the first call.
const char *postgres_schema_next(struct postgres_schema *schema, const PGresult *result);
// The same on a blocking connection.
[[nodiscard]] enum postgres_schema_result postgres_schema_apply(struct postgres_schema *schema,
                                                                PGconn *connection);

#endif
