// SPDX-License-Identifier: ISC
// The state of one stayd-front process. One thread, one loop. Owns everything in it.
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "front/crowd.h"
#include "front/settings.h"
#include "front/sources.h"
#include "front/wheel.h"
#include "http/write.h"
#include "sessions/read.h"
#include "sessions/seen.h"
#include "wire/channel.h"

#include <ev.h>

#define FRONT_OUT_MAX (4 * 1024 * 1024)

struct listener;
struct connection;
struct asks;
struct lookups;
struct arrivals;

// Whose turn it is to be let in while most are refused early (early.c), in 65535ths of one.
struct early_turn {
    uint32_t credit, price;
};

struct front {
    struct ev_loop *loop;
    ev_timer tick;
    uint16_t index;
    bool draining;
    const struct settings *settings;

    struct sessions_reader tables; // both files, read-only
    bool has_tables;
    struct seen_putter seen;
    bool has_seen;
    struct sessions_identity identity; // of the request being answered

    struct listener *listeners;
    struct connection *connections; // all that are open
    uint32_t connection_count;
    struct wheel wheel;
    struct sources sources;
    struct crowd crowd;
    uint32_t penalties_until_s; // no source is refused after this

    struct asks *asks;
    struct lookups *lookups;
    struct arrivals *arrivals;

    uint64_t
        ready_ns; // monotonic: when the request being handled was whole; 0: it is a check, or there is none
    struct bytes out;  // what one connection is about to be sent
    struct bytes page; // a page being made
    struct http_date date;
    uint64_t trace_seed, traces;
    void (*on_idle)(struct front *front); // draining, and the last connection has gone
    bool warned_plain;
    struct early_turn login_turn, sign_up_turn;
    uint64_t turned_away; // log-ins and sign-ups that were refused early, in this stretch
    uint32_t turned_away_at;
    uint8_t turned_away_reason; // of the latest
    bool turning_away;
};

// `settings` passes to the front. false: out of memory.
[[nodiscard]] bool front_init(struct front *front, struct ev_loop *loop, const struct settings *settings);
void front_release(struct front *front);
void front_use_settings(struct front *front, const struct settings *settings);
// Finish what is going on, take nothing new.
void front_drain(struct front *front);

// Seconds since the loop began: for limits and penalties.
static inline uint32_t front_mono_s(const struct front *front)
{
    return front->wheel.now / (1000 / WHEEL_TICK_MS) + 1;
}
// Unix time of this turn of the loop.
static inline uint32_t front_wall_s(const struct front *front)
{
    return (uint32_t)ev_now(front->loop);
}
// An id for logs and for the client to quote. Never what a client sent.
uint64_t front_trace(struct front *front);

#endif
