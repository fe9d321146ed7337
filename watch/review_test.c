// SPDX-License-Identifier: ISC
// Weeks of rows in, capacity, headroom and advice out.
#include "watch/review.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct watched_now now = {.mono_ns = 9000000000000u, .wall_ms = 1795215600000u};
static const uint64_t minute = 1795215600000u / 60000;
static struct watched watched;
static struct stats_page *supervisor, *front, *hash, *store;
static struct review review;
static struct sums sums;
static struct bytes out;

static struct stats_page *page_of(enum stats_role role)
{
    struct stats_page *page = calloc(1, STATS_PAGE_SIZE);
    assert_non_null(page);
    page->magic = STATS_MAGIC;
    page->format = STATS_FORMAT;
    watched_add(&watched, role, 0, page);
    return page;
}

static int set_up(void **unused)
{
    (void)unused;
    watched_init(&watched);
    supervisor = page_of(STATS_ROLE_supervisor);
    front = page_of(STATS_ROLE_front);
    hash = page_of(STATS_ROLE_hash);
    store = page_of(STATS_ROLE_store);
    watched.fronts = 2;
    supervisor->counter[STATS_machine_processors_limit] = 2000;
    supervisor->counter[STATS_capacity_sessions] = 10000000;
    supervisor->counter[STATS_machine_memory_limit] = 1ull << 30;
    supervisor->counter[STATS_disk_free_bytes] = 50ull << 30;
    supervisor->counter[STATS_disk_size_bytes] = 100ull << 30;
    front->counter[STATS_capacity_connections] = 5000;
    hash->counter[STATS_hash_workers] = 2;
    review_begin(&review, minute);
    bytes_init(&out, 1 << 20);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    struct stats_page *pages[] = {supervisor, front, hash, store};
    for (size_t i = 0; i < 4; i++) {
        free(pages[i]);
    }
    bytes_release(&out);
    return 0;
}

static struct history_row row_at(uint64_t ago, uint32_t checks, uint32_t logins)
{
    struct history_row row = {.minute = minute - ago};
    memset(row.full, HISTORY_UNKNOWN, sizeof(row.full));
    row.field[HISTORY_seconds] = 60;
    row.field[HISTORY_checks] = checks;
    row.field[HISTORY_logins] = logins;
    row.field[HISTORY_disk_free_mib] = 50 << 10;
    return row;
}

static json_t *read_json(void)
{
    bytes_reset(&out);
    sums_take(&sums, &watched, now.mono_ns);
    review_write_json(&out, &review, &watched, &sums, &now);
    assert_false(out.failed);
    json_t *json = json_loadb((const char *)out.data, out.size, 0, NULL);
    assert_non_null(json);
    return json;
}

static const json_t *find(const json_t *list, const char *key, const char *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_object_get(json_array_get(list, i), key));
        if (text != NULL && strcmp(text, value) == 0) {
            return json_array_get(list, i);
        }
    }
    fail_msg("no %s %s", key, value);
    return NULL;
}

static bool advises(const json_t *json, const char *words)
{
    const json_t *advice = json_object_get(json, "advice");
    for (size_t i = 0; i < json_array_size(advice); i++) {
        if (strstr(json_string_value(json_object_get(json_array_get(advice, i), "text")), words) != NULL) {
            return true;
        }
    }
    return false;
}

static void without_history_nothing_is_guessed(void **unused)
{
    (void)unused;
    json_t *json = read_json();
    const json_t *checks = find(json_object_get(json, "capacity"), "what", "checks_per_second");
    assert_true(json_is_null(json_object_get(checks, "capacity")));
    assert_true(json_is_null(json_object_get(checks, "headroom")));
    assert_true(json_is_null(json_object_get(json, "since")));
    assert_true(advises(json, "less than a week"));
    json_decref(json);
}

static void capacity_is_what_was_measured(void **unused)
{
    (void)unused;
    for (unsigned ago = 10 * 1440; ago > 0; ago -= 60) {
        struct history_row row = row_at(ago, 60 * 500, 60);
        row.field[HISTORY_front_processor_ms] = 60 * 500 * 20 / 1000; // 20 µs each
        row.field[HISTORY_hashed] = 60;
        row.field[HISTORY_hashed_ms] = 60 * 40;
        review_add(&review, &row);
    }
    struct history_row busiest = row_at(3, 60 * 1000, 60 * 20);
    busiest.field[HISTORY_hashed] = 1200;
    busiest.field[HISTORY_hashed_ms] = 1200 * 40;
    busiest.full[0] = 93;
    review_add(&review, &busiest);
    struct review_capacity capacity = review_capacity(&review, &watched, &sums);
    assert_float_equal(capacity.hash_ms, 40, 0.01);
    assert_float_equal(capacity.logins, 50, 0.1);
    assert_true(capacity.check_us > 18 && capacity.check_us < 21);
    assert_true(capacity.checks > 95000 && capacity.checks < 110000);
    json_t *json = read_json();
    const json_t *logins = find(json_object_get(json, "capacity"), "what", "logins_per_second");
    assert_float_equal(json_number_value(json_object_get(logins, "peak")), 20, 0.01);
    assert_float_equal(json_number_value(json_object_get(logins, "headroom")), 2.5, 0.01);
    const json_t *first = json_array_get(json_object_get(json, "full_first"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "resource")), "processors");
    assert_true(advises(json, "was 93 % full"));
    assert_false(advises(json, "log-ins a second, of the"));
    assert_int_equal(json_array_size(json_object_get(json, "weeks")), 2);
    json_decref(json);
}

static void small_headroom_is_named(void **unused)
{
    (void)unused;
    struct history_row row = row_at(8 * 1440, 0, 60 * 40);
    row.field[HISTORY_hashed] = 2400;
    row.field[HISTORY_hashed_ms] = 2400 * 40;
    row.field[HISTORY_sessions] = 9000000;
    row.field[HISTORY_restarts] = 5;
    review_add(&review, &row);
    store->counter[STATS_statement_account_by_name] = 100;
    store->counter[STATS_statement_hold_account_by_name] = 100 * 90000;
    front->counter[STATS_tls_certificate_expiry_s] = now.wall_ms / 1000 + 5 * 86400;
    supervisor->counter[STATS_disk_free_bytes] = 2ull << 30;
    json_t *json = read_json();
    static const char *const words[] = {"40.0 log-ins a second, of the 50.0",
                                        "nearly as many sessions as fit",
                                        "account_by_name takes 90 ms",
                                        "certificate ends",
                                        "2 % of the disk",
                                        "started again 5 times"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!advises(json, words[i])) {
            fail_msg("%s is not advised", words[i]);
        }
    }
    assert_false(advises(json, "less than a week"));
    json_decref(json);
}

static void a_minute_of_a_few_seconds_is_no_peak(void **unused)
{
    (void)unused;
    struct history_row row = row_at(1, 1000, 0);
    row.field[HISTORY_seconds] = 2;
    review_add(&review, &row);
    assert_true(isnan(review.checks.value));
    assert_int_equal(review.answered, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_history_nothing_is_guessed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(capacity_is_what_was_measured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_headroom_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_minute_of_a_few_seconds_is_no_peak, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
