// SPDX-License-Identifier: ISC
// Unit tests of front/url.
#include "front/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void urls_are_split(void **state)
{
    (void)state;
    struct url url;
    assert_true(url_parse(VIEW("https://Auth.Example.com:8443/a/b?c=d#e"), &url));
    assert_true(url.https);
    assert_true(view_equal(url.host, VIEW("Auth.Example.com")));
    assert_int_equal(url.port, 8443);
    assert_true(view_equal(url.path, VIEW("/a/b")));
    assert_true(view_equal(url.rest, VIEW("/a/b?c=d#e")));
    assert_true(url_parse(VIEW("HTTP://[::1]"), &url));
    assert_true(view_equal(url.host, VIEW("[::1]")));
    assert_int_equal(url.port, 80);
    assert_int_equal(url.rest.size, 0);
}

static void doubtful_ones_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "http://",
        "http:///x",
        "https:/x",
        "ftp://a/",
        "//a/",
        "/a",
        "http://a b/",
        "http://u@a/",
        "http://a:b@c/",
        "http://a\\b/",
        "http://a/\\b",
        "http://a:0/",
        "http://a:65536/",
        "http://a:/",
        "http://a:x/",
        "http://\xc3\xa4/",
        "http://a\t/",
        "javascript:alert(1)",
        "http://[::1",
        "http://a%2fb/",
    };
    struct url url;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (url_parse(view_of_cstr(bad[i]), &url)) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void hosts_are_compared(void **state)
{
    (void)state;
    assert_true(url_host_within(VIEW("wiki.Example.com"), VIEW("example.com")));
    assert_true(url_host_within(VIEW("example.com"), VIEW("example.com")));
    assert_false(url_host_within(VIEW("evilexample.com"), VIEW("example.com")));
    assert_false(url_host_within(VIEW("example.com.evil"), VIEW("example.com")));
    assert_false(url_host_within(VIEW("a"), VIEW("")));
    assert_true(url_host_is_loopback(VIEW("127.0.0.1")));
    assert_true(url_host_is_loopback(VIEW("LOCALHOST")));
    assert_true(url_host_is_loopback(VIEW("[::1]")));
    assert_false(url_host_is_loopback(VIEW("127.0.0.1.evil")));
    assert_false(url_host_is_loopback(VIEW("127.0.0")));
    assert_false(url_host_is_loopback(VIEW("127.0.0.1.")));
    assert_false(url_host_is_loopback(VIEW("128.0.0.1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_are_split),
        cmocka_unit_test(doubtful_ones_are_refused),
        cmocka_unit_test(hosts_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
