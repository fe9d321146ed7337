// SPDX-License-Identifier: ISC
// Unit tests of keeper/sha1: the examples of FIPS 180 and RFC 3174, and every length around a block.
#include "keeper/sha1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_digest(struct view message, const char *expected)
{
    uint8_t digest[SHA1_SIZE];
    char hex[2 * SHA1_SIZE + 1];
    sha1(message, digest);
    hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, expected);
}

static void published_examples(void **state)
{
    (void)state;
    static uint8_t million[1000000];
    memset(million, 'a', sizeof million);
    assert_digest(VIEW(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_digest(VIEW("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_digest(VIEW("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    assert_digest(view_of(million, sizeof million), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    assert_digest(VIEW("password"), "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8");
}

static void lengths_around_a_block(void **state)
{
    (void)state;
    static uint8_t message[130];
    memset(message, 'x', sizeof message);
    assert_digest(view_of(message, 55), "cef734ba81a024479e09eb5a75b6ddae62e6abf1");
    assert_digest(view_of(message, 56), "901305367c259952f4e7af8323f480d59f81335b");
    assert_digest(view_of(message, 63), "0ddc4e0cccd9a12850deb5abb0853a4425559fec");
    assert_digest(view_of(message, 64), "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
    assert_digest(view_of(message, 65), "78c741ddc482e4cdf8c474a0876347a0905b6233");
    assert_digest(view_of(message, 130), "d140171ce524e232cc2a6bf07cca693c533d73a1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(lengths_around_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
