// SPDX-License-Identifier: ISC
// Harm is counted from the onset on, by class, and goes on from where it was.
#include "watch/impact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct watched watched;
static struct stats_page *page;
static struct impact_meter meter;

static int set_up(void **unused)
{
    (void)unused;
    watched_init(&watched);
    impact_init(&meter);
    page = calloc(1, STATS_PAGE_SIZE);
    page->magic = STATS_MAGIC;
    page->format = STATS_FORMAT;
    watched_add(&watched, STATS_ROLE_front, 0, page);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    free(page);
    return 0;
}

static void second(uint64_t number, unsigned served, unsigned failed, unsigned refused)
{
    page->request[STATS_CLASS_check][STATS_ANSWER_2xx] += served;
    page->request[STATS_CLASS_check][STATS_ANSWER_5xx] += failed;
    page->request[STATS_CLASS_login][STATS_ANSWER_503] += refused;
    page->request[STATS_CLASS_asset][STATS_ANSWER_5xx] += 1000; // nobody's harm
    impact_look(&meter, &watched, number * 1000 + 500);
}

static void it_counts_from_the_onset_on(void **unused)
{
    (void)unused;
    page->request[STATS_CLASS_check][STATS_ANSWER_2xx] = 1000000; // before anybody looked
    impact_look(&meter, &watched, 1000);
    second(2, 100, 0, 0);
    second(3, 60, 40, 5);
    second(4, 50, 50, 5);
    impact_begin(&meter, 3000, NULL);
    second(5, 50, 50, 0);
    page->times[STATS_TIME_check].bucket[stats_bucket(3000000000u)] += 7;
    impact_look(&meter, &watched, 5900);
    assert_int_equal(meter.sum.class[IMPACT_CHECK].asked, 300);
    assert_int_equal(meter.sum.class[IMPACT_CHECK].failed, 140);
    assert_int_equal(meter.sum.class[IMPACT_CHECK].late, 7);
    assert_int_equal(meter.sum.class[IMPACT_LOGIN].refused, 10);
    assert_int_equal(meter.sum.class[IMPACT_OTHER].asked, 0);
    impact_end(&meter);
    second(6, 0, 100, 0);
    assert_int_equal(meter.sum.class[IMPACT_CHECK].failed, 140);
}

static void it_goes_on_from_where_it_was(void **unused)
{
    struct impact before = {.class[IMPACT_CHECK] = {.asked = 10, .failed = 3}};
    (void)unused;
    impact_look(&meter, &watched, 1000);
    impact_begin(&meter, 1000, &before);
    second(2, 5, 1, 0);
    assert_int_equal(meter.sum.class[IMPACT_CHECK].asked, 16);
    assert_int_equal(meter.sum.class[IMPACT_CHECK].failed, 4);
}

static void a_page_made_anew_counts_from_zero(void **unused)
{
    (void)unused;
    page->request[STATS_CLASS_check][STATS_ANSWER_2xx] = 500;
    impact_look(&meter, &watched, 1000);
    impact_begin(&meter, 1000, NULL);
    page->request[STATS_CLASS_check][STATS_ANSWER_2xx] = 20;
    impact_look(&meter, &watched, 2500);
    assert_int_equal(meter.sum.class[IMPACT_CHECK].asked, 20);
}

static void clients_are_estimated_from_the_worst_second(void **unused)
{
    (void)unused;
    impact_look(&meter, &watched, 1000);
    impact_begin(&meter, 1000, NULL);
    page->counter[STATS_sources_distinct] = 40;
    second(2, 50, 50, 0);
    page->counter[STATS_sources_distinct] = 10;
    second(3, 50, 50, 0);
    impact_end(&meter);
    assert_int_equal(meter.sum.clients, 20);
}

static void shares(void **unused)
{
    (void)unused;
    assert_true(impact_share(&(struct impact_figures){0}) == 0);
    assert_true(impact_share(&(struct impact_figures){.asked = 4, .failed = 1, .late = 1}) == 0.5);
    assert_true(impact_share(&(struct impact_figures){.asked = 1, .failed = 1, .late = 1}) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_counts_from_the_onset_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_goes_on_from_where_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_made_anew_counts_from_zero, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clients_are_estimated_from_the_worst_second, set_up, tear_down),
        cmocka_unit_test(shares)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
