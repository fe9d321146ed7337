// SPDX-License-Identifier: ISC
// New accounts by their owners: registration, by invitation or open, and the first administrator by the
// set-up link. Runs in core; pure. Both: checks → gate → hash → store (the name, the invite or "first" is
// taken atomically) → session → reply. Race-proof because the store decides: two with one link, one wins.
#include "core/flow.h"

#include "core/names.h"

#include <sodium.h>

#define BAD_NAME_TEXT                                                                                        \
    "User names have 1 to 64 lower-case letters, digits, dots, hyphens and underscores, and begin with a "   \
    "letter or digit."
#define BAD_EMAIL_TEXT "This does not look like an e-mail address."

static struct hash32 token_hash(struct view token)
{
    struct hash32 hash;
    crypto_generichash(hash.byte, sizeof(hash.byte), token.data, token.size, NULL, 0);
    return hash;
}

// ---- the set-up token: made of the supervisor's secret, so that a restart of core does not change the link

struct view setup_token(const struct core *core)
{
    return view_of(core->setup_token, core->setup_token_size);
}

void setup_open(struct core *core)
{
    uint8_t raw[32];
    struct bytes packet;
    crypto_generichash(raw, sizeof(raw), (const unsigned char *)"stayd set-up", 12,
                       core->settings.setup_secret.byte, sizeof(core->settings.setup_secret.byte));
    core->setup_token_size = base64url_encode(raw, sizeof(raw), core->setup_token);
    wipe(raw, sizeof(raw));
    bytes_init(&packet, 256);
    wire_setup_link_encode(&packet, &(struct wire_setup_link){.token = setup_token(core)});
    core_say(core, WIRE_SUPERVISOR, 0, &packet);
    bytes_release(&packet);
}

void setup_done(struct core *core)
{
    if (core->store_empty) {
        core->store_empty = false;
        wipe(core->setup_token, sizeof(core->setup_token));
        core->setup_token_size = 0;
        core_tell_fronts(core);
    }
}

static bool setup_token_fits(const struct core *core, struct view token)
{
    return core->store_empty && core->setup_token_size > 0 && token.size == core->setup_token_size &&
           equal_secret(token.data, core->setup_token, token.size);
}

void on_setup_state(struct core *core, struct flow *flow)
{
    if (setup_token_fits(core, flow->ask.setup_state.token)) {
        flow_grant(core, flow, VIEW(""));
    } else {
        flow_refuse(core, flow, WIRE_BAD_SETUP_TOKEN, "");
    }
}

// ---- the common way

static bool is_setup(const struct flow *flow)
{
    return flow->number == WIRE_MESSAGE_setup;
}

static struct view email_of(const struct flow *flow)
{
    return is_setup(flow) ? flow->ask.setup.email : flow->ask.register_account.email;
}

static void register_refused(struct core *core, struct flow *flow, enum wire_reason reason,
                             struct view detail)
{
    core->counters.registrations_refused++;
    flow_guess_failed(core, flow); // the source pays for what was refused, not for an account it made
    audit(core, flow, is_setup(flow) ? "setup" : "register", view_of_cstr(flow->name),
          wire_reason_name(reason), VIEW(""));
    flow_refuse_view(core, flow, reason, detail);
}

static void session_granted(struct core *core, struct flow *flow, const struct answer *answer)
{
    if (answer->store.outcome == WIRE_STORE_CONFLICT || answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        flow_refuse(core, flow, WIRE_NOT_SIGNED_IN,
                    "The account was changed as soon as it was there. Log in.");
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK) {
        // The account is there; logging in makes the session.
        flow_store_failed(core, flow, answer);
        return;
    }
    flow_show_session(core, flow);
}

