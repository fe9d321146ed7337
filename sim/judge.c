// SPDX-License-Identifier: ISC
// The invariants. Runs in the simulator.
// 1. No token is another's: name and groups are those of its account at some moment of the check.
// 2. An end that was acknowledged, or was visible once, holds: no check that begins later is valid.
// 3. What was granted is valid until something may have ended it; "invalid" is never said for "unknown".
// 4. At rest the tables, the store and what the clients know agree, and nothing is left under way.
#include "sim/world.h"

#include "core/flow.h"
#include "sessions/write_parts.h"
#include "store/memory_tables.h"

#define CLOCK_S 3 // jumps and rounding

bool judge_time_may_end(const struct world *world, const struct model_session *session)
{
    uint64_t late_s = world->wall_high_s + CLOCK_S;
    uint32_t idle_s = world->settings.session_idle_s;
    return late_s >= session->expires_s || (idle_s > 0 && late_s >= session->seen_s + idle_s);
}

void judge_valid(struct world *world, int number, uint64_t begin, uint64_t wall_s, struct view name,
                 struct view groups, bool has_account)
{
    struct model_session *session = &world->model.session[number];
    const struct model_account *account = &world->model.account[session->account];
    uint32_t value;
    world->valid++;
    if (session->ended < begin) {
        world_fail(world, "session %d was ended at step %llu and is valid", number,
                   (unsigned long long)session->ended);
    }
    if (session->gone < begin) {
        world_fail(world, "session %d was over at step %llu and is valid again", number,
                   (unsigned long long)session->gone);
    }
    if (session->expires_s <= wall_s && world->jumped < begin) {
        world_fail(world, "session %d has expired and is valid", number);
    }
    if (has_account && !view_equal(name, view_of_cstr(account->name))) {
        world_fail(world, "session %d is %s's and gives %.*s", number, account->name, (int)name.size,
                   name.data);
    }
    if (has_account && (!model_groups_value(groups, &value) ||
                        !model_register_possible(&account->groups, value, begin, world->step))) {
        world_fail(world, "session %d of %s gives groups \"%.*s\", which are not theirs", number,
                   account->name, (int)groups.size, groups.data);
    }
    uint64_t now_s = world_wall_s(world);
    session->used_s = session->used_s > now_s ? session->used_s : now_s;
}

void judge_invalid(struct world *world, int number, bool check)
{
    struct model_session *session = &world->model.session[number];
    world->invalid++;
    if (judge_time_may_end(world, session)) {
        return;
    }
    if (session->ended == MODEL_NEVER && session->may_end == 0) {
        world_fail(world, "session %d is live and is said to be over", number);
    }
    // Other requests also ask the store, which may know a new password's or a deletion's end before the
    // tables.
    session->gone = !check || session->gone < world->step ? session->gone : world->step;
}

// What is pending in the tables is visible.
void judge_pending(struct world *world)
{
    struct sessions_pending pending;
    for (uint32_t place = 0; sessions_pending_next(&world->writer, &place, &pending); place++) {
        struct id16 selector;
        memcpy(selector.byte, pending.selector, 16);
        int number = pending.kind == SESSIONS_PENDING_END ? model_session_find(&world->model, &selector) : -1;
        if (number >= 0 && world->model.session[number].gone == MODEL_NEVER) {
            world->model.session[number].gone = world->step;
        }
    }
}

// ---- at rest

static const struct memory_session *stored(struct world *world, const struct id16 *selector,
                                           const struct memory_account **account)
{
    struct store_memory *store = &world->store.memory;
    const struct memory_session *session = memory_session_by_selector(store, *selector);
    *account = session == NULL ? NULL : memory_account_by_id(store, session->account_id);
    bool current = *account != NULL && ((*account)->flags & WIRE_ACCOUNT_DISABLED_FLAG) == 0 &&
                   (*account)->epoch == session->epoch;
    return current ? session : NULL;
}

