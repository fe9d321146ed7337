// SPDX-License-Identifier: ISC
// The yardstick measures, in a process of its own, and what it measured is found by its time.
#include "drill/yardstick.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void it_measures_until_it_is_stopped(void **unused)
{
    (void)unused;
    struct yardstick yardstick;
    uint64_t began_ns = clock_mono_ns();
    assert_true(yardstick_start(&yardstick));
    double once_ms = 0;
    for (unsigned turn = 0; once_ms <= 0 && turn < 1000; turn++) { // it comes; a slow machine takes longer
        program_pause(20);
        once_ms = yardstick_ms(&yardstick, began_ns, clock_mono_ns());
    }
    assert_true(once_ms > 0);
    assert_true(yardstick_ms(&yardstick, 0, began_ns) <= 0); // nothing was measured before
    assert_false(program_ended(&yardstick.program));
    yardstick_stop(&yardstick);
    assert_true(program_ended(&yardstick.program));
    assert_true(yardstick_ms(&yardstick, 0, UINT64_MAX) <= 0);
}

static void one_that_was_not_started_says_nothing(void **unused)
{
    (void)unused;
    struct yardstick yardstick = {.program = {.in = -1, .out = -1}};
    assert_true(yardstick_ms(&yardstick, 0, UINT64_MAX) <= 0);
    yardstick_stop(&yardstick);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_measures_until_it_is_stopped),
        cmocka_unit_test(one_that_was_not_started_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
