// SPDX-License-Identifier: ISC
#include "supervisor/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void first_death_is_free(void **state)
{
    (void)state;
    struct restart restart = {0};
    restart_started(&restart, 1000);
    assert_int_equal(restart_died(&restart, 1005), 0);
}

static void quick_deaths_wait_longer_and_longer(void **state)
{
    static const uint32_t delays[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct restart restart = {0};
    uint64_t now = 1000;
    (void)state;
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        restart_started(&restart, now);
        now += 10;
        uint32_t delay = restart_died(&restart, now);
        assert_int_equal(delay, delays[i]);
        now += delay;
    }
}

static void a_minute_forgives(void **state)
{
    (void)state;
    struct restart restart = {0};
    for (int i = 0; i < 5; i++) {
        restart_started(&restart, 1000);
        (void)restart_died(&restart, 1001);
    }
    restart_started(&restart, 2000);
    assert_int_equal(restart_died(&restart, 2000 + RESTART_CALM_MS), 0);
    restart_started(&restart, 100000);
    assert_int_equal(restart_died(&restart, 100001), 0);
    restart_started(&restart, 100001);
    assert_int_equal(restart_died(&restart, 100002), 100);
}

static void a_while_is_started_at_once_and_not_forgotten(void **state)
{
    (void)state;
    struct restart restart = {0};
    for (int i = 0; i < 3; i++) {
        restart_started(&restart, 0);
        (void)restart_died(&restart, 1);
    }
    restart_started(&restart, 0);
    assert_int_equal(restart_died(&restart, RESTART_QUICK_MS + 1), 0);
    restart_started(&restart, 0);
    assert_int_equal(restart_died(&restart, 1), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_death_is_free),
        cmocka_unit_test(quick_deaths_wait_longer_and_longer),
        cmocka_unit_test(a_minute_forgives),
        cmocka_unit_test(a_while_is_started_at_once_and_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
