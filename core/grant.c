// SPDX-License-Identifier: ISC
// A session is made: random token, device cookie, durable in the store, then visible in the tables, then the
// reply. Runs in core; pure. The token is new at every log-in and password change: a session can't be fixed
// in advance.
#include "core/flow.h"

#include <sodium.h>

// A device cookie says "this browser has logged in as this account": account id, nonce, time, and stayd-key's
// MAC.
#define DEVICE_DATA  (16 + DEVICE_NONCE + 4)
#define DEVICE_MAC   16
#define DEVICE_NONCE 8 // the last bytes of the session's public id: no use to know them, others each time

// Seconds, the greatest first, then 96 random bits: new ids come last in their index, so that a grant writes
// one page of its own less (docs/decisions/0066-public-ids.md).
static void public_id_make(struct core *core, struct id16 *id)
{
    uint32_t now_s = (uint32_t)wall_s(core);
    for (unsigned i = 0; i < 4; i++) {
        id->byte[i] = (uint8_t)(now_s >> (24 - 8 * i));
    }
    core_random(core, id->byte + 4, sizeof(id->byte) - 4);
}

void flow_prepare_session(struct core *core, struct flow *flow, uint32_t epoch)
{
    struct flow_grant *grant = &flow->grant;
    struct wire_session_row *row = &grant->row;
    core_random(core, grant->token, sizeof(grant->token));
    public_id_make(core, &row->public_id);
    memcpy(row->selector.byte, grant->token, 16);
    crypto_generichash(row->verifier_hash.byte, 16, grant->token + 16, 16, NULL, 0);
    row->account_id = flow->account.id;
    row->epoch = epoch;
    row->created = wall_s(core);
    row->last_seen = wall_s(core);
    row->expires = wall_s(core) + core->settings.session_max_s;
    row->level = 1;
    row->address = flow->origin.source;
    row->agent = flow->origin.agent;
    grant->has_session = true;
}

// The same before and after stayd-key was asked: the time is the session's, not the moment's.
static void device_data(const struct flow *flow, uint8_t out[DEVICE_DATA])
{
    const struct id16 *id = &flow->grant.row.public_id;
    uint32_t issued = (uint32_t)flow->grant.row.created;
    memcpy(out, flow->account.id.byte, 16);
    memcpy(out + 16, id->byte + sizeof(id->byte) - DEVICE_NONCE, DEVICE_NONCE);
    memcpy(out + 24, &issued, 4);
}

static void store_grant(struct core *core, struct flow *flow)
{
    const struct wire_session_row *row = &flow->grant.row;
    ASK_STORE(core, flow, flow->then, store_session_grant, .selector = row->selector,
              .verifier_hash = row->verifier_hash, .public_id = row->public_id, .account_id = row->account_id,
              .epoch = row->epoch, .created = row->created, .expires = row->expires,
              .last_seen = row->last_seen, .level = row->level, .address = row->address, .agent = row->agent);
}

static void device_signed(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct flow_grant *grant = &flow->grant;
    uint8_t cookie[DEVICE_DATA + DEVICE_MAC];
    // Without stayd-key a log-in works all the same; the browser just isn't known next time.
    if (answer->arrived) {
        device_data(flow, cookie);
        memcpy(cookie + DEVICE_DATA, answer->key.mac.byte, DEVICE_MAC);
        grant->device_size = base64url_encode(cookie, sizeof(cookie), grant->device);
    }
    store_grant(core, flow);
}

static void sign_device(struct core *core, struct flow *flow)
{
    uint8_t data[DEVICE_DATA];
    if (flow->device_known || !core->key.up) {
        store_grant(core, flow);
        return;
    }
    device_data(flow, data);
    ASK_KEY(core, flow, device_signed, .purpose = WIRE_KEY_DEVICE, .data = view_of(data, sizeof(data)));
}

static bool is_callers(const struct flow *flow, const uint8_t verifier_hash[16])
{
    return equal_secret(verifier_hash, flow->verifier_hash.byte, 16);
}

static void replaced_found(struct core *core, struct flow *flow, const struct answer *answer)
{
    struct view rows = answer->store.rows;
    struct wire_session_row row;
    if (answer->store.outcome != WIRE_STORE_OK && answer->store.outcome != WIRE_STORE_NOT_FOUND) {
        flow_store_failed(core, flow, answer);
        return;
    }
    flow->grant.replaces = answer->store.outcome == WIRE_STORE_OK && wire_session_row_next(&rows, &row) &&
                           is_callers(flow, row.verifier_hash.byte);
    sign_device(core, flow);
}

// The session that the browser had before is ended with the grant: whoever else holds its token holds
// nothing. Whether it is the caller's must be known before the grant.
void flow_grant_prepared(struct core *core, struct flow *flow, flow_step granted)
{
    struct sessions_row row;
    flow->then = granted;
    if (flow->origin.has_session && !sessions_find(core->tables, flow->origin.selector.byte, &row)) {
        ASK_STORE(core, flow, replaced_found, store_session_by_selector, .selector = flow->origin.selector);
        return;
    }
    flow->grant.replaces = flow->origin.has_session && is_callers(flow, row.verifier_hash);
    sign_device(core, flow);
}

void flow_grant_session(struct core *core, struct flow *flow, uint32_t epoch, flow_step granted)
{
    flow_prepare_session(core, flow, epoch);
    flow_grant_prepared(core, flow, granted);
}

static void say_granted(struct core *core, struct flow *flow, const struct answer *answer)
{
    (void)answer;
    const struct flow_grant *grant = &flow->grant;
    const struct wire_account_row *account = &flow->account;
    struct bytes rows;
    bytes_init(&rows, 8192);
    uint64_t idle_expires = table_idle_expires(core, &grant->row);
    struct wire_grant out = {.public_id = grant->row.public_id,
                             .expires = idle_expires < grant->row.expires ? idle_expires : grant->row.expires,
                             .expires_max = grant->row.expires,
                             .device = view_of(grant->device, grant->device_size)};
    memcpy(out.token.byte, grant->token, 32);
    wire_grant_append(&rows, &out);
    wire_account_public_append(&rows, &(struct wire_account_public){.name = account->name,
                                                                    .display_name = account->display_name,
                                                                    .email = account->email,
                                                                    .groups = account->groups,
                                                                    .flags = account->flags,
                                                                    .has_password = 1,
                                                                    .last_login = wall_s(core)});
    core->counters.sessions_granted++;
    flow_grant(core, flow, bytes_view(&rows));
    wipe(&out, sizeof(out));
    wipe(rows.data, rows.size);
    bytes_release(&rows);
}

void flow_show_session(struct core *core, struct flow *flow)
{
    if (table_take(core, &flow->account, &flow->grant.row, flow->began) == TABLE_OVER) {
        // All sessions of the account were ended between the store's answer and now.
        flow_refuse(
            core, flow, WIRE_NOT_SIGNED_IN,
            flow->number == WIRE_MESSAGE_password_change
                ? "The password is changed, and all sessions of this account were just ended. Log in again."
                : "All sessions of this account were just ended. Log in again.");
        return;
    }
    if (flow->grant.replaces) {
        flow_end_session(core, flow, &flow->origin.selector, say_granted);
    } else {
        say_granted(core, flow, NULL);
    }
}
