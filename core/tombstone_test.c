// SPDX-License-Identifier: ISC
// Unit tests of core/tombstone.
#include "core/tombstone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct id16 key_of(uint32_t n)
{
    struct id16 key = {0};
    n *= 2654435761u;
    memcpy(key.byte, &n, sizeof(n));
    return key;
}

static void late_answers_are_dropped(void **state)
{
    (void)state;
    struct tombstones t;
    assert_true(tombstones_init(&t));
    struct id16 key = key_of(1), other = key_of(2);
    uint64_t before = tombstones_begin(&t);
    assert_true(tombstones_allow(&t, &key, before));
    tombstones_open(&t, &key);
    uint64_t during = tombstones_begin(&t);
    assert_false(tombstones_allow(&t, &key, before));
    assert_false(tombstones_allow(&t, &key, during)); // the store may not have it yet
    tombstones_close(&t, &key);
    assert_false(tombstones_allow(&t, &key, during));
    uint64_t after = tombstones_begin(&t);
    assert_true(tombstones_allow(&t, &key, after));
    assert_true(tombstones_allow(&t, &other, before));
    tombstones_collect(&t, after);
    assert_int_equal(t.count, 0);
    tombstones_release(&t);
}

static void opened_twice_is_closed_twice(void **state)
{
    (void)state;
    struct tombstones t;
    assert_true(tombstones_init(&t));
    struct id16 key = key_of(1);
    tombstones_open(&t, &key);
    tombstones_open(&t, &key);
    tombstones_close(&t, &key);
    assert_false(tombstones_allow(&t, &key, tombstones_begin(&t)));
    tombstones_close(&t, &key);
    assert_true(tombstones_allow(&t, &key, tombstones_begin(&t)));
    tombstones_release(&t);
}

static void a_full_table_forgets_nothing_that_matters(void **state)
{
    (void)state;
    struct tombstones t;
    assert_true(tombstones_init(&t));
    uint64_t before = tombstones_begin(&t);
    struct id16 open = key_of(0);
    tombstones_open(&t, &open);
    for (uint32_t i = 1; i < 50000; i++) {
        struct id16 key = key_of(i);
        tombstones_open(&t, &key);
        tombstones_close(&t, &key);
    }
    for (uint32_t i = 0; i < 50000; i++) {
        struct id16 key = key_of(i);
        assert_false(tombstones_allow(&t, &key, before));
    }
    assert_false(tombstones_allow(&t, &open, tombstones_begin(&t)));
    tombstones_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_answers_are_dropped),
        cmocka_unit_test(opened_twice_is_closed_twice),
        cmocka_unit_test(a_full_table_forgets_nothing_that_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
