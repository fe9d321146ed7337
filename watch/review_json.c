// SPDX-License-Identifier: ISC
// /review.json, and what follows from the figures. Runs in stayd-watch. docs/monitoring.md says what each
// part means. A piece of advice has a figure behind it, and names the setting or the command.
#include "watch/caches.h"
#include "watch/object.h"
#include "watch/review.h"
#include "watch/top.h"

#include <math.h>
#include <stdarg.h>

#define HEADROOM_SMALL   1.5
#define FULL_OFTEN       0.8
#define STATEMENT_SLOW   20.0 // ms
#define DISK_LOW         0.1
#define CERTIFICATE_DAYS 21
enum { REVIEW_STATEMENTS = 10, RUNS_MIN = 20, RESTARTS_FEW = 3, DAYS_KNOWN_MIN = 7 };

static void time_of(struct bytes *out, const char *name, uint64_t minute)
{
    if (minute == 0) {
        object_null(out, name);
    } else {
        object_time(out, name, minute * 60000);
    }
}

static double headroom(double capacity, const struct review_peak *peak)
{
    return peak->value > 0 ? capacity / peak->value : (double)NAN;
}

[[gnu::format(printf, 3, 4)]] static void sentence(struct bytes *out, const char *name, const char *format,
                                                   ...)
{
    char text[320];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    object_cstr(out, name, text);
}

// ---- capacity

static void capacity_begin(struct bytes *out, const char *what, double value, const struct review_peak *peak)
{
    object_open(out, NULL, '{');
    object_cstr(out, "what", what);
    object_number(out, "capacity", value, value < 100 ? 1 : 0);
    object_number(out, "peak", peak->value, peak->value < 100 ? 1 : 0);
    time_of(out, "peak_at", peak->minute);
    object_number(out, "headroom", headroom(value, peak), 2);
}

static void write_capacity(struct bytes *out, const struct review *review,
                           const struct review_capacity *capacity)
{
    object_open(out, "capacity", '[');
    capacity_begin(out, "logins_per_second", capacity->logins, &review->logins);
    if (isfinite(capacity->logins)) {
        sentence(out, "how", "%.0f password workers, %.1f ms a password", capacity->workers,
                 capacity->hash_ms);
    } else {
        object_cstr(out, "how", "not measured yet: needs a few log-ins");
    }
    object_close(out, '}');
    capacity_begin(out, "checks_per_second", capacity->checks, &review->checks);
    if (isfinite(capacity->checks)) {
        sentence(out, "how", "%.0f fronts, %.0f µs of a processor for each check", capacity->fronts,
                 capacity->check_us);
    } else {
        object_cstr(out, "how", "not measured yet: needs a minute with 50 checks a second and little else");
    }
    object_close(out, '}');
    capacity_begin(out, "connections", capacity->connections, &review->connections);
    object_cstr(out, "how", "connections_max");
    object_close(out, '}');
    capacity_begin(out, "sessions", capacity->sessions, &review->sessions);
    sentence(out, "how", "sessions_max, or what memory holds at %.0f bytes a session",
             capacity->session_bytes);
    object_close(out, '}');
    object_close(out, ']');
}

// Resources by how full they were, the fullest first.
static unsigned by_fullness(const struct review *review, unsigned out[static SATURATION_RESOURCES_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < saturation_row_count; i++) {
        unsigned place = count;
        if (isnan(review->full[i].value)) {
            continue;
        }
        while (place > 0 && review->full[out[place - 1]].value < review->full[i].value) {
            out[place] = out[place - 1];
            place--;
        }
        out[place] = i;
        count++;
    }
    return count;
}

static void write_saturation(struct bytes *out, const struct review *review)
{
    unsigned order[SATURATION_RESOURCES_MAX];
    unsigned count = by_fullness(review, order);
    object_open(out, "full_first", '[');
    for (unsigned i = 0; i < count; i++) {
        const struct review_peak *peak = &review->full[order[i]];
        object_open(out, NULL, '{');
        object_cstr(out, "resource", saturation_rows[order[i]].resource);
        object_number(out, "peak", peak->value, 2);
        time_of(out, "peak_at", peak->minute);
        object_cstr(out, "relief", saturation_rows[order[i]].relief);
        object_cstr(out, "what", saturation_rows[order[i]].help);
        object_close(out, '}');
    }
    object_close(out, ']');
}

// ---- the weeks

