// SPDX-License-Identifier: ISC
// Buckets tile the range without gap or overlap; quantiles are at most 1/64 too large.
#include "drill/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct histogram histogram, other;

static void buckets_tile_the_range(void **unused)
{
    (void)unused;
    uint64_t next = 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        uint64_t top = histogram_bucket_top_ns(bucket);
        assert_int_equal(histogram_bucket(next), bucket);
        assert_int_equal(histogram_bucket(top), bucket);
        assert_true(top - next <= next / HISTOGRAM_SUB);
        next = top + 1;
    }
    assert_int_equal(next, (uint64_t)1 << HISTOGRAM_OCTAVES);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void quantiles_of_a_known_row(void **unused)
{
    (void)unused;
    histogram_reset(&histogram);
    assert_int_equal(histogram_quantile_ns(&histogram, 0.5), 0);
    for (uint64_t i = 1; i <= 10000; i++) {
        histogram_add(&histogram, i * 1000);
    }
    static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999};
    for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        double exact = shares[i] * 1e7;
        double got = (double)histogram_quantile_ns(&histogram, shares[i]);
        assert_true(got >= exact && got <= exact * (1 + 1.0 / HISTOGRAM_SUB) + 1);
    }
    assert_int_equal(histogram_quantile_ns(&histogram, 1), 10000000);
    assert_int_equal(histogram.max_ns, 10000000);
    assert_int_equal(histogram.sum_ns, 50005000000);
}

static void few_values_have_the_largest_as_their_tail(void **unused)
{
    (void)unused;
    histogram_reset(&histogram);
    histogram_add(&histogram, 5);
    histogram_add(&histogram, 7000000);
    assert_int_equal(histogram_quantile_ns(&histogram, 0.5), 5);
    assert_int_equal(histogram_quantile_ns(&histogram, 0.99), 7000000);
    assert_int_equal(histogram_quantile_ns(&histogram, 0), 5);
}

static void a_sum_has_all_of_both(void **unused)
{
    (void)unused;
    histogram_reset(&histogram);
    histogram_reset(&other);
    histogram_add(&histogram, 10);
    histogram_add(&other, 20);
    histogram_add(&other, UINT64_MAX / 4);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram.count, 3);
    assert_int_equal(histogram_quantile_ns(&histogram, 0.6), 20);
    assert_int_equal(histogram_quantile_ns(&histogram, 1), UINT64_MAX / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_tile_the_range),
        cmocka_unit_test(quantiles_of_a_known_row),
        cmocka_unit_test(few_values_have_the_largest_as_their_tail),
        cmocka_unit_test(a_sum_has_all_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
