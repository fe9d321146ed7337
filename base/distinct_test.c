// SPDX-License-Identifier: ISC
#include "base/distinct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void few_are_counted_exactly(void **state)
{
    struct distinct seen = {0};
    (void)state;
    assert_int_equal(distinct_count(&seen), 0);
    for (int i = 0; i < 100; i++) {
        distinct_add(&seen, mixed(7));
    }
    assert_int_equal(distinct_count(&seen), 1);
    distinct_add(&seen, mixed(8));
    assert_int_equal(distinct_count(&seen), 2);
}

static void many_are_estimated(void **state)
{
    static const uint64_t counts[] = {30, 300, 1000, 4000, 12000};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct distinct seen = {0};
        for (uint64_t n = 0; n < counts[i] * 3; n++) {
            distinct_add(&seen, mixed(n % counts[i] + 1000 * i));
        }
        assert_in_range(distinct_count(&seen), counts[i] * 9 / 10, counts[i] * 11 / 10);
    }
}

static void parts_are_joined(void **state)
{
    struct distinct one = {0}, other = {0};
    (void)state;
    for (uint64_t n = 0; n < 200; n++) {
        distinct_add(n < 150 ? &one : &other, mixed(n));
        distinct_add(&other, mixed(n % 50));
    }
    distinct_join(&one, &other);
    assert_in_range(distinct_count(&one), 185, 215);
    for (unsigned i = 0; i < DISTINCT_WORDS; i++) {
        other.word[i] = UINT64_MAX;
    }
    assert_true(distinct_count(&other) > 30000); // many
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_counted_exactly),
        cmocka_unit_test(many_are_estimated),
        cmocka_unit_test(parts_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