static void account_added(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    if (answer->store.outcome == WIRE_STORE_CONFLICT) {
        static const enum wire_reason reasons[] = {[WIRE_CONFLICT_NONE] = WIRE_NAME_TAKEN,
                                                   [WIRE_CONFLICT_NAME] = WIRE_NAME_TAKEN,
                                                   [WIRE_CONFLICT_INVITE] = WIRE_BAD_INVITE,
                                                   [WIRE_CONFLICT_FIRST] = WIRE_BAD_SETUP_TOKEN};
        uint8_t conflict = answer->store.conflict;
        if (conflict == WIRE_CONFLICT_FIRST) {
            setup_done(core);
        }
        register_refused(core, flow, conflict < 4 ? reasons[conflict] : WIRE_NAME_TAKEN, VIEW(""));
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK) {
        core->counters.registrations_unavailable++;
        flow_store_failed(core, flow, answer);
        return;
    }
    setup_done(core);
    core->counters.registrations_granted++;
    if (!flow_keep_account(flow, &rows)) {
        flow_store_failed(core, flow, answer);
        return;
    }
    char detail[AUDIT_SESSION_SIZE];
    flow_prepare_session(core, flow, flow->account.epoch);
    audit(core, flow, is_setup(flow) ? "setup" : "register", flow->account.name, "granted",
          audit_session("", &flow->grant.row, "", detail));
    flow_grant_prepared(core, flow, session_granted);
}

static void add_account(struct core *core, struct flow *flow, struct view phc)
{
    bool setup = is_setup(flow);
    bool invited = !setup && flow->ask.register_account.invite.size > 0;
    struct hash32 invite = {{0}};
    struct id16 id;
    core_random(core, id.byte, sizeof(id.byte));
    if (invited) {
        invite = token_hash(flow->ask.register_account.invite);
    }
    flow->began = tombstones_begin(&core->tombstones);
    ASK_STORE(core, flow, account_added, store_account_add, .id = id, .name = view_of_cstr(flow->name),
              .email = email_of(flow), .groups = setup ? VIEW(WIRE_ADMIN_GROUP) : view_of_cstr(flow->groups),
              .flags = setup ? WIRE_ACCOUNT_EMAIL_VERIFIED : 0, .phc = phc, .created = wall_s(core),
              .first = setup, .has_invite = invited, .invite_hash = invite);
}

static void hashed(struct core *core, struct flow *flow, const struct answer *answer)
{
    const struct wire_hash_reply *hash = &answer->hash;
    flow_leave_gate(core, flow, hash->hash_us > 0);
    if (hash->verdict == WIRE_HASH_WEAK) {
        register_refused(core, flow, WIRE_WEAK_PASSWORD, hash->advice);
    } else if (hash->verdict == WIRE_HASH_BAD) {
        register_refused(core, flow, WIRE_WEAK_PASSWORD, VIEW("The password is not valid text (UTF-8)."));
    } else if (hash->verdict != WIRE_HASH_OK || hash->phc.size == 0) {
        core->counters.registrations_unavailable++;
        flow_unavailable(core, flow, core->hash.up ? WIRE_HASH_BUSY : WIRE_HASH_DOWN, 1);
    } else {
        add_account(core, flow, hash->phc);
    }
}

static void hash_step(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    ASK_HASH(core, flow, hashed, hash_new,
             .sealed = is_setup(flow) ? flow->ask.setup.sealed : flow->ask.register_account.sealed,
             .username = view_of_cstr(flow->name), .email = email_of(flow));
}

static bool check_names(struct core *core, struct flow *flow, struct view username)
{
    if (!names_username(username, flow->name, sizeof(flow->name))) {
        flow->name[0] = '\0';
        register_refused(core, flow, WIRE_BAD_NAME, VIEW(BAD_NAME_TEXT));
        return false;
    }
    if (!names_email(email_of(flow))) {
        register_refused(core, flow, WIRE_BAD_EMAIL, VIEW(BAD_EMAIL_TEXT));
        return false;
    }
    return true;
}

void on_setup(struct core *core, struct flow *flow)
{
    if (!setup_token_fits(core, flow->ask.setup.token)) {
        register_refused(core, flow, WIRE_BAD_SETUP_TOKEN, VIEW(""));
    } else if (pressure_store_is_there(core, flow) && check_names(core, flow, flow->ask.setup.username)) {
        flow_enter_gate(core, flow, HASH_SIGN_UP, hash_step);
    }
}

