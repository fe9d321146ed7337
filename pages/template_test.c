// SPDX-License-Identifier: ISC
// Tests of the template engine: what a value can't do, sections, times, bounds.
#include "pages/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

struct row {
    struct view name;
    int64_t at_s;
};

struct data {
    struct view text;
    struct view words;
    bool flag;
    uint64_t number;
    int64_t at_s;
    uint32_t bits;
    const struct row *rows;
    size_t row_count;
};

static const struct template_field row_fields[] = {
    TEMPLATE_FIELD(struct row, name),
    TEMPLATE_FIELD(struct row, at_s),
};
static const struct template_type row_type = TEMPLATE_TYPE(struct row, row_fields);
static const struct template_field fields[] = {
    TEMPLATE_FIELD(struct data, text),
    TEMPLATE_WORDS(struct data, words),
    TEMPLATE_FIELD(struct data, flag),
    TEMPLATE_FIELD(struct data, number),
    TEMPLATE_FIELD(struct data, at_s),
    TEMPLATE_BIT(struct data, "second_bit", bits, 2),
    TEMPLATE_LIST(struct data, rows, row_count, &row_type),
    TEMPLATE_ANY(struct data, "rows_any", row_count),
    TEMPLATE_MANY(struct data, "rows_many", row_count),
};
static const struct template_type type = TEMPLATE_TYPE(struct data, fields);

#define OP(kind, end, text)                                                                                  \
    {                                                                                                        \
        TEMPLATE_##kind, end,                                                                                \
        {                                                                                                    \
            (const uint8_t *)text, sizeof(text) - 1                                                          \
        }                                                                                                    \
    }
#define TEMPLATE_OF(ops) ((struct template){ops, sizeof(ops) / sizeof((ops)[0])})

static void assert_rendered(struct template template, const struct data *data, const char *expected)
{
    struct bytes out;
    bytes_init(&out, 4096);
    assert_true(template_check(&template, &type));
    assert_true(template_render(&out, &template, &type, data));
    assert_int_equal(out.size, strlen(expected));
    assert_memory_equal(out.data, expected, out.size);
    bytes_release(&out);
}

static void values_are_escaped(void **state)
{
    (void)state;
    static const struct template_op ops[] = {OP(TEXT, 0, "<p title=\""), OP(VALUE, 0, "text"),
                                             OP(TEXT, 0, "\">"), OP(QUERY, 0, "text")};
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("\"><script>'&")},
                    "<p title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\">%22%3E%3Cscript%3E%27%26");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("Zoë")}, "<p title=\"Zoë\">Zo%C3%AB");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){0}, "<p title=\"\">");
}

static void broken_text_is_replaced(void **state)
{
    (void)state;
    static const struct template_op ops[] = {OP(VALUE, 0, "text")};
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("a\xff\xc3")}, "a\ufffd\ufffd");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("\xc0\xbc")}, "\ufffd\ufffd");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("\xe2\x82<")}, "\ufffd\ufffd&lt;");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("a\0\x1b\x7f\n")}, "a\ufffd\ufffd\ufffd\n");
}

static void sections_follow_the_value(void **state)
{
    (void)state;
    static const struct template_op ops[] = {
        OP(SECTION, 2, "text"),        OP(TEXT, 0, "t"),       OP(END, 0, "text"),
        OP(INVERTED, 5, "flag"),       OP(TEXT, 0, "!f"),      OP(END, 0, "f"),
        OP(SECTION, 8, "number"),      OP(VALUE, 0, "number"), OP(END, 0, "number"),
        OP(SECTION, 11, "second_bit"), OP(TEXT, 0, "b"),       OP(END, 0, "second_bit"),
        OP(SECTION, 14, "at_s"),       OP(TEXT, 0, "@"),       OP(END, 0, "at_s"),
    };
    assert_rendered(TEMPLATE_OF(ops), &(struct data){0}, "!f");
    assert_rendered(TEMPLATE_OF(ops),
                    &(struct data){VIEW("x"), .flag = true, .number = 7, .at_s = 1, .bits = 2}, "t7b@");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.flag = true, .bits = 1}, "");
}

