// SPDX-License-Identifier: ISC
// What all pages add up to at a moment, and what happened between two moments. Used by stayd-watch, to show
// rates. Owns nothing: plain values of about 50 KiB, the caller's memory. Counters of a process that was
// started again go on; what seems to run backwards counts as nothing.
#ifndef WATCH_SUMS_H
#define WATCH_SUMS_H

#include "watch/watched.h"

// What people tell apart, and the histogram of each.
#define SUMS_GROUPS_LIST(X) X(check) X(login) X(change) X(other)
enum sums_group {
#define X(id) SUMS_##id,
    SUMS_GROUPS_LIST(X)
#undef X
        SUMS_GROUPS
};

// ok: answered, whatever the answer; refused: 429 and 503, in time and with Retry-After; failed: 5xx, or
// closed.
enum sums_outcome { SUMS_OK, SUMS_REFUSED, SUMS_FAILED, SUMS_OUTCOMES };

struct sums {
    uint64_t at_ns;                        // monotonic; of a difference: how long it lasted
    uint64_t counter[STATS_COUNTER_COUNT]; // over all processes; of a difference: counters only
    uint64_t answered[SUMS_GROUPS][SUMS_OUTCOMES];
    struct stats_times times[STATS_HISTOGRAM_COUNT]; // as the fronts saw it
    uint64_t hashed_ns, hashed;                      // as the password workers saw it
    uint64_t front_processor_us;
};

void sums_take(struct sums *sums, const struct watched *watched, uint64_t now_ns);
// What happened between; at_ns of `out` is at least 1.
void sums_between(const struct sums *from, const struct sums *to, struct sums *out);
const char *sums_group_name(enum sums_group group);
enum stats_histogram sums_group_times(enum sums_group group);

// Of a difference.
double sums_seconds(const struct sums *between);
double sums_rate(const struct sums *between, enum stats_counter counter);
uint64_t sums_answered(const struct sums *between, enum sums_group group);
// Mean in ns; 0 when there were none.
uint64_t sums_mean_ns(const struct sums *between, enum stats_histogram histogram);

#endif
