// SPDX-License-Identifier: ISC
// Unit tests of http/form: queries, forms and cookies.
#include "http/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_pair(struct http_form *form, const char *name, const char *value)
{
    struct view got_name, got_value;
    assert_true(http_form_next(form, &got_name, &got_value));
    assert_true(view_equal(got_name, view_of_cstr(name)));
    assert_true(view_equal(got_value, view_of_cstr(value)));
}

static void pairs_come_in_order(void **state)
{
    (void)state;
    uint8_t scratch[128];
    struct http_form form;
    struct view name, value;
    http_form_init(&form, VIEW("&b=1&a=x+y%2Bz%26%3d&b=2&&flag&=v&e=&q=a=b&u=p%C3%A4ss;%21&"), scratch);
    assert_pair(&form, "b", "1");
    assert_pair(&form, "a", "x y+z&=");
    assert_pair(&form, "b", "2");
    assert_pair(&form, "flag", "");
    assert_pair(&form, "", "v");
    assert_pair(&form, "e", "");
    assert_pair(&form, "q", "a=b");
    assert_pair(&form, "u", "p\xc3\xa4ss;!");
    assert_false(http_form_next(&form, &name, &value));
    assert_false(form.malformed);
}

static void decoding_in_place_works(void **state)
{
    (void)state;
    uint8_t text[] = "%61%62=%63&d=+&%65";
    struct http_form form;
    struct view name, value;
    http_form_init(&form, view_of(text, sizeof(text) - 1), text);
    assert_pair(&form, "ab", "c");
    assert_pair(&form, "d", " ");
    assert_pair(&form, "e", "");
    assert_false(http_form_next(&form, &name, &value));
    http_form_init(&form, (struct view){NULL, 0}, NULL);
    assert_false(http_form_next(&form, &name, &value));
}

