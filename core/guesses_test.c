// SPDX-License-Identifier: ISC
#include "core/guesses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void a_forgetful_person_is_one(void **state)
{
    struct guesses guesses = {0};
    (void)state;
    for (uint64_t i = 0; i < 8; i++) {
        guesses_note(&guesses, mixed(1), mixed(2), false, 500 * i);
    }
    struct guesses_now now = guesses_now(&guesses, 4000);
    assert_true(now.accounts == 1 && now.sources == 1 && now.unknown == 0);
}

static void a_list_being_tried_is_many(void **state)
{
    struct guesses guesses = {0};
    (void)state;
    for (uint64_t i = 0; i < 600; i++) {
        guesses_note(&guesses, mixed(i), mixed(i % 40 + 5000), i % 3 != 0, 10 * i);
    }
    struct guesses_now now = guesses_now(&guesses, 6000);
    assert_in_range(now.accounts, 550, 650);
    assert_in_range(now.sources, 37, 43);
    assert_int_equal(now.unknown, 400);
}

static void what_was_is_forgotten(void **state)
{
    struct guesses guesses = {0};
    (void)state;
    assert_int_equal(guesses_now(&guesses, 0).accounts, 0);
    guesses_note(&guesses, mixed(1), mixed(1), true, 0);
    guesses_note(&guesses, mixed(2), mixed(1), true, 5000);
    assert_int_equal(guesses_now(&guesses, 9999).accounts, 2);
    assert_int_equal(guesses_now(&guesses, 10000).accounts, 1);
    assert_int_equal(guesses_now(&guesses, 14999).unknown, 1);
    assert_int_equal(guesses_now(&guesses, 15000).unknown, 0);
    guesses_note(&guesses, mixed(3), mixed(1), true, 20000); // takes the place of the first second
    assert_int_equal(guesses_now(&guesses, 20000).accounts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_forgetful_person_is_one),
        cmocka_unit_test(a_list_being_tried_is_many),
        cmocka_unit_test(what_was_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
