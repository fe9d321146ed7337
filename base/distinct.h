// SPDX-License-Identifier: ISC
// How many different things went by, from their hashes, in little memory (linear counting). Used by front
// (sources) and core (guesses). Pure values; owns nothing. Bounds: DISTINCT_BITS; beyond three times as many
// the estimate only says "many". Source: Whang et al., "A linear-time probabilistic counting algorithm",
// 1990.
#ifndef BASE_DISTINCT_H
#define BASE_DISTINCT_H

#include <stdint.h>

enum { DISTINCT_BITS = 4096, DISTINCT_WORDS = DISTINCT_BITS / 64 };

struct distinct {
    uint64_t word[DISTINCT_WORDS];
};

// One went by; the hash's lower bits have to be good.
static inline void distinct_add(struct distinct *distinct, uint64_t hash)
{
    unsigned bit = (unsigned)(hash % DISTINCT_BITS);
    distinct->word[bit / 64] |= 1ull << bit % 64;
}
// `distinct` also holds what `other` does.
void distinct_join(struct distinct *distinct, const struct distinct *other);
// About how many: within 5 % (two standard deviations) up to DISTINCT_BITS.
uint64_t distinct_count(const struct distinct *distinct);

#endif
