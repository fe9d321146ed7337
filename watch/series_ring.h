// SPDX-License-Identifier: ISC
// Inside of watch/series.h, shared by its reader of pages (series_take.c) and its answers (series.c). Used by
// stayd-watch.
#ifndef WATCH_SERIES_RING_H
#define WATCH_SERIES_RING_H

#include "watch/series.h"

struct series_cell { // of a signal: its two raw values, cumulative or levels
    uint64_t a, b;
};

struct series_times {
    uint64_t count, sum_ns;
};

struct series_statement {
    uint64_t count, wait_us, hold_us, slow;
};

enum { SERIES_COARSE = STATS_TIME_other + 1 }; // check, login, change, other: kept with their buckets

struct series_sample {
    uint64_t mono_ms, wall_ms;
    struct series_cell cell[SIGNAL_COUNT];
    struct series_statement statement[SERIES_OPERATIONS];
    struct series_times stage[STATS_HISTOGRAM_COUNT]; // as the fronts have it
    uint32_t coarse[SERIES_COARSE][SERIES_HISTOGRAM_BUCKETS];
};

// One process: what it has now, and its growth, a point a second.
struct series_slot {
    enum stats_role role;
    uint16_t index;
    uint32_t pid;
    uint64_t started_ns, heartbeat_ms;
    double resource[2]; // by enum series_resource
    double descriptors_max;
    float second[2][SERIES_SECONDS]; // by time / 1 s; 0: not known
};

struct series_bucket {
    uint64_t at; // time / SERIES_BURN_S, to tell an old one
    double good, bad;
};

struct series {
    struct series_sample ring[SERIES_SAMPLES];
    unsigned count, newest; // ring[newest] when count > 0
    uint64_t gap_ms;        // when the last long gap ended; 0: none
    struct series_slot slot[SERIES_PROCESSES_MAX];
    unsigned slots;
    struct series_bucket burn[SERIES_BURNS];
};

// The sample `back` steps before the newest.
static inline const struct series_sample *series_back(const struct series *series, unsigned back)
{
    return &series->ring[(series->newest + SERIES_SAMPLES - back) % SERIES_SAMPLES];
}

static inline uint64_t series_increase(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

// The first bucket's end is 2^10 ns; each octave has four.
static inline double series_bucket_ms(unsigned bucket)
{
    double octave = (double)((uint64_t)1 << (10 + bucket / 4));
    return octave * (1 + (bucket % 4) / 4.0) / 1e6;
}

#endif
