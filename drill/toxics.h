// SPDX-License-Identifier: ISC
// What may be wrong with a network, as numbers: when a piece of a connection that arrived now is passed on.
// Used by the fault proxy. Pure: time and chance come from the caller. Owns nothing.
#ifndef DRILL_TOXICS_H
#define DRILL_TOXICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// In a page that the drill writes and the proxy reads; each number by itself. 0: not so.
struct toxics {
    _Atomic uint32_t latency_ms;       // each way
    _Atomic uint32_t jitter_ms;        // as much more or less
    _Atomic uint32_t bytes_per_second; // each way, of each connection
    _Atomic uint32_t lost_thousandths; // of the pieces: each waits for a retransmission, as TCP's does
    _Atomic uint32_t slow_close_ms;    // an end is told so much later
    _Atomic uint32_t timeout_ms;       // nothing passes, and after so long the connection is closed
    _Atomic uint32_t reset_ms;         // a connection is reset so long after it began, or after this was set
    _Atomic uint32_t blackhole;        // nothing passes, and nobody is told
    _Atomic uint32_t refuse;           // new connections are reset at once
};

// One direction of a connection.
struct toxic_flow {
    uint64_t due_ns; // of the last piece: nothing overtakes
};

// When a piece of so many bytes is to be passed on.
uint64_t toxics_due(const struct toxics *toxics, struct toxic_flow *flow, uint64_t now_ns, size_t size,
                    uint64_t *random);
bool toxics_hold(const struct toxics *toxics); // nothing passes
void toxics_clear(struct toxics *toxics);

#endif
