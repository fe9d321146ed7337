// SPDX-License-Identifier: ISC
// Linear counting. Runs in front and core.
#include "base/distinct.h"

void distinct_join(struct distinct *distinct, const struct distinct *other)
{
    for (unsigned i = 0; i < DISTINCT_WORDS; i++) {
        distinct->word[i] |= other->word[i];
    }
}

// How many draws it takes until as many of the bits are set: the sum of what each next one takes (the coupon
// collector's). The last bit counts as if it were half set.
uint64_t distinct_count(const struct distinct *distinct)
{
    unsigned set = 0;
    double draws = 0;
    for (unsigned i = 0; i < DISTINCT_WORDS; i++) {
        set += (unsigned)__builtin_popcountll(distinct->word[i]);
    }
    for (unsigned i = 0; i < set; i++) {
        draws += (double)DISTINCT_BITS / ((double)(DISTINCT_BITS - i) - 0.5);
    }
    return (uint64_t)(draws + 0.5);
}
