// SPDX-License-Identifier: ISC
// Unit tests of keeper/rules: real passwords, good and bad, with the reason that their owner is told.
#include "keeper/rules.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct rules_context ada = {
    .user_name = {(const uint8_t *)"ada.lovelace", 12},
    .email = {(const uint8_t *)"countess@analytical-engine.example", 34},
    .service = {(const uint8_t *)"login.babbage.example", 21},
};

static struct common built;
static struct rules rules;

static struct rules_finding judge(struct view typed)
{
    struct rules_finding finding;
    struct secret normal = {0};
    rules_judge(&rules, typed, &ada, &normal, &finding);
    assert_int_equal(normal.data != NULL, finding.verdict == RULES_ACCEPTED);
    assert_int_equal(finding.advice[0] == 0, finding.verdict == RULES_ACCEPTED);
    secret_release(&normal);
    return finding;
}

static void assert_refused(const char *typed, enum rules_verdict verdict, const char *reason)
{
    struct rules_finding finding = judge(view_of_cstr(typed));
    if (finding.verdict != verdict || strstr(finding.advice, reason) == NULL) {
        fail_msg("%s: verdict %d, advice: %s", typed, (int)finding.verdict, finding.advice);
    }
}

static void assert_accepted(const char *typed)
{
    struct rules_finding finding = judge(view_of_cstr(typed));
    if (finding.verdict != RULES_ACCEPTED) {
        fail_msg("%s: verdict %d, advice: %s", typed, (int)finding.verdict, finding.advice);
    }
}

static void good_passwords_of_every_kind_are_accepted(void **state)
{
    (void)state;
    assert_accepted("correct horse battery staple");
    assert_accepted("my dog is brown");
    assert_accepted("x7Gk2pQz");
    assert_accepted("kv9#mQ2!wLx");
    assert_accepted("four-legged-purple-teapots");
    assert_accepted("moj pas Reks je rjav");
    assert_accepted("\xd0\xbc\xd0\xbe\xd1\x8f \xd1\x81\xd0\xbe\xd0\xb1\xd0\xb0\xd0\xba\xd0\xb0 "
                    "\xd1\x80\xd1\x8b\xd0\xb6\xd0\xb0\xd1\x8f");
    assert_accepted("\xe7\xa7\x81\xe3\x81\xae\xe7\x8a\xac\xe3\x81\xaf\xe8\x8c\xb6\xe8\x89\xb2\xe3\x81\x84\xe3"
                    "\x81\xa7\xe3\x81\x99");
    assert_accepted("\xf0\x9f\x90\x95\xf0\x9f\x9f\xa4\xf0\x9f\x94\x91\xf0\x9f\x8c\x8d\xf0\x9f\x8e\xbb\xf0\x9f"
                    "\x8d\x8b\xf0\x9f\x9a\x80\xe2\x98\x82");
    // No composition rules: neither digits nor capitals nor symbols are asked for, and spaces count.
    assert_accepted("gray wind sings nowhere");
}

static void common_passwords_are_refused(void **state)
{
    (void)state;
    if (rules.list_count == 0) {
        skip();
    }
    assert_refused("password", RULES_COMMON, "attackers try first");
    assert_refused("PASSWORD", RULES_COMMON, "attackers try first");
    assert_refused("iloveyou", RULES_COMMON, "attackers try first");
    assert_refused("12345678", RULES_COMMON, "attackers try first");
    assert_refused("Abernathy", RULES_COMMON, "attackers try first");
}

static void guessable_passwords_get_their_reason(void **state)
{
    (void)state;
    assert_refused("Password1!", RULES_GUESSABLE, "common word");
    assert_refused("P@ssw0rd!!", RULES_GUESSABLE, "substitutions");
    assert_refused("Summer2024!", RULES_GUESSABLE, "common word");
    assert_refused("aaaaaaaaaaaa", RULES_GUESSABLE, "Repeated");
    assert_refused("xyxyxyxyxyxyxyxy", RULES_GUESSABLE, "Repeated");
    assert_refused("abcdefghijk", RULES_GUESSABLE, "sequences");
    assert_refused("zxcvbnm,./", RULES_GUESSABLE, "qwerty");
    assert_refused("20.11.1984", RULES_GUESSABLE, "Dates");
    assert_refused("\xd0\xb0\xd0\xb1\xd0\xb2\xd0\xb3\xd0\xb4\xd0\xb5\xd0\xb6\xd0\xb7", RULES_GUESSABLE,
                   "sequences");
}

