// SPDX-License-Identifier: ISC
// What went wrong with PostgreSQL, sorted by what is to be done, and said to a person once. Used by the
// PostgreSQL service of stayd-store. Owns nothing. Bounds: of one sort one line in POSTGRES_SAY_EVERY_S.
#ifndef STORE_POSTGRES_FAILURE_H
#define STORE_POSTGRES_FAILURE_H

#include "store/store.h"

#define POSTGRES_SAY_EVERY_S 10

enum postgres_failure {
    POSTGRES_FINE = 0,
    POSTGRES_FAILED_RACE,     // nothing was done: the same call again settles it
    POSTGRES_FAILED_LATE,     // cancelled at its deadline
    POSTGRES_FAILED_LOST,     // the connection is gone or the server is leaving: another one
    POSTGRES_FAILED_SILENT,   // no answer in time
    POSTGRES_FAILED_MOVED,    // a server that only reads: look for the one that writes
    POSTGRES_FAILED_CROWDED,  // no connection to be had: go on with those there are
    POSTGRES_FAILED_SPACE,    // the server's disk is full
    POSTGRES_FAILED_MEMORY,   // the server is short of memory or of another resource
    POSTGRES_FAILED_POOLER,   // prepared statements or options don't last here: go on without them
    POSTGRES_FAILED_STALE,    // the schema changed under a prepared statement: prepare anew
    POSTGRES_FAILED_PASSWORD, // from here on: a person has to do something
    POSTGRES_FAILED_RIGHTS,
    POSTGRES_FAILED_SCHEMA,
    POSTGRES_FAILED_NO_DATABASE,
    POSTGRES_FAILED_TLS,
    POSTGRES_FAILED_OLD,
    POSTGRES_FAILED_VALUE, // a value or statement that the server refused: a bug, of one operation
    POSTGRES_FAILURES
};

// By SQLSTATE (5 characters; NULL or "": the connection itself failed).
enum postgres_failure postgres_failure_of(const char *sqlstate);
// By the text of a failed connection attempt (libpq, verbose): finds the SQLSTATE in it.
enum postgres_failure postgres_failure_of_connect(const char *text);
// How an operation that failed so is answered.
enum wire_store_outcome postgres_failure_outcome(enum postgres_failure failure);
// May the same operation be sent again at once, on this or another connection?
bool postgres_failure_repeats(enum postgres_failure failure);
// Must the connection that it came over be closed?
bool postgres_failure_ends(enum postgres_failure failure);
// One line with what to do; `where` is a server ("db1:5432") or a statement's name, `text` what the server
// said. Nothing when this sort was said lately.
void postgres_failure_say(enum postgres_failure failure, const char *where, const char *text,
                          uint64_t now_ms);

// What was said last, or would have been had it not been said before: where and what; "" when that is older
// than two seconds.
const char *postgres_failure_last(uint64_t now_ms);

#endif
