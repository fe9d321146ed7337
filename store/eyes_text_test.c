// SPDX-License-Identifier: ISC
#include "store/eyes_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void says(const char *sql, const char *expected)
{
    char out[EYES_STATEMENT_SIZE];
    eyes_text_statement(sql, out);
    assert_string_equal(out, expected);
}

static void values_are_not_shown(void **state)
{
    (void)state;
    says("SELECT * FROM people WHERE name = 'O''Hara' AND age > 42",
         "SELECT * FROM people WHERE name = ? AND age > ?");
    says("INSERT INTO t VALUES (E'a\\'b', $$two$$, $tag$th$ree$tag$, 1.5e3, 0x1f, -7)",
         "INSERT INTO t VALUES (?, ?, ?, ?, ?, -?)");
    says("UPDATE t1 SET c2 = $1, d = x'00ff' WHERE id=$2", "UPDATE t1 SET c2 = $1, d = ? WHERE id=$2");
    says("select \"Odd 5 'Name'\" from t", "select \"Odd 5 'Name'\" from t");
}

static void comments_and_blanks_go(void **state)
{
    (void)state;
    says("/* user=eve */ SELECT  1 -- 'secret'\n\tFROM t", "SELECT ? FROM t");
    says("", "");
    says("  \n ", "");
}

static void what_was_cut_off_shows_no_half_of_a_value(void **state)
{
    (void)state;
    says("SELECT 'half of a secr", "SELECT ?");
    says("SELECT $$half of a secr", "SELECT ?");
    says("SELECT /* half of", "SELECT");
}

static void it_is_short_and_whole_in_utf_8(void **state)
{
    (void)state;
    char sql[600], out[EYES_STATEMENT_SIZE];
    sql[0] = 'a';
    for (size_t i = 1; i + 1 < sizeof(sql); i += 2) {
        sql[i] = '\xc3';
        sql[i + 1] = '\xa9';
    }
    sql[sizeof(sql) - 1] = '\0';
    eyes_text_statement(sql, out);
    assert_true(strlen(out) <= 200 && strlen(out) > 190);
    assert_true(view_is_utf8(view_of_cstr(out)));
}

static void a_plan_is_one_line(void **state)
{
    (void)state;
    char out[160];
    eyes_text_plan(VIEW("Nested Loop\n"
                        "  ->  Index Scan using sessions_pkey on sessions s\n"
                        "        Index Cond: (selector = $1)\n"
                        "  ->  Seq Scan on accounts a\n"
                        "        Filter: ((flags & 1) <> 1)\n"),
                   out, sizeof(out));
    assert_string_equal(
        out, "Index Scan using sessions_pkey on sessions s, Seq Scan on accounts a for ((flags & 1) <> 1)");
    eyes_text_plan(
        VIEW("Seq Scan on accounts\n  Filter: (name = $1)\nSeq Scan on accounts\n  Filter: (id = $1)\n"), out,
        sizeof(out));
    assert_string_equal(out, "Seq Scan on accounts for (name = $1), Seq Scan on accounts for (id = $1)");
    eyes_text_plan(VIEW("SEARCH accounts USING INDEX accounts_name (name=?)\nSCAN sessions\n"), out,
                   sizeof(out));
    assert_string_equal(out, "SEARCH accounts USING INDEX accounts_name (name=?), SCAN sessions");
    eyes_text_plan(VIEW("Insert on once\n  ->  Result\n"), out, sizeof(out));
    assert_string_equal(out, "");
    eyes_text_plan(VIEW("Seq Scan on accounts\n  Filter: (name = $1)\n"), out, 16);
    assert_string_equal(out, "Seq Scan on acc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_not_shown),
        cmocka_unit_test(comments_and_blanks_go),
        cmocka_unit_test(what_was_cut_off_shows_no_half_of_a_value),
        cmocka_unit_test(it_is_short_and_whole_in_utf_8),
        cmocka_unit_test(a_plan_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
