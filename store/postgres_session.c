// SPDX-License-Identifier: ISC
// Sessions on PostgreSQL. Runs in stayd-store. A session is live when its epoch is its account's, it is not
// past its expiry and the account is not disabled.
#include "store/postgres_verbs.h"

// The order of SESSION_COLUMNS.
bool postgres_session_grant_make(struct postgres_call *call, const struct wire_store_session_grant *ask)
{
    postgres_step_add(call, STATEMENT_SESSION_GRANT);
    postgres_put_id(call, ask->selector);
    postgres_put_id(call, ask->verifier_hash);
    postgres_put_id(call, ask->public_id);
    postgres_put_id(call, ask->account_id);
    postgres_put_u64(call, ask->epoch);
    postgres_put_u64(call, ask->created);
    postgres_put_u64(call, ask->expires);
    postgres_put_u64(call, ask->last_seen);
    postgres_put_u64(call, ask->level);
    postgres_put_id(call, ask->address);
    postgres_put_view(call, ask->agent);
    if (ask->has_replaced) {
        postgres_put_id(call, ask->replaced);
    } else {
        postgres_put_null(call);
    }
    return true;
}

enum postgres_taken postgres_session_grant_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_said(last, answer);
}

static enum postgres_taken take_pair(const PGresult *last, struct store_answer *answer)
{
    if (PQntuples(last) == 0) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
        return POSTGRES_TAKEN;
    }
    struct postgres_row row = postgres_row_of(last, 0);
    struct wire_session_row session;
    struct wire_account_row account;
    postgres_take_session(&row, &session);
    postgres_take_account(&row, &account);
    bool whole =
        !row.broken && store_answer_session(answer, &session) && store_answer_account(answer, &account);
    return whole ? POSTGRES_TAKEN : POSTGRES_BROKEN;
}

bool postgres_session_by_selector_make(struct postgres_call *call,
                                       const struct wire_store_session_by_selector *ask)
{
    postgres_step_add(call, STATEMENT_SESSION_BY_SELECTOR);
    postgres_put_id(call, ask->selector);
    return true;
}

enum postgres_taken postgres_session_by_selector_take(const PGresult *last, struct store_answer *answer)
{
    return take_pair(last, answer);
}

bool postgres_session_by_public_id_make(struct postgres_call *call,
                                        const struct wire_store_session_by_public_id *ask)
{
    postgres_step_add(call, STATEMENT_SESSION_BY_PUBLIC_ID);
    postgres_put_id(call, ask->public_id);
    return true;
}

enum postgres_taken postgres_session_by_public_id_take(const PGresult *last, struct store_answer *answer)
{
    return take_pair(last, answer);
}

bool postgres_session_end_make(struct postgres_call *call, const struct wire_store_session_end *ask)
{
    postgres_step_add(call, STATEMENT_SESSION_END);
    postgres_put_id(call, ask->selector);
    return true;
}

enum postgres_taken postgres_session_end_take(const PGresult *last, struct store_answer *answer)
{
    (void)last;
    (void)answer;
    return POSTGRES_TAKEN;
}

bool postgres_session_list_make(struct postgres_call *call, const struct wire_store_session_list *ask)
{
    postgres_step_add(call, STATEMENT_SESSION_LIST);
    postgres_put_id(call, ask->account_id);
    postgres_put_u64(call, ask->now);
    postgres_put_u64(call, store_limit(ask->limit));
    return true;
}

static bool append_session(struct postgres_row *row, struct store_answer *answer)
{
    struct wire_session_row session;
    postgres_take_session(row, &session);
    return row->broken || store_answer_session(answer, &session);
}

enum postgres_taken postgres_session_list_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_rows(last, answer, append_session);
}

// The same row's time may come twice; the greatest is taken.
bool postgres_session_seen_make(struct postgres_call *call, const struct wire_store_session_seen *ask)
{
    struct wire_seen_row row;
    struct view rest = ask->rows;
    struct postgres_list selectors = postgres_list_begin(call, POSTGRES_BYTEA);
    while (wire_seen_row_next(&rest, &row)) {
        postgres_list_add(call, &selectors, view_of(row.selector.byte, sizeof(row.selector.byte)));
    }
    size_t selectors_size = postgres_list_end(call, &selectors);
    if (rest.size > 0) {
        return false;
    }
    rest = ask->rows;
    struct postgres_list times = postgres_list_begin(call, POSTGRES_BIGINT);
    while (wire_seen_row_next(&rest, &row)) {
        postgres_list_add_u64(call, &times, row.last_seen);
    }
    size_t times_size = postgres_list_end(call, &times);
    postgres_step_add(call, STATEMENT_SESSION_SEEN);
    postgres_put_list(call, &selectors, selectors_size);
    postgres_put_list(call, &times, times_size);
    postgres_step_add(call, STATEMENT_META_ALIVE);
    postgres_put_u64(call, ask->alive);
    return true;
}

enum postgres_taken postgres_session_seen_take(const PGresult *last, struct store_answer *answer)
{
    (void)last;
    (void)answer;
    return POSTGRES_TAKEN;
}

bool postgres_session_page_make(struct postgres_call *call, const struct wire_store_session_page *ask)
{
    postgres_step_add(call, STATEMENT_SESSION_PAGE);
    postgres_put_id(call, ask->after_account);
    postgres_put_id(call, ask->after_selector);
    postgres_put_u64(call, ask->now);
    postgres_put_u64(call, store_limit(ask->limit));
    return true;
}

// One session of a page, its account before it where a new account begins; false when the page is full.
static bool append_paged(struct store_answer *answer, const struct wire_session_row *session,
                         const struct wire_account_row *account, bool same)
{
    size_t before = answer->rows.size;
    if ((!same && !store_answer_account(answer, account)) || !store_answer_session(answer, session)) {
        answer->rows.size = before;
        return false;
    }
    return true;
}

enum postgres_taken postgres_session_page_take(const PGresult *last, struct store_answer *answer)
{
    struct id16 owner = {0};
    for (int i = 0; i < PQntuples(last); i++) {
        struct postgres_row row = postgres_row_of(last, i);
        struct wire_session_row session;
        struct wire_account_row account;
        postgres_take_session(&row, &session);
        postgres_take_account(&row, &account);
        if (row.broken) {
            return POSTGRES_BROKEN;
        }
        bool same = i > 0 && memcmp(owner.byte, account.id.byte, sizeof(owner.byte)) == 0;
        if (!append_paged(answer, &session, &account, same)) {
            break;
        }
        owner = account.id;
    }
    return POSTGRES_TAKEN;
}

// Where the walk stands is a row of the database, so that all nodes together go round once; a node that finds
// another at it leaves it to that one.
bool postgres_expired_delete_make(struct postgres_call *call, const struct wire_store_expired_delete *ask)
{
    postgres_step_add(call, STATEMENT_SESSION_SWEEP);
    postgres_put_u64(call, ask->now);
    postgres_put_u64(call, ask->idle_before);
    postgres_put_u64(call, store_limit(ask->limit));
    postgres_step_add(call, STATEMENT_ONCE_EXPIRED);
    postgres_put_u64(call, ask->now);
    postgres_put_u64(call, store_limit(ask->limit));
    return true;
}

enum postgres_taken postgres_expired_delete_take(const PGresult *last, struct store_answer *answer)
{
    (void)last;
    (void)answer;
    return POSTGRES_TAKEN;
}
