// SPDX-License-Identifier: ISC
// The ops listener's answers: statuses, types, what is escaped, what can't be reached.
#include "watch/ops.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const struct watched_now now = {.mono_ns = 100000000000u, .wall_ms = 1795215600000u};

static struct watched watched;
static struct incidents incidents;
static struct ops ops;
static struct bytes out;
static enum ops_door door;

static int set_up(void **unused)
{
    (void)unused;
    door = OPS_DOOR_LISTENER;
    watched_init(&watched);
    incidents_init(&incidents);
    ops_init(&ops, &watched, &incidents);
    bytes_init(&out, OPS_ANSWER_MAX);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    bytes_release(&out);
    ops_release(&ops);
    incidents_release(&incidents);
    return 0;
}

static const char *ask_as(const char *host, const char *line)
{
    static struct http_request request;
    char head[512];
    size_t consumed;
    snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: %s\r\n\r\n", line, host);
    http_request_reset(&request);
    assert_int_equal(http_parse_head(&request, view_of_cstr(head), &http_limits_default, &consumed),
                     HTTP_DONE);
    bytes_reset(&out);
    ops_answer(&ops, &request, door, &now, &out);
    assert_true(bytes_append_byte(&out, '\0'));
    return (const char *)out.data;
}

static const char *ask(const char *line)
{
    return ask_as("localhost", line);
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void each_path_has_its_answer(void **unused)
{
    (void)unused;
    assert_true(starts(ask("GET /livez"), "HTTP/1.1 200 "));
    assert_true(starts(ask("GET /"), "HTTP/1.1 200 "));
    assert_non_null(strstr(ask("GET /"), "<h1>stayd is not ready</h1>"));
    assert_true(starts(ask("GET /incidents"), "HTTP/1.1 200 "));
    assert_non_null(strstr(ask("GET /metrics"),
                           "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    assert_non_null(strstr(ask("GET /metrics"), "\n# EOF\n"));
    assert_true(starts(ask("GET /nowhere"), "HTTP/1.1 404 "));
    assert_non_null(strstr(ask("GET /nowhere"), "application/problem+json"));
    assert_true(starts(ask("POST /metrics"), "HTTP/1.1 405 "));
    assert_non_null(strstr(ask("POST /metrics"), "Allow: GET, HEAD\r\n"));
}

static void a_host_that_is_none_of_its_names_gets_nothing(void **unused)
{
    static const char *const lines[] = {"GET /",           "GET /metrics",  "GET /why.json", "GET /incidents",
                                        "GET /incidents/", "GET /runbooks", "GET /ops.js",   "GET /nowhere",
                                        "HEAD /metrics",   "POST /metrics"};
    (void)unused;
    assert_true(names_take(&ops.names, VIEW("stayd.internal")));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_true(starts(ask_as("evil.example:9480", lines[i]), "HTTP/1.1 421 "));
        assert_false(starts(ask_as("stayd.internal:9480", lines[i]), "HTTP/1.1 421 "));
        assert_false(starts(ask_as("[::1]:9480", lines[i]), "HTTP/1.1 421 "));
    }
    const char *answer = ask_as("evil.example:9480", "GET /metrics");
    assert_non_null(strstr(answer, "asked for as evil.example:9480"));
    assert_non_null(strstr(answer, "ops_hosts"));
    assert_null(strstr(answer, "stayd_up"));
    assert_true(starts(ask_as("evil.example", "GET /livez"), "HTTP/1.1 200 "));
    assert_true(starts(ask_as("evil.example", "GET /readyz"), "HTTP/1.1 503 "));
    door = OPS_DOOR_CONTROL; // no browser reaches it
    assert_true(starts(ask_as("evil.example", "GET /metrics"), "HTTP/1.1 200 "));
}

static void head_has_no_body(void **unused)
{
    (void)unused;
    const char *answer = ask("HEAD /livez");
    assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
    assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void not_ready_without_core_and_a_front(void **unused)
{
    struct stats_page *pages[2];
    (void)unused;
    assert_true(starts(ask("GET /readyz"), "HTTP/1.1 503 "));
    assert_non_null(strstr(ask("GET /readyz"), "Core is not up."));
    for (int i = 0; i < 2; i++) {
        pages[i] = calloc(1, STATS_PAGE_SIZE);
        assert_non_null(pages[i]);
        pages[i]->magic = STATS_MAGIC;
        pages[i]->format = STATS_FORMAT;
        pages[i]->started_ns = 1;
        pages[i]->counter[STATS_heartbeat_ms] = now.mono_ns / 1000000u;
    }
    watched_add(&watched, STATS_ROLE_core, 0, pages[0]);
    assert_non_null(strstr(ask("GET /readyz"), "No front is up."));
    watched_add(&watched, STATS_ROLE_front, 0, pages[1]);
    assert_true(starts(ask("GET /readyz"), "HTTP/1.1 200 "));
    pages[0]->counter[STATS_heartbeat_ms] = 1;
    assert_true(starts(ask("GET /readyz"), "HTTP/1.1 503 "));
    free(pages[0]);
    free(pages[1]);
}

static void put(int folder, const char *name, const char *text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void only_records_are_listed_and_read(void **unused)
{
    char path[] = "/tmp/stayd-incidents-XXXXXX";
    (void)unused;
    assert_non_null(mkdtemp(path));
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    put(folder, "crash-1.json", "{\"signal\":11}");
    put(folder, ".hidden", "x");
    put(folder, "a<b>.json", "x");
    assert_int_equal(symlinkat("/etc/passwd", folder, "link.json"), 0);
    assert_int_equal(mkdirat(folder, "deeper", 0700), 0);
    incidents_open(&incidents, fcntl(folder, F_DUPFD_CLOEXEC, 0));
    const char *list = ask("GET /incidents");
    assert_non_null(strstr(list, "href=\"/incidents/crash-1.json\""));
    assert_null(strstr(list, "hidden"));
    assert_null(strstr(list, "a<b>"));
    assert_null(strstr(list, "link.json"));
    assert_non_null(strstr(ask("GET /incidents/crash-1.json"), "\r\n\r\n{\"signal\":11}"));
    assert_non_null(strstr(ask("GET /incidents/crash-1.json"), "Content-Type: application/json\r\n"));
    assert_non_null(strstr(ask("GET /incidents.json"), "\"name\": \"crash-1.json\""));
    assert_null(strstr(ask("GET /incidents.json"), "link.json"));
    assert_true(starts(ask("GET /incidents/link.json"), "HTTP/1.1 404 "));
    assert_true(starts(ask("GET /incidents/deeper"), "HTTP/1.1 404 "));
    assert_true(starts(ask("GET /incidents/.hidden"), "HTTP/1.1 404 "));
    assert_true(starts(ask("GET /incidents/"), "HTTP/1.1 404 "));
    assert_true(starts(ask("GET /incidents/..%2Fx"), "HTTP/1.1 404 "));
    static const char *const names[] = {"crash-1.json", ".hidden", "a<b>.json", "link.json"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlinkat(folder, names[i], 0);
    }
    unlinkat(folder, "deeper", AT_REMOVEDIR);
    close(folder);
    rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_path_has_its_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_host_that_is_none_of_its_names_gets_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(head_has_no_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_ready_without_core_and_a_front, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_records_are_listed_and_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
