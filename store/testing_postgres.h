// SPDX-License-Identifier: ISC
// For tests: a PostgreSQL server of the test's own, in a temporary folder, on a Unix socket only, gone when
// the test is; and a driver that runs one call on a connection and waits for it. Used by tests only. The
// server runs as another user when the test is root, because PostgreSQL refuses root.
#ifndef STORE_TESTING_POSTGRES_H
#define STORE_TESTING_POSTGRES_H

#include "store/postgres_call.h"

#include <sys/types.h>

struct testing_postgres {
    char folder[64];
    pid_t server; // 0: not running
};

// Fails (false, the reason on standard error) where the server's programs are missing or it does not start.
[[nodiscard]] bool testing_postgres_start(struct testing_postgres *postgres);
void testing_postgres_stop(struct testing_postgres *postgres);
// A folder of the test's own, with all that is in it.
void testing_remove_tree(const char *folder);
// As a power cut would, and on again with the same data.
void testing_postgres_halt(struct testing_postgres *postgres);
[[nodiscard]] bool testing_postgres_again(struct testing_postgres *postgres);
// A connection to the database of that name; the caller finishes it. NULL: the reason is on standard error.
PGconn *testing_postgres_connect(const struct testing_postgres *postgres, const char *database);

// Prepares every statement under its name; false: the reason is on standard error.
[[nodiscard]] bool testing_postgres_prepare(PGconn *connection);
// Runs the packet's call in one pipeline of prepared statements, again where it was overtaken.
// false: malformed. A failure of the database answers UNAVAILABLE; its SQLSTATE is in *state.
[[nodiscard]] bool testing_postgres_apply(PGconn *connection, struct view packet, struct store_answer *answer,
                                          char state[static 6]);
// The halves, for tests of what happens in between: nothing is waited for by _send.
void testing_postgres_send(PGconn *connection, const struct postgres_call *call);
enum postgres_taken testing_postgres_receive(PGconn *connection, const struct postgres_call *call,
                                             struct store_answer *answer, char state[static 6]);

#endif
