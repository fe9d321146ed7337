// SPDX-License-Identifier: ISC
// Writes OpenMetrics. Runs in stayd-watch. https://openmetrics.io, text format 1.0.0: the samples of a family
// stand together under its TYPE, UNIT and HELP; a counter's sample ends in _total; the last line is "# EOF".
// Families come from the tables of base/stats.h, whose rows of one family stand together.
#include "watch/metrics.h"

#define ROLE(id) (1u << STATS_ROLE_##id)
#define EVERYONE (ROLE(front) | ROLE(core) | ROLE(store) | ROLE(hash) | ROLE(key) | ROLE(watch))

// Who uses a family. Others are everyone's.
static const struct {
    const char *family;
    unsigned roles;
    const char *labels; // of these rows only, by the beginning of their labels
} users[] = {
    {"loop_turns", EVERYONE},
    {"messages", EVERYONE},
    {"messages_dropped", EVERYONE},
    {"messages_queued", EVERYONE},
    {"loop_turn_seconds", EVERYONE},
    {"events", ROLE(watch)},
    {"process_memory_bytes", EVERYONE},
    {"process_descriptors", EVERYONE},
    {"process_threads", EVERYONE},
    {"process_processor_seconds", EVERYONE},
    {"process_starts", EVERYONE | ROLE(supervisor)},
    {"tls_certificate_expiry_timestamp_seconds", 0},
    {"arrivals", ROLE(front)},
    {"refused", ROLE(front)},
    {"sources_distinct", ROLE(front)},
    {"sources_heaviest_thousandths", ROLE(front)},
    {"guesses", ROLE(core)},
    {"gate_waits", ROLE(core)},
    {"gate_wait_seconds", ROLE(core)},
    {"hash_waits", ROLE(core)},
    {"hash_wait_seconds", ROLE(core)},
    {"store_syncs", ROLE(store)},
    {"store_sync_seconds", ROLE(store)},
    {"hash_started", ROLE(hash)},
    {"hash_busy_seconds", ROLE(hash)},
    {"machine_pressure_seconds", ROLE(supervisor)},
    {"disk_bytes", ROLE(supervisor)},
    {"clock_offset_seconds", ROLE(supervisor)},
    {"machine_threads", ROLE(supervisor)},
    {"log_lines", EVERYONE | ROLE(supervisor)},
    {"log_lines_dropped", EVERYONE | ROLE(supervisor)},
    {"checks", ROLE(front)},
    {"table_retries", ROLE(front)},
    {"table_misses", ROLE(front)},
    {"table_mismatches", ROLE(front)},
    {"seen_dropped", ROLE(front)},
    {"connections_open", ROLE(front) | ROLE(watch)},
    {"connections", ROLE(front) | ROLE(watch)},
    {"connections_timed_out", ROLE(front) | ROLE(watch)},
    {"connections_idle_closed", ROLE(front) | ROLE(watch)},
    {"tls_handshakes", ROLE(front)},
    {"core_requests", ROLE(front)},
    {"core_waiting", ROLE(front)},
    {"core_connected", ROLE(front)},
    {"logins", ROLE(core)},
    {"registrations", ROLE(core)},
    {"turned_away", ROLE(front)},
    {"throttled", ROLE(core)},
    {"flows_active", ROLE(core)},
    {"flows_refused", ROLE(core)},
    {"flows_timed_out", ROLE(core)},
    {"sessions_live", ROLE(core)},
    {"sessions", ROLE(core)},
    {"sessions_buckets", ROLE(core)},
    {"table_bytes", ROLE(core)},
    {"accounts_live", ROLE(core)},
    {"lookups", ROLE(core)},
    {"tombstones", ROLE(core)},
    {"ends_pending", ROLE(core)},
    {"gate_waiting", ROLE(core)},
    {"gate", ROLE(core)},
    {"store_operations", ROLE(store)},
    {"store_queued", ROLE(store)},
    {"store_commits", ROLE(store)},
    {"store_available", ROLE(store)},
    {"journal_entries", ROLE(store)},
    {"pool", ROLE(store)},
    {"database_probes", ROLE(store)},
    {"database_probe_seconds", ROLE(store)},
    {"database_server_seconds", ROLE(store)},
    {"database_connect_failed", ROLE(store)},
    {"database_moved", ROLE(store)},
    {"database_sessions_active", ROLE(store)},
    {"database_sessions", ROLE(store)},
    {"hash_jobs", ROLE(hash)},
    {"hash_refused", ROLE(hash)},
    {"hash_queued", ROLE(hash)},
    {"hash_workers", ROLE(hash)},
    {"key_operations", ROLE(key)},
    {"scrapes", ROLE(watch)},
    {"incidents", ROLE(watch)},
    {"restarts", ROLE(supervisor)},
    {"penalties", ROLE(supervisor)},
    {"reloads", ROLE(supervisor)},
    {"cache_requests", ROLE(front), "cache=\"sessions\""},
    {"cache_requests", ROLE(front), "cache=\"unknown_tokens\""},
    {"cache_requests", ROLE(front), "cache=\"sources\""},
    {"cache_requests", ROLE(core), "cache=\"throttles\""},
    {"cache_requests", ROLE(store), "cache=\"statements\""},
    {"cache_requests", 0, NULL},
    {"cache_evictions", ROLE(core), "cache=\"throttles\""},
    {"cache_evictions", ROLE(front), NULL},
    {"cache_entries", ROLE(core), "cache=\"sessions\""},
    {"cache_entries", ROLE(core), "cache=\"throttles\""},
    {"cache_entries", ROLE(front), "cache=\"unknown_tokens\""},
    {"cache_entries", ROLE(front), "cache=\"sources\""},
    {"cache_entries", ROLE(store), "cache=\"statements\""},
    {"cache_entries", 0, NULL},
    {"cache_capacity", 0, NULL},
    {"hash_memory_bytes", ROLE(hash), NULL},
    {"capacity", 0, NULL},
    {"machine_memory_bytes", ROLE(supervisor), NULL},
    {"machine_processors_thousandths", ROLE(supervisor), NULL},
    {"request_seconds", ROLE(front)},
    {"stage_seconds", ROLE(front)},
};

