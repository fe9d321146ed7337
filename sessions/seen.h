// SPDX-License-Identifier: ISC
// "This session was seen": a ring in a small shared file, one per front, so that idle expiry needs no
// message. The front puts, core takes; both map the page for writing (core stores how far it has read).
// Single producer, single consumer, no lock. Owns nothing. Bounds: SEEN_RING_PLACES notes; a full ring
// refuses, and the front tries again at the next check. Core trusts nothing in it: positions are bounded by
// its own copy, and a note is only a hint (unknown selectors are dropped, an absolute expiry is never moved,
// times in the future are core's to cut).
#ifndef SESSIONS_SEEN_H
#define SESSIONS_SEEN_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEEN_RING_PLACES = 2048 };

struct seen_note {
    uint8_t selector[16];
    uint32_t seen_s; // unix seconds
};

struct seen_place {
    _Atomic uint64_t selector[2];
    _Atomic uint64_t seen_s;
};

// The file: SEEN_RING_BYTES of zeros is an empty ring.
struct seen_page {
    _Atomic uint32_t put; // notes ever put, modulo 2^32; stored by the front
    uint8_t reserved1[60];
    _Atomic uint32_t taken; // notes ever taken; stored by core
    uint8_t reserved2[60];
    struct seen_place place[SEEN_RING_PLACES];
};

static_assert(sizeof(struct seen_page) == 128 + 24 * SEEN_RING_PLACES);

enum { SEEN_RING_BYTES = (sizeof(struct seen_page) + 4095) / 4096 * 4096 };

// The front's side. Starts where the page says, so that a restarted front goes on.
struct seen_putter {
    struct seen_page *page;
    uint32_t put;
};

void seen_putter_init(struct seen_putter *putter, void *page);
// False when the ring is full (or core's position makes no sense).
bool seen_put(struct seen_putter *putter, const struct seen_note *note);

// Core's side.
struct seen_taker {
    struct seen_page *page;
    uint32_t taken;
};

void seen_taker_init(struct seen_taker *taker, void *page);
// False when there is none. A position of the front's that makes no sense empties the ring.
bool seen_take(struct seen_taker *taker, struct seen_note *note);

#endif
