// SPDX-License-Identifier: ISC
// Which cache is far too small: judged every few seconds from its figures, said in the log once an hour at
// most. Used by stayd-watch. Pure: the log is the caller's. Owns the figures of a window.
//
// Far too small: over a window of at least CACHES_REQUESTS_MIN requests it is full (CACHES_FULL_PERCENT of
// its room), fewer than CACHES_HITS_PERCENT of the requests were hits, and either it pushed out something of
// use for every CACHES_EVICTIONS_PER or so requests, or it is one that does not count that.
#ifndef WATCH_CACHES_H
#define WATCH_CACHES_H

#include "watch/watched.h"

enum {
    CACHES_MAX = 8,
    CACHES_LOOK_MS = 10000,
    CACHES_REQUESTS_MIN = 1000,
    CACHES_FULL_PERCENT = 90,
    CACHES_HITS_PERCENT = 50,
    CACHES_EVICTIONS_PER = 20,
    CACHES_QUIET_MS = 3600 * 1000,
};

struct cache_row {
    const char *name;
    enum stats_counter hits, misses, entries, capacity;
    enum stats_counter evictions; // STATS_COUNTER_COUNT: not counted
    const char *advice;
};

extern const struct cache_row cache_rows[];
extern const unsigned cache_row_count;

struct cache_figures {
    uint64_t hits, misses, evictions, entries, capacity;
};

struct caches {
    struct cache_figures since[CACHES_MAX]; // at the beginning of the window
    uint64_t said_ms[CACHES_MAX];
    bool begun;
};

// What all processes have counted of one.
struct cache_figures cache_read(const struct watched *watched, const struct cache_row *row);
// One cache over one window.
[[nodiscard]] bool cache_is_small(const struct cache_figures *window, bool counts_evictions);
// Looks at all; `say` is told of each that is to be named now.
void caches_look(struct caches *caches, const struct watched *watched, uint64_t now_ms,
                 void (*say)(const struct cache_row *row, const struct cache_figures *window));
// In the log.
void caches_say(const struct cache_row *row, const struct cache_figures *window);

#endif
