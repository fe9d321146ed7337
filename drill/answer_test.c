// SPDX-License-Identifier: ISC
// Answers as stayd gives them, in one piece and byte by byte; and what is none.
#include "drill/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct answer answer;

static enum answer_state whole(const char *text)
{
    answer_init(&answer);
    return answer_take(&answer, view_of_cstr(text));
}

static enum answer_state by_bytes(const char *text)
{
    enum answer_state state = ANSWER_MORE;
    answer_init(&answer);
    for (; *text != '\0'; text++) {
        state = answer_take(&answer, view_of(text, 1));
    }
    return state;
}

static void a_check(void **unused)
{
    (void)unused;
    static const char text[] =
        "HTTP/1.1 200 OK\r\nRemote-User: alice\r\nRemote-Groups: \r\ncontent-length:0\r\n\r\n";
    assert_int_equal(whole(text), ANSWER_WHOLE);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.user, "alice");
    assert_false(answer.close);
    assert_int_equal(answer.retry_after_s, ANSWER_NO_RETRY);
    assert_int_equal(by_bytes(text), ANSWER_WHOLE);
    assert_string_equal(answer.user, "alice");
}

static void a_login_has_a_token(void **unused)
{
    (void)unused;
    static const char text[] =
        "HTTP/1.1 200 OK\r\nSet-Cookie: theme=dark; Path=/\r\n"
        "Set-Cookie: __Host-stayd=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; Secure\r\n"
        "Set-Cookie: __Host-stayd_device=BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB\r\n"
        "Content-Length: 2\r\n\r\n{}";
    assert_int_equal(by_bytes(text), ANSWER_WHOLE);
    assert_string_equal(answer.token, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_string_equal(answer.cookie_name, "__Host-stayd");
    assert_int_equal(whole("HTTP/1.1 200 OK\r\nSet-Cookie: stayd=; Max-Age=0\r\nContent-Length: 0\r\n\r\n"),
                     ANSWER_WHOLE);
    assert_string_equal(answer.token, "");
}

static void a_refusal_says_when_to_come_back(void **unused)
{
    (void)unused;
    assert_int_equal(whole("HTTP/1.1 503 Service Unavailable\r\nretry-after:  7\r\nConnection: close\r\n"
                           "Content-Length: 4\r\n\r\nbusy"),
                     ANSWER_WHOLE);
    assert_int_equal(answer.retry_after_s, 7);
    assert_true(answer.close);
    whole("HTTP/1.1 429 \r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(answer.retry_after_s, ANSWER_NO_RETRY);
    whole("HTTP/1.1 429 \r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(answer.retry_after_s, 86400);
}

static void bodies_end_by_length_or_with_the_connection(void **unused)
{
    (void)unused;
    assert_int_equal(whole("HTTP/1.1 204 No Content\r\n\r\n"), ANSWER_WHOLE);
    assert_int_equal(whole("HTTP/1.1 200 OK\r\n\r\nabc"), ANSWER_MORE);
    assert_int_equal(answer_end(&answer), ANSWER_WHOLE);
    assert_true(answer.close);
    assert_int_equal(whole("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"), ANSWER_MORE);
    assert_int_equal(answer_end(&answer), ANSWER_BAD);
    assert_int_equal(whole("HTTP/1.1 200 OK\r\n"), ANSWER_MORE);
    assert_int_equal(answer_end(&answer), ANSWER_BAD);
}

static void what_is_no_answer_is_bad(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nRemote-User: a\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nRemote-User: a\x01\r\n\r\n",
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(whole(bad[i]), ANSWER_BAD);
        assert_int_equal(by_bytes(bad[i]), ANSWER_BAD);
    }
    answer_init(&answer);
    for (unsigned i = 0; i < ANSWER_HEAD_MAX; i++) {
        answer_take(&answer, VIEW("a"));
    }
    assert_int_equal(answer.state, ANSWER_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check),
        cmocka_unit_test(a_login_has_a_token),
        cmocka_unit_test(a_refusal_says_when_to_come_back),
        cmocka_unit_test(bodies_end_by_length_or_with_the_connection),
        cmocka_unit_test(what_is_no_answer_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
