// SPDX-License-Identifier: ISC
// The ring of seen notes: order, fullness, and a front that lies.
#include "sessions/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct seen_page page;

static struct seen_note note_make(uint32_t number)
{
    struct seen_note note = {.seen_s = number};
    memcpy(note.selector, &number, sizeof number);
    return note;
}

static void notes_come_out_in_order(void **state)
{
    (void)state;
    memset(&page, 0, sizeof page);
    struct seen_putter putter;
    struct seen_taker taker;
    seen_putter_init(&putter, &page);
    seen_taker_init(&taker, &page);
    struct seen_note note;
    assert_false(seen_take(&taker, &note));
    uint32_t next_put = 0, next_taken = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 300 + round; i++) {
            note = note_make(next_put);
            if (!seen_put(&putter, &note))
                break;
            next_put++;
        }
        for (int i = 0; i < 200 && seen_take(&taker, &note); i++) {
            struct seen_note expected = note_make(next_taken++);
            assert_memory_equal(note.selector, expected.selector, 16);
            assert_int_equal(note.seen_s, expected.seen_s);
        }
    }
    assert_int_equal(next_put - next_taken <= SEEN_RING_PLACES, true);
    // A front that starts anew goes on where it was.
    seen_putter_init(&putter, &page);
    seen_taker_init(&taker, &page);
    while (seen_take(&taker, &note))
        next_taken++;
    assert_int_equal(next_taken, next_put);
}

static void a_full_ring_refuses(void **state)
{
    (void)state;
    memset(&page, 0, sizeof page);
    page.put = page.taken = UINT32_MAX - 3; // across the wrap
    struct seen_putter putter;
    struct seen_taker taker;
    seen_putter_init(&putter, &page);
    seen_taker_init(&taker, &page);
    struct seen_note note = note_make(1);
    for (int i = 0; i < SEEN_RING_PLACES; i++)
        assert_true(seen_put(&putter, &note));
    assert_false(seen_put(&putter, &note));
    assert_true(seen_take(&taker, &note));
    assert_true(seen_put(&putter, &note));
    assert_false(seen_put(&putter, &note));
}

static void a_senseless_position_empties_the_ring(void **state)
{
    (void)state;
    memset(&page, 0, sizeof page);
    struct seen_taker taker;
    seen_taker_init(&taker, &page);
    struct seen_note note;
    static const uint32_t lies[] = {SEEN_RING_PLACES + 1, UINT32_MAX, 0x80000000u, 5};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        page.put = lies[i];
        page.taken = (uint32_t)i * 77777;
        int taken = 0;
        while (seen_take(&taker, &note))
            taken++;
        assert_true(taken <= SEEN_RING_PLACES);
        assert_int_equal(page.put, taker.taken);
    }
    page.taken = 12345;
    struct seen_putter putter;
    seen_putter_init(&putter, &page);
    assert_false(seen_put(&putter, &note));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_come_out_in_order),
        cmocka_unit_test(a_full_ring_refuses),
        cmocka_unit_test(a_senseless_position_empties_the_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
