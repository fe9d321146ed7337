// SPDX-License-Identifier: ISC
// Unit tests of core/names.
#include "core/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void usernames(void **state)
{
    (void)state;
    char out[65];
    assert_true(names_username(VIEW("Ada.Lovelace_1-x"), out, sizeof(out)));
    assert_string_equal(out, "ada.lovelace_1-x");
    assert_false(names_username(VIEW(""), out, sizeof(out)));
    assert_false(names_username(VIEW(".ada"), out, sizeof(out)));
    assert_false(names_username(VIEW("a b"), out, sizeof(out)));
    assert_false(names_username(VIEW("\xc3\xa4"), out, sizeof(out)));
    char longest[65];
    memset(longest, 'a', 65);
    assert_true(names_username(view_of(longest, 64), out, sizeof(out)));
    assert_false(names_username(view_of(longest, 65), out, sizeof(out)));
}

static void emails(void **state)
{
    (void)state;
    assert_true(names_email(VIEW("ada@example.com")));
    assert_true(names_email(VIEW("j\xc3\xb6rg@ex\xc3\xa4mple.com")));
    assert_false(names_email(VIEW("ada")));
    assert_false(names_email(VIEW("@example.com")));
    assert_false(names_email(VIEW("ada@")));
    assert_false(names_email(VIEW("a@b@c")));
    assert_false(names_email(VIEW("ada@example.com\r\nBcc: x")));
    assert_false(names_email(VIEW("a b@example.com")));
}

static void groups(void **state)
{
    (void)state;
    char out[64];
    assert_true(names_groups(VIEW(" admins, staff,admins ,,x"), out, sizeof(out)));
    assert_string_equal(out, "admins,staff,x");
    assert_true(names_groups_have(VIEW("admins,staff"), VIEW("staff")));
    assert_false(names_groups_have(VIEW("admins,staff"), VIEW("sta")));
    assert_false(names_groups(VIEW("Admins"), out, sizeof(out)));
    assert_false(names_groups(VIEW("a b"), out, sizeof(out)));
    assert_true(names_groups(VIEW(""), out, sizeof(out)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(usernames), cmocka_unit_test(emails),
                                       cmocka_unit_test(groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
