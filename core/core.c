// SPDX-License-Identifier: ISC
// Core: events in, messages out. Runs in stayd-core and in the simulator; pure.
// 1. A grant is durable before it is visible; an end is visible before it is durable, and pending until it
// is.
// 2. A look-up's row is believed only when its session and account did not end or change since it began.
// 3. Every request is answered exactly once, unless its asker is gone.
#include "core/core.h"

#include "core/flow.h"

#include "base/stats.h"
#include "wire/event.h"

#include <sodium.h>

// Of the gate before hashing: a first guess at one hash; what may stand before it, and for how long a burst
// may (see base/gate.h).
#define GATE_HOLD_US     40000
#define GATE_TARGET_US   40000
#define GATE_INTERVAL_US 1000000

// Wiring of requests to handlers: the message, its handler. Decoding is the same for all.
// clang-format off
#define REQUESTS(X) \
    X(session_lookup) X(login) X(register_account) X(setup) \
    X(setup_state) X(logout) X(session_show) X(session_list) \
    X(session_end) X(session_end_others) X(password_change) X(account_list) \
    X(account_show) X(account_add) X(account_set) X(account_password) \
    X(account_invite) X(account_delete) X(account_sessions) X(account_sessions_end) \
    X(any_session_end) X(any_session_show) X(audit_list) X(status)
// clang-format on

#define COPY_ORIGIN(type, field, size_max) flow->origin.field = message->field;
#define X(name)                                                                                              \
    static bool take_##name(struct flow *flow)                                                               \
    {                                                                                                        \
        struct wire_##name *message = &flow->ask.name;                                                       \
        if (!wire_##name##_decode(bytes_view(&flow->request), message)) {                                    \
            return false;                                                                                    \
        }                                                                                                    \
        WIRE_ORIGIN(COPY_ORIGIN)                                                                             \
        return true;                                                                                         \
    }
REQUESTS(X)
#undef X

static const struct {
    bool (*take)(struct flow *flow);
    flow_handler handle;
} requests[WIRE_MESSAGE_END] = {
#define X(name) [WIRE_MESSAGE_##name] = {take_##name, on_##name},
    REQUESTS(X)
#undef X
};

struct core *core_new(const struct core_settings *settings, struct sessions_writer *tables,
                      const struct hash32 *seed, struct core_port port, struct core_time now)
{
    struct core *core = calloc(1, sizeof(*core));
    if (core == NULL) {
        return NULL;
    }
    core->settings = *settings;
    core->port = port;
    core->tables = tables;
    core->now = now;
    core->now_ms = now.mono_ns / 1000000;
    core->started_s = now.wall_s;
    core->refusals_left = AUDIT_REFUSALS_MAX;
    core->refusals_since_ms = core->now_ms;
    memcpy(core->random_key, seed->byte, sizeof(core->random_key));
    // Ids of two cores' questions differ: an answer to the one before can't be taken for this one's.
    core_random(core, &core->asks, 6);
    core->flows = calloc(CORE_FLOWS_MAX, sizeof(*core->flows));
    struct hash32 throttle_secret;
    core_random(core, throttle_secret.byte, sizeof(throttle_secret.byte));
    core->throttle = throttle_new(&throttle_secret);
    if (core->flows == NULL || core->throttle == NULL || !tombstones_init(&core->tombstones)) {
        core_free(&core);
        return NULL;
    }
    bytes_init(&core->audit, 32768);
    bytes_init(&core->audit_sent, 32768);
    bytes_init(&core->seen, 32768);
    bytes_init(&core->seen_sent, 32768);
    gate_init(&core->hash_gate, HASH_CLASSES, 0, CORE_HASH_WAITING_MAX, GATE_HOLD_US, GATE_TARGET_US,
              GATE_INTERVAL_US);
    return core;
}

void core_free(struct core **pointer)
{
    struct core *core = *pointer;
    if (core == NULL) {
        return;
    }
    for (uint32_t i = 0; core->flows != NULL && i < core->used_end; i++) {
        bytes_release(&core->flows[i].question);
        bytes_release(&core->flows[i].request);
        bytes_release(&core->flows[i].account_bytes);
    }
    free(core->flows);
    throttle_free(&core->throttle);
    tombstones_release(&core->tombstones);
    bytes_release(&core->audit);
    bytes_release(&core->audit_sent);
    bytes_release(&core->seen);
    bytes_release(&core->seen_sent);
    wipe(core, sizeof(*core));
    free(core);
    *pointer = NULL;
}

void core_configure(struct core *core, const struct core_settings *settings)
{
    core->settings = *settings;
    core_tell_fronts(core);
}

