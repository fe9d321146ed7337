// SPDX-License-Identifier: ISC
// The connection beside the pool: which server this is, whether it still answers, what is left running on it,
// the state for a new core. Runs in stayd-store on the event loop.
// 1. One question at a time; `asked` from the question to its answer.
// 2. The breaker closes only after the state was read: a server that accepts and can't answer stays away.
// 3. Behind a pooler the question may have to wait for a connection that stuck statements hold: they give
// way.
// 4. When it alone is not answered, on a network that loses packets or with one process of the server stuck,
// it is replaced: the database is not away while it answers others.
// 5. A fence is over when the server has nothing of this node running but what this process waits for.
#include "store/postgres_service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"

#include <stdio.h>
#include <stdlib.h>

#define HEARTBEAT_NS      250000000u
#define HEARTBEAT_LATE_NS 50000000u   // after one that came late: to see soon why
#define ANSWER_NS         1000000000u // then the server is silent,
#define LATELY_NS         500000000u  // unless it has answered others just now
#define ROOM_NS           250000000u  // then a pooler may have no connection for the question
#define OLD_ONES_NS       200000000u  // what an old core began may take before it is cancelled
#define FENCE_EVERY_NS    20000000u
#define SAY_DOWN_NS       500000000u // a new core waits for the first connection so long
#define REFUSED_MS        5000       // a schema that can't be used is looked at again after this

static void on_open(struct postgres_connection *connection);
static void on_open_failed(struct postgres_connection *connection, enum postgres_failure failure,
                           const char *text);
static void on_done(struct postgres_connection *connection, enum postgres_failure failure, const char *text);
static void on_lost(struct postgres_connection *connection, bool busy, const char *text);

static const struct postgres_connection_events reserved_events = {on_open, on_open_failed, on_done, on_lost};

void postgres_reserved_init(struct postgres_service *service)
{
    postgres_connection_init(&service->reserved.connection, service->loop, &reserved_events, service);
}

static void enter(struct postgres_service *service, enum postgres_stage stage)
{
    service->reserved.stage = stage;
    service->reserved.replaced = service->reserved.replaced && stage != POSTGRES_READY;
    service->reserved.stage_ns = clock_mono_ns();
    service->reserved.next_ns = service->reserved.stage_ns;
}

void postgres_reserved_lost(struct postgres_service *service)
{
    postgres_connection_close(&service->reserved.connection);
    service->reserved.asked = false;
    service->reserved.glance = POSTGRES_GLANCE_NONE;
    postgres_eyes_close(service);
    enter(service, POSTGRES_AWAY);
}

// ---- questions -------------------------------------------------------------------------------------------

static void ask(struct postgres_service *service, const char *sql, int count, const char *const *values)
{
    service->reserved.asked = true;
    service->reserved.asked_ns = clock_mono_ns();
    service->reserved.answers_before = service->answers;
    postgres_connection_ask(&service->reserved.connection, sql, count, values, ANSWER_NS / 1000000u);
}

static void ask_identity(struct postgres_service *service)
{
    ask(service,
        "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean,"
        " pg_postmaster_start_time()::text, round(extract(epoch FROM clock_timestamp() - now()) * 1000000),"
        " round(extract(epoch FROM clock_timestamp()) * 1000000)",
        0, NULL);
}

static void ask_fence(struct postgres_service *service)
{
    char known[16 * POSTGRES_CONNECTIONS_MAX + 32], name[32];
    size_t size = (size_t)snprintf(known, sizeof(known), "{0");
    for (uint32_t i = 0; i < service->pool.max; i++) {
        if (service->slots[i].connection.state != POSTGRES_CLOSED) {
            size += (size_t)snprintf(known + size, sizeof(known) - size, ",%d",
                                     service->slots[i].connection.backend);
        }
    }
    (void)snprintf(known + size, sizeof(known) - size, "}");
    (void)snprintf(name, sizeof(name), "stayd %s", service->node);
    const char *values[] = {name, known};
    if (service->target.pooler) { // its connections are others' too: wait, end nothing
        ask(service,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()"
            " AND state <> 'idle' AND usename = current_user",
            1, values);
    } else {
        ask(service,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1"
            " AND pid <> ALL ($2::int[]) AND pid <> pg_backend_pid() AND usename = current_user",
            2, values);
    }
}

