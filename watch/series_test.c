// SPDX-License-Identifier: ISC
#include "watch/series.h"

#include "watch/changes.h"
#include "watch/detect.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct series *series;
static struct watched watched;
static struct stats_page *front, *hash, *store;
static uint64_t now_ms;

static struct stats_page *page(enum stats_role role)
{
    struct stats_page *made = calloc(1, STATS_PAGE_SIZE);
    assert_non_null(made);
    made->magic = STATS_MAGIC;
    made->format = STATS_FORMAT;
    made->pid = 7;
    watched_add(&watched, role, 0, made);
    return made;
}

static void take(uint64_t after_ms)
{
    now_ms += after_ms;
    series_take(series, &watched,
                (struct watched_now){.mono_ns = now_ms * 1000000u, .wall_ms = 1795215600000u + now_ms});
}

static int before(void **state)
{
    (void)state;
    now_ms = 1000000;
    watched_init(&watched);
    front = page(STATS_ROLE_front);
    hash = page(STATS_ROLE_hash);
    store = page(STATS_ROLE_store);
    series = series_new();
    return series == NULL;
}

static int after(void **state)
{
    (void)state;
    series_free(&series);
    free(front);
    free(hash);
    free(store);
    return 0;
}

static void time_ns(struct stats_page *to, enum stats_histogram which, uint64_t ns)
{
    to->times[which].bucket[stats_bucket(ns)]++;
    to->times[which].sum_ns += ns;
}

static void nothing_is_known_of_nothing(void **state)
{
    (void)state;
    assert_true(isnan(series_value(series, SIGNAL_logins_arrived, (struct window){1000, 0})));
    take(100);
    assert_true(isnan(series_value(series, SIGNAL_logins_arrived, (struct window){1000, 0})));
    take(100);
    assert_true(series_value(series, SIGNAL_logins_arrived, (struct window){1000, 0}) == 0);
    assert_true(isnan(series_value(series, SIGNAL_login_ms, (struct window){1000, 0})));
    assert_true(isnan(series_value(series, SIGNAL_hash_full, (struct window){1000, 0})));
}

static void rates_use_the_real_time(void **state)
{
    (void)state;
    take(100);
    for (unsigned i = 0; i < 30; i++) {
        front->counter[STATS_logins_arrived] += 5;
        take(100);
    }
    assert_float_equal(series_value(series, SIGNAL_logins_arrived, (struct window){2000, 0}), 50, 0.01);
    front->counter[STATS_logins_arrived] += 500; // the machine slept: ten seconds in one sample
    take(10000);
    assert_float_equal(series_value(series, SIGNAL_logins_arrived, (struct window){1000, 0}), 50, 0.01);
    assert_int_equal(series_gap_ms_ago(series), 0);
    take(100);
    assert_int_equal(series_gap_ms_ago(series), 100);
    take(0); // the same moment again
    assert_int_equal(series_gap_ms_ago(series), 100);
}

static void a_counter_that_begins_anew(void **state)
{
    (void)state;
    front->counter[STATS_logins_arrived] = 1000;
    take(100);
    front->counter[STATS_logins_arrived] = 3;
    take(100);
    assert_float_equal(series_total(series, SIGNAL_logins_arrived, (struct window){100, 0}), 3, 0.01);
}

static void the_ring_keeps_two_minutes(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * SERIES_SAMPLES; i++) {
        front->counter[STATS_logins_arrived] += i < 2 * SERIES_SAMPLES ? 1 : 2;
        take(100);
    }
    assert_int_equal(series_span_ms(series), (SERIES_SAMPLES - 1) * 100);
    assert_float_equal(series_value(series, SIGNAL_logins_arrived, (struct window){600000, 0}), 20, 0.01);
    float point[130];
    unsigned points =
        series_points(series, SIGNAL_logins_arrived, (struct window){120000, 0}, 1000, point, 130);
    assert_int_equal(points, 120);
    assert_float_equal(point[0], 20, 0.01);
}