static void invite_found(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct wire_once_row once;
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        register_refused(core, flow, WIRE_BAD_INVITE, VIEW(""));
    } else if (answer->store.outcome != WIRE_STORE_OK || !wire_once_row_next(&rows, &once) ||
               !view_to_cstr(once.payload, flow->groups, sizeof(flow->groups))) {
        flow_store_failed(core, flow, answer);
    } else {
        flow_enter_gate(core, flow, HASH_SIGN_UP, hash_step);
    }
}

// A try to register may reveal a name: a source that is refused often must wait.
static bool source_may_try(struct core *core, struct flow *flow)
{
    flow->key_source = throttle_key_of_source(core->throttle, flow->origin.source);
    uint32_t wait_ms = throttle_wait_ms(core->throttle, THROTTLE_SOURCE, flow->key_source, core->now_ms);
    if (wait_ms > 0) {
        flow_throttled(core, flow, wait_ms);
        return false;
    }
    return true;
}

void on_register_account(struct core *core, struct flow *flow)
{
    const struct wire_register_account *ask = &flow->ask.register_account;
    pressure_arrived(core, flow);
    if (core->settings.registration == WIRE_REGISTRATION_IS_CLOSED) {
        register_refused(core, flow, WIRE_REGISTRATION_CLOSED, VIEW(""));
    } else if (core->store_empty) {
        register_refused(core, flow, WIRE_REGISTRATION_CLOSED, VIEW("Set-up comes first."));
    } else if (core->settings.registration == WIRE_REGISTRATION_INVITE && ask->invite.size == 0) {
        register_refused(core, flow, WIRE_BAD_INVITE, VIEW(""));
    } else if (!pressure_store_is_there(core, flow) || !flow_gate_is_open(core, flow, HASH_SIGN_UP)) {
        return;
    } else if (!source_may_try(core, flow) || !check_names(core, flow, ask->username)) {
        return;
    } else if (ask->invite.size > 0) {
        ASK_STORE(core, flow, invite_found, store_once_get, .space = VIEW("invite"),
                  .hash = token_hash(ask->invite), .now = wall_s(core));
    } else {
        flow_enter_gate(core, flow, HASH_SIGN_UP, hash_step);
    }
}

// ---- invitations

static void invited(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct bytes rows;
    if (answer->store.outcome != WIRE_STORE_OK) {
        flow_store_failed(core, flow, answer);
        return;
    }
    audit(core, flow, "invite", VIEW(""), "granted", view_of_cstr(flow->groups));
    bytes_init(&rows, 256);
    char token[48];
    size_t size = base64url_encode(flow->grant.token, 24, token);
    wire_invite_append(&rows,
                       &(struct wire_invite){.token = view_of(token, size),
                                             .expires = wall_s(core) + flow->ask.account_invite.valid_s});
    flow_grant(core, flow, bytes_view(&rows));
    wipe(token, sizeof(token));
    bytes_release(&rows);
}

static void invite(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    struct wire_account_invite *ask = &flow->ask.account_invite;
    char token[48];
    if (!names_groups(ask->groups, flow->groups, sizeof(flow->groups))) {
        flow_refuse(core, flow, WIRE_BAD_GROUPS, "Groups are named like users, joined by commas.");
        return;
    }
    ask->valid_s = ask->valid_s == 0 ? 7 * 86400 : ask->valid_s > 90 * 86400 ? 90 * 86400 : ask->valid_s;
    core_random(core, flow->grant.token, 24);
    size_t size = base64url_encode(flow->grant.token, 24, token);
    ASK_STORE(core, flow, invited, store_once_put, .space = VIEW("invite"),
              .hash = token_hash(view_of(token, size)), .payload = view_of_cstr(flow->groups),
              .expires = wall_s(core) + ask->valid_s);
    wipe(token, sizeof(token));
}

void on_account_invite(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, invite);
}