// Powers of two of nanoseconds: 1 µs, 4 µs, ... 17 s.
static const unsigned bucket_octaves[] = {10, 12, 14, 16, 18, 20, 22, 24, 25, 26, 27, 28, 29, 30, 31, 32, 34};

static bool uses(const struct watched_page *page, const char *family, const char *labels)
{
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        bool these =
            users[i].labels == NULL || strncmp(labels, users[i].labels, strlen(users[i].labels)) == 0;
        if (these && strcmp(users[i].family, family) == 0) {
            return (users[i].roles >> page->role & 1) != 0;
        }
    }
    return true;
}

// A name ends in its unit or has none.
static const char *unit_of(const char *family)
{
    static const char *const units[] = {"milliseconds", "seconds", "bytes"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t family_size = strlen(family);
        size_t unit_size = strlen(units[i]);
        if (family_size > unit_size && family[family_size - unit_size - 1] == '_' &&
            strcmp(family + family_size - unit_size, units[i]) == 0) {
            return units[i];
        }
    }
    return NULL;
}

static void head(struct bytes *out, const char *family, const char *type, const char *help)
{
    const char *unit = unit_of(family);
    bytes_append_format(out, "# TYPE stayd_%s %s\n", family, type);
    if (unit != NULL) {
        bytes_append_format(out, "# UNIT stayd_%s %s\n", family, unit);
    }
    bytes_append_format(out, "# HELP stayd_%s %s.\n", family, help);
}

// stayd_family_suffix{process="…",index="…",labels
static void sample(struct bytes *out, const char *family, const char *suffix, const struct watched_page *page,
                   const char *labels)
{
    bytes_append_format(out, "stayd_%s%s{process=\"%s\",index=\"%u\"%s%s", family, suffix,
                        stats_role_name((uint32_t)page->role), page->index, labels[0] == '\0' ? "" : ",",
                        labels);
}

static void sample_u64(struct bytes *out, const char *family, const char *suffix,
                       const struct watched_page *page, const char *labels, uint64_t value)
{
    sample(out, family, suffix, page, labels);
    bytes_append_format(out, "} %llu\n", (unsigned long long)value);
}

// A counter of time counts microseconds, a gauge of time milliseconds; both are shown in seconds, the base
// unit.
static bool ends_in_seconds(const char *family)
{
    static const char end[] = "_seconds";
    size_t size = strlen(family);
    return size >= sizeof(end) - 1 && strcmp(family + size - (sizeof(end) - 1), end) == 0;
}

static void sample_us(struct bytes *out, const char *family, const char *suffix,
                      const struct watched_page *page, const char *labels, uint64_t value_us)
{
    sample(out, family, suffix, page, labels);
    bytes_append_format(out, "} %llu.%06llu\n", (unsigned long long)(value_us / 1000000u),
                        (unsigned long long)(value_us % 1000000u));
}

