// SPDX-License-Identifier: ISC
// Records and segments as bytes: every torn end, every damaged byte, every misplaced record.
#include "store/testing.h"

#include "store/journal_file.h"

#define FIRST 1000u
#define COUNT 8u

static struct journal_entry entry_of(uint32_t number)
{
    struct journal_entry entry = {.sequence = FIRST + number,
                                  .time_s = 1700000000u + number,
                                  .kind = JOURNAL_SESSION + number % 3,
                                  .id = testing_id('s', number)};
    if (entry.kind == JOURNAL_ACCOUNT) {
        entry.epoch = 7 + number;
        entry.has_keep = true;
        entry.keep = testing_id('k', number);
    }
    if (entry.kind == JOURNAL_MARK) {
        entry.acknowledged = FIRST + number - 1;
    }
    return entry;
}

static void same(const struct journal_entry *a, const struct journal_entry *b)
{
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->time_s, b->time_s);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->has_keep, b->has_keep);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->acknowledged, b->acknowledged);
    assert_memory_equal(a->id.byte, b->id.byte, 16);
    assert_memory_equal(a->keep.byte, b->keep.byte, 16);
}

static void make(uint8_t segment[static COUNT * JOURNAL_RECORD_BYTES])
{
    for (uint32_t i = 0; i < COUNT; i++) {
        struct journal_entry entry = entry_of(i);
        journal_record_write(segment + i * JOURNAL_RECORD_BYTES, &entry);
    }
}

struct seen {
    bool there[COUNT];
    uint32_t count;
};

static void visit(void *owner, const struct journal_entry *entry)
{
    struct seen *seen = owner;
    assert_in_range(entry->sequence, FIRST, FIRST + COUNT - 1);
    struct journal_entry expected = entry_of((uint32_t)(entry->sequence - FIRST));
    same(entry, &expected);
    seen->there[entry->sequence - FIRST] = true;
    seen->count++;
}

static struct journal_scan scan(const uint8_t *segment, size_t size, struct seen *seen)
{
    struct journal_scan result;
    *seen = (struct seen){.count = 0};
    journal_scan(view_of(segment, size), FIRST, &result, visit, seen);
    assert_int_equal(result.whole, seen->count);
    return result;
}

static void a_record_comes_back(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t record[JOURNAL_RECORD_BYTES];
        struct journal_entry written = entry_of(i), read;
        journal_record_write(record, &written);
        assert_int_equal(journal_record_read(record, written.sequence, &read), JOURNAL_SLOT_WHOLE);
        same(&read, &written);
        assert_int_equal(journal_record_read(record, written.sequence + 1, &read), JOURNAL_SLOT_DAMAGED);
    }
}

static void a_torn_end_costs_what_was_torn(void **state)
{
    (void)state;
    uint8_t segment[COUNT * JOURNAL_RECORD_BYTES];
    struct seen seen;
    make(segment);
    for (size_t size = 0; size <= sizeof(segment); size++) {
        struct journal_scan result = scan(segment, size, &seen);
        assert_int_equal(result.whole, size / JOURNAL_RECORD_BYTES);
        assert_int_equal(result.used, size / JOURNAL_RECORD_BYTES);
        assert_int_equal(result.damaged, 0);
    }
}

// The same in a file whose room was claimed: what was not written is zeros.
static void a_torn_end_in_a_claimed_file(void **state)
{
    (void)state;
    uint8_t whole[COUNT * JOURNAL_RECORD_BYTES], torn[sizeof(whole)];
    struct seen seen;
    make(whole);
    for (size_t size = 0; size <= sizeof(whole); size++) {
        memset(torn, 0, sizeof(torn));
        memcpy(torn, whole, size);
        struct journal_scan result = scan(torn, sizeof(torn), &seen);
        assert_in_range(result.whole, size / JOURNAL_RECORD_BYTES, size / JOURNAL_RECORD_BYTES + 1);
        assert_int_equal(result.used, result.whole);
        assert_int_equal(result.damaged, 0);
    }
}

static void a_damaged_byte_costs_its_record(void **state)
{
    (void)state;
    uint8_t segment[COUNT * JOURNAL_RECORD_BYTES];
    struct seen seen;
    for (size_t at = 0; at < sizeof(segment); at++) {
        make(segment);
        segment[at] ^= (uint8_t)(1u << (at % 8));
        struct journal_scan result = scan(segment, sizeof(segment), &seen);
        size_t slot = at / JOURNAL_RECORD_BYTES;
        assert_int_equal(result.whole, COUNT - 1);
        assert_false(seen.there[slot]);
        assert_int_equal(result.damaged, slot + 1 < COUNT);
        assert_int_equal(result.used, slot + 1 < COUNT ? COUNT : COUNT - 1);
        assert_false(result.newer);
    }
}

