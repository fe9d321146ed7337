// SPDX-License-Identifier: ISC
#include "watch/saturation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct watched watched;
static struct stats_page *pages[4];

static struct stats_page *page(unsigned at, enum stats_role role, uint16_t index)
{
    pages[at] = calloc(1, STATS_PAGE_SIZE);
    assert_non_null(pages[at]);
    pages[at]->magic = STATS_MAGIC;
    pages[at]->format = STATS_FORMAT;
    watched_add(&watched, role, index, pages[at]);
    return pages[at];
}

static int set_up(void **state)
{
    (void)state;
    watched_init(&watched);
    struct stats_page *front = page(0, STATS_ROLE_front, 0), *other = page(1, STATS_ROLE_front, 1);
    front->counter[STATS_connections_open] = 10;
    front->counter[STATS_capacity_connections] = 100;
    other->counter[STATS_connections_open] = 75;
    other->counter[STATS_capacity_connections] = 100;
    page(2, STATS_ROLE_core, 0)->counter[STATS_sessions_live] = 500;
    page(3, STATS_ROLE_supervisor, 0)->counter[STATS_capacity_sessions] = 1000;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        free(pages[i]);
    }
    return 0;
}

static unsigned row(const char *resource)
{
    for (unsigned i = 0; i < saturation_row_count; i++) {
        if (strcmp(saturation_rows[i].resource, resource) == 0) {
            return i;
        }
    }
    fail();
    return 0;
}

static double now(const char *resource)
{
    return saturation_now(&watched, &saturation_rows[row(resource)]);
}

static void the_fullest_of_a_role_counts(void **state)
{
    (void)state;
    assert_float_equal(now("connections"), 0.75, 0.0001);
    assert_float_equal(now("sessions"), 0.5, 0.0001); // the limit stands on another page
    assert_true(now("hash_workers") < 0);             // nobody says it
    pages[1]->counter[STATS_connections_open] = 300;
    assert_float_equal(now("connections"), 1, 0.0001);
    pages[1]->format = STATS_FORMAT + 1;
    assert_float_equal(now("connections"), 0.1, 0.0001);
}

static void whoever_is_fullest_and_what_is_left(void **state)
{
    (void)state;
    assert_true(now("descriptors") < 0 && now("disk") < 0);
    pages[1]->counter[STATS_process_descriptors] = 10;
    pages[1]->counter[STATS_process_descriptors_max] = 1000;
    pages[2]->counter[STATS_process_descriptors] = 60;
    pages[2]->counter[STATS_process_descriptors_max] = 64;
    assert_float_equal(now("descriptors"), 60.0 / 64, 0.0001);
    pages[3]->counter[STATS_disk_free_bytes] = 250;
    pages[3]->counter[STATS_disk_size_bytes] = 1000;
    assert_float_equal(now("disk"), 0.75, 0.0001);
}

static void means_of_the_last_samples(void **state)
{
    (void)state;
    struct saturation saturation = {0};
    assert_float_equal(saturation_mean(&saturation, &watched, row("connections")), 0.75, 0.0001);
    for (unsigned i = 0; i < SATURATION_SAMPLES; i++) {
        pages[1]->counter[STATS_connections_open] = i < 3 ? 100 : 10;
        saturation_sample(&saturation, &watched);
    }
    assert_float_equal(saturation_mean(&saturation, &watched, row("connections")), (3 * 1 + 12 * 0.1) / 15,
                       0.001);
    for (unsigned i = 0; i < SATURATION_SAMPLES; i++) {
        saturation_sample(&saturation, &watched);
    }
    assert_float_equal(saturation_mean(&saturation, &watched, row("connections")), 0.1, 0.001);
}

static void written_once_each(void **state)
{
    (void)state;
    struct saturation saturation = {0};
    struct bytes out;
    bytes_init(&out, 65536);
    saturation_write(&out, &saturation, &watched);
    assert_true(bytes_append_byte(&out, 0));
    const char *text = (const char *)out.data;
    assert_non_null(strstr(text, "stayd_saturation{resource=\"connections\",relief=\"node\"} 0.7500\n"));
    assert_non_null(
        strstr(text, "stayd_saturation{resource=\"sessions\",relief=\"configuration\"} 0.5000\n"));
    assert_null(strstr(text, "hash_workers"));
    for (unsigned i = 0; i < saturation_row_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(saturation_rows[i].resource, saturation_rows[j].resource);
        }
    }
    bytes_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_fullest_of_a_role_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_is_fullest_and_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(means_of_the_last_samples, set_up, tear_down),
        cmocka_unit_test_setup_teardown(written_once_each, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
