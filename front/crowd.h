// SPDX-License-Identifier: ISC
// Who comes: how many different sources sent what costs more than a check (log-ins, changes, look-ups) within
// the last second, and how much of it the busiest sent. A flood is few who send most; a rush of real people
// is many who send little. The stats page shows the busiest, so that watch can add up all fronts. Used by
// stayd-front. Owns nothing but the struct. Bounds: CROWD_PLACES sources are counted one by one; with more,
// the busiest keep their places (SpaceSaving within sets: Metwally et al., 2005). How many they are is an
// estimate; what each sent is never too high.
#ifndef FRONT_CROWD_H
#define FRONT_CROWD_H

#include "base/bytes.h"
#include "base/distinct.h"

enum {
    CROWD_WAYS = 4,
    CROWD_PLACES = 1024,
    CROWD_HEAVIEST = 8,
    CROWD_NETWORK_MIN = 4, // who sends so many within a second is no person: its network may be shown
};

struct crowd {
    struct id16 key;
    struct distinct sources;
    struct crowd_place {
        uint64_t hash; // 0: free
        uint64_t count;
        uint64_t inherited; // of it, from those who had the place before
        uint64_t network;   // network_label
    } place[CROWD_PLACES];
    uint64_t total;
    uint32_t second; // which one this is
};

// `key` hashes addresses: the same at all fronts, and known to nobody else.
void crowd_init(struct crowd *crowd, struct id16 key);
// One request of this client (a v6 address stands for its network).
void crowd_note(struct crowd *crowd, struct id16 client);
// About how many sources, and the thousandths that the CROWD_HEAVIEST busiest sent at least; 0 when nobody
// came.
uint64_t crowd_distinct(const struct crowd *crowd);
uint64_t crowd_heaviest_thousandths(const struct crowd *crowd);
// Shows the second that ended in the stats page, and begins another. To be called often.
void crowd_tick(struct crowd *crowd, uint32_t now_s);

#endif
