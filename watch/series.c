// SPDX-License-Identifier: ISC
// Questions to the last two minutes. Runs in stayd-watch.
// 1. A window begins with the newest sample that is old enough, so that it is at least as long as asked for
//    while there is history; rates divide by the real time between the two samples.
// 2. Nothing known is NAN, never 0.
#include "watch/series.h"

#include "watch/series_ring.h"

#include <math.h>
#include <stdlib.h>

// A counter, a histogram, or a class and a way of answering: by the kind of signal.
#define ROW_RATE(name)     STATS_##name
#define ROW_LEVEL(name)    STATS_##name
#define ROW_CROWD(name)    STATS_##name
#define ROW_FULL(name)     STATS_##name
#define ROW_SHARE(name)    STATS_##name
#define ROW_PER(name)      STATS_##name
#define ROW_PER_MS(name)   STATS_##name
#define ROW_BUSY(name)     STATS_##name
#define ROW_MEAN(name)     STATS_TIME_##name
#define ROW_P50(name)      STATS_TIME_##name
#define ROW_P99(name)      STATS_TIME_##name
#define ROW_OVER_1S(name)  STATS_TIME_##name
#define ROW_REQUESTS(name) (unsigned)name

const struct signal_row signal_rows[SIGNAL_COUNT] = {
#define SIGNAL(id, unit, kind, a, b, role, text)                                                             \
    [SIGNAL_##id] = {#id,                                                                                    \
                     unit,                                                                                   \
                     text,                                                                                   \
                     SIGNAL_##kind,                                                                          \
                     (uint16_t)ROW_##kind(a),                                                                \
                     (uint16_t)ROW_##kind(b),                                                                \
                     STATS_ROLE_##role},
#include "watch/signals.def"
#undef SIGNAL
};

struct series *series_new(void)
{
    return calloc(1, sizeof(struct series));
}

void series_free(struct series **series)
{
    free(*series);
    *series = NULL;
}

struct watched_now series_now(const struct series *series)
{
    if (series->count == 0) {
        return (struct watched_now){0};
    }
    const struct series_sample *newest = series_back(series, 0);
    return (struct watched_now){.mono_ns = newest->mono_ms * 1000000u, .wall_ms = newest->wall_ms};
}

uint32_t series_span_ms(const struct series *series)
{
    return series->count == 0 ? 0
                              : (uint32_t)(series_back(series, 0)->mono_ms -
                                           series_back(series, series->count - 1)->mono_ms);
}

uint32_t series_gap_ms_ago(const struct series *series)
{
    return series->gap_ms == 0 ? UINT32_MAX : (uint32_t)(series_back(series, 0)->mono_ms - series->gap_ms);
}

// How many samples back the newest one is that is at least `ms_ago` old; the oldest one at most.
static unsigned steps_back(const struct series *series, uint32_t ms_ago)
{
    uint64_t newest = series_back(series, 0)->mono_ms;
    unsigned low = 0, high = series->count - 1; // the answer is in low..high
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (newest - series_back(series, middle)->mono_ms >= ms_ago) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

struct pair {
    const struct series_sample *from, *to;
    unsigned from_back, to_back;
    double seconds;
};

// The two ends of a window; false when it holds less than two samples.
static bool ends(const struct series *series, struct window window, struct pair *pair)
{
    if (series->count < 2 || window.from_ms_ago <= window.to_ms_ago) {
        return false;
    }
    pair->from_back = steps_back(series, window.from_ms_ago);
    pair->to_back = steps_back(series, window.to_ms_ago);
    pair->from = series_back(series, pair->from_back);
    pair->to = series_back(series, pair->to_back);
    pair->seconds = (double)(pair->to->mono_ms - pair->from->mono_ms) / 1000;
    return pair->from_back > pair->to_back;
}

double series_clock_step_ms(const struct series *series, struct window window)
{
    struct pair pair;
    double largest = 0;
    if (!ends(series, window, &pair)) {
        return 0;
    }
    for (unsigned back = pair.from_back; back > pair.to_back; back--) {
        const struct series_sample *before = series_back(series, back);
        const struct series_sample *after = series_back(series, back - 1);
        double wall = (double)after->wall_ms - (double)before->wall_ms;
        double step = wall - (double)(after->mono_ms - before->mono_ms);
        largest = fabs(step) > fabs(largest) ? step : largest;
    }
    return largest;
}

// ---- one signal ------------------------------------------------------------------------------------------

static double divide(double a, double b)
{
    return b == 0 ? SERIES_UNKNOWN : a / b;
}

// Levels: each sample stands for the time since the one before.
static double mean_level(const struct series *series, const struct pair *pair, enum signal signal)
{
    bool full = signal_rows[signal].kind == SIGNAL_FULL;
    double sum = 0, time = 0;
    for (unsigned back = pair->from_back; back > pair->to_back; back--) {
        const struct series_sample *sample = series_back(series, back - 1);
        const struct series_cell *cell = &sample->cell[signal];
        double lasted = (double)(sample->mono_ms - series_back(series, back)->mono_ms);
        double value = full ? divide((double)cell->a, (double)cell->b) : (double)cell->a;
        if (!isnan(value)) {
            sum += value * lasted;
            time += lasted;
        }
    }
    return divide(sum, time);
}

static double quantile_ms(const struct pair *pair, unsigned histogram, double quantile)
{
    const uint32_t *from = pair->from->coarse[histogram], *to = pair->to->coarse[histogram];
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < SERIES_HISTOGRAM_BUCKETS; i++) {
        all += to[i] - from[i];
    }
    for (unsigned i = 0; i < SERIES_HISTOGRAM_BUCKETS && all > 0; i++) {
        seen += to[i] - from[i];
        if ((double)seen >= quantile * (double)all) {
            return series_bucket_ms(i);
        }
    }
    return SERIES_UNKNOWN;
}

static double value_of(const struct series *series, enum signal signal, const struct pair *pair)
{
    const struct signal_row *row = &signal_rows[signal];
    const struct series_cell *from = &pair->from->cell[signal], *to = &pair->to->cell[signal];
    double a = (double)series_increase(from->a, to->a), b = (double)series_increase(from->b, to->b);
    switch (row->kind) {
    case SIGNAL_LEVEL:
    case SIGNAL_CROWD:
    case SIGNAL_FULL:
        return mean_level(series, pair, signal);
    case SIGNAL_SHARE:
        return divide(a, a + b);
    case SIGNAL_PER:
        return divide(a, b);
    case SIGNAL_PER_MS:
        return divide(a / 1000, b);
    case SIGNAL_BUSY:
        return divide(a / 1e6, pair->seconds);
    case SIGNAL_MEAN:
        return divide(a / 1e6, b);
    case SIGNAL_P50:
        return quantile_ms(pair, row->a, 0.50);
    case SIGNAL_P99:
        return quantile_ms(pair, row->a, 0.99);
    case SIGNAL_RATE:
    case SIGNAL_OVER_1S:
    case SIGNAL_REQUESTS:
    default:
        return divide(a, pair->seconds);
    }
}

double series_value(const struct series *series, enum signal signal, struct window window)
{
    struct pair pair;
    return ends(series, window, &pair) ? value_of(series, signal, &pair) : SERIES_UNKNOWN;
}

double series_total(const struct series *series, enum signal signal, struct window window)
{
    struct pair pair;
    if (!ends(series, window, &pair)) {
        return 0;
    }
    const struct series_cell *from = &pair.from->cell[signal], *to = &pair.to->cell[signal];
    enum signal_kind kind = signal_rows[signal].kind;
    bool counted_in_b = kind == SIGNAL_MEAN || kind == SIGNAL_P50 || kind == SIGNAL_P99 ||
                        kind == SIGNAL_PER || kind == SIGNAL_PER_MS;
    return counted_in_b ? (double)series_increase(from->b, to->b) : (double)series_increase(from->a, to->a);
}

unsigned series_points(const struct series *series, enum signal signal, struct window window,
                       uint32_t step_ms, float *out, unsigned out_max)
{
    unsigned points = 0;
    for (uint32_t from = window.from_ms_ago;
         step_ms > 0 && from >= window.to_ms_ago + step_ms && points < out_max; from -= step_ms) {
        out[points++] = (float)series_value(series, signal, (struct window){from, from - step_ms});
    }
    return points;
}

unsigned series_each(const struct series *series, enum signal signal, struct window window, float *out,
                     unsigned out_max)
{
    struct pair whole;
    unsigned points = 0;
    if (!ends(series, window, &whole)) {
        return 0;
    }
    for (unsigned back = whole.from_back; back > whole.to_back && points < out_max; back--) {
        struct pair pair = {.from = series_back(series, back),
                            .to = series_back(series, back - 1),
                            .from_back = back,
                            .to_back = back - 1};
        pair.seconds = (double)(pair.to->mono_ms - pair.from->mono_ms) / 1000;
        out[points++] = (float)value_of(series, signal, &pair);
    }
    return points;
}

// ---- operations and stages -------------------------------------------------------------------------------

struct series_operation series_operation(const struct series *series, unsigned operation,
                                         struct window window)
{
    struct series_operation answer = {
        .rate = SERIES_UNKNOWN, .hold_ms = SERIES_UNKNOWN, .wait_ms = SERIES_UNKNOWN, .slow = SERIES_UNKNOWN};
    struct pair pair;
    if (!ends(series, window, &pair)) {
        return answer;
    }
    const struct series_statement *from = &pair.from->statement[operation];
    const struct series_statement *to = &pair.to->statement[operation];
    double count = (double)series_increase(from->count, to->count);
    answer.rate = divide(count, pair.seconds);
    answer.hold_ms = divide((double)series_increase(from->hold_us, to->hold_us) / 1000, count);
    answer.wait_ms = divide((double)series_increase(from->wait_us, to->wait_us) / 1000, count);
    answer.slow = divide((double)series_increase(from->slow, to->slow), pair.seconds);
    return answer;
}

const char *series_operation_name(unsigned operation)
{
    static const char prefix[] = "statement_";
    return stats_counter_row((enum stats_counter)(STATS_statement_account_by_name + operation))->id +
           sizeof(prefix) - 1;
}

double series_stage_ms(const struct series *series, enum stats_histogram stage, struct window window)
{
    struct pair pair;
    if (!ends(series, window, &pair)) {
        return SERIES_UNKNOWN;
    }
    const struct series_times *from = &pair.from->stage[stage], *to = &pair.to->stage[stage];
    return divide((double)series_increase(from->sum_ns, to->sum_ns) / 1e6,
                  (double)series_increase(from->count, to->count));
}

// ---- processes -------------------------------------------------------------------------------------------

unsigned series_processes(const struct series *series)
{
    return series->slots;
}

// Neither the supervisor nor watch itself answers heartbeats that watch could see go missing.
static bool answers_heartbeats(enum stats_role role)
{
    return role != STATS_ROLE_supervisor && role != STATS_ROLE_watch;
}

struct series_process series_process(const struct series *series, unsigned process)
{
    const struct series_slot *slot = &series->slot[process];
    double now_ms = (double)series_back(series, 0)->mono_ms;
    bool beats = slot->heartbeat_ms != 0 && answers_heartbeats(slot->role);
    double uptime_s = slot->started_ns == 0 ? 0 : now_ms / 1000 - (double)slot->started_ns / 1e9;
    return (struct series_process){
        .role = slot->role,
        .index = slot->index,
        .heartbeat_age_ms = beats ? fmax(0, now_ms - (double)slot->heartbeat_ms) : SERIES_UNKNOWN,
        .uptime_s = fmax(0, uptime_s),
        .memory_bytes = slot->resource[SERIES_MEMORY],
        .descriptors = slot->resource[SERIES_DESCRIPTORS],
        .descriptors_max = slot->descriptors_max,
    };
}

// The line of least squares.
struct line {
    double n, sx, sy, sxx, sxy;
};

static void line_add(struct line *line, double x, double y)
{
    line->n++, line->sx += x, line->sy += y, line->sxx += x * x, line->sxy += x * y;
}

// 0: too few points.
static double line_slope(const struct line *line)
{
    double spread = line->n * line->sxx - line->sx * line->sx;
    return line->n >= 3 && spread > 0 ? (line->n * line->sxy - line->sx * line->sy) / spread : 0;
}

enum { RISE_MS = 300 };

double series_rise(const struct series *series, enum signal signal, uint32_t seconds)
{
    struct line line = {0};
    for (uint32_t back = seconds; back-- > 0;) {
        double y = series_value(series, signal, (struct window){back * 1000 + RISE_MS, back * 1000});
        line_add(&line, -(double)back, isnan(y) ? 0 : y);
    }
    return line_slope(&line) * (line.n - 1);
}

struct series_growth series_growth(const struct series *series, unsigned process,
                                   enum series_resource resource, uint32_t seconds)
{
    struct series_growth growth = {0};
    const float *point = series->slot[process].second[resource];
    uint64_t newest = series->count == 0 ? 0 : series_back(series, 0)->mono_ms / 1000;
    struct line line = {0};
    double before = 0, rises = 0;
    for (uint32_t back = seconds < SERIES_SECONDS ? seconds : SERIES_SECONDS - 1; back-- > 0;) {
        double x = -(double)back, y = newest < back ? 0 : (double)point[(newest - back) % SERIES_SECONDS];
        if (y > 0) {
            rises += line.n > 0 && y > before;
            before = y;
            line_add(&line, x, y);
        }
    }
    if (line.n >= 3) {
        growth.per_s = line_slope(&line);
        growth.last = (line.sy - growth.per_s * line.sx) / line.n;
        growth.first = growth.last - growth.per_s * (line.n - 1);
        growth.rising = rises / (line.n - 1);
        growth.points = (unsigned)line.n;
    }
    return growth;
}

// ---- the objective ---------------------------------------------------------------------------------------

struct series_burn series_burn(const struct series *series, uint32_t seconds)
{
    struct series_burn sum = {0};
    uint64_t newest = series->count == 0 ? 0 : series_back(series, 0)->mono_ms / (SERIES_BURN_S * 1000);
    for (uint32_t back = 0; back < seconds / SERIES_BURN_S && back < SERIES_BURNS && back <= newest; back++) {
        const struct series_bucket *bucket = &series->burn[(newest - back) % SERIES_BURNS];
        if (bucket->at == newest - back) {
            sum.good += bucket->good;
            sum.bad += bucket->bad;
        }
    }
    return sum;
}
