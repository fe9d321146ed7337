// SPDX-License-Identifier: ISC
// What the clients are told, held against what they may be told. Runs in the simulator.
#include "sim/world.h"

#include <sodium.h>

#define ANSWER_S_MAX 18 // a flow's life is 15 s, and ticks are late here

static struct model_account *account_of(struct world *world, const struct request *request)
{
    return &world->model.account[request->account];
}

static void ack(struct world *world, struct model_register *reg, int place)
{
    if (place >= 0) {
        reg->write[place].acked = world->step;
    }
}

static void ack_all(struct world *world, const struct request *request)
{
    if (request->account >= 0) {
        struct model_account *account = account_of(world, request);
        ack(world, &account->state, request->state_write);
        ack(world, &account->groups, request->groups_write);
        ack(world, &account->password, request->password_write);
        ack(world, &account->ends, request->ends_write);
    }
}

// ---- a session is given out

static bool maybe_over(const struct world *world, const struct model_session *session)
{
    const struct model_register *ends = &world->model.account[session->account].ends;
    for (uint32_t i = 0; i < ends->count; i++) {
        if (!ends->write[i].dropped && ends->write[i].acked > session->issued) {
            return true;
        }
    }
    return false;
}

static void take_grant(struct world *world, struct request *request, struct view *rows)
{
    struct wire_grant grant;
    struct wire_account_public account;
    if (!wire_grant_next(rows, &grant) || !wire_account_public_next(rows, &account)) {
        world_fail(world, "a session is granted without its rows");
    }
    struct model_account *mine = account_of(world, request);
    if (!view_equal(account.name, view_of_cstr(mine->name))) {
        world_fail(world, "%s logs in and is %.*s", mine->name, (int)account.name.size, account.name.data);
    }
    struct model_session *session = &world->model.session[world->model.session_count];
    *session = (struct model_session){.public_id = grant.public_id,
                                      .account = (uint32_t)request->account,
                                      .expires_s = grant.expires_max,
                                      .created_s = grant.expires_max - world->settings.session_max_s,
                                      .issued = request->issued,
                                      .granted = world->step,
                                      .ended = MODEL_NEVER,
                                      .gone = MODEL_NEVER};
    session->seen_s = session->used_s = session->created_s;
    memcpy(session->token, grant.token.byte, 32);
    memcpy(session->selector.byte, grant.token.byte, 16);
    crypto_generichash(session->verifier_hash.byte, 16, grant.token.byte + 16, 16, NULL, 0);
    if (model_session_find(&world->model, &session->selector) >= 0) {
        world_fail(world, "a token is given out twice");
    }
    // Ends of all sessions that were under way meanwhile may or may not have met this one; a new password's
    // own end did not.
    int own = request->kind == REQUEST_PASSWORD ? request->ends_write : -1;
    uint64_t acked = own >= 0 ? mine->ends.write[own].acked : 0;
    if (own >= 0) {
        mine->ends.write[own].acked = 0;
    }
    session->may_end = maybe_over(world, session);
    if (own >= 0) {
        mine->ends.write[own].acked = acked;
    }
    world->model.session_count++;
    world->grants++;
    if (grant.device.size > 0 && grant.device.size <= sizeof(mine->device)) {
        memcpy(mine->device, grant.device.data, grant.device.size);
        mine->device_size = grant.device.size;
    }
    world_note(world, "session %u of %s is granted", world->model.session_count - 1, mine->name);
    clients_check(world, (int)world->model.session_count - 1); // at once
}

// ---- granted

static void granted_login(struct world *world, struct request *request, struct view rows)
{
    struct model_account *account = account_of(world, request);
    if (request->wrong) {
        world_fail(world, "a wrong password or unknown name logs in");
    }
    if (!model_register_possible(&account->state, MODEL_ENABLED, request->issued, world->step)) {
        world_fail(world, "%s logs in, who is disabled or deleted", account->name);
    }
    if (!model_register_possible(&account->password, request->value, request->issued, world->step)) {
        world_fail(world, "%s logs in with a password that was changed", account->name);
    }
    request_marked_end(world, request, true);
    take_grant(world, request, &rows);
}

