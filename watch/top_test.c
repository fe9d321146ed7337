// SPDX-License-Identifier: ISC
// Rates, times, stages, processes and history from pages that a test writes, second by second.
#include "watch/top.h"

#include "watch/live_page.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct watched watched;
static struct saturation saturation;
static struct top top;
static struct stats_page *front, *core, *store, *hash;
static struct watched_now now;
static struct bytes out;

static struct stats_page *page_of(enum stats_role role, uint16_t index)
{
    struct stats_page *page = calloc(1, STATS_PAGE_SIZE);
    assert_non_null(page);
    page->magic = STATS_MAGIC;
    page->format = STATS_FORMAT;
    page->started_ns = 1;
    page->pid = 100;
    page->counter[STATS_process_starts] = 1;
    watched_add(&watched, role, index, page);
    return page;
}

static int set_up(void **unused)
{
    (void)unused;
    watched_init(&watched);
    memset(&saturation, 0, sizeof(saturation));
    top_init(&top);
    now = (struct watched_now){.mono_ns = 100000000000u, .wall_ms = 1795215600000u};
    front = page_of(STATS_ROLE_front, 0);
    core = page_of(STATS_ROLE_core, 0);
    store = page_of(STATS_ROLE_store, 0);
    hash = page_of(STATS_ROLE_hash, 0);
    bytes_init(&out, 1 << 20);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    struct stats_page *pages[] = {front, core, store, hash};
    for (size_t i = 0; i < 4; i++) {
        free(pages[i]);
    }
    bytes_release(&out);
    return 0;
}

static void second_passes(void)
{
    now.mono_ns += 1000000000u;
    now.wall_ms += 1000;
    for (unsigned i = 0; i < watched.pages; i++) {
        ((struct stats_page *)(uintptr_t)watched.page[i].page)->counter[STATS_heartbeat_ms] =
            now.mono_ns / 1000000u;
    }
    saturation_sample(&saturation, &watched);
    top_take(&top, &watched, &now);
}

static void took(struct stats_page *page, enum stats_histogram histogram, uint64_t ns, uint64_t count)
{
    page->times[histogram].bucket[stats_bucket(ns)] += count;
    page->times[histogram].sum_ns += ns * count;
}

static json_t *read_json(void)
{
    json_error_t error;
    bytes_reset(&out);
    top_write_json(&out, &top, &watched, &saturation, VIEW("{\"state\":\"healthy\"}"), &now);
    assert_false(out.failed);
    json_t *json = json_loadb((const char *)out.data, out.size, 0, &error);
    assert_non_null(json);
    return json;
}

static double at(const json_t *json, const char *a, const char *b, const char *c)
{
    const json_t *value = json_object_get(json, a);
    value = b == NULL ? value : json_object_get(value, b);
    value = c == NULL ? value : json_object_get(value, c);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void nothing_is_known_before_the_second_sample(void **unused)
{
    (void)unused;
    assert_false(top_known(&top));
    assert_int_equal(top_points(&top), 0);
    second_passes();
    assert_false(top_known(&top));
    json_t *json = read_json();
    assert_true(json_is_null(
        json_object_get(json_object_get(json_object_get(json, "classes"), "check"), "per_second")));
    json_decref(json);
    second_passes();
    assert_true(top_known(&top));
    assert_int_equal(top_points(&top), 1);
}

static void rates_are_of_the_window_and_points_of_a_second(void **unused)
{
    (void)unused;
    front->request[STATS_CLASS_check][STATS_ANSWER_2xx] = 1000000; // before watch looked
    second_passes();
    for (unsigned i = 1; i <= 10; i++) {
        front->request[STATS_CLASS_check][STATS_ANSWER_2xx] += i * 100;
        front->request[STATS_CLASS_login][STATS_ANSWER_503] += 5;
        front->request[STATS_CLASS_account][STATS_ANSWER_5xx] += 2;
        second_passes();
    }
    assert_int_equal(top_points(&top), 10);
    assert_float_equal(top_point(&top, TOP_SERIES_checks, 0), 100, 0.1);
    assert_float_equal(top_point(&top, TOP_SERIES_checks, 9), 1000, 0.1);
    assert_float_equal(top_point(&top, TOP_SERIES_refused, 9), 5, 0.01);
    assert_float_equal(top_point(&top, TOP_SERIES_failed, 9), 2, 0.01);
    json_t *json = read_json();
    assert_float_equal(at(json, "classes", "check", "per_second"), 800, 0.1); // the mean of 600 to 1000
    assert_float_equal(at(json, "classes", "login", "refused_per_second"), 5, 0.01);
    assert_float_equal(at(json, "classes", "change", "failed_per_second"), 2, 0.01);
    assert_int_equal(json_array_size(json_object_get(json_object_get(json, "history"), "checks")), 10);
    assert_string_equal(json_string_value(json_object_get(json_object_get(json, "verdict"), "state")),
                        "healthy");
    json_decref(json);
}

static void history_keeps_two_minutes(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i <= 3 * TOP_POINTS; i++) {
        front->request[STATS_CLASS_check][STATS_ANSWER_2xx] += i;
        second_passes();
    }
    assert_int_equal(top_points(&top), TOP_POINTS);
    assert_float_equal(top_point(&top, TOP_SERIES_checks, TOP_POINTS - 1), 3 * TOP_POINTS, 0.1);
    assert_float_equal(top_point(&top, TOP_SERIES_checks, 0), 2 * TOP_POINTS + 1, 0.1);
}

