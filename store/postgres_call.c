// SPDX-License-Identifier: ISC
// Packets into values, results into answers. Runs in stayd-store. Pure: no connection, no clock.
// Binary forms: integers big-endian, bool one byte, text and bytea as they are, an array as number of
// dimensions, has-null, element type, length, lower bound, then size and bytes of each element.
#include "store/postgres_call.h"

#include "store/postgres_verbs.h"

#include <assert.h>
#include <endian.h>

// ---- values ----------------------------------------------------------------------------------------------

void postgres_step_add(struct postgres_call *call, enum statement statement)
{
    assert(call->steps < POSTGRES_STEPS_MAX && statement_sql(DIALECT_POSTGRES, statement) != NULL);
    struct postgres_step *step = &call->step[call->steps++];
    step->statement = statement;
    step->count = 0;
}

static void put(struct postgres_call *call, const void *value, size_t size)
{
    struct postgres_step *step = &call->step[call->steps - 1];
    assert(step->count < POSTGRES_VALUES_MAX);
    step->values[step->count] = value;
    step->sizes[step->count] = (int)size;
    step->formats[step->count] = 1;
    step->count++;
}

static void put_small(struct postgres_call *call, const void *value, size_t size)
{
    assert(size <= sizeof(call->small) - call->used);
    uint8_t *to = call->small + call->used;
    memcpy(to, value, size);
    call->used += size;
    put(call, to, size);
}

