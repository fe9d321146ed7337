// SPDX-License-Identifier: ISC
// Any packet, and any rows that a server may send: a call is made or refused, an answer is taken or broken,
// and nothing is read or written beside. The first two bytes are the packet's size, what follows is one row
// of columns, each with a size of its own.
#include "store/postgres_call.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COLUMNS_MAX 24

static PGresult *make_result(struct view rest)
{
    static char name[] = "x";
    PGresAttDesc columns[COLUMNS_MAX];
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        columns[i] = (PGresAttDesc){.name = name, .format = 1};
    }
    if (result == NULL || PQsetResultAttrs(result, COLUMNS_MAX, columns) != 1) {
        return result;
    }
    for (int column = 0; column < COLUMNS_MAX && rest.size > 0; column++) {
        struct view value = view_first(view_from(rest, 1), rest.data[0] & 0x7f);
        bool null = rest.data[0] & 0x80;
        rest = view_from(rest, 1 + value.size);
        (void)PQsetvalue(result, 0, column, null ? NULL : (char *)(uintptr_t)value.data,
                         null ? -1 : (int)value.size);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct postgres_call call;
    struct store_answer answer;
    if (size < 2) {
        return 0;
    }
    struct view rest = view_of(data + 2, size - 2);
    struct view packet = view_first(rest, data[0] | (size_t)data[1] << 8);
    if (!postgres_call_make(&call, packet)) {
        return 0;
    }
    size_t touched = 0;
    for (unsigned i = 0; i < call.steps; i++) {
        for (int n = 0; n < call.step[i].count; n++) {
            for (int b = 0; call.step[i].values[n] != NULL && b < call.step[i].sizes[n]; b++) {
                touched += (unsigned char)call.step[i].values[n][b];
            }
        }
    }
    assert(touched <= (size_t)WIRE_PACKET_MAX * 255 * 8);
    PGresult *result = make_result(view_from(rest, packet.size));
    const PGresult *results[POSTGRES_STEPS_MAX] = {result, result, result};
    store_answer_init(&answer);
    enum postgres_taken taken = postgres_call_take(&call, results, &answer);
    assert(taken >= POSTGRES_TAKEN && taken <= POSTGRES_BROKEN);
    assert(taken != POSTGRES_TAKEN ||
           (answer.outcome >= WIRE_STORE_OK && answer.outcome <= WIRE_STORE_CONFLICT));
    store_answer_release(&answer);
    postgres_call_release(&call);
    PQclear(result);
    return 0;
}
