// SPDX-License-Identifier: ISC
// Two runs side by side: what counts as worse.
#include "drill/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct compare result;

static json_t *report(double per_second, double p99_ms, int failed, int wrong)
{
    return json_pack("{s:{s:{s:{s:i, s:f, s:f, s:f}, s:{s:i}, s:{s:i}, s:{s:i}, s:{s:i}}}}", "classes",
                     "login", "ok", "count", 1000, "per_second", per_second, "p50_ms", 20.0, "p99_ms", p99_ms,
                     "refused", "count", 0, "late", "count", 0, "failed", "count", failed, "wrong", "count",
                     wrong);
}

static unsigned worse(json_t *before, json_t *after)
{
    assert_true(compare_reports(before, after, 0.1, &result));
    json_decref(before);
    json_decref(after);
    return result.worse;
}

static void what_is_worse_by_more_than_allowed(void **unused)
{
    (void)unused;
    assert_int_equal(worse(report(50, 100, 0, 0), report(50, 100, 0, 0)), 0);
    assert_int_equal(worse(report(50, 100, 0, 0), report(46, 109, 0, 0)), 0);
    assert_int_equal(worse(report(50, 100, 0, 0), report(44, 100, 0, 0)), 1);
    assert_int_equal(worse(report(50, 100, 0, 0), report(50, 111, 0, 0)), 1);
    assert_int_equal(worse(report(50, 100, 0, 0), report(90, 10, 0, 0)), 0); // better
    assert_int_equal(worse(report(50, 100, 0, 0), report(50, 100, 5, 0)), 1);
    assert_int_equal(worse(report(50, 100, 0, 0), report(50, 100, 0, 1)), 1);
}

static void small_numbers_tremble(void **unused)
{
    (void)unused;
    assert_int_equal(worse(report(50, 1, 0, 0), report(50, 1.9, 0, 0)), 0);
    assert_int_equal(worse(report(50, 100, 0, 0), report(50, 100, 1, 0)), 0);
}

static void nonsense_is_no_report(void **unused)
{
    (void)unused;
    json_t *nothing = json_pack("{s:{}}", "classes");
    json_t *other = report(1, 1, 0, 0);
    assert_false(compare_reports(nothing, other, 0.1, &result));
    assert_false(compare_reports(other, NULL, 0.1, &result));
    json_decref(nothing);
    json_decref(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_worse_by_more_than_allowed),
        cmocka_unit_test(small_numbers_tremble),
        cmocka_unit_test(nonsense_is_no_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
