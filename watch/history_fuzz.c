// SPDX-License-Identifier: ISC
// Whatever stands in the file of weeks: a row that is taken is one that would be written so.
#include "watch/history.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep(void *context, const struct history_row *row)
{
    uint64_t *last = context;
    assert(*last == 0 || row->minute > *last);
    *last = row->minute;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct history history = {.fd = -1};
    uint8_t place[HISTORY_ROW_SIZE] = {0};
    uint8_t again[HISTORY_ROW_SIZE];
    struct history_row row;
    uint64_t last = 0;
    memcpy(place, data, size < sizeof(place) ? size : sizeof(place));
    if (history_decode(place, &row)) {
        history_encode(&row, again);
        assert(memcmp(place, again, HISTORY_ROW_SIZE - 8) == 0 || size < HISTORY_ROW_SIZE);
    }
    // With its sum put right: what lies behind it.
    if (size >= 8 + sizeof(row.field)) {
        memcpy(&row.minute, data, 8);
        memcpy(row.field, data + 8, sizeof(row.field));
        memset(row.full, data[0], sizeof(row.full));
        history_encode(&row, place);
        struct history_row back;
        assert(history_decode(place, &back) && back.minute == row.minute);
    }
    (void)history_read(&history, 100, &last, keep);
    return 0;
}
