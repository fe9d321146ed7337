// SPDX-License-Identifier: ISC
// The way back of answers: quick, delayed, a server that stands still, clocks that drift and are set.
#include "store/way.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define APART 1795215600000000 // the server's clock counts from 1970, ours from the start

struct line {
    struct way way;
    uint64_t now_us;
    int64_t drift_us;
};

// One exchange a quarter of a second.
static uint64_t ask(struct line *line, uint64_t there_us, uint64_t back_us)
{
    uint64_t asked_us = line->now_us += 250000;
    uint64_t server_us = asked_us + there_us + (uint64_t)(APART + line->drift_us);
    return way_back_us(&line->way, asked_us, asked_us + there_us + back_us, server_us);
}

static struct line usual(void)
{
    struct line line = {.now_us = 77000000};
    for (uint64_t i = 0; i < 400; i++) {
        assert_in_range(ask(&line, 130 + i * 7 % 60, 90 + i * 11 % 40), 0, 200);
    }
    return line;
}

static void a_network_delays_answers_too(void **state)
{
    (void)state;
    struct line line = usual();
    for (uint64_t i = 0; i < 4000; i++) {
        assert_in_range(ask(&line, 60000, 60000), 59500, 60500);
    }
    assert_in_range(ask(&line, 140, 100), 0, 200);
}

static void a_server_that_stands_still_does_not(void **state)
{
    (void)state;
    struct line line = usual();
    for (uint64_t i = 0; i < 4000; i++) {
        assert_in_range(ask(&line, 9000 * (i % 10) / 10, 110), 0, 300);
    }
}

static void what_is_lost_is_late_by_itself(void **state)
{
    (void)state;
    struct line line = usual();
    assert_in_range(ask(&line, 200130, 100), 0, 200);
    assert_in_range(ask(&line, 130, 200100), 199800, 200300);
    assert_in_range(ask(&line, 130, 100), 0, 200);
}

static void clocks_drift(void **state)
{
    (void)state;
    struct line line = usual();
    for (uint64_t i = 0; i < 40000; i++) { // 50 parts in a million: a poor quartz
        line.drift_us = (int64_t)(i * 250000 / 20000);
        assert_in_range(ask(&line, 140, 100), 0, 600);
    }
    assert_in_range(ask(&line, 30140, 30100), 29000, 31000);
}

static void a_clock_is_set(void **state)
{
    (void)state;
    struct line line = usual();
    for (int i = 0; i < 2; i++) {
        line.drift_us += i == 0 ? 3600000000 : -7200000000;
        assert_int_equal(ask(&line, 140, 100), 0);
        assert_in_range(ask(&line, 140, 100), 0, 200);
        assert_in_range(ask(&line, 140, 50100), 49500, 50500);
    }
}

static void the_first_one_may_be_slow(void **state)
{
    (void)state;
    struct line line = {.now_us = 5};
    assert_int_equal(ask(&line, 20000, 300), 0);
    assert_int_equal(ask(&line, 140, 100), 0);
    assert_in_range(ask(&line, 140, 30100), 29500, 30500);
}

static void never_more_than_it_took(void **state)
{
    (void)state;
    struct line line = usual();
    for (uint64_t i = 0; i < 10000; i++) {
        line.drift_us += (int64_t)(i % 7) * 300 - 900;
        uint64_t there_us = i * 7919 % 5000, back_us = i * 104729 % 5000;
        assert_in_range(ask(&line, there_us, back_us), 0, there_us + back_us);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_delays_answers_too),
        cmocka_unit_test(a_server_that_stands_still_does_not),
        cmocka_unit_test(what_is_lost_is_late_by_itself),
        cmocka_unit_test(clocks_drift),
        cmocka_unit_test(a_clock_is_set),
        cmocka_unit_test(the_first_one_may_be_slow),
        cmocka_unit_test(never_more_than_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
