// SPDX-License-Identifier: ISC
// Accounts in SQLite. Runs in stayd-store. Guards and change are one transaction; what is not OK is undone by
// the caller.
#include "store/sqlite_verbs.h"

static void refuse(struct store_answer *answer, enum wire_conflict conflict)
{
    store_answer_set(answer, WIRE_STORE_CONFLICT, conflict);
}

// Appends the row that `query` (values bound) finds, or answers NOT_FOUND.
static void answer_one(struct query *query, void (*take)(struct query *, struct wire_account_row *),
                       struct store_answer *answer)
{
    if (query_row(query)) {
        struct wire_account_row row;
        take(query, &row);
        store_answer_account(answer, &row);
    } else {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
    }
    query_end(query);
}

void store_sqlite_account_by_name(void *backend, const struct wire_store_account_by_name *ask,
                                  struct store_answer *answer)
{
    struct query query = query_begin(backend, STATEMENT_ACCOUNT_BY_NAME);
    query_put_text(&query, ask->name);
    answer_one(&query, query_take_login, answer);
}

void store_sqlite_account_by_id(void *backend, const struct wire_store_account_by_id *ask,
                                struct store_answer *answer)
{
    struct query query = query_begin(backend, STATEMENT_ACCOUNT_BY_ID);
    query_put_id(&query, ask->id);
    answer_one(&query, query_take_account, answer);
}

static bool any_account(struct store_sqlite *store)
{
    struct query query = query_begin(store, STATEMENT_ACCOUNT_ANY);
    bool found = query_row(&query);
    query_end(&query);
    return found;
}

static bool name_is_taken(struct store_sqlite *store, struct view name)
{
    struct query query = query_begin(store, STATEMENT_ACCOUNT_BY_NAME);
    query_put_text(&query, name);
    bool found = query_row(&query);
    query_end(&query);
    return found;
}

static bool take_invite(struct store_sqlite *store, struct hash32 hash, uint64_t now)
{
    uint64_t taken;
    struct query query = query_begin(store, STATEMENT_ONCE_TAKE);
    query_put_text(&query, VIEW(STORE_SPACE_INVITE));
    query_put_hash(&query, hash);
    query_put_u64(&query, now);
    (void)query_run(&query, &taken);
    query_end(&query);
    return taken == 1;
}

