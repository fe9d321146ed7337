// SPDX-License-Identifier: ISC
#include "supervisor/penalty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct id16 address(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct id16){.byte = {[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}};
}

static void two_crashes_in_a_minute(void **state)
{
    (void)state;
    struct penalty penalty = {0};
    assert_int_equal(penalty_crash(&penalty, address(192, 0, 2, 1), 1000), 0);
    assert_int_equal(penalty_crash(&penalty, address(192, 0, 2, 2), 1500), 0);
    assert_int_equal(penalty_crash(&penalty, address(192, 0, 2, 1), 2000), 60);
    assert_int_equal(penalty_left_s(&penalty.source[0], 2000), 60);
    assert_int_equal(penalty_left_s(&penalty.source[0], 61999), 1);
    assert_int_equal(penalty_left_s(&penalty.source[0], 62000), 0);
}

static void a_v6_network_is_one_source(void **state)
{
    (void)state;
    struct penalty penalty = {0};
    struct id16 one = {.byte = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    struct id16 other = one, neighbour = one;
    other.byte[8] = 0xab;
    neighbour.byte[7] = 1;
    assert_int_equal(penalty_crash(&penalty, one, 1000), 0);
    assert_int_equal(penalty_crash(&penalty, neighbour, 1500), 0);
    assert_int_equal(penalty_crash(&penalty, other, 2000), 60);
}

static void slow_crashes_are_not_punished(void **state)
{
    (void)state;
    struct penalty penalty = {0};
    for (uint64_t now = 1000; now < 1000000; now += PENALTY_WINDOW_MS + 1) {
        assert_int_equal(penalty_crash(&penalty, address(192, 0, 2, 1), now), 0);
    }
}

static void penalties_double(void **state)
{
    (void)state;
    struct penalty penalty = {0};
    uint32_t expected[] = {60, 120, 240, 480, 960, 1920, 3600, 3600};
    uint64_t now = 1000;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(penalty_crash(&penalty, address(192, 0, 2, 1), now++), 0);
        assert_int_equal(penalty_crash(&penalty, address(192, 0, 2, 1), now++), expected[i]);
    }
}

static void the_table_is_bounded(void **state)
{
    (void)state;
    struct penalty penalty = {0};
    uint64_t now = 1000;
    for (int i = 0; i < 5 * PENALTY_SOURCES_MAX; i++) {
        assert_int_equal(penalty_crash(&penalty, address(10, 0, (uint8_t)(i >> 8), (uint8_t)i), now++), 0);
    }
    assert_int_equal(penalty_crash(&penalty, address(10, 0, 1, 63), now), 60);
}

static void proxies_are_spared(void **state)
{
    (void)state;
    struct id16 v6 = {.byte = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    assert_true(penalty_spares("127.0.0.1,::1", address(127, 0, 0, 1)));
    assert_false(penalty_spares("127.0.0.1,::1", address(127, 0, 0, 2)));
    assert_true(penalty_spares("unix,10.0.0.0/8", address(10, 9, 8, 7)));
    assert_false(penalty_spares("unix,10.0.0.0/8", address(11, 9, 8, 7)));
    assert_true(penalty_spares("192.0.2.128/25", address(192, 0, 2, 200)));
    assert_false(penalty_spares("192.0.2.128/25", address(192, 0, 2, 100)));
    assert_true(penalty_spares("2001:db8::/32", v6));
    assert_false(penalty_spares("2001:db9::/32", v6));
    assert_false(penalty_spares("", v6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_crashes_in_a_minute), cmocka_unit_test(slow_crashes_are_not_punished),
        cmocka_unit_test(penalties_double),        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(proxies_are_spared),      cmocka_unit_test(a_v6_network_is_one_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