static void write_weeks(struct bytes *out, const struct review *review)
{
    object_open(out, "weeks", '[');
    for (unsigned i = 0; i < REVIEW_WEEKS; i++) {
        if (isnan(review->week_checks[i])) {
            continue;
        }
        object_open(out, NULL, '{');
        object_u64(out, "ago", i);
        object_number(out, "checks_per_second", review->week_checks[i], 1);
        object_number(out, "logins_per_second", review->week_logins[i], 1);
        object_close(out, '}');
    }
    object_close(out, ']');
    object_open(out, "answers", '{');
    object_u64(out, "all", review->answered);
    object_u64(out, "refused", review->refused);
    object_u64(out, "failed", review->failed);
    object_close(out, '}');
    object_u64(out, "restarts", review->restarts);
}

static void write_statements(struct bytes *out, const struct top_statement *statements, unsigned count)
{
    object_open(out, "statements", '[');
    for (unsigned i = 0; i < count; i++) {
        object_open(out, NULL, '{');
        object_cstr(out, "operation", statements[i].operation);
        object_u64(out, "runs", statements[i].runs);
        object_number(out, "mean_ms", (double)statements[i].mean_ns / 1e6, 3);
        object_number(out, "wait_ms", (double)statements[i].wait_ns / 1e6, 3);
        object_number(out, "share", statements[i].share, 4);
        object_u64(out, "slow", statements[i].slow);
        object_close(out, '}');
    }
    object_close(out, ']');
    object_cstr(out, "plans", "stayctl check-db");
}

static void write_caches(struct bytes *out, const struct watched *watched)
{
    object_open(out, "caches", '[');
    for (unsigned i = 0; i < cache_row_count; i++) {
        struct cache_figures cache = cache_read(watched, &cache_rows[i]);
        double asked = (double)(cache.hits + cache.misses);
        object_open(out, NULL, '{');
        object_cstr(out, "cache", cache_rows[i].name);
        object_number(out, "hits", asked > 0 ? (double)cache.hits / asked : (double)NAN, 4);
        object_u64(out, "requests", cache.hits + cache.misses);
        object_u64(out, "entries", cache.entries);
        object_u64(out, "capacity", cache.capacity);
        object_bool(out, "small", cache_is_small(&cache, cache_rows[i].evictions != STATS_COUNTER_COUNT));
        object_close(out, '}');
    }
    object_close(out, ']');
}

// ---- what to change

static void advise(struct bytes *out, const char *text, const char *command)
{
    object_open(out, NULL, '{');
    object_cstr(out, "text", text);
    object_cstr(out, "command", command);
    object_close(out, '}');
}

static void advise_capacity(struct bytes *out, const struct review *review,
                            const struct review_capacity *capacity)
{
    char text[320];
    double logins = headroom(capacity->logins, &review->logins);
    double checks = headroom(capacity->checks, &review->checks);
    if (logins < HEADROOM_SMALL) {
        snprintf(
            text, sizeof(text),
            "The busiest minute had %.1f log-ins a second, of the %.1f that hashing bears: give stayd more "
            "processors, or share the load with another node. (A cheaper hash, password_time or "
            "password_memory, would weaken every password.)",
            review->logins.value, capacity->logins);
        advise(out, text, "stayctl top");
    }
    if (checks < HEADROOM_SMALL) {
        snprintf(
            text, sizeof(text),
            "The busiest minute had %.0f checks a second, of the %.0f that the fronts bear: give stayd more "
            "processors (fronts = auto follows them), or another node.",
            review->checks.value, capacity->checks);
        advise(out, text, NULL);
    }
    if (headroom(capacity->connections, &review->connections) < HEADROOM_SMALL) {
        advise(out,
               "Connections came near to connections_max: raise it, and see that the limit of descriptors "
               "allows it.",
               NULL);
    }
    if (headroom(capacity->sessions, &review->sessions) < HEADROOM_SMALL) {
        advise(out,
               "There are nearly as many sessions as fit: raise sessions_max where memory allows it, or let "
               "sessions end sooner (session_idle, session_max).",
               NULL);
    }
}

static void advise_resources(struct bytes *out, const struct review *review)
{
    static const struct {
        const char *relief, *text;
    } help[] = {{"node", "more processors, or another node, help"},
                {"database", "more nodes would not help: look at the database first"},
                {"memory", "more memory helps"},
                {"configuration", "a bound of the configuration was reached"}};
    for (unsigned i = 0; i < saturation_row_count; i++) {
        char text[320];
        const struct saturation_row *row = &saturation_rows[i];
        if (!(review->full[i].value >= FULL_OFTEN)) {
            continue;
        }
        for (size_t at = 0; at < sizeof(help) / sizeof(help[0]); at++) {
            if (strcmp(help[at].relief, row->relief) == 0) {
                snprintf(text, sizeof(text), "%s (%s) was %.0f %% full: %s.", row->resource, row->help,
                         review->full[i].value * 100, help[at].text);
                advise(out, text, strcmp(row->relief, "database") == 0 ? "stayctl check-db" : NULL);
            }
        }
    }
}