static bool row_may_be_over(const struct world *world, const struct memory_session *row)
{
    uint64_t late_s = world->wall_high_s + CLOCK_S;
    uint32_t idle_s = world->settings.session_idle_s;
    return late_s >= row->expires || (idle_s > 0 && late_s >= row->last_seen + idle_s);
}

// Every stored session, known to a client or not: the tables agree or don't know.
static void judge_store_rows(struct world *world)
{
    for (size_t i = 0; i < world->store.memory.session_count; i++) {
        const struct memory_account *account;
        struct sessions_identity identity;
        const struct memory_session *row = stored(world, &world->store.memory.sessions[i].selector, &account);
        if (row == NULL || row_may_be_over(world, row)) {
            continue;
        }
        enum sessions_check check =
            sessions_check(&world->reader, row->selector.byte, row->verifier_hash.byte,
                           (uint32_t)world_wall_s(world), &identity);
        int number = model_session_find(&world->model, &row->selector);
        if (check == SESSIONS_INVALID) {
            world_fail(world, "at rest: session %d is in the store and the tables refuse it (%s)", number,
                       sessions_reason_text(identity.reason));
        }
        if (check == SESSIONS_VALID &&
            (memcmp(identity.account.byte, account->id.byte, 16) != 0 ||
             !view_equal(identity.name, MEMORY_VIEW(account->name)) || identity.epoch != account->epoch)) {
            world_fail(world, "at rest: session %d has another account or epoch in the tables", number);
        }
        if (check == SESSIONS_VALID && !view_equal(identity.groups, MEMORY_VIEW(account->groups))) {
            world_fail(world, "at rest: groups of %.*s are \"%.*s\" in the store and \"%.*s\" in the tables",
                       (int)account->name.size, account->name.data, (int)account->groups.size,
                       account->groups.data, (int)identity.groups.size, identity.groups.data);
        }
    }
}

// Every session in the table that a check would take: it is stored.
static void judge_table_entries(struct world *world)
{
    uint64_t buckets = addressing_count(table_addressing(&world->writer));
    for (uint64_t bucket = 0; bucket < buckets; bucket++) {
        for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
            struct table_place at = {bucket, i};
            if (!table_occupied(&world->writer, at)) {
                continue;
            }
            const struct sessions_entry *entry = table_entry(&world->writer, at);
            uint64_t selector[2] = {READ(entry->selector[0]), READ(entry->selector[1])};
            uint64_t verifier[2] = {READ(entry->verifier_hash[0]), READ(entry->verifier_hash[1])};
            struct id16 id, verifier_id;
            struct sessions_identity identity;
            const struct memory_account *account;
            memcpy(id.byte, selector, 16);
            memcpy(verifier_id.byte, verifier, 16);
            enum sessions_check check = sessions_check(&world->reader, id.byte, verifier_id.byte,
                                                       (uint32_t)world_wall_s(world), &identity);
            if (check == SESSIONS_VALID && identity.expires > world->wall_high_s + CLOCK_S &&
                stored(world, &id, &account) == NULL) {
                world_fail(world, "at rest: the tables have session %d, which the store does not have",
                           model_session_find(&world->model, &id));
            }
        }
    }
}

