// SPDX-License-Identifier: ISC
// /top.json. Runs in stayd-watch. docs/monitoring.md says what each part means.
#include "watch/object.h"
#include "watch/top.h"

#include <math.h>

static double ms(uint64_t ns)
{
    return ns == 0 ? (double)NAN : (double)ns / 1e6;
}

static void write_classes(struct bytes *out, const struct top *top)
{
    double seconds = sums_seconds(&top->window);
    object_open(out, "classes", '{');
    for (unsigned i = 0; i < SUMS_GROUPS; i++) {
        const uint64_t *answered = top->window.answered[i];
        const struct stats_times *times = &top->window.times[sums_group_times((enum sums_group)i)];
        object_open(out, sums_group_name((enum sums_group)i), '{');
        object_number(out, "per_second", (double)sums_answered(&top->window, (enum sums_group)i) / seconds,
                      1);
        object_number(out, "ok_per_second", (double)answered[SUMS_OK] / seconds, 1);
        object_number(out, "refused_per_second", (double)answered[SUMS_REFUSED] / seconds, 1);
        object_number(out, "failed_per_second", (double)answered[SUMS_FAILED] / seconds, 1);
        object_number(out, "p50_ms", ms(stats_quantile_ns(times, 0.5)), 3);
        object_number(out, "p99_ms", ms(stats_quantile_ns(times, 0.99)), 3);
        object_close(out, '}');
    }
    object_close(out, '}');
}

static void write_stages(struct bytes *out, const struct top *top)
{
    struct top_stage stages[TOP_STAGES_MAX];
    unsigned count = top_stages(top, stages);
    object_open(out, "stages", '[');
    for (unsigned i = 0; i < count; i++) {
        object_open(out, NULL, '{');
        object_cstr(out, "stage", stages[i].name);
        object_number(out, "mean_ms", ms(stages[i].mean_ns), 3);
        object_number(out, "share", stages[i].share, 4);
        object_close(out, '}');
    }
    object_close(out, ']');
}

static void write_resources(struct bytes *out, const struct watched *watched,
                            const struct saturation *saturation)
{
    object_open(out, "resources", '[');
    for (unsigned i = 0; i < saturation_row_count; i++) {
        const struct saturation_row *row = &saturation_rows[i];
        double full = saturation_mean(saturation, watched, i);
        if (full < 0) {
            continue;
        }
        object_open(out, NULL, '{');
        object_cstr(out, "resource", row->resource);
        object_number(out, "full", full, 4);
        object_u64(out, "used", watched_sum(watched, row->used, row->used_by));
        object_u64(out, "limit", watched_sum(watched, row->limit, row->limit_by));
        object_cstr(out, "relief", row->relief);
        object_close(out, '}');
    }
    object_close(out, ']');
}

static void write_gates(struct bytes *out, const struct top *top, const struct watched *watched)
{
    object_open(out, "gate", '{');
    object_u64(out, "waiting", watched_sum(watched, STATS_gate_waiting, STATS_ROLE_core));
    object_number(out, "entered_per_second", sums_rate(&top->window, STATS_gate_entered), 1);
    object_number(out, "refused_per_second", sums_rate(&top->window, STATS_gate_refused), 1);
    object_number(out, "expired_per_second", sums_rate(&top->window, STATS_gate_expired), 1);
    object_close(out, '}');
}

static void write_hash(struct bytes *out, const struct top *top, const struct watched *watched)
{
    const struct sums *window = &top->window;
    object_open(out, "hash", '{');
    object_u64(out, "workers", watched_sum(watched, STATS_hash_workers, STATS_ROLE_hash));
    object_u64(out, "busy", watched_sum(watched, STATS_hash_busy, STATS_ROLE_hash));
    object_u64(out, "queued", watched_sum(watched, STATS_hash_queued, STATS_ROLE_hash));
    object_number(out, "per_second", (double)window->hashed / sums_seconds(window), 1);
    object_number(
        out, "mean_ms",
        window->hashed == 0 ? (double)NAN : (double)window->hashed_ns / (double)window->hashed / 1e6, 1);
    object_number(out, "wait_ms", ms(sums_mean_ns(window, STATS_TIME_stage_hash_wait)), 1);
    object_u64(out, "memory_bytes", watched_sum(watched, STATS_hash_memory_used, STATS_ROLE_hash));
    object_u64(out, "memory_budget_bytes", watched_sum(watched, STATS_hash_memory_budget, STATS_ROLE_hash));
    object_close(out, '}');
}

static void write_pool(struct bytes *out, const struct top *top, const struct watched *watched)
{
    object_open(out, "pool", '{');
    object_u64(out, "open", watched_sum(watched, STATS_pool_open, STATS_ROLE_store));
    object_u64(out, "busy", watched_sum(watched, STATS_pool_busy, STATS_ROLE_store));
    object_u64(out, "useful", watched_sum(watched, STATS_capacity_database_connections, STATS_ROLE_store));
    object_bool(out, "breaker_open", watched_sum(watched, STATS_pool_breaker_open, STATS_ROLE_store) > 0);
    object_number(out, "opened_per_second", sums_rate(&top->window, STATS_pool_opened), 1);
    object_number(out, "broken_per_second",
                  sums_rate(&top->window, STATS_pool_broken) + sums_rate(&top->window, STATS_pool_discarded),
                  1);
    object_close(out, '}');
}

