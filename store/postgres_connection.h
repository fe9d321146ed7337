// SPDX-License-Identifier: ISC
// One connection to PostgreSQL on the event loop: libpq without blocking, one operation at a time, its
// statements pipelined and ended by one Sync, which makes them one transaction. Used by the PostgreSQL
// service of stayd-store. Owns the libpq connection and the results until they are cleared. Bounds:
// POSTGRES_COMMANDS_MAX commands an operation.
//
//   closed ──open──▶ connecting ──on_open──▶ idle ──run──▶ busy ──on_done──▶ done ──clear──▶ idle
//      ▲                 │ on_open_failed     │ on_lost       │ on_lost
//      └─────────────────┴────────────────────┴───────────────┘ and close, from anywhere
//
// 1. It is read at all times, so that a broken one is found before it is used.
// 2. What has been asked and not answered when it ends has an unknown outcome.
// 3. A statement is prepared in the same round trip that first runs it; one that failed leaves nothing
// prepared
//    on record, and preparing again under the same name is then an error: such a connection is closed.
#ifndef STORE_POSTGRES_CONNECTION_H
#define STORE_POSTGRES_CONNECTION_H

#include "store/postgres_call.h"
#include "store/postgres_failure.h"
#include "store/postgres_helper.h"

#define POSTGRES_COMMANDS_MAX (2 * POSTGRES_STEPS_MAX + 1)
#define POSTGRES_TEXT_MAX     256

enum postgres_state { POSTGRES_CLOSED, POSTGRES_CONNECTING, POSTGRES_IDLE, POSTGRES_BUSY, POSTGRES_DONE };

struct postgres_connection;

// None of them may free the connection; all may close it.
struct postgres_connection_events {
    void (*on_open)(struct postgres_connection *connection);
    void (*on_open_failed)(struct postgres_connection *connection, enum postgres_failure failure,
                           const char *text);
    // The server answered: `results` are there when it is fine.
    void (*on_done)(struct postgres_connection *connection, enum postgres_failure failure, const char *text);
    // It broke, idle or busy; it is closed already.
    void (*on_lost)(struct postgres_connection *connection, bool busy, const char *text);
};

struct postgres_connection {
    struct ev_loop *loop;
    const struct postgres_connection_events *events;
    void *owner;
    enum postgres_state state;
    PGconn *pg;
    ev_io reader, writer;
    bool pooler; // nothing outlives a transaction on the server
    bool alone;  // libpq is not in its pipeline mode
    bool watching;
    int backend; // process of the server
    uint64_t prepared[(STATEMENTS + 63) / 64];
    // the operation
    struct {
        int8_t step; // or -1: prepares or sets a limit
        int16_t prepares;
    } command[POSTGRES_COMMANDS_MAX];
    unsigned commands, answered;
    unsigned steps;
    PGresult *results[POSTGRES_STEPS_MAX];
    enum postgres_failure failure;
    char text[POSTGRES_TEXT_MAX]; // of the failure
    char sqlstate[6];
};

void postgres_connection_init(struct postgres_connection *connection, struct ev_loop *loop,
                              const struct postgres_connection_events *events, void *owner);
// Begins to connect; false: no memory. From closed only.
[[nodiscard]] bool postgres_connection_open(struct postgres_connection *connection,
                                            const struct postgres_target *target,
                                            const struct postgres_address *address);
// From any state; no event.
void postgres_connection_close(struct postgres_connection *connection);

// From idle. The call is to stay until on_done or on_lost. `timeout_ms`: the server's limit, set here only
// where a pooler stands between. May end in on_lost at once.
void postgres_connection_run(struct postgres_connection *connection, const struct postgres_call *call,
                             uint32_t timeout_ms);
// STATEMENT_META_STATE, for postgres_state_take.
void postgres_connection_state(struct postgres_connection *connection, uint32_t timeout_ms);
// One statement that is not in the table, unprepared, text in and out.
void postgres_connection_ask(struct postgres_connection *connection, const char *sql, int count,
                             const char *const *values, uint32_t timeout_ms);
// From done, in on_done or later: the results are freed, it is idle.
void postgres_connection_clear(struct postgres_connection *connection);
// Has the server said something that was not read yet? Whoever was held up itself must not call it silent.
bool postgres_connection_has_news(const struct postgres_connection *connection);
// For the helper's thread; NULL: no memory, or not connected.
PGcancel *postgres_connection_cancel(struct postgres_connection *connection);

// Begins a connection that is then waited for (in a thread); the parameters are copied.
PGconn *postgres_connect_begin(const struct postgres_target *target, const struct postgres_address *address);
// Waits up to `timeout_ms`.
[[nodiscard]] bool postgres_connect_wait(PGconn *pg, uint32_t timeout_ms);

#endif