static void big_endian(uint64_t value, uint8_t *out, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        out[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
}

void postgres_put_u64(struct postgres_call *call, uint64_t value)
{
    uint8_t data[8];
    big_endian(value, data, sizeof(data));
    put_small(call, data, sizeof(data));
}

void postgres_put_bool(struct postgres_call *call, bool value)
{
    put_small(call, &(uint8_t){value ? 1 : 0}, 1);
}

void postgres_put_id(struct postgres_call *call, struct id16 id)
{
    put_small(call, id.byte, sizeof(id.byte));
}

void postgres_put_hash(struct postgres_call *call, struct hash32 hash)
{
    put_small(call, hash.byte, sizeof(hash.byte));
}

void postgres_put_view(struct postgres_call *call, struct view view)
{
    put(call, view.size == 0 ? (const void *)"" : view.data, view.size);
}

void postgres_put_null(struct postgres_call *call)
{
    put(call, NULL, 0);
}

static void append_int(struct bytes *bytes, uint32_t value)
{
    uint8_t data[4];
    big_endian(value, data, sizeof(data));
    bytes_append(bytes, data, sizeof(data));
}

#define LIST_LENGTH_AT 12 // where the number of elements stands in the array's head

struct postgres_list postgres_list_begin(struct postgres_call *call, enum postgres_type type)
{
    struct postgres_list list = {.start = call->arrays.size};
    append_int(&call->arrays, 1);
    append_int(&call->arrays, 0);
    append_int(&call->arrays, type);
    append_int(&call->arrays, 0);
    append_int(&call->arrays, 1);
    return list;
}

void postgres_list_add(struct postgres_call *call, struct postgres_list *list, struct view element)
{
    append_int(&call->arrays, (uint32_t)element.size);
    bytes_append_view(&call->arrays, element);
    list->count++;
}

void postgres_list_add_u64(struct postgres_call *call, struct postgres_list *list, uint64_t element)
{
    uint8_t data[8];
    big_endian(element, data, sizeof(data));
    postgres_list_add(call, list, view_of(data, sizeof(data)));
}

size_t postgres_list_end(struct postgres_call *call, struct postgres_list *list)
{
    if (!call->arrays.failed) {
        big_endian(list->count, call->arrays.data + list->start + LIST_LENGTH_AT, 4);
    }
    return call->arrays.size - list->start;
}

void postgres_put_list(struct postgres_call *call, const struct postgres_list *list, size_t size)
{
    put(call, call->arrays.data + list->start, size);
}

// ---- rows ------------------------------------------------------------------------------------------------

struct postgres_row postgres_row_of(const PGresult *result, int row)
{
    return (struct postgres_row){.result = result, .row = row, .columns = PQnfields(result)};
}

struct view postgres_take_view(struct postgres_row *row)
{
    int column = row->column++;
    int size = column < row->columns ? PQgetlength(row->result, row->row, column) : 0;
    if (size <= 0 && (column >= row->columns || PQgetisnull(row->result, row->row, column))) {
        row->broken = true;
        return VIEW("");
    }
    return view_of(PQgetvalue(row->result, row->row, column), (size_t)size);
}

uint64_t postgres_take_u64(struct postgres_row *row)
{
    struct view data = postgres_take_view(row);
    uint64_t big = 0;
    if (data.size != 4 && data.size != 8) {
        row->broken = true;
        return 0;
    }
    memcpy((uint8_t *)&big + (8 - data.size), data.data, data.size);
    return be64toh(big);
}

bool postgres_take_bool(struct postgres_row *row)
{
    struct view data = postgres_take_view(row);
    row->broken = row->broken || data.size != 1;
    return !row->broken && data.data[0] != 0;
}

struct id16 postgres_take_id(struct postgres_row *row)
{
    struct id16 id = {0};
    struct view data = postgres_take_view(row);
    if (data.size == sizeof(id.byte)) {
        memcpy(id.byte, data.data, sizeof(id.byte));
    } else {
        row->broken = true;
    }
    return id;
}

void postgres_take_login(struct postgres_row *row, struct wire_account_row *account)
{
    *account = (struct wire_account_row){0};
    account->id = postgres_take_id(row);
    account->name = postgres_take_view(row);
    account->display_name = postgres_take_view(row);
    account->email = postgres_take_view(row);
    account->groups = postgres_take_view(row);
    account->flags = (uint32_t)postgres_take_u64(row);
    account->phc = postgres_take_view(row);
    account->epoch = (uint32_t)postgres_take_u64(row);
}

void postgres_take_account(struct postgres_row *row, struct wire_account_row *account)
{
    postgres_take_login(row, account);
    account->created = postgres_take_u64(row);
    account->password_changed = postgres_take_u64(row);
    account->last_login = postgres_take_u64(row);
}

void postgres_take_session(struct postgres_row *row, struct wire_session_row *session)
{
    *session = (struct wire_session_row){0};
    session->selector = postgres_take_id(row);
    session->verifier_hash = postgres_take_id(row);
    session->public_id = postgres_take_id(row);
    session->account_id = postgres_take_id(row);
    session->epoch = (uint32_t)postgres_take_u64(row);
    session->created = postgres_take_u64(row);
    session->expires = postgres_take_u64(row);
    session->last_seen = postgres_take_u64(row);
    session->level = (uint8_t)postgres_take_u64(row);
    session->address = postgres_take_id(row);
    session->agent = postgres_take_view(row);
}

// The SAID_ numbers of statements.def; 1 to 7 are enum wire_conflict.
enum { SAID_FINE = 0, SAID_TAKEN_IDS = 8, SAID_BEFORE = 9, SAID_OVERTAKEN = 10 };
static_assert(WIRE_CONFLICT_NAME == 1 && WIRE_CONFLICT_INVITE == 2 && WIRE_CONFLICT_FIRST == 3 &&
                  WIRE_CONFLICT_EPOCH == 4 && WIRE_CONFLICT_DISABLED == 5 && WIRE_CONFLICT_PASSWORD == 6 &&
                  WIRE_CONFLICT_LAST_ADMINISTRATOR == 7,
              "the SAID_ numbers in statements.def");

enum postgres_taken postgres_take_said(const PGresult *result, struct store_answer *answer)
{
    if (PQntuples(result) == 0) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
        return POSTGRES_TAKEN;
    }
    struct postgres_row row = postgres_row_of(result, 0);
    uint64_t said = postgres_take_u64(&row);
    if (row.broken || said > SAID_OVERTAKEN) {
        return POSTGRES_BROKEN;
    }
    if (said == SAID_OVERTAKEN) {
        return POSTGRES_AGAIN;
    }
    if (said != SAID_FINE && said != SAID_BEFORE) {
        store_answer_set(answer, WIRE_STORE_CONFLICT,
                         said == SAID_TAKEN_IDS ? WIRE_CONFLICT_NONE : (enum wire_conflict)said);
    }
    return POSTGRES_TAKEN;
}

