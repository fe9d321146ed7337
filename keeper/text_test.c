// SPDX-License-Identifier: ISC
// Unit tests of keeper/text.
#include "keeper/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_normal(struct view typed, struct view expected)
{
    struct secret normal = {0};
    assert_int_equal(text_normalise(typed, &normal), TEXT_OK);
    assert_true(view_equal(view_of(normal.data, normal.size), expected));
    secret_release(&normal);
}

static void assert_folded(struct view typed, struct view expected)
{
    struct secret folded = {0};
    assert_int_equal(text_fold(typed, &folded), TEXT_OK);
    assert_true(view_equal(view_of(folded.data, folded.size), expected));
    secret_release(&folded);
}

static void composed_and_decomposed_are_one(void **state)
{
    (void)state;
    assert_normal(VIEW("Gr\xc3\xbc\xc3\x9f"
                       "e"),
                  VIEW("Gr\xc3\xbc\xc3\x9f"
                       "e"));
    assert_normal(VIEW("Gru\xcc\x88\xc3\x9f"
                       "e"),
                  VIEW("Gr\xc3\xbc\xc3\x9f"
                       "e"));
    // A singleton: the Angstrom sign is the letter A with ring.
    assert_normal(VIEW("\xe2\x84\xab"), VIEW("\xc3\x85"));
    // Marks in either order (UAX 15, figure 5).
    assert_normal(VIEW("q\xcc\x87\xcc\xa3"), VIEW("q\xcc\xa3\xcc\x87"));
    // Hangul syllables.
    assert_normal(VIEW("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), VIEW("\xed\x95\x9c"));
}

static void compatible_characters_stay_distinct(void **state)
{
    (void)state;
    assert_normal(VIEW("\xef\xac\x81"), VIEW("\xef\xac\x81")); // the ligature fi
    assert_normal(VIEW("x\xc2\xb2"), VIEW("x\xc2\xb2"));       // superscript two
}

static void any_unicode_is_text(void **state)
{
    (void)state;
    assert_normal(VIEW(""), VIEW(""));
    assert_normal(VIEW(" \t "), VIEW(" \t "));
    assert_normal(VIEW("\xf0\x9f\x94\x91"), VIEW("\xf0\x9f\x94\x91"));
    assert_normal(VIEW("\xcd\xb8"), VIEW("\xcd\xb8")); // U+0378, not assigned yet
}

static void what_is_not_text_is_refused(void **state)
{
    (void)state;
    static uint8_t long_text[TEXT_BYTES_MAX + 1];
    struct secret normal = {0};
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(text_normalise(VIEW("a\0b"), &normal), TEXT_NOT_UTF8);
    assert_int_equal(text_normalise(VIEW("\xff"), &normal), TEXT_NOT_UTF8);
    assert_int_equal(text_normalise(VIEW("\xc0\x80"), &normal), TEXT_NOT_UTF8);
    assert_int_equal(text_normalise(VIEW("\xed\xa0\x80"), &normal), TEXT_NOT_UTF8);
    assert_int_equal(text_normalise(view_of(long_text, sizeof long_text), &normal), TEXT_TOO_LONG);
    assert_null(normal.data);
    assert_normal(view_of(long_text, TEXT_BYTES_MAX), view_of(long_text, TEXT_BYTES_MAX));
}

// Every text that is short enough has a normal form within the bound, also the one that grows most.
static void the_worst_growth_fits(void **state)
{
    (void)state;
    static uint8_t typed[TEXT_BYTES_MAX];
    struct secret out = {0};
    for (size_t i = 0; i + 2 <= sizeof typed; i += 2) {
        memcpy(typed + i, "\xce\x90", 2); // decomposes to three code points
    }
    assert_int_equal(text_fold(view_of(typed, sizeof typed), &out), TEXT_OK);
    secret_release(&out);
    for (size_t i = 0; i + 4 <= sizeof typed; i += 4) {
        memcpy(typed + i, "\xf0\x9d\x85\xa0", 4); // U+1D160 is three of four bytes in NFC
    }
    assert_int_equal(text_normalise(view_of(typed, sizeof typed), &out), TEXT_OK);
    assert_int_equal(out.size, TEXT_NORMAL_BYTES_MAX);
    secret_release(&out);
}

static void folding_ignores_case(void **state)
{
    (void)state;
    assert_folded(VIEW("PassWord"), VIEW("password"));
    assert_folded(VIEW("STRASSE"), VIEW("strasse"));
    assert_folded(VIEW("Stra\xc3\x9f"
                       "e"),
                  VIEW("strasse"));
    assert_folded(VIEW("\xd0\x9f\xd0\x90\xd0\xa0"), VIEW("\xd0\xbf\xd0\xb0\xd1\x80"));
}

static void characters_are_code_points(void **state)
{
    (void)state;
    assert_int_equal(text_characters(VIEW("")), 0);
    assert_int_equal(text_characters(VIEW("p\xc3\xa4ss\xf0\x9f\x94\x91")), 5);
}

static void monotonous_texts_are_seen(void **state)
{
    (void)state;
    assert_true(text_is_monotonous(VIEW("aaaaaaaa")));
    assert_true(text_is_monotonous(VIEW("hgfedcba")));
    assert_true(text_is_monotonous(VIEW("\xd0\xb0\xd0\xb1\xd0\xb2\xd0\xb3\xd0\xb4")));
    assert_true(text_is_monotonous(VIEW("\xf0\x9f\x98\x80\xf0\x9f\x94\x91\xf0\x9f\x98\x80\xf0\x9f\x94\x91")));
    assert_false(text_is_monotonous(VIEW("abcdefgi")));
    assert_false(text_is_monotonous(VIEW("110100100110101001011100101"))); // long: a real choice each time
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(composed_and_decomposed_are_one),
        cmocka_unit_test(compatible_characters_stay_distinct),
        cmocka_unit_test(any_unicode_is_text),
        cmocka_unit_test(what_is_not_text_is_refused),
        cmocka_unit_test(the_worst_growth_fits),
        cmocka_unit_test(folding_ignores_case),
        cmocka_unit_test(characters_are_code_points),
        cmocka_unit_test(monotonous_texts_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
