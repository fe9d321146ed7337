// SPDX-License-Identifier: ISC
// Unit tests of front/wheel, front/sources and the bound of front/held.
#include "front/wheel.h"

#include "front/held.h"
#include "front/sources.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct wheel wheel;
static unsigned expired;

static void note(struct wheel_node *node)
{
    (void)node;
    expired++;
}

static void pass(unsigned ticks)
{
    for (unsigned i = 0; i < ticks; i++) {
        wheel_tick(&wheel, note);
    }
}

static void times_are_kept(void **state)
{
    (void)state;
    struct wheel_node a = {0}, b = {0};
    wheel_init(&wheel);
    expired = 0;
    wheel_set(&wheel, &a, 1000);
    wheel_set(&wheel, &b, 1000);
    pass(3);
    wheel_set(&wheel, &a, 1000); // later: lazily
    pass(2);
    assert_int_equal(expired, 1);
    wheel_set(&wheel, &a, 250); // sooner: at once
    pass(2);
    assert_int_equal(expired, 2);
    assert_null(a.next);
    wheel_set(&wheel, &a, 1000);
    wheel_remove(&a);
    pass(2000);
    assert_int_equal(expired, 2);
}

static void far_times_come_too(void **state)
{
    (void)state;
    struct wheel_node a = {0};
    wheel_init(&wheel);
    expired = 0;
    wheel_set(&wheel, &a, 600 * 1000);
    pass(2400);
    assert_int_equal(expired, 0);
    pass(1);
    assert_int_equal(expired, 1);
}

static void sources_are_counted_and_forgotten(void **state)
{
    (void)state;
    struct sources sources;
    struct id16 address = {.byte = {0x20, 1, 0xd, 0xb8, 1}};
    assert_true(sources_init(&sources, 7));
    struct source *one = sources_get(&sources, address, 1);
    address.byte[15] = 9; // the same /64
    assert_ptr_equal(one, sources_get(&sources, address, 1));
    one->connections = 1;
    for (unsigned i = 0; i < 200000; i++) {
        struct id16 other = {.byte = {0x20, 2, (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16)}};
        (void)sources_get(&sources, other, 2);
    }
    assert_ptr_equal(one, sources_get(&sources, address, 3));
    assert_int_equal(one->connections, 1);
    sources_penalise(&sources, address, 3, 60);
    assert_int_equal(sources_penalty(&sources, address, 13), 50);
    assert_int_equal(sources_penalty(&sources, address, 63), 0);
    for (unsigned i = 0; i < SOURCES_MISS_MAX; i++) {
        assert_true(sources_take_miss(&sources, address, 100));
    }
    assert_false(sources_take_miss(&sources, address, 100));
    sources_give_miss(&sources, address);
    assert_true(sources_take_miss(&sources, address, 100));
    assert_false(sources_take_miss(&sources, address, 100));
    assert_true(sources_take_miss(&sources, address, 101));
    sources_release(&sources);
}

static void what_is_held_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 1024, SIZE = 200 * 1024 };
    static struct held *held[COUNT];
    size_t count = 0;
    while (count < COUNT && (held[count] = held_new(&http_limits_default)) != NULL &&
           held_reserve(held[count], SIZE) != NULL) {
        count++;
    }
    assert_int_equal(count, HELD_BYTES_MAX / SIZE);
    assert_null(held_reserve(held[count], SIZE));
    held_free(&held[0]);
    assert_non_null(held_reserve(held[count], SIZE));
    for (size_t i = 1; i <= count; i++) {
        held_free(&held[i]);
    }
    held_free_spare();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_kept),
        cmocka_unit_test(far_times_come_too),
        cmocka_unit_test(sources_are_counted_and_forgotten),
        cmocka_unit_test(what_is_held_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