const struct core_counters *core_counters(const struct core *core)
{
    return &core->counters;
}

uint64_t wall_s(const struct core *core)
{
    return core->now.wall_s;
}

void core_random(struct core *core, void *out, size_t size)
{
    uint8_t seed[randombytes_SEEDBYTES];
    core->random_count++;
    crypto_generichash(seed, sizeof(seed), (const uint8_t *)&core->random_count, sizeof(core->random_count),
                       core->random_key, sizeof(core->random_key));
    randombytes_buf_deterministic(out, size, seed);
    wipe(seed, sizeof(seed));
}

bool core_say(struct core *core, enum wire_role role, uint16_t index, const struct bytes *packet)
{
    return !packet->failed && core->port.send(core->port.owner, role, index, bytes_view(packet));
}

void core_tell_watch(struct core *core, const struct wire_event *event)
{
    struct bytes packet;
    struct wire_event said = *event;
    said.mono_ns = core->now.mono_ns;
    said.role = STATS_ROLE_core;
    bytes_init(&packet, WIRE_PACKET_MAX);
    if (event_encode(&packet, &said)) {
        (void)core_say(core, WIRE_WATCH, 0, &packet);
    }
    bytes_release(&packet);
}

// ---- peers

static struct core_peer *peer_of(struct core *core, enum wire_role role, uint16_t index)
{
    switch ((unsigned)role) {
    case WIRE_FRONT:
        return index < CORE_PEERS_MAX ? &core->front[index] : NULL;
    case WIRE_CTL:
        return index < CORE_PEERS_MAX ? &core->ctl[index] : NULL;
    case WIRE_STORE:
        return &core->store;
    case WIRE_HASH:
        return &core->hash;
    case WIRE_KEY:
        return &core->key;
    default:
        return NULL;
    }
}

static void tell_front(struct core *core, uint16_t index)
{
    struct bytes packet;
    bytes_init(&packet, 64);
    wire_core_state_encode(&packet, &(struct wire_core_state){.ready = core->store_said && !core->draining,
                                                              .setup_open = core->store_empty,
                                                              .store_up = core->store_up});
    core_say(core, WIRE_FRONT, index, &packet);
    bytes_release(&packet);
}

void core_tell_fronts(struct core *core)
{
    for (uint16_t i = 0; i < CORE_PEERS_MAX; i++) {
        if (core->front[i].up) {
            tell_front(core, i);
        }
    }
}

static void take_time(struct core *core, struct core_time now)
{
    core->now = now;
    core->now_ms = now.mono_ns / 1000000;
}

// A process is back: what it was asked and did not answer is asked again.
static void ask_again(struct core *core, enum wire_role role)
{
    for (uint32_t i = 0; i < core->used_end; i++) {
        struct flow *flow = &core->flows[i];
        if (flow->active && flow->step != NULL && flow->asked == role && flow->resent < FLOW_RESEND_MAX) {
            flow->resent++;
            core_say(core, role, 0, &flow->question);
        }
    }
}

void core_peer_up(struct core *core, struct core_time now, enum wire_role role, uint16_t index)
{
    take_time(core, now);
    struct core_peer *peer = peer_of(core, role, index);
    if (peer == NULL) {
        return;
    }
    peer->up = true;
    peer->serial++;
    if (role == WIRE_FRONT) {
        tell_front(core, index);
        pressure_tell_front(core, index);
    } else if (role == WIRE_KEY) {
        ask_again(core, role);
    }
    // Store and hash say their state first; questions follow it.
}

void core_peer_down(struct core *core, struct core_time now, enum wire_role role, uint16_t index)
{
    take_time(core, now);
    struct core_peer *peer = peer_of(core, role, index);
    if (peer == NULL || !peer->up) {
        return;
    }
    peer->up = false;
    peer->serial++;
    if (role == WIRE_STORE) {
        core->store_spoke = false;
        pressure_store_changed(core, false);
        core_tell_fronts(core);
    }
}

// ---- packets

static bool take_store_state(struct core *core, struct view packet)
{
    struct wire_store_state state;
    if (!wire_store_state_decode(packet, &state)) {
        return false;
    }
    core->store_said = true;
    pressure_store_changed(core, state.up != 0);
    if (state.up) {
        bool first = !core->store_known;
        core->store_known = true;
        core->store_empty = state.empty != 0;
        if (first) {
            uint64_t away = state.last_alive > 0 && core->started_s > state.last_alive
                                ? core->started_s - state.last_alive
                                : 0;
            core->last_alive_s = state.last_alive;
            core->idle_credit_s = away > UINT32_MAX / 2 ? 0 : (uint32_t)away;
        }
        if (core->store_empty) {
            setup_open(core);
        }
    }
    // A store that was started anew without its database knows nothing of what the old one was asked.
    if (state.up || !core->store_spoke) {
        ask_again(core, WIRE_STORE);
    }
    core->store_spoke = true;
    core_tell_fronts(core);
    pressure_tell_fronts(core);
    return true;
}

