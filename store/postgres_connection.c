// SPDX-License-Identifier: ISC
// libpq on libev. Runs in stayd-store.
// 1. In the states idle, busy and done the reader watches; the writer only while libpq holds bytes back.
// 2. While busy, `answered` ≤ `commands`; the Sync's own result makes it done, or the end of a statement
// alone.
#include "store/postgres_connection.h"

#include "base/stats.h"

#include "base/clock.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { BINARY = 1, OLDEST_SERVER = 120000 };

static void on_connecting(struct ev_loop *loop, ev_io *watcher, int revents);
static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents);
static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents);

// ---- connecting ------------------------------------------------------------------------------------------

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

PGconn *postgres_connect_begin(const struct postgres_target *target, const struct postgres_address *address)
{
    const char *keyword[POSTGRES_WORDS_MAX + 4], *value[POSTGRES_WORDS_MAX + 4];
    unsigned words = 0;
    const struct postgres_host *host = &target->host[address->host];
    keyword[words] = "host";
    value[words++] = host->name;
    if (address->address[0] != '\0') {
        keyword[words] = "hostaddr";
        value[words++] = address->address;
    }
    keyword[words] = "port";
    value[words++] = host->port;
    for (unsigned i = 0; i < target->words; i++) {
        keyword[words] = target->keyword[i];
        value[words++] = target->value[i];
    }
    keyword[words] = NULL;
    value[words] = NULL;
    PGconn *pg = PQconnectStartParams(keyword, value, 0);
    if (pg != NULL) {
        (void)PQsetErrorVerbosity(pg, PQERRORS_VERBOSE); // a failed attempt shows its SQLSTATE nowhere else
        (void)PQsetNoticeReceiver(pg, ignore_notice, NULL);
    }
    return pg;
}

bool postgres_connect_wait(PGconn *pg, uint32_t timeout_ms)
{
    uint64_t end_ns = clock_mono_ns() + (uint64_t)timeout_ms * 1000000u;
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        uint64_t now_ns = clock_mono_ns();
        if (PQsocket(pg) < 0 || now_ns >= end_ns) {
            return false;
        }
        struct pollfd poller = {.fd = PQsocket(pg),
                                .events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        (void)poll(&poller, 1, (int)((end_ns - now_ns) / 1000000u + 1));
        status = PQconnectPoll(pg);
    }
    return status == PGRES_POLLING_OK;
}

void postgres_connection_init(struct postgres_connection *connection, struct ev_loop *loop,
                              const struct postgres_connection_events *events, void *owner)
{
    *connection = (struct postgres_connection){.loop = loop, .events = events, .owner = owner};
}

static void watch(struct postgres_connection *connection, void (*callback)(struct ev_loop *, ev_io *, int),
                  int events)
{
    ev_io_init(&connection->reader, callback, PQsocket(connection->pg), events);
    connection->reader.data = connection;
    ev_io_start(connection->loop, &connection->reader);
    connection->watching = true;
}

static void unwatch(struct postgres_connection *connection)
{
    if (connection->watching) {
        ev_io_stop(connection->loop, &connection->reader);
        ev_io_stop(connection->loop, &connection->writer);
        connection->watching = false;
    }
}

bool postgres_connection_open(struct postgres_connection *connection, const struct postgres_target *target,
                              const struct postgres_address *address)
{
    assert(connection->state == POSTGRES_CLOSED);
    PGconn *pg = postgres_connect_begin(target, address);
    if (pg == NULL) {
        return false;
    }
    connection->pg = pg;
    connection->pooler = target->pooler;
    connection->alone = false;
    connection->state = POSTGRES_CONNECTING;
    memset(connection->prepared, 0, sizeof(connection->prepared));
    ev_io_init(&connection->writer, on_writable, -1, EV_WRITE);
    if (PQsocket(pg) >= 0) {
        watch(connection, on_connecting, EV_WRITE);
    } else {
        ev_io_init(&connection->reader, on_connecting, -1, 0);
        connection->reader.data = connection;
        ev_feed_event(connection->loop, &connection->reader, EV_CUSTOM); // failed already: said from the loop
    }
    return true;
}

