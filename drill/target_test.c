// SPDX-License-Identifier: ISC
// URLs that are targets, and which of them are this machine.
#include "drill/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct target target;

static void loopback_is_this_machine(void **unused)
{
    (void)unused;
    static const char *const here[] = {"http://127.0.0.1:8080", "http://127.9.8.7/", "https://[::1]:8443",
                                       "http://localhost:80"};
    for (unsigned i = 0; i < sizeof(here) / sizeof(here[0]); i++) {
        assert_true(target_read(&target, view_of_cstr(here[i])));
        assert_true(target.loopback);
    }
    assert_true(target_read(&target, VIEW("http://192.0.2.1:8080")));
    assert_false(target.loopback);
    assert_true(target_read(&target, VIEW("http://[::ffff:127.0.0.1]:1")));
    assert_false(target.loopback);
    assert_true(target_read(&target, VIEW("https://[::1]:8443")));
    assert_true(target.tls);
    assert_string_equal(target.host, "::1");
    assert_string_equal(target.authority, "[::1]:8443");
}

static void what_is_no_target_is_refused(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "127.0.0.1:8080",       "ftp://127.0.0.1",        "http://",
        "http://127.0.0.1:0",   "http://127.0.0.1:x",     "http://127.0.0.1/a",
        "http://a@127.0.0.1",   "http://127.0.0.1:99999", "http://a\r\nb",
        "http://127.0.0.1?a=b",
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(target_read(&target, view_of_cstr(bad[i])));
        assert_true(target.problem[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_this_machine),
        cmocka_unit_test(what_is_no_target_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
