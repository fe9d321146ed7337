// SPDX-License-Identifier: ISC
// Log-in. Runs in core; pure. Read it top-down: each step takes one answer and asks the next question.
//
//   on_login → account → (device) → throttle → gate → hash → (re-hash) → grant → visible → reply
//
// 1. An unknown name, an account without a password and a wrong password take the same steps and get the same
// answer.
// 2. A guess is charged before it is tried and given back only when it was right, or could not be tried
//    (the gate refused it, hashing was away, a deadline passed): flow_end does that.
#include "core/flow.h"

#include "base/network.h"
#include "core/names.h"
#include "wire/event.h"

#define DEVICE_DATA      (16 + 8 + 4)
#define DEVICE_MAC       16
#define DEVICE_AGE_MAX_S (400u * 24 * 3600)

#define NO_NAME "." // no account can have it

static void throttle_step(struct core *core, struct flow *flow);
static void login_refused(struct core *core, struct flow *flow, enum wire_reason reason);

static bool read_device(const struct flow *flow, uint8_t cookie[DEVICE_DATA + DEVICE_MAC])
{
    return base64url_decode(flow->ask.login.device, cookie, DEVICE_DATA + DEVICE_MAC);
}

static void device_checked(struct core *core, struct flow *flow, const struct answer *answer)
{
    uint8_t cookie[DEVICE_DATA + DEVICE_MAC];
    uint32_t issued;
    if (answer->arrived && read_device(flow, cookie)) {
        memcpy(&issued, cookie + 24, sizeof(issued));
        flow->device_known = equal_secret(cookie + DEVICE_DATA, answer->key.mac.byte, DEVICE_MAC) &&
                             issued <= wall_s(core) + 60 &&
                             wall_s(core) < (uint64_t)issued + DEVICE_AGE_MAX_S;
    }
    throttle_step(core, flow);
}

static void account_found(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    uint8_t cookie[DEVICE_DATA + DEVICE_MAC];
    if (answer->store.outcome != WIRE_STORE_NOT_FOUND &&
        (answer->store.outcome != WIRE_STORE_OK || !flow_keep_account(flow, &rows))) {
        core->counters.logins_unavailable++;
        flow_store_failed(core, flow, answer);
        return;
    }
    if (flow->has_account && core->key.up && read_device(flow, cookie) &&
        memcmp(cookie, flow->account.id.byte, 16) == 0) {
        ASK_KEY(core, flow, device_checked, .purpose = WIRE_KEY_DEVICE, .data = view_of(cookie, DEVICE_DATA));
        return;
    }
    throttle_step(core, flow);
}

void on_login(struct core *core, struct flow *flow)
{
    pressure_arrived(core, flow);
    if (!pressure_store_is_there(core, flow) ||
        !flow_gate_is_open(core, flow, flow->ask.login.device.size > 0 ? HASH_KNOWN : HASH_LOGIN)) {
        return;
    }
    // A name that can't exist is asked for all the same: every refusal takes the same way.
    if (!names_username(flow->ask.login.username, flow->name, sizeof(flow->name))) {
        (void)view_to_cstr(VIEW(NO_NAME), flow->name, sizeof(flow->name));
    }
    flow->began = tombstones_begin(&core->tombstones);
    ASK_STORE(core, flow, account_found, store_account_by_name, .name = view_of_cstr(flow->name));
}

static void hash_step(struct core *core, struct flow *flow, const struct answer *answer);

// Failures count for the account's name as it is stored: another spelling is no new start.
static struct view guessed_name(const struct flow *flow)
{
    return strcmp(flow->name, NO_NAME) == 0 ? flow->ask.login.username : view_of_cstr(flow->name);
}

// Only a name that exists is written down: what else was typed into the name field may be a password.
static struct view known_name(const struct flow *flow)
{
    return flow->has_account ? flow->account.name : VIEW("");
}

// By the account's name, whatever the throttle's key is of.
static void note_guess(struct core *core, struct flow *flow)
{
    struct throttle_key account = throttle_key_of(core->throttle, THROTTLE_ACCOUNT, guessed_name(flow));
    guesses_note(&core->guesses, account.half[1], flow->key_source.half[1], !flow->has_account, core->now_ms);
}

#define PENALTY_TOLD_MS 60000

static bool penalty_was_told(const struct core *core, uint64_t source)
{
    for (uint32_t i = 0; i < PENALTIES_TOLD_MAX; i++) {
        if (core->penalty_told[i].source == source && core->now_ms < core->penalty_told[i].until_ms) {
            return true;
        }
    }
    return false;
}

// Its network goes into the incident's file only. Once a minute for each source that has to wait; with more
// of them than are remembered, at times again.
static void tell_penalty(struct core *core, const struct flow *flow, uint32_t wait_ms)
{
    char network[NETWORK_TEXT_SIZE];
    uint64_t source = flow->key_source.half[0];
    if (penalty_was_told(core, source)) {
        return;
    }
    uint32_t place = core->penalties_told++ % PENALTIES_TOLD_MAX;
    core->penalty_told[place].source = source;
    core->penalty_told[place].until_ms = core->now_ms + PENALTY_TOLD_MS;
    network_label_text(network_label(flow->origin.source), network);
    core_tell_watch(core, &(struct wire_event){.kind = WIRE_EVENT_PENALTY,
                                               .a = (wait_ms + 999) / 1000,
                                               .text = VIEW("a source whose log-ins were wrong too often"),
                                               .more = view_of_cstr(network)});
}

