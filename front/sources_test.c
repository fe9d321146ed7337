// SPDX-License-Identifier: ISC
// The table of sources: who gets a place, and how many unknown tokens may be asked about.
#include "front/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct id16 host(unsigned number)
{
    return (struct id16){{[10] = 0xff, [11] = 0xff, 192, 168, (uint8_t)(number >> 8), (uint8_t)number}};
}

// Hosts of one network are many sources, not one: each has a place while there are places.
static void neighbours_do_not_push_each_other_out(void **state)
{
    (void)state;
    enum { HOSTS = 1000 };
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct sources sources;
        unsigned placed = 0, granted = 0;
        assert_true(sources_init(&sources, seed * 0x9e3779b97f4a7c15u));
        for (unsigned i = 0; i < HOSTS; i++) {
            struct source *source = sources_get(&sources, host(i), 100);
            placed += source != NULL;
            if (source != NULL) {
                source->connections++; // it stays
            }
        }
        for (unsigned i = 0; i < HOSTS; i++) {
            granted += sources_take_miss(&sources, host(i), 100);
        }
        assert_in_range(placed, HOSTS - 2, HOSTS);
        assert_int_equal(granted, placed);
        sources_release(&sources);
    }
}

static void unknown_tokens_are_bounded_and_good_ones_given_back(void **state)
{
    (void)state;
    struct sources sources;
    assert_true(sources_init(&sources, 1));
    for (unsigned i = 0; i < SOURCES_MISS_MAX; i++) {
        assert_true(sources_take_miss(&sources, host(1), 100));
    }
    assert_false(sources_take_miss(&sources, host(1), 100));
    assert_true(sources_take_miss(&sources, host(2), 100));
    sources_give_miss(&sources, host(1));
    assert_true(sources_take_miss(&sources, host(1), 100));
    assert_false(sources_take_miss(&sources, host(1), 100));
    for (unsigned i = 0; i < SOURCES_MISS_RATE; i++) {
        assert_true(sources_take_miss(&sources, host(1), 101));
    }
    assert_false(sources_take_miss(&sources, host(1), 101));
    sources_release(&sources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_do_not_push_each_other_out),
        cmocka_unit_test(unknown_tokens_are_bounded_and_good_ones_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
