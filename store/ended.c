// SPDX-License-Identifier: ISC
// The tables of store/ended.h. Runs in stayd-store.
// 1. Open addressing, linear probing, at most three quarters full; a row with sequence 0 is free.
// 2. Nothing is removed but by making a table anew, so that a run of probes is never interrupted.
// 3. The hash has a random key: a row's place can't be chosen from outside.
#include "store/ended.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#define CAPACITY_MIN 64

struct session_row {
    struct id16 selector;
    uint64_t sequence;
};

struct account_row {
    struct id16 account;
    uint64_t sequence; // of the latest end
    struct id16 keep;
    uint32_t epoch, floor;
    bool has_keep;
};

// Both rows begin with their id and sequence.
struct row_head {
    struct id16 id;
    uint64_t sequence;
};

static_assert(offsetof(struct session_row, sequence) == offsetof(struct row_head, sequence), "one head");
static_assert(offsetof(struct account_row, sequence) == offsetof(struct row_head, sequence), "one head");

void ended_init(struct ended *ended)
{
    *ended = (struct ended){0};
    randombytes_buf(ended->key, sizeof(ended->key));
}

void ended_release(struct ended *ended)
{
    free(ended->sessions.rows);
    free(ended->accounts.rows);
    *ended = (struct ended){0};
}

static struct row_head *row_at(const struct ended_table *table, size_t place, size_t width)
{
    return (struct row_head *)(void *)(table->rows + place * width);
}

// The id's row, or the free one where it would be.
static struct row_head *find(const struct ended *ended, const struct ended_table *table, struct id16 id,
                             size_t width)
{
    uint64_t hash;
    (void)crypto_shorthash((uint8_t *)&hash, id.byte, sizeof(id.byte), ended->key);
    size_t place = (size_t)hash & (table->capacity - 1);
    struct row_head *row = row_at(table, place, width);
    while (row->sequence != 0 && memcmp(row->id.byte, id.byte, 16) != 0) {
        place = (place + 1) & (table->capacity - 1);
        row = row_at(table, place, width);
    }
    return row;
}

// Makes the table anew for at least `count` rows, of those after `sequence`.
static bool remake(const struct ended *ended, struct ended_table *table, size_t width, size_t count,
                   uint64_t sequence)
{
    struct ended_table made = {.capacity = CAPACITY_MIN};
    while (made.capacity / 4 * 3 < count) {
        made.capacity *= 2;
    }
    made.rows = calloc(made.capacity, width);
    if (made.rows == NULL) {
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        const struct row_head *row = row_at(table, i, width);
        if (row->sequence > sequence) {
            memcpy(find(ended, &made, row->id, width), row, width);
            made.count++;
        }
    }
    free(table->rows);
    *table = made;
    return true;
}

// The row of `id`, added when there is none; NULL: no memory.
static struct row_head *have(const struct ended *ended, struct ended_table *table, struct id16 id,
                             size_t width)
{
    if (table->count + 1 > table->capacity / 4 * 3 &&
        !remake(ended, table, width, (table->count + 1) * 4 / 3, 0)) {
        return NULL;
    }
    struct row_head *row = find(ended, table, id, width);
    if (row->sequence == 0) {
        row->id = id;
        table->count++;
    }
    return row;
}

bool ended_add_session(struct ended *ended, struct id16 selector, uint64_t sequence)
{
    struct row_head *row = have(ended, &ended->sessions, selector, sizeof(struct session_row));
    if (row != NULL) {
        row->sequence = sequence;
    }
    return row != NULL;
}

bool ended_add_account(struct ended *ended, struct id16 account, uint32_t epoch, const struct id16 *keep,
                       uint64_t sequence)
{
    struct account_row *row =
        (struct account_row *)(void *)have(ended, &ended->accounts, account, sizeof(struct account_row));
    if (row == NULL) {
        return false;
    }
    row->sequence = sequence;
    if (epoch <= row->epoch) {
        return true; // it is among what ended already
    }
    bool same = row->has_keep && keep != NULL && memcmp(row->keep.byte, keep->byte, 16) == 0;
    row->floor = same ? row->floor : row->epoch;
    row->epoch = epoch;
    row->has_keep = keep != NULL;
    row->keep = keep != NULL ? *keep : (struct id16){{0}};
    return true;
}

static void forget(const struct ended *ended, struct ended_table *table, size_t width, uint64_t sequence)
{
    size_t stay = 0;
    for (size_t i = 0; i < table->capacity; i++) {
        stay += row_at(table, i, width)->sequence > sequence;
    }
    if (stay == 0) {
        free(table->rows);
        *table = (struct ended_table){0};
    } else if (stay < table->count) {
        (void)remake(ended, table, width, stay, sequence);
    }
}

void ended_forget(struct ended *ended, uint64_t sequence)
{
    forget(ended, &ended->sessions, sizeof(struct session_row), sequence);
    forget(ended, &ended->accounts, sizeof(struct account_row), sequence);
}

bool ended_session(const struct ended *ended, struct id16 selector)
{
    return ended->sessions.count > 0 &&
           find(ended, &ended->sessions, selector, sizeof(struct session_row))->sequence != 0;
}

