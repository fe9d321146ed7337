// SPDX-License-Identifier: ISC
// Unit tests of http/write.
#include "http/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct bytes out;

static int set_up(void **state)
{
    (void)state;
    bytes_init(&out, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bytes_release(&out);
    return 0;
}

static void assert_written(const char *text)
{
    assert_false(out.failed);
    assert_int_equal(out.size, strlen(text));
    assert_memory_equal(out.data, text, out.size);
    bytes_reset(&out);
}

static void responses_are_written(void **state)
{
    (void)state;
    http_write_status(&out, 200);
    http_write_header(&out, VIEW("Remote-User"), VIEW("ada"));
    http_write_header(&out, VIEW("Remote-Email"), (struct view){NULL, 0});
    http_write_header_u64(&out, VIEW("Retry-After"), 18446744073709551615u);
    http_write_end(&out, 12, 1, true);
    assert_written("HTTP/1.1 200 OK\r\nRemote-User: ada\r\nRemote-Email: \r\n"
                   "Retry-After: 18446744073709551615\r\nContent-Length: 12\r\n\r\n");
    http_write_status(&out, 299);
    http_write_end(&out, 0, 1, false);
    assert_written("HTTP/1.1 299 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    http_write_end(&out, 0, 0, true);
    assert_written("Content-Length: 0\r\nConnection: keep-alive\r\n\r\n");
    http_write_continue(&out);
    assert_written("HTTP/1.1 100 Continue\r\n\r\n");
}

static void headers_cannot_be_split(void **state)
{
    (void)state;
    static const struct {
        struct view name, value;
    } bad[] = {
        {VIEW("X"), VIEW("a\r\nSet-Cookie: b")},
        {VIEW("X"), VIEW("a\nb")},
        {VIEW("X"), VIEW("a\0b")},
        {VIEW("X"), VIEW("a\x7f")},
        {VIEW("X"), VIEW("a value that is longer than sixteen bytes\r")},
        {VIEW("X: y"), VIEW("a")},
        {VIEW("X\r\nY"), VIEW("a")},
        {VIEW(""), VIEW("a")},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        http_write_header(&out, bad[i].name, bad[i].value);
        assert_true(out.failed);
        assert_int_equal(out.size, 0);
        http_write_end(&out, 0, 1, true);
        assert_true(out.failed);
        bytes_reset(&out);
    }
    http_write_header(&out, VIEW("X"), VIEW("a\tb \xc3\xa4"));
    assert_written("X: a\tb \xc3\xa4\r\n");
    http_write_header_escaped(&out, VIEW("X Y"), VIEW("a"));
    assert_true(out.failed);
}

static void names_of_people_are_escaped(void **state)
{
    (void)state;
    http_write_header_escaped(&out, VIEW("Remote-Name"), VIEW(" J\xc3\xbcrgen \"50%\"\r\n\t\x7f, "));
    assert_written("Remote-Name: %20J%C3%BCrgen \"50%25\"%0D%0A%09%7F,%20\r\n");
    http_write_header_escaped(&out, VIEW("Remote-Name"), VIEW(""));
    assert_written("Remote-Name: \r\n");
    http_write_header_escaped(&out, VIEW("Remote-Name"), VIEW(" "));
    assert_written("Remote-Name: %20\r\n");
}

static void queries_are_escaped(void **state)
{
    (void)state;
    http_write_query(&out, VIEW("https://a.example/x?y=z&\xc3\xa4 +~-_.\0"));
    assert_written("https%3A%2F%2Fa.example%2Fx%3Fy%3Dz%26%C3%A4%20%2B~-_.%00");
}

static void dates_are_cached(void **state)
{
    (void)state;
    struct http_date date = {0};
    http_date_update(&date, 0);
    assert_string_equal(date.text, "Thu, 01 Jan 1970 00:00:00 GMT");
    http_date_update(&date, 784111777);
    assert_string_equal(date.text, "Sun, 06 Nov 1994 08:49:37 GMT");
    date.text[0] = 'X';
    http_date_update(&date, 784111777);
    assert_int_equal(date.text[0], 'X');
    http_date_update(&date, 951782400);
    assert_string_equal(date.text, "Tue, 29 Feb 2000 00:00:00 GMT");
    http_write_date(&out, &date);
    assert_written("Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n");
    http_date_update(&date, INT64_MAX);
    assert_int_equal(strlen(date.text), HTTP_DATE_SIZE);
}

static void problems_are_json(void **state)
{
    (void)state;
    struct http_problem problem = {
        .type = VIEW("/problems/wait"), .title = VIEW("Wait"), .status = 429, .retry_after_s = 7};
    http_write_problem(&out, &problem);
    assert_written("{\"type\":\"/problems/wait\",\"title\":\"Wait\",\"status\":429,\"retry_after\":7}");
    problem.detail = VIEW("\"a\\b\"\n\x7f\xc3\xa4");
    problem.retry_after_s = 0;
    http_write_problem(&out, &problem);
    assert_written("{\"type\":\"/problems/wait\",\"title\":\"Wait\",\"status\":429,"
                   "\"detail\":\"\\\"a\\\\b\\\"\\u000a\\u007f\xc3\xa4\"}");
    problem.detail = VIEW("\xff");
    http_write_problem(&out, &problem);
    assert_true(out.failed);
}

static void problem_responses_are_whole(void **state)
{
    (void)state;
    struct http_problem problem = {
        .type = VIEW("/problems/wait"), .title = VIEW("Wait"), .status = 503, .retry_after_s = 7};
    struct http_date date = {0};
    http_date_update(&date, 0);
#define HEAD                                                                                                 \
    "HTTP/1.1 503 Service Unavailable\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"                            \
    "Content-Type: application/problem+json\r\nCache-Control: no-store\r\nRetry-After: 7\r\n"                \
    "Content-Length: 69\r\n\r\n"
    http_write_problem_response(&out, &problem, &date, 1, true, false);
    assert_written(HEAD "{\"type\":\"/problems/wait\",\"title\":\"Wait\",\"status\":503,\"retry_after\":7}");
    http_write_problem_response(&out, &problem, &date, 1, true, true);
    assert_written(HEAD);
    problem.title = VIEW("\xff");
    http_write_problem_response(&out, &problem, &date, 1, true, true);
    assert_true(out.failed);
}

static void the_bound_is_noticed(void **state)
{
    (void)state;
    struct bytes small;
    bytes_init(&small, 20);
    http_write_status(&small, 200);
    assert_false(small.failed);
    http_write_header(&small, VIEW("X"), VIEW("y"));
    assert_true(small.failed);
    http_write_end(&small, 0, 1, true);
    assert_true(small.failed);
    bytes_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(responses_are_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headers_cannot_be_split, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_people_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(queries_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dates_are_cached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(problems_are_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(problem_responses_are_whole, set_up, tear_down),
        cmocka_unit_test(the_bound_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
