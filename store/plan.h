// SPDX-License-Identifier: ISC
// Does each statement do what store/statements.def says of it: use those indexes, read no more rows? Used by
// check-db on live databases, and by tests on large ones. Owns nothing.
#ifndef STORE_PLAN_H
#define STORE_PLAN_H

#include "store/statement.h"

#include <libpq-fe.h>
#include <sqlite3.h>

struct plan_finding {
    enum statement statement;
    bool holds;
    bool small; // its tables are so small that reading them whole is right: nothing is learnt
    bool rows_known;
    uint64_t rows;    // read from tables, when it was run
    bool missing;     // an index that it should use is not there
    char why[256];    // when it does not hold
    char remedy[512]; // a statement that helps; empty: none is known
    char plan[512];   // how it finds its rows, one line (eyes_text_plan); empty: was not looked at
};

typedef void plan_found(void *owner, const struct plan_finding *finding);

enum plan_depth {
    PLAN_LIVE, // changes nothing, takes no lock that anyone waits for: changes are planned, reads are run
               // with a limit of PLAN_TIMEOUT_MS
    PLAN_RUN,  // changes are run too, and rolled back
};
#define PLAN_TIMEOUT_MS 2000

// false: *why says what kept it from looking.
[[nodiscard]] bool postgres_plans_look(PGconn *connection, enum plan_depth depth, plan_found *found,
                                       void *owner, char *why, size_t why_size);
// The plans for all values of some of them, without reading a row.
[[nodiscard]] bool postgres_plans_expect(PGconn *connection, const bool wanted[static STATEMENTS],
                                         plan_found *found, void *owner, char *why, size_t why_size);
[[nodiscard]] bool sqlite_plans_look(sqlite3 *database, plan_found *found, void *owner, char *why,
                                     size_t why_size);

// Runs every operation on an SQLite file that nobody else uses, and rolls it back: statements whose work
// grows with the tables are found by the steps they took, which are many more than their rows allow for.
[[nodiscard]] bool sqlite_work_look(const char *path, plan_found *found, void *owner, char *why,
                                    size_t why_size);

// The indexes that are missing or unfinished, each with the statement that makes it.
typedef void index_missing(void *owner, const char *index, const char *table, const char *statement);
[[nodiscard]] bool postgres_indexes_look(PGconn *connection, index_missing *missing, void *owner, char *why,
                                         size_t why_size);

#endif