static void throttle_step(struct core *core, struct flow *flow)
{
    uint8_t cookie[DEVICE_DATA + DEVICE_MAC];
    flow->key_kind = flow->device_known && read_device(flow, cookie) ? THROTTLE_DEVICE : THROTTLE_ACCOUNT;
    flow->key_account = flow->key_kind == THROTTLE_DEVICE
                            ? throttle_key_of(core->throttle, THROTTLE_DEVICE, view_of(cookie, DEVICE_DATA))
                            : throttle_key_of(core->throttle, THROTTLE_ACCOUNT, guessed_name(flow));
    flow->key_source = throttle_key_of_source(core->throttle, flow->origin.source);
    uint32_t wait_ms = throttle_wait_ms(core->throttle, flow->key_kind, flow->key_account, core->now_ms);
    uint32_t source_ms = throttle_wait_ms(core->throttle, THROTTLE_SOURCE, flow->key_source, core->now_ms);
    if (!flow->device_known && source_ms > wait_ms) { // a known device is not slowed by its neighbours
        wait_ms = source_ms;
        tell_penalty(core, flow, source_ms);
    }
    if (wait_ms > 0) {
        core->counters.logins_throttled++;
        note_guess(core, flow);
        audit(core, flow, "login", known_name(flow), "throttled", VIEW(""));
        flow_throttled(core, flow, wait_ms);
        return;
    }
    flow_charge(core, flow);
    flow_enter_gate(core, flow, flow->device_known ? HASH_KNOWN : HASH_LOGIN, hash_step);
}

static void hashed(struct core *core, struct flow *flow, const struct answer *answer);

static void hash_step(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    ASK_HASH(core, flow, hashed, hash_verify, .sealed = flow->ask.login.sealed,
             .phc = flow->has_account ? flow->account.phc : VIEW(""));
}

static void login_refused(struct core *core, struct flow *flow, enum wire_reason reason)
{
    core->counters.logins_refused++;
    audit(core, flow, "login", known_name(flow), wire_reason_name(reason), VIEW(""));
    flow_refuse(core, flow, reason, "");
}

static void granted(struct core *core, struct flow *flow, const struct answer *answer);

static void rehashed(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer; // the old hash is good as well
    flow_grant_session(core, flow, flow->account.epoch, granted);
}

static void hashed(struct core *core, struct flow *flow, const struct answer *answer)
{
    const struct wire_hash_reply *hash = &answer->hash;
    flow_leave_gate(core, flow, hash->hash_us > 0);
    if (hash->verdict == WIRE_HASH_UNAVAILABLE) {
        core->counters.logins_unavailable++;
        flow_unavailable(core, flow, core->hash.up ? WIRE_HASH_BUSY : WIRE_HASH_DOWN, 1);
        return;
    }
    if (hash->verdict != WIRE_HASH_OK || !flow->has_account || flow->account.phc.size == 0) {
        flow_guess_failed(core, flow);
        note_guess(core, flow);
        login_refused(core, flow, WIRE_WRONG_CREDENTIALS);
        return;
    }
    flow_give_back(core, flow);
    throttle_clear(core->throttle, flow->key_account);
    if ((flow->account.flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0) {
        login_refused(core, flow, WIRE_ACCOUNT_DISABLED);
        return;
    }
    if (hash->phc.size > 0) {
        ASK_STORE(core, flow, rehashed, store_account_rehash, .id = flow->account.id,
                  .phc_before = flow->account.phc, .phc = hash->phc);
        return;
    }
    flow_grant_session(core, flow, flow->account.epoch, granted);
}

static void audit_login(struct core *core, const struct flow *flow)
{
    char detail[AUDIT_SESSION_SIZE];
    char replaced[AUDIT_MARK_SIZE + 16] = "";
    if (flow->grant.replaces) {
        char mark[AUDIT_MARK_SIZE + 1];
        audit_mark(&flow->origin.selector, mark);
        snprintf(replaced, sizeof(replaced), "replaces %s", mark);
    }
    audit(core, flow, "login", flow->account.name, "granted",
          audit_session(flow->device_known ? "known device" : "", &flow->grant.row, replaced, detail));
}

static void granted(struct core *core, struct flow *flow, const struct answer *answer)
{
    if (answer->store.outcome == WIRE_STORE_CONFLICT && answer->store.conflict == WIRE_CONFLICT_EPOCH) {
        // Its sessions were ended meanwhile, perhaps with a new password: the next try meets what is now.
        core->counters.logins_unavailable++;
        flow_unavailable(core, flow, WIRE_BUSY, 1);
        return;
    }
    if (answer->store.outcome == WIRE_STORE_CONFLICT || answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        // Meanwhile the account was disabled or deleted.
        bool disabled = answer->store.conflict == WIRE_CONFLICT_DISABLED;
        login_refused(core, flow, disabled ? WIRE_ACCOUNT_DISABLED : WIRE_WRONG_CREDENTIALS);
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK) {
        core->counters.logins_unavailable++;
        flow_store_failed(core, flow, answer);
        return;
    }
    core->counters.logins_granted++;
    audit_login(core, flow);
    flow_show_session(core, flow);
}
