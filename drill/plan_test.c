// SPDX-License-Identifier: ISC
// What is written becomes rates over time, and rates become arrivals; time is only a number here.
#include "drill/plan.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct plan plan;

static void made(struct plan_texts texts)
{
    if (!plan_make(&plan, &texts)) {
        fail_msg("%s", plan.problem);
    }
}

static void refused(struct plan_texts texts)
{
    assert_false(plan_make(&plan, &texts));
    assert_true(plan.problem[0] != '\0');
}

static void is_rate(enum storm_class class, double at_s, double rate)
{
    double got = plan_rate(&plan, class, at_s);
    if (fabs(got - rate) > 1e-6) {
        fail_msg("%s at %g s: %g, not %g", storm_class_name(class), at_s, got, rate);
    }
}

static void a_rate_is_shared_by_the_mix(void **unused)
{
    (void)unused;
    made((struct plan_texts){.rate = "200", .mix = "check=3,login=1", .duration = "2m"});
    assert_int_equal(plan.pieces, 1);
    is_rate(STORM_check, 0, 150);
    is_rate(STORM_login, 119, 50);
    is_rate(STORM_register, 10, 0);
    is_rate(STORM_login, 120, 0);
    made((struct plan_texts){.mix = "check=1000,login=2.5"});
    is_rate(STORM_check, 5, 1000);
    is_rate(STORM_login, 5, 2.5);
    made((struct plan_texts){0});
    is_rate(STORM_check, 9.9, 90);
}

static void steps_ramps_and_spikes(void **unused)
{
    (void)unused;
    made((struct plan_texts){.steps = "10,20,40", .mix = "login=1", .duration = "30s"});
    assert_int_equal(plan.pieces, 3);
    is_rate(STORM_login, 9.999, 10);
    is_rate(STORM_login, 10.001, 20);
    is_rate(STORM_login, 29, 40);
    made((struct plan_texts){.ramp = "0-100", .mix = "check=1,login=1", .duration = "10s"});
    is_rate(STORM_check, 5, 25);
    is_rate(STORM_login, 9, 45);
    assert_true(fabs(plan_count(&plan, STORM_check) - 250) < 1e-6);
    made(
        (struct plan_texts){.rate = "100", .mix = "check=90,login=10", .spike = "login:x10@2s+3s,500@7s+1s"});
    assert_int_equal(plan.pieces, 5);
    is_rate(STORM_login, 1.9, 10);
    is_rate(STORM_login, 2.1, 100);
    is_rate(STORM_check, 2.1, 90);
    is_rate(STORM_login, 5.1, 10);
    is_rate(STORM_check, 7.5, 450);
    is_rate(STORM_login, 7.5, 50);
    is_rate(STORM_check, 8.5, 90);
    made((struct plan_texts){.ramp = "100-200", .mix = "check=1", .spike = "x2@5s+10s"});
    is_rate(STORM_check, 4, 140);
    is_rate(STORM_check, 6, 320);
}

static void what_is_not_understood_is_refused(void **unused)
{
    (void)unused;
    refused((struct plan_texts){.rate = "-1"});
    refused((struct plan_texts){.rate = "1e3"});
    refused((struct plan_texts){.rate = "2000000"});
    refused((struct plan_texts){.rate = "10", .steps = "1,2"});
    refused((struct plan_texts){.steps = ""});
    refused((struct plan_texts){.steps = "1,,2"});
    refused((struct plan_texts){.mix = "check"});
    refused((struct plan_texts){.mix = "checks=1"});
    refused((struct plan_texts){.mix = "check=0"});
    refused((struct plan_texts){.ramp = "100"});
    refused((struct plan_texts){.spike = "x10@20s"});
    refused((struct plan_texts){.spike = "x0@1s+1s"});
    refused((struct plan_texts){.spike = "sleep:x2@1s+1s"});
    refused((struct plan_texts){.duration = "0s"});
    refused((struct plan_texts){.duration = "25h"});
    refused((struct plan_texts){.duration = "ms"});
}

static void uniform_arrivals_are_evenly_spaced(void **unused)
{
    (void)unused;
    struct schedule schedule;
    uint64_t at = 0;
    unsigned count = 0;
    made((struct plan_texts){.rate = "100", .mix = "check=1", .duration = "2s"});
    schedule_init(&schedule, &plan, STORM_check, true, 1);
    for (uint64_t before = 0; schedule_next(&schedule, &at); before = at) {
        assert_true(at - before >= 9999999 && at - before <= 10000001);
        count++;
    }
    assert_in_range(count, 199, 200);
    schedule_init(&schedule, &plan, STORM_login, true, 1);
    assert_false(schedule_next(&schedule, &at));
}

// Gaps of a Poisson process: mean 1/rate, variance 1/rate².
static void poisson_arrivals_have_the_rate_and_its_spread(void **unused)
{
    (void)unused;
    struct schedule schedule;
    uint64_t at = 0;
    double sum = 0;
    double squares = 0;
    unsigned count = 0;
    made((struct plan_texts){.rate = "1000", .mix = "check=1", .duration = "100s"});
    schedule_init(&schedule, &plan, STORM_check, false, 7);
    for (uint64_t before = 0; schedule_next(&schedule, &at); before = at) {
        double gap = (double)(at - before) / 1e6;
        sum += gap;
        squares += gap * gap;
        count++;
    }
    double mean = sum / count;
    double variance = squares / count - mean * mean;
    assert_in_range(count, 99000, 101000);
    assert_true(fabs(mean - 1) < 0.02 && fabs(variance - 1) < 0.05);
}

static void a_ramp_is_followed_exactly(void **unused)
{
    (void)unused;
    struct schedule schedule;
    uint64_t at = 0;
    unsigned half[2] = {0};
    made((struct plan_texts){.ramp = "0-1000", .mix = "check=1", .duration = "20s"});
    schedule_init(&schedule, &plan, STORM_check, true, 1);
    while (schedule_next(&schedule, &at)) {
        half[at >= 10000000000u]++;
    }
    assert_in_range(half[0], 2499, 2501);
    assert_in_range(half[1], 7498, 7501);
    made((struct plan_texts){.steps = "1000,0,500", .mix = "check=1", .duration = "3s"});
    schedule_init(&schedule, &plan, STORM_check, true, 1);
    unsigned second[3] = {0};
    while (schedule_next(&schedule, &at)) {
        second[at / 1000000000u]++;
    }
    assert_in_range(second[0], 999, 1000);
    assert_int_equal(second[1], 0);
    assert_in_range(second[2], 499, 501);
}

static void the_same_seed_makes_the_same_arrivals(void **unused)
{
    (void)unused;
    struct schedule first, second, third;
    uint64_t one = 0, two = 0, three = 0;
    unsigned differ = 0;
    made((struct plan_texts){.rate = "100"});
    schedule_init(&first, &plan, STORM_check, false, 3);
    schedule_init(&second, &plan, STORM_check, false, 3);
    schedule_init(&third, &plan, STORM_check, false, 4);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(schedule_next(&first, &one) && schedule_next(&second, &two) &&
                    schedule_next(&third, &three));
        assert_int_equal(one, two);
        differ += one != three;
    }
    assert_true(differ > 90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_is_shared_by_the_mix),
        cmocka_unit_test(steps_ramps_and_spikes),
        cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(uniform_arrivals_are_evenly_spaced),
        cmocka_unit_test(poisson_arrivals_have_the_rate_and_its_spread),
        cmocka_unit_test(a_ramp_is_followed_exactly),
        cmocka_unit_test(the_same_seed_makes_the_same_arrivals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
