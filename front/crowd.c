// SPDX-License-Identifier: ISC
// A second's sources. Runs in stayd-front, off the path of a check that the table answers.
// 1. A source sent at least `count - inherited`: what it took over with the place was others'. Otherwise many
//    who send equally little, and take each other's places, would look like few who send much.
// 2. In the page stands the last second that is whole, in the half that was not shown before, and stays there
//    for a second: who reads it needs no lock.
#include "front/crowd.h"

#include "base/network.h"
#include "base/stats.h"

#include <assert.h>
#include <sodium.h>

void crowd_init(struct crowd *crowd, struct id16 key)
{
    *crowd = (struct crowd){.key = key};
}

static uint64_t hash_of(const struct crowd *crowd, struct id16 source)
{
    uint64_t hash;
    static_assert(sizeof(hash) == crypto_shorthash_BYTES);
    static_assert(sizeof(crowd->key.byte) == crypto_shorthash_KEYBYTES);
    (void)crypto_shorthash((unsigned char *)&hash, source.byte, sizeof(source.byte), crowd->key.byte);
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
    *least = (struct crowd_place){
        .hash = hash, .count = least->count + 1, .inherited = least->count, .network = network_label(client)};
}

uint64_t crowd_distinct(const struct crowd *crowd)
{
    return distinct_count(&crowd->sources);
}

static uint64_t sent(const struct crowd_place *place)
{
    return place->count - place->inherited;
}

// The `most` places whose sources sent most, falling; returns how many there are.
static unsigned heaviest(const struct crowd *crowd, const struct crowd_place **out, unsigned most)
{
    unsigned found = 0;
    for (unsigned i = 0; i < CROWD_PLACES; i++) {
        const struct crowd_place *place = &crowd->place[i];
        unsigned at = found;
        if (place->hash == 0 || (found == most && sent(place) <= sent(out[most - 1]))) {
            continue;
        }
        at = found == most ? most - 1 : found++;
        for (; at > 0 && sent(out[at - 1]) < sent(place); at--) {
            out[at] = out[at - 1];
        }
        out[at] = place;
    }
    return found;
}

uint64_t crowd_heaviest_thousandths(const struct crowd *crowd)
{
    const struct crowd_place *place[CROWD_HEAVIEST];
    unsigned found = heaviest(crowd, place, CROWD_HEAVIEST);
    uint64_t sum = 0;
    for (unsigned i = 0; i < found; i++) {
        sum += sent(place[i]);
    }
    return crowd->total == 0 ? 0 : sum * 1000 / crowd->total;
}

static void store(_Atomic uint64_t *to, uint64_t value)
{
    atomic_store_explicit(to, value, memory_order_relaxed);
}

static void show(const struct crowd *crowd)
{
    const struct crowd_place *place[STATS_SOURCES];
    unsigned found = heaviest(crowd, place, STATS_SOURCES);
    uint32_t half = 1 - atomic_load_explicit(&stats_here->crowd_shown, memory_order_relaxed) % 2;
    struct stats_crowd *to = &stats_here->crowd[half];
    store(&to->total, crowd->total);
    for (unsigned i = 0; i < STATS_SOURCES; i++) {
        struct stats_source *source = &to->heaviest[i];
        uint64_t count = i < found ? sent(place[i]) : 0;
        store(&source->hash, i < found ? place[i]->hash : 0);
        store(&source->count, count);
        store(&source->network, count >= CROWD_NETWORK_MIN ? place[i]->network : 0);
    }
    atomic_store_explicit(&stats_here->crowd_shown, half, memory_order_release);
}

void crowd_tick(struct crowd *crowd, uint32_t now_s)
{
    if (crowd->second == now_s) {
        return;
    }
    stats_set(STATS_sources_distinct, crowd_distinct(crowd));
    stats_set(STATS_sources_heaviest_thousandths, crowd_heaviest_thousandths(crowd));
    if (STATS_ON) {
        show(crowd);
    }
    if (crowd->total > 0) {
        crowd_init(crowd, crowd->key);
    }
    crowd->second = now_s;
}
