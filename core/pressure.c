// SPDX-License-Identifier: ISC
// What core can't take: log-ins and sign-ups while the store is away are refused at once, and the fronts are
// told how much to refuse before they read it. Runs in core; pure.
#include "core/flow.h"

#define STORE_PATIENCE_MS 1000 // a store that is being started again is waited for
#define RETRY_LEAST_MS    1000
#define RETRY_MOST_MS     10000

// ---- the store

void pressure_store_changed(struct core *core, bool up)
{
    if (!up && (core->store_up || core->store_lost_ms == 0)) {
        core->store_lost_ms = core->now_ms;
    }
    if (up && !core->store_up) { // what was refused meanwhile says nothing about now
        core->login_pressure.admission = core->sign_up_pressure.admission = (struct admission){0};
    }
    core->store_up = up;
}

// One that is there again and has not said yet how its database is, is waited for, too.
bool pressure_store_away(const struct core *core)
{
    return core->store_said && !core->store_up &&
           (core->store_spoke || core->now_ms >= core->store_lost_ms + STORE_PATIENCE_MS);
}

// Nobody knows when it will be back: as long again as half of what it has been away is as good a guess as
// any.
static uint32_t store_retry_after_ms(const struct core *core)
{
    uint64_t away_ms = core->store_up ? 0 : core->now_ms - core->store_lost_ms;
    uint64_t wait_ms = away_ms / 2;
    return (uint32_t)(wait_ms < RETRY_LEAST_MS  ? RETRY_LEAST_MS
                      : wait_ms > RETRY_MOST_MS ? RETRY_MOST_MS
                                                : wait_ms);
}

// With up to a half more, so that not all come back at once.
uint32_t pressure_store_retry_after_s(struct core *core)
{
    uint32_t random;
    core_random(core, &random, sizeof(random));
    uint32_t wait_ms = store_retry_after_ms(core);
    return (wait_ms + (random >> 16) * (wait_ms / 2) / 65536 + 999) / 1000;
}

bool pressure_store_is_there(struct core *core, struct flow *flow)
{
    if (!pressure_store_away(core)) {
        return true;
    }
    core->counters.logins_unavailable += flow->number == WIRE_MESSAGE_login;
    core->counters.registrations_unavailable += flow->number == WIRE_MESSAGE_register_account;
    flow_unavailable(core, flow, WIRE_STORE_DOWN, pressure_store_retry_after_s(core));
    return false;
}

// ---- what became of log-ins and sign-ups

static struct pressure *pressure_of(struct core *core, const struct flow *flow)
{
    return flow->number == WIRE_MESSAGE_login              ? &core->login_pressure
           : flow->number == WIRE_MESSAGE_register_account ? &core->sign_up_pressure
                                                           : NULL;
}

void pressure_arrived(struct core *core, struct flow *flow)
{
    struct pressure *pressure = pressure_of(core, flow);
    if (pressure != NULL) {
        flow->weighed = true;
        admission_arrived(&pressure->admission);
    }
}

// Not when it is answered: a commit that takes its time is no want of room.
void pressure_hashed(struct core *core, struct flow *flow)
{
    struct pressure *pressure = pressure_of(core, flow);
    if (pressure != NULL && flow->weighed && !flow->accepted) {
        flow->accepted = true;
        admission_accepted(&pressure->admission);
    }
}

void pressure_note(struct core *core, const struct flow *flow, enum wire_outcome outcome,
                   enum wire_reason reason)
{
    struct pressure *pressure = pressure_of(core, flow);
    if (pressure == NULL || !flow->weighed) {
        return;
    }
    bool short_of = reason == WIRE_HASH_BUSY || reason == WIRE_HASH_DOWN || reason == WIRE_STORE_BUSY ||
                    reason == WIRE_STORE_DOWN;
    if (outcome == WIRE_UNAVAILABLE && short_of) {
        pressure->reason = reason;
        if (flow->accepted) {
            admission_in_vain(&pressure->admission);
        } else {
            admission_refused(&pressure->admission);
        }
    } else if (!flow->accepted) {
        admission_untried(&pressure->admission);
    }
}

// ---- telling the fronts

struct told {
    uint16_t refused;
    uint8_t reason;
    uint32_t retry_after_s;
};

static struct told to_tell(const struct core *core, const struct pressure *pressure, enum hash_class class)
{
    if (pressure_store_away(core)) {
        return (struct told){ADMISSION_ALL, WIRE_STORE_DOWN, store_retry_after_ms(core) / 1000};
    }
    if (pressure->admission.share == 0) {
        return (struct told){0};
    }
    uint32_t retry_after_s = pressure->reason == WIRE_HASH_BUSY
                                 ? gate_retry_after_s(&core->hash_gate, class, 0)
                                 : admission_retry_after_s(&pressure->admission);
    return (struct told){(uint16_t)pressure->admission.share, (uint8_t)pressure->reason, retry_after_s};
}

static void encode(const struct core *core, struct bytes *packet)
{
    struct told login = to_tell(core, &core->login_pressure, HASH_LOGIN);
    struct told sign_up = to_tell(core, &core->sign_up_pressure, HASH_SIGN_UP);
    bytes_init(packet, 64);
    wire_core_admission_encode(packet,
                               &(struct wire_core_admission){.login_refused = login.refused,
                                                             .login_reason = login.reason,
                                                             .login_retry_after_s = login.retry_after_s,
                                                             .sign_up_refused = sign_up.refused,
                                                             .sign_up_reason = sign_up.reason,
                                                             .sign_up_retry_after_s = sign_up.retry_after_s});
}

void pressure_tell_front(struct core *core, uint16_t index)
{
    struct bytes packet;
    encode(core, &packet);
    core_say(core, WIRE_FRONT, index, &packet);
    bytes_release(&packet);
}

void pressure_tell_fronts(struct core *core)
{
    struct bytes packet;
    encode(core, &packet);
    bool same = packet.size == core->pressure_told_size && packet.size <= sizeof(core->pressure_told) &&
                memcmp(packet.data, core->pressure_told, packet.size) == 0;
    if (!same && packet.size <= sizeof(core->pressure_told)) {
        memcpy(core->pressure_told, packet.data, packet.size);
        core->pressure_told_size = packet.size;
        for (uint16_t i = 0; i < CORE_PEERS_MAX; i++) {
            if (core->front[i].up) {
                core_say(core, WIRE_FRONT, i, &packet);
            }
        }
    }
    bytes_release(&packet);
}

void pressure_tick(struct core *core)
{
    if (core->now_ms < core->pressure_next_ms) {
        return;
    }
    core->pressure_next_ms = core->now_ms + ADMISSION_EVERY_MS;
    const struct gate *gate = &core->hash_gate;
    bool place = gate->working < gate->workers;
    admission_update(&core->login_pressure.admission, place && gate->class[HASH_LOGIN].waiting == 0);
    admission_update(&core->sign_up_pressure.admission, place && gate->class[HASH_SIGN_UP].waiting == 0);
    gate_owe(&core->hash_gate, HASH_LOGIN, core->login_pressure.admission.turned_away);
    gate_owe(&core->hash_gate, HASH_SIGN_UP, core->sign_up_pressure.admission.turned_away);
    pressure_tell_fronts(core);
}