static void a_damaged_middle_costs_the_middle(void **state)
{
    (void)state;
    uint8_t segment[COUNT * JOURNAL_RECORD_BYTES];
    struct seen seen;
    make(segment);
    memset(segment + 2 * JOURNAL_RECORD_BYTES - 10, 0xa5, 2 * JOURNAL_RECORD_BYTES + 20);
    struct journal_scan result = scan(segment, sizeof(segment), &seen);
    assert_int_equal(result.whole, COUNT - 4);
    assert_int_equal(result.damaged, 4);
    assert_int_equal(result.used, COUNT);
}

static void a_record_elsewhere_is_not_taken(void **state)
{
    (void)state;
    uint8_t segment[COUNT * JOURNAL_RECORD_BYTES];
    struct seen seen;
    make(segment);
    memcpy(segment + 3 * JOURNAL_RECORD_BYTES, segment + JOURNAL_RECORD_BYTES, JOURNAL_RECORD_BYTES);
    struct journal_scan result = scan(segment, sizeof(segment), &seen);
    assert_false(seen.there[3]);
    assert_int_equal(result.damaged, 1);
}

static void holes_are_no_damage(void **state)
{
    (void)state;
    uint8_t segment[COUNT * JOURNAL_RECORD_BYTES];
    struct seen seen;
    make(segment);
    memset(segment + 3 * JOURNAL_RECORD_BYTES, 0, 2 * JOURNAL_RECORD_BYTES);
    struct journal_scan result = scan(segment, sizeof(segment), &seen);
    assert_int_equal(result.whole, COUNT - 2);
    assert_int_equal(result.damaged, 0);
    assert_int_equal(result.used, COUNT);
}

static void what_a_newer_stayd_wrote_is_told(void **state)
{
    (void)state;
    uint8_t record[JOURNAL_RECORD_BYTES];
    struct journal_entry entry = entry_of(0), read;
    entry.kind = (enum journal_kind)(JOURNAL_MARK + 1);
    journal_record_write(record, &entry);
    assert_int_equal(journal_record_read(record, entry.sequence, &read), JOURNAL_SLOT_NEWER);
}

// Its checksum is right, and its flag is neither no nor yes: found by the fuzzer.
static void a_flag_that_is_not_known_is_of_a_newer_one(void **state)
{
    (void)state;
    static const uint8_t record[JOURNAL_RECORD_BYTES] = {
        0x4a, 0x01, 0x02, 0xff, 0x00, 0x00, 0x00, 0x00, 0x4e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x4e, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x01, 0x00, 0x00, 0xf4, 0xe3, 0x00, 0x00, 0x00, 0x00, 0x06, 0x00, 0x00, 0x00, 0x51,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x45, 0xec, 0x1f, 0x71, 0x98, 0xf7, 0x4b, 0x7d,
    };
    struct journal_entry read;
    assert_int_equal(journal_record_read(record, 78, &read), JOURNAL_SLOT_NEWER);
}

static void names(void **state)
{
    (void)state;
    char name[JOURNAL_NAME_MAX];
    uint64_t first;
    journal_name(0x1234567890abcdefu, name);
    assert_string_equal(name, "journal-1234567890abcdef");
    assert_true(journal_name_read(name, &first));
    assert_int_equal(first, 0x1234567890abcdefu);
    static const char *const others[] = {"",
                                         "journal-",
                                         "journal-1",
                                         "journal-1234567890ABCDEF",
                                         "journal-1234567890abcdef~",
                                         "journal-0000000000000000",
                                         "journal-ffffffffffffffff",
                                         "journal-123456789 abcdef",
                                         "stayd.db"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(journal_name_read(others[i], &first));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(a_torn_end_costs_what_was_torn),
        cmocka_unit_test(a_torn_end_in_a_claimed_file),
        cmocka_unit_test(a_damaged_byte_costs_its_record),
        cmocka_unit_test(a_damaged_middle_costs_the_middle),
        cmocka_unit_test(a_record_elsewhere_is_not_taken),
        cmocka_unit_test(holes_are_no_damage),
        cmocka_unit_test(what_a_newer_stayd_wrote_is_told),
        cmocka_unit_test(a_flag_that_is_not_known_is_of_a_newer_one),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
