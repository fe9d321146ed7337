// SPDX-License-Identifier: ISC
// Which network an address belongs to: what limits, throttles and penalties count as one source. Used by
// front, core and the supervisor. Owns nothing. Addresses are 16 bytes, v4 mapped into v6 (RFC 4291 section
// 2.5.5.2).
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/bytes.h"

static inline bool network_is_v4(struct id16 address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address.byte, mapped, sizeof(mapped)) == 0;
}

// The address itself for v4; for v6 its /64, the least that one customer is given: who has one has all of it.
static inline struct id16 network_of(struct id16 address)
{
    if (!network_is_v4(address)) {
        memset(address.byte + 8, 0, 8);
    }
    return address;
}

// The end of splitmix64: every bit of a word shows in every bit of what comes out.
static inline uint64_t network_mixed(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

// Neighbours in a network are spread over all places of a table; where, only who knows the seed can say.
static inline uint64_t network_hash(struct id16 network, uint64_t seed)
{
    uint64_t word[2];
    memcpy(word, network.byte, sizeof(word));
    return network_mixed(network_mixed(word[0] ^ seed) ^ word[1]);
}

// For operators who look for where a flood comes from: the /24 of a v4 address, the /48 of a v6 one, as a
// number that is never 0; and its text: "192.0.2.0/24", "2001:db8:7::/48". Never in a verdict, an alert or
// the figures.
enum { NETWORK_TEXT_SIZE = 56 };
uint64_t network_label(struct id16 address);
void network_label_text(uint64_t label, char out[static NETWORK_TEXT_SIZE]);

#endif
