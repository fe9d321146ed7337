// SPDX-License-Identifier: ISC
// The exposition holds to OpenMetrics 1.0.0: families whole and once, names that fit their types, buckets
// that add up, "# EOF" last.
#include "watch/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { FAMILIES_MAX = 256 };

static const struct watched_now at = {.mono_ns = 100000000000u, .wall_ms = 1795215600000u};

static struct saturation saturation; // no samples: of now

static struct stats_page *page_new(enum stats_role role, uint32_t index)
{
    struct stats_page *page = calloc(1, STATS_PAGE_SIZE);
    assert_non_null(page);
    page->magic = STATS_MAGIC;
    page->format = STATS_FORMAT;
    page->role = role;
    page->index = index;
    page->pid = 4242;
    page->started_ns = at.mono_ns - 60000000000u;
    page->counter[STATS_heartbeat_ms] = at.mono_ns / 1000000u - 100;
    return page;
}

static void write_all(struct bytes *out, struct stats_page *pages[static 3])
{
    static struct watched watched;
    watched_init(&watched);
    watched.fronts = 2;
    memcpy(watched.version, "0.1.0", 6);
    pages[0] = page_new(STATS_ROLE_front, 1);
    pages[1] = page_new(STATS_ROLE_core, 0);
    pages[2] = page_new(STATS_ROLE_front, 0);
    pages[0]->counter[STATS_checks_valid] = 17;
    pages[0]->request[STATS_CLASS_login][STATS_ANSWER_4xx] = 3;
    pages[1]->counter[STATS_scrapes] = 5; // not core's, but counted there
    pages[2]->times[STATS_TIME_check].bucket[stats_bucket(5000)] = 7;
    pages[2]->times[STATS_TIME_check].bucket[stats_bucket(3000000000u)] = 2;
    pages[2]->times[STATS_TIME_check].bucket[STATS_BUCKETS - 1] = 1;
    pages[2]->times[STATS_TIME_check].sum_ns = 6000035000u;
    watched_add(&watched, STATS_ROLE_front, 1, pages[0]);
    watched_add(&watched, STATS_ROLE_core, 0, pages[1]);
    watched_add(&watched, STATS_ROLE_front, 0, pages[2]);
    bytes_init(out, METRICS_SIZE_MAX);
    metrics_write(out, &watched, &saturation, &at);
    assert_false(out->failed);
    assert_true(bytes_append_byte(out, '\0'));
    out->size--;
}

static void free_all(struct bytes *out, struct stats_page *pages[static 3])
{
    for (int i = 0; i < 3; i++) {
        free(pages[i]);
    }
    bytes_release(out);
}

static bool has(const struct bytes *out, const char *text)
{
    return strstr((const char *)out->data, text) != NULL;
}

static bool name_is_legal(struct view name)
{
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return name.size > 0;
}

struct family {
    struct view name, type;
};

static struct view without(struct view text, struct view end)
{
    bool ends = text.size > end.size && view_equal(view_from(text, text.size - end.size), end);
    return ends ? view_first(text, text.size - end.size) : text;
}

// The name of a sample must be its family's, with the ending of its type.
static void check_sample(const struct family *family, struct view line)
{
    struct view name = view_first(line, view_index(line, '{'));
    name = view_first(name, view_index(name, ' '));
    struct view rest = view_from(line, name.size);
    assert_true(name_is_legal(name));
    if (view_equal(family->type, VIEW("counter"))) {
        assert_true(view_equal(without(name, VIEW("_total")), family->name));
        assert_int_not_equal(name.size, family->name.size);
    } else if (view_equal(family->type, VIEW("info"))) {
        assert_true(view_equal(without(name, VIEW("_info")), family->name));
    } else if (view_equal(family->type, VIEW("histogram"))) {
        assert_true(view_equal(without(name, VIEW("_bucket")), family->name) ||
                    view_equal(without(name, VIEW("_count")), family->name) ||
                    view_equal(without(name, VIEW("_sum")), family->name));
    } else {
        assert_true(view_equal(name, family->name));
    }
    if (rest.data[0] == '{') {
        size_t end = view_index(rest, '}');
        assert_true(end < rest.size && rest.data[end + 1] == ' ');
        rest = view_from(rest, end + 1);
    }
    assert_true(rest.size > 1 && rest.data[0] == ' ');
    assert_true(view_index(view_from(rest, 1), ' ') == rest.size - 1); // no timestamp
}

static void families_are_whole_and_samples_fit(void **unused)
{
    struct bytes out;
    struct stats_page *pages[3];
    static struct family families[FAMILIES_MAX];
    unsigned count = 0;
    bool ended = false;
    (void)unused;
    write_all(&out, pages);
    struct view rest = bytes_view(&out);
    while (rest.size > 0) {
        struct view line = view_cut(&rest, '\n');
        assert_false(ended);
        assert_true(line.size > 0);
        if (view_equal(line, VIEW("# EOF"))) {
            ended = true;
        } else if (view_starts_with(line, VIEW("# TYPE "))) {
            line = view_from(line, 7);
            struct view name = view_cut(&line, ' ');
            assert_true(name_is_legal(name));
            for (unsigned i = 0; i < count; i++) {
                assert_false(view_equal(families[i].name, name)); // once only
            }
            assert_true(count < FAMILIES_MAX);
            families[count++] = (struct family){.name = name, .type = line};
        } else if (line.data[0] == '#') {
            assert_true(view_starts_with(line, VIEW("# HELP ")) || view_starts_with(line, VIEW("# UNIT ")));
            line = view_from(line, 7);
            assert_true(view_equal(view_cut(&line, ' '), families[count - 1].name));
        } else {
            assert_true(count > 0);
            check_sample(&families[count - 1], line);
        }
    }
    assert_true(ended);
    free_all(&out, pages);
}

