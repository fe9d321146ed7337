// SPDX-License-Identifier: ISC
// Flows: the pool, questions and answers, replies, the gate before hashing. Runs in core; pure.
// 1. An id names a place and a question: id % CORE_FLOWS_MAX is the place; an answer to an older question
// fits nothing.
// 2. A flow that ends gives back its place at the gate and what it was charged for a guess that nobody
// judged, and wipes what it held.
#include "core/flow.h"

#include <assert.h>

struct flow *flow_new(struct core *core, enum wire_role client, uint16_t client_index)
{
    uint32_t place;
    if (core->free_count > 0) {
        place = core->free_place[--core->free_count];
    } else if (core->used_end < CORE_FLOWS_MAX) {
        place = core->used_end++;
        bytes_init(&core->flows[place].question, WIRE_PACKET_MAX);
        bytes_init(&core->flows[place].request, WIRE_PACKET_MAX);
        bytes_init(&core->flows[place].account_bytes, 4096);
    } else {
        return NULL;
    }
    struct flow *flow = &core->flows[place];
    struct bytes question = flow->question, request = flow->request, account_bytes = flow->account_bytes;
    *flow = (struct flow){.place = place,
                          .active = true,
                          .client = client,
                          .client_index = client_index,
                          .started_ns = core->now.mono_ns,
                          .deadline_ms = core->now_ms + FLOW_LIFE_MS,
                          .question = question,
                          .request = request,
                          .account_bytes = account_bytes};
    flow->client_serial = client == WIRE_FRONT ? core->front[client_index].serial
                          : client == WIRE_CTL ? core->ctl[client_index].serial
                                               : 0;
    core->counters.flows_active++;
    return flow;
}

static void forget(struct bytes *bytes)
{
    wipe(bytes->data, bytes->size);
    bytes_reset(bytes);
}

void flow_end(struct core *core, struct flow *flow)
{
    assert(flow->active && flow->step == NULL);
    gate_forget(&core->hash_gate, &flow->ticket);
    flow_leave_gate(core, flow, false);
    flow_give_back(core, flow);
    forget(&flow->question);
    forget(&flow->request);
    forget(&flow->account_bytes);
    wipe(&flow->ask, sizeof(flow->ask)); // the caller's verifier is in its head
    wipe(&flow->grant, sizeof(flow->grant));
    wipe(flow->phc, sizeof(flow->phc));
    core->lookups -= flow->number == WIRE_MESSAGE_session_lookup;
    flow->active = false;
    core->free_place[core->free_count++] = flow->place;
    core->counters.flows_active--;
    flow_gate_turn(core);
}

// ---- guesses

void flow_charge(struct core *core, struct flow *flow)
{
    throttle_charge(core->throttle, flow->key_kind, flow->key_account, core->now_ms);
    flow->charged = true;
}

void flow_guess_failed(struct core *core, struct flow *flow)
{
    throttle_charge(core->throttle, THROTTLE_SOURCE, flow->key_source, core->now_ms);
    flow->charged = false;
}

void flow_give_back(struct core *core, struct flow *flow)
{
    if (flow->charged) {
        throttle_give_back(core->throttle, flow->key_kind, flow->key_account, core->now_ms);
        flow->charged = false;
    }
}

// ---- replies

static bool client_is_there(const struct core *core, const struct flow *flow)
{
    const struct core_peer *peer = flow->client == WIRE_FRONT ? &core->front[flow->client_index]
                                   : flow->client == WIRE_CTL ? &core->ctl[flow->client_index]
                                                              : NULL;
    return peer != NULL && peer->up && peer->serial == flow->client_serial;
}

// For the log. Only a name that exists: what else was typed into the name field may be a password.
static struct view account_name(const struct flow *flow)
{
    return flow->has_account ? flow->account.name : view_of_cstr(flow->caller.name);
}

