// SPDX-License-Identifier: ISC
// How the bench's accounts and sessions follow from a seed and an index, so that a load tool knows the token
// of any of them without a list. Used by store-seed and by the load tool; never by stayd. Pure.
//
// Session i belongs to account i / sessions_each; account a is called "user" and a in seven digits or more.
#ifndef STORE_SEED_H
#define STORE_SEED_H

#include "base/bytes.h"

#include <sodium.h>
#include <stdio.h>

// BLAKE2b of kind, seed and index (little-endian); `size` 16 to 64.
static inline void seed_bytes(uint8_t kind, uint64_t seed, uint64_t index, uint8_t *out, size_t size)
{
    uint8_t input[17] = {kind};
    for (size_t i = 0; i < 8; i++) {
        input[1 + i] = (uint8_t)(seed >> (8 * i));
        input[9 + i] = (uint8_t)(index >> (8 * i));
    }
    (void)crypto_generichash(out, size, input, sizeof(input), NULL, 0);
}

// Selector and verifier of session i: what base64url turns into the cookie.
static inline void seed_token(uint64_t seed, uint64_t index, uint8_t token[static 32])
{
    seed_bytes('t', seed, index, token, 32);
}

static inline void seed_public_id(uint64_t seed, uint64_t index, uint8_t id[static 16])
{
    seed_bytes('p', seed, index, id, 16);
}

static inline void seed_account_id(uint64_t seed, uint64_t account, uint8_t id[static 16])
{
    seed_bytes('a', seed, account, id, 16);
}

static inline void seed_account_name(uint64_t account, char name[static 32])
{
    (void)snprintf(name, 32, "user%07llu", (unsigned long long)account);
}

#endif
