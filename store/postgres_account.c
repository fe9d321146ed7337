// SPDX-License-Identifier: ISC
// Accounts on PostgreSQL. Runs in stayd-store. Guards are in the SQL (store/statements.def).
#include "store/postgres_verbs.h"

bool postgres_account_by_name_make(struct postgres_call *call, const struct wire_store_account_by_name *ask)
{
    postgres_step_add(call, STATEMENT_ACCOUNT_BY_NAME);
    postgres_put_view(call, ask->name);
    return true;
}

enum postgres_taken postgres_account_by_name_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_one(last, 0, postgres_take_login, answer);
}

bool postgres_account_by_id_make(struct postgres_call *call, const struct wire_store_account_by_id *ask)
{
    postgres_step_add(call, STATEMENT_ACCOUNT_BY_ID);
    postgres_put_id(call, ask->id);
    return true;
}

enum postgres_taken postgres_account_by_id_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_one(last, 0, postgres_take_account, answer);
}

// The first step locks the guards' row only where two first accounts could otherwise both see none.
bool postgres_account_add_make(struct postgres_call *call, const struct wire_store_account_add *ask)
{
    if (ask->first) {
        postgres_step_add(call, STATEMENT_ACCOUNT_ADD_GUARD);
    }
    postgres_step_add(call, STATEMENT_ACCOUNT_ADD);
    postgres_put_id(call, ask->id);
    postgres_put_view(call, ask->name);
    postgres_put_view(call, ask->display_name);
    postgres_put_view(call, ask->email);
    postgres_put_view(call, ask->groups);
    postgres_put_u64(call, ask->flags);
    postgres_put_view(call, ask->phc);
    postgres_put_u64(call, ask->created);
    postgres_put_bool(call, ask->first != 0);
    postgres_put_bool(call, ask->has_invite != 0);
    postgres_put_hash(call, ask->invite_hash);
    return true;
}

static enum postgres_taken take_said_and_account(const PGresult *result, struct store_answer *answer)
{
    enum postgres_taken taken = postgres_take_said(result, answer);
    if (taken != POSTGRES_TAKEN || answer->outcome != WIRE_STORE_OK) {
        return taken;
    }
    return postgres_take_one(result, 1, postgres_take_account, answer);
}

enum postgres_taken postgres_account_add_take(const PGresult *last, struct store_answer *answer)
{
    return take_said_and_account(last, answer);
}

#define CLEARED_BY(ask)                                                                                      \
    (((ask)->fields & WIRE_SET_EMAIL ? (uint32_t)WIRE_ACCOUNT_EMAIL_VERIFIED : 0) |                          \
     ((ask)->fields & WIRE_SET_DISABLED ? (uint32_t)WIRE_ACCOUNT_DISABLED_FLAG : 0))

static uint32_t flags_set_by(const struct wire_store_account_set *ask)
{
    uint32_t flags = 0;
    if ((ask->fields & WIRE_SET_EMAIL) && ask->email_verified) {
        flags |= WIRE_ACCOUNT_EMAIL_VERIFIED;
    }
    if ((ask->fields & WIRE_SET_DISABLED) && ask->disabled) {
        flags |= WIRE_ACCOUNT_DISABLED_FLAG;
    }
    return flags;
}

static void lock(struct postgres_call *call, struct id16 id, bool guarded)
{
    postgres_step_add(call, guarded ? STATEMENT_ACCOUNT_LOCK_GUARDED : STATEMENT_ACCOUNT_LOCK);
    postgres_put_id(call, id);
}

bool postgres_account_set_make(struct postgres_call *call, const struct wire_store_account_set *ask)
{
    bool disables = (ask->fields & WIRE_SET_DISABLED) && ask->disabled;
    lock(call, ask->id, ask->keep_administrator != 0);
    postgres_step_add(call, STATEMENT_ACCOUNT_SET);
    postgres_put_id(call, ask->id);
    postgres_put_u64(call, ask->fields);
    postgres_put_view(call, ask->display_name);
    postgres_put_view(call, ask->email);
    postgres_put_view(call, ask->groups);
    postgres_put_u64(call, CLEARED_BY(ask));
    postgres_put_u64(call, flags_set_by(ask));
    postgres_put_bool(call, disables);
    postgres_put_u64(call, ask->epoch);
    postgres_put_bool(call, ask->keep_administrator != 0);
    return true;
}