static void advise_database(struct bytes *out, const struct top_statement *statements, unsigned count,
                            const struct watched *watched)
{
    char text[320];
    for (unsigned i = 0; i < count; i++) {
        if (statements[i].runs >= RUNS_MIN && (double)statements[i].mean_ns / 1e6 > STATEMENT_SLOW) {
            snprintf(text, sizeof(text), "%s takes %.0f ms on average: does it find its rows by an index?",
                     statements[i].operation, (double)statements[i].mean_ns / 1e6);
            advise(out, text, "stayctl check-db");
        }
    }
    for (unsigned i = 0; i < cache_row_count; i++) {
        struct cache_figures cache = cache_read(watched, &cache_rows[i]);
        if (cache_is_small(&cache, cache_rows[i].evictions != STATS_COUNTER_COUNT)) {
            snprintf(text, sizeof(text), "The cache %s is far too small: %s.", cache_rows[i].name,
                     cache_rows[i].advice);
            advise(out, text, NULL);
        }
    }
}

static void advise_machine(struct bytes *out, const struct review *review, const struct watched *watched,
                           const struct watched_now *now)
{
    char text[320];
    double free = (double)watched_sum(watched, STATS_disk_free_bytes, STATS_ROLE_supervisor);
    double size = (double)watched_sum(watched, STATS_disk_size_bytes, STATS_ROLE_supervisor);
    double grown = review->disk_free_first - review->disk_free_last;
    double days = (double)(review->disk_last - review->disk_first) / 1440;
    uint64_t expiry_s = 0;
    for (unsigned i = 0; i < watched->pages; i++) {
        if (watched->page[i].role == STATS_ROLE_front && stats_page_fits(watched->page[i].page)) {
            uint64_t end = stats_read(watched->page[i].page, STATS_tls_certificate_expiry_s);
            expiry_s = expiry_s == 0 || (end != 0 && end < expiry_s) ? end : expiry_s;
        }
    }
    if (size > 0 && free < size * DISK_LOW) {
        snprintf(text, sizeof(text), "Only %.0f %% of the disk under data_dir are free.", free / size * 100);
        advise(out, text, NULL);
    } else if (days >= DAYS_KNOWN_MIN && grown > 0 && review->disk_free_last / (grown / days) < 90) {
        snprintf(text, sizeof(text),
                 "At the pace of the last weeks the disk under data_dir is full in %.0f days.",
                 review->disk_free_last / (grown / days));
        advise(out, text, NULL);
    }
    if (expiry_s != 0 && expiry_s < now->wall_ms / 1000 + CERTIFICATE_DAYS * 86400ull) {
        advise(out, "The certificate ends within three weeks: renew it, and reload.",
               "systemctl reload stayd");
    }
    if (review->restarts >= RESTARTS_FEW) {
        snprintf(text, sizeof(text), "Processes had to be started again %llu times: the records say why.",
                 (unsigned long long)review->restarts);
        advise(out, text, "stayctl incident list");
    }
    if (review->now - review->first < DAYS_KNOWN_MIN * 1440 || review->rows == 0) {
        advise(out, "There is less than a week of history: the busiest hour of a week may be missing in it.",
               NULL);
    }
}

void review_write_json(struct bytes *out, const struct review *review, const struct watched *watched,
                       const struct sums *sums, const struct watched_now *now)
{
    struct top_statement statements[REVIEW_STATEMENTS];
    struct review_capacity capacity = review_capacity(review, watched, sums);
    unsigned count = top_statements(sums, statements, REVIEW_STATEMENTS);
    object_open(out, NULL, '{');
    object_time(out, "at", now->wall_ms);
    object_cstr(out, "version", watched->version);
    time_of(out, "since", review->first);
    object_u64(out, "minutes", review->rows);
    write_capacity(out, review, &capacity);
    write_saturation(out, review);
    write_weeks(out, review);
    write_statements(out, statements, count);
    write_caches(out, watched);
    object_open(out, "advice", '[');
    advise_capacity(out, review, &capacity);
    advise_resources(out, review);
    advise_database(out, statements, count, watched);
    advise_machine(out, review, watched, now);
    object_close(out, ']');
    object_close(out, '}');
    bytes_append_byte(out, '\n');
}
