// SPDX-License-Identifier: ISC
// Core's own work, in small pieces between requests: ends that are not durable yet are said again, "seen"
// notes and the audit trail go to the store, the tables are swept and, after a start, filled in the
// background. Runs in core; pure. Bounds: everything here has at most a few questions under way.
#include "core/flow.h"

#include "core/names.h"

#include <sodium.h>

#define RESENDS_MAX     64 // ends under way at once
#define RESEND_EVERY_MS 500
#define SEEN_EVERY_MS   5000
#define SEEN_ROWS_MAX   1000
#define EXPIRE_EVERY_MS 10000
#define EXPIRE_ROWS     500
// A database that has nothing to find them by would read all its rows for each look, on a processor that
// log-ins may need more: it is given little time, and seldom more.
#define EXPIRE_PATIENCE_MS 50
#define EXPIRE_AGAIN_MS    60000
#define EXPIRE_MORE        10
#define COLLECT_EVERY_MS   1000
#define WARM_ROWS          120
#define SWEEP_PASS_TICKS   1200 // a whole pass of the sweep takes about a minute
#define SWEEP_STEPS_MAX    16384

#define AUDIT_REFUSAL_EVERY_MS 200 // about 60 MB a day

// ---- ends that are visible and not durable

static void resent(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    core->resends--;
    flow_end(core, flow);
}

static void resend(struct core *core, const struct sessions_pending *pending)
{
    struct flow *flow = flow_new(core, 0, 0);
    if (flow == NULL) {
        return;
    }
    struct id16 selector;
    static const uint8_t nothing[16];
    memcpy(selector.byte, pending->selector, 16);
    core->resends++;
    if (pending->kind == SESSIONS_PENDING_END) {
        flow_end_session(core, flow, &selector, resent);
    } else {
        bool keep = memcmp(pending->selector, nothing, 16) != 0;
        flow_end_all(core, flow, &pending->account, pending->epoch, keep ? &selector : NULL, resent);
    }
}

static void resend_ends(struct core *core)
{
    struct sessions_pending pending;
    if (!core->store.up || core->now_ms < core->resend_next_ms) {
        return;
    }
    core->resend_next_ms = core->now_ms + RESEND_EVERY_MS;
    for (uint32_t place = 0;
         core->resends < RESENDS_MAX && sessions_pending_next(core->tables, &place, &pending); place++) {
        if (core->pending_flow[place] == 0) {
            resend(core, &pending);
        }
    }
}

// ---- seen

void core_seen(struct core *core, struct core_time now, const uint8_t selector[16], uint32_t seen_s)
{
    if (seen_s > now.wall_s + 2 || core->settings.session_idle_s == 0) {
        return; // a front can't keep a session alive beyond now
    }
    if (!sessions_extend_idle(core->tables, selector, seen_s + core->settings.session_idle_s)) {
        return;
    }
    struct wire_seen_row row = {.last_seen = seen_s};
    memcpy(row.selector.byte, selector, 16);
    if (core->seen_rows < SEEN_ROWS_MAX && wire_seen_row_append(&core->seen, &row)) {
        core->seen_rows++;
    }
    // What does not fit is in the table, and is noted again later.
}

static void seen_stored(struct core *core, struct flow *flow, const struct answer *answer)
{
    core->seen_busy = false;
    if (answer->store.outcome == WIRE_STORE_OK) {
        bytes_reset(&core->seen_sent);
    }
    flow_end(core, flow);
}

static void flush_seen(struct core *core)
{
    bool due = core->now_ms >= core->seen_next_ms || core->seen_rows >= SEEN_ROWS_MAX / 2;
    struct flow *flow = due && !core->seen_busy && core->store_up ? flow_new(core, 0, 0) : NULL;
    if (flow == NULL) {
        return;
    }
    core->seen_next_ms = core->now_ms + SEEN_EVERY_MS;
    core->seen_busy = true;
    if (core->seen_sent.size == 0) { // else: what could not be stored goes first
        struct bytes swap = core->seen_sent;
        core->seen_sent = core->seen;
        core->seen = swap;
        core->seen_rows = 0;
    }
    ASK_STORE(core, flow, seen_stored, store_session_seen, .alive = wall_s(core),
              .rows = bytes_view(&core->seen_sent));
}

// ---- the audit trail

// Refusals: strangers can make as many of them as they like, and must not fill the disk with them.
static bool may_record_refusal(struct core *core)
{
    uint64_t earned = (core->now_ms - core->refusals_since_ms) / AUDIT_REFUSAL_EVERY_MS;
    if (earned > 0) {
        uint64_t left = core->refusals_left + earned;
        core->refusals_left = left > AUDIT_REFUSALS_MAX ? AUDIT_REFUSALS_MAX : (uint32_t)left;
        core->refusals_since_ms += earned * AUDIT_REFUSAL_EVERY_MS;
    }
    if (core->refusals_left == 0) {
        return false;
    }
    core->refusals_left--;
    return true;
}

