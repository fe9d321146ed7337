// SPDX-License-Identifier: ISC
// Accounts in memory. Runs in the simulator and in tests. Each verb looks at all guards before it changes
// anything, so that a refusal leaves nothing to undo.
#include "store/memory_verbs.h"

void store_memory_account_by_name(void *backend, const struct wire_store_account_by_name *ask,
                                  struct store_answer *answer)
{
    const struct memory_account *account = memory_account_by_name(backend, ask->name);
    if (account == NULL) {
        set(answer, WIRE_STORE_NOT_FOUND);
        return;
    }
    struct wire_account_row row = account_row(account);
    row.created = row.password_changed = row.last_login = 0;
    store_answer_account(answer, &row);
}

void store_memory_account_by_id(void *backend, const struct wire_store_account_by_id *ask,
                                struct store_answer *answer)
{
    answer_account(memory_account_by_id(backend, ask->id), answer);
}

static void fill_account(struct memory_account *row, const struct wire_store_account_add *ask)
{
    MEMORY_SET(row->name, ask->name);
    MEMORY_SET(row->display_name, ask->display_name);
    MEMORY_SET(row->email, ask->email);
    MEMORY_SET(row->groups, ask->groups);
    MEMORY_SET(row->phc, ask->phc);
    row->flags = ask->flags;
    row->created = ask->created;
    row->password_changed = ask->created;
}

void store_memory_account_add(void *backend, const struct wire_store_account_add *ask,
                              struct store_answer *answer)
{
    struct store_memory *store = backend;
    const struct memory_account *before = memory_account_by_id(store, ask->id);
    if (before != NULL) {
        if (!view_equal(MEMORY_VIEW(before->name), ask->name)) {
            refuse(answer, WIRE_CONFLICT_NAME);
        } else {
            answer_account(before, answer);
        }
        return;
    }
    struct memory_once *invite =
        ask->has_invite ? memory_once_find(store, VIEW(STORE_SPACE_INVITE), ask->invite_hash) : NULL;
    if (ask->first && store->account_count > 0) {
        refuse(answer, WIRE_CONFLICT_FIRST);
    } else if (ask->has_invite && (invite == NULL || invite->expires <= ask->created)) {
        refuse(answer, WIRE_CONFLICT_INVITE);
    } else if (memory_account_by_name(store, ask->name) != NULL) {
        refuse(answer, WIRE_CONFLICT_NAME);
    } else {
        struct memory_account *row = memory_account_insert(store, ask->id);
        if (row == NULL) {
            set(answer, WIRE_STORE_NO_SPACE);
            return;
        }
        fill_account(row, ask);
        if (invite != NULL) {
            memory_once_remove(store, invite);
        }
        answer_account(row, answer);
    }
}

static bool other_administrator(const struct store_memory *store, struct id16 id)
{
    for (size_t i = 0; i < store->account_count; i++) {
        const struct memory_account *row = &store->accounts[i];
        if (!same_id(row->id, id) && !is_disabled(row) && store_groups_administer(MEMORY_VIEW(row->groups))) {
            return true;
        }
    }
    return false;
}

// Deletes the account's sessions below `epoch`, but not `keep` (may be NULL).
static void end_sessions(struct store_memory *store, struct id16 id, uint32_t epoch, const struct id16 *keep)
{
    for (size_t i = store->session_count; i-- > 0;) {
        struct memory_session *row = &store->sessions[i];
        if (same_id(row->account_id, id) && row->epoch < epoch &&
            (keep == NULL || !same_id(row->selector, *keep))) {
            memory_session_remove(store, row);
        }
    }
}

static bool would_administer(const struct memory_account *row, const struct wire_store_account_set *ask)
{
    struct view groups = (ask->fields & WIRE_SET_GROUPS) ? ask->groups : MEMORY_VIEW(row->groups);
    bool disabled = (ask->fields & WIRE_SET_DISABLED) ? ask->disabled != 0 : is_disabled(row);
    return !disabled && store_groups_administer(groups);
}

static void change_flag(uint32_t *flags, uint32_t flag, bool on)
{
    *flags = on ? *flags | flag : *flags & ~flag;
}

void store_memory_account_set(void *backend, const struct wire_store_account_set *ask,
                              struct store_answer *answer)
{
    struct store_memory *store = backend;
    struct memory_account *row = memory_account_by_id(store, ask->id);
    if (row == NULL) {
        set(answer, WIRE_STORE_NOT_FOUND);
        return;
    }
    bool administers = !is_disabled(row) && store_groups_administer(MEMORY_VIEW(row->groups));
    if (ask->keep_administrator && administers && !would_administer(row, ask) &&
        !other_administrator(store, ask->id)) {
        refuse(answer, WIRE_CONFLICT_LAST_ADMINISTRATOR);
        return;
    }
    if (ask->fields & WIRE_SET_DISPLAY_NAME) {
        MEMORY_SET(row->display_name, ask->display_name);
    }
    if (ask->fields & WIRE_SET_EMAIL) {
        MEMORY_SET(row->email, ask->email);
        change_flag(&row->flags, WIRE_ACCOUNT_EMAIL_VERIFIED, ask->email_verified != 0);
    }
    if (ask->fields & WIRE_SET_GROUPS) {
        MEMORY_SET(row->groups, ask->groups);
    }
    if (ask->fields & WIRE_SET_DISABLED) {
        if (ask->disabled && (!is_disabled(row) || ask->epoch > row->epoch)) {
            row->epoch = ask->epoch > row->epoch ? ask->epoch : row->epoch + 1;
            end_sessions(store, row->id, UINT32_MAX, NULL);
        }
        change_flag(&row->flags, WIRE_ACCOUNT_DISABLED_FLAG, ask->disabled != 0);
    }
    answer_account(row, answer);
}

