// SPDX-License-Identifier: ISC
// What the reserved connection sees of the server beside its heartbeats: how many sessions work and what they
// wait for, and who is in their way. Used by the PostgreSQL service of stayd-store. Bounds: one question at a
// time, every EYES_QUIET_NS, and every EYES_BUSY_NS while something is slow, stuck or refused.
#ifndef STORE_POSTGRES_EYES_H
#define STORE_POSTGRES_EYES_H

#include "store/eyes.h"
#include "store/way.h"

#define EYES_QUIET_NS 500000000u
#define EYES_BUSY_NS  150000000u

enum postgres_glance { POSTGRES_GLANCE_NONE, POSTGRES_GLANCE_ACTIVITY, POSTGRES_GLANCE_LOCKS };

struct postgres_eyes {
    struct eyes eyes;
    uint64_t activity_ns;  // when it is next looked at
    uint64_t looked_ns;    // the last glance
    uint64_t waiting_lock; // sessions, at the last look
    uint64_t network_us;   // of the last heartbeat
    struct way way;        // of the heartbeats' answers
    uint64_t refused;      // at admission, until the last look
    bool locks_due;
    bool limited, limits_said; // others' statements can't be seen
    char host[256];            // of the server that answers
};

#endif