static void write_counters(struct bytes *out, const struct watched *watched)
{
    const char *family = "";
    for (unsigned i = 0; i < STATS_COUNTER_COUNT; i++) {
        const struct stats_row *row = stats_counter_row((enum stats_counter)i);
        bool counter = row->kind == STATS_KIND_counter;
        if (i == STATS_heartbeat_ms) {
            continue; // shown as an age
        }
        if (strcmp(row->family, family) != 0) {
            head(out, row->family, counter ? "counter" : "gauge", row->help);
            family = row->family;
        }
        for (unsigned at = 0; at < watched->pages; at++) {
            const struct watched_page *page = &watched->page[at];
            if (!stats_page_fits(page->page)) {
                continue;
            }
            uint64_t value = stats_read(page->page, (enum stats_counter)i);
            if (value == 0 && !uses(page, row->family, row->labels)) {
                continue;
            }
            if (!counter && ends_in_seconds(row->family)) {
                sample(out, row->family, "", page, row->labels);
                bytes_append_format(out, "} %llu.%03llu\n", (unsigned long long)(value / 1000u),
                                    (unsigned long long)(value % 1000u));
            } else if (counter && ends_in_seconds(row->family)) {
                sample_us(out, row->family, "_total", page, row->labels, value);
            } else {
                sample_u64(out, row->family, counter ? "_total" : "", page, row->labels, value);
            }
        }
    }
}

static void bucket_line(struct bytes *out, const struct stats_row *row, const struct watched_page *page,
                        unsigned octave, uint64_t count)
{
    uint64_t ns = 1ull << octave;
    char le[32];
    int size = snprintf(le, sizeof(le), "%llu.%09llu", (unsigned long long)(ns / 1000000000u),
                        (unsigned long long)(ns % 1000000000u));
    while (size > 0 && le[size - 1] == '0' && le[size - 2] != '.') {
        le[--size] = '\0';
    }
    sample(out, row->family, "_bucket", page, row->labels);
    bytes_append_format(out, ",le=\"%s\"} %llu\n", le, (unsigned long long)count);
}

// All numbers from one pass over the buckets, so that they fit each other while the page is being written.
static void write_times(struct bytes *out, const struct stats_row *row, const struct watched_page *page,
                        const struct stats_times *times)
{
    uint64_t count = 0;
    unsigned at = 0;
    uint64_t sum = atomic_load_explicit(&times->sum_ns, memory_order_relaxed);
    for (size_t i = 0; i < sizeof(bucket_octaves) / sizeof(bucket_octaves[0]); i++) {
        unsigned end = stats_bucket(1ull << bucket_octaves[i]);
        for (; at < end; at++) {
            count += atomic_load_explicit(&times->bucket[at], memory_order_relaxed);
        }
        bucket_line(out, row, page, bucket_octaves[i], count);
    }
    for (; at < STATS_BUCKETS; at++) {
        count += atomic_load_explicit(&times->bucket[at], memory_order_relaxed);
    }
    sample(out, row->family, "_bucket", page, row->labels);
    bytes_append_format(out, ",le=\"+Inf\"} %llu\n", (unsigned long long)count);
    sample_u64(out, row->family, "_count", page, row->labels, count);
    sample(out, row->family, "_sum", page, row->labels);
    bytes_append_format(out, "} %llu.%09llu\n", (unsigned long long)(sum / 1000000000u),
                        (unsigned long long)(sum % 1000000000u));
}

static void write_histograms(struct bytes *out, const struct watched *watched)
{
    const char *family = "";
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++) {
        const struct stats_row *row = stats_histogram_row((enum stats_histogram)i);
        if (strcmp(row->family, family) != 0) {
            head(out, row->family, "histogram", row->help);
            family = row->family;
        }
        for (unsigned at = 0; at < watched->pages; at++) {
            const struct watched_page *page = &watched->page[at];
            if (!stats_page_fits(page->page)) {
                continue;
            }
            const struct stats_times *times = &page->page->times[i];
            if (uses(page, row->family, row->labels) || stats_times_count(times) > 0) {
                write_times(out, row, page, times);
            }
        }
    }
}

static bool is_asked(const _Atomic uint64_t answered[STATS_ANSWERS])
{
    uint64_t all = 0;
    for (unsigned i = 0; i < STATS_ANSWERS; i++) {
        all += atomic_load_explicit(&answered[i], memory_order_relaxed);
    }
    return all > 0;
}

