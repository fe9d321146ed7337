// SPDX-License-Identifier: ISC
#include "watch/facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct facts *facts;

static struct watched_now at(uint64_t ms)
{
    return (struct watched_now){.mono_ns = ms * 1000000u, .wall_ms = 1795215600000u + ms};
}

static void tell(uint8_t kind, const char *name, const char *text, uint64_t ms)
{
    struct wire_event event = {
        .kind = kind, .mono_ns = ms * 1000000u, .name = view_of_cstr(name), .text = view_of_cstr(text)};
    facts_add(facts, &event, at(ms));
}

static int before(void **state)
{
    (void)state;
    facts = facts_new();
    return facts == NULL;
}

static int after(void **state)
{
    (void)state;
    facts_free(&facts);
    return 0;
}

static void the_newest_are_kept(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= FACTS_MAX + 10; i++) {
        tell(WIRE_EVENT_JOURNAL, "", "", i);
    }
    assert_int_equal(facts_count(facts), FACTS_MAX + 10);
    assert_null(facts_get(facts, 0));
    assert_null(facts_get(facts, 10));
    assert_int_equal(facts_get(facts, 11)->mono_ms, 11);
    assert_null(facts_get(facts, FACTS_MAX + 11));
    assert_int_equal(facts_number(facts, WIRE_EVENT_JOURNAL, FACTS_MAX + 1), 10);
    assert_int_equal(facts_first(facts, WIRE_EVENT_JOURNAL, 0)->mono_ms, 11);
    assert_int_equal(facts_last(facts, WIRE_EVENT_JOURNAL, 0)->mono_ms, FACTS_MAX + 10);
    assert_null(facts_last(facts, WIRE_EVENT_JOURNAL, FACTS_MAX + 11));
}

static void what_stands_until_it_ends(void **state)
{
    (void)state;
    tell(WIRE_EVENT_LOCK_HELD, "accounts", "", 100);
    tell(WIRE_EVENT_LOCK_GONE, "sessions", "", 200); // of another relation
    assert_non_null(facts_standing(facts, WIRE_EVENT_LOCK_HELD, WIRE_EVENT_LOCK_GONE, 0));
    tell(WIRE_EVENT_LOCK_GONE, "accounts", "", 300);
    assert_null(facts_standing(facts, WIRE_EVENT_LOCK_HELD, WIRE_EVENT_LOCK_GONE, 0));
    tell(WIRE_EVENT_LOCK_HELD, "accounts", "", 400);
    assert_int_equal(facts_standing(facts, WIRE_EVENT_LOCK_HELD, WIRE_EVENT_LOCK_GONE, 0)->mono_ms, 400);
    assert_null(facts_standing(facts, WIRE_EVENT_LOCK_HELD, WIRE_EVENT_LOCK_GONE, 401));
}

static void text_of_others_is_cleaned(void **state)
{
    (void)state;
    tell(WIRE_EVENT_JOURNAL, "a\x1b[2Jb", "one\ntwo\x7f \xff\xc3( \xc3\xa4 \xe2\x80\xae \xed\xa0\x80", 5);
    const struct fact *fact = facts_get(facts, 1);
    assert_string_equal(fact->name, "a [2Jb");
    assert_string_equal(fact->text, "one two  ?"
                                    "?( \xc3\xa4   ?"
                                    "??");
}

static void a_time_that_can_not_be_is_now(void **state)
{
    (void)state;
    struct wire_event event = {.kind = WIRE_EVENT_JOURNAL, .mono_ns = 9000000000000u};
    facts_add(facts, &event, at(100000));
    assert_int_equal(facts_get(facts, 1)->mono_ms, 100000);
    event.mono_ns = 99000ull * 1000000u;
    facts_add(facts, &event, at(100000));
    assert_int_equal(facts_get(facts, 2)->mono_ms, 99000);
    assert_int_equal(facts_get(facts, 2)->wall_ms, 1795215600000u + 99000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_are_kept, before, after),
        cmocka_unit_test_setup_teardown(what_stands_until_it_ends, before, after),
        cmocka_unit_test_setup_teardown(text_of_others_is_cleaned, before, after),
        cmocka_unit_test_setup_teardown(a_time_that_can_not_be_is_now, before, after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