static bool take_hash_state(struct core *core, struct view packet)
{
    struct wire_hash_state state;
    if (!wire_hash_state_decode(packet, &state) || state.workers == 0) {
        return false;
    }
    // Two jobs beyond the workers wait there, so that a worker never waits for core.
    gate_set_workers(&core->hash_gate, state.workers + 2u);
    if (!state.later) {
        ask_again(core, WIRE_HASH);
    }
    flow_gate_turn(core);
    return true;
}

static struct flow *waiting_flow(struct core *core, uint64_t id, enum wire_role role)
{
    struct flow *flow = &core->flows[id % CORE_FLOWS_MAX];
    return flow->active && flow->step != NULL && flow->id == id && flow->asked == role ? flow : NULL;
}

// Who answered says how long it waited and worked; the rest of the time the messages were under way, or
// nobody was there to answer.
static void keep_times(struct core *core, struct flow *flow, const struct answer *answer)
{
    uint32_t took_us = (uint32_t)((core->now.mono_ns - flow->asked_ns) / 1000);
    uint64_t said_us = 0;
    if (answer->arrived && flow->asked == WIRE_STORE) {
        said_us = (uint64_t)answer->store.wait_us + answer->store.run_us + answer->store.commit_us;
    } else if (answer->arrived && flow->asked == WIRE_HASH) {
        said_us = (uint64_t)answer->hash.wait_us + answer->hash.hash_us;
        core->counters.hash_waits++;
        core->counters.hash_wait_us += answer->hash.wait_us;
    } else if (answer->arrived) { // stayd-key does nothing slow and says nothing of it
        flow->key_us += took_us;
        return;
    }
    if (said_us <= took_us) { // else: it was asked twice, and this is the first answer's
        flow->pool_us += answer->store.wait_us;
        flow->statement_us += answer->store.run_us;
        flow->commit_us += answer->store.commit_us;
        flow->hash_wait_us += answer->hash.wait_us;
        flow->hash_us += answer->hash.hash_us;
        took_us -= (uint32_t)said_us;
    }
    flow->transit_us += took_us;
}

static void answer_flow(struct core *core, struct flow *flow, const struct answer *answer)
{
    flow_step step = flow->step;
    keep_times(core, flow, answer);
    flow->step = NULL;
    wipe(flow->question.data, flow->question.size);
    bytes_reset(&flow->question);
    step(core, flow, answer);
}

static bool take_answer(struct core *core, enum wire_role role, struct view packet)
{
    struct answer answer = {.arrived = true};
    uint64_t id = 0;
    bool fine = false;
    if (role == WIRE_STORE) {
        fine = wire_store_reply_decode(packet, &answer.store);
        id = answer.store.op;
    } else if (role == WIRE_HASH) {
        fine = wire_hash_reply_decode(packet, &answer.hash);
        id = answer.hash.job;
    } else {
        fine = wire_key_reply_decode(packet, &answer.key);
        id = answer.key.job;
    }
    struct flow *flow = fine ? waiting_flow(core, id, role) : NULL;
    if (flow != NULL) { // else: late, its flow is over
        if (flow->resent > 0 &&
            (answer.store.outcome == WIRE_STORE_NO_SPACE || answer.store.outcome == WIRE_STORE_REFUSED)) {
            // Nothing was done this time; what became of the first time is unknown.
            answer.store.outcome = WIRE_STORE_UNAVAILABLE;
        }
        answer_flow(core, flow, &answer);
    }
    return fine;
}

static bool take_ctl_hello(struct core *core, uint16_t index, struct view packet)
{
    struct wire_ctl_hello hello;
    if (!wire_ctl_hello_decode(packet, &hello)) {
        return false;
    }
    struct bytes out;
    bytes_init(&out, 2048);
    wire_ctl_welcome_encode(
        &out, &(struct wire_ctl_welcome){.protocol = 1,
                                         .hash_public_key = core->settings.hash_public_key,
                                         .version = view_of_cstr(core->settings.version),
                                         .public_url = view_of_cstr(core->settings.public_url)});
    core_say(core, WIRE_CTL, index, &out);
    bytes_release(&out);
    return true;
}