static void reply(struct core *core, struct flow *flow, enum wire_outcome outcome, enum wire_reason reason,
                  uint32_t retry_after_s, struct view detail, struct view rows)
{
    pressure_note(core, flow, outcome, reason);
    if (client_is_there(core, flow)) {
        struct bytes packet;
        bytes_init(&packet, WIRE_PACKET_MAX);
        wire_reply_encode(&packet, &(struct wire_reply){.request = flow->origin.request,
                                                        .outcome = (uint8_t)outcome,
                                                        .reason = (uint8_t)reason,
                                                        .retry_after_s = retry_after_s,
                                                        .detail = view_first(detail, 512),
                                                        .account = account_name(flow),
                                                        .actor = view_of_cstr(flow->caller.name),
                                                        .received_ns = flow->started_ns,
                                                        .answered_ns = core->now.mono_ns,
                                                        .gate_us = flow->gate_us,
                                                        .key_us = flow->key_us,
                                                        .pool_us = flow->pool_us,
                                                        .statement_us = flow->statement_us,
                                                        .commit_us = flow->commit_us,
                                                        .hash_wait_us = flow->hash_wait_us,
                                                        .hash_us = flow->hash_us,
                                                        .transit_us = flow->transit_us,
                                                        .rows = rows});
        core_say(core, flow->client, flow->client_index, &packet);
        wipe(packet.data, packet.size);
        bytes_release(&packet);
    }
    flow_end(core, flow);
}

void flow_grant(struct core *core, struct flow *flow, struct view rows)
{
    reply(core, flow, WIRE_GRANTED, WIRE_REASON_NONE, 0, VIEW(""), rows);
}

void flow_refuse_view(struct core *core, struct flow *flow, enum wire_reason reason, struct view detail)
{
    reply(core, flow, WIRE_REFUSED, reason, 0, detail, VIEW(""));
}

void flow_refuse(struct core *core, struct flow *flow, enum wire_reason reason, const char *detail)
{
    flow_refuse_view(core, flow, reason, view_of_cstr(detail));
}

void flow_throttled(struct core *core, struct flow *flow, uint32_t wait_ms)
{
    core->counters.throttled++;
    reply(core, flow, WIRE_REFUSED, WIRE_THROTTLED, (wait_ms + 999) / 1000, VIEW("Too many failed attempts."),
          VIEW(""));
}

void flow_unavailable(struct core *core, struct flow *flow, enum wire_reason reason, uint32_t retry_after_s)
{
    reply(core, flow, WIRE_UNAVAILABLE, reason, retry_after_s, VIEW(""), VIEW(""));
}

void flow_store_failed(struct core *core, struct flow *flow, const struct answer *answer)
{
    bool full = answer->store.outcome == WIRE_STORE_NO_SPACE;
    bool refused = answer->store.outcome == WIRE_STORE_REFUSED;
    uint32_t retry_after_s = full ? 10
                             : refused && answer->store.retry_after_s > 0
                                 ? answer->store.retry_after_s
                                 : pressure_store_retry_after_s(core);
    flow_unavailable(core, flow,
                     full      ? WIRE_STORE_FULL
                     : refused ? WIRE_STORE_BUSY
                               : WIRE_STORE_DOWN,
                     retry_after_s);
}

// ---- questions

uint64_t flow_next_id(struct core *core, struct flow *flow)
{
    forget(&flow->question);
    flow->id = ++core->asks * CORE_FLOWS_MAX + flow->place;
    return flow->id;
}

// The end of a wait that begins now; a flow whose life is over is answered at the next tick.
static uint64_t wait_end_ms(const struct core *core, const struct flow *flow)
{
    uint64_t end_ms = core->now_ms + FLOW_ASK_MS;
    return end_ms < flow->deadline_ms ? end_ms : flow->deadline_ms;
}