static void judge_sessions(struct world *world)
{
    for (uint32_t i = 0; i < world->model.session_count; i++) {
        struct model_session *session = &world->model.session[i];
        const struct memory_account *account;
        struct sessions_identity identity;
        bool live = stored(world, &session->selector, &account) != NULL;
        uint64_t wall_s = world_wall_s(world);
        enum sessions_check check = sessions_check(&world->reader, session->selector.byte,
                                                   session->verifier_hash.byte, (uint32_t)wall_s, &identity);
        if (live && session->ended != MODEL_NEVER) {
            world_fail(world, "at rest: session %u was ended and is in the store", i);
        }
        if (live && session->gone != MODEL_NEVER) {
            world_fail(world, "at rest: session %u was over and is in the store", i);
        }
        if (check == SESSIONS_VALID) {
            judge_valid(world, (int)i, world->step, wall_s, identity.name, identity.groups, true);
        }
        uint32_t idle_s = world->settings.session_idle_s;
        if (check == SESSIONS_VALID && idle_s > 0 && wall_s > session->used_s + idle_s + world->away_s + 10) {
            world_fail(world, "at rest: session %u should have expired by idleness", i);
        }
        if (judge_time_may_end(world, session)) {
            session->may_end = 1000000; // from here on only its end is certain
            continue;
        }
        if (!live && session->ended == MODEL_NEVER && session->may_end == 0) {
            world_fail(world, "at rest: session %u was granted and is not in the store", i);
        }
        session->may_end = 0;
        session->ended = live ? MODEL_NEVER : session->ended < world->step ? session->ended : world->step;
        session->ended_soft = false;
    }
}

static uint32_t stored_password(const struct memory_account *account)
{
    struct view rest = view_from(MEMORY_VIEW(account->phc), 5);
    uint64_t number = 0;
    (void)view_cut(&rest, '$');
    return view_to_u64(view_from(rest, sizeof("password-") - 1), &number) ? (uint32_t)number : 0;
}

static void settle(struct world *world, struct model_register *reg, uint32_t value, const char *what,
                   uint32_t account)
{
    if (!model_register_possible(reg, value, world->step, world->step)) {
        world_fail(world, "at rest: %s of user%u is %u in the store, which nobody could expect", what,
                   account, value);
    }
    model_register_settle(reg, value, world->step);
}

static void judge_accounts(struct world *world)
{
    for (uint32_t i = 0; i < MODEL_ACCOUNTS; i++) {
        struct model_account *account = &world->model.account[i];
        const struct memory_account *row =
            memory_account_by_name(&world->store.memory, view_of_cstr(account->name));
        uint32_t groups = 0;
        uint32_t state = row == NULL                                      ? MODEL_ABSENT
                         : (row->flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0 ? MODEL_DISABLED
                                                                          : MODEL_ENABLED;
        settle(world, &account->state, state, "the state", i);
        account->ends.count = 0;
        if (row == NULL) {
            model_register_settle(&account->groups, 0, world->step);
            model_register_settle(&account->password, 0, world->step);
            continue;
        }
        if (!model_groups_value(MEMORY_VIEW(row->groups), &groups)) {
            world_fail(world, "at rest: user%u has strange groups", i);
        }
        settle(world, &account->groups, groups, "the groups", i);
        settle(world, &account->password, stored_password(row), "the password", i);
    }
}

// Every granted change is in the audit trail, once for each thing it did.
static void judge_audit(struct world *world)
{
    const struct store_memory *store = &world->store.memory;
    for (uint32_t i = 0; i < world->audited_count; i++) {
        uint32_t rows = 0;
        for (size_t k = 0; k < store->audit_count; k++) {
            const struct memory_audit *row = &store->audit[k];
            bool granted =
                row->trace == world->audited[i] && view_equal(MEMORY_VIEW(row->outcome), VIEW("granted"));
            rows += granted;
        }
        if (rows != 1 && store->audit_count < store->rows_max) {
            world_fail(world, "at rest: request %llu has %u rows in the audit trail",
                       (unsigned long long)world->audited[i], rows);
        }
    }
    world->audited_count = 0;
}

void judge_calm(struct world *world)
{
    const char *wrong = sessions_verify(&world->writer);
    if (wrong != NULL) {
        world_fail(world, "at rest: %s", wrong);
    }
    if (world->core->hash_gate.working != 0 || world->core->hash_gate.waiting != 0) {
        world_fail(world, "at rest: %u at the gate, %u wait", world->core->hash_gate.working,
                   world->core->hash_gate.waiting);
    }
    judge_store_rows(world);
    judge_table_entries(world);
    judge_sessions(world);
    judge_accounts(world);
    judge_audit(world);
}
