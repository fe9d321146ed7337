// SPDX-License-Identifier: ISC
// Values into prepared statements and rows out of them. Runs in stayd-store.
#include "store/query.h"

struct query query_begin(struct store_sqlite *store, enum statement statement)
{
    return (struct query){.store = store, .statement = store_sqlite_statement(store, statement)};
}

void query_end(struct query *query)
{
    if (query->statement != NULL) { // what reset says was said by the step before
        (void)sqlite3_reset(query->statement);
        (void)sqlite3_clear_bindings(query->statement);
    }
}

static void note(struct query *query, int code)
{
    if (code != SQLITE_OK) {
        store_sqlite_failed(query->store, code);
    }
}

void query_put_u64(struct query *query, uint64_t value)
{
    note(query, sqlite3_bind_int64(query->statement, ++query->bound, (sqlite3_int64)value));
}

// A null pointer would be bound as NULL, which is not an empty text.
static const void *never_null(struct view view)
{
    return view.size == 0 ? "" : (const void *)view.data;
}

void query_put_text(struct query *query, struct view text)
{
    note(query, sqlite3_bind_text(query->statement, ++query->bound, never_null(text), (int)text.size,
                                  SQLITE_TRANSIENT));
}

void query_put_blob(struct query *query, struct view blob)
{
    note(query, sqlite3_bind_blob(query->statement, ++query->bound, never_null(blob), (int)blob.size,
                                  SQLITE_TRANSIENT));
}

void query_put_id(struct query *query, struct id16 id)
{
    query_put_blob(query, view_of(id.byte, sizeof(id.byte)));
}

void query_put_hash(struct query *query, struct hash32 hash)
{
    query_put_blob(query, view_of(hash.byte, sizeof(hash.byte)));
}

bool query_row(struct query *query)
{
    if (query->store->failure != STORE_FINE) {
        return false;
    }
    query->column = 0;
    int code = sqlite3_step(query->statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        note(query, sqlite3_extended_errcode(query->store->database));
    }
    return code == SQLITE_ROW;
}

bool query_run(struct query *query, uint64_t *changed)
{
    if (changed != NULL) {
        *changed = 0;
    }
    while (query_row(query)) {
    }
    if (changed != NULL && query->store->failure == STORE_FINE) {
        *changed = (uint64_t)sqlite3_changes64(query->store->database);
    }
    return query->store->failure == STORE_FINE;
}

uint64_t query_take_u64(struct query *query)
{
    return (uint64_t)sqlite3_column_int64(query->statement, query->column++);
}

struct view query_take_view(struct query *query)
{
    int column = query->column++;
    const void *data = sqlite3_column_blob(query->statement, column);
    return view_of(data, (size_t)sqlite3_column_bytes(query->statement, column));
}

struct id16 query_take_id(struct query *query)
{
    struct id16 id = {0};
    struct view blob = query_take_view(query);
    if (blob.size == sizeof(id.byte)) {
        memcpy(id.byte, blob.data, sizeof(id.byte));
    } else {
        note(query, SQLITE_CORRUPT);
    }
    return id;
}

void query_take_login(struct query *query, struct wire_account_row *row)
{
    *row = (struct wire_account_row){0};
    row->id = query_take_id(query);
    row->name = query_take_view(query);
    row->display_name = query_take_view(query);
    row->email = query_take_view(query);
    row->groups = query_take_view(query);
    row->flags = (uint32_t)query_take_u64(query);
    row->phc = query_take_view(query);
    row->epoch = (uint32_t)query_take_u64(query);
}

void query_take_account(struct query *query, struct wire_account_row *row)
{
    query_take_login(query, row);
    row->created = query_take_u64(query);
    row->password_changed = query_take_u64(query);
    row->last_login = query_take_u64(query);
}

void query_take_session(struct query *query, struct wire_session_row *row)
{
    *row = (struct wire_session_row){0};
    row->selector = query_take_id(query);
    row->verifier_hash = query_take_id(query);
    row->public_id = query_take_id(query);
    row->account_id = query_take_id(query);
    row->epoch = (uint32_t)query_take_u64(query);
    row->created = query_take_u64(query);
    row->expires = query_take_u64(query);
    row->last_seen = query_take_u64(query);
    row->level = (uint8_t)query_take_u64(query);
    row->address = query_take_id(query);
    row->agent = query_take_view(query);
}

static bool keep(struct account_found *found, struct view *view)
{
    if (view->size > sizeof(found->text) - found->used) {
        return false;
    }
    if (view->size > 0) {
        memcpy(found->text + found->used, view->data, view->size);
    }
    *view = view_of(found->text + found->used, view->size);
    found->used += view->size;
    return true;
}

bool query_account(struct store_sqlite *store, struct id16 id, struct account_found *found)
{
    struct wire_account_row *row = &found->row;
    struct query query = query_begin(store, STATEMENT_ACCOUNT_BY_ID);
    query_put_id(&query, id);
    bool there = query_row(&query);
    if (there) {
        query_take_account(&query, row);
        found->used = 0;
        if (!keep(found, &row->name) || !keep(found, &row->display_name) || !keep(found, &row->email) ||
            !keep(found, &row->groups) || !keep(found, &row->phc)) {
            store_sqlite_failed(store, SQLITE_CORRUPT);
        }
    }
    query_end(&query);
    return there && store->failure == STORE_FINE;
}

bool query_account_or_none(struct store_sqlite *store, struct id16 id, struct account_found *found,
                           struct store_answer *answer)
{
    bool there = query_account(store, id, found);
    if (!there) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
    }
    return there;
}

bool query_session_insert(struct store_sqlite *store, const struct wire_session_row *row)
{
    struct query query = query_begin(store, STATEMENT_SESSION_INSERT);
    query_put_id(&query, row->selector);
    query_put_id(&query, row->verifier_hash);
    query_put_id(&query, row->public_id);
    query_put_id(&query, row->account_id);
    query_put_u64(&query, row->epoch);
    query_put_u64(&query, row->created);
    query_put_u64(&query, row->expires);
    query_put_u64(&query, row->last_seen);
    query_put_u64(&query, row->level);
    query_put_id(&query, row->address);
    query_put_text(&query, row->agent);
    uint64_t changed;
    bool done = query_run(&query, &changed) && changed == 1;
    query_end(&query);
    return done;
}