static void ask_state(struct postgres_service *service)
{
    service->reserved.asked = true;
    service->reserved.asked_ns = clock_mono_ns();
    postgres_connection_state(&service->reserved.connection, ANSWER_NS / 1000000u);
}

// ---- answers ---------------------------------------------------------------------------------------------

static void moved(struct postgres_service *service)
{
    const struct postgres_host *host =
        &service->target
             .host[service->addresses.count > 0 ? service->addresses.address[service->address].host : 0];
    postgres_failure_say(POSTGRES_FAILED_MOVED, host->name, "it only reads", clock_mono_ns() / 1000000u);
    service->addresses.count = 0;
    postgres_service_trip(service);
}

static void take_identity(struct postgres_service *service, const PGresult *result)
{
    if (PQntuples(result) != 1 || PQgetvalue(result, 0, 0)[0] == 't') {
        moved(service);
        return;
    }
    const char *identity = PQgetvalue(result, 0, 1);
    bool late = postgres_eyes_probed(service, result, clock_mono_ns());
    bool other = strncmp(service->reserved.identity, identity, sizeof(service->reserved.identity) - 1) != 0;
    postgres_events_server(service, other && service->reserved.identity[0] != '\0');
    if (other && service->reserved.identity[0] != '\0') {
        log_event(LOG_WARNING, "database_replaced", "another server, or the same one started anew, answers");
        postgres_pool_replace_all(service);
    }
    (void)snprintf(service->reserved.identity, sizeof(service->reserved.identity), "%s", identity);
    postgres_journal_server(service, identity);
    if (service->reserved.stage == POSTGRES_READY && !other) {
        service->reserved.next_ns =
            late ? clock_mono_ns() + HEARTBEAT_LATE_NS : service->reserved.asked_ns + HEARTBEAT_NS;
    } else if (!service->migrated) {
        enter(service, POSTGRES_MIGRATE);
        postgres_helper_migrate(service->helper, &service->addresses.address[service->address]);
    } else {
        enter(service, service->up && !service->fenced ? POSTGRES_READY : POSTGRES_FENCE);
    }
}

static void take_fence(struct postgres_service *service, const PGresult *result)
{
    if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "0") == 0) {
        service->ghosts = false;
        enter(service, POSTGRES_STATE);
    } else {
        service->reserved.next_ns = clock_mono_ns() + FENCE_EVERY_NS;
    }
}

static void take_state(struct postgres_service *service, const PGresult *result)
{
    bool empty = false;
    uint64_t last_alive = 0;
    if (!postgres_state_take(result, &empty, &last_alive)) {
        postgres_failure_say(POSTGRES_FAILED_SCHEMA, "meta", "rows that stayd did not write",
                             clock_mono_ns() / 1000000u);
        postgres_service_trip(service);
        return;
    }
    bool was = service->up;
    service->empty = empty;
    service->last_alive = last_alive;
    service->up = true;
    service->fenced = service->generation == 0;
    pool_worked(&service->pool);
    postgres_pool_admit(service);
    stats_set(STATS_store_available, 1);
    enter(service, POSTGRES_READY);
    service->reserved.next_ns += HEARTBEAT_NS;
    if (!was) {
        log_event(LOG_INFO, "store_up", "the database answers");
    }
    if (service->generation > 0 && (!was || !service->said)) {
        postgres_service_say_state(service);
    }
    postgres_service_look(service);
}

