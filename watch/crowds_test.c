// SPDX-License-Identifier: ISC
// Fronts count, watch adds up: the share of the busiest sources is the same however many fronts share their
// connections, and never too high.
#include "watch/crowds.h"

#include "base/network.h"
#include "front/crowd.h"
#include "watch/series.h"

#include <math.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FRONTS_MAX = 4 };

static struct watched watched;
static struct stats_page *page[FRONTS_MAX];
static struct crowd crowd[FRONTS_MAX];
static struct crowds crowds;
static unsigned fronts;
static uint32_t second;
static uint64_t random_state;

static void begin(unsigned how_many)
{
    fronts = how_many;
    random_state = 0x9e3779b97f4a7c15u;
    watched_init(&watched);
    for (unsigned i = 0; i < fronts; i++) {
        crowd_init(&crowd[i], (struct id16){.byte = {42}});
        watched_add(&watched, STATS_ROLE_front, (uint16_t)i, page[i]);
    }
}

static unsigned chance(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 33) % below;
}

static void one(unsigned front, uint32_t address)
{
    struct id16 client = {.byte = {[10] = 0xff, [11] = 0xff, [12] = (uint8_t)(address >> 24)}};
    client.byte[13] = (uint8_t)(address >> 16);
    client.byte[14] = (uint8_t)(address >> 8);
    client.byte[15] = (uint8_t)address;
    crowd_note(&crowd[front], client);
}

static uint64_t end(void)
{
    second++;
    for (unsigned i = 0; i < fronts; i++) {
        stats_here = page[i];
        crowd_tick(&crowd[i], second);
    }
    crowds_take(&crowds, &watched);
    return crowds_heaviest_thousandths(&crowds);
}

// Each of them sends `times`, in turn; its connections are all at one front, or anywhere.
static uint64_t equal(unsigned sources, unsigned times, bool at_one)
{
    for (unsigned i = 0; i < sources * times; i++) {
        unsigned source = i % sources;
        one(at_one ? source % fronts : chance(fronts), 0x0a000000 + source);
    }
    return end();
}

static void equal_over(unsigned sources, unsigned times, uint64_t least, uint64_t most)
{
    for (unsigned how_many = 1; how_many <= FRONTS_MAX; how_many *= 2) {
        for (unsigned at_one = 0; at_one < 2; at_one++) {
            begin(how_many);
            assert_in_range(equal(sources, times, at_one != 0), least, most);
            assert_int_equal(crowds.total, (uint64_t)sources * times);
        }
    }
}

static void forty_equal_ones(void **state)
{
    (void)state;
    equal_over(40, 8, 200, 200); // 8 of 40
}

static void four_are_all_of_it(void **state)
{
    (void)state;
    equal_over(4, 100, 1000, 1000);
}

static void a_thousand_are_nobody(void **state)
{
    (void)state;
    equal_over(1000, 10, 1, 8); // 8 of 1000 at most
}

static void more_than_a_front_shows(void **state)
{
    (void)state;
    equal_over(200, 20, 20, 40); // 8 of 200 at most
}

// Requests come by chance, as those of people do: 300 a second of 40 sources.
static void forty_by_chance(void **state)
{
    uint64_t share[3];
    unsigned at = 0;
    (void)state;
    for (unsigned how_many = 1; how_many <= FRONTS_MAX; how_many *= 2) {
        begin(how_many);
        for (unsigned i = 0; i < 300; i++) {
            unsigned source = chance(40);
            one(source * 7 % fronts, 0x0a000000 + source);
        }
        share[at++] = end();
    }
    assert_in_range(share[0], 200, 400);
    assert_int_equal(share[1], share[0]);
    assert_int_equal(share[2], share[0]);
}

static void four_among_many(void **state)
{
    (void)state;
    for (unsigned how_many = 1; how_many <= FRONTS_MAX; how_many *= 2) {
        begin(how_many);
        for (unsigned i = 0; i < 6000; i++) {
            uint32_t light = 0x0a000000 + chance(3000), heavy = 0xc0000200 + chance(4);
            one(chance(how_many), i % 2 == 0 ? light : heavy);
        }
        assert_in_range(end(), 490, 510);
        assert_int_equal(crowds.total, 6000);
    }
}

static void networks_of_those_who_are_no_people(void **state)
{
    struct crowds_network network[3];
    char text[NETWORK_TEXT_SIZE];
    (void)state;
    begin(2);
    for (unsigned i = 0; i < 100; i++) {
        one(i % 2, 0xc0000200 + i % 4);
        one(i % 2, i % 4 == 0 ? 0x7f000001 : 0x0a000000 + i * 256);
    }
    end();
    assert_int_equal(crowds_networks(&crowds, network, 3), 2);
    assert_int_equal(network[0].count, 100);
    network_label_text(network[0].network, text);
    assert_string_equal(text, "192.0.2.0/24");
    assert_int_equal(network[1].count, 25);
    network_label_text(network[1].network, text);
    assert_string_equal(text, "127.0.0.0/24");
    network_label_text(0x0620010db8000700, text);
    assert_string_equal(text, "2001:db8:7::/48");
    assert_int_equal(crowds_networks(&crowds, network, 1), 1);
}

static void the_series_has_the_share_of_the_whole(void **state)
{
    struct series *series = series_new();
    (void)state;
    assert_non_null(series);
    begin(2);
    (void)equal(40, 8, true);
    series_take(series, &watched, (struct watched_now){.mono_ns = 1000000000, .wall_ms = 1});
    series_take(series, &watched, (struct watched_now){.mono_ns = 1100000000, .wall_ms = 101});
    assert_float_equal(series_value(series, SIGNAL_sources_heaviest, (struct window){100, 0}), 200, 0.01);
    series_free(&series);
}

static void nobody(void **state)
{
    (void)state;
    begin(2);
    assert_int_equal(end(), 0);
    page[1]->format++; // another's page
    one(0, 1);
    one(1, 2);
    end();
    assert_int_equal(crowds.sources, 1);
    page[1]->format--;
}

static int set_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FRONTS_MAX; i++) {
        page[i] = calloc(1, STATS_PAGE_SIZE);
        assert_non_null(page[i]);
        page[i]->magic = STATS_MAGIC;
        page[i]->format = STATS_FORMAT;
    }
    return sodium_init() < 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FRONTS_MAX; i++) {
        free(page[i]);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forty_equal_ones),
        cmocka_unit_test(four_are_all_of_it),
        cmocka_unit_test(a_thousand_are_nobody),
        cmocka_unit_test(more_than_a_front_shows),
        cmocka_unit_test(forty_by_chance),
        cmocka_unit_test(four_among_many),
        cmocka_unit_test(networks_of_those_who_are_no_people),
        cmocka_unit_test(the_series_has_the_share_of_the_whole),
        cmocka_unit_test(nobody),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
