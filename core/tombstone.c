// SPDX-License-Identifier: ISC
// Tombstones against late answers. Runs in core; pure.
// 1. A key that is open, or was closed at a number >= a look-up's, is found or covered by the fence.
// 2. Selectors and ids are random, so their first bytes are the hash; both kinds share the table (a clash of
//    16 random bytes would only drop one look-up more).
#include "core/tombstone.h"

static uint32_t home(const struct id16 *key)
{
    uint32_t hash;
    memcpy(&hash, key->byte, sizeof(hash));
    return hash % TOMBSTONE_PLACES;
}

bool tombstones_init(struct tombstones *tombstones)
{
    *tombstones = (struct tombstones){.place = calloc(TOMBSTONE_PLACES, sizeof(struct tombstone)),
                                      .spare = calloc(TOMBSTONE_PLACES, sizeof(struct tombstone))};
    return tombstones->place != NULL && tombstones->spare != NULL;
}

void tombstones_release(struct tombstones *tombstones)
{
    free(tombstones->place);
    free(tombstones->spare);
    *tombstones = (struct tombstones){0};
}

uint64_t tombstones_begin(struct tombstones *tombstones)
{
    return ++tombstones->number;
}

static struct tombstone *find(const struct tombstones *tombstones, const struct id16 *key)
{
    for (uint32_t i = home(key);; i = (i + 1) % TOMBSTONE_PLACES) {
        struct tombstone *place = &tombstones->place[i];
        if (!place->used || memcmp(place->key.byte, key->byte, 16) == 0) {
            return place;
        }
    }
}

void tombstones_open(struct tombstones *tombstones, const struct id16 *key)
{
    struct tombstone *place = find(tombstones, key);
    if (!place->used) {
        if (tombstones->count >= TOMBSTONE_PLACES * 3 / 4) {
            // Never full: closed ones give way to the fence.
            tombstones->fence = tombstones->number;
            tombstones_collect(tombstones, tombstones->number + 1);
            place = find(tombstones, key);
        }
        *place = (struct tombstone){.key = *key, .used = true};
        tombstones->count++;
    }
    place->opens++;
    place->closed = UINT64_MAX;
}

void tombstones_close(struct tombstones *tombstones, const struct id16 *key)
{
    struct tombstone *place = find(tombstones, key);
    if (place->used && place->opens > 0 && --place->opens == 0) {
        place->closed = tombstones->number;
    }
}

bool tombstones_allow(const struct tombstones *tombstones, const struct id16 *key, uint64_t began)
{
    const struct tombstone *place = find(tombstones, key);
    return began > tombstones->fence && (!place->used || place->closed < began);
}

void tombstones_collect(struct tombstones *tombstones, uint64_t oldest)
{
    struct tombstone *old = tombstones->place;
    uint32_t kept = 0, drop = 0;
    for (uint32_t i = 0; i < TOMBSTONE_PLACES && tombstones->count > 0; i++) {
        drop += old[i].used && old[i].closed < oldest;
    }
    if (drop == 0) {
        return;
    }
    memset(tombstones->spare, 0, TOMBSTONE_PLACES * sizeof(struct tombstone));
    tombstones->place = tombstones->spare;
    tombstones->spare = old;
    for (uint32_t i = 0; i < TOMBSTONE_PLACES; i++) {
        if (old[i].used && old[i].closed >= oldest) {
            *find(tombstones, &old[i].key) = old[i];
            kept++;
        }
    }
    tombstones->count = kept;
}
