// SPDX-License-Identifier: ISC
// A session's life as the audit trail tells it, newest row first.
#include "cli/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define ID   "vOka1nUp4wfJJHl30y5-sg"
#define MARK "0123456789abcdef"
#define MADE "session " ID " mark " MARK

struct event {
    uint64_t time;
    const char *event, *user, *actor, *outcome, *detail;
};

static struct life told(const struct event *events, size_t count, const char *user)
{
    struct life life = {.id = ID, .mark = ""};
    snprintf(life.user, sizeof(life.user), "%s", user);
    if (user[0] != '\0') {
        snprintf(life.mark, sizeof(life.mark), "%s", MARK);
    }
    for (size_t i = 0; i < count; i++) {
        struct wire_audit_row row = {.time = events[i].time,
                                     .event = view_of_cstr(events[i].event),
                                     .username = view_of_cstr(events[i].user),
                                     .actor = view_of_cstr(events[i].actor),
                                     .outcome = view_of_cstr(events[i].outcome),
                                     .detail = view_of_cstr(events[i].detail)};
        if (life_take(&life, &row)) {
            break;
        }
    }
    return life;
}

static void each_end_has_its_words(void **unused)
{
    static const struct {
        struct event end;
        const char *why; // "": this did not end it
    } rows[] = {
        {{9, "session_end", "ada", "ada", "granted", "log-out, mark " MARK}, "logged out, by the user"},
        {{9, "session_end", "ada", "ada", "granted", "log-out, mark fedcba9876543210"}, ""},
        {{9, "session_end", "ada", "stayctl", "granted", "one, mark " MARK},
         "this session was ended, by stayctl"},
        {{9, "session_end", "ada", "bob", "granted", "one, mark " MARK},
         "this session was ended, by administrator bob"},
        {{9, "session_end", "ada", "ada", "granted", "all others, kept mark " MARK}, ""},
        {{9, "session_end", "ada", "ada", "not_durable_yet", "all others, kept mark fedcba9876543210"},
         "all other sessions of the account were ended from another one, by the user"},
        {{9, "session_end", "ada", "stayctl", "granted", "all"},
         "all sessions of the account were ended, by stayctl"},
        {{9, "password_change", "ada", "", "granted", "session other mark other"},
         "the password was changed, which ends all sessions, by the user"},
        {{9, "password_change", "ada", "", "wrong_credentials", ""}, ""},
        {{9, "account_disable", "ada", "stayctl", "granted", ""},
         "the account was disabled, which ends all its sessions, by stayctl"},
        {{9, "account_disable", "eve", "stayctl", "granted", ""}, ""},
        {{9, "account_delete", "ada", "stayctl", "granted", ""}, "the account was deleted, by stayctl"},
        {{9, "login", "ada", "", "granted", "session x mark y, replaces " MARK},
         "a new log-in in the same browser took its place, by the user"},
        {{9, "login", "ada", "", "granted", "session x mark y"}, ""},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct event events[] = {rows[i].end,
                                       {5, "login", "ada", "", "granted", "known device, " MADE}};
        struct life life = told(events, 2, "ada");
        assert_string_equal(life.why, rows[i].why);
        assert_int_equal(life.ended, rows[i].why[0] == '\0' ? 0 : 9);
        assert_int_equal(life.created, 5);
    }
}

static void the_first_end_is_the_end(void **unused)
{
    static const struct event events[] = {
        {20, "account_delete", "ada", "stayctl", "granted", ""},
        {15, "session_end", "ada", "", "granted", "log-out, mark " MARK},
        {10, "login", "ada", "", "granted", MADE},
        {5, "account_disable", "ada", "stayctl", "granted", ""},
    };
    (void)unused;
    struct life life = told(events, 4, "ada");
    assert_int_equal(life.ended, 15);
    assert_string_equal(life.why, "logged out, by the user");
    assert_string_equal(life.how, "a log-in with the password");
}

static void what_others_did_ends_nothing(void **unused)
{
    static const struct event events[] = {
        {12, "account_disable", "eve", "stayctl", "granted", ""},
        {11, "session_end", "eve", "", "granted", "all"},
    };
    (void)unused;
    struct life life = told(events, 2, "");
    assert_string_equal(life.why, "");
    assert_int_equal(life.ended, 0);
}

static void its_log_in_names_user_and_mark(void **unused)
{
    static const struct event events[] = {
        {12, "login", "eve", "", "granted", "session other mark other"},
        {10, "register", "ada", "", "granted", MADE},
    };
    (void)unused;
    struct life life = told(events, 2, "");
    assert_string_equal(life.user, "ada");
    assert_string_equal(life.mark, MARK);
    assert_string_equal(life.how, "registering the account");
    assert_int_equal(life.created, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_has_its_words), cmocka_unit_test(the_first_end_is_the_end),
        cmocka_unit_test(what_others_did_ends_nothing), cmocka_unit_test(its_log_in_names_user_and_mark)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