static void times_have_means_and_quantiles(void **state)
{
    (void)state;
    take(100);
    for (unsigned i = 0; i < 100; i++) {
        time_ns(front, STATS_TIME_login, i < 98 ? 2000000 : 2500000000);
    }
    take(100);
    struct window window = {1000, 0};
    assert_float_equal(series_value(series, SIGNAL_login_ms, window), (98 * 2.0 + 2 * 2500) / 100, 0.1);
    assert_in_range((unsigned)(series_value(series, SIGNAL_login_p99_ms, window)), 2000, 3200);
    assert_float_equal(series_total(series, SIGNAL_login_slow, window), 2, 0.01);
    assert_float_equal(series_total(series, SIGNAL_login_ms, window), 100, 0.01);
    assert_true(isnan(series_value(series, SIGNAL_check_p99_ms, window)));
}

static void levels_are_means_over_time(void **state)
{
    (void)state;
    hash->counter[STATS_hash_workers] = 4;
    take(100);
    hash->counter[STATS_hash_busy] = 4;
    take(300);
    hash->counter[STATS_hash_busy] = 0;
    take(100);
    assert_float_equal(series_value(series, SIGNAL_hash_full, (struct window){400, 0}), 0.75, 0.001);
    assert_float_equal(series_value(series, SIGNAL_hash_full, (struct window){100, 0}), 0, 0.001);
}

static void operations_by_name(void **state)
{
    (void)state;
    take(100);
    store->counter[STATS_statement_session_grant] += 20;
    store->counter[STATS_statement_hold_session_grant] += 60000;
    store->counter[STATS_statement_wait_session_grant] += 20000;
    take(100);
    unsigned operation = STATS_statement_session_grant - STATS_statement_account_by_name;
    struct series_operation seen = series_operation(series, operation, (struct window){1000, 0});
    assert_string_equal(series_operation_name(operation), "session_grant");
    assert_float_equal(seen.rate, 200, 0.01);
    assert_float_equal(seen.hold_ms, 3, 0.01);
    assert_float_equal(seen.wait_ms, 1, 0.01);
}

static void requests_by_answer(void **state)
{
    (void)state;
    take(100);
    front->request[STATS_CLASS_check][STATS_ANSWER_2xx] += 7;
    front->request[STATS_CLASS_check][STATS_ANSWER_503] += 2;
    front->request[STATS_CLASS_login][STATS_ANSWER_429] += 1;
    front->request[STATS_CLASS_password][STATS_ANSWER_5xx] += 1;
    front->request[STATS_CLASS_asset][STATS_ANSWER_2xx] += 100;
    take(100);
    struct window window = {100, 0};
    assert_float_equal(series_total(series, SIGNAL_requests_arrived, window), 11, 0.01);
    assert_float_equal(series_total(series, SIGNAL_requests_refused, window), 2, 0.01);
    assert_float_equal(series_total(series, SIGNAL_changes_failed, window), 1, 0.01);
    assert_float_equal(series_total(series, SIGNAL_logins_told_to_wait, window), 1, 0.01);
    struct series_burn burn = series_burn(series, 60);
    assert_float_equal(burn.good, 8, 0.01);
    assert_float_equal(burn.bad, 3, 0.01);
}

static void growth_of_a_process(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        hash->counter[STATS_process_memory_bytes] = 100000000 + i * 200000ull;
        take(100);
    }
    unsigned process = 0;
    while (series_process(series, process).role != STATS_ROLE_hash) {
        process++;
    }
    struct series_growth growth = series_growth(series, process, SERIES_MEMORY, 20);
    assert_int_equal(growth.points, 20);
    assert_float_equal(growth.per_s, 2000000, 50000);
    assert_true(growth.rising > 0.99);
    hash->pid = 8; // started again
    take(1000);
    assert_int_equal(series_growth(series, process, SERIES_MEMORY, 20).points, 0);
}

static int leaking(void)
{
    enum series_resource resource;
    struct series_growth growth;
    return detect_leaking(series, &resource, &growth);
}

