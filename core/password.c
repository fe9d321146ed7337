// SPDX-License-Identifier: ISC
// Passwords are changed: by their owner, who proves the current one, or by an administrator. Runs in core;
// pure. A change ends all other sessions and gives the changing browser a new one: one transaction in the
// store.
#include "core/flow.h"

#include "core/names.h"

static void changed(struct core *core, struct flow *flow, const struct answer *answer)
{
    const struct id16 *keep = flow->grant.has_session ? &flow->grant.row.selector : NULL;
    flow_intent_done(core, flow, answer, keep);
    if (answer->store.outcome == WIRE_STORE_CONFLICT) {
        // The account changed meanwhile (another password, hashed anew, sessions ended, disabled): the same
        // request, asked again, meets what is now.
        audit(core, flow, "password_change", flow->account.name, "refused", VIEW("changed meanwhile"));
        flow_unavailable(core, flow, WIRE_BUSY, 1);
        return;
    }
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND) {
        flow_refuse(core, flow, keep != NULL ? WIRE_NOT_SIGNED_IN : WIRE_NOT_FOUND,
                    "The account was just deleted.");
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK) {
        flow_store_failed(core, flow, answer);
        return;
    }
    char detail[AUDIT_SESSION_SIZE];
    audit(core, flow, "password_change", flow->account.name, "granted",
          keep == NULL ? VIEW("") : audit_session("", &flow->grant.row, "", detail));
    if (keep == NULL) {
        flow_grant(core, flow, VIEW(""));
        return;
    }
    flow->account.epoch = flow->end_epoch;
    flow_show_session(core, flow);
}

static void store_password(struct core *core, struct flow *flow, struct view phc)
{
    struct wire_session_row *row = &flow->grant.row;
    bool own = flow->number == WIRE_MESSAGE_password_change;
    uint32_t epoch = flow_next_epoch(core, &flow->account.id, flow->account.epoch);
    if (own) {
        flow_prepare_session(core, flow, epoch);
    } else {
        row->account_id = flow->account.id;
        row->epoch = epoch;
    }
    if (!flow_intend_end_all(core, flow, &flow->account.id, epoch, own ? &row->selector : NULL)) {
        flow_unavailable(core, flow, WIRE_BUSY, 2);
        return;
    }
    ASK_STORE(core, flow, changed, store_account_password, .phc = phc, .changed = wall_s(core),
              .with_session = own, .phc_before = own ? flow->account.phc : VIEW(""),
              .selector = row->selector, .verifier_hash = row->verifier_hash, .public_id = row->public_id,
              .account_id = row->account_id, .epoch = row->epoch, .created = row->created,
              .expires = row->expires, .last_seen = row->last_seen, .level = row->level,
              .address = row->address, .agent = row->agent);
}

static void new_hashed(struct core *core, struct flow *flow, const struct answer *answer)
{
    const struct wire_hash_reply *hash = &answer->hash;
    flow_leave_gate(core, flow, hash->hash_us > 0);
    if (hash->verdict == WIRE_HASH_WEAK || hash->verdict == WIRE_HASH_BAD) {
        flow_refuse_view(core, flow, WIRE_WEAK_PASSWORD,
                         hash->verdict == WIRE_HASH_WEAK ? hash->advice
                                                         : VIEW("The password is not valid text (UTF-8)."));
    } else if (hash->verdict != WIRE_HASH_OK || hash->phc.size == 0) {
        flow_unavailable(core, flow, core->hash.up ? WIRE_HASH_BUSY : WIRE_HASH_DOWN, 1);
    } else {
        store_password(core, flow, hash->phc);
    }
}

static void hash_new(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    bool own = flow->number == WIRE_MESSAGE_password_change;
    ASK_HASH(core, flow, new_hashed, hash_new,
             .sealed = own ? flow->ask.password_change.sealed_new : flow->ask.account_password.sealed,
             .username = flow->account.name, .email = flow->account.email);
}

// ---- by the owner: the current password first, guarded like a log-in

static void current_verified(struct core *core, struct flow *flow, const struct answer *answer)
{
    const struct wire_hash_reply *hash = &answer->hash;
    if (hash->verdict == WIRE_HASH_UNAVAILABLE) {
        flow_unavailable(core, flow, core->hash.up ? WIRE_HASH_BUSY : WIRE_HASH_DOWN, 1);
    } else if (hash->verdict != WIRE_HASH_OK || flow->account.phc.size == 0) {
        flow_guess_failed(core, flow);
        audit(core, flow, "password_change", flow->account.name, "wrong_credentials", VIEW(""));
        flow_refuse(core, flow, WIRE_WRONG_CREDENTIALS, "The current password is not right.");
    } else {
        flow_give_back(core, flow);
        hash_new(core, flow, NULL); // the place at the gate is kept
    }
}

static void verify_current(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    ASK_HASH(core, flow, current_verified, hash_verify, .sealed = flow->ask.password_change.sealed_current,
             .phc = flow->account.phc);
}

static void account_known(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    if (answer->store.outcome == WIRE_STORE_NOT_FOUND) { // just deleted
        flow_refuse(core, flow, WIRE_NOT_SIGNED_IN, "");
        return;
    }
    if (answer->store.outcome != WIRE_STORE_OK || !flow_keep_account(flow, &rows)) {
        flow_store_failed(core, flow, answer);
        return;
    }
    flow->key_kind = THROTTLE_DEVICE;
    flow->key_account = throttle_key_of(core->throttle, THROTTLE_DEVICE, view_of(flow->account.id.byte, 16));
    uint32_t wait_ms = throttle_wait_ms(core->throttle, flow->key_kind, flow->key_account, core->now_ms);
    if (wait_ms > 0) {
        flow_throttled(core, flow, wait_ms);
        return;
    }
    flow_charge(core, flow);
    flow_enter_gate(core, flow, HASH_KNOWN, verify_current);
}

static void load_own(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow->began = tombstones_begin(&core->tombstones);
    ASK_STORE(core, flow, account_known, store_account_by_id, .id = flow->caller.account_id);
}

void on_password_change(struct core *core, struct flow *flow)
{
    flow_authenticate(core, flow, load_own);
}

// ---- by an administrator

static void gate_for_new(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_enter_gate(core, flow, HASH_ADMINISTRATION, hash_new);
}

static void load_other(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    flow_load_account(core, flow, flow->ask.account_password.username, gate_for_new);
}

void on_account_password(struct core *core, struct flow *flow)
{
    flow_administer(core, flow, load_other);
}
