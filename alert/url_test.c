// SPDX-License-Identifier: ISC
// Addresses of webhooks: what they are taken for, and what is none.
#include "alert/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void parts(void **unused)
{
    static const struct {
        const char *text, *host, *port, *authority, *target;
        bool tls, clear;
    } rows[] = {
        {"https://hooks.example.org/a/b?c=d", "hooks.example.org", "443", "hooks.example.org", "/a/b?c=d",
         true, false},
        {"http://127.0.0.1:9093", "127.0.0.1", "9093", "127.0.0.1:9093", "/", false, false},
        {"http://[::1]:80/x", "::1", "80", "[::1]:80", "/x", false, false},
        {"https://[2001:db8::1]/", "2001:db8::1", "443", "[2001:db8::1]", "/", true, false},
        {"http://ops.example.org?x", "ops.example.org", "80", "ops.example.org", "/?x", false, true},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct alert_url url;
        assert_null(alert_url_parse(&url, view_of_cstr(rows[i].text)));
        assert_string_equal(url.host, rows[i].host);
        assert_string_equal(url.port, rows[i].port);
        assert_string_equal(url.authority, rows[i].authority);
        assert_string_equal(url.target, rows[i].target);
        assert_int_equal(url.tls, rows[i].tls);
        assert_int_equal(alert_url_in_the_clear(&url), rows[i].clear);
    }
}

static void none(void **unused)
{
    static const char *const rows[] = {"",
                                       "hooks.example.org",
                                       "ftp://a/",
                                       "https://",
                                       "https:///x",
                                       "https://a:0/",
                                       "https://a:65536/",
                                       "https://a:b/",
                                       "https://a:/",
                                       "https://user:pass@a/",
                                       "https://a/b c",
                                       "https://a/b\r\nX: y",
                                       "https://a/#x",
                                       "https://[::1/",
                                       "https://[::1]x/"};
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct alert_url url;
        assert_non_null(alert_url_parse(&url, view_of_cstr(rows[i])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts), cmocka_unit_test(none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
