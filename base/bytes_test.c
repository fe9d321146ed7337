// SPDX-License-Identifier: ISC
// Unit tests of base/bytes.
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void views_compare_and_cut(void **state)
{
    (void)state;
    struct view rest = VIEW("a,b,,c");
    assert_true(view_equal(view_cut(&rest, ','), VIEW("a")));
    assert_true(view_equal(view_cut(&rest, ','), VIEW("b")));
    assert_int_equal(view_cut(&rest, ',').size, 0);
    assert_true(view_equal(view_cut(&rest, ','), VIEW("c")));
    assert_int_equal(rest.size, 0);
    assert_true(view_equal_nocase(VIEW("Content-Length"), VIEW("content-LENGTH")));
    assert_true(view_equal(view_trim(VIEW(" \tx y\t ")), VIEW("x y")));
}

static void numbers_are_strict(void **state)
{
    (void)state;
    uint64_t value = 7;
    assert_true(view_to_u64(VIEW("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_false(view_to_u64(VIEW("18446744073709551616"), &value));
    assert_false(view_to_u64(VIEW("+1"), &value));
    assert_false(view_to_u64(VIEW(""), &value));
}

static void utf8_is_strict(void **state)
{
    (void)state;
    assert_true(view_is_utf8(VIEW("p\xc3\xa4ss\xf0\x9f\x94\x91")));
    assert_false(view_is_utf8(VIEW("\xc0\xaf")));
    assert_false(view_is_utf8(VIEW("\xed\xa0\x80")));
    assert_false(view_is_utf8(VIEW("\xf4\x90\x80\x80")));
    assert_false(view_is_utf8(VIEW("\xe2\x82")));
}

static void bytes_keep_their_bound(void **state)
{
    (void)state;
    struct bytes bytes;
    bytes_init(&bytes, 5);
    assert_true(bytes_append_view(&bytes, VIEW("abc")));
    assert_false(bytes_append_view(&bytes, VIEW("def")));
    assert_true(bytes.failed);
    assert_true(view_equal(bytes_view(&bytes), VIEW("abc")));
    assert_false(bytes_append_byte(&bytes, 'x'));
    bytes_reset(&bytes);
    assert_true(bytes_append_u64(&bytes, 10203));
    assert_true(view_equal(bytes_view(&bytes), VIEW("10203")));
    bytes_release(&bytes);
}

static void base64url_is_canonical(void **state)
{
    (void)state;
    uint8_t in[32], out[32];
    char text[44];
    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 37 + 5);
    }
    size_t size = base64url_encode(in, sizeof(in), text);
    assert_int_equal(size, 43);
    assert_true(base64url_decode(view_of(text, size), out, sizeof(out)));
    assert_memory_equal(in, out, sizeof(in));
    text[42] = (char)(text[42] + 1); // a bit outside the 32 bytes
    assert_false(base64url_decode(view_of(text, size), out, sizeof(out)));
    assert_false(base64url_decode(VIEW("AAA="), out, 2));
}

static void secrets_differ_wherever_they_do(void **state)
{
    (void)state;
    uint8_t a[21] = {0}, b[21] = {0};
    for (size_t size = 0; size <= sizeof(a); size++) {
        assert_true(equal_secret(a, b, size));
        for (size_t i = 0; i < size; i++) {
            b[i] = 0x80;
            assert_false(equal_secret(a, b, size));
            assert_true(equal_secret(a, b, i));
            b[i] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_compare_and_cut),  cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(utf8_is_strict),         cmocka_unit_test(bytes_keep_their_bound),
        cmocka_unit_test(base64url_is_canonical), cmocka_unit_test(secrets_differ_wherever_they_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