static void write_requests(struct bytes *out, const struct watched *watched)
{
    static const char *const status[STATS_ANSWERS] = {"closed", "1xx", "2xx", "3xx",
                                                      "4xx",    "5xx", "429", "503"};
    char labels[64];
    head(out, "requests", "counter", "HTTP requests by class and status, 429 and 503 apart from 4xx and 5xx");
    for (unsigned at = 0; at < watched->pages; at++) {
        const struct watched_page *page = &watched->page[at];
        for (unsigned class = 0; stats_page_fits(page->page) && class < STATS_CLASS_COUNT; class ++) {
            const _Atomic uint64_t *answered = page->page->request[class];
            // All or none of a class: a rate of failures needs the zero before the first.
            for (unsigned i = 0; is_asked(answered) && i < STATS_ANSWERS; i++) {
                snprintf(labels, sizeof(labels), "class=\"%s\",status=\"%s\"", stats_class_label(class),
                         status[i]);
                sample_u64(out, "requests", "_total", page, labels,
                           atomic_load_explicit(&answered[i], memory_order_relaxed));
            }
        }
    }
}

static void write_heartbeat(struct bytes *out, const struct watched_page *page, const struct watched_now *now)
{
    uint64_t last_ms = stats_page_fits(page->page) ? stats_read(page->page, STATS_heartbeat_ms) : 0;
    uint64_t now_ms = now->mono_ns / 1000000u;
    if (last_ms != 0) {
        sample(out, "heartbeat_age_seconds", "", page, "");
        bytes_append_format(out, "} %.3f\n", last_ms > now_ms ? 0 : (double)(now_ms - last_ms) / 1000);
    }
}

static void write_processes(struct bytes *out, const struct watched *watched, const struct watched_now *now)
{
    head(out, "up", "gauge", "1 while the process answers its heartbeats");
    for (unsigned i = 0; i < watched->pages; i++) {
        sample_u64(out, "up", "", &watched->page[i], "", watched_state(&watched->page[i], now) == WATCHED_UP);
    }
    head(out, "heartbeat_age_seconds", "gauge", "Time since the process last answered a heartbeat");
    for (unsigned i = 0; i < watched->pages; i++) {
        write_heartbeat(out, &watched->page[i], now);
    }
    head(out, "process_start_time_seconds", "gauge", "Unix time at which the process was started");
    for (unsigned i = 0; i < watched->pages; i++) {
        double uptime_s = watched_uptime_s(&watched->page[i], now);
        if (uptime_s > 0) {
            sample(out, "process_start_time_seconds", "", &watched->page[i], "");
            bytes_append_format(out, "} %.3f\n", (double)now->wall_ms / 1000 - uptime_s);
        }
    }
}

static void plain(struct bytes *out, const char *family, const char *help, uint64_t value)
{
    head(out, family, "gauge", help);
    bytes_append_format(out, "stayd_%s %llu\n", family, (unsigned long long)value);
}

// What the shared tables say of themselves, which holds while core is away.
static void write_tables(struct bytes *out, const struct watched *watched)
{
    struct sessions_counts counts;
    if (!watched->has_tables) {
        return;
    }
    sessions_reader_counts(&watched->reader, &counts);
    plain(out, "table_sessions", "Sessions in the shared table, ending ones included", counts.sessions);
    plain(out, "table_session_buckets", "Buckets of the shared table of sessions", counts.buckets);
    plain(out, "table_accounts", "Accounts in the shared table", counts.accounts);
    plain(out, "table_account_slots", "Slots of the shared table of accounts ever used",
          counts.account_slots);
    plain(out, "table_sessions_allocated_bytes", "Memory behind the shared table of sessions",
          counts.sessions_bytes);
    plain(out, "table_accounts_allocated_bytes", "Memory behind the shared table of accounts",
          counts.accounts_bytes);
    plain(out, "core_generation", "How many times a core has opened the shared tables",
          counts.core_generation);
}

void metrics_write(struct bytes *out, const struct watched *watched, const struct saturation *saturation,
                   const struct watched_now *now)
{
    head(out, "build", "info", "The version that runs");
    bytes_append_format(out, "stayd_build_info{version=\"%s\"} 1\n", watched->version);
    plain(out, "ready", "1 while core and at least one front are up", watched_ready(watched, now));
    plain(out, "fronts_configured", "Fronts that should be up", watched->fronts);
    write_processes(out, watched, now);
    write_tables(out, watched);
    saturation_write(out, saturation, watched);
    write_counters(out, watched);
    write_requests(out, watched);
    write_histograms(out, watched);
    bytes_append_view(out, VIEW("# EOF\n"));
}