// More and more of them come, most in the middle: a line through such points rises more than they do.
static void connections_are_no_leak(void **state)
{
    (void)state;
    front->started_ns = now_ms * 1000000u;
    double connections = 0;
    for (unsigned i = 0; i < 250; i++) {
        connections += i >= 100 && i < 150 ? 10 : 0.5;
        front->counter[STATS_connections_open] = (uint64_t)connections;
        front->counter[STATS_process_descriptors] = 20 + (uint64_t)connections;
        take(100);
        assert_int_equal(leaking(), -1);
    }
    for (unsigned i = 0; i < 250; i++) {
        front->counter[STATS_process_descriptors] += 1;
        take(100);
    }
    assert_int_equal(leaking(), 0);
}

// The supervisor reads a process's memory now and then, and not on the dot.
static bool is_found_when_read_every(unsigned every_ms, unsigned phase_ms)
{
    enum { LEAK_BYTES_A_MS = 65536, LATE_MS = 40 };
    unsigned reading = 0;
    bool found = false;
    hash->pid++; // its growth begins anew
    hash->started_ns = 1;
    for (unsigned at_ms = 0; at_ms < 12000 && !found; at_ms += 20) {
        unsigned due_ms = phase_ms + reading * every_ms + (reading % 2) * LATE_MS;
        if (at_ms >= due_ms) {
            hash->counter[STATS_process_memory_bytes] = 1000000 + at_ms * (uint64_t)LEAK_BYTES_A_MS;
            reading++;
        }
        take(20);
        found = leaking() >= 0;
    }
    return found;
}

// Read once a second, next to the turn of watch's seconds, every other of these would seem not to grow.
static void a_leak_is_found_whenever_it_is_read(void **state)
{
    (void)state;
    for (unsigned phase_ms = 0; phase_ms < 1000; phase_ms += 20) {
        assert_true(is_found_when_read_every(700, phase_ms));
    }
}

// One write is made durable after the other; `each_ms` is what it takes.
static bool disk_is_slow_after(struct changes *changes, unsigned each_ms, unsigned writes)
{
    bool raised = false;
    for (unsigned i = 0; i < writes * each_ms / 100; i++) {
        unsigned before = i * 100 / each_ms, after = (i + 1) * 100 / each_ms;
        store->counter[STATS_store_syncs] += after - before;
        store->counter[STATS_store_sync_us] += (after - before) * each_ms * 1000ull;
        take(100);
        changes_look(changes, series, false);
        raised = raised || change_raised(changes, SIGNAL_sync_ms);
    }
    return raised;
}

static void few_writes_that_take_long(void **state)
{
    (void)state;
    struct changes changes = {0};
    assert_false(disk_is_slow_after(&changes, 1, 20000));
    assert_false(disk_is_slow_after(&changes, 130, 2)); // it may happen
    assert_false(disk_is_slow_after(&changes, 1, 3000));
    assert_true(disk_is_slow_after(&changes, 130, 12));
}

static void steps_of_the_clock(void **state)
{
    (void)state;
    take(100);
    take(100);
    now_ms += 100;
    struct watched_now now = {.mono_ns = now_ms * 1000000u, .wall_ms = 1795215600000u + now_ms - 7000};
    series_take(series, &watched, now);
    assert_float_equal(series_clock_step_ms(series, (struct window){5000, 0}), -7000, 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_known_of_nothing, before, after),
        cmocka_unit_test_setup_teardown(rates_use_the_real_time, before, after),
        cmocka_unit_test_setup_teardown(a_counter_that_begins_anew, before, after),
        cmocka_unit_test_setup_teardown(the_ring_keeps_two_minutes, before, after),
        cmocka_unit_test_setup_teardown(times_have_means_and_quantiles, before, after),
        cmocka_unit_test_setup_teardown(levels_are_means_over_time, before, after),
        cmocka_unit_test_setup_teardown(operations_by_name, before, after),
        cmocka_unit_test_setup_teardown(requests_by_answer, before, after),
        cmocka_unit_test_setup_teardown(growth_of_a_process, before, after),
        cmocka_unit_test_setup_teardown(connections_are_no_leak, before, after),
        cmocka_unit_test_setup_teardown(a_leak_is_found_whenever_it_is_read, before, after),
        cmocka_unit_test_setup_teardown(few_writes_that_take_long, before, after),
        cmocka_unit_test_setup_teardown(steps_of_the_clock, before, after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
