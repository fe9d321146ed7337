// SPDX-License-Identifier: ISC
// The look that is due once a quarter: what this machine bears by what was measured here, how much of it the
// busiest minutes of the last weeks took, what is full first, and what to change. Used by stayd-watch. Owns
// nothing. What was not measured is null, never guessed.
#ifndef WATCH_REVIEW_H
#define WATCH_REVIEW_H

#include "watch/history.h"

enum { REVIEW_WEEKS = 5 };

struct review_peak {
    double value;    // NAN: none
    uint64_t minute; // of the weeks, unix time / 60
};

// The weeks, added up.
struct review {
    unsigned rows;
    uint64_t first, last;                       // minutes; 0: none
    struct review_peak checks, logins, changes; // a second, as the mean of a minute
    struct review_peak sessions, connections, journal;
    struct review_peak full[SATURATION_RESOURCES_MAX];           // 0 to 1
    double week_checks[REVIEW_WEEKS], week_logins[REVIEW_WEEKS]; // peaks; [0] is the last seven days
    uint64_t answered, refused, failed, restarts;
    uint64_t cost_checks, cost_ms; // of minutes in which a front did little but checks
    uint64_t hashed, hashed_ms;
    double disk_free_first, disk_free_last; // MiB
    uint64_t disk_first, disk_last;         // the minutes of these
    uint64_t now;                           // minute
};

void review_begin(struct review *review, uint64_t minute);
void review_add(void *review, const struct history_row *row);

// What this machine bears; NAN where it was not measured.
struct review_capacity {
    double logins, hash_ms, workers;
    double checks, check_us, fronts;
    double connections;
    double sessions, session_bytes;
};
struct review_capacity review_capacity(const struct review *review, const struct watched *watched,
                                       const struct sums *sums);

// One JSON object.
void review_write_json(struct bytes *out, const struct review *review, const struct watched *watched,
                       const struct sums *sums, const struct watched_now *now);

#endif