static void on_done(struct postgres_connection *connection, enum postgres_failure failure, const char *text)
{
    struct postgres_service *service = connection->owner;
    const PGresult *result = connection->results[0];
    enum postgres_glance glance = service->reserved.glance;
    service->reserved.asked = false;
    service->reserved.glance = POSTGRES_GLANCE_NONE;
    if (glance != POSTGRES_GLANCE_NONE) {
        postgres_eyes_take(service, glance, failure, result);
        postgres_connection_clear(connection);
        postgres_reserved_tick(service, clock_mono_ns());
        return;
    }
    if (failure != POSTGRES_FINE) {
        postgres_failure_say(failure, "the server", text, clock_mono_ns() / 1000000u);
        bool pooler = failure == POSTGRES_FAILED_POOLER && !service->target.pooler;
        service->target.pooler = service->target.pooler || pooler;
        postgres_service_trip(service);
        return;
    }
    switch (service->reserved.stage) {
    case POSTGRES_IDENTIFY:
    case POSTGRES_READY:
        take_identity(service, result);
        break;
    case POSTGRES_FENCE:
        // A heartbeat that was under way when the fence was wanted is answered here, too: it has more
        // columns.
        if (PQnfields(result) == 1) {
            take_fence(service, result);
        }
        break;
    case POSTGRES_STATE:
        take_state(service, result);
        break;
    case POSTGRES_AWAY:
    case POSTGRES_MIGRATE:
        break;
    }
    if (connection->state == POSTGRES_DONE) {
        postgres_connection_clear(connection);
    }
    postgres_reserved_tick(service, clock_mono_ns());
}

void postgres_on_migrated(void *owner, enum postgres_migrated migrated, const char *why)
{
    struct postgres_service *service = owner;
    if (service->reserved.stage != POSTGRES_MIGRATE) {
        return;
    }
    if (migrated == POSTGRES_MIGRATED) {
        if (why[0] != '\0') {
            log_event(LOG_WARNING, "database_slow", "%s", why);
        }
        service->migrated = true;
        enter(service, POSTGRES_FENCE);
        postgres_reserved_tick(service, clock_mono_ns());
        return;
    }
    log_event(LOG_ERROR, "database_refused", "%s", why);
    postgres_service_trip(service);
    if (migrated == POSTGRES_MIGRATE_REFUSED) {
        service->pool.connect_at_ms = clock_mono_ns() / 1000000u + REFUSED_MS;
    }
}

static void on_open(struct postgres_connection *connection)
{
    struct postgres_service *service = connection->owner;
    postgres_attempt_succeeded(service);
    enter(service, POSTGRES_IDENTIFY);
    postgres_reserved_tick(service, clock_mono_ns());
    postgres_service_look(service);
}

static void on_open_failed(struct postgres_connection *connection, enum postgres_failure failure,
                           const char *text)
{
    postgres_attempt_failed(connection->owner, failure, text);
}

static void on_lost(struct postgres_connection *connection, bool busy, const char *text)
{
    struct postgres_service *service = connection->owner;
    (void)busy;
    (void)text;
    enum postgres_stage stage = service->reserved.stage;
    postgres_reserved_lost(service);
    if (stage != POSTGRES_READY) {
        pool_failed(&service->pool, clock_mono_ns() / 1000000u, postgres_random());
        postgres_service_trip(service);
    }
}

// ---- the clock -------------------------------------------------------------------------------------------

static void connect_again(struct postgres_service *service, uint64_t now_ns)
{
    uint64_t now_ms = now_ns / 1000000u;
    bool may = service->pool.breaker == POOL_OPEN
                   ? pool_may_probe(&service->pool, now_ms)
                   : !service->pool.connecting && now_ms >= service->pool.connect_at_ms;
    if (may && !service->stopping) {
        postgres_attempt(service, true);
    }
}

