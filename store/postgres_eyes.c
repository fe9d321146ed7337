// SPDX-License-Identifier: ISC
// The reserved connection's view of the server. Runs in stayd-store on the event loop.
// 1. A question of this file that fails or is refused is no failure of the database: it is asked again later.
// 2. Nothing here changes anything on the server, and nobody else's session is ended.
//
// pg_stat_activity shows everyone the sessions of the own role; of others' only the role's name, the
// application and the process, unless the role is a member of pg_read_all_stats. Locks and who blocks whom
// are open to all.
#include "store/postgres_eyes.h"

#include "store/postgres_service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "store/eyes_text.h"

#include <stdio.h>
#include <stdlib.h>

#define LATE_US           2000u
#define LOST_US           150000u // TCP sends again after 200 ms at the earliest (Linux; RFC 6298: a second)
#define LOST_OTHERS_HEARD 3

// The log's flush is a wait for the disk whoever of the committers does it.
static const char activity_sql[] =
    "SELECT count(*) FILTER (WHERE own), count(*) FILTER (WHERE own AND type IS NULL),"
    " count(*) FILTER (WHERE own AND type = 'Lock'),"
    " count(*) FILTER (WHERE own AND (type = 'IO' OR event = 'WALWrite')), count(*) FILTER (WHERE NOT own),"
    " pg_has_role('pg_read_all_stats', 'USAGE')"
    " FROM (SELECT application_name LIKE 'stayd %' AND usename = current_user AS own, wait_event_type AS "
    "type,"
    " wait_event AS event FROM pg_stat_activity WHERE state IN ('active', 'fastpath function call')"
    " AND pid <> pg_backend_pid()) AS sessions";

// Who stands at the end of the queue in which most of stayd's sessions wait, and whether the transaction that
// was found before ($1 its process, $2 its number) is still there. The relation: what the oldest that waits
// asks for, or holds a row of. A prepared transaction has no process: 0.
static const char locks_sql[] =
    "WITH RECURSIVE stuck AS MATERIALIZED ("
    "SELECT pid, (extract(epoch FROM clock_timestamp() - query_start) * 1000)::bigint AS ms,"
    " pg_blocking_pids(pid) AS blockers FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND usename = current_user AND application_name LIKE 'stayd %' AND datname = current_database()"
    " ORDER BY query_start LIMIT 8),"
    " chain AS (SELECT pid AS victim, ms, unnest(blockers) AS pid, 1 AS depth FROM stuck"
    " UNION SELECT victim, ms, unnest(pg_blocking_pids(pid)), depth + 1 FROM chain WHERE depth < 5 AND pid > "
    "0),"
    " first AS (SELECT pid, max(ms) AS ms, (array_agg(victim ORDER BY ms DESC))[1] AS victim FROM chain"
    " WHERE pid = 0 OR pg_blocking_pids(pid) = '{}' GROUP BY pid"
    " ORDER BY count(DISTINCT victim) DESC, max(ms) DESC LIMIT 1),"
    " held AS (SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1::int AND virtualtransaction = $2) AS held)"
    " SELECT held, first.pid, ms,"
    " (SELECT virtualtransaction FROM pg_locks AS l WHERE l.pid = first.pid LIMIT 1),"
    " (SELECT relname FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation WHERE l.pid = victim"
    " AND c.relkind IN ('r', 'p') AND c.relnamespace <> 'pg_catalog'::regnamespace"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " ORDER BY l.granted, l.locktype = 'tuple' DESC, l.mode IN ('RowExclusiveLock', 'RowShareLock') DESC "
    "LIMIT 1),"
    " application_name, usename, state, (extract(epoch FROM clock_timestamp() - xact_start))::bigint,"
    " left(query, 1000)"
    " FROM held LEFT JOIN first ON true LEFT JOIN pg_stat_activity AS a ON a.pid = first.pid";

static uint64_t number_at(const PGresult *result, int column)
{
    return strtoull(PQgetvalue(result, 0, column), NULL, 10);
}