static void insert(struct store_sqlite *store, const struct wire_store_account_add *ask)
{
    struct query query = query_begin(store, STATEMENT_ACCOUNT_INSERT);
    query_put_id(&query, ask->id);
    query_put_text(&query, ask->name);
    query_put_text(&query, ask->display_name);
    query_put_text(&query, ask->email);
    query_put_text(&query, ask->groups);
    query_put_u64(&query, ask->flags);
    query_put_text(&query, ask->phc);
    query_put_u64(&query, 0);
    query_put_u64(&query, ask->created);
    query_put_u64(&query, ask->created);
    query_put_u64(&query, 0);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_account_add(void *backend, const struct wire_store_account_add *ask,
                              struct store_answer *answer)
{
    struct store_sqlite *store = backend;
    struct account_found account;
    if (query_account(store, ask->id, &account)) {
        if (!view_equal(account.row.name, ask->name)) {
            refuse(answer, WIRE_CONFLICT_NAME);
        } else { // the same operation again
            store_answer_account(answer, &account.row);
        }
        return;
    }
    if (ask->first && any_account(store)) {
        refuse(answer, WIRE_CONFLICT_FIRST);
    } else if (ask->has_invite && !take_invite(store, ask->invite_hash, ask->created)) {
        refuse(answer, WIRE_CONFLICT_INVITE);
    } else if (name_is_taken(store, ask->name)) {
        refuse(answer, WIRE_CONFLICT_NAME);
    } else {
        insert(store, ask);
        if (query_account(store, ask->id, &account)) {
            store_answer_account(answer, &account.row);
        }
    }
}

static bool is_administrator(const struct wire_account_row *row)
{
    return (row->flags & WIRE_ACCOUNT_DISABLED_FLAG) == 0 && store_groups_administer(row->groups);
}

static bool other_administrator(struct store_sqlite *store, struct id16 id)
{
    struct query query = query_begin(store, STATEMENT_ADMINISTRATOR_OTHER);
    query_put_id(&query, id);
    bool found = query_row(&query);
    query_end(&query);
    return found;
}

static void end_sessions_of(struct store_sqlite *store, struct id16 id)
{
    struct query query = query_begin(store, STATEMENT_SESSION_END_OF_ACCOUNT);
    query_put_id(&query, id);
    (void)query_run(&query, NULL);
    query_end(&query);
}

static void change(struct wire_account_row *row, const struct wire_store_account_set *ask)
{
    if (ask->fields & WIRE_SET_DISPLAY_NAME) {
        row->display_name = ask->display_name;
    }
    if (ask->fields & WIRE_SET_EMAIL) {
        row->email = ask->email;
        row->flags &= ~(uint32_t)WIRE_ACCOUNT_EMAIL_VERIFIED;
        row->flags |= ask->email_verified ? WIRE_ACCOUNT_EMAIL_VERIFIED : 0;
    }
    if (ask->fields & WIRE_SET_GROUPS) {
        row->groups = ask->groups;
    }
    if (ask->fields & WIRE_SET_DISABLED) {
        bool was = (row->flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0;
        row->flags &= ~(uint32_t)WIRE_ACCOUNT_DISABLED_FLAG;
        row->flags |= ask->disabled ? WIRE_ACCOUNT_DISABLED_FLAG : 0;
        if (ask->disabled && (!was || ask->epoch > row->epoch)) {
            row->epoch = ask->epoch > row->epoch ? ask->epoch : row->epoch + 1;
        }
    }
}

static void write_account(struct store_sqlite *store, const struct wire_account_row *row)
{
    struct query query = query_begin(store, STATEMENT_ACCOUNT_UPDATE);
    query_put_text(&query, row->display_name);
    query_put_text(&query, row->email);
    query_put_text(&query, row->groups);
    query_put_u64(&query, row->flags);
    query_put_u64(&query, row->epoch);
    query_put_id(&query, row->id);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_account_set(void *backend, const struct wire_store_account_set *ask,
                              struct store_answer *answer)
{
    struct store_sqlite *store = backend;
    struct account_found account;
    if (!query_account_or_none(store, ask->id, &account, answer)) {
        return;
    }
    uint32_t epoch = account.row.epoch;
    bool administered = is_administrator(&account.row);
    change(&account.row, ask);
    if (ask->keep_administrator && administered && !is_administrator(&account.row) &&
        !other_administrator(store, ask->id)) {
        refuse(answer, WIRE_CONFLICT_LAST_ADMINISTRATOR);
        return;
    }
    write_account(store, &account.row);
    if (account.row.epoch != epoch) {
        end_sessions_of(store, ask->id);
    }
    store_answer_account(answer, &account.row);
}

static void write_password(struct store_sqlite *store, const struct wire_store_account_password *ask)
{
    struct query query = query_begin(store, STATEMENT_ACCOUNT_PASSWORD);
    query_put_text(&query, ask->phc);
    query_put_u64(&query, ask->epoch);
    query_put_u64(&query, ask->changed);
    query_put_id(&query, ask->account_id);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_account_password(void *backend, const struct wire_store_account_password *ask,
                                   struct store_answer *answer)
{
    struct store_sqlite *store = backend;
    struct account_found account;
    if (!query_account_or_none(store, ask->account_id, &account, answer) ||
        view_equal(account.row.phc, ask->phc)) {
        return; // the same operation again: a hash has a salt of its own
    }
    if (ask->phc_before.size > 0 && !view_equal(account.row.phc, ask->phc_before)) {
        refuse(answer, WIRE_CONFLICT_PASSWORD);
    } else if (ask->epoch <= account.row.epoch) {
        // A log-in with the old password may be under way at this epoch.
        refuse(answer, WIRE_CONFLICT_EPOCH);
    } else if (ask->with_session && (account.row.flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0) {
        refuse(answer, WIRE_CONFLICT_DISABLED);
    } else {
        write_password(store, ask);
        end_sessions_of(store, ask->account_id);
        if (ask->with_session && !query_session_insert(store, &SESSION_ROW_OF(ask))) {
            refuse(answer, WIRE_CONFLICT_NONE);
        }
    }
}

void store_sqlite_account_rehash(void *backend, const struct wire_store_account_rehash *ask,
                                 struct store_answer *answer)
{
    struct store_sqlite *store = backend;
    struct account_found account;
    if (!query_account_or_none(store, ask->id, &account, answer) || view_equal(account.row.phc, ask->phc)) {
        return;
    }
    if (!view_equal(account.row.phc, ask->phc_before)) {
        refuse(answer, WIRE_CONFLICT_PASSWORD);
        return;
    }
    struct query query = query_begin(store, STATEMENT_ACCOUNT_REHASH);
    query_put_text(&query, ask->phc);
    query_put_id(&query, ask->id);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_account_delete(void *backend, const struct wire_store_account_delete *ask,
                                 struct store_answer *answer)
{
    struct store_sqlite *store = backend;
    struct account_found account;
    if (!query_account(store, ask->id, &account)) {
        return; // it is gone
    }
    if (ask->keep_administrator && is_administrator(&account.row) && !other_administrator(store, ask->id)) {
        refuse(answer, WIRE_CONFLICT_LAST_ADMINISTRATOR);
        return;
    }
    end_sessions_of(store, ask->id);
    struct query query = query_begin(store, STATEMENT_ACCOUNT_DELETE);
    query_put_id(&query, ask->id);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_account_list(void *backend, const struct wire_store_account_list *ask,
                               struct store_answer *answer)
{
    struct query query = query_begin(backend, STATEMENT_ACCOUNT_LIST);
    query_put_text(&query, ask->after);
    query_put_text(&query, ask->query);
    query_put_u64(&query, store_limit(ask->limit));
    while (query_row(&query)) {
        struct wire_account_row row;
        query_take_account(&query, &row);
        if (!store_answer_account(answer, &row)) {
            break;
        }
    }
    query_end(&query);
}

static void end_below(struct store_sqlite *store, struct id16 id, uint32_t epoch)
{
    struct query query = query_begin(store, STATEMENT_SESSION_END_BELOW);
    query_put_id(&query, id);
    query_put_u64(&query, epoch);
    (void)query_run(&query, NULL);
    query_end(&query);
}

static void restamp(struct store_sqlite *store, const struct wire_store_account_epoch *ask)
{
    struct query query = query_begin(store, STATEMENT_SESSION_KEEP);
    query_put_u64(&query, ask->epoch);
    query_put_id(&query, ask->id);
    query_put_id(&query, ask->keep);
    (void)query_run(&query, NULL);
    query_end(&query);
}

void store_sqlite_account_epoch(void *backend, const struct wire_store_account_epoch *ask,
                                struct store_answer *answer)
{
    struct store_sqlite *store = backend;
    uint64_t found;
    struct query query = query_begin(store, STATEMENT_ACCOUNT_EPOCH);
    query_put_u64(&query, ask->epoch);
    query_put_id(&query, ask->id);
    (void)query_run(&query, &found);
    query_end(&query);
    if (found == 0) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
        return;
    }
    // Sessions granted at the new epoch stay, so that the same operation may come again later.
    if (ask->has_keep) {
        restamp(store, ask);
    }
    end_below(store, ask->id, ask->epoch);
}
