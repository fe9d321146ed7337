// SPDX-License-Identifier: ISC
// Running one prepared statement: values in, rows out, in the order they stand. Used by the store's SQLite
// verbs; private to that backend. A query borrows its connection's statement; there is one query per
// statement at a time. Failures stick to the connection: after one, every step says false, so that a verb is
// written straight down and the caller looks once.
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include "store/sqlite.h"
#include "store/statement.h"

#include <sqlite3.h>

struct store_sqlite {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    uint64_t counted_pages; // of the page cache, in the figures
    uint32_t applied;       // operations
    uint32_t cache_kib;     // of pages
    enum store_failure failure;
    bool in_group;
    char message[160];
    uint64_t deadline_ns;
    _Atomic uint64_t busy_ns; // since when another program keeps it from writing; 0: none does
    uint64_t busy_began_ns;   // this wait
    uint32_t wal_pages;
    struct id16 swept_account, swept_selector; // where the walk over expired sessions stands
};

struct query {
    struct store_sqlite *store;
    sqlite3_stmt *statement;
    int bound;  // values bound so far
    int column; // next column to take
};

// Begin and end enclose every use; end resets the statement, so that no read transaction stays open.
struct query query_begin(struct store_sqlite *store, enum statement statement);
void query_end(struct query *query);

void query_put_u64(struct query *query, uint64_t value);
void query_put_id(struct query *query, struct id16 id);
void query_put_hash(struct query *query, struct hash32 hash);
void query_put_text(struct query *query, struct view text);
void query_put_blob(struct query *query, struct view blob);

// One more row? false at the end and on failure.
bool query_row(struct query *query);
// Runs it to its end; false on failure. *changed (may be NULL) is the number of rows changed.
bool query_run(struct query *query, uint64_t *changed);

uint64_t query_take_u64(struct query *query);
struct id16 query_take_id(struct query *query);
// Views borrow the row: until the next query_row or query_end.
struct view query_take_view(struct query *query);

// Records, columns as in LOGIN_COLUMNS (its times 0), ACCOUNT_COLUMNS and SESSION_COLUMNS.
void query_take_login(struct query *query, struct wire_account_row *row);
void query_take_account(struct query *query, struct wire_account_row *row);
void query_take_session(struct query *query, struct wire_session_row *row);

// An account by id, in fixed memory of the caller's; the row borrows the text. False: not there, or failure.
struct account_found {
    struct wire_account_row row;
    char text[WIRE_USERNAME_MAX + WIRE_DISPLAY_NAME_MAX + WIRE_EMAIL_MAX + WIRE_GROUPS_MAX + WIRE_PHC_MAX];
    size_t used;
};
bool query_account(struct store_sqlite *store, struct id16 id, struct account_found *found);
// The same; what is not there is answered NOT_FOUND.
bool query_account_or_none(struct store_sqlite *store, struct id16 id, struct account_found *found,
                           struct store_answer *answer);
// A session's row, from a grant or a password change; false: failure, or the selector or public id is there.
bool query_session_insert(struct store_sqlite *store, const struct wire_session_row *row);

// The prepared statement, NULL (and the failure noted) when it can't be prepared.
sqlite3_stmt *store_sqlite_statement(struct store_sqlite *store, unsigned index);
// Notes a failure of SQLite (an extended code) on the connection.
void store_sqlite_failed(struct store_sqlite *store, int code);

#endif
