// SPDX-License-Identifier: ISC
// Unit tests of keeper/job and keeper/settings, with cheap hashes.
#include "keeper/job.h"
#include "base/clock.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static struct wire_hash_config config = {.workers = 1, .memory_kib = 64, .time = 1};
static struct settings *settings;

static struct job seal(enum job_kind kind, struct view password)
{
    struct job job = {.kind = kind, .settings = settings, .deadline_ns = UINT64_MAX};
    assert_int_equal(crypto_box_seal(job.sealed, password.data, password.size, config.public_key.byte), 0);
    job.sealed_size = password.size + crypto_box_SEALBYTES;
    return job;
}

static enum wire_hash_verdict check(const char *stored, struct view password)
{
    struct job job = seal(JOB_VERIFY, password);
    snprintf(job.stored, sizeof job.stored, "%s", stored);
    job_run(&job);
    return job.verdict;
}

static void make(struct view password, char phc[PHC_SIZE_MAX])
{
    struct job job = seal(JOB_NEW, password);
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_OK);
    assert_string_equal(job.advice, "");
    memcpy(phc, job.phc, PHC_SIZE_MAX);
}

static void a_new_password_is_hashed_and_checked(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    make(VIEW("gray wind sings nowhere"), phc);
    assert_int_equal(check(phc, VIEW("gray wind sings nowhere")), WIRE_HASH_OK);
    assert_int_equal(check(phc, VIEW("gray wind sings somewhere")), WIRE_HASH_WRONG);
    assert_int_equal(check(phc, VIEW("")), WIRE_HASH_WRONG);
}

static void the_same_text_is_the_same_password(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    make(VIEW("Gr\xc3\xbcner Tee am Morgen"), phc);
    assert_int_equal(check(phc, VIEW("Gru\xcc\x88ner Tee am Morgen")), WIRE_HASH_OK);
}

static void an_unknown_user_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(check("", VIEW("gray wind sings nowhere")), WIRE_HASH_WRONG);
}

static void what_can_not_be_opened_is_bad(void **state)
{
    (void)state;
    struct job job = seal(JOB_VERIFY, VIEW("x"));
    job.sealed[40] ^= 1;
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_BAD);
    job = seal(JOB_NEW, VIEW("x"));
    job.sealed_size = crypto_box_SEALBYTES - 1;
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_BAD);
    assert_int_equal(check("", VIEW("\xff\xff")), WIRE_HASH_BAD);
    assert_int_equal(check("", VIEW("a\0b")), WIRE_HASH_BAD);
}

static void the_longest_password_is_taken(void **state)
{
    (void)state;
    static uint8_t text[WIRE_PASSWORD_MAX];
    char phc[PHC_SIZE_MAX];
    memset(text, ' ', sizeof text);
    memcpy(text, "kv9#mQ2!wLx$", 12);
    make(view_of(text, sizeof text), phc);
    assert_int_equal(check(phc, view_of(text, sizeof text)), WIRE_HASH_OK);
    assert_int_equal(check(phc, view_of(text, sizeof text - 1)), WIRE_HASH_WRONG);
}

static void a_weak_password_gets_advice_and_no_hash(void **state)
{
    (void)state;
    struct job job = seal(JOB_NEW, VIEW("babbage1843"));
    snprintf(job.username, sizeof job.username, "ada");
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_WEAK);
    assert_non_null(strstr(job.advice, "name of this service"));
    assert_string_equal(job.phc, "");
}

static void changed_parameters_give_a_new_hash(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    make(VIEW("gray wind sings nowhere"), phc);
    struct settings *before = settings;
    struct wire_hash_config dearer = config;
    dearer.memory_kib = 128;
    settings = settings_copy(before);
    assert_non_null(settings);
    assert_true(settings_configure(settings, &dearer));

    struct job job = seal(JOB_VERIFY, VIEW("gray wind sings nowhere"));
    memcpy(job.stored, phc, sizeof phc);
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_OK);
    assert_non_null(strstr(job.phc, "m=128,"));
    assert_int_equal(check(job.phc, VIEW("gray wind sings nowhere")), WIRE_HASH_OK);

    job = seal(JOB_VERIFY, VIEW("wrong"));
    memcpy(job.stored, phc, sizeof phc);
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_WRONG);
    assert_string_equal(job.phc, "");
    settings_leave(&settings);
    settings = before;
}

static void a_damaged_stored_hash_is_wrong_and_noted(void **state)
{
    (void)state;
    struct job job = seal(JOB_VERIFY, VIEW("x"));
    snprintf(job.stored, sizeof job.stored, "$2b$12$not.ours");
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_WRONG);
    assert_true(job.stored_malformed);
}