void audit(struct core *core, const struct flow *flow, const char *event, struct view username,
           const char *outcome, struct view detail)
{
    const char *actor = flow_is_for(flow, WIRE_CTL) ? "stayctl" : flow->caller.name;
    char name[WIRE_USERNAME_MAX + 1];
    if (strcmp(outcome, "granted") != 0 && !may_record_refusal(core)) {
        core->audit_dropped++;
        return;
    }
    if (!names_username(view_first(username, WIRE_USERNAME_MAX), name, sizeof(name))) {
        name[0] = '\0'; // what was typed into the name field may be a password
    }
    struct wire_audit_row row = {.time = wall_s(core),
                                 .trace = flow->origin.trace,
                                 .event = view_of_cstr(event),
                                 .username = view_of_cstr(name),
                                 .actor = view_of_cstr(actor),
                                 .source = flow->origin.source,
                                 .outcome = view_of_cstr(outcome),
                                 .detail = view_first(detail, 256)};
    if (!wire_audit_row_append(&core->audit, &row)) {
        core->audit.failed = false; // full: the store was away for long
        core->audit_dropped++;
        return;
    }
    core->audit_rows++;
}

void audit_mark(const struct id16 *selector, char out[static AUDIT_MARK_SIZE + 1])
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    crypto_generichash(hash, sizeof(hash), selector->byte, sizeof(selector->byte), NULL, 0);
    hex_encode(hash, AUDIT_MARK_SIZE / 2, out);
}

struct view audit_session(const char *before, const struct wire_session_row *session, const char *after,
                          char out[static AUDIT_SESSION_SIZE])
{
    char id[32];
    char mark[AUDIT_MARK_SIZE + 1];
    id[base64url_encode(session->public_id.byte, sizeof(session->public_id.byte), id)] = '\0';
    audit_mark(&session->selector, mark);
    snprintf(out, AUDIT_SESSION_SIZE, "%.40s%ssession %s mark %s%s%.60s", before,
             before[0] == '\0' ? "" : ", ", id, mark, after[0] == '\0' ? "" : ", ", after);
    return view_of_cstr(out);
}

static void audit_stored(struct core *core, struct flow *flow, const struct answer *answer)
{
    core->audit_busy = false;
    if (answer->store.outcome == WIRE_STORE_OK) {
        bytes_reset(&core->audit_sent);
    }
    flow_end(core, flow);
}

void audit_flush(struct core *core)
{
    if (core->audit_busy || !core->store_up || (core->audit_sent.size == 0 && core->audit.size == 0)) {
        return;
    }
    struct flow *flow = flow_new(core, 0, 0);
    if (flow == NULL) {
        return;
    }
    if (core->audit_sent.size == 0) { // else: what could not be stored goes first
        struct bytes swap = core->audit_sent;
        core->audit_sent = core->audit;
        core->audit = swap;
        core->audit_rows = 0;
    }
    core->audit_busy = true;
    ASK_STORE(core, flow, audit_stored, store_audit_add, .rows = bytes_view(&core->audit_sent));
}

// ---- expiry

static void expired(struct core *core, struct flow *flow, const struct answer *answer)
{
    if (answer->store.outcome == WIRE_STORE_OK) {
        core->expire_patience_ms = EXPIRE_PATIENCE_MS;
    } else {
        uint32_t more_ms = core->expire_patience_ms * EXPIRE_MORE;
        core->expire_patience_ms = more_ms < FLOW_ASK_MS ? more_ms : FLOW_ASK_MS;
        core->expire_next_ms = core->now_ms + EXPIRE_AGAIN_MS;
    }
    flow_end(core, flow);
}

static void delete_expired(struct core *core)
{
    if (!core->store_up || core->now_ms < core->expire_next_ms) {
        return;
    }
    core->expire_next_ms = core->now_ms + EXPIRE_EVERY_MS;
    struct flow *flow = flow_new(core, 0, 0);
    if (flow == NULL) {
        return;
    }
    uint64_t idle = core->settings.session_idle_s + (uint64_t)core->idle_credit_s + 600;
    if (core->expire_patience_ms == 0) {
        core->expire_patience_ms = EXPIRE_PATIENCE_MS;
    }
    wire_store_expired_delete_encode(
        &flow->question,
        &(struct wire_store_expired_delete){
            .op = flow_next_id(core, flow),
            .deadline_ms = core->expire_patience_ms,
            .now = wall_s(core),
            .idle_before = core->settings.session_idle_s > 0 && wall_s(core) > idle ? wall_s(core) - idle : 0,
            .limit = EXPIRE_ROWS});
    flow_ask(core, flow, WIRE_STORE, expired);
}

static void sweep(struct core *core)
{
    struct sessions_counts counts;
    struct sessions_swept swept;
    sessions_writer_counts(core->tables, &counts);
    uint64_t steps = (counts.buckets + counts.account_slots) / SWEEP_PASS_TICKS + 8;
    sessions_sweep(core->tables, steps > SWEEP_STEPS_MAX ? SWEEP_STEPS_MAX : (uint32_t)steps,
                   (uint32_t)wall_s(core), &swept);
    core->counters.sessions_expired += swept.expired + swept.idle;
}

