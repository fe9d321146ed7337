// SPDX-License-Identifier: ISC
// Unit tests of keeper/hash_memory: libsodium computes the same in memory that another hash has used, from as
// many threads as there are, and what is kept can be given back.
#include "keeper/hash_memory.h"

#include "base/bytes.h"

#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define MIB ((size_t)1 << 20)

enum { THREADS = 6, ROUNDS = 5, DIGEST = 32 };

static void digest_of(const char *password, size_t memory, uint8_t digest[DIGEST])
{
    static const uint8_t salt[crypto_pwhash_SALTBYTES] = "a salt for tests";
    assert_int_equal(crypto_pwhash(digest, DIGEST, password, strlen(password), salt, 1, memory,
                                   crypto_pwhash_ALG_ARGON2ID13),
                     0);
}

static size_t resident(void)
{
    struct view text, pages;
    uint64_t count = 0;
    uint8_t line[128];
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    text = view_of(line, fread(line, 1, sizeof(line), file));
    (void)fclose(file);
    (void)view_cut(&text, ' ');
    pages = view_cut(&text, ' ');
    assert_true(view_to_u64(pages, &count));
    return count * 4096;
}

static void what_a_hash_left_changes_nothing(void **state)
{
    (void)state;
    uint8_t first[DIGEST], other[DIGEST], again[DIGEST];
    digest_of("one", 19 * MIB, first);
    digest_of("two", 19 * MIB, other);
    digest_of("one", 19 * MIB, again);
    assert_memory_equal(first, again, DIGEST);
    assert_memory_not_equal(first, other, DIGEST);
    hash_memory_release();
    digest_of("one", 19 * MIB, again);
    assert_memory_equal(first, again, DIGEST);
}

static void sizes_may_change(void **state)
{
    (void)state;
    uint8_t expected[2][DIGEST], digest[DIGEST];
    hash_memory_release();
    digest_of("one", 8 * MIB, expected[0]);
    hash_memory_release();
    digest_of("one", 80 * MIB, expected[1]);
    for (unsigned i = 0; i < 6; i++) {
        digest_of("one", i % 2 == 0 ? 8 * MIB : 80 * MIB, digest);
        assert_memory_equal(digest, expected[i % 2], DIGEST);
    }
}

static void *hash_often(void *argument)
{
    const uint8_t *expected = argument;
    uint8_t digest[DIGEST];
    for (unsigned i = 0; i < ROUNDS; i++) {
        digest_of("one", 8 * MIB, digest);
        if (memcmp(digest, expected, DIGEST) != 0) {
            return argument;
        }
        if (i == 2) {
            hash_memory_release();
        }
    }
    return NULL;
}

static void threads_have_each_their_own(void **state)
{
    (void)state;
    pthread_t thread[THREADS];
    uint8_t expected[DIGEST];
    digest_of("one", 8 * MIB, expected);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, hash_often, expected), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(thread[i], &wrong), 0);
        assert_null(wrong);
    }
}

static void what_is_kept_is_given_back(void **state)
{
    (void)state;
    uint8_t digest[DIGEST];
    hash_memory_release();
    size_t before = resident();
    digest_of("one", 32 * MIB, digest);
    size_t kept = resident();
    hash_memory_release();
    size_t after = resident();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(kept > before + 31 * MIB);
#endif
    assert_true(after < before + 4 * MIB);
    (void)kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_hash_left_changes_nothing),
        cmocka_unit_test(sizes_may_change),
        cmocka_unit_test(threads_have_each_their_own),
        cmocka_unit_test(what_is_kept_is_given_back),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
