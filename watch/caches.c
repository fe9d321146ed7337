// SPDX-License-Identifier: ISC
// The rule for caches that are far too small. Runs in stayd-watch.
#include "watch/caches.h"

#include "base/log.h"

#define ROW(name, evictions, advice)                                                                         \
    {                                                                                                        \
#name, STATS_cache_##name##_hits, STATS_cache_##name##_misses, STATS_cache_##name##_entries,         \
            STATS_cache_##name##_capacity, evictions, advice                                                 \
    }

const struct cache_row cache_rows[] = {
    ROW(sessions, STATS_COUNTER_COUNT,
        "there are more sessions than fit into the table: raise sessions_max, or let sessions end sooner"),
    ROW(unknown_tokens, STATS_cache_unknown_tokens_evictions,
        "more tokens that are not ours come in than are remembered: who sends them? A proxy may limit it"),
    ROW(sources, STATS_cache_sources_evictions,
        "more addresses are connected than are counted: their limits hold less well; is trusted_proxies "
        "right?"),
    ROW(throttles, STATS_cache_throttles_evictions,
        "passwords are being guessed under more names and from more addresses than are remembered: delays "
        "are "
        "forgotten early; a proxy may limit it"),
    ROW(statements, STATS_COUNTER_COUNT,
        "statements are prepared again and again: connections to the database do not last"),
    ROW(pages, STATS_COUNTER_COUNT,
        "the database reads most pages from the kernel: it is large for SQLite, think of PostgreSQL"),
};

const unsigned cache_row_count = sizeof(cache_rows) / sizeof(cache_rows[0]);
static_assert(sizeof(cache_rows) / sizeof(cache_rows[0]) <= CACHES_MAX);

bool cache_is_small(const struct cache_figures *window, bool counts_evictions)
{
    uint64_t requests = window->hits + window->misses;
    if (requests < CACHES_REQUESTS_MIN || window->capacity == 0) {
        return false;
    }
    bool full = window->entries * 100 >= window->capacity * CACHES_FULL_PERCENT;
    bool missed = window->hits * 100 < requests * CACHES_HITS_PERCENT;
    bool pushed = !counts_evictions || window->evictions * CACHES_EVICTIONS_PER >= requests;
    return full && missed && pushed;
}

struct cache_figures cache_read(const struct watched *watched, const struct cache_row *row)
{
    const enum stats_role all = STATS_ROLE_COUNT;
    bool evicts = row->evictions != STATS_COUNTER_COUNT;
    return (struct cache_figures){.hits = watched_sum(watched, row->hits, all),
                                  .misses = watched_sum(watched, row->misses, all),
                                  .evictions = evicts ? watched_sum(watched, row->evictions, all) : 0,
                                  .entries = watched_sum(watched, row->entries, all),
                                  .capacity = watched_sum(watched, row->capacity, all)};
}

// A process that was started again may count from zero.
static uint64_t since(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

void caches_look(struct caches *caches, const struct watched *watched, uint64_t now_ms,
                 void (*say)(const struct cache_row *row, const struct cache_figures *window))
{
    for (unsigned i = 0; i < cache_row_count; i++) {
        struct cache_figures now = cache_read(watched, &cache_rows[i]);
        struct cache_figures *before = &caches->since[i];
        struct cache_figures window = {.hits = since(now.hits, before->hits),
                                       .misses = since(now.misses, before->misses),
                                       .evictions = since(now.evictions, before->evictions),
                                       .entries = now.entries,
                                       .capacity = now.capacity};
        bool due = caches->said_ms[i] == 0 || now_ms - caches->said_ms[i] >= CACHES_QUIET_MS;
        bool small = caches->begun && cache_is_small(&window, cache_rows[i].evictions != STATS_COUNTER_COUNT);
        if (!caches->begun || window.hits + window.misses >= CACHES_REQUESTS_MIN) {
            *before = now; // else the window grows
        }
        if (small && due) {
            caches->said_ms[i] = now_ms;
            say(&cache_rows[i], &window);
        }
    }
    caches->begun = true;
}

void caches_say(const struct cache_row *row, const struct cache_figures *window)
{
    struct log_line line;
    log_begin(&line, LOG_WARNING, "cache_small");
    log_text(&line, "cache", row->name);
    log_u64(&line, "hits", window->hits);
    log_u64(&line, "misses", window->misses);
    log_u64(&line, "entries", window->entries);
    log_u64(&line, "capacity", window->capacity);
    log_text(&line, "message", row->advice);
    log_end(&line);
}
