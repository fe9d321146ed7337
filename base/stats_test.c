// SPDX-License-Identifier: ISC
#include "base/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

static void buckets_cover_every_value(void **state)
{
    (void)state;
    uint64_t start = 0;
    for (unsigned bucket = 0; bucket < STATS_BUCKETS; bucket++) {
        uint64_t end = stats_bucket_end(bucket);
        assert_true(end > start);
        assert_int_equal(stats_bucket(start), bucket);
        assert_int_equal(stats_bucket(end - 1), bucket);
        start = end;
    }
    assert_int_equal(stats_bucket(UINT64_MAX), STATS_BUCKETS - 1);
}

static void buckets_are_narrow(void **state)
{
    (void)state;
    for (unsigned bucket = STATS_SUB_BUCKETS; bucket < STATS_BUCKETS; bucket++) {
        uint64_t start = stats_bucket_end(bucket - 1);
        assert_true((stats_bucket_end(bucket) - start) * STATS_SUB_BUCKETS <= start);
    }
}

static void quantiles(void **state)
{
    (void)state;
    struct stats_times *times = &stats_here->times[STATS_TIME_check];
    assert_int_equal(stats_quantile_ns(times, 0.5), 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        stats_time(STATS_TIME_check, i * 1000);
    }
    assert_int_equal(stats_times_count(times), 1000);
    uint64_t median = stats_quantile_ns(times, 0.5);
    assert_in_range(median, 440000, 570000);
    assert_in_range(stats_quantile_ns(times, 0.99), 950000, 1150000);
    assert_in_range(stats_quantile_ns(times, 1.0), 1000000, 1150000);
}

static void page_is_shared_and_kept(void **state)
{
    (void)state;
    int fd = memfd_create("stats", MFD_CLOEXEC);
    assert_return_code(ftruncate(fd, STATS_PAGE_SIZE), 0);
    assert_true(stats_attach(fd, STATS_ROLE_core, 3));
    const struct stats_page *page = stats_map(fd);
    assert_non_null(page);
    assert_true(stats_page_fits(page));
    assert_int_equal(page->index, 3);
    assert_int_equal(atomic_load(&page->pid), getpid());
    assert_true(page->modules >= 1);
    assert_int_equal(page->build_id_size, STATS_BUILD_ID_SIZE);
    stats_count(STATS_logins_granted);
    stats_set(STATS_flows_active, 7);
    stats_subtract(STATS_flows_active, 2);
    stats_request(STATS_CLASS_login, 401);
    assert_int_equal(stats_read(page, STATS_logins_granted), 1);
    assert_int_equal(stats_read(page, STATS_flows_active), 5);
    assert_int_equal(atomic_load(&page->request[STATS_CLASS_login][STATS_ANSWER_4xx]), 1);
    stats_request(STATS_CLASS_login, 429);
    stats_request(STATS_CLASS_login, 503);
    assert_int_equal(atomic_load(&page->request[STATS_CLASS_login][STATS_ANSWER_4xx]), 1);
    assert_int_equal(atomic_load(&page->request[STATS_CLASS_login][STATS_ANSWER_5xx]), 0);
    assert_int_equal(atomic_load(&page->request[STATS_CLASS_login][STATS_ANSWER_429]), 1);
    assert_int_equal(atomic_load(&page->request[STATS_CLASS_login][STATS_ANSWER_503]), 1);
    assert_true(stats_attach(fd, STATS_ROLE_core, 3));
    assert_int_equal(stats_read(page, STATS_logins_granted), 1);
    assert_int_equal(stats_read(page, STATS_flows_active), 0);
    stats_unmap(page);
    close(fd);
}

static void flight(void **state)
{
    (void)state;
    struct id16 source = {.byte = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 1}};
    struct id16 seen;
    stats_flight_begin(STATS_CLASS_login, &source);
    uint64_t half[2] = {atomic_load(&stats_here->flight.source[0]),
                        atomic_load(&stats_here->flight.source[1])};
    memcpy(seen.byte, half, sizeof half);
    assert_memory_equal(seen.byte, source.byte, 16);
    assert_int_equal(atomic_load(&stats_here->flight.class), STATS_CLASS_login);
    stats_flight_end();
    assert_int_equal(atomic_load(&stats_here->flight.class), STATS_CLASS_none);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(stats_counter_row(STATS_checks_valid)->family, "checks");
    assert_int_equal(stats_counter_row(STATS_sessions_live)->kind, STATS_KIND_gauge);
    assert_string_equal(stats_class_label(STATS_CLASS_check), "check");
    assert_string_equal(stats_class_label(9999), "other");
    assert_string_equal(stats_role_name(STATS_ROLE_watch), "stayd-watch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_cover_every_value),
        cmocka_unit_test(buckets_are_narrow),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(page_is_shared_and_kept),
        cmocka_unit_test(flight),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
