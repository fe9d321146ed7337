// SPDX-License-Identifier: ISC
// Figures, wrapping, and what a terminal must not be told.
#include "watch/prose.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void figures(void **unused)
{
    const double unknown = (double)NAN;
    const struct {
        double number;
        const char *unit, *text;
    } rows[] = {{0.0421, "ms", "0.042 ms"}, {0.851, "ms", "0.85 ms"},
                {12.34, "ms", "12.3 ms"},   {840, "ms", "840 ms"},
                {3400, "ms", "3.40 s"},     {0.934, "share", "93.4 %"},
                {120.4, "/s", "120/s"},     {3, "", "3"},
                {2.5, NULL, "2.50"},        {unknown, "ms", "–"},
                {unknown, "share", "–"},    {1000000, "bytes", "1000000 bytes"}};
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[PROSE_FIGURE_SIZE];
        prose_figure(rows[i].number, rows[i].unit, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void spans(void **unused)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "0 ms"}, {850, "850 ms"}, {4200, "4.2 s"}, {185000, "3 min 5 s"}, {7800000, "2 h 10 min"}};
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[PROSE_FIGURE_SIZE];
        prose_span(rows[i].ms, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void lines_fit_a_terminal(void **unused)
{
    struct bytes out;
    char text[1200] = "";
    (void)unused;
    for (unsigned i = 0; i < 60; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "wörd%u ", i);
    }
    bytes_init(&out, 65536);
    prose_wrap(&out, "  - ", 4, text);
    struct view rest = bytes_view(&out);
    unsigned lines = 0;
    while (rest.size > 0) {
        char line[256];
        assert_true(view_to_cstr(view_cut(&rest, '\n'), line, sizeof(line)));
        assert_true(prose_columns(line) <= PROSE_WIDTH);
        assert_int_equal(strncmp(line, lines == 0 ? "  - w" : "    w", 5), 0);
        lines++;
    }
    assert_true(lines > 3);
    bytes_release(&out);
}

static void a_terminal_is_not_steered(void **unused)
{
    struct bytes out;
    (void)unused;
    bytes_init(&out, 1024);
    prose_clean(&out, "a\033[31mb\n\x7f");
    assert_true(view_equal(bytes_view(&out), VIEW("a [31mb  ")));
    bytes_reset(&out);
    prose_wrap(&out, "", 0, "a\033c \r\nb");
    assert_true(view_equal(bytes_view(&out), VIEW("a c b\n")));
    bytes_reset(&out);
    prose_wrap(&out, "x ", 2, NULL);
    assert_true(view_equal(bytes_view(&out), VIEW("x \n")));
    bytes_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures), cmocka_unit_test(spans),
                                       cmocka_unit_test(lines_fit_a_terminal),
                                       cmocka_unit_test(a_terminal_is_not_steered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