// Set-up is for the first account: there may have been no other.
static void judge_setup(struct world *world, const struct request *request)
{
    for (int i = 0; i < MODEL_ACCOUNTS; i++) {
        if (i != request->account && !model_register_possible(&world->model.account[i].state, MODEL_ABSENT,
                                                              request->issued, world->step)) {
            world_fail(world, "set-up is done beside user%d", i);
        }
    }
}

static void granted_new_account(struct world *world, struct request *request, struct view rows)
{
    struct model_account *account = account_of(world, request);
    account->state.write[request->state_write].dropped = true; // was there room for it?
    bool room = model_register_possible(&account->state, MODEL_ABSENT, request->issued, world->step);
    account->state.write[request->state_write].dropped = false;
    if (!room) {
        world_fail(world, "%s is added a second time", account->name);
    }
    if (request->kind == REQUEST_SETUP) {
        judge_setup(world, request);
    }
    if (request->invite >= 0 && ++world->model.invite[request->invite].winners > 1) {
        world_fail(world, "an invitation is used twice");
    }
    if (request->kind != REQUEST_ADD) {
        take_grant(world, request, &rows);
    }
}

static void granted_invite(struct world *world, struct view rows)
{
    struct wire_invite invite;
    struct model *model = &world->model;
    if (!wire_invite_next(&rows, &invite)) {
        world_fail(world, "an invitation without its row");
    }
    if (model->invite_count < MODEL_INVITES) {
        struct model_invite *place = &model->invite[model->invite_count++];
        memcpy(place->token, invite.token.data, invite.token.size);
        place->token_size = invite.token.size;
        place->winners = 0;
    }
}

// A listed session is the caller's and is not over; one that is live is listed.
static void judge_list(struct world *world, const struct request *request, struct view *rows)
{
    uint32_t account = world->model.session[request->session].account, count = 0;
    uint64_t listed[MODEL_SESSIONS / 64] = {0};
    struct wire_session_public shown;
    for (; wire_session_public_next(rows, &shown); count++) {
        for (uint32_t i = 0; i < world->model.session_count; i++) {
            const struct model_session *session = &world->model.session[i];
            if (memcmp(session->public_id.byte, shown.public_id.byte, 16) != 0) {
                continue;
            }
            listed[i / 64] |= 1ull << (i % 64);
            if (session->account != account) {
                world_fail(world, "session %d is shown another's session %u", request->session, i);
            }
            if (session->ended < request->issued) {
                world_fail(world, "session %u has ended and is listed", i);
            }
        }
    }
    for (uint32_t i = 0; i < world->model.session_count && request->kind == REQUEST_LIST && count < 100;
         i++) {
        const struct model_session *session = &world->model.session[i];
        if (session->account == account && session->granted < request->issued && session->may_end == 0 &&
            session->ended == MODEL_NEVER && !judge_time_may_end(world, session) &&
            (listed[i / 64] >> (i % 64) & 1) == 0) {
            world_fail(world, "session %u is live and is not listed", i);
        }
    }
}

// The caller's own, when it shows an account.
static void judge_caller(struct world *world, const struct request *request, struct view rows)
{
    struct wire_account_public account = {0};
    judge_list(world, request, &rows);
    bool has_account = (request->kind == REQUEST_LOOKUP || request->kind == REQUEST_SHOW) &&
                       wire_account_public_next(&rows, &account);
    judge_valid(world, request->session, request->issued, request->wall_s, account.name, account.groups,
                has_account);
}

static void judge_administrator(struct world *world, const struct request *request)
{
    const struct model_session *session = &world->model.session[request->session];
    judge_valid(world, request->session, request->issued, request->wall_s, VIEW(""), VIEW(""), false);
    if (!model_register_possible(&world->model.account[session->account].groups, 1, request->issued,
                                 world->step)) {
        world_fail(world, "session %d administers and may not", request->session);
    }
}

