// SPDX-License-Identifier: ISC
// Unit tests of front/rules.
#include "front/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TEXT(text)                                                                                           \
    {                                                                                                        \
        (const uint8_t *)text, sizeof(text) - 1                                                              \
    }
static const struct rule rules[] = {
    {.host = TEXT("app.example.com"), .path = TEXT("/admin/"), .group = TEXT("admins,ops"), .allow = true},
    {.host = TEXT("app.example.com"), .path = TEXT("/admin")},
    {.host = TEXT("app.example.com"), .method = TEXT("GET,HEAD"), .allow = true},
    {.host = TEXT("*.open.example.com"), .allow = true},
};

static bool allowed(const char *method, const char *host, const char *path, const char *groups)
{
    struct rules_target target = {
        .method = view_of_cstr(method), .host = view_of_cstr(host), .path = view_of_cstr(path)};
    return rules_allow(rules, sizeof(rules) / sizeof(rules[0]), &target, view_of_cstr(groups));
}

static void the_first_that_fits_decides(void **state)
{
    (void)state;
    assert_true(allowed("GET", "app.example.com", "/admin/x", "staff,ops"));
    assert_true(allowed("GET", "app.example.com", "/admin", "admins"));
    assert_false(allowed("GET", "app.example.com", "/admin/x", "staff"));
    assert_false(allowed("GET", "app.example.com", "/admin", "admin"));
    assert_true(allowed("GET", "APP.example.com.", "/administration", ""));
    assert_true(allowed("HEAD", "app.example.com", "/", ""));
    assert_false(allowed("POST", "app.example.com", "/", ""));
    assert_false(allowed("get", "app.example.com", "/", ""));
    assert_true(allowed("POST", "a.open.example.com", "/", ""));
    assert_true(allowed("POST", "a.b.open.example.com", "/", ""));
    assert_false(allowed("GET", "open.example.com", "/", ""));
    assert_false(allowed("GET", "other.example.com", "/", "admins"));
}

static void ways_around_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "//admin",
        "/x/../admin",
        "/x/..%2fadmin",
        "/x/%2e%2e/admin",
        "/./admin",
        "/%61dmin",
        "/%2561dmin",
        "/admin;x",
        "/admin;x/y",
        "/;x/admin",
        "/x/..;/admin",
        "/\\admin",
        "/x%5cadmin",
        "/admin%2fx",
        "/admin%00",
        "/%0aadmin",
        "",
        "admin",
        "/%",
        "/%zz",
        "/..",
        "/x/.",
        "//admin//",
        "/.;a/admin",
        "/admin%3fx",
        "/admin%23",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (allowed("GET", "app.example.com", bad[i], "staff")) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void harmless_oddities_are_not(void **state)
{
    (void)state;
    static const char *const good[] = {
        "/a//b",   "/wiki/a%20b", "/wiki/100%25", "/a;b=c/d",   "/a/...",
        "/%C3%A4", "/a..b/c.d",   "/~x/@y:z",     "/wiki/C%23", "/who%3f",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!allowed("GET", "app.example.com", good[i], "staff")) {
            fail_msg("%s", good[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_fits_decides),
        cmocka_unit_test(ways_around_are_refused),
        cmocka_unit_test(harmless_oddities_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
