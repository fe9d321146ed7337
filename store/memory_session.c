// SPDX-License-Identifier: ISC
// Sessions, one-time things and the audit trail in memory, and the table of all verbs. Runs in the simulator
// and in tests. Guards come before changes.
#include "store/memory_verbs.h"

struct memory_session *memory_session_add(struct store_memory *store, const struct wire_session_row *from,
                                          struct store_answer *answer)
{
    if (memory_session_by_selector(store, from->selector) != NULL ||
        memory_session_by_public_id(store, from->public_id) != NULL) {
        refuse(answer, WIRE_CONFLICT_NONE);
        return NULL;
    }
    struct memory_session *row = memory_session_insert(store, from->account_id, from->selector);
    if (row == NULL) {
        set(answer, WIRE_STORE_NO_SPACE);
        return NULL;
    }
    row->verifier_hash = from->verifier_hash;
    row->public_id = from->public_id;
    row->address = from->address;
    row->epoch = from->epoch;
    row->created = from->created;
    row->expires = from->expires;
    row->last_seen = from->last_seen;
    row->level = from->level;
    MEMORY_SET(row->agent, from->agent);
    return row;
}

void store_memory_session_grant(void *backend, const struct wire_store_session_grant *ask,
                                struct store_answer *answer)
{
    struct store_memory *store = backend;
    struct memory_account *account = memory_account_by_id(store, ask->account_id);
    if (account == NULL) {
        set(answer, WIRE_STORE_NOT_FOUND);
        return;
    }
    if (is_disabled(account)) {
        refuse(answer, WIRE_CONFLICT_DISABLED);
        return;
    }
    if (account->epoch != ask->epoch) {
        refuse(answer, WIRE_CONFLICT_EPOCH);
        return;
    }
    const struct memory_session *same = memory_session_by_selector(store, ask->selector);
    if (same != NULL) {
        if (!same_id(same->verifier_hash, ask->verifier_hash) || !same_id(same->public_id, ask->public_id) ||
            !same_id(same->account_id, ask->account_id)) {
            refuse(answer, WIRE_CONFLICT_NONE);
        }
        return;
    }
    struct memory_session *replaced =
        ask->has_replaced ? memory_session_by_selector(store, ask->replaced) : NULL;
    const struct memory_session *taken = memory_session_by_public_id(store, ask->public_id);
    if (taken != NULL && taken != replaced) {
        refuse(answer, WIRE_CONFLICT_NONE);
        return;
    }
    if (replaced != NULL) {
        memory_session_remove(store, replaced);
    }
    struct wire_session_row row = SESSION_ROW_OF(ask);
    if (memory_session_add(store, &row, answer) != NULL && account->last_login < ask->created) {
        account->last_login = ask->created;
    }
}

static bool is_current(struct store_memory *store, const struct memory_session *session)
{
    const struct memory_account *account = memory_account_by_id(store, session->account_id);
    return account != NULL && !is_disabled(account) && account->epoch == session->epoch;
}

static void answer_pair(struct store_memory *store, const struct memory_session *session,
                        struct store_answer *answer)
{
    if (session == NULL || !is_current(store, session)) {
        set(answer, WIRE_STORE_NOT_FOUND);
        return;
    }
    struct wire_session_row row = session_row(session);
    store_answer_session(answer, &row);
    answer_account(memory_account_by_id(store, session->account_id), answer);
}

void store_memory_session_by_selector(void *backend, const struct wire_store_session_by_selector *ask,
                                      struct store_answer *answer)
{
    answer_pair(backend, memory_session_by_selector(backend, ask->selector), answer);
}

void store_memory_session_by_public_id(void *backend, const struct wire_store_session_by_public_id *ask,
                                       struct store_answer *answer)
{
    answer_pair(backend, memory_session_by_public_id(backend, ask->public_id), answer);
}