// ---- accounts of which the tables may have an old row: a change was not answered, or a core died in it

void upkeep_unsure(struct core *core, const struct id16 *account)
{
    // The store drops what it did not begin by its deadline.
    core->unsure_next_ms = core->now_ms + FLOW_ASK_MS;
    for (uint32_t i = 0; i < core->unsure_count; i++) {
        if (memcmp(core->unsure[i].byte, account->byte, 16) == 0) {
            return;
        }
    }
    if (core->unsure_count < UNSURE_MAX) {
        core->unsure[core->unsure_count++] = *account;
    } else {
        core->warm_again = true; // all of them, then
    }
}

// A row that was asked for at `began`.
static void refresh_account(struct core *core, const struct wire_account_row *account, uint64_t began)
{
    struct sessions_account_ref ref;
    if (!tombstones_allow(&core->tombstones, &account->id, began)) {
        upkeep_unsure(core, &account->id);
    } else if (sessions_account_find(core->tables, &account->id, &ref)) {
        (void)table_put_account(core, account, &ref);
    }
}

static void made_sure(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    core->unsure_busy = false;
    if (answer->store.outcome == WIRE_STORE_OK && flow_keep_account(flow, &rows)) {
        refresh_account(core, &flow->account, flow->began);
    } else if (answer->store.outcome != WIRE_STORE_NOT_FOUND) {
        upkeep_unsure(core, &flow->end_account);
    }
    flow_end(core, flow);
}

static void make_sure(struct core *core)
{
    if (core->unsure_count == 0 || core->unsure_busy || !core->store_up ||
        core->now_ms < core->unsure_next_ms) {
        return;
    }
    struct flow *flow = flow_new(core, 0, 0);
    if (flow == NULL) {
        return;
    }
    core->unsure_busy = true;
    flow->end_account = core->unsure[--core->unsure_count];
    flow->began = tombstones_begin(&core->tombstones);
    ASK_STORE(core, flow, made_sure, store_account_by_id, .id = flow->end_account);
}

// ---- warming: after a start the table is filled in the background, never in the way of requests

static void warm(struct core *core);

// One page: each account's row, then its sessions.
static void warmed(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct wire_session_row session;
    bool any = false, fine = answer->store.outcome == WIRE_STORE_OK;
    while (fine && rows.size > 0) {
        if (wire_record_peek(rows) == WIRE_RECORD_account_row) {
            fine = flow_keep_account(flow, &rows);
            if (fine) {
                refresh_account(core, &flow->account, flow->began);
            }
            continue;
        }
        fine = flow->has_account && wire_session_row_next(&rows, &session);
        if (!fine) {
            break;
        }
        any = true;
        core->warm_account = session.account_id;
        core->warm_selector = session.selector;
        if (tombstones_allow(&core->tombstones, &session.selector, flow->began) &&
            tombstones_allow(&core->tombstones, &session.account_id, flow->began)) {
            (void)table_take(core, &flow->account, &session, flow->began);
        } // else: the first check of it asks the store
    }
    core->warm_busy = false;
    core->warm_done = fine && !any;
    core->warm_next_ms = core->now_ms + (fine ? 0 : 1000);
    flow_end(core, flow);
    if (core->counters.flows_active < 4) {
        warm(core);
    }
}

static void warm(struct core *core)
{
    if (core->warm_done && core->warm_again) {
        core->warm_done = core->warm_again = false;
        core->warm_account = core->warm_selector = (struct id16){{0}};
    }
    if (core->warm_done || core->warm_busy || !core->store_up || core->now_ms < core->warm_next_ms ||
        core->draining) {
        return;
    }
    struct flow *flow = flow_new(core, 0, 0);
    if (flow == NULL) {
        return;
    }
    core->warm_busy = true;
    flow->began = tombstones_begin(&core->tombstones);
    ASK_STORE(core, flow, warmed, store_session_page, .after_account = core->warm_account,
              .after_selector = core->warm_selector, .now = wall_s(core), .limit = WARM_ROWS);
}

static void collect_tombstones(struct core *core)
{
    if (core->now_ms < core->collect_next_ms) {
        return;
    }
    core->collect_next_ms = core->now_ms + COLLECT_EVERY_MS;
    uint64_t oldest = core->tombstones.number + 1;
    for (uint32_t i = 0; i < core->used_end; i++) {
        const struct flow *flow = &core->flows[i];
        if (flow->active && flow->began > 0 && flow->began < oldest) {
            oldest = flow->began;
        }
    }
    tombstones_collect(&core->tombstones, oldest);
}

void upkeep(struct core *core)
{
    // The rings were drained before this tick: idleness may be judged up to now.
    sessions_idle_clock_set(core->tables, (uint32_t)wall_s(core));
    if (!core->store_said) {
        return;
    }
    resend_ends(core); // also without the database: the store has its journal
    if (!core->store_known) {
        return;
    }
    audit_flush(core);
    flush_seen(core);
    delete_expired(core);
    collect_tombstones(core);
    make_sure(core);
    if (core->store_up) { // without the database nobody else knows that what is swept had ended
        sweep(core);
    }
    warm(core);
}