static void malformed_forms_end(void **state)
{
    (void)state;
    static const struct view bad[] = {
        VIEW("a=%"),         VIEW("a=%4"),  VIEW("a=%4x"),      VIEW("%zz=a"),       VIEW("a=b c"),
        VIEW("a=b\r\n"),     VIEW("a=%00"), VIEW("a=\xc3\xa4"), VIEW("a=%c0%af"),    VIEW("%ff=a"),
        VIEW("a=%c3&b=%a4"), VIEW("a\0=b"), VIEW("a=\x7f"),     VIEW("a=%ed%a0%80"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t scratch[32];
        struct http_form form;
        struct view name, value;
        http_form_init(&form, bad[i], scratch);
        while (http_form_next(&form, &name, &value)) {
        }
        assert_true(form.malformed);
        assert_false(http_form_next(&form, &name, &value));
        assert_int_equal(http_form_find(bad[i], VIEW("a"), scratch, &value), HTTP_FOUND_MALFORMED);
    }
}

static void pairs_are_bounded(void **state)
{
    (void)state;
    uint8_t text[2 * (HTTP_FORM_PAIRS_MAX + 1)], scratch[sizeof(text)];
    for (size_t i = 0; i < sizeof(text); i += 2) {
        text[i] = 'a';
        text[i + 1] = '&';
    }
    struct view value;
    struct view fits = view_of(text, 2 * HTTP_FORM_PAIRS_MAX);
    assert_int_equal(http_form_find(fits, VIEW("b"), scratch, &value), HTTP_FOUND_NONE);
    assert_int_equal(http_form_find(view_of(text, sizeof(text)), VIEW("b"), scratch, &value),
                     HTTP_FOUND_MALFORMED);
}

static void one_field_is_found(void **state)
{
    (void)state;
    uint8_t scratch[64];
    struct view value;
    struct view query = VIEW("rd=https%3A%2F%2Fa%2F&mode=redirect&x=1&x=2");
    assert_int_equal(http_form_find(query, VIEW("rd"), scratch, &value), HTTP_FOUND_ONE);
    assert_true(view_equal(value, VIEW("https://a/")));
    assert_int_equal(http_form_find(query, VIEW("RD"), scratch, &value), HTTP_FOUND_NONE);
    assert_int_equal(http_form_find(query, VIEW("x"), scratch, &value), HTTP_FOUND_SEVERAL);
}

static void cookies_are_found_by_exact_name(void **state)
{
    (void)state;
    static const struct {
        struct view header;
        enum http_found found;
        struct view value;
    } cases[] = {
        {VIEW("stayd=abc"), HTTP_FOUND_ONE, VIEW("abc")},
        {VIEW("a=b; stayd=abc; c=d"), HTTP_FOUND_ONE, VIEW("abc")},
        {VIEW("a=b;stayd=abc;"), HTTP_FOUND_ONE, VIEW("abc")},
        {VIEW("stayd="), HTTP_FOUND_ONE, VIEW("")},
        {VIEW("stayd=a=b"), HTTP_FOUND_ONE, VIEW("a=b")},
        {VIEW("stayd=\"a\""), HTTP_FOUND_ONE, VIEW("\"a\"")},
        {VIEW("xstayd=a; staydx=b; Stayd=c; stayd; =stayd; x=stayd=1"), HTTP_FOUND_NONE, {NULL, 0}},
        {VIEW("stayd =a"), HTTP_FOUND_NONE, {NULL, 0}},
        {VIEW("__Host-stayd=a"), HTTP_FOUND_NONE, {NULL, 0}},
        {VIEW(""), HTTP_FOUND_NONE, {NULL, 0}},
        {VIEW("stayd=a; stayd=b"), HTTP_FOUND_SEVERAL, VIEW("b")},
        {VIEW("stayd=a; x=y; stayd=a; stayd=a"), HTTP_FOUND_SEVERAL, VIEW("a")},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct view value = {NULL, 0};
        assert_int_equal(http_cookie_find(cases[i].header, VIEW("stayd"), &value), cases[i].found);
        assert_true(view_equal(value, cases[i].value));
    }
}

static enum http_found cookie_in(struct view text, struct view *value)
{
    struct http_request request;
    size_t consumed;
    http_request_reset(&request);
    assert_int_equal(http_parse_head(&request, text, &http_limits_default, &consumed), HTTP_DONE);
    return http_request_cookie(&request, VIEW("stayd"), value);
}

static void cookies_are_counted_over_all_headers(void **state)
{
    (void)state;
    struct view value;
    assert_int_equal(cookie_in(VIEW("GET / HTTP/1.0\r\n\r\n"), &value), HTTP_FOUND_NONE);
    assert_int_equal(cookie_in(VIEW("GET / HTTP/1.0\r\nCookie: stayd=a\r\n\r\n"), &value), HTTP_FOUND_ONE);
    assert_int_equal(cookie_in(VIEW("GET / HTTP/1.0\r\nCookie: x=y\r\ncookie: stayd=a\r\n\r\n"), &value),
                     HTTP_FOUND_ONE);
    assert_true(view_equal(value, VIEW("a")));
    assert_int_equal(cookie_in(VIEW("GET / HTTP/1.0\r\nCookie: stayd=a\r\nCookie: stayd=b\r\n\r\n"), &value),
                     HTTP_FOUND_SEVERAL);
    assert_int_equal(
        cookie_in(VIEW("GET / HTTP/1.0\r\nCookie: x=y\r\nCookie: stayd=a;stayd=b\r\n\r\n"), &value),
        HTTP_FOUND_SEVERAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_in_order),
        cmocka_unit_test(decoding_in_place_works),
        cmocka_unit_test(malformed_forms_end),
        cmocka_unit_test(pairs_are_bounded),
        cmocka_unit_test(one_field_is_found),
        cmocka_unit_test(cookies_are_found_by_exact_name),
        cmocka_unit_test(cookies_are_counted_over_all_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