void store_memory_session_end(void *backend, const struct wire_store_session_end *ask,
                              struct store_answer *answer)
{
    (void)answer;
    struct memory_session *row = memory_session_by_selector(backend, ask->selector);
    if (row != NULL) {
        memory_session_remove(backend, row);
    }
}

static bool newer(const struct memory_session *a, const struct memory_session *b)
{
    return a->created != b->created ? a->created > b->created
                                    : memcmp(a->selector.byte, b->selector.byte, 16) < 0;
}

void store_memory_session_list(void *backend, const struct wire_store_session_list *ask,
                               struct store_answer *answer)
{
    struct store_memory *store = backend;
    const struct memory_session *last = NULL;
    for (uint32_t n = 0; n < store_limit(ask->limit); n++) {
        const struct memory_session *next = NULL;
        for (size_t i = 0; i < store->session_count; i++) {
            const struct memory_session *row = &store->sessions[i];
            if (same_id(row->account_id, ask->account_id) && row->expires > ask->now &&
                is_current(store, row) && (last == NULL || newer(last, row)) &&
                (next == NULL || newer(row, next))) {
                next = row;
            }
        }
        if (next == NULL) {
            return;
        }
        struct wire_session_row row = session_row(next);
        if (!store_answer_session(answer, &row)) {
            return;
        }
        last = next;
    }
}

void store_memory_session_seen(void *backend, const struct wire_store_session_seen *ask,
                               struct store_answer *answer)
{
    (void)answer;
    struct store_memory *store = backend;
    struct view rest = ask->rows;
    struct wire_seen_row row;
    while (wire_seen_row_next(&rest, &row)) {
        struct memory_session *session = memory_session_by_selector(store, row.selector);
        if (session != NULL && session->last_seen < row.last_seen) {
            session->last_seen = row.last_seen;
        }
    }
    store->last_alive = store->last_alive > ask->alive ? store->last_alive : ask->alive;
}

static bool is_after(const struct memory_session *row, const struct wire_store_session_page *ask)
{
    int order = memcmp(row->account_id.byte, ask->after_account.byte, 16);
    return order > 0 || (order == 0 && memcmp(row->selector.byte, ask->after_selector.byte, 16) > 0);
}

void store_memory_session_page(void *backend, const struct wire_store_session_page *ask,
                               struct store_answer *answer)
{
    struct store_memory *store = backend;
    const struct memory_session *last = NULL;
    uint32_t count = 0;
    for (size_t i = 0; i < store->session_count && count < store_limit(ask->limit); i++) {
        const struct memory_session *row = &store->sessions[i];
        if (!is_after(row, ask) || row->expires <= ask->now || !is_current(store, row)) {
            continue;
        }
        size_t before = answer->rows.size;
        struct wire_account_row account = account_row(memory_account_by_id(store, row->account_id));
        struct wire_session_row session = session_row(row);
        bool again = last != NULL && same_id(last->account_id, row->account_id);
        if ((!again && !store_answer_account(answer, &account)) || !store_answer_session(answer, &session)) {
            answer->rows.size = before;
            return;
        }
        last = row;
        count++;
    }
}

void store_memory_expired_delete(void *backend, const struct wire_store_expired_delete *ask,
                                 struct store_answer *answer)
{
    (void)answer;
    struct store_memory *store = backend;
    uint32_t left = store_limit(ask->limit);
    for (size_t i = 0; i < store->session_count && left > 0;) {
        struct memory_session *row = &store->sessions[i];
        const struct memory_account *account = memory_account_by_id(store, row->account_id);
        if (row->expires <= ask->now || row->last_seen < ask->idle_before || row->epoch != account->epoch) {
            memory_session_remove(store, row);
            left--;
        } else {
            i++;
        }
    }
    left = store_limit(ask->limit);
    for (size_t i = 0; i < store->once_count && left > 0;) {
        if (store->once[i].expires <= ask->now) {
            memory_once_remove(store, &store->once[i]);
            left--;
        } else {
            i++;
        }
    }
}