static void a_late_job_costs_nothing(void **state)
{
    (void)state;
    struct job job = seal(JOB_VERIFY, VIEW("x"));
    job.deadline_ns = clock_mono_ns();
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_UNAVAILABLE);
}

static int list_of(const char *password)
{
    uint8_t keys[1][COMMON_KEY_SIZE];
    int fd = memfd_create("list", MFD_CLOEXEC);
    common_key(view_of_cstr(password), keys[0]);
    assert_true(common_write(fd, keys, 1));
    return fd;
}

static bool listed(const char *password)
{
    struct job job = seal(JOB_NEW, view_of_cstr(password));
    job_run(&job);
    return job.verdict == WIRE_HASH_WEAK;
}

static void lists_come_and_go(void **state)
{
    (void)state;
    struct settings *before = settings;
    settings = settings_copy(before);
    assert_int_equal(settings_add_list(settings, VIEW("a"), list_of("gray wind sings")), COMMON_OK);
    assert_int_equal(settings_add_list(settings, VIEW("b"), list_of("white rain falls")), COMMON_OK);
    assert_true(listed("gray wind sings"));
    assert_true(listed("White Rain falls"));

    struct settings *next = settings_copy(settings);
    settings_leave(&settings);
    settings = next;
    assert_true(listed("gray wind sings")); // the copy has descriptors of its own
    assert_int_equal(settings_add_list(settings, VIEW("a"), list_of("black snow melts")), COMMON_OK);
    assert_int_equal(settings->list_count, 2);
    assert_false(listed("gray wind sings"));
    assert_true(listed("black snow melts"));
    settings_remove_list(settings, VIEW("a"));
    settings_remove_list(settings, VIEW("none"));
    assert_false(listed("black snow melts"));
    assert_true(listed("white rain falls"));

    for (int i = 1; i < RULES_LISTS_MAX; i++) {
        char name[2] = {(char)('c' + i), 0};
        assert_int_equal(settings_add_list(settings, view_of_cstr(name), list_of("x")), COMMON_OK);
    }
    assert_int_equal(settings_add_list(settings, VIEW("one too many"), list_of("x")), COMMON_UNREADABLE);
    settings_leave(&settings);
    settings = before;
}

static void without_its_list_no_password_is_set_but_all_are_checked(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    struct settings *before = settings;
    make(VIEW("gray wind sings"), phc);
    settings = settings_copy(before);
    settings_add_unusable_list(settings, VIEW("a"));
    struct settings *next = settings_copy(settings);
    settings_leave(&settings);
    settings = next;
    struct job job = seal(JOB_NEW, VIEW("gray wind sings"));
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_UNAVAILABLE);
    assert_int_equal(check(phc, VIEW("gray wind sings")), WIRE_HASH_OK);
    assert_int_equal(settings_add_list(settings, VIEW("a"), list_of("x")), COMMON_OK);
    job = seal(JOB_NEW, VIEW("gray wind sings"));
    job_run(&job);
    assert_int_equal(job.verdict, WIRE_HASH_OK);
    settings_leave(&settings);
    settings = before;
}

static void impossible_parameters_are_refused(void **state)
{
    (void)state;
    struct wire_hash_config impossible = config;
    struct settings *copy = settings_copy(settings);
    impossible.memory_kib = 1;
    assert_false(settings_configure(copy, &impossible));
    assert_int_equal(copy->parameters.memory_kib, config.memory_kib);
    settings_leave(&copy);
}

static int set_up(void **state)
{
    (void)state;
    config.service = VIEW("login.babbage.example");
    crypto_box_keypair(config.public_key.byte, config.secret_key.byte);
    settings = settings_new();
    return settings != NULL && settings_configure(settings, &config) ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    settings_leave(&settings);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_password_is_hashed_and_checked),
        cmocka_unit_test(the_same_text_is_the_same_password),
        cmocka_unit_test(an_unknown_user_is_wrong),
        cmocka_unit_test(what_can_not_be_opened_is_bad),
        cmocka_unit_test(the_longest_password_is_taken),
        cmocka_unit_test(a_weak_password_gets_advice_and_no_hash),
        cmocka_unit_test(changed_parameters_give_a_new_hash),
        cmocka_unit_test(a_damaged_stored_hash_is_wrong_and_noted),
        cmocka_unit_test(a_late_job_costs_nothing),
        cmocka_unit_test(lists_come_and_go),
        cmocka_unit_test(without_its_list_no_password_is_set_but_all_are_checked),
        cmocka_unit_test(impossible_parameters_are_refused),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, set_up, tear_down);
}
