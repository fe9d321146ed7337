// SPDX-License-Identifier: ISC
// A TCP proxy that misbehaves on request, between stayd and its database: what Toxiproxy's toxics do. Used by
// stayctl drill, in a process of its own. Owns: its sockets and what is on its way. Bounds: PROXY_PAIRS_MAX
// connections (more are reset), PROXY_PIECES pieces of PROXY_PIECE bytes on the way in each direction.
#ifndef DRILL_PROXY_H
#define DRILL_PROXY_H

#include "drill/toxics.h"

enum { PROXY_PAIRS_MAX = 128, PROXY_PIECES = 16, PROXY_PIECE = 8192 };

struct proxy;

// Listens on a free port of 127.0.0.1. NULL: no memory, or no port.
struct proxy *proxy_new(uint16_t target_port, struct toxics *toxics, uint64_t seed);
void proxy_free(struct proxy **proxy);
uint16_t proxy_port(const struct proxy *proxy);
unsigned proxy_open(const struct proxy *proxy); // connections now
// Later connections go there.
void proxy_retarget(struct proxy *proxy, uint16_t target_port);
// Waits at most so long, then carries what is due.
void proxy_turn(struct proxy *proxy, unsigned wait_ms);

#endif