static void counters_are_there_from_zero_where_they_are_used(void **unused)
{
    struct bytes out;
    struct stats_page *pages[3];
    (void)unused;
    write_all(&out, pages);
    assert_true(has(&out, "stayd_checks_total{process=\"stayd-front\",index=\"0\",answer=\"valid\"} 0\n"));
    assert_true(has(&out, "stayd_checks_total{process=\"stayd-front\",index=\"1\",answer=\"valid\"} 17\n"));
    assert_false(has(&out, "stayd_checks_total{process=\"stayd-core\""));
    assert_true(has(&out, "stayd_scrapes_total{process=\"stayd-core\",index=\"0\"} 5\n"));
    assert_true(
        has(&out,
            "stayd_requests_total{process=\"stayd-front\",index=\"1\",class=\"login\",status=\"4xx\"} 3\n"));
    assert_true(has(&out, "stayd_build_info{version=\"0.1.0\"} 1\n"));
    assert_true(has(&out, "stayd_up{process=\"stayd-core\",index=\"0\"} 1\n"));
    assert_true(
        has(&out, "stayd_process_start_time_seconds{process=\"stayd-core\",index=\"0\"} 1795215540.000\n"));
    assert_true(has(&out, "stayd_heartbeat_age_seconds{process=\"stayd-core\",index=\"0\"} 0.100\n"));
    assert_true(has(&out, "stayd_ready 1\n"));
    free_all(&out, pages);
}

static void buckets_add_up(void **unused)
{
    struct bytes out;
    struct stats_page *pages[3];
    (void)unused;
    write_all(&out, pages);
#define CHECK "{process=\"stayd-front\",index=\"0\",class=\"check\""
    assert_true(has(&out, "stayd_request_seconds_bucket" CHECK ",le=\"0.000004096\"} 0\n"));
    assert_true(has(&out, "stayd_request_seconds_bucket" CHECK ",le=\"0.000016384\"} 7\n"));
    assert_true(has(&out, "stayd_request_seconds_bucket" CHECK ",le=\"2.147483648\"} 7\n"));
    assert_true(has(&out, "stayd_request_seconds_bucket" CHECK ",le=\"4.294967296\"} 9\n"));
    assert_true(has(&out, "stayd_request_seconds_bucket" CHECK ",le=\"+Inf\"} 10\n"));
    assert_true(has(&out, "stayd_request_seconds_count" CHECK "} 10\n"));
    assert_true(has(&out, "stayd_request_seconds_sum" CHECK "} 6.000035000\n"));
#undef CHECK
    free_all(&out, pages);
}

static void a_page_of_another_format_is_passed_over(void **unused)
{
    static struct watched watched;
    struct bytes out;
    struct stats_page *page = page_new(STATS_ROLE_core, 0);
    (void)unused;
    page->format++;
    watched_init(&watched);
    watched_add(&watched, STATS_ROLE_core, 0, page);
    bytes_init(&out, METRICS_SIZE_MAX);
    metrics_write(&out, &watched, &saturation, &at);
    assert_true(bytes_append_byte(&out, '\0'));
    assert_true(has(&out, "stayd_up{process=\"stayd-core\",index=\"0\"} 0\n"));
    assert_false(has(&out, "stayd_logins_total{"));
    assert_int_equal(watched_state(&watched.page[0], &at), WATCHED_ABSENT);
    bytes_release(&out);
    free(page);
}

static void a_late_heartbeat_is_silence(void **unused)
{
    struct stats_page *page = page_new(STATS_ROLE_core, 0);
    struct watched_page watched = {.role = STATS_ROLE_core, .page = page};
    (void)unused;
    assert_int_equal(watched_state(&watched, &at), WATCHED_UP);
    page->counter[STATS_heartbeat_ms] = at.mono_ns / 1000000u - WATCHED_FRESH_MS - 1;
    assert_int_equal(watched_state(&watched, &at), WATCHED_SILENT);
    page->counter[STATS_heartbeat_ms] = 0;
    page->started_ns = at.mono_ns - 100000000u;
    assert_int_equal(watched_state(&watched, &at), WATCHED_STARTING);
    page->started_ns = 0;
    assert_int_equal(watched_state(&watched, &at), WATCHED_ABSENT);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_are_whole_and_samples_fit),
        cmocka_unit_test(counters_are_there_from_zero_where_they_are_used),
        cmocka_unit_test(buckets_add_up),
        cmocka_unit_test(a_page_of_another_format_is_passed_over),
        cmocka_unit_test(a_late_heartbeat_is_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
