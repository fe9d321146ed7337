// SPDX-License-Identifier: ISC
// What watch looks at: every process's stats page and the shared tables, all mapped read-only. Used by
// stayd-watch. Owns the mappings. Bounds: WATCHED_PAGES_MAX pages. Nothing in a mapping is trusted: a page
// that was written by another format is passed over.
#ifndef WATCH_WATCHED_H
#define WATCH_WATCHED_H

#include "base/stats.h"
#include "sessions/read.h"
#include "wire/messages.h"

enum {
    WATCHED_PAGES_MAX = 96,
    WATCHED_FRESH_MS = 1500, // heartbeats come every 250 ms
};

struct watched_page {
    enum stats_role role;
    uint16_t index;
    const struct stats_page *page;
};

struct watched_table {
    const void *map;
    uint64_t size;
};

struct watched {
    struct watched_page page[WATCHED_PAGES_MAX]; // by role, then index
    unsigned pages;
    struct watched_table sessions, accounts;
    struct sessions_reader reader;
    bool has_tables;
    char version[65];
    uint16_t fronts; // as configured
};

// The moment of an answer.
struct watched_now {
    uint64_t mono_ns;
    uint64_t wall_ms;
};
struct watched_now watched_now(void);

void watched_init(struct watched *watched);
void watched_release(struct watched *watched);

// Maps what a `memory` message brought: another process's page (replacing an older one) or a table. Takes
// over fd. False when it can't be mapped, or when it is nothing watch knows.
[[nodiscard]] bool watched_map(struct watched *watched, const struct wire_memory *memory, int fd);
// A page that stays the caller's, e.g. this process's own.
void watched_add(struct watched *watched, enum stats_role role, uint16_t index,
                 const struct stats_page *page);

enum watched_state {
    WATCHED_ABSENT,   // never started
    WATCHED_STARTING, // started, no heartbeat yet
    WATCHED_UP,
    WATCHED_SILENT, // its heartbeat is overdue: dead or hung, and about to be started again
};
enum watched_state watched_state(const struct watched_page *page, const struct watched_now *now);
const char *watched_state_text(enum watched_state state);
// Seconds since the process was started; 0 when it wasn't.
double watched_uptime_s(const struct watched_page *page, const struct watched_now *now);

unsigned watched_up(const struct watched *watched, enum stats_role role, const struct watched_now *now);
// Over all processes of a role; STATS_ROLE_COUNT: over all.
uint64_t watched_sum(const struct watched *watched, enum stats_counter counter, enum stats_role role);
// A class of requests (enum stats_class) that changes something, log-ins apart.
[[nodiscard]] bool watched_is_change(unsigned class);
// stayd serves: core and at least one front are up.
[[nodiscard]] bool watched_ready(const struct watched *watched, const struct watched_now *now);

#endif
