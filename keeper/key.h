// SPDX-License-Identifier: ISC
// What stayd-key does with its one secret: message authentication codes, each purpose under a key of its own.
// Used by stayd-key. Owns the sub-keys, derived once from the data key, which is then forgotten; wiped at the
// end. Bounds: KEY_DATA_SIZE_MAX bytes of data; nothing here takes longer for one input than for another of
// its size.
#ifndef KEEPER_KEY_H
#define KEEPER_KEY_H

#include "base/bytes.h"

#define KEY_SIZE          32
#define KEY_DATA_SIZE_MAX 512
#define KEY_PURPOSE_MAX   8 // room for enum wire_key_purpose

struct key {
    uint8_t purpose[KEY_PURPOSE_MAX + 1][KEY_SIZE]; // by purpose, from 1
};

void key_init(struct key *key, const uint8_t data_key[KEY_SIZE]);
void key_release(struct key *key);

// BLAKE2b-256 keyed for the purpose. False for a purpose that there isn't, and for too much data.
[[nodiscard]] bool key_mac(const struct key *key, uint8_t purpose, struct view data, struct hash32 *mac);

#endif
