// SPDX-License-Identifier: ISC
// Unit tests of front/redirect.
#include "front/redirect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct redirect_policy policy = {
    .https = true,
    .host = {(const uint8_t *)"auth.example.com", 16},
    .cookie_domain = {(const uint8_t *)"example.com", 11},
    .hosts = {(const uint8_t *)"other.net, *.apps.net", 21},
};

static void good_ones_are_allowed(void **state)
{
    (void)state;
    static const char *const good[] = {
        "/",
        "/account",
        "/a?b=c#d",
        "https://auth.example.com",
        "https://auth.example.com:8443/x",
        "https://wiki.example.com/x?y=z",
        "https://example.com/",
        "HTTPS://OTHER.net/a",
        "https://x.apps.net/",
    };
    struct view host;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!redirect_allowed(&policy, view_of_cstr(good[i]), &host)) {
            fail_msg("%s", good[i]);
        }
    }
    assert_true(view_equal(host, VIEW("x.apps.net")));
}

static void bad_ones_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/a\\b",
        "/a b",
        "/a\tb",
        "/\n/evil.example",
        "javascript:alert(1)",
        "JavaScript://example.com/%0aalert(1)",
        "data:text/html,x",
        "https://evil.example/",
        "https://auth.example.com@evil.example/",
        "https://auth.example.com:x@evil.example",
        "https://auth.example.com\\@evil.example/",
        "https://evil.example#auth.example.com",
        "https://evil.example?.example.com",
        "https://example.com.evil.example/",
        "https://evilexample.com/",
        "http://auth.example.com/",
        "https:auth.example.com",
        "https:/auth.example.com",
        "https:///auth.example.com",
        " https://auth.example.com",
        "https://auth.example.com /",
        "https://auth.example.com:99999/",
        "https://auth.example.com./",
        "https://apps.net.evil/",
        "https://\xe2\x84\xaa"
        "example.com/",
        "account",
        "https://auth%2eexample.com/",
        "https://evil.example\xef\xbc\x8f"
        ".example.com/",
    };
    struct view host;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (redirect_allowed(&policy, view_of_cstr(bad[i]), &host)) {
            fail_msg("%s", bad[i]);
        }
    }
    assert_false(redirect_allowed(&policy, view_of("/a\0b", 4), &host));
}

static void development_is_one_host(void **state)
{
    (void)state;
    struct redirect_policy local = {.host = VIEW("127.0.0.1")};
    struct view host;
    assert_true(redirect_allowed(&local, VIEW("http://localhost:9000/x"), &host));
    assert_true(redirect_allowed(&local, VIEW("http://127.0.0.1:9000/x"), &host));
    assert_false(redirect_allowed(&local, VIEW("http://127.0.0.1.evil/x"), &host));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_allowed),
        cmocka_unit_test(bad_ones_are_refused),
        cmocka_unit_test(development_is_one_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
