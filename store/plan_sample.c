// SPDX-License-Identifier: ISC
// A packet of each operation, in each form that runs other statements. Runs in stayd-store (offline) and in
// tests.
#include "store/plan_sample.h"

#define LOOK(name_, ...)                                                                                     \
    (bytes_reset(&packet),                                                                                   \
     wire_store_##name_##_encode(&packet, &(struct wire_store_##name_){__VA_ARGS__}) &&                      \
         each(owner, bytes_view(&packet)))

#define NEW_SESSION                                                                                          \
    .selector = {{1}}, .verifier_hash = {{2}}, .public_id = {{3}}, .account_id = of->account, .created = 1,  \
    .expires = 2, .last_seen = 1, .level = 1

static bool look_accounts(const struct plan_sample *of, plan_packet *each, void *owner)
{
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    bool fine =
        LOOK(account_by_name, .name = of->name) && LOOK(account_by_id, .id = of->account) &&
        LOOK(account_add, .id = {{1}}, .name = VIEW("~"), .first = 1, .has_invite = 1) &&
        LOOK(account_set, .id = of->account, .fields = WIRE_SET_DISABLED, .disabled = 1,
             .keep_administrator = 1) &&
        LOOK(account_password, NEW_SESSION, .phc = VIEW("~"), .phc_before = of->phc, .epoch = of->epoch + 1,
             .with_session = 1) &&
        LOOK(account_rehash, .id = of->account, .phc_before = of->phc, .phc = VIEW("~")) &&
        LOOK(account_delete, .id = of->account, .keep_administrator = 1) &&
        LOOK(account_list, .after = of->name, .limit = 100) &&
        LOOK(account_epoch, .id = of->account, .epoch = of->epoch + 1, .has_keep = 1, .keep = of->selector);
    bytes_release(&packet);
    return fine;
}

static bool look_sessions(const struct plan_sample *of, plan_packet *each, void *owner)
{
    struct bytes packet, rows;
    bytes_init(&packet, WIRE_PACKET_MAX);
    bytes_init(&rows, 32768);
    for (uint8_t i = 0; i < 100; i++) {
        struct wire_seen_row row = {of->selector, 1};
        row.selector.byte[15] = (uint8_t)(row.selector.byte[15] + i);
        wire_seen_row_append(&rows, &row);
    }
    bool fine =
        LOOK(session_grant, NEW_SESSION, .epoch = of->epoch, .has_replaced = 1, .replaced = of->selector) &&
        LOOK(session_by_selector, .selector = of->selector) &&
        LOOK(session_by_public_id, .public_id = of->public_id) &&
        LOOK(session_end, .selector = of->selector) &&
        LOOK(session_list, .account_id = of->account, .limit = 100) &&
        LOOK(session_seen, .rows = bytes_view(&rows), .alive = 1) &&
        LOOK(session_page, .after_account = of->account, .after_selector = of->selector, .limit = 512) &&
        LOOK(expired_delete, .limit = 512);
    bytes_release(&rows);
    bytes_release(&packet);
    return fine;
}

static bool look_others(const struct plan_sample *of, plan_packet *each, void *owner)
{
    struct bytes packet, rows;
    bytes_init(&packet, WIRE_PACKET_MAX);
    bytes_init(&rows, 4096);
    wire_audit_row_append(&rows, &(struct wire_audit_row){.time = 1, .event = VIEW("~")});
    bool fine = LOOK(once_put, .space = VIEW("~")) && LOOK(once_get, .space = VIEW("invite")) &&
                LOOK(audit_add, .rows = bytes_view(&rows)) && LOOK(audit_list, .limit = 512) &&
                LOOK(audit_list, .limit = 512, .username = of->name) &&
                LOOK(audit_list, .limit = 512, .event = VIEW("login"));
    bytes_release(&rows);
    bytes_release(&packet);
    return fine;
}

bool plan_sample_each(const struct plan_sample *of, plan_packet *each, void *owner)
{
    return look_accounts(of, each, owner) && look_sessions(of, each, owner) && look_others(of, each, owner);
}
