// SPDX-License-Identifier: ISC
// Sessions in SQLite. Runs in stayd-store. A session is live when its epoch is its account's, it is not past
// its expiry and the account is not disabled.
#include "store/sqlite_verbs.h"

static void delete_by_selector(struct store_sqlite *store, struct id16 selector)
{
    struct query query = query_begin(store, STATEMENT_SESSION_END);
    query_put_id(&query, selector);
    (void)query_run(&query, NULL);
    query_end(&query);
}

enum same { SAME_ABSENT, SAME_THIS, SAME_OTHER };

// Is the session that is to be granted there already, from the same operation sent before?
static enum same find_same(struct store_sqlite *store, const struct wire_store_session_grant *ask)
{
    enum same same = SAME_ABSENT;
    struct query query = query_begin(store, STATEMENT_SESSION_SAME);
    query_put_id(&query, ask->selector);
    if (query_row(&query)) {
        struct id16 verifier_hash = query_take_id(&query);
        struct id16 public_id = query_take_id(&query);
        struct id16 account_id = query_take_id(&query);
        bool equal = equal_secret(verifier_hash.byte, ask->verifier_hash.byte, 16) &&
                     memcmp(public_id.byte, ask->public_id.byte, 16) == 0 &&
                     memcmp(account_id.byte, ask->account_id.byte, 16) == 0;
        same = equal ? SAME_THIS : SAME_OTHER;
    }
    query_end(&query);
    return same;
}