// ---- once, audit -----------------------------------------------------------------------------------------

void store_memory_once_put(void *backend, const struct wire_store_once_put *ask, struct store_answer *answer)
{
    struct memory_once *row = memory_once_find(backend, ask->space, ask->hash);
    row = row != NULL ? row : memory_once_insert(backend, ask->space, ask->hash);
    if (row == NULL) {
        set(answer, WIRE_STORE_NO_SPACE);
        return;
    }
    MEMORY_SET(row->payload, ask->payload);
    row->expires = ask->expires;
}

void store_memory_once_get(void *backend, const struct wire_store_once_get *ask, struct store_answer *answer)
{
    const struct memory_once *row = memory_once_find(backend, ask->space, ask->hash);
    if (row == NULL || row->expires <= ask->now) {
        set(answer, WIRE_STORE_NOT_FOUND);
        return;
    }
    store_answer_once(answer, &(struct wire_once_row){MEMORY_VIEW(row->payload), row->expires});
}

static struct wire_audit_row audit_row(const struct memory_audit *row)
{
    return (struct wire_audit_row){.id = row->id,
                                   .time = row->time,
                                   .trace = row->trace,
                                   .event = MEMORY_VIEW(row->event),
                                   .username = MEMORY_VIEW(row->username),
                                   .actor = MEMORY_VIEW(row->actor),
                                   .source = row->source,
                                   .outcome = MEMORY_VIEW(row->outcome),
                                   .detail = MEMORY_VIEW(row->detail)};
}

static bool audit_is_there(const struct store_memory *store, const struct wire_audit_row *row)
{
    for (size_t i = 0; i < store->audit_count; i++) {
        struct wire_audit_row have = audit_row(&store->audit[i]);
        if (have.time == row->time && have.trace == row->trace && view_equal(have.event, row->event) &&
            view_equal(have.username, row->username) && view_equal(have.actor, row->actor) &&
            same_id(have.source, row->source) && view_equal(have.outcome, row->outcome) &&
            view_equal(have.detail, row->detail)) {
            return true;
        }
    }
    return false;
}

void store_memory_audit_add(void *backend, const struct wire_store_audit_add *ask,
                            struct store_answer *answer)
{
    struct store_memory *store = backend;
    struct view rest = ask->rows;
    struct wire_audit_row row;
    while (wire_audit_row_next(&rest, &row)) {
        if (audit_is_there(store, &row)) {
            continue;
        }
        struct memory_audit *added = memory_audit_insert(store);
        if (added == NULL) {
            set(answer, WIRE_STORE_NO_SPACE);
            return;
        }
        added->time = row.time;
        added->trace = row.trace;
        added->source = row.source;
        MEMORY_SET(added->event, row.event);
        MEMORY_SET(added->username, row.username);
        MEMORY_SET(added->actor, row.actor);
        MEMORY_SET(added->outcome, row.outcome);
        MEMORY_SET(added->detail, row.detail);
    }
}

void store_memory_audit_list(void *backend, const struct wire_store_audit_list *ask,
                             struct store_answer *answer)
{
    struct store_memory *store = backend;
    uint32_t count = 0;
    for (size_t i = store->audit_count; i-- > 0 && count < store_limit(ask->limit);) {
        struct wire_audit_row row = audit_row(&store->audit[i]);
        if ((ask->before_id != 0 && row.id >= ask->before_id) || row.time < ask->since ||
            (ask->username.size > 0 && !view_equal(row.username, ask->username)) ||
            (ask->event.size > 0 && !view_equal(row.event, ask->event))) {
            continue;
        }
        if (!store_answer_audit(answer, &row)) {
            return;
        }
        count++;
    }
}

const struct store_verbs memory_verbs = {
#define VERB(name, class, access) .name = store_memory_##name,
    STORE_OPERATIONS(VERB)
#undef VERB
};