// The token's secret half is needed as a hash only.
static void hash_verifier(struct flow *flow)
{
    crypto_generichash(flow->verifier_hash.byte, 16, flow->origin.verifier.byte, 16, NULL, 0);
    wipe(&flow->origin.verifier, sizeof(flow->origin.verifier));
}

static bool take_request(struct core *core, enum wire_role role, uint16_t index, struct view packet)
{
    uint16_t number = wire_peek(packet);
    if (requests[number].take == NULL) {
        return false;
    }
    struct flow *flow = flow_new(core, role, index);
    if (flow == NULL) {
        core->counters.flows_refused++;
        struct bytes out;
        bytes_init(&out, 1024);
        // Every request begins with its head: the id is its first field.
        uint64_t request = 0;
        memcpy(&request, packet.data + 2, packet.size >= 10 ? sizeof(request) : 0);
        wire_reply_encode(&out, &(struct wire_reply){.request = request,
                                                     .outcome = WIRE_UNAVAILABLE,
                                                     .reason = WIRE_BUSY,
                                                     .retry_after_s = 1,
                                                     .received_ns = core->now.mono_ns,
                                                     .answered_ns = core->now.mono_ns});
        core_say(core, role, index, &out);
        bytes_release(&out);
        return packet.size >= 10;
    }
    flow->number = number;
    core->lookups += number == WIRE_MESSAGE_session_lookup;
    bytes_append_view(&flow->request, packet);
    if (flow->request.failed || !requests[number].take(flow)) {
        flow_end(core, flow);
        return false;
    }
    hash_verifier(flow);
    if (role == WIRE_CTL) {
        flow->origin.via = WIRE_VIA_CTL;
    }
    if (core->draining || !core->store_said) {
        flow_unavailable(core, flow, core->draining ? WIRE_DRAINING : WIRE_STARTING, 1);
    } else {
        requests[number].handle(core, flow);
    }
    return true;
}

bool core_packet(struct core *core, struct core_time now, enum wire_role role, uint16_t index,
                 struct view packet)
{
    take_time(core, now);
    switch (wire_peek(packet)) {
    case WIRE_MESSAGE_store_state:
        return take_store_state(core, packet);
    case WIRE_MESSAGE_hash_state:
        return take_hash_state(core, packet);
    case WIRE_MESSAGE_store_reply:
    case WIRE_MESSAGE_hash_reply:
    case WIRE_MESSAGE_key_reply:
        return take_answer(core, role, packet);
    case WIRE_MESSAGE_ctl_hello:
        return take_ctl_hello(core, index, packet);
    default:
        return wire_peek(packet) < WIRE_MESSAGE_END && take_request(core, role, index, packet);
    }
}

// ---- time

static void answer_none(struct core *core, struct flow *flow)
{
    core->counters.flows_timed_out++;
    answer_flow(
        core, flow,
        &(struct answer){.store.outcome = WIRE_STORE_UNAVAILABLE, .hash.verdict = WIRE_HASH_UNAVAILABLE});
}

static void deadlines(struct core *core)
{
    for (uint32_t i = 0; i < core->used_end; i++) {
        struct flow *flow = &core->flows[i];
        if (!flow->active) {
            continue;
        }
        if (flow->step != NULL && core->now_ms >= flow->ask_deadline_ms) {
            answer_none(core, flow);
        }
    }
}

static void show_guesses(struct core *core)
{
    if (core->now_ms < core->guesses_next_ms) {
        return;
    }
    core->guesses_next_ms = core->now_ms + GUESSES_EVERY_MS;
    struct guesses_now now = guesses_now(&core->guesses, core->now_ms);
    core->counters.guess_accounts = now.accounts;
    core->counters.guess_sources = now.sources;
    core->counters.guess_unknown = now.unknown;
}

void core_tick(struct core *core, struct core_time now)
{
    take_time(core, now);
    deadlines(core);
    flow_gate_turn(core);
    pressure_tick(core);
    upkeep(core);
    show_guesses(core);
    core->counters.gate_waiting = core->hash_gate.waiting;
    core->counters.tombstones = core->tombstones.count;
    core->counters.ends_pending = sessions_pending_count(core->tables);
    struct throttle_counts throttles = throttle_counts(core->throttle);
    core->counters.cache_throttles_hits = throttles.hits;
    core->counters.cache_throttles_misses = throttles.misses;
    core->counters.cache_throttles_evictions = throttles.evictions;
    core->counters.cache_throttles_entries = throttles.entries;
}

bool core_drain(struct core *core)
{
    if (!core->draining) {
        core->draining = true;
        core_tell_fronts(core);
    }
    audit_flush(core);
    return core->counters.flows_active == 0;
}
