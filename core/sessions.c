// SPDX-License-Identifier: ISC
// Requests about sessions: look-up, own sessions, ending them. Runs in core; pure.
#include "core/flow.h"

#include "core/names.h"

static void append_session(const struct core *core, const struct flow *flow, struct bytes *rows,
                           const struct wire_session_row *session)
{
    struct sessions_row live;
    struct wire_session_row fresh = *session;
    // The table knows better than the store when a session was last seen.
    if (sessions_find(core->tables, session->selector.byte, &live) && live.idle_s > 0 &&
        live.idle_expires != SESSIONS_NEVER && live.idle_expires - live.idle_s > fresh.last_seen) {
        fresh.last_seen = live.idle_expires - live.idle_s;
    }
    uint64_t idle_expires = table_idle_expires(core, &fresh);
    wire_session_public_append(
        rows, &(struct wire_session_public){
                  .public_id = session->public_id,
                  .created = session->created,
                  .last_seen = fresh.last_seen,
                  .expires = idle_expires < session->expires ? idle_expires : session->expires,
                  .expires_max = session->expires,
                  .address = session->address,
                  .agent = session->agent,
                  .current = flow->origin.has_session &&
                             memcmp(session->selector.byte, flow->origin.selector.byte, 16) == 0});
}

// ---- look-up of a session that a front did not find

static void looked_up(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    struct bytes rows;
    bytes_init(&rows, 4096);
    if (flow->has_account) { // in the tables by now, if there was room
        flow_append_account(&rows, &flow->account);
    }
    flow_grant(core, flow, bytes_view(&rows));
    bytes_release(&rows);
}

void on_session_lookup(struct core *core, struct flow *flow)
{
    if (core->lookups > FLOW_LOOKUPS_MAX) {
        flow_unavailable(core, flow, WIRE_BUSY, 1);
        return;
    }
    flow_authenticate(core, flow, looked_up);
}

// ---- the caller's own

// One session with its account, into `out`, which is the caller's to release. False: the flow is refused for
// `none`, or has failed.
static bool take_shown(struct core *core, struct flow *flow, const struct answer *answer,
                       enum wire_reason none, const char *text, struct wire_session_row *session,
                       struct bytes *out)
{
    struct view rows = answer->store.rows;
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        flow_refuse(core, flow, none, text);
        return false;
    }
    if (answer->store.outcome != WIRE_STORE_OK || !wire_session_row_next(&rows, session) ||
        !flow_keep_account(flow, &rows)) {
        flow_store_failed(core, flow, answer);
        return false;
    }
    bytes_init(out, 8192);
    append_session(core, flow, out, session);
    flow_append_account(out, &flow->account);
    return true;
}

static void shown(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct wire_session_row session;
    struct bytes out;
    if (!take_shown(core, flow, answer, WIRE_NOT_SIGNED_IN, "", &session, &out)) {
        return;
    }
    flow_grant(core, flow, bytes_view(&out));
    bytes_release(&out);
}

static void show(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    ASK_STORE(core, flow, shown, store_session_by_selector, .selector = flow->origin.selector);
}

void on_session_show(struct core *core, struct flow *flow)
{
    flow_authenticate(core, flow, show);
}

static void listed(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct wire_session_row session;
    struct bytes out;
    if (answer->store.outcome != WIRE_STORE_OK) {
        flow_store_failed(core, flow, answer);
        return;
    }
    bytes_init(&out, 61440);
    while (wire_session_row_next(&rows, &session)) {
        bool live = session.expires > wall_s(core) && table_idle_expires(core, &session) > wall_s(core);
        struct sessions_row in_table;
        if (sessions_find(core->tables, session.selector.byte, &in_table)) {
            live = in_table.state == SESSION_LIVE && in_table.expires > wall_s(core) &&
                   in_table.idle_expires > sessions_idle_clock(core->tables);
        }
        if (live) {
            append_session(core, flow, &out, &session);
        }
    }
    flow_grant(core, flow, bytes_view(&out));
    bytes_release(&out);
}

static void list_of(struct core *core, struct flow *flow, const struct id16 *account)
{
    ASK_STORE(core, flow, listed, store_session_list, .account_id = *account, .now = wall_s(core),
              .limit = 150);
}

static void list(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    list_of(core, flow, &flow->caller.account_id);
}

void on_session_list(struct core *core, struct flow *flow)
{
    flow_authenticate(core, flow, list);
}

// ---- ends

// Which sessions it was about, as far as the trail can name them.
static void describe_end(const struct flow *flow, char out[static AUDIT_SESSION_SIZE])
{
    char mark[AUDIT_MARK_SIZE + 1];
    switch (flow->number) {
    case WIRE_MESSAGE_logout:
        audit_mark(&flow->origin.selector, mark);
        snprintf(out, AUDIT_SESSION_SIZE, "log-out, mark %s", mark);
        return;
    case WIRE_MESSAGE_session_end_others:
        audit_mark(&flow->origin.selector, mark);
        snprintf(out, AUDIT_SESSION_SIZE, "all others, kept mark %s", mark);
        return;
    case WIRE_MESSAGE_account_sessions_end:
        snprintf(out, AUDIT_SESSION_SIZE, "all");
        return;
    default:
        audit_mark(&flow->end_selector, mark);
        snprintf(out, AUDIT_SESSION_SIZE, "one, mark %s", mark);
    }
}

