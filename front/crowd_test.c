// SPDX-License-Identifier: ISC
#include "front/crowd.h"

#include "base/stats.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <cmocka.h>

static struct crowd crowd;

static struct id16 v4(uint32_t number)
{
    return (struct id16){.byte = {[10] = 0xff,
                                  [11] = 0xff,
                                  [12] = (uint8_t)(number >> 24),
                                  [13] = (uint8_t)(number >> 16),
                                  [14] = (uint8_t)(number >> 8),
                                  [15] = (uint8_t)number}};
}

static void nobody(void **state)
{
    (void)state;
    crowd_init(&crowd, (struct id16){.byte = {1}});
    assert_int_equal(crowd_distinct(&crowd), 0);
    assert_int_equal(crowd_heaviest_thousandths(&crowd), 0);
}

static void many_people_are_no_flood(void **state)
{
    (void)state;
    crowd_init(&crowd, (struct id16){.byte = {2}});
    for (uint32_t i = 0; i < 3000; i++) {
        crowd_note(&crowd, v4(0x0a000000 + i));
    }
    assert_in_range(crowd_distinct(&crowd), 2700, 3300);
    assert_true(crowd_heaviest_thousandths(&crowd) < 40);
}

static void a_flood_shows_among_people(void **state)
{
    (void)state;
    crowd_init(&crowd, (struct id16){.byte = {3}});
    for (uint32_t i = 0; i < 6000; i++) {
        crowd_note(&crowd, i % 3 == 0 ? v4(0x0a000000 + i) : v4(0xc0000200 + i % 4));
    }
    assert_in_range(crowd_heaviest_thousandths(&crowd), 650, 710);
    assert_in_range(crowd_distinct(&crowd), 1800, 2200);
}

// Five share four places, again and again.
static void who_takes_a_place_brings_nothing_along(void **state)
{
    (void)state;
    crowd_init(&crowd, (struct id16){.byte = {6}});
    for (uint32_t i = 0; i < 40000; i++) {
        crowd_note(&crowd, v4(0x0a000000 + i % 4000));
    }
    assert_true(crowd_heaviest_thousandths(&crowd) <= 2); // 8 of 4000
}

static void a_network_is_one_source(void **state)
{
    struct id16 v6 = {.byte = {0x20, 1, 0xd, 0xb8}};
    (void)state;
    crowd_init(&crowd, (struct id16){.byte = {4}});
    for (unsigned i = 0; i < 200; i++) {
        v6.byte[15] = (uint8_t)i;
        crowd_note(&crowd, v6);
    }
    assert_int_equal(crowd_distinct(&crowd), 1);
}

static void a_second_is_shown_when_it_is_over(void **state)
{
    (void)state;
    crowd_init(&crowd, (struct id16){.byte = {5}});
    crowd_tick(&crowd, 7);
    crowd_note(&crowd, v4(1));
    crowd_note(&crowd, v4(2));
    crowd_tick(&crowd, 7);
    assert_int_equal(stats_read(stats_here, STATS_sources_distinct), 0);
    crowd_tick(&crowd, 8);
    assert_int_equal(stats_read(stats_here, STATS_sources_distinct), 2);
    assert_int_equal(stats_read(stats_here, STATS_sources_heaviest_thousandths), 1000);
    crowd_tick(&crowd, 9);
    assert_int_equal(stats_read(stats_here, STATS_sources_distinct), 0);
}

// The busiest, with networks of those who are no people.
static void the_page_says_who(void **state)
{
    struct id16 v6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 7, 0xff, 0xff}};
    const struct stats_crowd *shown;
    (void)state;
    crowd_init(&crowd, (struct id16){.byte = {7}});
    for (unsigned i = 0; i < 100; i++) {
        crowd_note(&crowd, v4(0xc0000201));
        if (i % 2 == 0) {
            crowd_note(&crowd, v6);
        }
    }
    crowd_note(&crowd, v4(0x0a000001));
    crowd_tick(&crowd, 1);
    shown = stats_crowd_shown(stats_here);
    assert_int_equal(shown->total, 151);
    assert_int_equal(shown->heaviest[0].count, 100);
    assert_int_equal(shown->heaviest[0].network, 0x04c0000200000000);
    assert_int_equal(shown->heaviest[1].count, 50);
    assert_int_equal(shown->heaviest[1].network, 0x0620010db8000700);
    assert_int_equal(shown->heaviest[2].count, 1);
    assert_int_equal(shown->heaviest[2].network, 0);
    assert_int_equal(shown->heaviest[3].hash, 0);
    crowd_tick(&crowd, 2);
    assert_int_equal(stats_crowd_shown(stats_here)->total, 0);
    assert_int_equal(shown->total, 151); // whoever still reads it
}

int main(void)
{
    if (sodium_init() < 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody),
        cmocka_unit_test(many_people_are_no_flood),
        cmocka_unit_test(a_flood_shows_among_people),
        cmocka_unit_test(who_takes_a_place_brings_nothing_along),
        cmocka_unit_test(a_network_is_one_source),
        cmocka_unit_test(a_second_is_shown_when_it_is_over),
        cmocka_unit_test(the_page_says_who),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
