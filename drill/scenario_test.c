// SPDX-License-Identifier: ISC
// Plans from files: what they say, and which line is wrong.
#include "drill/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct plan plan;

static bool read_text(const char *text)
{
    return scenario_read(&plan, view_of_cstr(text));
}

static void phases_follow_each_other(void **unused)
{
    (void)unused;
    assert_true(read_text("# a morning\n\nphase 30s check=200 login=5   change=2\n"
                          "phase 10s login=x10 # everybody comes\nphase 20s check=200-1000 login=5\n"));
    assert_int_equal(plan.phases, 3);
    assert_true(plan.seconds == 60);
    assert_true(plan_rate(&plan, STORM_login, 35) == 50);
    assert_true(plan_rate(&plan, STORM_change, 35) == 2); // as it was
    assert_true(plan_rate(&plan, STORM_check, 50) == 600);
    assert_true(plan_rate(&plan, STORM_login, 50) == 5);
    assert_true(plan_rate(&plan, STORM_register, 5) == 0);
    assert_int_equal(plan_phase_at(&plan, 39.9), 1);
    assert_true(plan_phase_begin(&plan, 2) == 40 && plan_phase_end(&plan, 2) == 60);
}

static void a_wrong_line_is_named(void **unused)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"phase 30s check=1\nphase nothing", "Line 2: A phase lasts"},
        {"phases 30s", "Line 1: A line is"},
        {"phase 30s cheque=5", "Line 1: \"cheque\" is no class"},
        {"phase 30s check=", "Line 1: A rate is like check=200"},
        {"phase 30s check=-5", "Line 1: A rate"},
        {"phase 30s check=9999999", "Line 1: A rate"},
        {"phase 0s check=5", "Line 1: A phase lasts"},
        {"phase 48h check=5", "Line 1: A phase lasts"},
        {"phase 30s login=x10", "Line 1: Nothing is asked for"},
        {"", "Line 0: Nothing is asked for"},
    };
    (void)unused;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(read_text(cases[i].text));
        assert_ptr_equal(strstr(plan.problem, cases[i].problem), plan.problem);
    }
}

static bool replay(const char *text, double speed)
{
    return scenario_replay(&plan, view_of_cstr(text), speed, 2);
}

static void a_recording_in_csv(void **unused)
{
    (void)unused;
    assert_true(replay("time,who,check,login\n1000,x,10,1\n1060,x,20,0.5\n1180,x,0,0\n", 10));
    assert_int_equal(plan.pieces, 2);
    assert_true(plan.seconds == 18);
    assert_true(plan_rate(&plan, STORM_check, 3) == 20);
    assert_true(plan_rate(&plan, STORM_check, 7) == 40);
    assert_true(plan_rate(&plan, STORM_login, 7) == 1);
}

static void a_recording_in_json_lines(void **unused)
{
    (void)unused;
    assert_true(replay("{\"time\": 0, \"check\": 10}\n{\"time\": 60, \"login\": 3}\n{\"time\": 90}\n", 1));
    assert_true(plan.seconds == 90);
    assert_true(plan_rate(&plan, STORM_login, 70) == 6);
    assert_true(plan_rate(&plan, STORM_check, 70) == 0);
}

static void a_day_of_minutes_has_few_phases(void **unused)
{
    (void)unused;
    struct bytes text;
    bytes_init(&text, 1 << 20);
    bytes_append_format(&text, "time,check\n");
    for (int i = 0; i <= 1440; i++) {
        bytes_append_format(&text, "%d,%d\n", i * 60, i % 100 + 1);
    }
    assert_true(scenario_replay(&plan, bytes_view(&text), 1, 1));
    bytes_release(&text);
    assert_int_equal(plan.pieces, 1440);
    assert_int_equal(plan.phases, PLAN_PHASES_MAX);
    assert_int_equal(plan_piece_at(&plan, 43230), 720);
    assert_int_equal(plan_phase_at(&plan, 86399), PLAN_PHASES_MAX - 1);
}

static void a_wrong_recording_is_refused(void **unused)
{
    static const char *const cases[] = {
        "time,check\n0,5\n0,6\n9,0\n", "time,check\n0,5\n",       "check\n5\n6\n",
        "time,check\n0,five\n1,1\n",   "{\"check\": 5}\n",        "{\n",
        "time,check\n0,-1\n1,1\n",     "time,check\n0,0\n10,0\n",
    };
    (void)unused;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(replay(cases[i], 1));
        assert_ptr_equal(strstr(plan.problem, "Line "), plan.problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(phases_follow_each_other),
        cmocka_unit_test(a_wrong_line_is_named),
        cmocka_unit_test(a_recording_in_csv),
        cmocka_unit_test(a_recording_in_json_lines),
        cmocka_unit_test(a_day_of_minutes_has_few_phases),
        cmocka_unit_test(a_wrong_recording_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
