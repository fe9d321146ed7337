// SPDX-License-Identifier: ISC
// Tombstones: what ended or changed while look-ups were under way, so that an answer from before is dropped.
// Used by core; pure. Owns one table. Bounds: TOMBSTONE_PLACES; past it one fence drops all look-ups of
// before.
//
// Every look-up takes a number when it begins (tombstones_begin). An end or change opens a tombstone for its
// session or account and closes it when it is durable. A look-up's row counts only when no tombstone of its
// session or account is open or was closed after the look-up began: a look-up that began later reads what is
// durable.
#ifndef CORE_TOMBSTONE_H
#define CORE_TOMBSTONE_H

#include "base/bytes.h"

enum { TOMBSTONE_PLACES = 16384 };

struct tombstone {
    struct id16 key;
    uint64_t closed; // the number at which it was closed; UINT64_MAX: open
    uint32_t opens;  // how many opened it and did not close it yet
    bool used;
};

struct tombstones {
    uint64_t number; // the last one given out
    uint64_t fence;  // look-ups that began at or before it are dropped
    uint32_t count;
    struct tombstone *place; // open addressing
    struct tombstone *spare; // what the next collection is made in
};

[[nodiscard]] bool tombstones_init(struct tombstones *tombstones);
void tombstones_release(struct tombstones *tombstones);

// A look-up begins.
uint64_t tombstones_begin(struct tombstones *tombstones);
void tombstones_open(struct tombstones *tombstones, const struct id16 *key);
// As often as opened.
void tombstones_close(struct tombstones *tombstones, const struct id16 *key);
// May a row of this key, from a look-up that began at `began`, be believed?
[[nodiscard]] bool tombstones_allow(const struct tombstones *tombstones, const struct id16 *key,
                                    uint64_t began);
// Forgets what no look-up can need: all that began at or before `oldest` - 1 are answered.
void tombstones_collect(struct tombstones *tombstones, uint64_t oldest);

#endif