void flow_ask(struct core *core, struct flow *flow, enum wire_role role, flow_step step)
{
    assert(flow->step == NULL && !flow->question.failed);
    flow->asked = role;
    flow->step = step;
    flow->resent = 0;
    flow->asked_ns = core->now.mono_ns;
    flow->ask_deadline_ms = wait_end_ms(core, flow);
    // Not sent (the process is being restarted): it will be asked when it is back, or the deadline answers.
    core_say(core, role, 0, &flow->question);
}

// ---- the gate before hashing

static uint64_t now_us(const struct core *core)
{
    return core->now.mono_ns / 1000;
}

static uint64_t gate_deadline_us(const struct core *core, const struct flow *flow)
{
    uint64_t end_ms = core->now_ms + FLOW_GATE_MS;
    return (end_ms < flow->deadline_ms ? end_ms : flow->deadline_ms) * 1000;
}

static void gate_waited(struct core *core, struct flow *flow)
{
    uint32_t waited_us = (uint32_t)((core->now.mono_ns - flow->gate_entered_ns) / 1000);
    flow->gate_us += waited_us;
    core->counters.gate_waits++;
    core->counters.gate_wait_us += waited_us;
}

static void go_on(struct core *core, struct flow *flow)
{
    flow_step then = flow->then;
    gate_waited(core, flow);
    core->counters.gate_entered++;
    then(core, flow, NULL);
}

static void hash_busy(struct core *core, struct flow *flow, enum hash_class class)
{
    uint32_t random;
    core_random(core, &random, sizeof(random));
    core->counters.logins_unavailable += flow->number == WIRE_MESSAGE_login;
    core->counters.registrations_unavailable += flow->number == WIRE_MESSAGE_register_account;
    flow_unavailable(core, flow, WIRE_HASH_BUSY, gate_retry_after_s(&core->hash_gate, class, random));
}

bool flow_gate_is_open(struct core *core, struct flow *flow, enum hash_class class)
{
    if (!gate_would_refuse(&core->hash_gate, class, gate_deadline_us(core, flow), now_us(core))) {
        return true;
    }
    gate_owe(&core->hash_gate, class, 1);
    core->counters.gate_refused++;
    hash_busy(core, flow, class);
    return false;
}

void flow_enter_gate(struct core *core, struct flow *flow, enum hash_class class, flow_step then)
{
    flow->then = then;
    flow->gate_entered_ns = core->now.mono_ns;
    switch (gate_enter(&core->hash_gate, &flow->ticket, class, gate_deadline_us(core, flow), now_us(core))) {
    case GATE_ENTERED:
        go_on(core, flow);
        break;
    case GATE_WAITING:
        flow_gate_turn(core); // what waits behind it may have to go
        break;
    case GATE_REFUSED:
        core->counters.gate_refused++;
        hash_busy(core, flow, class);
        break;
    }
}

void flow_leave_gate(struct core *core, struct flow *flow, bool ran)
{
    if (flow->ticket.working) {
        gate_leave(&core->hash_gate, &flow->ticket, ran, now_us(core));
    }
    if (ran) {
        pressure_hashed(core, flow);
    }
}

static struct flow *flow_of(struct gate_ticket *ticket)
{
    return (struct flow *)((uint8_t *)ticket - offsetof(struct flow, ticket));
}

// What it starts may end flows, which asks for another turn: the one under way goes on instead.
void flow_gate_turn(struct core *core)
{
    struct gate_ticket *ticket;
    if (core->gate_turning) {
        return;
    }
    core->gate_turning = true;
    do {
        while ((ticket = gate_drop(&core->hash_gate, now_us(core))) != NULL) {
            struct flow *flow = flow_of(ticket);
            gate_waited(core, flow);
            core->counters.gate_expired++;
            hash_busy(core, flow, ticket->class);
        }
        ticket = gate_next(&core->hash_gate, now_us(core));
        if (ticket != NULL) {
            go_on(core, flow_of(ticket));
        }
    } while (ticket != NULL);
    core->gate_turning = false;
}