static void times_forget_what_was_before(void **unused)
{
    (void)unused;
    took(front, STATS_TIME_check, 900000000, 100000);
    second_passes();
    took(front, STATS_TIME_check, 100000, 1000);
    second_passes();
    json_t *json = read_json();
    assert_true(at(json, "classes", "check", "p99_ms") < 0.2);
    assert_true(isnan(at(json, "classes", "login", "p99_ms")));
    json_decref(json);
    for (unsigned i = 0; i <= TOP_WINDOW_S; i++) {
        second_passes();
    }
    json = read_json();
    assert_true(isnan(at(json, "classes", "check", "p99_ms")));
    json_decref(json);
}

static void stages_add_up(void **unused)
{
    struct top_stage stages[TOP_STAGES_MAX];
    double all = 0;
    (void)unused;
    second_passes();
    took(front, STATS_TIME_stage_hash, 30000000, 10);
    took(front, STATS_TIME_stage_statement, 10000000, 10);
    second_passes();
    unsigned count = top_stages(&top, stages);
    assert_in_range(count, 10, TOP_STAGES_MAX);
    for (unsigned i = 0; i < count; i++) {
        all += stages[i].share;
        if (strcmp(stages[i].name, "hash") == 0) {
            assert_float_equal(stages[i].share, 0.75, 0.001);
            assert_int_equal(stages[i].mean_ns, 30000000);
        }
    }
    assert_float_equal(all, 1, 0.0001);
}

static void statements_stand_by_the_time_they_take(void **unused)
{
    struct top_statement statements[2];
    (void)unused;
    second_passes();
    store->counter[STATS_statement_session_grant] = 100;
    store->counter[STATS_statement_hold_session_grant] = 100 * 2000;
    store->counter[STATS_statement_account_by_name] = 10;
    store->counter[STATS_statement_hold_account_by_name] = 10 * 60000;
    store->counter[STATS_statement_wait_account_by_name] = 10 * 1000;
    store->counter[STATS_statement_audit_add] = 1;
    store->counter[STATS_statement_hold_audit_add] = 1;
    second_passes();
    assert_int_equal(top_statements(&top.window, statements, 2), 2);
    assert_string_equal(statements[0].operation, "account_by_name");
    assert_int_equal(statements[0].mean_ns, 60000000);
    assert_int_equal(statements[0].wait_ns, 1000000);
    assert_float_equal(statements[0].share, 0.75, 0.001);
    assert_string_equal(statements[1].operation, "session_grant");
}

static void processes_say_what_they_use(void **unused)
{
    (void)unused;
    second_passes();
    front->counter[STATS_process_processor_us] += 250000;
    front->counter[STATS_process_memory_bytes] = 7 << 20;
    front->counter[STATS_process_starts] = 3;
    second_passes();
    struct top_process process = top_process(&top, &watched, 0, &now);
    assert_string_equal(process.name, "stayd-front");
    assert_float_equal(process.processor, 0.25, 0.001);
    assert_int_equal(process.memory, 7 << 20);
    assert_int_equal(process.restarts, 2);
    assert_int_equal(process.state, WATCHED_UP);
    // A page that comes between moves the others along: nothing is known of them for a moment, nothing false.
    struct stats_page *second = page_of(STATS_ROLE_front, 1);
    second_passes();
    process = top_process(&top, &watched, 2, &now);
    assert_string_equal(process.name, "stayd-core");
    assert_true(isnan(process.processor));
    free(second);
}

static void a_counter_that_runs_backwards_is_no_rate(void **unused)
{
    (void)unused;
    front->request[STATS_CLASS_check][STATS_ANSWER_2xx] = 5000;
    second_passes();
    front->request[STATS_CLASS_check][STATS_ANSWER_2xx] = 10;
    second_passes();
    assert_float_equal(top_point(&top, TOP_SERIES_checks, 0), 0, 0.001);
}

static void the_page_draws_what_is_there(void **unused)
{
    (void)unused;
    bytes_reset(&out);
    live_page_write(&out, &top, &watched, &saturation, NULL, NULL, &now);
    assert_false(out.failed);
    for (unsigned i = 0; i < 30; i++) {
        front->request[STATS_CLASS_check][STATS_ANSWER_2xx] += 100;
        second_passes();
    }
    bytes_reset(&out);
    live_page_write(&out, &top, &watched, &saturation, NULL, NULL, &now);
    assert_true(bytes_append_byte(&out, '\0'));
    const char *page = (const char *)out.data;
    assert_non_null(strstr(page, "<span class=\"big\">100</span> a second"));
    assert_non_null(strstr(page, "<path class=\"now\" d=\"M91 1.0h.01L92 1.0"));
    assert_non_null(strstr(page, "<noscript><meta http-equiv=\"refresh\""));
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "style="));
    static struct verdict verdict = {.state = VERDICT_INCIDENT, .open = true, .sentence = "a <b> statement"};
    verdict.to_dos = 1;
    snprintf(verdict.to_do[0].text, sizeof(verdict.to_do[0].text), "make it");
    snprintf(verdict.to_do[0].command, sizeof(verdict.to_do[0].command), "CREATE INDEX a");
    bytes_reset(&out);
    live_page_write(&out, &top, &watched, &saturation, &verdict, "2026-1", &now);
    assert_true(bytes_append_byte(&out, '\0'));
    page = (const char *)out.data;
    assert_non_null(strstr(page, "<strong>a &lt;b&gt; statement</strong>"));
    assert_non_null(strstr(page, "<pre>CREATE INDEX a</pre>"));
    assert_non_null(strstr(page, "href=\"/incidents/2026-1.md\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_known_before_the_second_sample, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rates_are_of_the_window_and_points_of_a_second, set_up, tear_down),
        cmocka_unit_test_setup_teardown(history_keeps_two_minutes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times_forget_what_was_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stages_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statements_stand_by_the_time_they_take, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processes_say_what_they_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_counter_that_runs_backwards_is_no_rate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_page_draws_what_is_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
