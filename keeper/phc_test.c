// SPDX-License-Identifier: ISC
// Unit tests of keeper/phc, with cheap parameters.
#include "keeper/phc.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const struct phc_parameters cheap = {.memory_kib = 64, .passes = 1};

#define SALT   "c2FsdHNhbHRzYWx0c2FsdA"
#define DIGEST "ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGk"

static bool parses(struct view phc)
{
    struct phc_parameters parameters;
    return phc_parse(phc, &parameters);
}

static void a_made_hash_is_checked(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    char again[PHC_SIZE_MAX];
    assert_true(phc_make(VIEW("purple monkey dishwasher"), &cheap, phc));
    assert_int_equal(phc_verify(view_of_cstr(phc), VIEW("purple monkey dishwasher")), PHC_RIGHT);
    assert_int_equal(phc_verify(view_of_cstr(phc), VIEW("purple monkey dishwashes")), PHC_WRONG);
    assert_int_equal(phc_verify(view_of_cstr(phc), VIEW("")), PHC_WRONG);
    assert_true(phc_make(VIEW("purple monkey dishwasher"), &cheap, again));
    assert_string_not_equal(phc, again); // a salt of its own
}

// What libsodium itself stores and checks is what we check and store.
static void hashes_are_libsodiums(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    assert_int_equal(crypto_pwhash_str_alg(phc, "x", 1, 1, 65536, crypto_pwhash_ALG_ARGON2ID13), 0);
    assert_int_equal(phc_verify(view_of_cstr(phc), VIEW("x")), PHC_RIGHT);
    assert_true(phc_make(VIEW("y"), &cheap, phc));
    assert_int_equal(crypto_pwhash_str_verify(phc, "y", 1), 0);
}

static void parameters_are_read_and_compared(void **state)
{
    (void)state;
    struct phc_parameters parameters = {0};
    struct view phc = VIEW("$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" DIGEST);
    assert_true(phc_parse(phc, &parameters));
    assert_int_equal(parameters.memory_kib, 19456);
    assert_int_equal(parameters.passes, 2);
    assert_false(phc_needs_rehash(phc, &parameters));
    assert_true(phc_needs_rehash(phc, &(struct phc_parameters){.memory_kib = 19456, .passes = 3}));
    assert_true(phc_needs_rehash(phc, &(struct phc_parameters){.memory_kib = 65536, .passes = 2}));
    assert_false(phc_needs_rehash(VIEW("nonsense"), &parameters));
}

static void parsing_is_strict(void **state)
{
    (void)state;
    assert_true(parses(VIEW("$argon2id$v=19$m=64,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("")));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=1,p=1$" SALT)));
    assert_false(parses(VIEW("argon2id$v=19$m=64,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("x$argon2id$v=19$m=64,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2i$v=19$m=64,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=16$m=64,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$m=64,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$t=1,m=64,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=1,p=4$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=1,p=1,data=eA$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=064,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=+64,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=7,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=1048577,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=4294967360,t=1,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=0,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=65,p=1$" SALT "$" DIGEST)));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=1,p=1$" SALT "$" DIGEST "$")));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=1,p=1$" SALT "$" DIGEST "A")));
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=1,p=1$" SALT "==$" DIGEST)));
    // The last character carries bits that are not part of the salt.
    assert_false(parses(VIEW("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdB$" DIGEST)));
    assert_int_equal(phc_verify(VIEW("$2b$12$abc"), VIEW("x")), PHC_MALFORMED);
}

static void the_dummy_is_real_but_for_its_password(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    char other[PHC_SIZE_MAX];
    phc_make_dummy(&cheap, phc);
    phc_make_dummy(&cheap, other);
    assert_string_not_equal(phc, other);
    assert_true(parses(view_of_cstr(phc)));
    assert_false(phc_needs_rehash(view_of_cstr(phc), &cheap));
    assert_int_equal(phc_verify(view_of_cstr(phc), VIEW("x")), PHC_WRONG);
}

static void parameters_have_limits(void **state)
{
    (void)state;
    assert_true(phc_parameters_valid(&(struct phc_parameters){PHC_MEMORY_KIB_DEFAULT, PHC_PASSES_DEFAULT}));
    assert_false(phc_parameters_valid(&(struct phc_parameters){PHC_MEMORY_KIB_MIN - 1, 1}));
    assert_false(phc_parameters_valid(&(struct phc_parameters){PHC_MEMORY_KIB_MAX + 1, 1}));
    assert_false(phc_parameters_valid(&(struct phc_parameters){64, 0}));
    assert_false(phc_parameters_valid(&(struct phc_parameters){64, PHC_PASSES_MAX + 1}));
}

// Without memory nothing is known about the password: not "wrong", which would count against the user.
static void no_memory_is_not_a_wrong_password(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); // ThreadSanitizer itself needs more address space than the limit leaves
#endif
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {64 << 20, 64 << 20};
        char phc[PHC_SIZE_MAX];
        phc_make_dummy(&(struct phc_parameters){.memory_kib = 262144, .passes = 1}, phc);
        if (setrlimit(RLIMIT_AS, &limit) != 0) {
            _exit(2);
        }
        enum phc_verdict verdict = phc_verify(view_of_cstr(phc), VIEW("x"));
        struct phc_parameters large = {.memory_kib = 262144, .passes = 1};
        _exit(verdict == PHC_NO_MEMORY && !phc_make(VIEW("x"), &large, phc) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_made_hash_is_checked),
        cmocka_unit_test(hashes_are_libsodiums),
        cmocka_unit_test(parameters_are_read_and_compared),
        cmocka_unit_test(parsing_is_strict),
        cmocka_unit_test(the_dummy_is_real_but_for_its_password),
        cmocka_unit_test(parameters_have_limits),
        cmocka_unit_test(no_memory_is_not_a_wrong_password),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