static void fail_to_open(struct postgres_connection *connection)
{
    char text[POSTGRES_TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%.250s", PQerrorMessage(connection->pg));
    postgres_connection_close(connection);
    connection->events->on_open_failed(connection, postgres_failure_of_connect(text), text);
}

static void opened(struct postgres_connection *connection)
{
    int version = PQserverVersion(connection->pg);
    if (version < OLDEST_SERVER) {
        char text[64];
        (void)snprintf(text, sizeof(text), "the server is version %d.%d", version / 10000,
                       version / 100 % 100);
        postgres_connection_close(connection);
        connection->events->on_open_failed(connection, POSTGRES_FAILED_OLD, text);
        return;
    }
    if (PQsetnonblocking(connection->pg, 1) != 0 || PQenterPipelineMode(connection->pg) != 1) {
        fail_to_open(connection);
        return;
    }
    connection->state = POSTGRES_IDLE;
    connection->backend = PQbackendPID(connection->pg);
    watch(connection, on_readable, EV_READ);
    ev_io_init(&connection->writer, on_writable, PQsocket(connection->pg), EV_WRITE);
    connection->writer.data = connection;
    connection->events->on_open(connection);
}

static void on_connecting(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct postgres_connection *connection = watcher->data;
    unwatch(connection); // libpq may close its socket and open another
    PostgresPollingStatusType status =
        PQstatus(connection->pg) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PQconnectPoll(connection->pg);
    if (status == PGRES_POLLING_OK) {
        opened(connection);
    } else if (status == PGRES_POLLING_FAILED || PQsocket(connection->pg) < 0) {
        fail_to_open(connection);
    } else {
        watch(connection, on_connecting, status == PGRES_POLLING_READING ? EV_READ : EV_WRITE);
    }
}

// ---- the end ---------------------------------------------------------------------------------------------

static void forget_results(struct postgres_connection *connection)
{
    for (unsigned i = 0; i < POSTGRES_STEPS_MAX; i++) {
        PQclear(connection->results[i]);
        connection->results[i] = NULL;
    }
}

static void forget_prepared(struct postgres_connection *connection)
{
    for (size_t i = 0; i < sizeof(connection->prepared) / sizeof(connection->prepared[0]); i++) {
        stats_subtract(STATS_cache_statements_entries,
                       (unsigned)__builtin_popcountll(connection->prepared[i]));
        connection->prepared[i] = 0;
    }
}

void postgres_connection_close(struct postgres_connection *connection)
{
    if (connection->state == POSTGRES_CLOSED) {
        return;
    }
    unwatch(connection);
    ev_clear_pending(connection->loop, &connection->reader);
    forget_results(connection);
    forget_prepared(connection);
    PQfinish(connection->pg);
    connection->pg = NULL;
    connection->state = POSTGRES_CLOSED;
}

static void lose(struct postgres_connection *connection)
{
    char text[POSTGRES_TEXT_MAX];
    bool busy = connection->state == POSTGRES_BUSY;
    (void)snprintf(text, sizeof(text), "%.250s", PQerrorMessage(connection->pg));
    postgres_connection_close(connection);
    connection->events->on_lost(connection, busy, text);
}

bool postgres_connection_has_news(const struct postgres_connection *connection)
{
    struct pollfd poller = {.fd = connection->pg == NULL ? -1 : PQsocket(connection->pg), .events = POLLIN};
    return poller.fd >= 0 && poll(&poller, 1, 0) > 0;
}

PGcancel *postgres_connection_cancel(struct postgres_connection *connection)
{
    return connection->pg == NULL ? NULL : PQgetCancel(connection->pg);
}

// ---- asking ----------------------------------------------------------------------------------------------

static bool is_prepared(const struct postgres_connection *connection, enum statement statement)
{
    return (connection->prepared[statement / 64] >> (statement % 64) & 1) != 0;
}

static void note(struct postgres_connection *connection, int step, int prepares)
{
    connection->command[connection->commands].step = (int8_t)step;
    connection->command[connection->commands++].prepares = (int16_t)prepares;
}

static bool send_limit(struct postgres_connection *connection, uint32_t timeout_ms)
{
    char text[16];
    const char *value = text;
    (void)snprintf(text, sizeof(text), "%u", timeout_ms);
    note(connection, -1, -1);
    return PQsendQueryParams(connection->pg, "SELECT set_config('statement_timeout', $1, true)", 1, NULL,
                             &value, NULL, NULL, 0) == 1;
}

static bool send_step(struct postgres_connection *connection, const struct postgres_step *step, int number)
{
    PGconn *pg = connection->pg;
    const char *sql = statement_sql(DIALECT_POSTGRES, step->statement);
    if (connection->pooler) {
        note(connection, number, -1);
        return PQsendQueryParams(pg, sql, step->count, NULL, step->values, step->sizes, step->formats,
                                 BINARY) == 1;
    }
    bool prepared = is_prepared(connection, step->statement);
    stats_count(prepared ? STATS_cache_statements_hits : STATS_cache_statements_misses);
    if (!prepared) {
        note(connection, -1, (int)step->statement);
        if (PQsendPrepare(pg, statement_name(step->statement), sql, step->count, NULL) != 1) {
            return false;
        }
    }
    note(connection, number, -1);
    return PQsendQueryPrepared(pg, statement_name(step->statement), step->count, step->values, step->sizes,
                               step->formats, BINARY) == 1;
}

// The Sync of a pipeline has a result of its own, which a single statement can do without.
static bool take_mode(struct postgres_connection *connection, bool alone)
{
    if (connection->alone == alone) {
        return true;
    }
    connection->alone = alone;
    return (alone ? PQexitPipelineMode(connection->pg) : PQenterPipelineMode(connection->pg)) == 1;
}

static void begin(struct postgres_connection *connection, unsigned steps)
{
    assert(connection->state == POSTGRES_IDLE);
    connection->state = POSTGRES_BUSY;
    connection->commands = 0;
    connection->answered = 0;
    connection->steps = steps;
    connection->failure = POSTGRES_FINE;
    connection->text[0] = '\0';
    connection->sqlstate[0] = '\0';
}

// PQpipelineSync sends what was gathered, in one call; what is alone was sent.
static void end(struct postgres_connection *connection, bool fine)
{
    if (!fine || !(connection->alone || PQpipelineSync(connection->pg) == 1)) {
        lose(connection);
        return;
    }
    int rest = PQflush(connection->pg);
    if (rest < 0) {
        lose(connection);
    } else if (rest > 0) {
        ev_io_start(connection->loop, &connection->writer);
    }
}

void postgres_connection_run(struct postgres_connection *connection, const struct postgres_call *call,
                             uint32_t timeout_ms)
{
    begin(connection, call->steps);
    bool alone = call->steps == 1 && !connection->pooler && is_prepared(connection, call->step[0].statement);
    bool fine = take_mode(connection, alone) && (!connection->pooler || send_limit(connection, timeout_ms));
    for (unsigned i = 0; fine && i < call->steps; i++) {
        fine = send_step(connection, &call->step[i], (int)i);
    }
    end(connection, fine);
}

void postgres_connection_state(struct postgres_connection *connection, uint32_t timeout_ms)
{
    static const struct postgres_step step = {.statement = STATEMENT_META_STATE};
    begin(connection, 1);
    bool fine = take_mode(connection, false) && (!connection->pooler || send_limit(connection, timeout_ms));
    end(connection, fine && send_step(connection, &step, 0));
}

void postgres_connection_ask(struct postgres_connection *connection, const char *sql, int count,
                             const char *const *values, uint32_t timeout_ms)
{
    begin(connection, 1);
    bool fine = take_mode(connection, false) && (!connection->pooler || send_limit(connection, timeout_ms));
    note(connection, 0, -1);
    end(connection, fine && PQsendQueryParams(connection->pg, sql, count, NULL, values, NULL, NULL, 0) == 1);
}

// ---- answers ---------------------------------------------------------------------------------------------

static void take_failure(struct postgres_connection *connection, const PGresult *result)
{
    if (connection->failure != POSTGRES_FINE) {
        return; // the first says why
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    connection->failure = postgres_failure_of(state);
    (void)snprintf(connection->sqlstate, sizeof(connection->sqlstate), "%s", state == NULL ? "" : state);
    (void)snprintf(connection->text, sizeof(connection->text), "%.240s (%s)",
                   text != NULL ? text : PQresultErrorMessage(result), connection->sqlstate);
}

// Takes over the result of one command.
static void take(struct postgres_connection *connection, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    unsigned number = connection->answered++;
    if (number >= connection->commands) {
        PQclear(result);
        return;
    }
    int prepares = connection->command[number].prepares, step = connection->command[number].step;
    bool fine = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!fine && status != PGRES_PIPELINE_ABORTED) {
        take_failure(connection, result);
    }
    if (fine && prepares >= 0) {
        connection->prepared[prepares / 64] |= 1ull << (prepares % 64);
        stats_add(STATS_cache_statements_entries, 1);
    }
    if (fine && step >= 0) {
        connection->results[step] = result;
        return;
    }
    PQclear(result);
}

static void done(struct postgres_connection *connection)
{
    connection->state = POSTGRES_DONE;
    connection->events->on_done(connection, connection->failure, connection->text);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct postgres_connection *connection = watcher->data;
    if (PQconsumeInput(connection->pg) != 1) {
        lose(connection);
        return;
    }
    unsigned none = 0;
    while (connection->state == POSTGRES_BUSY && !PQisBusy(connection->pg)) {
        PGresult *result = PQgetResult(connection->pg);
        if (result == NULL) { // once between two commands, and after what is alone
            if (++none > 1 || PQstatus(connection->pg) == CONNECTION_BAD) {
                lose(connection);
                return;
            }
            if (connection->alone) {
                done(connection);
                return;
            }
            continue;
        }
        none = 0;
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            done(connection);
            return;
        }
        take(connection, result);
    }
    if (connection->state == POSTGRES_IDLE) {
        (void)PQisBusy(connection->pg); // reads past what the server says on its own
    }
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)revents;
    struct postgres_connection *connection = watcher->data;
    int rest = PQflush(connection->pg);
    if (rest < 0) {
        lose(connection);
    } else if (rest == 0) {
        ev_io_stop(loop, watcher);
    }
}

void postgres_connection_clear(struct postgres_connection *connection)
{
    assert(connection->state == POSTGRES_DONE);
    forget_results(connection);
    connection->state = POSTGRES_IDLE;
}
