// SPDX-License-Identifier: ISC
// Times, tables, the configuration's one key.
#include "cli/text.h"

#include "cli/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

static const uint64_t now_s = 1795215600; // 2026-11-20T23:00:00Z

static void times_are_read(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        uint64_t unix_s;
    } rows[] = {{"30m", 1795215600 - 1800},           {"12h", 1795215600 - 43200},
                {"7d", 1795215600 - 604800},          {"2026-11-20", 1795132800},
                {"2026-11-20T23:00", 1795215600},     {"2026-11-20T23:00:05", 1795215605},
                {"2026-11-20T23:00:05Z", 1795215605}, {"2026-11-20 23:00", 1795215600}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t unix_s = 0;
        assert_true(text_time_read(view_of_cstr(rows[i].text), now_s, &unix_s));
        assert_int_equal(unix_s, rows[i].unix_s);
    }
    static const char *const wrong[] = {"",          "d",          "7",           "7x",
                                        "yesterday", "2026-13-40", "2026-11-20T", "1999-12-31x"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint64_t unix_s = 0;
        assert_false(text_time_read(view_of_cstr(wrong[i]), now_s, &unix_s));
    }
}

static void times_are_written(void **unused)
{
    char text[TEXT_TIME_SIZE];
    (void)unused;
    text_time_iso(now_s, text);
    assert_string_equal(text, "2026-11-20T23:00:00Z");
    text_time_local(now_s, text);
    assert_string_equal(text, "2026-11-20 23:00:00");
    text_time_local(0, text);
    assert_string_equal(text, "never");
    text_time_local(UINT64_MAX, text);
    assert_string_equal(text, "?");
    text_duration(1, text);
    assert_string_equal(text, "1 second");
    text_duration(7300, text);
    assert_string_equal(text, "2 hours");
}

static const char *printed(struct view text, unsigned columns)
{
    static char out[256];
    FILE *file = fmemopen(out, sizeof(out), "w");
    assert_non_null(file);
    text_print(file, text, columns);
    assert_int_equal(fclose(file), 0);
    return out;
}

static void nothing_steers_the_terminal(void **unused)
{
    (void)unused;
    assert_string_equal(printed(VIEW("a\x1b[31mb\x07"), 0), "a?[31mb?");
    assert_string_equal(printed(VIEW("a\xc2\x9b"
                                     "b"),
                                0),
                        "a?b"); // C1
    assert_string_equal(printed(VIEW("a\xe2\x80\xae"
                                     "b"),
                                0),
                        "a?b"); // right-to-left override
    assert_string_equal(printed(VIEW("a\xff\xfe"
                                     "b"),
                                0),
                        "a??b"); // not UTF-8
    assert_string_equal(printed(VIEW("Zo\xc3\xab"), 0), "Zo\xc3\xab");
    assert_string_equal(printed(VIEW("\xe6\xbc\xa2\xe5\xad\x97"), 3), "\xe6\xbc\xa2\xe2\x80\xa6"); // wide
    assert_string_equal(printed(VIEW("abcdef"), 4), "abc\xe2\x80\xa6");
}

static void tables_line_up_and_fit(void **unused)
{
    static const char *const titles[] = {"NAME", "E-MAIL", NULL};
    static char out[512];
    struct table table;
    (void)unused;
    FILE *file = fmemopen(out, sizeof(out), "w");
    assert_non_null(file);
    table_init(&table, file, titles);
    table.fit = 20;
    table_cell(&table, VIEW("zo\xc3\xab"));
    table_cell(&table, VIEW("zoe@example.org"));
    table_cell(&table, VIEW("bob"));
    table_cell(&table, VIEW("bob@a-very-long-name.example.org"));
    table_end(&table);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, "NAME  E-MAIL\n"
                             "zo\xc3\xab   zoe@example.o\xe2\x80\xa6\n"
                             "bob   bob@a-very-lo\xe2\x80\xa6\n");
}

static bool config_reads(struct cli_config *config, const char *text)
{
    *config = (struct cli_config){.file = "/etc/stayd/stayd.conf"};
    return cli_config_read(config, view_of_cstr(text));
}

static void the_data_folder_is_found(void **unused)
{
    struct cli_config config;
    (void)unused;
    static const struct {
        const char *text;
        const char *data_dir;
    } rows[] = {
        {"", "/var/lib/stayd"},
        {"data_dir = /srv/stayd\n", "/srv/stayd"},
        {"# data_dir = /no\n  data_dir=/srv/stayd # here\r\n", "/srv/stayd"},
        {"data_dir = \"/srv/my stayd#1\" # quoted\n", "/srv/my stayd#1"},
        {"data_dir = \"/a\\\"b\\\\c\"\n", "/a\"b\\c"},
        {"data_dir = var\n", "/etc/stayd/var"},
        {"data_dir = /srv/a#b\n", "/srv/a#b"},
        {"data_directory = /no\n[rule]\ndata_dir = /no\n", "/var/lib/stayd"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(config_reads(&config, rows[i].text));
        assert_string_equal(config.data_dir, rows[i].data_dir);
    }
    assert_false(config_reads(&config, "\ndata_dir = \"/srv\n"));
    assert_string_equal(config.problem, "/etc/stayd/stayd.conf:2: data_dir is not a path.");
    assert_false(config_reads(&config, "data_dir =\n"));
    assert_false(config_reads(&config, "data_dir"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(times_are_written),
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(tables_line_up_and_fit),
        cmocka_unit_test(the_data_folder_is_found),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    text_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
