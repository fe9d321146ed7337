// SPDX-License-Identifier: ISC
// Weeks added up, and capacity from what was measured. Runs in stayd-watch.
// - Log-ins: workers, divided by the mean time of a hash as the workers measured it.
// - Checks: processors that fronts can use, divided by the processor time of a check: that of the fronts in
//   minutes of at least COST_CHECKS_MIN checks that did little else. All that a front does counts into it, so
//   the figure is rather too small than too large.
// - Sessions: sessions_max, or what free memory holds at the size that they have here.
#include "watch/review.h"

#include <math.h>

enum { COST_CHECKS_MIN = 3000, HASHES_MIN = 5, SESSIONS_MIN = 1000 };
#define COST_SHARE       0.9
#define SESSION_BYTES    100.0 // an entry at the table's usual fill; before enough sessions tell
#define WEEK_MINUTES     10080u
#define MEMORY_LEFT_OVER 0.1 // of the limit, for all else

static const struct review_peak no_peak = {.value = (double)NAN};

void review_begin(struct review *review, uint64_t minute)
{
    *review = (struct review){.now = minute,
                              .checks = no_peak,
                              .logins = no_peak,
                              .changes = no_peak,
                              .sessions = no_peak,
                              .connections = no_peak,
                              .journal = no_peak,
                              .disk_free_first = (double)NAN,
                              .disk_free_last = (double)NAN};
    for (unsigned i = 0; i < SATURATION_RESOURCES_MAX; i++) {
        review->full[i] = no_peak;
    }
    for (unsigned i = 0; i < REVIEW_WEEKS; i++) {
        review->week_checks[i] = review->week_logins[i] = (double)NAN;
    }
}

static void peak(struct review_peak *peak, double value, uint64_t minute)
{
    if (!(peak->value >= value)) {
        *peak = (struct review_peak){value, minute};
    }
}

static void most(double *value, double here)
{
    *value = *value >= here ? *value : here;
}

static void add_cost(struct review *review, const uint32_t *field)
{
    double all = (double)field[HISTORY_checks] + field[HISTORY_logins] + field[HISTORY_changes] +
                 field[HISTORY_others];
    if (field[HISTORY_checks] >= COST_CHECKS_MIN && field[HISTORY_checks] >= COST_SHARE * all) {
        review->cost_checks += field[HISTORY_checks];
        review->cost_ms += field[HISTORY_front_processor_ms];
    }
}

static void add_disk(struct review *review, const struct history_row *row)
{
    double free_mib = row->field[HISTORY_disk_free_mib];
    if (row->field[HISTORY_disk_free_mib] == 0 || row->field[HISTORY_disk_free_mib] == UINT32_MAX) {
        return; // not known
    }
    if (review->disk_first == 0) {
        review->disk_first = row->minute;
        review->disk_free_first = free_mib;
    }
    review->disk_last = row->minute;
    review->disk_free_last = free_mib;
}

void review_add(void *context, const struct history_row *row)
{
    struct review *review = context;
    const uint32_t *field = row->field;
    double seconds = field[HISTORY_seconds] == 0 ? 1 : field[HISTORY_seconds];
    uint64_t ago = review->now > row->minute ? (review->now - row->minute) / WEEK_MINUTES : 0;
    bool whole = seconds >= 30; // of a few seconds after a start, a mean says little
    review->first = review->rows++ == 0 ? row->minute : review->first;
    review->last = row->minute;
    if (whole) {
        peak(&review->checks, field[HISTORY_checks] / seconds, row->minute);
        peak(&review->logins, field[HISTORY_logins] / seconds, row->minute);
        peak(&review->changes, field[HISTORY_changes] / seconds, row->minute);
    }
    if (whole && ago < REVIEW_WEEKS) {
        most(&review->week_checks[ago], field[HISTORY_checks] / seconds);
        most(&review->week_logins[ago], field[HISTORY_logins] / seconds);
    }
    peak(&review->sessions, field[HISTORY_sessions], row->minute);
    peak(&review->connections, field[HISTORY_connections], row->minute);
    peak(&review->journal, field[HISTORY_journal], row->minute);
    for (unsigned i = 0; i < saturation_row_count; i++) {
        if (row->full[i] != HISTORY_UNKNOWN) {
            peak(&review->full[i], row->full[i] / 100.0, row->minute);
        }
    }
    review->answered += (uint64_t)field[HISTORY_checks] + field[HISTORY_logins] + field[HISTORY_changes] +
                        field[HISTORY_others];
    review->refused += field[HISTORY_refused];
    review->failed += field[HISTORY_failed];
    review->restarts += field[HISTORY_restarts];
    review->hashed += field[HISTORY_hashed];
    review->hashed_ms += field[HISTORY_hashed_ms];
    add_cost(review, field);
    add_disk(review, row);
}

static double known(uint64_t value)
{
    return value == 0 ? (double)NAN : (double)value;
}

static double session_bytes(const struct sessions_counts *counts)
{
    return counts->sessions >= SESSIONS_MIN
               ? (double)(counts->sessions_bytes + counts->accounts_bytes) / (double)counts->sessions
               : SESSION_BYTES;
}

static double sessions_that_fit(const struct watched *watched, const struct sessions_counts *counts)
{
    double most = known(watched_sum(watched, STATS_capacity_sessions, STATS_ROLE_supervisor));
    double limit = known(watched_sum(watched, STATS_machine_memory_limit, STATS_ROLE_supervisor));
    double used = (double)watched_sum(watched, STATS_machine_memory_used, STATS_ROLE_supervisor);
    double room = limit * (1 - MEMORY_LEFT_OVER) - used;
    double by_memory = (double)counts->sessions + (room > 0 ? room : 0) / session_bytes(counts);
    return isnan(limit) || by_memory > most ? most : by_memory;
}

struct review_capacity review_capacity(const struct review *review, const struct watched *watched,
                                       const struct sums *sums)
{
    struct sessions_counts counts = {0};
    double processors =
        known(watched_sum(watched, STATS_machine_processors_limit, STATS_ROLE_supervisor)) / 1000;
    // The minutes of the weeks, and, before the first of them, what there was since the start.
    uint64_t hashed = review->hashed >= HASHES_MIN ? review->hashed : sums->hashed;
    double hashed_ms =
        review->hashed >= HASHES_MIN ? (double)review->hashed_ms : (double)sums->hashed_ns / 1e6;
    struct review_capacity capacity = {
        .workers = known(watched_sum(watched, STATS_hash_workers, STATS_ROLE_hash)),
        .hash_ms = hashed >= HASHES_MIN ? hashed_ms / (double)hashed : (double)NAN,
        .check_us = review->cost_checks == 0 ? (double)NAN
                                             : (double)review->cost_ms * 1000 / (double)review->cost_checks,
        .fronts = known(watched->fronts),
        .connections = known(watched_sum(watched, STATS_capacity_connections, STATS_ROLE_front)),
    };
    if (watched->has_tables) {
        sessions_reader_counts(&watched->reader, &counts);
    }
    double at_work = capacity.fronts < processors ? capacity.fronts : processors;
    capacity.logins = capacity.workers * 1000 / capacity.hash_ms;
    capacity.checks = capacity.check_us > 0 ? at_work * 1e6 / capacity.check_us : (double)NAN;
    capacity.session_bytes = session_bytes(&counts);
    capacity.sessions = sessions_that_fit(watched, &counts);
    return capacity;
}
