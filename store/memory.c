// SPDX-License-Identifier: ISC
// Tables of the memory backend. Runs in the simulator and in tests.
// 1. Every table is sorted by its key and has no two rows of the same key.
// 2. There is no hidden state: a copy of the struct and its rows is a copy of the store.
#include "store/memory.h"

#include "store/memory_tables.h"

void store_memory_init(struct store_memory *store, size_t rows_max)
{
    *store = (struct store_memory){.rows_max = rows_max, .audit_next = 1};
}

void store_memory_release(struct store_memory *store)
{
    free(store->accounts);
    free(store->sessions);
    free(store->once);
    free(store->audit);
    store_memory_init(store, store->rows_max);
}

static bool copy_rows(void *to, const void *from, size_t count, size_t size)
{
    void *rows = NULL;
    if (count > 0) {
        rows = malloc(count * size);
        if (rows == NULL) {
            return false;
        }
        memcpy(rows, from, count * size);
    }
    memcpy(to, &rows, sizeof(rows));
    return true;
}

bool store_memory_copy(struct store_memory *to, const struct store_memory *from)
{
    struct store_memory copy = *from;
    copy.accounts = NULL;
    copy.sessions = NULL;
    copy.once = NULL;
    copy.audit = NULL;
    if (!copy_rows(&copy.accounts, from->accounts, from->account_count, sizeof(*from->accounts)) ||
        !copy_rows(&copy.sessions, from->sessions, from->session_count, sizeof(*from->sessions)) ||
        !copy_rows(&copy.once, from->once, from->once_count, sizeof(*from->once)) ||
        !copy_rows(&copy.audit, from->audit, from->audit_count, sizeof(*from->audit))) {
        store_memory_release(&copy);
        return false;
    }
    store_memory_release(to);
    *to = copy;
    return true;
}

// ---- rows ------------------------------------------------------------------------------------------------

// A zeroed row at `place`; the tables of a simulation are small enough to be grown a row at a time.
static void *insert_at(void *rows_, size_t *count, size_t rows_max, size_t size, size_t place)
{
    uint8_t *rows;
    memcpy(&rows, rows_, sizeof(rows));
    if (*count >= rows_max) {
        return NULL;
    }
    rows = realloc(rows, (*count + 1) * size);
    if (rows == NULL) {
        return NULL;
    }
    memcpy(rows_, &rows, sizeof(rows));
    memmove(rows + (place + 1) * size, rows + place * size, (*count - place) * size);
    memset(rows + place * size, 0, size);
    (*count)++;
    return rows + place * size;
}

static void remove_at(void *rows_, size_t *count, size_t size, size_t place)
{
    uint8_t *rows = rows_;
    memmove(rows + place * size, rows + (place + 1) * size, (*count - place - 1) * size);
    (*count)--;
}

static size_t account_place(const struct store_memory *store, struct id16 id)
{
    size_t low = 0, high = store->account_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(store->accounts[middle].id.byte, id.byte, 16) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int session_order(const struct memory_session *row, struct id16 account_id, struct id16 selector)
{
    int order = memcmp(row->account_id.byte, account_id.byte, 16);
    return order != 0 ? order : memcmp(row->selector.byte, selector.byte, 16);
}

static size_t session_place(const struct store_memory *store, struct id16 account_id, struct id16 selector)
{
    size_t low = 0, high = store->session_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (session_order(&store->sessions[middle], account_id, selector) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct memory_account *memory_account_by_id(struct store_memory *store, struct id16 id)
{
    size_t place = account_place(store, id);
    bool found = place < store->account_count && memcmp(store->accounts[place].id.byte, id.byte, 16) == 0;
    return found ? &store->accounts[place] : NULL;
}

struct memory_account *memory_account_by_name(struct store_memory *store, struct view name)
{
    for (size_t i = 0; i < store->account_count; i++) {
        if (view_equal(MEMORY_VIEW(store->accounts[i].name), name)) {
            return &store->accounts[i];
        }
    }
    return NULL;
}

struct memory_session *memory_session_by_selector(struct store_memory *store, struct id16 selector)
{
    for (size_t i = 0; i < store->session_count; i++) {
        if (memcmp(store->sessions[i].selector.byte, selector.byte, 16) == 0) {
            return &store->sessions[i];
        }
    }
    return NULL;
}

struct memory_session *memory_session_by_public_id(struct store_memory *store, struct id16 public_id)
{
    for (size_t i = 0; i < store->session_count; i++) {
        if (memcmp(store->sessions[i].public_id.byte, public_id.byte, 16) == 0) {
            return &store->sessions[i];
        }
    }
    return NULL;
}

struct memory_once *memory_once_find(struct store_memory *store, struct view space, struct hash32 hash)
{
    for (size_t i = 0; i < store->once_count; i++) {
        struct memory_once *row = &store->once[i];
        if (view_equal(MEMORY_VIEW(row->space), space) && memcmp(row->hash.byte, hash.byte, 32) == 0) {
            return row;
        }
    }
    return NULL;
}

struct memory_account *memory_account_insert(struct store_memory *store, struct id16 id)
{
    struct memory_account *row = insert_at(&store->accounts, &store->account_count, store->rows_max,
                                           sizeof(*row), account_place(store, id));
    if (row != NULL) {
        row->id = id;
    }
    return row;
}

struct memory_session *memory_session_insert(struct store_memory *store, struct id16 account_id,
                                             struct id16 selector)
{
    struct memory_session *row = insert_at(&store->sessions, &store->session_count, store->rows_max,
                                           sizeof(*row), session_place(store, account_id, selector));
    if (row != NULL) {
        row->account_id = account_id;
        row->selector = selector;
    }
    return row;
}

struct memory_once *memory_once_insert(struct store_memory *store, struct view space, struct hash32 hash)
{
    struct memory_once *row =
        insert_at(&store->once, &store->once_count, store->rows_max, sizeof(*row), store->once_count);
    if (row != NULL) {
        MEMORY_SET(row->space, space);
        row->hash = hash;
    }
    return row;
}

struct memory_audit *memory_audit_insert(struct store_memory *store)
{
    struct memory_audit *row =
        insert_at(&store->audit, &store->audit_count, store->rows_max, sizeof(*row), store->audit_count);
    if (row != NULL) {
        row->id = store->audit_next++;
    }
    return row;
}

void memory_account_remove(struct store_memory *store, struct memory_account *row)
{
    remove_at(store->accounts, &store->account_count, sizeof(*row), (size_t)(row - store->accounts));
}

void memory_session_remove(struct store_memory *store, struct memory_session *row)
{
    remove_at(store->sessions, &store->session_count, sizeof(*row), (size_t)(row - store->sessions));
}

void memory_once_remove(struct store_memory *store, struct memory_once *row)
{
    remove_at(store->once, &store->once_count, sizeof(*row), (size_t)(row - store->once));
}

// ---- operations ------------------------------------------------------------------------------------------

bool store_memory_answer(struct store_memory *store, struct view packet, struct store_answer *answer)
{
    return store_dispatch(&memory_verbs, store, packet, answer);
}

bool store_memory_apply(struct store_memory *store, struct view packet, struct bytes *reply)
{
    uint64_t op;
    uint32_t deadline_ms;
    struct store_answer answer;
    store_answer_init(&answer);
    bool whole = store_head(packet, &op, &deadline_ms) && store_memory_answer(store, packet, &answer) &&
                 store_answer_encode(&answer, op, 0, 0, 0, reply);
    store_answer_release(&answer);
    return whole;
}

bool store_memory_empty(const struct store_memory *store)
{
    return store->account_count == 0;
}
