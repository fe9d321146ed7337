// SPDX-License-Identifier: ISC
// What stayd said, and when: only what can be true is believed.
#include "drill/verdict_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct verdict_watch watch;
static const char *const one_cause[] = {"slow_statement", NULL};
static const char *const two_causes[] = {"slow_statement", "login_spike|flood", NULL};

static int begin(void **unused)
{
    (void)unused;
    verdict_watch_init(&watch, "/nowhere");
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    verdict_watch_release(&watch);
    return 0;
}

static void what_was_before_the_fault_does_not_count(void **unused)
{
    (void)unused;
    verdict_watch_take(&watch, "{\"state\":\"incident\",\"causes\":[{\"cause\":\"slow_statement\"}]}", 500);
    assert_int_equal(watch.detected_ms, 0);
    verdict_watch_begin(&watch, 1000, one_cause);
    verdict_watch_take(&watch, "{\"state\":\"healthy\",\"causes\":[]}", 1100);
    assert_int_equal(watch.detected_ms, 0);
    assert_int_equal(watch.answered, 2);
}

static void the_first_right_cause_counts(void **unused)
{
    (void)unused;
    verdict_watch_begin(&watch, 1000, one_cause);
    verdict_watch_take(&watch, "{\"state\":\"degraded\",\"causes\":[]}", 1200);
    verdict_watch_take(
        &watch, "{\"state\":\"incident\",\"incident\":\"i7\",\"causes\":[{\"cause\":\"unknown\"}]}", 1500);
    verdict_watch_take(&watch, "{\"state\":\"incident\",\"causes\":[{\"cause\":\"slow_statement\"}]}", 2000);
    verdict_watch_take(&watch, "{\"state\":\"incident\",\"causes\":[{\"cause\":\"cpu_taken\"}]}", 3000);
    verdict_watch_take(&watch, "{\"state\":\"healthy\",\"causes\":[]}", 4000);
    assert_int_equal(watch.detected_ms, 1200);
    assert_int_equal(watch.first.at_ms, 1500);
    assert_int_equal(watch.right.at_ms, 2000);
    assert_int_equal(watch.well_ms, 4000);
    assert_string_equal(watch.incident, "i7");
    // What is shown is the verdict that was right.
    json_t *cause = json_object_get(json_array_get(json_object_get(watch.last, "causes"), 0), "cause");
    assert_string_equal(json_string_value(cause), "slow_statement");
}

static void its_own_times_are_believed_when_they_can_be_true(void **unused)
{
    (void)unused;
    verdict_watch_begin(&watch, 10000, one_cause);
    verdict_watch_take(&watch,
                       "{\"state\":\"incident\",\"detected_unix_ms\":10040,\"diagnosed_unix_ms\":10100,"
                       "\"causes\":[{\"cause\":\"slow_statement\"}]}",
                       10120);
    assert_int_equal(watch.detected_ms, 10040);
    assert_int_equal(watch.right.at_ms, 10100);
}

static void times_of_another_clock_are_not_believed(void **unused)
{
    (void)unused;
    verdict_watch_begin(&watch, 10000, one_cause);
    verdict_watch_take(&watch,
                       "{\"state\":\"incident\",\"detected_unix_ms\":9000,\"diagnosed_unix_ms\":99000,"
                       "\"causes\":[{\"cause\":\"slow_statement\"}]}",
                       12000);
    assert_int_equal(watch.detected_ms, 12000);
    assert_int_equal(watch.right.at_ms, 12000);
}

static void of_two_both_have_to_be_named(void **unused)
{
    (void)unused;
    verdict_watch_begin(&watch, 1000, two_causes);
    verdict_watch_take(&watch, "{\"state\":\"incident\",\"causes\":[{\"cause\":\"slow_statement\"}]}", 2000);
    assert_int_equal(watch.right.at_ms, 0);
    verdict_watch_take(&watch,
                       "{\"state\":\"incident\",\"causes\":[{\"cause\":\"cpu_taken\"},{\"cause\":\"flood\"},"
                       "{\"cause\":\"slow_statement\"}]}",
                       2500);
    assert_int_equal(watch.right.at_ms, 0); // not what is named first
    verdict_watch_take(
        &watch,
        "{\"state\":\"incident\",\"causes\":[{\"cause\":\"login_spike\"},{\"cause\":\"slow_statement\"}]}",
        3000);
    assert_int_equal(watch.right.at_ms, 3000);
}

static void nonsense_changes_nothing(void **unused)
{
    (void)unused;
    verdict_watch_begin(&watch, 1000, one_cause);
    verdict_watch_take(&watch, "no JSON", 2000);
    verdict_watch_take(&watch, "{\"state\":7}", 2000);
    verdict_watch_take(&watch, "[]", 2000);
    assert_int_equal(watch.answered, 0);
    assert_int_equal(watch.detected_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_before_the_fault_does_not_count, begin, end),
        cmocka_unit_test_setup_teardown(the_first_right_cause_counts, begin, end),
        cmocka_unit_test_setup_teardown(its_own_times_are_believed_when_they_can_be_true, begin, end),
        cmocka_unit_test_setup_teardown(times_of_another_clock_are_not_believed, begin, end),
        cmocka_unit_test_setup_teardown(of_two_both_have_to_be_named, begin, end),
        cmocka_unit_test_setup_teardown(nonsense_changes_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
