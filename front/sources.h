// SPDX-License-Identifier: ISC
// What is known about each source of connections: how many it has, whether it is refused for a while, and
// how many unknown tokens it may still ask about. Used by stayd-front. Owns its table. Bounds: SOURCES_MAX
// sources; when all places of a set are in use a new source goes uncounted (the cap on all connections
// holds).
#ifndef FRONT_SOURCES_H
#define FRONT_SOURCES_H

#include "base/bytes.h"

#define SOURCES_MAX       8192
#define SOURCES_MISS_MAX  200 // unknown tokens at once,
#define SOURCES_MISS_RATE 50  // and per second

struct source {
    struct id16 address; // of network_of
    uint32_t connections;
    uint32_t penalty_until_s; // monotonic seconds
    uint32_t miss_at_s;
    uint16_t misses_left;
    bool used;
};

struct sources {
    struct source *table;
    uint64_t seed;
    uint32_t entries; // places in use
};

[[nodiscard]] bool sources_init(struct sources *sources, uint64_t seed);
void sources_release(struct sources *sources);
// The source's record, made when it is new; NULL when there is no place. Good while it has connections, or
// until the next call.
struct source *sources_get(struct sources *sources, struct id16 address, uint32_t now_s);
void sources_penalise(struct sources *sources, struct id16 address, uint32_t now_s, uint32_t seconds);
// Seconds for which the source is refused, 0: it is not.
uint32_t sources_penalty(struct sources *sources, struct id16 address, uint32_t now_s);
// Takes one of the source's look-ups of unknown tokens; false: it has none left.
[[nodiscard]] bool sources_take_miss(struct sources *sources, struct id16 address, uint32_t now_s);
// The token was a good one: many people behind one address, after a start, are no attack.
void sources_give_miss(struct sources *sources, struct id16 address);

#endif
