// SPDX-License-Identifier: ISC
// What a connection keeps between two turns of the loop: a request that is not complete, or not answered, and
// what came behind it. Used by stayd-front. Owns its bytes, which are wiped when freed: they may hold a
// password. Bounds: a head, a body, and two receives more;
// HELD_BYTES_MAX for all connections of a front together.
#ifndef FRONT_HELD_H
#define FRONT_HELD_H

#include "front/intake.h"

#define INBOX_BYTES    65536        // at most this is received at once
#define HELD_BYTES_MAX (128u << 20) // whoever would hold more loses the connection

struct held {
    struct held *next; // among the spare ones
    struct bytes in;
    size_t counted; // of the bytes of all
    struct intake intake;
};

// NULL: out of memory.
struct held *held_new(const struct http_limits *limits);
void held_free(struct held **held);
// Room for `size` more bytes behind held->in; NULL: over the bound, or out of memory. What was there before
// is wiped when it moves.
uint8_t *held_reserve(struct held *held, size_t size);
// The same with what is to stand there; false like NULL.
[[nodiscard]] bool held_append(struct held *held, const uint8_t *data, size_t size);
// A few are kept for the next ones; this frees them.
void held_free_spare(void);

#endif