// Who is heard late while others are heard was lost on the way, there or back: a server that stands still
// hears nobody.
static bool was_lost(const struct postgres_service *service, uint64_t network_us)
{
    return network_us >= LOST_US && service->answers - service->reserved.answers_before >= LOST_OTHERS_HEARD;
}

bool postgres_eyes_probed(struct postgres_service *service, const PGresult *heartbeat, uint64_t now_ns)
{
    uint64_t asked_us = service->reserved.asked_ns / 1000u, took_us = now_ns / 1000u - asked_us;
    uint64_t theirs_us = number_at(heartbeat, 2);
    uint64_t back_us = way_back_us(&service->eyes.way, asked_us, asked_us + took_us, number_at(heartbeat, 3));
    theirs_us = theirs_us < took_us ? theirs_us : took_us;
    uint64_t network_us = took_us - theirs_us;
    if (was_lost(service, network_us) && back_us < network_us / 2) {
        back_us = network_us / 2;
    }
    stats_count(STATS_database_probes);
    stats_add(STATS_database_probe_us, took_us);
    stats_add(STATS_database_server_us, theirs_us);
    stats_add(STATS_database_back_us, back_us);
    service->eyes.network_us = network_us;
    return took_us > 2 * service->eyes.way.quickest_us + LATE_US;
}

// ---- what is asked ---------------------------------------------------------------------------------------

static bool is_busy(struct postgres_service *service)
{
    uint64_t refused = atomic_load_explicit(&stats_here->counter[STATS_gate_refused], memory_order_relaxed);
    bool busy = service->gate.waiting > 0 || service->pool.overdue > 0 || refused != service->eyes.refused ||
                service->eyes.waiting_lock > 0 || service->eyes.eyes.locked ||
                eyes_is_slow(&service->eyes.eyes);
    service->eyes.refused = refused;
    return busy;
}

enum postgres_glance postgres_eyes_wants(struct postgres_service *service, uint64_t now_ns)
{
    if (service->eyes.locks_due) {
        return POSTGRES_GLANCE_LOCKS;
    }
    // What has just become overdue is looked at soon.
    bool sooner = service->pool.overdue > 0 && now_ns >= service->eyes.looked_ns + EYES_BUSY_NS;
    return sooner || now_ns >= service->eyes.activity_ns ? POSTGRES_GLANCE_ACTIVITY : POSTGRES_GLANCE_NONE;
}

void postgres_eyes_ask(struct postgres_service *service, enum postgres_glance glance)
{
    struct postgres_connection *connection = &service->reserved.connection;
    if (glance == POSTGRES_GLANCE_ACTIVITY) {
        postgres_connection_ask(connection, activity_sql, 0, NULL, service->timeout_ms);
        return;
    }
    char pid[16];
    const struct eyes *eyes = &service->eyes.eyes;
    (void)snprintf(pid, sizeof(pid), "%llu", (unsigned long long)(eyes->locked ? eyes->lock.pid : 0));
    const char *values[] = {pid, eyes->locked ? eyes->lock.holder : ""};
    service->eyes.locks_due = false;
    postgres_connection_ask(connection, locks_sql, 2, values, service->timeout_ms);
}

// ---- what was seen ---------------------------------------------------------------------------------------

static void say_limits(struct postgres_service *service, bool sees_all)
{
    service->eyes.limited = !sees_all;
    if (!sees_all && !service->eyes.limits_said) {
        log_event(
            LOG_INFO, "database_view_limited",
            "when a session of another program is in the way, what it runs and since when stays unknown; "
            "\"GRANT pg_read_all_stats TO %s\" lets stayd see it",
            PQuser(service->reserved.connection.pg));
    }
    service->eyes.limits_said = true;
}

