// SPDX-License-Identifier: ISC
// Unit tests of base/log: quoting, bounds, formats.
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static bool has(const struct log_line *line, const char *part)
{
    return memmem(line->text, line->size, part, strlen(part)) != NULL;
}

static void values_are_quoted_when_they_must_be(void **state)
{
    (void)state;
    struct log_line line;
    log_init("test", LOG_INFO, LOG_LOGFMT);
    log_begin(&line, LOG_INFO, "login");
    log_text(&line, "plain", "ada");
    log_text(&line, "spaced", "a b\"c\n");
    log_id(&line, "request", 0xabc);
    assert_true(has(&line, " event=login "));
    assert_true(has(&line, " plain=ada "));
    assert_true(has(&line, " spaced=\"a b\\\"c\\u000a\""));
    assert_true(has(&line, " request=0000000000000abc"));
}

static void json_is_one_object(void **state)
{
    (void)state;
    struct log_line line;
    log_init("test", LOG_INFO, LOG_JSON);
    log_begin(&line, LOG_WARNING, "x");
    log_u64(&line, "n", 7);
    log_view(&line, "raw", VIEW("\xff"));
    assert_true(line.text[0] == '{');
    assert_true(has(&line, ",\"n\":7,\"raw\":\"?\""));
}

static void a_long_value_is_cut(void **state)
{
    (void)state;
    static uint8_t big[10000];
    struct log_line line;
    memset(big, 'x', sizeof(big));
    log_init("test", LOG_INFO, LOG_JSON);
    log_begin(&line, LOG_INFO, "x");
    log_view(&line, "big", view_of(big, sizeof(big)));
    log_view(&line, "more", view_of(big, sizeof(big)));
    log_u64(&line, "number", 1);
    assert_true(line.size < LOG_LINE_MAX - 2);
    assert_true(has(&line, "x...\""));
}

static void addresses_are_readable(void **state)
{
    (void)state;
    char text[46];
    log_address_text((struct id16){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7}}, text);
    assert_string_equal(text, "203.0.113.7");
    log_address_text((struct id16){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, text);
    assert_string_equal(text, "2001:db8::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_quoted_when_they_must_be),
        cmocka_unit_test(json_is_one_object),
        cmocka_unit_test(a_long_value_is_cut),
        cmocka_unit_test(addresses_are_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
