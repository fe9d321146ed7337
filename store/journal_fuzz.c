// SPDX-License-Identifier: ISC
// A journal segment of any bytes: the reader ends, tells only of records that are whole and in their place,
// and what it tells is written again as the same bytes. The rows of an answer of any bytes, held against it.
#include "store/ended.h"
#include "store/journal_file.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct view segment;
    uint64_t first, last;
    uint32_t count;
    struct ended ended;
};

static void visit(void *owner, const struct journal_entry *entry)
{
    struct seen *seen = owner;
    uint8_t again[JOURNAL_RECORD_BYTES];
    assert(entry->sequence > seen->last && entry->sequence - seen->first < JOURNAL_SLOTS);
    seen->last = entry->sequence;
    seen->count++;
    journal_record_write(again, entry);
    assert(memcmp(again, seen->segment.data + (entry->sequence - seen->first) * JOURNAL_RECORD_BYTES, 24) ==
           0);
    bool added = entry->kind == JOURNAL_ACCOUNT
                     ? ended_add_account(&seen->ended, entry->id, entry->epoch,
                                         entry->has_keep ? &entry->keep : NULL, entry->sequence)
                     : ended_add_session(&seen->ended, entry->id, entry->sequence);
    assert(added);
}

static void apply(const struct ended *ended, struct view rows)
{
    static const uint16_t numbers[] = {WIRE_MESSAGE_store_session_page,
                                       WIRE_MESSAGE_store_session_by_selector,
                                       WIRE_MESSAGE_store_account_list};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct store_answer answer;
        struct ended_cursor cursor;
        store_answer_init(&answer);
        (void)bytes_append_view(&answer.rows, rows);
        enum ended_verdict verdict = ended_apply(ended, store_operation_find(numbers[i]), &answer, &cursor);
        assert(verdict != ENDED_BROKEN || answer.outcome == WIRE_STORE_UNAVAILABLE);
        assert(answer.rows.size <= rows.size);
        store_answer_release(&answer);
    }
}

// The segment with checksums made right, so that the fuzzer gets behind them.
static void mend(uint8_t *segment, size_t size, uint64_t first)
{
    for (size_t slot = 0; (slot + 1) * JOURNAL_RECORD_BYTES <= size; slot++) {
        uint8_t *record = segment + slot * JOURNAL_RECORD_BYTES;
        struct journal_entry entry = {.sequence = first + slot,
                                      .kind = JOURNAL_SESSION + record[2] % 3,
                                      .has_keep = record[3] & 1,
                                      .epoch = record[4]};
        entry.id.byte[0] = record[24] % 4;
        entry.keep.byte[0] = record[40] % 4;
        if ((record[1] & 1) == 0) {
            journal_record_write(record, &entry);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t segment[8192];
    size_t used = size < sizeof(segment) ? size : sizeof(segment);
    struct seen seen = {.first = 77};
    struct journal_scan scan;
    ended_init(&seen.ended);
    if (used > 0) {
        memcpy(segment, data, used);
        if (data[0] != 'J') {
            mend(segment, used, seen.first);
        }
    }
    seen.segment = view_of(segment, used);
    journal_scan(seen.segment, seen.first, &scan, visit, &seen);
    assert(scan.whole == seen.count && scan.used <= used / JOURNAL_RECORD_BYTES &&
           scan.whole + scan.damaged <= scan.used);
    apply(&seen.ended, view_of(data, used));
    ended_forget(&seen.ended, seen.first + scan.used / 2);
    ended_release(&seen.ended);
    return 0;
}
