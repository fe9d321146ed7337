// SPDX-License-Identifier: ISC
// Sessions that the tables do not know: asks core, once for the same one, and remembers for a while what was
// unknown, so that random tokens cost next to nothing. Used by stayd-front. Owns its tables.
// Bounds: LOOKUP_REMEMBERED unknown tokens, up to LOOKUP_REMEMBERED_MAX while what is still remembered would
// be pushed out, LOOKUP_FORGET_S each; LOOKUP_VOUCHED answers between core's reply and the request that waits
// for it.
#ifndef FRONT_LOOKUP_H
#define FRONT_LOOKUP_H

#include "front/ask.h"

#define LOOKUP_REMEMBERED     4096 // powers of two
#define LOOKUP_REMEMBERED_MAX 65536
#define LOOKUP_FORGET_S       10

[[nodiscard]] bool lookups_init(struct front *front);
void lookups_release(struct front *front);
// What the tables missed: see enum exchange_session. Fills front->identity when signed in.
enum exchange_session lookup_session(struct exchange *exchange);
// The turn in which an answer was given is over: whoever did not use it (a connection that still sends) asks
// again.
void lookup_answer_forget(struct front *front);

#endif
