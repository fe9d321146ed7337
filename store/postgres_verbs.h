// SPDX-License-Identifier: ISC
// What the operations on PostgreSQL are written with: values in, rows out. Private to postgres_call.c and the
// files of operations (postgres_account.c, postgres_session.c, postgres_once.c).
#ifndef STORE_POSTGRES_VERBS_H
#define STORE_POSTGRES_VERBS_H

#include "store/postgres_call.h"

// A verb is two functions: _make adds the steps; _take reads the result of the last one, which has all that
// the answer needs.
#define STORE_VERB(name, class, access)                                                                      \
    bool postgres_##name##_make(struct postgres_call *call, const struct wire_store_##name *ask);            \
    enum postgres_taken postgres_##name##_take(const PGresult *last, struct store_answer *answer);
STORE_OPERATIONS(STORE_VERB)
#undef STORE_VERB

// ---- values ----------------------------------------------------------------------------------------------

// The following values are this statement's.
void postgres_step_add(struct postgres_call *call, enum statement statement);
void postgres_put_u64(struct postgres_call *call, uint64_t value); // bigint
void postgres_put_bool(struct postgres_call *call, bool value);
void postgres_put_id(struct postgres_call *call, struct id16 id);
void postgres_put_hash(struct postgres_call *call, struct hash32 hash);
void postgres_put_view(struct postgres_call *call, struct view view); // text or bytea; borrowed
void postgres_put_null(struct postgres_call *call);

// A list in the binary form of an array of one dimension. Its elements are appended one by one; the list
// becomes a value when all lists of the call are whole, because they move as they grow.
struct postgres_list {
    size_t start; // in call->arrays
    uint32_t count;
};
enum postgres_type { POSTGRES_BYTEA = 17, POSTGRES_BIGINT = 20, POSTGRES_TEXT = 25 };
struct postgres_list postgres_list_begin(struct postgres_call *call, enum postgres_type type);
void postgres_list_add(struct postgres_call *call, struct postgres_list *list, struct view element);
void postgres_list_add_u64(struct postgres_call *call, struct postgres_list *list, uint64_t element);
size_t postgres_list_end(struct postgres_call *call, struct postgres_list *list); // its size
void postgres_put_list(struct postgres_call *call, const struct postgres_list *list, size_t size);

// ---- rows ------------------------------------------------------------------------------------------------

// Columns are taken in order. `broken` sticks.
struct postgres_row {
    const PGresult *result;
    int row, column, columns;
    bool broken;
};
struct postgres_row postgres_row_of(const PGresult *result, int row);
uint64_t postgres_take_u64(struct postgres_row *row); // int4 or int8
bool postgres_take_bool(struct postgres_row *row);
struct id16 postgres_take_id(struct postgres_row *row);
struct view postgres_take_view(struct postgres_row *row); // borrows the result
// Columns as in LOGIN_COLUMNS (its times 0), and as in ACCOUNT_COLUMNS.
typedef void postgres_taker(struct postgres_row *row, struct wire_account_row *account);
postgres_taker postgres_take_login, postgres_take_account;
void postgres_take_session(struct postgres_row *row, struct wire_session_row *session);

// What a statement decided, in its first column; no row: NOT_FOUND.
enum postgres_taken postgres_take_said(const PGresult *result, struct store_answer *answer);
// One account from the given column on, or NOT_FOUND.
enum postgres_taken postgres_take_one(const PGresult *result, int column, postgres_taker *take,
                                      struct store_answer *answer);
// A listing: `append` takes one row, and says false when the page is full (the rows so far are the answer).
enum postgres_taken postgres_take_rows(const PGresult *result, struct store_answer *answer,
                                       bool (*append)(struct postgres_row *row, struct store_answer *answer));

#endif