static bool insertable(struct store_memory *store, struct id16 account_id, struct id16 selector,
                       struct id16 public_id)
{
    // A session of the same account is about to be deleted and is not in the way.
    const struct memory_session *by_selector = memory_session_by_selector(store, selector);
    const struct memory_session *by_public_id = memory_session_by_public_id(store, public_id);
    return (by_selector == NULL || same_id(by_selector->account_id, account_id)) &&
           (by_public_id == NULL || same_id(by_public_id->account_id, account_id));
}

void store_memory_account_password(void *backend, const struct wire_store_account_password *ask,
                                   struct store_answer *answer)
{
    struct store_memory *store = backend;
    struct memory_account *row = memory_account_by_id(store, ask->account_id);
    if (row == NULL) {
        set(answer, WIRE_STORE_NOT_FOUND);
    } else if (view_equal(MEMORY_VIEW(row->phc), ask->phc)) {
        return;
    } else if (ask->phc_before.size > 0 && !view_equal(MEMORY_VIEW(row->phc), ask->phc_before)) {
        refuse(answer, WIRE_CONFLICT_PASSWORD);
    } else if (ask->epoch <= row->epoch) {
        refuse(answer, WIRE_CONFLICT_EPOCH);
    } else if (ask->with_session && is_disabled(row)) {
        refuse(answer, WIRE_CONFLICT_DISABLED);
    } else if (ask->with_session && !insertable(store, ask->account_id, ask->selector, ask->public_id)) {
        refuse(answer, WIRE_CONFLICT_NONE);
    } else if (ask->with_session && store->session_count >= store->rows_max) {
        set(answer, WIRE_STORE_NO_SPACE);
    } else {
        MEMORY_SET(row->phc, ask->phc);
        row->epoch = ask->epoch;
        row->password_changed = ask->changed;
        end_sessions(store, ask->account_id, UINT32_MAX, NULL);
        if (ask->with_session) {
            struct wire_session_row session = SESSION_ROW_OF(ask);
            (void)memory_session_add(store, &session, answer);
        }
    }
}

void store_memory_account_rehash(void *backend, const struct wire_store_account_rehash *ask,
                                 struct store_answer *answer)
{
    struct memory_account *row = memory_account_by_id(backend, ask->id);
    if (row == NULL) {
        set(answer, WIRE_STORE_NOT_FOUND);
    } else if (view_equal(MEMORY_VIEW(row->phc), ask->phc)) {
        return;
    } else if (!view_equal(MEMORY_VIEW(row->phc), ask->phc_before)) {
        refuse(answer, WIRE_CONFLICT_PASSWORD);
    } else {
        MEMORY_SET(row->phc, ask->phc);
    }
}

void store_memory_account_delete(void *backend, const struct wire_store_account_delete *ask,
                                 struct store_answer *answer)
{
    struct store_memory *store = backend;
    struct memory_account *row = memory_account_by_id(store, ask->id);
    if (row == NULL) {
        return;
    }
    if (ask->keep_administrator && !is_disabled(row) && store_groups_administer(MEMORY_VIEW(row->groups)) &&
        !other_administrator(store, ask->id)) {
        refuse(answer, WIRE_CONFLICT_LAST_ADMINISTRATOR);
        return;
    }
    end_sessions(store, ask->id, UINT32_MAX, NULL);
    memory_account_remove(store, row);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool contains(struct view text, struct view part)
{
    for (size_t i = 0; i + part.size <= text.size; i++) {
        size_t same = 0;
        while (same < part.size && lower(text.data[i + same]) == lower(part.data[same])) {
            same++;
        }
        if (same == part.size) {
            return true;
        }
    }
    return false;
}

static bool listed(const struct memory_account *row, struct view query)
{
    return query.size == 0 || contains(MEMORY_VIEW(row->name), query) ||
           contains(MEMORY_VIEW(row->display_name), query) || contains(MEMORY_VIEW(row->email), query);
}

static int text_order(struct view a, struct view b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size == 0 ? 0 : memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

void store_memory_account_list(void *backend, const struct wire_store_account_list *ask,
                               struct store_answer *answer)
{
    struct store_memory *store = backend;
    struct view after = ask->after;
    for (uint32_t n = 0; n < store_limit(ask->limit); n++) {
        const struct memory_account *next = NULL;
        for (size_t i = 0; i < store->account_count; i++) {
            const struct memory_account *row = &store->accounts[i];
            struct view name = MEMORY_VIEW(row->name);
            if (text_order(name, after) > 0 && listed(row, ask->query) &&
                (next == NULL || text_order(name, MEMORY_VIEW(next->name)) < 0)) {
                next = row;
            }
        }
        if (next == NULL) {
            return;
        }
        struct wire_account_row row = account_row(next);
        if (!store_answer_account(answer, &row)) {
            return;
        }
        after = MEMORY_VIEW(next->name);
    }
}

void store_memory_account_epoch(void *backend, const struct wire_store_account_epoch *ask,
                                struct store_answer *answer)
{
    struct store_memory *store = backend;
    struct memory_account *row = memory_account_by_id(store, ask->id);
    if (row == NULL) {
        set(answer, WIRE_STORE_NOT_FOUND);
        return;
    }
    row->epoch = row->epoch > ask->epoch ? row->epoch : ask->epoch;
    struct memory_session *kept = ask->has_keep ? memory_session_by_selector(store, ask->keep) : NULL;
    if (kept != NULL && same_id(kept->account_id, ask->id) && kept->epoch < ask->epoch) {
        kept->epoch = ask->epoch;
    }
    end_sessions(store, ask->id, ask->epoch, NULL);
}
