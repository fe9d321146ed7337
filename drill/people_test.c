// SPDX-License-Identifier: ISC
// Accounts by pattern and by file, and files that are wrong.
#include "drill/people.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

static struct people people;

static const char *file_with(const char *text)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/stayd-people-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static bool read_text(const char *text, bool tokens)
{
    people_release(&people);
    const char *path = file_with(text);
    bool read = people_by_file(&people, path, tokens);
    unlink(path);
    return read;
}

static void is_name(uint32_t number, const char *expected)
{
    char name[PEOPLE_NAME_SIZE];
    assert_true(people_name(&people, number, name));
    assert_string_equal(name, expected);
}

static void by_pattern(void **unused)
{
    (void)unused;
    people_init(&people);
    assert_true(people_by_pattern(&people, 1000, "storm-{}"));
    is_name(0, "storm-1");
    is_name(999, "storm-1000");
    assert_true(people_by_pattern(&people, 10, "u{4}.x"));
    is_name(9, "u0010.x");
    assert_false(people_by_pattern(&people, 10, "storm"));
    assert_false(people_by_pattern(&people, 10, "Storm{}"));
    assert_false(people_by_pattern(&people, 10, "a{b}"));
    assert_false(people_by_pattern(&people, 0, "a{}"));
    assert_false(people_by_pattern(&people, PEOPLE_MAX + 1, "a{}"));
    people_release(&people);
}

static void by_file(void **unused)
{
    (void)unused;
    assert_true(read_text("# people\nalice  correct horse battery\r\n\nbob\ttwo", false));
    assert_int_equal(people.count, 2);
    is_name(1, "bob");
    assert_string_equal(people_password(&people, 0), "correct horse battery");
    assert_string_equal(people_password(&people, 1), "two");
    assert_true(read_text("alice AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                          "alice AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\n",
                          true));
    assert_int_equal(people.signed_in_count, 2);
    assert_false(read_text("", false));
    assert_false(read_text("alice\n", false));
    assert_false(read_text("Alice x\n", false));
    assert_non_null(strstr(people.problem, "line 1"));
    assert_false(read_text("alice x\n\nbob short\n", true));
    assert_false(people_by_file(&people, "/nowhere/at/all", false));
    people_release(&people);
}

static void one_password_of_all(void **unused)
{
    (void)unused;
    people_init(&people);
    const char *path = file_with("seven quiet harbours\nsecond line\n");
    assert_true(people_password_by_file(&people, path));
    unlink(path);
    assert_true(people_by_pattern(&people, 3, "{}"));
    assert_string_equal(people_password(&people, 2), "seven quiet harbours");
    path = file_with("\n");
    assert_false(people_password_by_file(&people, path));
    unlink(path);
    people_release(&people);
}

static void who_is_signed_in_is_listed_once(void **unused)
{
    (void)unused;
    people_init(&people);
    assert_true(people_by_pattern(&people, 3, "{}"));
    people_sign_in(&people, 2, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    people_sign_in(&people, 2, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE");
    people_sign_in(&people, 0, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI");
    assert_int_equal(people.signed_in_count, 2);
    assert_int_equal(people.signed_in[0], 2);
    assert_string_equal(people.person[2].token, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE");
    people_release(&people);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_pattern),
        cmocka_unit_test(by_file),
        cmocka_unit_test(one_password_of_all),
        cmocka_unit_test(who_is_signed_in_is_listed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
