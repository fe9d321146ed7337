// SPDX-License-Identifier: ISC
// Which names the ops listener goes by: addresses, localhost, what it was told, and nothing that looks like
// them.
#include "watch/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct names names;

static bool have(const char *host)
{
    return names_have(&names, view_of_cstr(host));
}

static int set_up(void **unused)
{
    (void)unused;
    assert_true(names_take(&names, VIEW("stayd,ops.example.org,*.monitoring.example.net,[fd00::7]")));
    return 0;
}

static void addresses_and_localhost_are_always_good(void **unused)
{
    static const char *const good[] = {"127.0.0.1",       "127.0.0.1:9480", "10.1.2.3:80", "0.0.0.0:9480",
                                       "[::1]",           "[::1]:9480",     "localhost",   "localhost:9480",
                                       "LocalHost.:9480", "a.localhost",    "127.0.0.1."};
    (void)unused;
    assert_true(names_take(&names, VIEW("")));
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(have(good[i]));
    }
    assert_true(names_have(&names, (struct view){NULL, 0}));
}

static void names_that_were_told_are_good(void **unused)
{
    static const char *const good[] = {"stayd",
                                       "Stayd:9480",
                                       "ops.example.org",
                                       "OPS.Example.org.:1",
                                       "[fd00::7]:9480",
                                       "a.monitoring.example.net",
                                       "a.b.monitoring.example.net:9480"};
    (void)unused;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(have(good[i]));
    }
}

static void all_others_are_not(void **unused)
{
    static const char *const bad[] = {"evil.example",
                                      "evil.example:9480",
                                      "127.0.0.1.evil.example",
                                      "127.0.0.1.evil.example:9480",
                                      "localhost.evil.example",
                                      "notlocalhost",
                                      "stayd.evil.example",
                                      "xstayd",
                                      "stay",
                                      "ops.example.org.evil.example",
                                      "evil.ops.example.org",
                                      "monitoring.example.net",
                                      "evilmonitoring.example.net",
                                      "*.monitoring.example.net.evil.example",
                                      "127.1",
                                      "2130706433",
                                      "0x7f000001",
                                      "256.0.0.1",
                                      "stayd,ops.example.org"};
    (void)unused;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(have(bad[i]));
    }
}

static void a_list_that_is_too_long_is_none(void **unused)
{
    static char much[NAMES_SIZE];
    (void)unused;
    memset(much, 'a', sizeof(much));
    assert_false(names_take(&names, view_of(much, sizeof(much))));
    assert_false(have("stayd"));
    assert_true(have("localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(addresses_and_localhost_are_always_good, set_up),
        cmocka_unit_test_setup(names_that_were_told_are_good, set_up),
        cmocka_unit_test_setup(all_others_are_not, set_up),
        cmocka_unit_test_setup(a_list_that_is_too_long_is_none, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