static bool is_administration(const struct request *request)
{
    return request->kind >= REQUEST_ADD;
}

static void granted(struct world *world, struct request *request, struct view rows)
{
    ack_all(world, request);
    if (request->wrong && request->kind != REQUEST_LOGIN) {
        world_fail(world, "request kind %u is granted and must not be", request->kind);
    }
    if (is_administration(request) && request->session >= 0) {
        judge_administrator(world, request);
    } else if (request->session >= 0) {
        judge_caller(world, request, rows);
    }
    bool reads =
        request->kind == REQUEST_LOOKUP || request->kind == REQUEST_SHOW || request->kind == REQUEST_LIST;
    if (!reads && world->core != NULL &&
        world->audited_count < sizeof(world->audited) / sizeof(world->audited[0])) {
        world->audited[world->audited_count++] = request->id;
    }
    switch (request->kind) {
    case REQUEST_LOGIN:
        granted_login(world, request, rows);
        break;
    case REQUEST_REGISTER:
    case REQUEST_SETUP:
    case REQUEST_ADD:
        granted_new_account(world, request, rows);
        break;
    case REQUEST_PASSWORD:
        request_marked_end(world, request, false);
        take_grant(world, request, &rows);
        break;
    case REQUEST_INVITE:
        granted_invite(world, rows);
        break;
    case REQUEST_LOGOUT:
    case REQUEST_END:
    case REQUEST_END_OTHERS:
    case REQUEST_DISABLE:
    case REQUEST_ADMIN_PASSWORD:
    case REQUEST_DELETE:
    case REQUEST_END_ALL:
    case REQUEST_END_ANY:
        request_marked_end(world, request, false);
        break;
    case REQUEST_LOOKUP:
    case REQUEST_SHOW:
    case REQUEST_LIST:
    case REQUEST_GROUPS:
    case REQUEST_ENABLE:
    case REQUEST_KINDS:
        break;
    }
}

// ---- refused

static void refused_credentials(struct world *world, struct request *request)
{
    const struct model_account *account = account_of(world, request);
    uint64_t begin = request->issued, end = world->step;
    if (!request->wrong && model_register_certain(&account->state, MODEL_ENABLED, begin, end, -1) &&
        model_register_certain(&account->password, request->value, begin, end, request->password_write)) {
        world_fail(world, "%s gives the right password and is refused", account->name);
    }
}

static void refused_for_session(struct world *world, struct request *request, enum wire_reason reason)
{
    if (reason == WIRE_NOT_SIGNED_IN) {
        judge_invalid(world, request->session, request->kind == REQUEST_LOOKUP);
    } else if (reason == WIRE_FORBIDDEN) {
        const struct model_session *session = &world->model.session[request->session];
        if (model_register_certain(&world->model.account[session->account].groups, 1, request->issued,
                                   world->step, -1)) {
            world_fail(world, "an administrator may not administer");
        }
    }
}

static void refused_login(struct world *world, const struct request *request, enum wire_reason reason)
{
    const struct model_account *account = account_of(world, request);
    uint64_t begin = request->issued, end = world->step;
    if (reason == WIRE_ACCOUNT_DISABLED &&
        model_register_certain(&account->state, MODEL_ENABLED, begin, end, -1)) {
        world_fail(world, "%s is told to be disabled and is not", account->name);
    }
    if (reason == WIRE_NOT_SIGNED_IN && !model_register_busy(&account->ends, begin, end, -1)) {
        world_fail(world, "%s logs in and nothing ended all sessions", account->name);
    }
}

