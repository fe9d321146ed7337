// SPDX-License-Identifier: ISC
// Unit tests of front/origin.
#include "front/origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct view none = {NULL, 0};

static enum origin_verdict judge(const char *public_url, struct view origin, struct view site)
{
    struct url url;
    assert_true(url_parse(view_of_cstr(public_url), &url));
    return origin_judge(&url, origin, site);
}

static void origin_decides(void **state)
{
    (void)state;
    const char *url = "https://auth.example.com";
    assert_int_equal(judge(url, VIEW("https://auth.example.com"), none), ORIGIN_OWN);
    assert_int_equal(judge(url, VIEW("https://AUTH.example.com:443"), none), ORIGIN_OWN);
    assert_int_equal(judge(url, VIEW("https://auth.example.com"), VIEW("cross-site")), ORIGIN_OWN);
    static const char *const foreign[] = {
        "null",
        "",
        "http://auth.example.com",
        "https://auth.example.com:8443",
        "https://wiki.example.com",
        "https://auth.example.com/",
        "https://auth.example.com.evil",
        "https://auth.example.com https://evil",
    };
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        assert_int_equal(judge(url, view_of_cstr(foreign[i]), VIEW("same-origin")), ORIGIN_FOREIGN);
    }
}

static void fetch_site_stands_in(void **state)
{
    (void)state;
    const char *url = "https://auth.example.com";
    assert_int_equal(judge(url, none, VIEW("same-origin")), ORIGIN_OWN);
    assert_int_equal(judge(url, none, VIEW("same-site")), ORIGIN_FOREIGN);
    assert_int_equal(judge(url, none, VIEW("none")), ORIGIN_FOREIGN);
    assert_int_equal(judge(url, none, none), ORIGIN_UNSAID);
}

static void loopback_is_one(void **state)
{
    (void)state;
    assert_int_equal(judge("http://127.0.0.1:8080", VIEW("http://localhost:8080"), none), ORIGIN_OWN);
    assert_int_equal(judge("http://localhost:8080", VIEW("http://127.0.0.1:8080"), none), ORIGIN_OWN);
    assert_int_equal(judge("http://localhost:8080", VIEW("http://127.0.0.1:8081"), none), ORIGIN_FOREIGN);
    assert_int_equal(judge("http://auth.lan:8080", VIEW("http://127.0.0.1:8080"), none), ORIGIN_FOREIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origin_decides),
        cmocka_unit_test(fetch_site_stands_in),
        cmocka_unit_test(loopback_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