enum postgres_taken postgres_take_rows(const PGresult *result, struct store_answer *answer,
                                       bool (*append)(struct postgres_row *row, struct store_answer *answer))
{
    bool room = true;
    for (int i = 0; room && i < PQntuples(result); i++) {
        struct postgres_row row = postgres_row_of(result, i);
        room = append(&row, answer);
        if (row.broken) {
            return POSTGRES_BROKEN;
        }
    }
    return POSTGRES_TAKEN;
}

enum postgres_taken postgres_take_one(const PGresult *result, int column, postgres_taker *take,
                                      struct store_answer *answer)
{
    if (PQntuples(result) == 0) {
        store_answer_set(answer, WIRE_STORE_NOT_FOUND, WIRE_CONFLICT_NONE);
        return POSTGRES_TAKEN;
    }
    struct postgres_row row = postgres_row_of(result, 0);
    struct wire_account_row account;
    row.column = column;
    take(&row, &account);
    return !row.broken && store_answer_account(answer, &account) ? POSTGRES_TAKEN : POSTGRES_BROKEN;
}

bool postgres_state_take(const PGresult *result, bool *empty, uint64_t *last_alive)
{
    if (PQntuples(result) != 1) {
        return false;
    }
    struct postgres_row row = postgres_row_of(result, 0);
    *last_alive = postgres_take_u64(&row);
    *empty = postgres_take_bool(&row);
    return !row.broken;
}

// ---- calls -----------------------------------------------------------------------------------------------

#define VERB(name, class, access)                                                                            \
    static bool make_##name(struct postgres_call *call, struct view packet)                                  \
    {                                                                                                        \
        struct wire_store_##name ask;                                                                        \
        return wire_store_##name##_decode(packet, &ask) && postgres_##name##_make(call, &ask);               \
    }
STORE_OPERATIONS(VERB)
#undef VERB

static const struct verb {
    bool (*make)(struct postgres_call *call, struct view packet);
    enum postgres_taken (*take)(const PGresult *last, struct store_answer *answer);
} verbs[WIRE_MESSAGE_END] = {
#define VERB(name, class, access) [WIRE_MESSAGE_store_##name] = {make_##name, postgres_##name##_take},
    STORE_OPERATIONS(VERB)
#undef VERB
};

bool postgres_call_make(struct postgres_call *call, struct view packet)
{
    call->operation = store_operation_find(wire_peek(packet));
    call->steps = 0; // the rest, more than a kilobyte, is written where it is used
    call->used = 0;
    bytes_init(&call->arrays, (size_t)8 * WIRE_PACKET_MAX);
    if (call->operation == NULL || !store_head(packet, &call->op, &call->deadline_ms) ||
        !verbs[call->operation->number].make(call, packet) || call->arrays.failed) {
        postgres_call_release(call);
        return false;
    }
    uint32_t most = statements[call->step[call->steps - 1].statement].deadline_ms;
    if (call->deadline_ms == 0 || call->deadline_ms > most) {
        call->deadline_ms = most;
    }
    return true;
}

void postgres_call_release(struct postgres_call *call)
{
    bytes_release(&call->arrays);
}

enum postgres_taken postgres_call_take(const struct postgres_call *call, const PGresult *const *results,
                                       struct store_answer *answer)
{
    store_answer_reset(answer);
    return verbs[call->operation->number].take(results[call->steps - 1], answer);
}
