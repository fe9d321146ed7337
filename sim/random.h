// SPDX-License-Identifier: ISC
// The one source of chance in a schedule (splitmix64). Used by the simulator. Owns nothing.
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include "base/bytes.h"

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    uint64_t word = chance->state += 0x9e3779b97f4a7c15ull;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ull;
    word = (word ^ word >> 27) * 0x94d049bb133111ebull;
    return word ^ word >> 31;
}

// 0 … end - 1; 0 when end is 0.
static inline uint64_t chance_below(struct chance *chance, uint64_t end)
{
    return end == 0 ? 0 : chance_next(chance) % end;
}

// True `n` times of 1000.
static inline bool chance_of(struct chance *chance, uint32_t n)
{
    return chance_below(chance, 1000) < n;
}

static inline void chance_fill(struct chance *chance, void *out, size_t size)
{
    uint8_t *to = out;
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)chance_next(chance);
    }
}

#endif
