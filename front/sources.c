// SPDX-License-Identifier: ISC
// The table of sources: sets of WAYS places, the place least worth keeping given away. Runs in stayd-front.
// 1. A source with connections, or under a penalty, keeps its place.
#include "front/sources.h"

#include "base/network.h"
#include "base/stats.h"

#define WAYS            8
#define SOURCES_WORTH_S (SOURCES_MISS_MAX / SOURCES_MISS_RATE) // after it a record says what a new one does
#define SETS            (SOURCES_MAX / WAYS)

bool sources_init(struct sources *sources, uint64_t seed)
{
    sources->seed = seed;
    sources->entries = 0;
    stats_set(STATS_cache_sources_capacity, SOURCES_MAX);
    sources->table = calloc(SOURCES_MAX, sizeof(struct source));
    return sources->table != NULL;
}

void sources_release(struct sources *sources)
{
    free(sources->table);
    sources->table = NULL;
}

static struct source *set_of(struct sources *sources, const struct id16 *address)
{
    return sources->table + (network_hash(*address, sources->seed) >> 32) % SETS * WAYS;
}

static bool is_idle(const struct source *source, uint32_t now_s)
{
    return source->connections == 0 && source->penalty_until_s <= now_s;
}

static struct source *find(struct sources *sources, struct id16 address)
{
    struct source *set = set_of(sources, &address);
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].used && memcmp(&set[i].address, &address, sizeof(address)) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

struct source *sources_get(struct sources *sources, struct id16 address, uint32_t now_s)
{
    address = network_of(address);
    struct source *found = find(sources, address);
    if (found != NULL) {
        stats_count(STATS_cache_sources_hits);
        return found;
    }
    stats_count(STATS_cache_sources_misses);
    struct source *set = set_of(sources, &address);
    struct source *best = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        if (!set[i].used) {
            best = &set[i];
            break;
        }
        if (is_idle(&set[i], now_s) && (best == NULL || set[i].miss_at_s < best->miss_at_s)) {
            best = &set[i];
        }
    }
    if (best == NULL || (best->used && now_s < best->miss_at_s + SOURCES_WORTH_S)) {
        stats_count(STATS_cache_sources_evictions); // or this one goes uncounted
    }
    if (best != NULL) {
        sources->entries += !best->used;
        stats_set(STATS_cache_sources_entries, sources->entries);
        *best = (struct source){
            .address = address, .used = true, .misses_left = SOURCES_MISS_MAX, .miss_at_s = now_s};
    }
    return best;
}

void sources_penalise(struct sources *sources, struct id16 address, uint32_t now_s, uint32_t seconds)
{
    struct source *source = sources_get(sources, address, now_s);
    if (source != NULL) {
        source->penalty_until_s = now_s + seconds;
    }
}

uint32_t sources_penalty(struct sources *sources, struct id16 address, uint32_t now_s)
{
    struct source *source = find(sources, network_of(address));
    return source == NULL || source->penalty_until_s <= now_s ? 0 : source->penalty_until_s - now_s;
}

bool sources_take_miss(struct sources *sources, struct id16 address, uint32_t now_s)
{
    struct source *source = sources_get(sources, address, now_s);
    if (source == NULL) {
        return false;
    }
    uint64_t earned = (uint64_t)(now_s - source->miss_at_s) * SOURCES_MISS_RATE + source->misses_left;
    source->misses_left = (uint16_t)(earned > SOURCES_MISS_MAX ? SOURCES_MISS_MAX : earned);
    source->miss_at_s = now_s;
    if (source->misses_left == 0) {
        return false;
    }
    source->misses_left--;
    return true;
}

void sources_give_miss(struct sources *sources, struct id16 address)
{
    struct source *source = find(sources, network_of(address));
    if (source != NULL && source->misses_left < SOURCES_MISS_MAX) {
        source->misses_left++;
    }
}