static void take_activity(struct postgres_service *service, const PGresult *result)
{
    uint64_t active = number_at(result, 0), running = number_at(result, 1), lock = number_at(result, 2),
             io = number_at(result, 3);
    stats_set(STATS_database_active, active);
    stats_set(STATS_database_running, running);
    stats_set(STATS_database_waiting_lock, lock);
    stats_set(STATS_database_waiting_io, io);
    stats_set(STATS_database_waiting_other, active - running - lock - io);
    stats_set(STATS_database_others_active, number_at(result, 4));
    say_limits(service, PQgetvalue(result, 0, 5)[0] == 't');
    service->eyes.waiting_lock = lock;
    service->eyes.locks_due = lock > 0 || service->eyes.eyes.locked;
}

// "psql of alice (backend 4711), idle in transaction for 12 s: UPDATE accounts SET …"
static void describe(struct postgres_service *service, const PGresult *result, struct eyes_blocker *blocker)
{
    char statement[EYES_STATEMENT_SIZE], since[32] = "";
    const char *application = PQgetvalue(result, 0, 5), *state = PQgetvalue(result, 0, 7);
    if (blocker->pid == 0) {
        (void)snprintf(blocker->who, sizeof(blocker->who),
                       "a prepared transaction: SELECT * FROM pg_prepared_xacts shows it");
        return;
    }
    if (!PQgetisnull(result, 0, 8)) {
        (void)snprintf(since, sizeof(since), " for %llu s", (unsigned long long)number_at(result, 8));
    }
    eyes_text_statement(PQgetisnull(result, 0, 7) ? "" : PQgetvalue(result, 0, 9), statement);
    (void)snprintf(blocker->who, sizeof(blocker->who), "%s of %s (backend %llu)%s%s%s%s%s",
                   application[0] == '\0' ? "a program" : application, PQgetvalue(result, 0, 6),
                   (unsigned long long)blocker->pid, state[0] == '\0' ? "" : ", ", state, since,
                   statement[0] == '\0' ? "" : ": ", statement);
    if (PQgetisnull(result, 0, 7) && service->eyes.limited) {
        size_t size = strlen(blocker->who);
        (void)snprintf(blocker->who + size, sizeof(blocker->who) - size,
                       "; GRANT pg_read_all_stats TO %s lets stayd see what it runs",
                       PQuser(service->reserved.connection.pg));
    }
}

static void take_locks(struct postgres_service *service, const PGresult *result)
{
    struct eyes_blocker found = {0};
    bool any = !PQgetisnull(result, 0, 1);
    if (any) {
        const char *relation = PQgetvalue(result, 0, 4);
        found.pid = number_at(result, 1);
        found.waited_ms = number_at(result, 2);
        (void)snprintf(found.holder, sizeof(found.holder), "%s", PQgetvalue(result, 0, 3));
        (void)snprintf(found.relation, sizeof(found.relation), "%s",
                       relation[0] == '\0' ? "a row" : relation);
        describe(service, result, &found);
    }
    eyes_take_lock(&service->eyes.eyes, any ? &found : NULL, PQgetvalue(result, 0, 0)[0] == 't',
                   clock_mono_ns() / 1000000u);
}

void postgres_eyes_take(struct postgres_service *service, enum postgres_glance glance,
                        enum postgres_failure failure, const PGresult *result)
{
    if (failure == POSTGRES_FINE && PQntuples(result) == 1) {
        if (glance == POSTGRES_GLANCE_ACTIVITY) {
            take_activity(service, result);
        } else {
            take_locks(service, result);
        }
    }
    service->eyes.looked_ns = clock_mono_ns();
    service->eyes.activity_ns = service->eyes.looked_ns + (is_busy(service) ? EYES_BUSY_NS : EYES_QUIET_NS);
}

void postgres_eyes_close(struct postgres_service *service)
{
    static const enum stats_counter gauges[] = {STATS_database_active,        STATS_database_running,
                                                STATS_database_waiting_lock,  STATS_database_waiting_io,
                                                STATS_database_waiting_other, STATS_database_others_active};
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        stats_set(gauges[i], 0);
    }
    service->eyes.activity_ns = 0;
    service->eyes.waiting_lock = 0;
    service->eyes.locks_due = false;
}
