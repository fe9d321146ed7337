// SPDX-License-Identifier: ISC
// A second's sources. Runs in stayd-front, off the path of a check that the table answers.
#include "front/crowd.h"

#include "base/network.h"
#include "base/stats.h"

void crowd_init(struct crowd *crowd, uint64_t seed)
{
    *crowd = (struct crowd){.seed = seed};
}

static uint64_t hash_of(const struct crowd *crowd, struct id16 source)
{
    uint64_t hash = network_hash(source, crowd->seed);
    return hash == 0 ? 1 : hash;
}

void crowd_note(struct crowd *crowd, struct id16 client)
{
    uint64_t hash = hash_of(crowd, network_of(client));
    struct crowd_place *set = &crowd->place[(hash >> 32) % (CROWD_PLACES / CROWD_WAYS) * CROWD_WAYS];
    struct crowd_place *least = set;
    crowd->total++;
    distinct_add(&crowd->sources, hash);
    for (unsigned i = 0; i < CROWD_WAYS; i++) {
        if (set[i].hash == hash) {
            set[i].count++;
            return;
        }
        least = set[i].count < least->count ? &set[i] : least;
    }
    least->hash = hash;
    least->count++; // it may have come as often before: never too few for a heavy one
}

uint64_t crowd_distinct(const struct crowd *crowd)
{
    return distinct_count(&crowd->sources);
}

uint64_t crowd_heaviest_thousandths(const struct crowd *crowd)
{
    uint64_t heaviest[CROWD_HEAVIEST] = {0}; // falling
    uint64_t sum = 0;
    for (unsigned i = 0; i < CROWD_PLACES; i++) {
        uint64_t count = crowd->place[i].count;
        for (unsigned at = 0; at < CROWD_HEAVIEST && count > 0; at++) {
            if (count > heaviest[at]) {
                uint64_t pushed = heaviest[at];
                heaviest[at] = count;
                count = pushed;
            }
        }
    }
    for (unsigned at = 0; at < CROWD_HEAVIEST; at++) {
        sum += heaviest[at];
    }
    uint64_t share = crowd->total == 0 ? 0 : sum * 1000 / crowd->total;
    return share > 1000 ? 1000 : share;
}

void crowd_tick(struct crowd *crowd, uint32_t now_s)
{
    if (crowd->second == now_s) {
        return;
    }
    stats_set(STATS_sources_distinct, crowd_distinct(crowd));
    stats_set(STATS_sources_heaviest_thousandths, crowd_heaviest_thousandths(crowd));
    if (crowd->total > 0) {
        crowd_init(crowd, crowd->seed);
    }
    crowd->second = now_s;
}
