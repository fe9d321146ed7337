// SPDX-License-Identifier: ISC
// Whose request is it? From the tables, or from the store when they don't know. Runs in core; pure.
// A row from the store is believed only when nothing ended or changed since the look-up began (tombstones),
// and is put into the tables on the way, so that the next check needs no message.
#include "core/flow.h"

#include "core/names.h"

#define LOOKUPS_MAX 4

uint64_t table_idle_expires(const struct core *core, const struct wire_session_row *session)
{
    if (core->settings.session_idle_s == 0) {
        return SESSIONS_NEVER;
    }
    // Time that stayd was away is not idleness. It is told every few seconds that stayd is alive; a session
    // that was seen since tells it as well.
    uint64_t alive = session->last_seen > core->last_alive_s ? session->last_seen : core->last_alive_s;
    uint64_t credit = core->idle_credit_s > 0 && core->started_s > alive ? core->started_s - alive : 0;
    return session->last_seen + core->settings.session_idle_s + credit;
}

static uint32_t account_flags(uint32_t flags)
{
    return ((flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0 ? ACCOUNT_DISABLED : 0) |
           ((flags & WIRE_ACCOUNT_EMAIL_VERIFIED) != 0 ? ACCOUNT_EMAIL_VERIFIED : 0);
}

bool table_put_account(struct core *core, const struct wire_account_row *account,
                       struct sessions_account_ref *ref)
{
    struct sessions_account put = {.id = account->id,
                                   .name = account->name,
                                   .display_name = account->display_name,
                                   .email = account->email,
                                   .groups = account->groups,
                                   .flags = account_flags(account->flags),
                                   .epoch = account->epoch};
    if (names_groups_have(account->groups, VIEW(WIRE_ADMIN_GROUP))) {
        put.flags |= ACCOUNT_ADMIN;
    }
    enum sessions_account_put_result result = sessions_account_put(core->tables, &put, ref);
    core->counters.sessions_no_room += result == SESSIONS_ACCOUNT_FULL; // nor has the one it is put for
    return result == SESSIONS_ACCOUNT_STORED || result == SESSIONS_ACCOUNT_STALE;
}

static bool is_over(const struct core *core, const struct wire_account_row *account,
                    const struct wire_session_row *session)
{
    return (account->flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0 || session->epoch != account->epoch ||
           session->expires <= wall_s(core) || table_idle_expires(core, session) <= wall_s(core);
}

// The account's row goes into the tables only when it can't be older than what is there.
static bool take_account(struct core *core, const struct wire_account_row *account, uint64_t began,
                         struct sessions_account_ref *ref)
{
    if (tombstones_allow(&core->tombstones, &account->id, began)) {
        return table_put_account(core, account, ref);
    }
    return sessions_account_raise(core->tables, &account->id, account->epoch) &&
           sessions_account_find(core->tables, &account->id, ref);
}

enum table_taken table_take(struct core *core, const struct wire_account_row *account,
                            const struct wire_session_row *session, uint64_t began)
{
    struct sessions_account_ref ref;
    if (is_over(core, account, session)) {
        return TABLE_OVER;
    }
    if (!take_account(core, account, began, &ref)) {
        return TABLE_NOT_KEPT;
    }
    if ((ref.flags & ACCOUNT_DISABLED) != 0) {
        return TABLE_OVER; // disabled here, and the store does not know yet
    }
    uint64_t idle_expires = table_idle_expires(core, session);
    struct sessions_row row = {.account_slot = ref.slot,
                               .account_generation = ref.generation,
                               .epoch = session->epoch,
                               .created = (uint32_t)session->created,
                               .expires = (uint32_t)session->expires,
                               .idle_expires =
                                   idle_expires >= SESSIONS_NEVER ? SESSIONS_NEVER : (uint32_t)idle_expires,
                               .idle_s = core->settings.session_idle_s,
                               .level = session->level};
    memcpy(row.selector, session->selector.byte, 16);
    memcpy(row.verifier_hash, session->verifier_hash.byte, 16);
    switch (sessions_insert(core->tables, &row)) {
    case SESSIONS_INSERTED:
    case SESSIONS_PRESENT:
        return TABLE_TAKEN;
    case SESSIONS_INSERT_OVER:
        return TABLE_OVER;
    case SESSIONS_INSERT_FULL:
        core->counters.sessions_no_room++;
        break;
    case SESSIONS_INSERT_STALE_ACCOUNT:
        break;
    }
    return TABLE_NOT_KEPT;
}

bool flow_keep_account(struct flow *flow, struct view *rows)
{
    struct wire_account_row row;
    struct view before = *rows;
    if (!wire_account_row_next(rows, &row)) {
        return false;
    }
    bytes_reset(&flow->account_bytes);
    bytes_append(&flow->account_bytes, before.data, before.size - rows->size);
    struct view kept = bytes_view(&flow->account_bytes);
    flow->has_account = !flow->account_bytes.failed && wire_account_row_next(&kept, &flow->account);
    return flow->has_account;
}

// The caller from the tables. 1: known, 0: known to be over, -1: the tables don't know.
static int from_tables(struct core *core, struct flow *flow)
{
    struct sessions_row row;
    struct sessions_identity account;
    const struct flow_origin *origin = &flow->origin;
    if (!sessions_find(core->tables, origin->selector.byte, &row)) {
        return -1;
    }
    struct sessions_account_ref ref = {.slot = row.account_slot, .generation = row.account_generation};
    if (!equal_secret(row.verifier_hash, flow->verifier_hash.byte, 16) || row.state != SESSION_LIVE ||
        row.expires <= wall_s(core) || row.idle_expires <= sessions_idle_clock(core->tables)) {
        return 0;
    }
    if (!sessions_account_read(core->tables, &ref, &account)) {
        return -1;
    }
    if (row.epoch < account.epoch || (account.account_flags & ACCOUNT_DISABLED) != 0) {
        return 0;
    }
    flow->caller =
        (struct flow_caller){.account_id = account.account,
                             .epoch = account.epoch,
                             .session_created = row.created,
                             .session_expires_max = row.expires,
                             .administrator = names_groups_have(account.groups, VIEW(WIRE_ADMIN_GROUP))};
    return view_to_cstr(account.name, flow->caller.name, sizeof(flow->caller.name)) ? 1 : -1;
}

static void look_up(struct core *core, struct flow *flow);

// A row that may not be believed is asked for again; after some tries the answer is "unknown", never a guess.
static void look_up_again(struct core *core, struct flow *flow)
{
    if (flow->lookups >= LOOKUPS_MAX) {
        core->counters.lookups_failed++;
        flow_unavailable(core, flow, WIRE_BUSY, 1);
    } else {
        look_up(core, flow);
    }
}

static void take_row(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct wire_session_row session;
    if (from_tables(core, flow) > 0) {
        // Another look-up was faster. The store may know of an end that is not visible yet: until it is, all
        // checks say the same.
        flow->then(core, flow, NULL);
        return;
    }
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        core->counters.lookups_none++;
        flow_refuse(core, flow, WIRE_NOT_SIGNED_IN, "");
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK || !wire_session_row_next(&rows, &session) ||
        !flow_keep_account(flow, &rows)) {
        core->counters.lookups_failed++;
        flow_store_failed(core, flow, answer);
        return;
    }
    if (!tombstones_allow(&core->tombstones, &session.selector, flow->began) ||
        !tombstones_allow(&core->tombstones, &session.account_id, flow->began)) {
        look_up_again(core, flow);
        return;
    }
    if (!equal_secret(session.verifier_hash.byte, flow->verifier_hash.byte, 16) ||
        table_take(core, &flow->account, &session, flow->began) == TABLE_OVER) {
        core->counters.lookups_none++;
        flow_refuse(core, flow, WIRE_NOT_SIGNED_IN, "");
        return;
    }
    core->counters.lookups_found++;
    flow->caller = (struct flow_caller){.account_id = session.account_id,
                                        .epoch = session.epoch,
                                        .session_created = session.created,
                                        .session_expires_max = session.expires,
                                        .administrator =
                                            names_groups_have(flow->account.groups, VIEW(WIRE_ADMIN_GROUP))};
    if (!view_to_cstr(flow->account.name, flow->caller.name, sizeof(flow->caller.name))) {
        flow_refuse(core, flow, WIRE_NOT_SIGNED_IN, "");
        return;
    }
    flow->then(core, flow, NULL);
}

static void look_up(struct core *core, struct flow *flow)
{
    flow->began = tombstones_begin(&core->tombstones);
    flow->lookups++;
    ASK_STORE(core, flow, take_row, store_session_by_selector, .selector = flow->origin.selector);
}

void flow_authenticate(struct core *core, struct flow *flow, flow_step then)
{
    if (!flow->origin.has_session) {
        flow_refuse(core, flow, WIRE_NOT_SIGNED_IN, "");
        return;
    }
    int known = from_tables(core, flow);
    if (known > 0) {
        then(core, flow, NULL);
    } else if (known == 0) {
        flow_refuse(core, flow, WIRE_NOT_SIGNED_IN, "");
    } else {
        flow->then = then;
        look_up(core, flow);
    }
}

static void must_administer(struct core *core, struct flow *flow, const struct answer *answer)
{
    if (!flow->caller.administrator) {
        flow_refuse(core, flow, WIRE_FORBIDDEN, "");
    } else {
        flow->then2(core, flow, answer);
    }
}

void flow_administer(struct core *core, struct flow *flow, flow_step then)
{
    if (flow_is_for(flow, WIRE_CTL)) {
        (void)view_to_cstr(VIEW("stayctl"), flow->caller.name, sizeof(flow->caller.name));
        then(core, flow, NULL);
        return;
    }
    flow->then2 = then;
    flow_authenticate(core, flow, must_administer);
}

static void account_loaded(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        flow_refuse(core, flow, WIRE_NOT_FOUND, "There is no such account.");
    } else if (answer->store.outcome != WIRE_STORE_OK || !flow_keep_account(flow, &rows)) {
        flow_store_failed(core, flow, answer);
    } else {
        flow->then(core, flow, NULL);
    }
}

void flow_load_account(struct core *core, struct flow *flow, struct view name, flow_step then)
{
    if (!names_username(name, flow->name, sizeof(flow->name))) {
        flow_refuse(core, flow, WIRE_NOT_FOUND, "There is no such account.");
        return;
    }
    flow->then = then;
    ASK_STORE(core, flow, account_loaded, store_account_by_name, .name = view_of_cstr(flow->name));
}

void flow_load_times(struct core *core, struct flow *flow, flow_step then)
{
    flow->then = then;
    ASK_STORE(core, flow, account_loaded, store_account_by_id, .id = flow->account.id);
}
