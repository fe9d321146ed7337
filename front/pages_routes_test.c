// SPDX-License-Identifier: ISC
// The pages over socket pairs, with a core that the test plays.
#include "front/pages_routes.h"

#include "front/testing/rig.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct rig rig;

static int begin(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_end(&rig);
    return 0;
}

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

static void pages_log_in_and_go_on(void **state)
{
    (void)state;
    struct view packet;
    struct wire_login login;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    static const char form[] = "POST /login HTTP/1.1\r\nHost: a\r\nOrigin: http://auth.example.com\r\n" FORM
                               "Content-Length: 61\r\n\r\n"
                               "rd=http%3A%2F%2Fauth.example.com%2Fx&username=ada&password=p1";
    rig_say(&rig, client, form);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    rig_core_reply(&rig, login.request, WIRE_REFUSED, WIRE_WRONG_CREDENTIALS);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 401 ");
    rig_has(rig.heard, "value=\"ada\"");
    rig_has(rig.heard, "value=\"http://auth.example.com/x\"");
    rig_say(&rig, client, form);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    rig_row_grant(&rig, 5);
    rig_core_reply(&rig, login.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 303 ");
    rig_has(rig.heard, "Location: http://auth.example.com/x\r\n");
    close(client);
}

static void forms_of_other_sites_are_refused(void **state)
{
    (void)state;
    char token[44];
    struct view packet;
    rig_session(&rig, 1, "ada", "", token);
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client,
                    rig_with("POST /logout HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\n"
                             "Cookie: stayd=%s\r\n" FORM "Content-Length: 0\r\n\r\n",
                             token)),
            "HTTP/1.1 403 ");
    rig_has(rig_ask(&rig, client,
                    rig_with("POST /logout HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n" FORM
                             "Content-Length: 0\r\n\r\n",
                             token)),
            "HTTP/1.1 403 ");
    rig_has(
        rig_ask(&rig, client,
                rig_with("DELETE /api/v1/sessions HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n", token)),
        "HTTP/1.1 403 ");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    rig_say(&rig, client,
            rig_with("POST /logout HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\n"
                     "Cookie: stayd=%s\r\n" FORM "Content-Length: 0\r\n\r\n",
                     token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_logout);
    close(client);
}

static void the_account_page_and_its_form_token(void **state)
{
    (void)state;
    char token[44], text[1024];
    struct view packet;
    struct wire_session_list list;
    rig_session(&rig, 1, "ada", "admins", token);
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_say(&rig, client,
            rig_with("GET /account?done=password HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n", token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_list);
    assert_true(wire_session_list_decode(packet, &list));
    rig_row_session(&rig, 9);
    rig_core_reply(&rig, list.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 200 ");
    rig_has(rig.heard, "Your password is changed.");
    rig_has(rig.heard, "href=\"/admin\"");
    const char *at = strstr(rig.heard, "name=\"form_token\" value=\"");
    assert_non_null(at);
    snprintf(text, sizeof(text),
             "POST /account/sessions/end HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n" FORM
             "Content-Length: 42\r\n\r\nothers=1&form_token=%.22s",
             token, at + strlen("name=\"form_token\" value=\""));
    rig_say(&rig, client, text);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_end_others);
    close(client);
}

static void strangers_are_sent_to_log_in(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, "GET /account HTTP/1.1\r\nHost: a\r\n\r\n"),
            "Location: /login?rd=%2Faccount\r\n");
    char token[44];
    rig_session(&rig, 1, "ada", "staff", token);
    rig_has(
        rig_ask(&rig, client, rig_with("GET /admin HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n", token)),
        "HTTP/1.1 403 ");
    close(client);
}

static void a_wrong_current_password_shows_the_page_again(void **state)
{
    (void)state;
    char token[44];
    struct view packet;
    struct wire_password_change change;
    struct wire_session_list list;
    rig_session(&rig, 1, "ada", "staff", token);
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_say(&rig, client,
            rig_with("POST /account/password HTTP/1.1\r\nHost: a\r\nOrigin: http://auth.example.com\r\n"
                     "Cookie: stayd=%s\r\n" FORM "Content-Length: 17\r\n\r\ncurrent=a&new=bcd",
                     token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_password_change);
    assert_true(wire_password_change_decode(packet, &change));
    rig_core_reply(&rig, change.request, WIRE_REFUSED, WIRE_WRONG_CREDENTIALS);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_list);
    assert_true(wire_session_list_decode(packet, &list));
    rig_core_reply(&rig, list.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 401 ");
    rig_has(rig.heard, "That is not your current password.");
    close(client);
}

static void a_form_outlives_the_look_up_of_its_session(void **state)
{
    (void)state;
    struct view packet;
    struct wire_session_lookup lookup;
    struct wire_password_change change;
    uint8_t opened[64];
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_say(&rig, client,
            rig_with("POST /account/password HTTP/1.1\r\nHost: a\r\nOrigin: http://auth.example.com\r\n"
                     "Cookie: stayd=%s\r\n" FORM "Content-Length: 20\r\n\r\ncurrent=a%62&new=bcd"
                     "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
                     "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    assert_true(wire_session_lookup_decode(packet, &lookup));
    rig_row_account(&rig, "ada", "staff");
    rig_core_reply(&rig, lookup.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_password_change);
    assert_true(wire_password_change_decode(packet, &change));
    assert_int_equal(change.sealed_current.size, 2 + crypto_box_SEALBYTES);
    assert_int_equal(crypto_box_seal_open(opened, change.sealed_current.data, change.sealed_current.size,
                                          rig.public_key.byte, rig.secret_key.byte),
                     0);
    assert_memory_equal(opened, "ab", 2);
    rig_row_grant(&rig, 7);
    rig_core_reply(&rig, change.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "Location: /account?done=password\r\n");
    rig_has(rig.heard, "live\n");
    close(client);
}

static void a_throttled_form_says_for_how_long(void **state)
{
    (void)state;
    struct view packet;
    struct wire_login login;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_say(&rig, client,
            "POST /login HTTP/1.1\r\nHost: a\r\n" FORM "Content-Length: 25\r\n\r\n"
            "username=ada&password=abc");
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    rig_core_reply(&rig, login.request, WIRE_REFUSED, WIRE_THROTTLED);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 429 ");
    rig_has(rig.heard, "Retry-After: 1\r\n");
    close(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(pages_log_in_and_go_on),
        TEST(forms_of_other_sites_are_refused),
        TEST(the_account_page_and_its_form_token),
        TEST(strangers_are_sent_to_log_in),
        TEST(a_wrong_current_password_shows_the_page_again),
        TEST(a_form_outlives_the_look_up_of_its_session),
        TEST(a_throttled_form_says_for_how_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
