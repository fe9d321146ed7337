// SPDX-License-Identifier: ISC
// The reserved connection's view of the server. Runs in stayd-store on the event loop.
// 1. A question of this file that fails or is refused is no failure of the database: it is asked again later.
// 2. Nothing here changes anything on the server.
//
// pg_stat_activity shows everyone the sessions of the own role; of others' only the role's name, the
// application and the process, unless the role is a member of pg_read_all_stats.
#include "store/postgres_service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"

#include <stdlib.h>

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

static uint64_t number_at(const PGresult *result, int column)
{
    return strtoull(PQgetvalue(result, 0, column), NULL, 10);
}

void postgres_eyes_probed(uint64_t took_ns, const char *server_us)
{
    uint64_t took_us = took_ns / 1000u, theirs_us = strtoull(server_us, NULL, 10);
    stats_count(STATS_database_probes);
    stats_add(STATS_database_probe_us, took_us);
    stats_add(STATS_database_server_us, theirs_us < took_us ? theirs_us : took_us);
}

// ---- what is asked ---------------------------------------------------------------------------------------

static bool is_busy(struct postgres_service *service)
{
    uint64_t refused = atomic_load_explicit(&stats_here->counter[STATS_gate_refused], memory_order_relaxed);
    bool busy = service->gate.waiting > 0 || service->pool.overdue > 0 || refused != service->eyes.refused;
    service->eyes.refused = refused;
    for (uint32_t kind = 0; kind < POSTGRES_KINDS && !busy; kind++) {
        busy = service->pool.kind[kind].slow;
    }
    return busy;
}

enum postgres_glance postgres_eyes_wants(struct postgres_service *service, uint64_t now_ns)
{
    if (now_ns < service->eyes.activity_ns) {
        return POSTGRES_GLANCE_NONE;
    }
    return POSTGRES_GLANCE_ACTIVITY;
}

void postgres_eyes_ask(struct postgres_service *service, enum postgres_glance glance)
{
    if (glance == POSTGRES_GLANCE_ACTIVITY) {
        postgres_connection_ask(&service->reserved.connection, activity_sql, 0, NULL, service->timeout_ms);
    }
}

// ---- what was seen ---------------------------------------------------------------------------------------

static void say_limits(struct postgres_service *service, bool sees_all)
{
    if (!sees_all && !service->eyes.limits_said) {
        log_event(
            LOG_INFO, "database_view_limited",
            "what other programs do in this database can't be seen: when one of them is in the way, its "
            "statement stays unknown; \"GRANT pg_read_all_stats TO %s\" lets stayd see it",
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
}

void postgres_eyes_take(struct postgres_service *service, enum postgres_glance glance,
                        enum postgres_failure failure, const PGresult *result)
{
    service->eyes.activity_ns = clock_mono_ns() + (is_busy(service) ? EYES_BUSY_NS : EYES_QUIET_NS);
    if (failure == POSTGRES_FINE && PQntuples(result) == 1 && glance == POSTGRES_GLANCE_ACTIVITY) {
        take_activity(service, result);
    }
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
}