static void note_login(struct store_sqlite *store, const struct wire_store_session_grant *ask)
{
    struct query query = query_begin(store, STATEMENT_ACCOUNT_LOGIN);
    query_put_u64(&query, ask->created);
    query_put_id(&query, ask->account_id);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_session_grant(void *backend, const struct wire_store_session_grant *ask,
                                struct store_answer *answer)
{
    struct store_sqlite *store = backend;
    struct account_found account;
    if (!query_account_or_none(store, ask->account_id, &account, answer)) {
        return;
    }
    if ((account.row.flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0) {
        store_answer_set(answer, WIRE_STORE_CONFLICT, WIRE_CONFLICT_DISABLED);
        return;
    }
    if (account.row.epoch != ask->epoch) {
        store_answer_set(answer, WIRE_STORE_CONFLICT, WIRE_CONFLICT_EPOCH);
        return;
    }
    enum same same = find_same(store, ask);
    if (same == SAME_THIS) {
        return;
    }
    if (ask->has_replaced) {
        delete_by_selector(store, ask->replaced);
    }
    if (same == SAME_OTHER || !query_session_insert(store, &SESSION_ROW_OF(ask))) {
        store_answer_set(answer, WIRE_STORE_CONFLICT, WIRE_CONFLICT_NONE);
        return;
    }
    note_login(store, ask);
}

static void answer_pair(struct query *query, struct store_answer *answer)
{
    if (query_row(query)) {
        struct wire_session_row session;
        struct wire_account_row account;
        query_take_session(query, &session);
        query_take_account(query, &account);
        store_answer_session(answer, &session);
        store_answer_account(answer, &account);
    } else {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
    }
    query_end(query);
}

void store_sqlite_session_by_selector(void *backend, const struct wire_store_session_by_selector *ask,
                                      struct store_answer *answer)
{
    struct query query = query_begin(backend, STATEMENT_SESSION_BY_SELECTOR);
    query_put_id(&query, ask->selector);
    answer_pair(&query, answer);
}

void store_sqlite_session_by_public_id(void *backend, const struct wire_store_session_by_public_id *ask,
                                       struct store_answer *answer)
{
    struct query query = query_begin(backend, STATEMENT_SESSION_BY_PUBLIC_ID);
    query_put_id(&query, ask->public_id);
    answer_pair(&query, answer);
}

void store_sqlite_session_end(void *backend, const struct wire_store_session_end *ask,
                              struct store_answer *answer)
{
    (void)answer;
    delete_by_selector(backend, ask->selector);
}

void store_sqlite_session_list(void *backend, const struct wire_store_session_list *ask,
                               struct store_answer *answer)
{
    struct query query = query_begin(backend, STATEMENT_SESSION_LIST);
    query_put_id(&query, ask->account_id);
    query_put_u64(&query, ask->now);
    query_put_u64(&query, store_limit(ask->limit));
    while (query_row(&query)) {
        struct wire_session_row row;
        query_take_session(&query, &row);
        if (!store_answer_session(answer, &row)) {
            break;
        }
    }
    query_end(&query);
}

void store_sqlite_session_seen(void *backend, const struct wire_store_session_seen *ask,
                               struct store_answer *answer)
{
    (void)answer;
    struct view rest = ask->rows;
    struct wire_seen_row row;
    while (wire_seen_row_next(&rest, &row)) {
        struct query query = query_begin(backend, STATEMENT_SESSION_SEEN);
        query_put_u64(&query, row.last_seen);
        query_put_id(&query, row.selector);
        bool done = query_run(&query, NULL);
        query_end(&query);
        if (!done) {
            return;
        }
    }
    struct query alive = query_begin(backend, STATEMENT_META_ALIVE);
    query_put_u64(&alive, ask->alive);
    (void)query_run(&alive, NULL);
    query_end(&alive);
}

// One session of a page, its account before it where a new account begins; false when the page is full.
static bool append_paged(struct query *query, struct store_answer *answer, struct id16 *last, bool *any)
{
    struct wire_session_row session;
    struct wire_account_row account;
    query_take_session(query, &session);
    query_take_account(query, &account);
    size_t before = answer->rows.size;
    bool same = *any && memcmp(last->byte, account.id.byte, 16) == 0;
    if ((!same && !store_answer_account(answer, &account)) || !store_answer_session(answer, &session)) {
        answer->rows.size = before;
        return false;
    }
    *last = account.id;
    *any = true;
    return true;
}

void store_sqlite_session_page(void *backend, const struct wire_store_session_page *ask,
                               struct store_answer *answer)
{
    struct id16 last = {0};
    bool any = false;
    struct query query = query_begin(backend, STATEMENT_SESSION_PAGE);
    query_put_id(&query, ask->after_account);
    query_put_id(&query, ask->after_selector);
    query_put_u64(&query, ask->now);
    query_put_u64(&query, store_limit(ask->limit));
    while (query_row(&query) && append_paged(&query, answer, &last, &any)) {
    }
    query_end(&query);
}

// ---- housekeeping ----------------------------------------------------------------------------------------

#define SWEEP_STEP 1024 // sessions looked at by one operation

struct swept {
    struct id16 account, selector;
};

// Looks at the next sessions from where the walk stands; fills `dead` and moves the walk on. At the end it
// begins again.
static size_t sweep(struct store_sqlite *store, const struct wire_store_expired_delete *ask,
                    struct swept dead[static STORE_LIST_MAX])
{
    size_t count = 0, seen = 0, most = store_limit(ask->limit);
    struct query query = query_begin(store, STATEMENT_SESSION_SWEEP);
    query_put_id(&query, store->swept_account);
    query_put_id(&query, store->swept_selector);
    query_put_u64(&query, ask->now);
    query_put_u64(&query, ask->idle_before);
    query_put_u64(&query, SWEEP_STEP);
    while (count < most && query_row(&query)) {
        store->swept_account = query_take_id(&query);
        store->swept_selector = query_take_id(&query);
        if (query_take_u64(&query) != 0) {
            dead[count++] = (struct swept){store->swept_account, store->swept_selector};
        }
        seen++;
    }
    query_end(&query);
    if (count < most && seen < SWEEP_STEP) {
        store->swept_account = (struct id16){0};
        store->swept_selector = (struct id16){0};
    }
    return count;
}

static void delete_expired_once(struct store_sqlite *store, const struct wire_store_expired_delete *ask)
{
    struct query query = query_begin(store, STATEMENT_ONCE_EXPIRED);
    query_put_u64(&query, ask->now);
    query_put_u64(&query, store_limit(ask->limit));
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_expired_delete(void *backend, const struct wire_store_expired_delete *ask,
                                 struct store_answer *answer)
{
    (void)answer;
    struct store_sqlite *store = backend;
    struct swept dead[STORE_LIST_MAX];
    size_t count = sweep(store, ask, dead);
    for (size_t i = 0; i < count && store->failure == STORE_FINE; i++) {
        struct query query = query_begin(store, STATEMENT_SESSION_DELETE);
        query_put_id(&query, dead[i].account);
        query_put_id(&query, dead[i].selector);
        (void)query_run(&query, NULL);
        query_end(&query);
    }
    delete_expired_once(store, ask);
}
