// SPDX-License-Identifier: ISC
// Growing delays against guessing. Runs in core; pure.
// 1. A key's failures only grow by a charge and only shrink by time, a give-back or a clear.
// 2. Room for a new key is made in its own set only, by dropping the key that would have to wait the least.
#include "core/throttle.h"

#include "base/network.h"

#include <sodium.h>

struct place {
    struct throttle_key key;
    uint64_t since_ms; // `failures` is as of this time
    uint64_t last_ms;  // the last charge
    float failures;
    uint32_t kind;
};

struct throttle {
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
    struct throttle_counts counts;
    struct place place[THROTTLE_PLACES];
};

static const struct policy {
    float free;
    float step;         // failures that double the delay
    uint32_t max_ms;    // longest delay
    uint32_t halves_ms; // time that forgives half
} policies[] = {
    [THROTTLE_ACCOUNT] = {5, 1, 900000, 600000},
    [THROTTLE_DEVICE] = {10, 1, 900000, 600000},
    [THROTTLE_SOURCE] = {50, 5, 30000, 60000},
};

struct throttle *throttle_new(const struct hash32 *secret)
{
    struct throttle *throttle = calloc(1, sizeof(*throttle));
    if (throttle != NULL) {
        memcpy(throttle->secret, secret->byte, sizeof(throttle->secret));
    }
    return throttle;
}

void throttle_free(struct throttle **throttle)
{
    if (*throttle != NULL) {
        wipe((*throttle)->secret, sizeof((*throttle)->secret));
        free(*throttle);
        *throttle = NULL;
    }
}

struct throttle_counts throttle_counts(const struct throttle *throttle)
{
    return throttle->counts;
}

struct throttle_key throttle_key_of(const struct throttle *throttle, enum throttle_kind kind,
                                    struct view name)
{
    uint8_t text[288] = {(uint8_t)kind};
    struct throttle_key key;
    struct view cut = view_first(name, sizeof(text) - 1);
    if (cut.size > 0) {
        memcpy(text + 1, cut.data, cut.size);
    }
    crypto_shorthash_siphashx24((unsigned char *)key.half, text, 1 + cut.size, throttle->secret);
    key.half[0] |= 1; // never the empty key
    return key;
}

struct throttle_key throttle_key_of_source(const struct throttle *throttle, struct id16 source)
{
    struct id16 network = network_of(source);
    return throttle_key_of(throttle, THROTTLE_SOURCE, view_of(network.byte, sizeof(network.byte)));
}

static float forgiven(float failures, uint64_t passed_ms, uint32_t halves_ms)
{
    for (; passed_ms >= halves_ms && failures > 0.01f; passed_ms -= halves_ms) {
        failures /= 2;
    }
    // Between two halvings a straight line is near enough.
    return failures -
           failures * (float)(passed_ms < halves_ms ? passed_ms : halves_ms) / (float)(2 * halves_ms);
}

static void age(struct place *place, uint64_t now_ms)
{
    if (now_ms > place->since_ms) {
        place->failures =
            forgiven(place->failures, now_ms - place->since_ms, policies[place->kind].halves_ms);
        place->since_ms = now_ms;
    }
}

static uint32_t delay_ms(const struct place *place)
{
    const struct policy *policy = &policies[place->kind];
    if (place->failures < policy->free) {
        return 0;
    }
    uint64_t delay = 1000;
    for (float over = place->failures - policy->free; over >= policy->step && delay < policy->max_ms;
         over -= policy->step) {
        delay *= 2;
    }
    return delay > policy->max_ms ? policy->max_ms : (uint32_t)delay;
}

static bool is_no_key(struct throttle_key key)
{
    return key.half[0] == 0 && key.half[1] == 0;
}

static struct place *find(struct throttle *throttle, struct throttle_key key)
{
    if (is_no_key(key)) { // it would be found in every free place
        return NULL;
    }
    struct place *set = &throttle->place[key.half[1] % (THROTTLE_PLACES / THROTTLE_WAYS) * THROTTLE_WAYS];
    for (size_t i = 0; i < THROTTLE_WAYS; i++) {
        if (set[i].key.half[0] == key.half[0] && set[i].key.half[1] == key.half[1]) {
            return &set[i];
        }
    }
    return NULL;
}

static struct place *make_room(struct throttle *throttle, struct throttle_key key, uint64_t now_ms)
{
    struct place *set = &throttle->place[key.half[1] % (THROTTLE_PLACES / THROTTLE_WAYS) * THROTTLE_WAYS];
    struct place *mildest = &set[0];
    for (size_t i = 0; i < THROTTLE_WAYS; i++) {
        if (set[i].kind == 0) {
            return &set[i];
        }
        age(&set[i], now_ms);
        if (set[i].failures < mildest->failures) {
            mildest = &set[i];
        }
    }
    return mildest;
}

uint32_t throttle_wait_ms(struct throttle *throttle, enum throttle_kind kind, struct throttle_key key,
                          uint64_t now_ms)
{
    (void)kind;
    struct place *place = find(throttle, key);
    throttle->counts.hits += place != NULL;
    throttle->counts.misses += place == NULL && !is_no_key(key);
    if (place == NULL) {
        return 0;
    }
    age(place, now_ms);
    uint64_t until = place->last_ms + delay_ms(place);
    return until > now_ms ? (uint32_t)(until - now_ms) : 0;
}

void throttle_charge(struct throttle *throttle, enum throttle_kind kind, struct throttle_key key,
                     uint64_t now_ms)
{
    if (is_no_key(key)) {
        return;
    }
    struct place *place = find(throttle, key);
    if (place == NULL) {
        place = make_room(throttle, key, now_ms);
        throttle->counts.entries += place->kind == 0;
        throttle->counts.evictions += place->kind != 0 && place->failures >= 1;
        *place = (struct place){.key = key, .kind = (uint32_t)kind, .since_ms = now_ms};
    }
    age(place, now_ms);
    place->failures += 1;
    place->last_ms = now_ms;
}

void throttle_give_back(struct throttle *throttle, enum throttle_kind kind, struct throttle_key key,
                        uint64_t now_ms)
{
    (void)kind;
    struct place *place = find(throttle, key);
    if (place != NULL) {
        age(place, now_ms);
        place->failures = place->failures > 1 ? place->failures - 1 : 0;
    }
}

void throttle_clear(struct throttle *throttle, struct throttle_key key)
{
    struct place *place = find(throttle, key);
    if (place != NULL) {
        throttle->counts.entries--;
        *place = (struct place){0};
    }
}
