// SPDX-License-Identifier: ISC
// Brute force: delays that grow with failures, per account, per known device of an account, and per source.
// Used by core; pure. Owns one table. Bounds: THROTTLE_PLACES keys; the mildest of a set makes room for a new
// one.
//
// A guess is charged to its account before it is tried, so that many at once can't slip through, and given
// back when it was right or could not be tried. A source is charged when a guess was wrong. What stays are
// failures; they are forgiven with time.
//
// - account: 5 free, then 1 s doubling up to 15 min; half is forgiven every 10 min.
// - device: 10 free, the same otherwise. Strangers who hammer an account don't slow its owner's own browsers.
// - source: 50 free, then 1 s doubling (every 5) up to 30 s; half is forgiven every minute. People behind one
//   address don't punish each other for long.
//
// An address is a whole IPv4 address or an IPv6 /64. Unknown names are kept like known ones: no oracle.
#ifndef CORE_THROTTLE_H
#define CORE_THROTTLE_H

#include "base/bytes.h"

enum { THROTTLE_PLACES = 65536, THROTTLE_WAYS = 8 };

enum throttle_kind { THROTTLE_ACCOUNT = 1, THROTTLE_DEVICE = 2, THROTTLE_SOURCE = 3 };

struct throttle_key {
    uint64_t half[2]; // a keyed hash of kind and name; 0, 0 is no key: never charged, nothing to wait for
};

struct throttle;

// Since the beginning; entries: now.
struct throttle_counts {
    uint64_t hits, misses;
    uint64_t evictions; // of keys whose failures still counted
    uint32_t entries;
};

// NULL without memory. `secret` keys the hash of names (16 bytes used).
struct throttle *throttle_new(const struct hash32 *secret);
void throttle_free(struct throttle **throttle);
struct throttle_counts throttle_counts(const struct throttle *throttle);

struct throttle_key throttle_key_of(const struct throttle *throttle, enum throttle_kind kind,
                                    struct view name);
struct throttle_key throttle_key_of_source(const struct throttle *throttle, struct id16 source);

// How long to wait before the next guess under this key, 0: none.
uint32_t throttle_wait_ms(struct throttle *throttle, enum throttle_kind kind, struct throttle_key key,
                          uint64_t now_ms);
void throttle_charge(struct throttle *throttle, enum throttle_kind kind, struct throttle_key key,
                     uint64_t now_ms);
void throttle_give_back(struct throttle *throttle, enum throttle_kind kind, struct throttle_key key,
                        uint64_t now_ms);
// The owner got in: all failures under this key are forgotten.
void throttle_clear(struct throttle *throttle, struct throttle_key key);

#endif
