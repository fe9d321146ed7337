// SPDX-License-Identifier: ISC
// Unit tests of core/throttle: time is driven.
#include "core/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int set_up(void **state)
{
    *state = throttle_new(&(struct hash32){{1, 2, 3}});
    return *state == NULL;
}

static int tear_down(void **state)
{
    struct throttle *throttle = *state;
    throttle_free(&throttle);
    return 0;
}

static void delays_grow_and_are_forgiven(void **state)
{
    struct throttle *t = *state;
    struct throttle_key key = throttle_key_of(t, THROTTLE_ACCOUNT, VIEW("ada"));
    uint64_t now = 1000000;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(throttle_wait_ms(t, THROTTLE_ACCOUNT, key, now), 0);
        throttle_charge(t, THROTTLE_ACCOUNT, key, now);
    }
    uint32_t first = throttle_wait_ms(t, THROTTLE_ACCOUNT, key, now);
    assert_in_range(first, 1, 1000);
    throttle_charge(t, THROTTLE_ACCOUNT, key, now);
    throttle_charge(t, THROTTLE_ACCOUNT, key, now);
    assert_true(throttle_wait_ms(t, THROTTLE_ACCOUNT, key, now) > first);
    for (int i = 0; i < 100; i++) {
        throttle_charge(t, THROTTLE_ACCOUNT, key, now);
    }
    assert_int_equal(throttle_wait_ms(t, THROTTLE_ACCOUNT, key, now), 900000);
    now += 24ull * 3600 * 1000;
    assert_int_equal(throttle_wait_ms(t, THROTTLE_ACCOUNT, key, now), 0);
}

static void success_leaves_no_mark(void **state)
{
    struct throttle *t = *state;
    struct throttle_key key = throttle_key_of(t, THROTTLE_ACCOUNT, VIEW("ada"));
    for (uint64_t i = 0; i < 1000; i++) { // many people log in at once
        throttle_charge(t, THROTTLE_ACCOUNT, key, i);
        throttle_give_back(t, THROTTLE_ACCOUNT, key, i);
    }
    assert_int_equal(throttle_wait_ms(t, THROTTLE_ACCOUNT, key, 1000), 0);
}

static void one_key_does_not_slow_another(void **state)
{
    struct throttle *t = *state;
    struct throttle_key ada = throttle_key_of(t, THROTTLE_ACCOUNT, VIEW("ada"));
    struct throttle_key device = throttle_key_of(t, THROTTLE_DEVICE, VIEW("ada"));
    for (int i = 0; i < 50; i++) {
        throttle_charge(t, THROTTLE_ACCOUNT, ada, 5);
    }
    assert_int_equal(throttle_wait_ms(t, THROTTLE_DEVICE, device, 5), 0);
}

static void a_shared_address_is_slowed_for_a_short_while_only(void **state)
{
    struct throttle *t = *state;
    struct id16 nat = {{[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 1}};
    struct throttle_key key = throttle_key_of_source(t, nat);
    for (int i = 0; i < 500; i++) {
        throttle_charge(t, THROTTLE_SOURCE, key, 1000);
    }
    assert_in_range(throttle_wait_ms(t, THROTTLE_SOURCE, key, 1000), 1, 30000);
    assert_int_equal(throttle_wait_ms(t, THROTTLE_SOURCE, key, 32000), 0);
    // ::1:0/64 neighbours are one source
    struct id16 a = {{0x20, 1, [15] = 1}}, b = {{0x20, 1, [15] = 2}};
    assert_true(throttle_key_of_source(t, a).half[1] == throttle_key_of_source(t, b).half[1]);
}

static void the_table_is_bounded_and_keeps_the_worst(void **state)
{
    struct throttle *t = *state;
    struct throttle_key bad = throttle_key_of(t, THROTTLE_ACCOUNT, VIEW("victim"));
    for (int i = 0; i < 20; i++) {
        throttle_charge(t, THROTTLE_ACCOUNT, bad, 10);
    }
    for (uint32_t i = 0; i < 300000; i++) {
        throttle_charge(t, THROTTLE_ACCOUNT, throttle_key_of(t, THROTTLE_ACCOUNT, view_of(&i, sizeof(i))),
                        10);
    }
    assert_true(throttle_wait_ms(t, THROTTLE_ACCOUNT, bad, 10) > 0);
}

static void no_key_is_charged_nothing(void **state)
{
    struct throttle *t = *state;
    struct throttle_key none = {{0, 0}};
    for (int i = 0; i < 20; i++) {
        throttle_charge(t, THROTTLE_ACCOUNT, none, 10);
    }
    throttle_give_back(t, THROTTLE_ACCOUNT, none, 10);
    assert_int_equal(throttle_wait_ms(t, THROTTLE_ACCOUNT, none, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(delays_grow_and_are_forgiven, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_key_is_charged_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(success_leaves_no_mark, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_key_does_not_slow_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shared_address_is_slowed_for_a_short_while_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_table_is_bounded_and_keeps_the_worst, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
