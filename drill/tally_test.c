// SPDX-License-Identifier: ISC
// Counts by phase, class, outcome and second; time is driven.
#include "drill/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct tally tally;
static struct tally_cell sum;
static const uint64_t second = 1000000000, milli = 1000000;

static void counts_go_where_they_belong(void **unused)
{
    (void)unused;
    assert_true(tally_init(&tally, 2));
    tally_offer(&tally, 0, STORM_login, 1);
    tally_offer(&tally, 1, STORM_login, second / 2);
    tally_answer(&tally, 0, STORM_login, STORM_ok, second / 2, 40 * milli);
    assert_true(tally_turn(&tally, 1));
    tally_answer(&tally, 1, STORM_login, STORM_refused, second + 1, 2 * milli);
    assert_true(tally_turn(&tally, 5));
    assert_int_equal(tally.seconds, 6);
    assert_int_equal(tally.second[0].class[STORM_login].offered, 2);
    assert_int_equal(tally.second[0].class[STORM_login].answers[STORM_ok], 1);
    assert_int_equal(tally.second[0].class[STORM_login].ok_p99_us, 40000);
    assert_int_equal(tally.second[1].class[STORM_login].answers[STORM_refused], 1);
    assert_int_equal(tally.second[1].class[STORM_login].refused_p99_us, 2000);
    assert_int_equal(tally.second[3].class[STORM_login].answers[STORM_ok], 0);
    assert_int_equal(tally_at(&tally, 1, STORM_login)->times[STORM_refused].count, 1);
    assert_int_equal(tally_at(&tally, 1, STORM_check)->offered, 0);
    tally_sum(&tally, STORM_login, &sum);
    assert_int_equal(sum.offered, 2);
    assert_int_equal(sum.times[STORM_ok].count, 1);
    // What comes behind the last second counts there.
    tally_answer(&tally, 1, STORM_check, STORM_late, 99 * second, milli);
    assert_int_equal(tally.second[5].class[STORM_check].answers[STORM_late], 1);
    tally_release(&tally);
}

static void it_says_whether_it_kept_up(void **unused)
{
    (void)unused;
    assert_true(tally_init(&tally, 1));
    assert_true(tally_kept_up(&tally));
    for (unsigned i = 0; i < 1000; i++) {
        histogram_add(&tally.lag, i < 991 ? milli / 10 : 50 * milli);
    }
    assert_true(tally_kept_up(&tally));
    for (unsigned i = 0; i < 10; i++) {
        histogram_add(&tally.lag, 50 * milli);
    }
    assert_false(tally_kept_up(&tally));
    histogram_reset(&tally.lag);
    tally.unsent = 1;
    assert_false(tally_kept_up(&tally));
    tally_release(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_go_where_they_belong),
        cmocka_unit_test(it_says_whether_it_kept_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
