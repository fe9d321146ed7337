// SPDX-License-Identifier: ISC
// Decoding, dispatch and answers of the store's operations. Runs in stayd-store and in the simulator.
#include "store/store.h"

static const struct store_operation operations[WIRE_MESSAGE_END] = {
#define ROW(name, class, access)                                                                             \
    [WIRE_MESSAGE_store_##name] = {WIRE_MESSAGE_store_##name, class, access, #name},
    STORE_OPERATIONS(ROW)
#undef ROW
};

const struct store_operation *store_operation_find(uint16_t number)
{
    return number < WIRE_MESSAGE_END && operations[number].name != NULL ? &operations[number] : NULL;
}

void store_answer_init(struct store_answer *answer)
{
    *answer = (struct store_answer){.outcome = WIRE_STORE_OK};
    bytes_init(&answer->rows, STORE_ROWS_MAX);
}

void store_answer_release(struct store_answer *answer)
{
    bytes_release(&answer->rows);
}

void store_answer_reset(struct store_answer *answer)
{
    bytes_reset(&answer->rows);
    answer->outcome = WIRE_STORE_OK;
    answer->conflict = WIRE_CONFLICT_NONE;
    answer->retry_after_s = 0;
}

void store_answer_set(struct store_answer *answer, enum wire_store_outcome outcome,
                      enum wire_conflict conflict)
{
    bytes_reset(&answer->rows);
    answer->outcome = outcome;
    answer->conflict = conflict;
}

// A record that does not fit ends the page, it does not spoil it.
static bool settle(struct store_answer *answer, bool appended)
{
    answer->rows.failed = false;
    return appended;
}

bool store_answer_account(struct store_answer *answer, const struct wire_account_row *row)
{
    return settle(answer, wire_account_row_append(&answer->rows, row));
}

bool store_answer_session(struct store_answer *answer, const struct wire_session_row *row)
{
    return settle(answer, wire_session_row_append(&answer->rows, row));
}

bool store_answer_audit(struct store_answer *answer, const struct wire_audit_row *row)
{
    return settle(answer, wire_audit_row_append(&answer->rows, row));
}

bool store_answer_once(struct store_answer *answer, const struct wire_once_row *row)
{
    return settle(answer, wire_once_row_append(&answer->rows, row));
}

static uint64_t little_endian(const uint8_t *data, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)data[i] << (8 * i);
    }
    return value;
}

// Every operation begins alike: u16 number, u64 op, u32 deadline_ms (WIRE_OPERATION).
bool store_head(struct view packet, uint64_t *op, uint32_t *deadline_ms)
{
    if (store_operation_find(wire_peek(packet)) == NULL || packet.size < 14) {
        return false;
    }
    *op = little_endian(packet.data + 2, 8);
    *deadline_ms = (uint32_t)little_endian(packet.data + 10, 4);
    return true;
}

// The rows inside a packet are checked before anything is done with the first of them.
static bool seen_rows_are_whole(struct view rows)
{
    struct wire_seen_row row;
    while (rows.size > 0) {
        if (!wire_seen_row_next(&rows, &row)) {
            return false;
        }
    }
    return true;
}

static bool audit_rows_are_whole(struct view rows)
{
    struct wire_audit_row row;
    while (rows.size > 0) {
        if (!wire_audit_row_next(&rows, &row)) {
            return false;
        }
    }
    return true;
}

static bool rows_are_whole(struct view packet)
{
    if (wire_peek(packet) == WIRE_MESSAGE_store_session_seen) {
        struct wire_store_session_seen ask;
        return wire_store_session_seen_decode(packet, &ask) && seen_rows_are_whole(ask.rows);
    }
    if (wire_peek(packet) == WIRE_MESSAGE_store_audit_add) {
        struct wire_store_audit_add ask;
        return wire_store_audit_add_decode(packet, &ask) && audit_rows_are_whole(ask.rows);
    }
    return true;
}

#define DISPATCH(name, class, access)                                                                        \
    static bool dispatch_##name(const struct store_verbs *verbs, void *backend, struct view packet,          \
                                struct store_answer *answer)                                                 \
    {                                                                                                        \
        struct wire_store_##name ask;                                                                        \
        if (!wire_store_##name##_decode(packet, &ask)) {                                                     \
            return false;                                                                                    \
        }                                                                                                    \
        verbs->name(backend, &ask, answer);                                                                  \
        return true;                                                                                         \
    }
STORE_OPERATIONS(DISPATCH)
#undef DISPATCH

typedef bool dispatcher(const struct store_verbs *verbs, void *backend, struct view packet,
                        struct store_answer *answer);

static dispatcher *const dispatchers[WIRE_MESSAGE_END] = {
#define ROW(name, class, access) [WIRE_MESSAGE_store_##name] = dispatch_##name,
    STORE_OPERATIONS(ROW)
#undef ROW
};

bool store_dispatch(const struct store_verbs *verbs, void *backend, struct view packet,
                    struct store_answer *answer)
{
    const struct store_operation *operation = store_operation_find(wire_peek(packet));
    if (operation == NULL || !rows_are_whole(packet)) {
        return false;
    }
    store_answer_reset(answer);
    return dispatchers[operation->number](verbs, backend, packet, answer);
}

bool store_answer_encode(const struct store_answer *answer, uint64_t op, uint32_t wait_us, uint32_t run_us,
                         uint32_t commit_us, struct bytes *out)
{
    return wire_store_reply_encode(out, &(struct wire_store_reply){
                                            .op = op,
                                            .outcome = (uint8_t)answer->outcome,
                                            .conflict = (uint8_t)answer->conflict,
                                            .retry_after_s = answer->retry_after_s,
                                            .wait_us = wait_us,
                                            .run_us = run_us,
                                            .commit_us = commit_us,
                                            .rows = bytes_view(&answer->rows),
                                        });
}

bool store_groups_administer(struct view groups)
{
    while (groups.size > 0) {
        if (view_equal(view_cut(&groups, ','), VIEW(WIRE_ADMIN_GROUP))) {
            return true;
        }
    }
    return false;
}
