// SPDX-License-Identifier: ISC
// How long an answer was on its way, beyond what the way usually takes, from the server's clock and ours.
// Used by the PostgreSQL service of stayd-store, once for each heartbeat. Owns nothing. Pure: times are
// arguments.
//
// A server that stands still (its processor is taken, it is throttled) looks from outside like a network that
// became slow: what is asked waits before it is read. But what it then answers comes at once, where a network
// delays answers, too. The difference of the clocks is learnt as NTP does it (RFC 5905, section 10): from
// the exchanges that were quick, in which there is no room for an error larger than themselves.
#ifndef STORE_WAY_H
#define STORE_WAY_H

#include <stdint.h>

struct way {
    uint64_t quickest_us; // round trip: falls at once, rises slowly (it doubles within an hour of slow ones)
    int64_t apart_us;     // our clock less the server's, where the answer takes what it usually does
};

// `asked_us`, `answered_us`: by our clock. `server_us`: the server's clock when it made the answer, any
// epoch. How much longer than usual the answer was under way: at most answered_us - asked_us.
uint64_t way_back_us(struct way *way, uint64_t asked_us, uint64_t answered_us, uint64_t server_us);

#endif