static const struct account_row *account_of(const struct ended *ended, struct id16 account)
{
    if (ended->accounts.count == 0) {
        return NULL;
    }
    const struct row_head *row = find(ended, &ended->accounts, account, sizeof(struct account_row));
    return row->sequence == 0 ? NULL : (const struct account_row *)(const void *)row;
}

bool ended_epoch(const struct ended *ended, struct id16 account, uint32_t *epoch)
{
    const struct account_row *row = account_of(ended, account);
    if (row != NULL) {
        *epoch = row->epoch;
    }
    return row != NULL;
}

// ---- answers ---------------------------------------------------------------------------------------------

// Corrects the row; false: the session has ended.
static bool stands(const struct ended *ended, struct wire_session_row *session)
{
    if (ended_session(ended, session->selector)) {
        return false;
    }
    const struct account_row *row = account_of(ended, session->account_id);
    if (row == NULL || session->epoch >= row->epoch) {
        return true;
    }
    bool kept = row->has_keep && memcmp(row->keep.byte, session->selector.byte, 16) == 0 &&
                session->epoch >= row->floor;
    if (kept) {
        session->epoch = row->epoch;
    }
    return kept;
}

struct filter {
    const struct ended *ended;
    struct store_answer *answer;
    struct bytes rows; // those that stand
    bool pages;        // each account before its sessions: without one of those it is left out
    size_t account_at; // of a page: where the account of the sessions that come begins
    size_t account_end;
    size_t dropped, sessions;
    struct ended_cursor last;
};

// An account none of whose sessions followed goes.
static void settle_account(struct filter *filter)
{
    if (filter->pages && filter->rows.size == filter->account_end) {
        wipe(filter->rows.data + filter->account_at, filter->rows.size - filter->account_at);
        filter->rows.size = filter->account_at;
    }
    filter->account_at = filter->rows.size;
    filter->account_end = SIZE_MAX;
}

static bool take_account(struct filter *filter, struct view *rest)
{
    struct wire_account_row row;
    uint32_t epoch;
    if (!wire_account_row_next(rest, &row)) {
        return false;
    }
    if (ended_epoch(filter->ended, row.id, &epoch) && row.epoch < epoch) {
        row.epoch = epoch;
    }
    settle_account(filter);
    bool fine = wire_account_row_append(&filter->rows, &row);
    filter->account_end = filter->rows.size;
    return fine;
}

static bool take_session(struct filter *filter, struct view *rest)
{
    struct wire_session_row row;
    if (!wire_session_row_next(rest, &row)) {
        return false;
    }
    filter->last = (struct ended_cursor){row.account_id, row.selector};
    if (!stands(filter->ended, &row)) {
        filter->dropped++;
        return true;
    }
    filter->sessions++;
    return wire_session_row_append(&filter->rows, &row);
}

static bool take_rows(struct filter *filter)
{
    struct view rest = bytes_view(&filter->answer->rows);
    filter->account_end = SIZE_MAX;
    while (rest.size > 0) {
        bool fine = false;
        if (wire_record_peek(rest) == WIRE_RECORD_account_row) {
            fine = take_account(filter, &rest);
        } else if (wire_record_peek(rest) == WIRE_RECORD_session_row) {
            fine = take_session(filter, &rest);
        }
        if (!fine) {
            return false;
        }
    }
    settle_account(filter);
    return true;
}

static bool is_look_up(const struct store_operation *operation)
{
    return operation->number == WIRE_MESSAGE_store_session_by_selector ||
           operation->number == WIRE_MESSAGE_store_session_by_public_id;
}

static bool concerns(const struct ended *ended, const struct store_operation *operation,
                     const struct store_answer *answer)
{
    if (answer->outcome != WIRE_STORE_OK || answer->rows.size == 0 ||
        (ended->sessions.count == 0 && ended->accounts.count == 0)) {
        return false;
    }
    uint16_t kind = wire_record_peek(bytes_view(&answer->rows));
    return is_look_up(operation) || kind == WIRE_RECORD_account_row || kind == WIRE_RECORD_session_row;
}

enum ended_verdict ended_apply(const struct ended *ended, const struct store_operation *operation,
                               struct store_answer *answer, struct ended_cursor *cursor)
{
    if (!concerns(ended, operation, answer)) {
        return ENDED_ANSWER;
    }
    struct filter filter = {
        .ended = ended, .answer = answer, .pages = operation->number == WIRE_MESSAGE_store_session_page};
    bytes_init(&filter.rows, STORE_ROWS_MAX);
    bool fine = take_rows(&filter);
    struct bytes before = answer->rows;
    answer->rows = filter.rows;
    wipe(before.data, before.size);
    bytes_release(&before);
    if (!fine) {
        store_answer_set(answer, WIRE_STORE_UNAVAILABLE, WIRE_CONFLICT_NONE);
        return ENDED_BROKEN;
    }
    if (filter.dropped > 0 && is_look_up(operation)) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
    }
    if (filter.pages && filter.dropped > 0 && filter.sessions == 0) {
        *cursor = filter.last;
        return ENDED_AGAIN;
    }
    return ENDED_ANSWER;
}
