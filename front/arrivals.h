// SPDX-License-Identifier: ISC
// What arrived in one turn of the loop: requests are received and parsed one after the other, their sessions
// are fetched from memory all together, and then each is answered. One by one, each would wait for memory by
// itself: with millions of sessions that is a quarter of a check (docs/performance.md). Used by stayd-front.
// Owns the bytes until they are served. Bounds: ARRIVALS_MAX, ARRIVALS_BYTES; what is over is served first.
#ifndef FRONT_ARRIVALS_H
#define FRONT_ARRIVALS_H

#include "front/connection.h"
#include "front/held.h"

#define ARRIVALS_MAX        SESSIONS_AHEAD_MAX
#define ARRIVALS_BYTES      INBOX_BYTES
#define ARRIVALS_LEAST_ROOM 16384 // for one of them

struct arrival {
    struct connection *connection; // NULL: closed since
    uint8_t *data;
    size_t size;
    struct intake intake;
};

// false: out of memory.
[[nodiscard]] bool arrivals_init(struct front *front);
void arrivals_release(struct front *front);

// Where to receive the next, at least ARRIVALS_LEAST_ROOM bytes.
uint8_t *arrivals_room(struct front *front, size_t *size);
// `size` bytes (> 0) were received there, for a connection that has none waiting: it is served at the end of
// this turn, or earlier.
void arrivals_add(struct connection *connection, size_t size);
// The connection is closed.
void arrivals_forget(struct connection *connection);

#endif