enum postgres_taken postgres_account_set_take(const PGresult *last, struct store_answer *answer)
{
    return take_said_and_account(last, answer);
}

bool postgres_account_password_make(struct postgres_call *call, const struct wire_store_account_password *ask)
{
    lock(call, ask->account_id, false);
    postgres_step_add(call, STATEMENT_ACCOUNT_PASSWORD);
    postgres_put_id(call, ask->account_id);
    postgres_put_view(call, ask->phc);
    postgres_put_u64(call, ask->epoch);
    postgres_put_u64(call, ask->changed);
    postgres_put_view(call, ask->phc_before);
    postgres_put_bool(call, ask->with_session != 0);
    postgres_put_id(call, ask->selector);
    postgres_put_id(call, ask->verifier_hash);
    postgres_put_id(call, ask->public_id);
    postgres_put_u64(call, ask->created);
    postgres_put_u64(call, ask->expires);
    postgres_put_u64(call, ask->last_seen);
    postgres_put_u64(call, ask->level);
    postgres_put_id(call, ask->address);
    postgres_put_view(call, ask->agent);
    return true;
}

enum postgres_taken postgres_account_password_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_said(last, answer);
}

bool postgres_account_rehash_make(struct postgres_call *call, const struct wire_store_account_rehash *ask)
{
    postgres_step_add(call, STATEMENT_ACCOUNT_REHASH);
    postgres_put_id(call, ask->id);
    postgres_put_view(call, ask->phc_before);
    postgres_put_view(call, ask->phc);
    return true;
}

enum postgres_taken postgres_account_rehash_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_said(last, answer);
}

bool postgres_account_delete_make(struct postgres_call *call, const struct wire_store_account_delete *ask)
{
    lock(call, ask->id, ask->keep_administrator != 0);
    postgres_step_add(call, STATEMENT_ACCOUNT_DELETE);
    postgres_put_id(call, ask->id);
    postgres_put_bool(call, ask->keep_administrator != 0);
    return true;
}

// An account that is not there is deleted.
enum postgres_taken postgres_account_delete_take(const PGresult *last, struct store_answer *answer)
{
    return PQntuples(last) == 0 ? POSTGRES_TAKEN : postgres_take_said(last, answer);
}

bool postgres_account_list_make(struct postgres_call *call, const struct wire_store_account_list *ask)
{
    postgres_step_add(call, STATEMENT_ACCOUNT_LIST);
    postgres_put_view(call, ask->after);
    postgres_put_view(call, ask->query);
    postgres_put_u64(call, store_limit(ask->limit));
    return true;
}

static bool append_account(struct postgres_row *row, struct store_answer *answer)
{
    struct wire_account_row account;
    postgres_take_account(row, &account);
    return row->broken || store_answer_account(answer, &account);
}

enum postgres_taken postgres_account_list_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_rows(last, answer, append_account);
}

// The first step takes the account's row, which every grant takes too: the second sees all sessions granted
// before, and those that come after see the new epoch.
bool postgres_account_epoch_make(struct postgres_call *call, const struct wire_store_account_epoch *ask)
{
    postgres_step_add(call, STATEMENT_ACCOUNT_EPOCH);
    postgres_put_id(call, ask->id);
    postgres_put_u64(call, ask->epoch);
    postgres_step_add(call, STATEMENT_SESSION_END_BELOW);
    postgres_put_id(call, ask->id);
    postgres_put_u64(call, ask->epoch);
    if (ask->has_keep) {
        postgres_put_id(call, ask->keep);
    } else {
        postgres_put_null(call);
    }
    return true;
}

enum postgres_taken postgres_account_epoch_take(const PGresult *last, struct store_answer *answer)
{
    return postgres_take_said(last, answer);
}