static void refused_name(struct world *world, const struct request *request, enum wire_reason reason)
{
    const struct model_account *account = account_of(world, request);
    uint64_t begin = request->issued, end = world->step;
    if (reason == WIRE_NAME_TAKEN &&
        model_register_certain(&account->state, MODEL_ABSENT, begin, end, request->state_write)) {
        world_fail(world, "%s is said to be there and is not", account->name);
    }
    if (reason == WIRE_NOT_FOUND && request->target < 0 &&
        !model_register_possible(&account->state, MODEL_ABSENT, begin, end)) {
        world_fail(world, "%s is said not to be there and is", account->name);
    }
}

static void refused(struct world *world, struct request *request, enum wire_reason reason, struct view detail)
{
    // It may have had its effect: a password for a moment, before the next change; or the new session was
    // ended before it was told of.
    bool ended = reason == WIRE_NOT_SIGNED_IN && detail.size > 0;
    bool perhaps = !request->wrong &&
                   ((request->kind == REQUEST_PASSWORD && (ended || reason == WIRE_WRONG_CREDENTIALS)) ||
                    ((request->kind == REQUEST_REGISTER || request->kind == REQUEST_SETUP) && ended));
    if (!perhaps) {
        request_drop(world, request);
    }
    if (request->kind == REQUEST_LOOKUP && request->wrong) {
        return;
    }
    if (reason == WIRE_WRONG_CREDENTIALS) {
        refused_credentials(world, request);
    } else if (request->session >= 0) {
        refused_for_session(world, request, reason);
    }
    if (request->kind == REQUEST_LOGIN) {
        refused_login(world, request, reason);
    }
    if (request->account >= 0 && (request->session < 0 || is_administration(request))) {
        refused_name(world, request, reason);
    }
}

// When nothing goes wrong core is short of nothing, but that two changes of one account may meet. A restart
// of the store, of hash or of key makes requests late, not fail: they are asked again.
static void unavailable(struct world *world, const struct request *request, enum wire_reason reason)
{
    if (world->fortunate && reason != WIRE_BUSY && reason != WIRE_HASH_BUSY && reason != WIRE_STARTING) {
        world_fail(world, "request %llu (kind %u) is unavailable (%s) and nothing is wrong",
                   (unsigned long long)request->id, request->kind, wire_reason_name(reason));
    }
}

void clients_answer(struct world *world, uint32_t link, struct view packet)
{
    struct wire_reply reply;
    if (wire_peek(packet) != WIRE_MESSAGE_reply) {
        return; // core_state, ctl_welcome
    }
    if (!wire_reply_decode(packet, &reply)) {
        world_fail(world, "a reply that can't be read");
    }
    struct request *request = NULL;
    for (uint32_t i = 0; i < WORLD_REQUESTS; i++) {
        if (world->request[i].used && world->request[i].id == reply.request &&
            world->request[i].link == link) {
            request = &world->request[i];
        }
    }
    if (request == NULL) {
        world_fail(world, "request %llu is answered twice, or was never asked",
                   (unsigned long long)reply.request);
    }
    world_note(world, "request %llu (kind %u): outcome %u %s, session %d target %d account %d",
               (unsigned long long)reply.request, request->kind, reply.outcome,
               wire_reason_name(reply.reason), request->session, request->target, request->account);
    if (reply.answered_ns - reply.received_ns > ANSWER_S_MAX * WORLD_S) {
        world_fail(world, "request %llu (kind %u) took %.1f s", (unsigned long long)reply.request,
                   request->kind, (double)(reply.answered_ns - reply.received_ns) / 1e9);
    }
    request->used = false;
    world->clients_in_flight--;
    world->answered[reply.outcome & 3]++;
    if (reply.outcome == WIRE_GRANTED) {
        granted(world, request, reply.rows);
    } else if (reply.outcome == WIRE_REFUSED) {
        refused(world, request, reply.reason, reply.detail);
    } else if (reply.outcome == WIRE_UNAVAILABLE) {
        unavailable(world, request, reply.reason);
    } else {
        world_fail(world, "an outcome that does not exist");
    }
}
