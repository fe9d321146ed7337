// SPDX-License-Identifier: ISC
// The sources of the last second over all fronts. Connections of one source are shared out among fronts: each
// front's page names those who sent most to it, and here they are added up by their keyed hash, so that the
// figures do not depend on how many fronts there are. Used by stayd-watch. A plain value of some 150 KiB;
// owns nothing. Bounds: STATS_SOURCES of each front. Every count is at least what it says, and a source that
// is not among a front's first is missing there: shares are never too high.
#ifndef WATCH_CROWDS_H
#define WATCH_CROWDS_H

#include "watch/watched.h"

enum { CROWDS_HEAVIEST = 8, CROWDS_MAX = WATCHED_PAGES_MAX * STATS_SOURCES };

struct crowds_source {
    uint64_t hash, count;
    uint64_t network; // network_label; 0: it sends no more than people do
};

struct crowds {
    uint64_t total; // what all sources sent
    unsigned sources;
    struct crowds_source source[CROWDS_MAX]; // the busiest first
};

void crowds_take(struct crowds *crowds, const struct watched *watched);
// What the CROWDS_HEAVIEST busiest sent, in thousandths of all; 0 when nobody came.
uint64_t crowds_heaviest_thousandths(const struct crowds *crowds);

// The networks that the busiest sources are in, with what those sent together; the busiest first. Returns how
// many.
struct crowds_network {
    uint64_t network, count;
};
unsigned crowds_networks(const struct crowds *crowds, struct crowds_network *out, unsigned out_max);

#endif