static void go_on_fencing(struct postgres_service *service, uint64_t now_ns)
{
    if (service->pool.running > 0) { // of the old core: nothing of the new one is run while fenced
        if (now_ns >= service->reserved.stage_ns + OLD_ONES_NS) {
            postgres_pool_cancel_old(service, now_ns);
        }
        return;
    }
    uint64_t bound_ns = (uint64_t)(service->timeout_ms + 1000) * 1000000u;
    if (!service->ghosts || now_ns >= service->reserved.stage_ns + bound_ns) {
        service->ghosts = false;
        enter(service, POSTGRES_STATE);
        ask_state(service);
    } else if (!service->pool.connecting && now_ns >= service->reserved.next_ns) {
        ask_fence(service);
    }
}

static void say_down_in_time(struct postgres_service *service, uint64_t now_ns)
{
    bool wait = now_ns < service->begun_ns + SAY_DOWN_NS && service->pool.breaker == POOL_CLOSED;
    if (service->generation > 0 && !service->up && !service->said && !wait) {
        postgres_service_refuse_waiting(service);
        postgres_service_say_state(service);
    }
}

static void glance_around(struct postgres_service *service, uint64_t now_ns)
{
    service->reserved.glance = postgres_eyes_wants(service, now_ns);
    if (service->reserved.glance != POSTGRES_GLANCE_NONE) {
        service->reserved.asked = true;
        service->reserved.asked_ns = now_ns;
        postgres_eyes_ask(service, service->reserved.glance);
    }
}

static void look_whether_silent(struct postgres_service *service, uint64_t now_ns)
{
    bool lately = service->answered_ns != 0 && now_ns < service->answered_ns + LATELY_NS;
    bool asked = service->reserved.asked && now_ns >= service->reserved.asked_ns + ANSWER_NS &&
                 !postgres_connection_has_news(&service->reserved.connection);
    bool connecting = service->reserved.replaced && service->pool.connecting && service->attempt_reserved &&
                      now_ns >= service->attempt_ns + ANSWER_NS;
    if (asked && lately && service->up) {
        postgres_failure_say(POSTGRES_FAILED_SILENT, "the connection beside the pool",
                             "no answer within 1 s, while others are answered: it is replaced",
                             now_ns / 1000000u);
        service->reserved.replaced = true;
        postgres_reserved_lost(service);
    } else if (asked || (connecting && !lately && service->up)) {
        postgres_failure_say(POSTGRES_FAILED_SILENT, "the server", "no answer within 1 s", now_ns / 1000000u);
        service->ghosts = true;
        postgres_service_trip(service);
    }
}

void postgres_reserved_tick(struct postgres_service *service, uint64_t now_ns)
{
    say_down_in_time(service, now_ns);
    look_whether_silent(service, now_ns);
    if (service->reserved.asked && service->target.pooler && now_ns >= service->reserved.asked_ns + ROOM_NS &&
        service->pool.overdue > 0 && !postgres_connection_has_news(&service->reserved.connection)) {
        postgres_pool_make_room(service, now_ns);
    }
    if (service->reserved.connection.state == POSTGRES_CLOSED) {
        if (service->reserved.stage == POSTGRES_AWAY) {
            connect_again(service, now_ns);
        }
        return;
    }
    if (service->reserved.asked || service->reserved.connection.state != POSTGRES_IDLE) {
        return;
    }
    if (service->reserved.stage == POSTGRES_IDENTIFY ||
        (service->reserved.stage == POSTGRES_READY && now_ns >= service->reserved.next_ns)) {
        ask_identity(service);
    } else if (service->reserved.stage == POSTGRES_FENCE) {
        go_on_fencing(service, now_ns);
    } else if (service->reserved.stage == POSTGRES_STATE) {
        ask_state(service);
    } else if (service->reserved.stage == POSTGRES_READY) {
        glance_around(service, now_ns);
    }
}

void postgres_reserved_begin(struct postgres_service *service)
{
    if (service->reserved.stage == POSTGRES_READY || service->reserved.stage == POSTGRES_STATE) {
        enter(service, POSTGRES_FENCE); // what the old core's statements change is read after them
    }
    postgres_service_look(service);
    postgres_reserved_tick(service, clock_mono_ns());
}
