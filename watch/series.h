// SPDX-License-Identifier: ISC
// The last two minutes of every process's figures, ten times a second, and what can be asked of them: rates,
// levels, means and quantiles over a window, by signal, by database operation and by process. Used by
// stayd-watch. Owns rings of raw cumulative values, a few MiB in one piece. Bounds: SERIES_SAMPLES samples,
// SERIES_PROCESSES_MAX processes. Time is an argument; only the mapped pages are read.
//
// A sample has the moment it was taken at, so that a late tick or a suspended machine makes a gap and not a
// wrong rate. A counter that went back (a page was made anew) counts as it stands.
#ifndef WATCH_SERIES_H
#define WATCH_SERIES_H

#include "watch/watched.h"

enum {
    SERIES_SAMPLES = 1210,
    SERIES_SAMPLE_MS = 100,
    SERIES_LATE_MS = 1000,     // a longer gap between two samples is a suspension
    SERIES_OPERATIONS = 21,    // STATS_PER_OPERATION
    SERIES_PROCESSES_MAX = 96, // WATCHED_PAGES_MAX
    SERIES_SECONDS = 1800,     // of the slow ring: one value a second
    SERIES_BURN_S = 10,        // one bucket of the objective's ring
    SERIES_BURNS = 6 * 3600 / SERIES_BURN_S,
    SERIES_HISTOGRAM_BUCKETS = 112, // four an octave, from 1 µs to 268 s
};

// The window between two moments, counted back from the newest sample: {2000, 0} is the last two seconds.
struct window {
    uint32_t from_ms_ago, to_ms_ago;
};

// How a signal is made of counters; watch/signals.def.
enum signal_kind {
    SIGNAL_RATE,     // a per second
    SIGNAL_LEVEL,    // gauge a, summed over processes: mean over the window
    SIGNAL_CROWD,    // of all fronts' requests, thousandths from the busiest sources: mean over the window
    SIGNAL_FULL,     // gauge a / gauge b
    SIGNAL_SHARE,    // a / (a + b)
    SIGNAL_PER,      // a for each b
    SIGNAL_PER_MS,   // a µs for each b, in ms
    SIGNAL_BUSY,     // a µs in a second, as a number of processors or workers
    SIGNAL_MEAN,     // of histogram a, in ms
    SIGNAL_P50,      // of histogram a, in ms
    SIGNAL_P99,      // of histogram a, in ms
    SIGNAL_OVER_1S,  // values of histogram a over a second, per second
    SIGNAL_REQUESTS, // of a class or group, by how they were answered, per second
};

enum requests_group {                    // of classes; STATS_CLASS_* otherwise
    REQUESTS_change = STATS_CLASS_COUNT, // whatever core decides, but log-ins
    REQUESTS_counted,                    // all that people wait for
};
enum requests_how {
    REQUESTS_ARRIVED,  // all
    REQUESTS_ANSWERED, // served or refused by a verdict
    REQUESTS_WAIT,     // 429
    REQUESTS_REFUSED,  // 503
    REQUESTS_FAILED,   // another 5xx
};

enum signal {
#define SIGNAL(id, unit, kind, a, b, role, text) SIGNAL_##id,
#include "watch/signals.def"
#undef SIGNAL
    SIGNAL_COUNT
};

struct signal_row {
    const char *id, *unit, *text;
    enum signal_kind kind;
    uint16_t a, b;        // counters, histograms, or class and how
    enum stats_role role; // whose pages; STATS_ROLE_COUNT: everyone's
};
extern const struct signal_row signal_rows[SIGNAL_COUNT];

// What is not known: a quiet NAN, as a double.
#define SERIES_UNKNOWN __builtin_nan("")

struct series; // large

// NULL without memory.
[[nodiscard]] struct series *series_new(void);
void series_free(struct series **series);
// Every SERIES_SAMPLE_MS, or when the timer comes.
void series_take(struct series *series, const struct watched *watched, struct watched_now now);

// The moment of the newest sample (all 0 before the first), and how far back they go.
struct watched_now series_now(const struct series *series);
uint32_t series_span_ms(const struct series *series);
// When the last gap longer than SERIES_LATE_MS ended, in ms ago; UINT32_MAX: none is remembered.
uint32_t series_gap_ms_ago(const struct series *series);
// The largest step of the wall clock against the monotonic one within the window, in ms, signed.
double series_clock_step_ms(const struct series *series, struct window window);

// NAN when unknown: nothing was sampled in the window, or there was nothing to divide by.
double series_value(const struct series *series, enum signal signal, struct window window);
// The rows' increase itself; 0 when unknown. For MEAN and the like: how many there were.
double series_total(const struct series *series, enum signal signal, struct window window);
// One value for each `step_ms` of the window, oldest first; returns how many.
unsigned series_points(const struct series *series, enum signal signal, struct window window,
                       uint32_t step_ms, float *out, unsigned out_max);

// The same between each sample and the next, without looking for moments: quick over a long window.
unsigned series_each(const struct series *series, enum signal signal, struct window window, float *out,
                     unsigned out_max);

// A database operation: STATS_statement_account_by_name + operation.
struct series_operation {
    double rate;             // a second
    double hold_ms, wait_ms; // each; NAN without any
    double slow;             // a second
};
struct series_operation series_operation(const struct series *series, unsigned operation,
                                         struct window window);
const char *series_operation_name(unsigned operation);

// A stage of the changes that fronts answered, by STATS_TIME_stage_*: ms for each change.
double series_stage_ms(const struct series *series, enum stats_histogram stage, struct window window);

// A process as it is now.
struct series_process {
    enum stats_role role;
    uint16_t index;
    double heartbeat_age_ms; // NAN for those who answer none
    double uptime_s;
    double memory_bytes, descriptors, descriptors_max; // NAN when not known
};
unsigned series_processes(const struct series *series);
struct series_process series_process(const struct series *series, unsigned process);
// Growth over the last `seconds` (to 1800), by the line through the points, and the share of steps that rose.
struct series_growth {
    double first, last; // as the line has it
    double per_s;
    double rising;   // 0 to 1
    unsigned points; // 0: not known
};
// The same of a gauge: by how much its line rose within so many seconds. What was not known then was nothing.
double series_rise(const struct series *series, enum signal signal, uint32_t seconds);
enum series_resource { SERIES_MEMORY, SERIES_DESCRIPTORS };
struct series_growth series_growth(const struct series *series, unsigned process,
                                   enum series_resource resource, uint32_t seconds);

// Requests that kept the objective and that broke it (failed, refused, or over a second), in the last
// seconds.
struct series_burn {
    double good, bad;
};
struct series_burn series_burn(const struct series *series, uint32_t seconds);

#endif