static void lists_repeat_and_see_outward(void **state)
{
    (void)state;
    static const struct template_op ops[] = {
        OP(SECTION, 5, "rows"),       OP(VALUE, 0, "name"), OP(TEXT, 0, "="),
        OP(VALUE, 0, "text"),         OP(TEXT, 0, ";"),     OP(END, 0, "rows"),
        OP(INVERTED, 8, "rows"),      OP(TEXT, 0, "none"),  OP(END, 0, "rows"),
        OP(SECTION, 11, "rows_many"), OP(TEXT, 0, "many"),  OP(END, 0, "rows_many"),
        OP(SECTION, 14, "rows_any"),  OP(TEXT, 0, "+"),     OP(END, 0, "rows_any"),
    };
    static const struct row rows[] = {{{(const uint8_t *)"a", 1}, 0}, {{(const uint8_t *)"<", 1}, 0}};
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("x"), .rows = rows, .row_count = 2},
                    "a=x;&lt;=x;many+");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.text = VIEW("x"), .rows = rows, .row_count = 1},
                    "a=x;+");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){0}, "none");
}

static void words_are_split(void **state)
{
    (void)state;
    static const struct template_op ops[] = {OP(SECTION, 4, "words"), OP(TEXT, 0, "["),
                                             OP(VALUE, 0, "word"),    OP(TEXT, 0, "]"),
                                             OP(END, 0, "words"),     OP(VALUE, 0, "words")};
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.words = VIEW("a, <b>,,c,")},
                    "[a][&lt;b&gt;][c]a, &lt;b&gt;,,c,");
    assert_rendered(TEMPLATE_OF(ops), &(struct data){0}, "");
}

static void assert_time(int64_t unix_s, const char *expected)
{
    static const struct template_op ops[] = {OP(TIME, 0, "at_s")};
    assert_rendered(TEMPLATE_OF(ops), &(struct data){.at_s = unix_s}, expected);
}

static void times_are_readable(void **state)
{
    (void)state;
    assert_time(1795214700, "<time datetime=\"2026-11-20T22:45:00Z\">2026-11-20 22:45 UTC</time>");
    assert_time(951782399, "<time datetime=\"2000-02-28T23:59:59Z\">2000-02-28 23:59 UTC</time>");
    assert_time(951868799, "<time datetime=\"2000-02-29T23:59:59Z\">2000-02-29 23:59 UTC</time>");
    assert_time(4107542400, "<time datetime=\"2100-03-01T00:00:00Z\">2100-03-01 00:00 UTC</time>");
    assert_time(-1, "<time datetime=\"1969-12-31T23:59:59Z\">1969-12-31 23:59 UTC</time>");
    assert_time(253402300799, "<time datetime=\"9999-12-31T23:59:59Z\">9999-12-31 23:59 UTC</time>");
    assert_time(0, "never");
    assert_time(INT64_MAX, "unknown");
    assert_time(INT64_MIN, "unknown");
}

static void the_bound_holds(void **state)
{
    (void)state;
    static const struct template_op ops[] = {OP(TEXT, 0, "1234"), OP(VALUE, 0, "text"), OP(TEXT, 0, "5678")};
    struct template template = TEMPLATE_OF(ops);
    struct data data = {.text = VIEW("<<")};
    for (size_t size_max = 0; size_max <= 16; size_max++) {
        struct bytes out;
        bytes_init(&out, size_max);
        assert_int_equal(template_render(&out, &template, &type, &data), size_max == 16);
        assert_true(out.size <= size_max);
        bytes_release(&out);
    }
}

static void mistakes_are_found(void **state)
{
    (void)state;
    static const struct template_op unknown[] = {OP(SECTION, 2, "flag"), OP(VALUE, 0, "missing"),
                                                 OP(END, 0, "flag")};
    static const struct template_op outside[] = {OP(VALUE, 0, "name")};
    static const struct template_op unfit[] = {OP(TIME, 0, "text")};
    static const struct template_op list[] = {OP(VALUE, 0, "rows")};
    assert_false(template_check(&TEMPLATE_OF(unknown), &type));
    assert_false(template_check(&TEMPLATE_OF(outside), &type));
    assert_false(template_check(&TEMPLATE_OF(unfit), &type));
    assert_false(template_check(&TEMPLATE_OF(list), &type));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_escaped),        cmocka_unit_test(broken_text_is_replaced),
        cmocka_unit_test(sections_follow_the_value), cmocka_unit_test(lists_repeat_and_see_outward),
        cmocka_unit_test(words_are_split),           cmocka_unit_test(times_are_readable),
        cmocka_unit_test(the_bound_holds),           cmocka_unit_test(mistakes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
