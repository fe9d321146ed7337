// SPDX-License-Identifier: ISC
// Page's test on robustly normalised series. Runs in stayd-watch.
// 1. What is usual is learned while nothing is wrong, once a second, from a minute that ends before the
// newest
//    second and a half; a series with few points is not judged.
// 2. S = max(0, S + z - k): drift within k leaves it at 0, a change lets it grow, and where it left 0 is when
// the
//    change began. The alarm needs S over h and the mean of the last moments beyond factor and rise.
#include "watch/changes.h"

#include "watch/bounds.h"

#include <math.h>
#include <stdlib.h>

const struct change_row change_rows[] = {
    {SIGNAL_login_ms, 3, 120},
    {SIGNAL_check_ms, 5, 25},
    {SIGNAL_change_ms, 3, 120},
    {SIGNAL_pool_wait_ms, 4, 25},
    {SIGNAL_hash_wait_ms, 3, 150},
    {SIGNAL_gate_wait_ms, 4, 60},
    {SIGNAL_statement_ms, 4, 20},
    {SIGNAL_sync_ms, 4, 15},
    {SIGNAL_probe_ms, 4, 15},
    {SIGNAL_hash_ms, 1.6, 12},
    {SIGNAL_processors_others, 1.4, 300},
    {SIGNAL_logins_arrived, 2, 15},
    {SIGNAL_lookups_arrived, 3, 40},
    {SIGNAL_changes_arrived, 3, 40},
    {SIGNAL_connections_made, 4, 80},
    {SIGNAL_guesses_refused, 3, 8},
    {SIGNAL_checks_arrived_all, 3, 200},
};
const unsigned change_row_count = sizeof(change_rows) / sizeof(change_rows[0]);
static_assert(sizeof(change_rows) / sizeof(change_rows[0]) <= CHANGES_MAX);

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

// Sorts the known ones to the front; returns how many.
static unsigned sort_known(float *point, unsigned points)
{
    unsigned known = 0;
    for (unsigned i = 0; i < points; i++) {
        if (!isnan(point[i])) {
            point[known++] = point[i];
        }
    }
    qsort(point, known, sizeof(*point), ascending);
    return known;
}

static void learn(struct change *change, const struct series *series, enum signal signal)
{
    static float point[CHANGE_BASELINE_MS / SERIES_SAMPLE_MS + 1];
    uint32_t span = series_span_ms(series);
    uint32_t from = span < CHANGE_BASELINE_MS ? span : CHANGE_BASELINE_MS;
    unsigned points = series_each(series, signal, (struct window){from, CHANGE_RECENT_MS}, point,
                                  sizeof(point) / sizeof(point[0]));
    unsigned known = sort_known(point, points);
    if (known < CHANGE_POINTS_MIN) {
        change->median = change->deviation = SERIES_UNKNOWN;
        return;
    }
    change->median = (double)point[known / 2];
    for (unsigned i = 0; i < known; i++) {
        point[i] = fabsf(point[i] - (float)change->median);
    }
    qsort(point, known, sizeof(*point), ascending);
    change->deviation = 1.4826 * (double)point[known / 2];
}

static double normalised(const struct change *change, const struct change_row *row, double value)
{
    double scale = fmax(change->deviation, fmax(change->median / 10, row->rise / 10));
    return fmin(CHANGE_CLAMP, fmax(-CHANGE_CLAMP, (value - change->median) / scale));
}

// Times are judged by several requests, so that one slow one is none.
static bool has_events(const struct series *series, enum signal signal, struct window window)
{
    bool level = signal_rows[signal].kind == SIGNAL_LEVEL;
    return level || series_total(series, signal, window) >= CHANGE_EVENTS_MIN;
}

static bool beyond(const struct change *change, const struct change_row *row, double value, double part)
{
    return value >= change->median + row->rise * part &&
           value >= change->median * (1 + (row->factor - 1) * part);
}

// What takes long comes less often: a disk that makes eight writes a second durable is seen, too. Several in
// a row must have been slow, which the larger sum says.
static bool is_confirmed(const struct change *change, const struct change_row *row,
                         const struct series *series)
{
    const struct window soon = {CHANGE_CONFIRM_MS, 0}, later = {CHANGE_SPARSE_MS, 0};
    if (change->sum <= CHANGE_ALARM) {
        return false;
    }
    bool sparse = !has_events(series, row->signal, soon);
    struct window window = sparse ? later : soon;
    return (!sparse || change->sum > CHANGE_ALARM * CHANGE_SPARSE_SUM) &&
           has_events(series, row->signal, window) &&
           beyond(change, row, series_value(series, row->signal, window), 1);
}

// What was raised lasts while the last second stays well above what is usual, or says nothing.
static void lower(struct change *change, const struct change_row *row, const struct series *series,
                  uint64_t now_ms)
{
    double value = series_value(series, row->signal, (struct window){1500, 0});
    bool adopted = now_ms - change->alarm_ms > CHANGE_ADOPT_MS;
    if (adopted || !(beyond(change, row, value, CHANGE_LASTS))) {
        change->alarm_ms = 0;
        change->sum = 0;
    }
}

static void look(struct change *change, const struct change_row *row, const struct series *series,
                 uint64_t now_ms)
{
    double value = series_value(series, row->signal, (struct window){SERIES_SAMPLE_MS, 0});
    if (change->alarm_ms != 0) {
        lower(change, row, series, now_ms);
        return;
    }
    if (isnan(value)) {
        return;
    }
    double sum = change->sum + normalised(change, row, value) - CHANGE_SLACK;
    if (change->sum <= 0) {
        change->since_ms = now_ms - SERIES_SAMPLE_MS;
    }
    change->sum = fmin(fmax(0, sum), 4 * CHANGE_ALARM);
    if (is_confirmed(change, row, series)) {
        change->alarm_ms = now_ms;
    }
}

void changes_look(struct changes *changes, const struct series *series, bool frozen)
{
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    bool due = now_ms - changes->learned_ms >= 1000;
    for (unsigned i = 0; i < change_row_count; i++) {
        struct change *change = &changes->change[i];
        bool adopt = change->alarm_ms != 0 && now_ms - change->alarm_ms > CHANGE_ADOPT_MS;
        bool still = change->alarm_ms != 0 || change->sum > CHANGE_ALARM / 2;
        if (due && ((!frozen && !still) || adopt || changes->learned_ms == 0)) {
            learn(change, series, change_rows[i].signal);
        }
        if (!isnan(change->median)) {
            look(change, &change_rows[i], series, now_ms);
        }
    }
    changes->learned_ms = due ? now_ms : changes->learned_ms;
}

const struct change *changes_find(const struct changes *changes, enum signal signal)
{
    for (unsigned i = 0; i < change_row_count; i++) {
        if (change_rows[i].signal == signal) {
            return &changes->change[i];
        }
    }
    return NULL;
}

bool change_raised(const struct changes *changes, enum signal signal)
{
    const struct change *change = changes_find(changes, signal);
    return change != NULL && change->alarm_ms != 0;
}
