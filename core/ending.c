// SPDX-License-Identifier: ISC
// Ends: one session, or all of an account. Runs in core; pure.
//
//   live ── end ──► ending (visible, in `pending`) ── durable ──► ended (gone from table and pending)
//                     ▲                                 │
//                     └──── upkeep says it again ◄──────┘ store away, full, or a new core
//
// 1. From the moment flow_end_session or flow_end_all is called no check is valid.
// 2. A place in `pending` has one flow at a time that may remove it (core->pending_flow).
// 3. No two ends of an account's sessions have the same epoch, so that each ends what was granted before it.
// 4. While an end is pending the tables refuse to take the session or the old epoch back; from its durability
// on the
//    tombstone refuses look-ups that began before.
#include "core/flow.h"

static void own_pending(struct core *core, struct flow *flow, uint32_t place)
{
    flow->pending_place = place;
    flow->has_pending = core->pending_flow[place] == 0;
    if (flow->has_pending) {
        core->pending_flow[place] = flow->place + 1u;
    }
}

static void disown_pending(struct core *core, struct flow *flow, bool durable)
{
    if (!flow->has_pending) {
        return;
    }
    flow->has_pending = false;
    core->pending_flow[flow->pending_place] = 0;
    if (durable) {
        sessions_pending_remove(core->tables, flow->pending_place);
    }
}

static bool is_durable(const struct answer *answer)
{
    return answer->store.outcome == WIRE_STORE_OK || answer->store.outcome == WIRE_STORE_NOT_FOUND;
}

static void session_ended(struct core *core, struct flow *flow, const struct answer *answer)
{
    flow->end_durable = is_durable(answer);
    flow->end_outcome = answer->store.outcome;
    if (flow->end_durable) {
        sessions_remove(core->tables, flow->end_selector.byte);
        core->counters.sessions_ended++;
    }
    tombstones_close(&core->tombstones, &flow->end_selector);
    disown_pending(core, flow, flow->end_durable);
    flow->then2(core, flow, answer);
}

void flow_end_session(struct core *core, struct flow *flow, const struct id16 *selector, flow_step then)
{
    struct sessions_pending pending = {.kind = SESSIONS_PENDING_END};
    uint32_t place;
    memcpy(pending.selector, selector->byte, 16);
    if (!sessions_pending_add(core->tables, &pending, &place)) {
        flow_unavailable(core, flow, WIRE_BUSY, 2);
        return;
    }
    own_pending(core, flow, place);
    flow->end_selector = *selector;
    flow->then2 = then;
    sessions_mark_ending(core->tables, selector->byte);
    tombstones_open(&core->tombstones, selector);
    ASK_STORE(core, flow, session_ended, store_session_end, .selector = flow->end_selector);
}

static void all_ended(struct core *core, struct flow *flow, const struct answer *answer)
{
    flow->end_durable = is_durable(answer);
    flow->end_outcome = answer->store.outcome;
    tombstones_close(&core->tombstones, &flow->end_account);
    disown_pending(core, flow, flow->end_durable);
    core->counters.sessions_ended += flow->end_durable;
    flow->then2(core, flow, answer);
}

static bool is_end_all_of(const struct sessions_pending *pending, const struct id16 *account)
{
    return pending->kind == SESSIONS_PENDING_END_ALL && memcmp(pending->account.byte, account->byte, 16) == 0;
}

uint32_t flow_next_epoch(struct core *core, const struct id16 *account, uint32_t known)
{
    struct sessions_account_ref ref;
    struct sessions_pending pending;
    uint32_t epoch = known;
    if (sessions_account_find(core->tables, account, &ref) && ref.epoch > epoch) {
        epoch = ref.epoch;
    }
    for (uint32_t place = 0; sessions_pending_next(core->tables, &place, &pending); place++) {
        if (is_end_all_of(&pending, account) && pending.epoch > epoch) {
            epoch = pending.epoch;
        }
    }
    return epoch + 1;
}

// Another end of this account's sessions, perhaps not visible yet, does not keep this one.
static bool is_being_ended(const struct core *core, const struct id16 *account, const struct id16 *selector)
{
    struct sessions_pending pending;
    for (uint32_t place = 0; sessions_pending_next(core->tables, &place, &pending); place++) {
        if (is_end_all_of(&pending, account) && memcmp(pending.selector, selector->byte, 16) != 0) {
            return true;
        }
    }
    return false;
}

void flow_end_others(struct core *core, struct flow *flow, flow_step then)
{
    const struct id16 *account = &flow->caller.account_id;
    if (is_being_ended(core, account, &flow->origin.selector)) {
        flow_unavailable(core, flow, WIRE_BUSY, 1);
        return;
    }
    flow_end_all(core, flow, account, flow_next_epoch(core, account, flow->caller.epoch),
                 &flow->origin.selector, then);
}

void flow_end_all(struct core *core, struct flow *flow, const struct id16 *account, uint32_t epoch,
                  const struct id16 *keep, flow_step then)
{
    struct sessions_pending pending = {.kind = SESSIONS_PENDING_END_ALL, .account = *account, .epoch = epoch};
    struct id16 kept = {{0}};
    uint32_t place;
    if (keep != NULL) {
        kept = *keep;
        memcpy(pending.selector, keep->byte, 16);
    }
    if (!sessions_pending_add(core->tables, &pending, &place)) {
        flow_unavailable(core, flow, WIRE_BUSY, 2);
        return;
    }
    own_pending(core, flow, place);
    flow->end_account = *account;
    flow->then2 = then;
    sessions_end_all(core->tables, account, epoch, keep != NULL ? keep->byte : NULL);
    tombstones_open(&core->tombstones, account);
    ASK_STORE(core, flow, all_ended, store_account_epoch, .id = *account, .epoch = epoch,
              .has_keep = keep != NULL, .keep = kept);
}

bool flow_intend_end_all(struct core *core, struct flow *flow, const struct id16 *account, uint32_t epoch,
                         const struct id16 *keep)
{
    struct sessions_pending pending = {.kind = SESSIONS_PENDING_END_ALL, .account = *account, .epoch = epoch};
    uint32_t place;
    if (keep != NULL) {
        memcpy(pending.selector, keep->byte, 16);
    }
    if (!sessions_pending_add(core->tables, &pending, &place)) {
        return false;
    }
    own_pending(core, flow, place);
    flow->intends = true;
    flow->end_account = *account;
    flow->end_epoch = epoch;
    tombstones_open(&core->tombstones, account);
    return true;
}

void flow_intent_done(struct core *core, struct flow *flow, const struct answer *answer,
                      const struct id16 *keep)
{
    struct sessions_account_ref ref;
    bool done = answer->store.outcome == WIRE_STORE_OK;
    bool not_done =
        answer->store.outcome == WIRE_STORE_CONFLICT || answer->store.outcome == WIRE_STORE_NOT_FOUND ||
        answer->store.outcome == WIRE_STORE_NO_SPACE || answer->store.outcome == WIRE_STORE_REFUSED;
    // A look-up meanwhile may have raised the epoch in the table already: then the end stands and is made
    // durable.
    bool raised =
        sessions_account_find(core->tables, &flow->end_account, &ref) && ref.epoch >= flow->end_epoch;
    if (done || !not_done || raised) {
        sessions_end_all(core->tables, &flow->end_account, flow->end_epoch, keep != NULL ? keep->byte : NULL);
    }
    flow->intends = false;
    tombstones_close(&core->tombstones, &flow->end_account);
    disown_pending(core, flow, done || (not_done && !raised));
}
