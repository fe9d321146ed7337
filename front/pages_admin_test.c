// SPDX-License-Identifier: ISC
// The administrators' pages over socket pairs, with a core that the test plays.
#include "front/pages_admin.h"

#include "front/testing/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <cmocka.h>

static struct rig rig;
static char token[44];
static int client;

static int begin(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    rig_session(&rig, 1, "root", "admins", token);
    rig_core_connect(&rig);
    client = rig_connect(&rig);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(client);
    rig_end(&rig);
    return 0;
}

static void get(const char *path)
{
    char text[512];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n", path, token);
    rig_say(&rig, client, text);
}

static void post(const char *path, const char *form)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "POST %s HTTP/1.1\r\nHost: a\r\nOrigin: http://auth.example.com\r\nCookie: stayd=%s\r\n"
             "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n%s",
             path, token, strlen(form), form);
    rig_say(&rig, client, text);
}

// The next question, which must be `number`; its id.
static uint64_t asked(uint16_t number)
{
    struct view packet;
    uint64_t request = 0;
    assert_int_equal(rig_core_hear(&rig, &packet), number);
    for (size_t i = 0; i < 8; i++) { // the id is the first field of all of them
        request |= (uint64_t)packet.data[2 + i] << (8 * i);
    }
    return request;
}

static const char *answer(uint64_t request, enum wire_outcome outcome, enum wire_reason reason)
{
    rig_core_reply(&rig, request, outcome, reason);
    (void)rig_hear(&rig, client);
    return rig.heard;
}

static void accounts_are_listed(void **state)
{
    (void)state;
    get("/admin?q=a%20b");
    uint64_t request = asked(WIRE_MESSAGE_account_list);
    rig_row_account(&rig, "ada", "staff");
    rig_row_account(&rig, "grace", "");
    rig_has(answer(request, WIRE_GRANTED, WIRE_REASON_NONE), "HTTP/1.1 200 ");
    rig_has(rig.heard, "/admin?user=ada");
    rig_has(rig.heard, "/admin?user=grace");
    rig_has(rig.heard, "a b");
    rig_has(rig.heard, "<bdi>root</bdi>");
}

static void one_account_is_shown(void **state)
{
    (void)state;
    get("/admin?user=ada&done=saved");
    rig_row_account(&rig, "ada", "staff");
    assert_string_equal(answer(asked(WIRE_MESSAGE_account_show), WIRE_GRANTED, WIRE_REASON_NONE), "");
    uint64_t request = asked(WIRE_MESSAGE_account_sessions);
    rig_row_session(&rig, 3);
    rig_has(answer(request, WIRE_GRANTED, WIRE_REASON_NONE), "<h1>ada");
    rig_has(rig.heard, "Saved.");
    rig_has(rig.heard, "/admin/users/sessions/end");
    get("/admin?user=nobody");
    rig_has(answer(asked(WIRE_MESSAGE_account_show), WIRE_REFUSED, WIRE_NOT_FOUND), "HTTP/1.1 404 ");
}

static void a_refused_account_shows_the_form_again(void **state)
{
    (void)state;
    post("/admin/users/add", "username=ada&email=x%40example.com&groups=staff");
    assert_string_equal(answer(asked(WIRE_MESSAGE_account_add), WIRE_REFUSED, WIRE_NAME_TAKEN), "");
    uint64_t request = asked(WIRE_MESSAGE_account_list);
    rig_has(answer(request, WIRE_GRANTED, WIRE_REASON_NONE), "HTTP/1.1 409 ");
    rig_has(rig.heard, "There is an account with this user name already.");
    rig_has(rig.heard, "value=\"x@example.com\"");
}

static void changes_lead_back_to_the_account(void **state)
{
    (void)state;
    post("/admin/users/set", "username=ada&disabled=1");
    rig_has(answer(asked(WIRE_MESSAGE_account_set), WIRE_GRANTED, WIRE_REASON_NONE),
            "Location: /admin?user=ada&done=saved\r\n");
    post("/admin/users/sessions/end", "username=ada&all=1");
    rig_has(answer(asked(WIRE_MESSAGE_account_sessions_end), WIRE_GRANTED, WIRE_REASON_NONE),
            "Location: /admin?user=ada&done=sessions\r\n");
    post("/admin/users/sessions/end", "username=ada&id=AAAAAAAAAAAAAAAAAAAAAA");
    rig_has(answer(asked(WIRE_MESSAGE_any_session_end), WIRE_GRANTED, WIRE_REASON_NONE),
            "Location: /admin?user=ada&done=ended\r\n");
    post("/admin/users/set", "username=ada&disabled=yes");
    (void)rig_hear(&rig, client);
    rig_has(rig.heard, "HTTP/1.1 400 ");
}

static void an_invitation_is_shown_once(void **state)
{
    (void)state;
    post("/admin/users/invite", "groups=staff&days=3");
    struct view packet;
    struct wire_account_invite invite;
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_account_invite);
    assert_true(wire_account_invite_decode(packet, &invite));
    assert_int_equal(invite.valid_s, 3 * 86400);
    assert_true(view_equal(invite.groups, VIEW("staff")));
    wire_invite_append(&rig.rows, &(struct wire_invite){.token = VIEW("tok-en"), .expires = 1800000000});
    rig_has(answer(invite.request, WIRE_GRANTED, WIRE_REASON_NONE),
            "http://auth.example.com/register?invite=tok-en");
}

static void others_do_not_get_in(void **state)
{
    (void)state;
    struct view packet;
    rig_session(&rig, 2, "eve", "staff,administrators", token);
    get("/admin");
    (void)rig_hear(&rig, client);
    rig_has(rig.heard, "HTTP/1.1 403 ");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    // Core has the last word: what front lets through, it refuses.
    post("/admin/users/set", "username=ada&disabled=1");
    assert_string_equal(answer(asked(WIRE_MESSAGE_account_set), WIRE_REFUSED, WIRE_FORBIDDEN), "");
    rig_has(answer(asked(WIRE_MESSAGE_account_show), WIRE_REFUSED, WIRE_FORBIDDEN), "HTTP/1.1 403 ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(accounts_are_listed),
        TEST(one_account_is_shown),
        TEST(a_refused_account_shows_the_form_again),
        TEST(changes_lead_back_to_the_account),
        TEST(an_invitation_is_shown_once),
        TEST(others_do_not_get_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