static void what_belongs_to_the_account_is_refused(void **state)
{
    (void)state;
    assert_refused("ada.lovelace", RULES_PERSONAL, "your user name");
    assert_refused("AdaLovelace1", RULES_PERSONAL, "your user name");
    assert_refused("lovelace1815", RULES_PERSONAL, "your user name");
    assert_refused("countess@analytical-engine.example", RULES_PERSONAL, "your user name");
    assert_refused("babbage2024", RULES_PERSONAL, "name of this service");
    // The same for somebody else is not personal.
    struct rules_finding finding;
    struct secret normal = {0};
    rules_judge(&rules, VIEW("zqtlovvelazze"), &(struct rules_context){0}, &normal, &finding);
    assert_int_equal(finding.verdict, RULES_ACCEPTED);
    secret_release(&normal);
}

static void length_is_counted_in_characters(void **state)
{
    (void)state;
    assert_refused("", RULES_TOO_SHORT, "8 characters");
    assert_refused("x7Gk2pQ", RULES_TOO_SHORT, "8 characters");
    assert_refused("\xf0\x9f\x94\x91\xf0\x9f\x90\x95\xf0\x9f\x9f\xa4\xf0\x9f\x8c\x8d", RULES_TOO_SHORT,
                   "8 characters");
    // Eight as typed, seven after composition.
    assert_refused("x7Gk2pu\xcc\x88", RULES_TOO_SHORT, "8 characters");
}

static void long_passwords_are_taken_whole(void **state)
{
    (void)state;
    static uint8_t text[TEXT_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    assert_int_equal(judge(view_of(text, TEXT_BYTES_MAX)).verdict, RULES_GUESSABLE);
    assert_int_equal(judge(view_of(text, TEXT_BYTES_MAX + 1)).verdict, RULES_TOO_LONG);
    // The strength may be at the end.
    memcpy(text + TEXT_BYTES_MAX - 12, "kv9#mQ2!wLx$", 12);
    assert_int_equal(judge(view_of(text, TEXT_BYTES_MAX)).verdict, RULES_ACCEPTED);
}

static void what_can_not_be_typed_is_refused(void **state)
{
    (void)state;
    assert_int_equal(judge(VIEW("good\0password")).verdict, RULES_NOT_TEXT);
    assert_int_equal(judge(VIEW("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8")).verdict, RULES_NOT_TEXT);
}

// A list that fails must not let its passwords through.
static void an_unreadable_list_is_unavailable(void **state)
{
    (void)state;
    struct common broken;
    common_init_unknown(&broken);
    struct rules with_broken = {.lists = {&broken}, .list_count = 1};
    struct rules_finding finding;
    struct secret normal = {0};
    rules_judge(&with_broken, VIEW("kv9#mQ2!wLx"), &ada, &normal, &finding);
    assert_int_equal(finding.verdict, RULES_UNAVAILABLE);
    assert_null(normal.data);
}

static void advice_never_repeats_the_password(void **state)
{
    (void)state;
    assert_null(strstr(judge(VIEW("Summer2024!")).advice, "ummer"));
    assert_null(strstr(judge(VIEW("lovelace1815")).advice, "lovelace"));
}

static int open_built(void **state)
{
    (void)state;
    const char *path = getenv("STAYD_COMMON_PASSWORDS");
    if (path != NULL && common_init(&built, open(path, O_RDONLY | O_CLOEXEC)) == COMMON_OK) {
        rules.lists[rules.list_count++] = &built;
    }
    return 0;
}

static int close_built(void **state)
{
    (void)state;
    if (rules.list_count > 0) {
        common_release(&built);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_passwords_of_every_kind_are_accepted),
        cmocka_unit_test(common_passwords_are_refused),
        cmocka_unit_test(guessable_passwords_get_their_reason),
        cmocka_unit_test(what_belongs_to_the_account_is_refused),
        cmocka_unit_test(length_is_counted_in_characters),
        cmocka_unit_test(long_passwords_are_taken_whole),
        cmocka_unit_test(what_can_not_be_typed_is_refused),
        cmocka_unit_test(an_unreadable_list_is_unavailable),
        cmocka_unit_test(advice_never_repeats_the_password),
    };
    return cmocka_run_group_tests(tests, open_built, close_built);
}