static void write_statements(struct bytes *out, const struct top *top)
{
    struct top_statement statements[TOP_STATEMENTS_MAX];
    unsigned count = top_statements(&top->window, statements, TOP_STATEMENTS_MAX);
    object_open(out, "statements", '[');
    for (unsigned i = 0; i < count; i++) {
        object_open(out, NULL, '{');
        object_cstr(out, "operation", statements[i].operation);
        object_number(out, "per_second", statements[i].per_second, 1);
        object_number(out, "mean_ms", (double)statements[i].mean_ns / 1e6, 3);
        object_number(out, "wait_ms", (double)statements[i].wait_ns / 1e6, 3);
        object_number(out, "share", statements[i].share, 4);
        object_close(out, '}');
    }
    object_close(out, ']');
}

static void write_database(struct bytes *out, const struct top *top, const struct watched *watched)
{
    object_open(out, "database", '{');
    object_bool(out, "available", watched_sum(watched, STATS_store_available, STATS_ROLE_store) > 0);
    object_u64(out, "queued", watched_sum(watched, STATS_store_queued, STATS_ROLE_store));
    object_u64(out, "journal_entries", watched_sum(watched, STATS_journal_entries, STATS_ROLE_store));
    object_number(out, "done_per_second", sums_rate(&top->window, STATS_store_done), 1);
    object_number(out, "refused_per_second", sums_rate(&top->window, STATS_store_refused), 1);
    object_number(out, "expired_per_second", sums_rate(&top->window, STATS_store_expired), 1);
    object_number(out, "failed_per_second", sums_rate(&top->window, STATS_store_failed), 1);
    object_number(out, "commits_per_second", sums_rate(&top->window, STATS_store_commits), 1);
    write_statements(out, top);
    object_close(out, '}');
}

static void write_sessions(struct bytes *out, const struct top *top, const struct watched *watched)
{
    struct sessions_counts counts = {0};
    if (watched->has_tables) {
        sessions_reader_counts(&watched->reader, &counts);
    }
    object_open(out, "sessions", '{');
    object_u64(out, "live", counts.sessions);
    object_u64(out, "accounts", counts.accounts);
    object_u64(out, "memory_bytes", counts.sessions_bytes + counts.accounts_bytes);
    object_number(out, "granted_per_second", sums_rate(&top->window, STATS_sessions_granted), 1);
    object_number(out, "ended_per_second", sums_rate(&top->window, STATS_sessions_ended), 1);
    object_u64(out, "ends_pending", watched_sum(watched, STATS_ends_pending, STATS_ROLE_core));
    object_u64(out, "connections", watched_sum(watched, STATS_connections_open, STATS_ROLE_front));
    object_close(out, '}');
}

static void write_processes(struct bytes *out, const struct top *top, const struct watched *watched,
                            const struct watched_now *now)
{
    object_open(out, "processes", '[');
    for (unsigned i = 0; i < watched->pages; i++) {
        struct top_process process = top_process(top, watched, i, now);
        object_open(out, NULL, '{');
        object_cstr(out, "process", process.name);
        object_u64(out, "index", process.index);
        object_cstr(out, "state", watched_state_text(process.state));
        object_u64(out, "pid", process.pid);
        object_number(out, "processor", process.processor, 3);
        object_u64(out, "memory_bytes", process.memory);
        object_number(out, "uptime_s", process.uptime_s, 1);
        object_u64(out, "restarts", process.restarts);
        object_close(out, '}');
    }
    object_close(out, ']');
}

static void write_history(struct bytes *out, const struct top *top)
{
#define X(id, unit, decimals) decimals,
    static const int decimals[] = {TOP_SERIES_LIST(X)};
#undef X
    object_open(out, "history", '{');
    object_u64(out, "step_s", TOP_STEP_S);
    for (unsigned i = 0; i < TOP_SERIES; i++) {
        object_open(out, top_series_name((enum top_series)i), '[');
        for (unsigned at = 0; at < top_points(top); at++) {
            object_number(out, NULL, top_point(top, (enum top_series)i, at), decimals[i]);
        }
        object_close(out, ']');
    }
    object_close(out, '}');
}

void top_write_json(struct bytes *out, const struct top *top, const struct watched *watched,
                    const struct saturation *saturation, struct view verdict, const struct watched_now *now)
{
    object_open(out, NULL, '{');
    object_time(out, "at", now->wall_ms);
    object_u64(out, "unix_ms", now->wall_ms);
    object_cstr(out, "version", watched->version);
    object_bool(out, "ready", watched_ready(watched, now));
    object_u64(out, "window_s", TOP_WINDOW_S);
    if (verdict.size > 0) {
        object_raw(out, "verdict", verdict);
    } else {
        object_null(out, "verdict");
    }
    write_classes(out, top);
    write_stages(out, top);
    write_resources(out, watched, saturation);
    write_gates(out, top, watched);
    write_hash(out, top, watched);
    write_pool(out, top, watched);
    write_database(out, top, watched);
    write_sessions(out, top, watched);
    write_processes(out, top, watched, now);
    write_history(out, top);
    object_close(out, '}');
    bytes_append_byte(out, '\n');
}
