// SPDX-License-Identifier: ISC
// Core: every decision. A state machine without I/O, clock or randomness of its own: events go in, messages
// come out. Used by stayd-core (core_main.c) and, the same object files, by the simulator. Owns: flows in
// progress, the throttle, tombstones, the audit queue; writes the shared tables it is given. Bounds:
// CORE_FLOWS_MAX requests at once, CORE_PEERS_MAX channels of a role.
#ifndef CORE_CORE_H
#define CORE_CORE_H

#include "sessions/write.h"
#include "wire/messages.h"

enum {
    CORE_FLOWS_MAX = 4096,
    CORE_HASH_WAITING_MAX = 1024, // of each class
    CORE_PEERS_MAX = 256,         // fronts, and as many stayctl connections
    CORE_TICK_MS = 50,            // how often core_tick wants to be called
};

struct core;

struct core_time {
    uint64_t mono_ns;
    uint64_t wall_s;
};

// What core says goes through here. False: nobody is there, or its queue is full; core sends again where that
// matters.
struct core_port {
    bool (*send)(void *owner, enum wire_role role, uint16_t index, struct view packet);
    void *owner;
};

struct core_settings {
    enum wire_registration registration;
    uint32_t session_idle_s;
    uint32_t session_max_s;
    struct hash32 hash_public_key;
    struct hash32 setup_secret; // the set-up link is made of it: the same for the life of the supervisor
    char public_url[512];
    char version[64];
};

// Figures for the stats page; the shell copies them.
// clang-format off
#define CORE_COUNTERS(X) \
    X(logins_granted) X(logins_refused) X(logins_throttled) X(logins_unavailable) \
    X(registrations_granted) X(registrations_refused) X(registrations_unavailable) X(throttled) \
    X(flows_active) X(flows_refused) X(flows_timed_out) X(sessions_granted) \
    X(sessions_ended) X(sessions_expired) X(sessions_no_room) X(lookups_found) X(lookups_none) \
    X(lookups_failed) X(tombstones) X(ends_pending) X(gate_waiting) \
    X(gate_refused) X(gate_expired) X(gate_entered) \
    X(gate_waits) X(gate_wait_us) X(hash_waits) X(hash_wait_us) \
    X(guess_accounts) X(guess_sources) X(guess_unknown) \
    X(cache_throttles_hits) X(cache_throttles_misses) X(cache_throttles_evictions) X(cache_throttles_entries)
// clang-format on
struct core_counters {
#define X(name) uint64_t name;
    CORE_COUNTERS(X)
#undef X
};

// `tables` must outlive it. `seed`: fresh randomness for this core's life. NULL without memory.
struct core *core_new(const struct core_settings *settings, struct sessions_writer *tables,
                      const struct hash32 *seed, struct core_port port, struct core_time now);
void core_free(struct core **core);
void core_configure(struct core *core, const struct core_settings *settings);

// Events.
void core_peer_up(struct core *core, struct core_time now, enum wire_role role, uint16_t index);
void core_peer_down(struct core *core, struct core_time now, enum wire_role role, uint16_t index);
// false: not what its row says; the channel is to be ended.
[[nodiscard]] bool core_packet(struct core *core, struct core_time now, enum wire_role role, uint16_t index,
                               struct view packet);
// A front noted that a session was used.
void core_seen(struct core *core, struct core_time now, const uint8_t selector[16], uint32_t seen_s);
// Deadlines, repeats, upkeep. Call it about every CORE_TICK_MS, after the seen rings were drained.
void core_tick(struct core *core, struct core_time now);
// No new flows; true once none is left.
bool core_drain(struct core *core);

const struct core_counters *core_counters(const struct core *core);

#endif