static void end_answered(struct core *core, struct flow *flow, const struct answer *answer)
{
    char detail[AUDIT_SESSION_SIZE];
    describe_end(flow, detail);
    audit(core, flow, "session_end", view_of_cstr(flow->name[0] != '\0' ? flow->name : flow->caller.name),
          flow->end_durable ? "granted" : "not_durable_yet", view_of_cstr(detail));
    if (flow->end_durable) {
        flow_grant(core, flow, VIEW(""));
    } else {
        // Over for every check on this machine already; core goes on until the store has it.
        flow_store_failed(core, flow, answer);
    }
}

static void log_out(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_end_session(core, flow, &flow->origin.selector, end_answered);
}

void on_logout(struct core *core, struct flow *flow)
{
    flow_authenticate(core, flow, log_out);
}

static void end_found(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct wire_session_row session;
    if (answer->store.outcome != WIRE_STORE_OK && answer->store.outcome != WIRE_STORE_NOT_FOUND) {
        flow_store_failed(core, flow, answer);
        return;
    }
    bool any = flow->number == WIRE_MESSAGE_any_session_end;
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND || !wire_session_row_next(&rows, &session) ||
        !flow_keep_account(flow, &rows) ||
        (!any && memcmp(session.account_id.byte, flow->caller.account_id.byte, 16) != 0)) {
        flow_refuse(core, flow, WIRE_NOT_FOUND, "There is no such session.");
        return;
    }
    (void)view_to_cstr(flow->account.name, flow->name, sizeof(flow->name));
    struct id16 selector = session.selector;
    flow_end_session(core, flow, &selector, end_answered);
}

static void end_by_public_id(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    bool any = flow->number == WIRE_MESSAGE_any_session_end;
    ASK_STORE(core, flow, end_found, store_session_by_public_id,
              .public_id = any ? flow->ask.any_session_end.public_id : flow->ask.session_end.public_id);
}

void on_session_end(struct core *core, struct flow *flow)
{
    flow_authenticate(core, flow, end_by_public_id);
}

void on_any_session_end(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, end_by_public_id);
}

static void end_others(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_end_others(core, flow, end_answered);
}

void on_session_end_others(struct core *core, struct flow *flow)
{
    flow_authenticate(core, flow, end_others);
}

// ---- an administrator looks at, and ends, somebody's sessions

static void account_sessions(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    list_of(core, flow, &flow->account.id);
}

static void load_for_sessions(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_load_account(core, flow, flow->ask.account_sessions.username, account_sessions);
}

void on_account_sessions(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, load_for_sessions);
}

static void account_sessions_end(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    struct id16 id = flow->account.id;
    flow_end_all(core, flow, &id, flow_next_epoch(core, &id, flow->account.epoch), NULL, end_answered);
}

static void load_for_end(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_load_account(core, flow, flow->ask.account_sessions_end.username, account_sessions_end);
}

void on_account_sessions_end(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, load_for_end);
}

// ---- one session, for stayctl why

// What a check would make of it, and if it would be refused, why.
static const char *state_of(const struct core *core, const struct flow *flow,
                            const struct wire_session_row *session)
{
    struct sessions_row live;
    bool in_table = sessions_find(core->tables, session->selector.byte, &live);
    if (in_table && live.state != SESSION_LIVE) {
        return "ending";
    }
    if ((flow->account.flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0) {
        return "account_disabled";
    }
    if (session->epoch < flow->account.epoch) {
        return "ended_with_all";
    }
    if (session->expires <= wall_s(core)) {
        return "expired";
    }
    bool idle = in_table ? live.idle_expires <= sessions_idle_clock(core->tables)
                         : table_idle_expires(core, session) <= wall_s(core);
    return idle ? "expired_idle" : in_table ? "live" : "live_not_in_table";
}

static void any_shown(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct wire_session_row session;
    struct bytes out;
    char mark[AUDIT_MARK_SIZE + 1];
    if (!take_shown(core, flow, answer, WIRE_NOT_FOUND, "There is no such session.", &session, &out)) {
        return;
    }
    audit_mark(&session.selector, mark);
    wire_status_row_append(
        &out, &(struct wire_status_row){VIEW("state"), view_of_cstr(state_of(core, flow, &session))});
    wire_status_row_append(&out, &(struct wire_status_row){VIEW("mark"), view_of_cstr(mark)});
    flow_grant(core, flow, bytes_view(&out));
    bytes_release(&out);
}

static void any_show(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    audit_flush(core); // what was just done should be there
    ASK_STORE(core, flow, any_shown, store_session_by_public_id,
              .public_id = flow->ask.any_session_show.public_id);
}

void on_any_session_show(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, any_show);
}
