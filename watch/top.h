// SPDX-License-Identifier: ISC
// What goes on now: rates, times, stages, what is how full, processes, and two minutes of history. Used by
// stayd-watch for /top.json and the live page. Owns samples of the last seconds, about half a megabyte.
// Bounds: TOP_POINTS points of TOP_STEP_S; what is shown as "now" is the mean of the last TOP_WINDOW_S.
#ifndef WATCH_TOP_H
#define WATCH_TOP_H

#include "watch/saturation.h"
#include "watch/sums.h"

enum { TOP_STEP_S = 1, TOP_WINDOW_S = 5, TOP_POINTS = 120, TOP_STAGES_MAX = 16, TOP_STATEMENTS_MAX = 6 };

// History: identifier, unit ("" is a count a second), decimals.
#define TOP_SERIES_LIST(X)                                                                                   \
    X(checks, "", 1)                                                                                         \
    X(logins, "", 1)                                                                                         \
    X(changes, "", 1)                                                                                        \
    X(others, "", 1)                                                                                         \
    X(refused, "", 1)                                                                                        \
    X(failed, "", 1)                                                                                         \
    X(check_p99_ms, "ms", 3)                                                                                 \
    X(login_p99_ms, "ms", 3)                                                                                 \
    X(change_p99_ms, "ms", 3)                                                                                \
    X(processors, "share", 3)                                                                                \
    X(hash, "share", 3)                                                                                      \
    X(database, "share", 3)                                                                                  \
    X(sessions, "sessions", 0)
enum top_series {
#define X(id, unit, decimals) TOP_SERIES_##id,
    TOP_SERIES_LIST(X)
#undef X
        TOP_SERIES
};

struct top_sample {
    struct sums sums;
    struct {
        enum stats_role role;
        uint16_t index;
        uint64_t processor_us;
    } process[WATCHED_PAGES_MAX];
    unsigned processes;
};

struct top {
    struct top_sample ring[TOP_WINDOW_S + 1];
    unsigned taken;
    float point[TOP_POINTS][TOP_SERIES]; // NAN: not known
    struct sums second;                  // what happened in the last one
    struct sums window;                  // in the last TOP_WINDOW_S
};

struct top_stage {
    const char *name;
    uint64_t mean_ns;
    double share; // of the time of all changes and log-ins
};

struct top_process {
    const char *name;
    uint16_t index;
    enum watched_state state;
    uint32_t pid;
    uint64_t memory;  // bytes
    double processor; // 1: one processor; NAN: not known yet
    double uptime_s;
    uint64_t restarts; // since the whole was started
};

struct top_statement {
    const char *operation;
    uint64_t runs, slow; // slow: far slower than when all is well
    double per_second;
    uint64_t mean_ns, wait_ns; // on a connection, and until it had one
    double share;              // of the time of all statements
};

void top_init(struct top *top);
// To be called every TOP_STEP_S.
void top_take(struct top *top, const struct watched *watched, const struct watched_now *now);

// What happened within the last TOP_WINDOW_S; false before there are two samples.
[[nodiscard]] bool top_known(const struct top *top);
// The newest sums; top_take came before.
const struct sums *top_sums(const struct top *top);
// Points of history there are, and one of them, 0 being the oldest.
unsigned top_points(const struct top *top);
double top_point(const struct top *top, enum top_series series, unsigned at);
const char *top_series_name(enum top_series series);
// The stages with their share, in the order in which a request passes them; returns how many.
unsigned top_stages(const struct top *top, struct top_stage out[static TOP_STAGES_MAX]);
struct top_process top_process(const struct top *top, const struct watched *watched, unsigned page,
                               const struct watched_now *now);
// Those that take most of the database's time, the most first; returns how many.
unsigned top_statements(const struct sums *between, struct top_statement *out, unsigned most);

// One JSON object. `verdict`: JSON, or empty while there is none.
void top_write_json(struct bytes *out, const struct top *top, const struct watched *watched,
                    const struct saturation *saturation, struct view verdict, const struct watched_now *now);

#endif
