// SPDX-License-Identifier: ISC
// Forward-auth over socket pairs: the tables, the misses, the rules.
#include "front/forward_auth.h"

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

#define CHECK_COOKIE "GET /auth/check HTTP/1.1\r\nHost: a\r\nCookie: x=1; stayd=%s\r\n\r\n"
#define CHECK_BEARER "GET /auth/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n"

static void a_valid_session_is_told(void **state)
{
    (void)state;
    char token[44];
    rig_session(&rig, 1, "ada", "staff,admins", token);
    int client = rig_connect(&rig);
    for (int i = 0; i < 3; i++) {
        const char *heard = rig_ask(&rig, client, rig_with(i == 1 ? CHECK_BEARER : CHECK_COOKIE, token));
        rig_has(heard, "HTTP/1.1 200 OK\r\n");
        rig_has(heard,
                "\r\nRemote-User: ada\r\nRemote-Name: Ada Lovelace\r\nRemote-Email: ada@example.com\r\n"
                "Remote-Groups: staff,admins\r\n");
        rig_has(heard, "Cache-Control: no-store");
        rig_has(heard, "Content-Length: 0\r\n\r\n");
    }
    close(client);
}

static void nobody_is_401(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, "GET /auth/check HTTP/1.1\r\nHost: a\r\nRemote-User: root\r\n\r\n"),
            "HTTP/1.1 401 ");
    rig_has_not(rig.heard, "Remote-User");
    rig_has(rig_ask(&rig, client,
                    "GET /auth/check?mode=redirect HTTP/1.1\r\nHost: a\r\n"
                    "X-Forwarded-Host: auth.example.com\r\n\r\n"),
            "Location: http://auth.example.com/login\r\n");
    rig_has(rig.heard, "HTTP/1.1 302 Found");
    char token[44];
    rig_session(&rig, 1, "ada", "", token);
    token[42] = token[42] == 'A' ? 'E' : 'A';
    rig_has(rig_ask(&rig, client, rig_with(CHECK_COOKIE, token)), "HTTP/1.1 401 ");
    close(client);
}

static void a_redirect_comes_back_to_where_it_was(void **state)
{
    (void)state;
    int client = rig_connect_from(&rig, "10.1.2.3");
    rig_has(
        rig_ask(
            &rig, client,
            "GET /auth/check?mode=redirect HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: auth.example.com:81\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Uri: /a?b=c\r\nX-Forwarded-Method: GET\r\n\r\n"),
        "/login?rd=http%3A%2F%2Fauth.example.com%3A81%2Fa%3Fb%3Dc\r\n");
    rig_has(rig_ask(&rig, client,
                    "GET /auth/check?mode=redirect HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: evil.example\r\n"
                    "X-Forwarded-Proto: http\r\nX-Forwarded-Uri: /a?b=c\r\nX-Forwarded-Method: GET\r\n\r\n"),
            "/login\r\n");
    close(client);
}

static void two_cookies_are_none(void **state)
{
    (void)state;
    char token[44];
    rig_session(&rig, 1, "ada", "", token);
    char text[512];
    snprintf(text, sizeof(text), "GET /auth/check HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s; stayd=%s\r\n\r\n",
             token, token);
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, text), "HTTP/1.1 401 ");
    close(client);
}

static void an_ended_session_is_401(void **state)
{
    (void)state;
    char token[44];
    uint8_t raw[32];
    rig_session(&rig, 1, "ada", "", token);
    assert_true(base64url_decode(view_of(token, 43), raw, 32));
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, rig_with(CHECK_COOKIE, token)), "HTTP/1.1 200 ");
    sessions_mark_ending(&rig.writer, raw);
    rig_has(rig_ask(&rig, client, rig_with(CHECK_COOKIE, token)), "HTTP/1.1 401 ");
    close(client);
}

static const char unknown_token[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

static void a_miss_asks_core(void **state)
{
    (void)state;
    struct view packet;
    struct wire_session_lookup lookup;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    int other = rig_connect(&rig);
    rig_say(&rig, client, rig_with(CHECK_COOKIE, "nothing"));
    assert_true(rig_hear(&rig, client));
    assert_int_equal(rig_count(rig.heard, "401 Unauthorized"), 1);
    rig_say(&rig, client, rig_with(CHECK_COOKIE, unknown_token));
    rig_say(&rig, other, rig_with(CHECK_COOKIE, unknown_token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    assert_true(wire_session_lookup_decode(packet, &lookup));
    assert_int_equal(lookup.selector.byte[3], 3);
    assert_int_equal(lookup.via, WIRE_VIA_CHECK);
    assert_int_equal(rig_core_hear(&rig, &packet), 0); // the same one is asked for once
    assert_false(rig_hear(&rig, client));
    rig_row_account(&rig, "grace", "staff");
    rig_core_reply(&rig, lookup.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "Remote-User: grace\r\n");
    assert_true(rig_hear(&rig, other));
    rig_has(rig.heard, "Remote-User: grace\r\n");
    close(client);
    close(other);
}

static void unknown_tokens_are_remembered(void **state)
{
    (void)state;
    struct view packet;
    struct wire_session_lookup lookup;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_say(&rig, client, rig_with(CHECK_COOKIE, unknown_token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    assert_true(wire_session_lookup_decode(packet, &lookup));
    rig_core_reply(&rig, lookup.request, WIRE_REFUSED, WIRE_NOT_SIGNED_IN);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 401 ");
    rig_has(rig_ask(&rig, client, rig_with(CHECK_COOKIE, unknown_token)), "HTTP/1.1 401 ");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    rig_pass(&rig, 11000);
    rig_say(&rig, client, rig_with(CHECK_COOKIE, unknown_token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    close(client);
}

static void misses_wait_for_a_new_core(void **state)
{
    (void)state;
    struct view packet;
    struct wire_session_lookup lookup;
    int client = rig_connect(&rig);
    rig_say(&rig, client, rig_with(CHECK_COOKIE, unknown_token));
    assert_false(rig_hear(&rig, client));
    rig_core_connect(&rig);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    rig_core_disconnect(&rig); // it died before it answered
    assert_false(rig_hear(&rig, client));
    rig_core_connect(&rig);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    assert_true(wire_session_lookup_decode(packet, &lookup));
    rig_core_reply(&rig, lookup.request, WIRE_UNAVAILABLE, WIRE_STORE_DOWN);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 503 ");
    rig_has(rig.heard, "Retry-After: 1\r\n");
    rig_core_disconnect(&rig);
    rig_say(&rig, client, rig_with(CHECK_COOKIE, unknown_token));
    assert_false(rig_hear(&rig, client));
    rig_pass(&rig, 3000);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 503 ");
    close(client);
}

static void misses_are_limited_per_source(void **state)
{
    (void)state;
    char text[44];
    int client = rig_connect(&rig);
    rig_core_connect(&rig);
    unsigned refused = 0;
    for (unsigned i = 0; i < SOURCES_MISS_MAX + 10; i++) {
        uint8_t raw[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
        struct view packet;
        struct wire_session_lookup lookup;
        base64url_encode(raw, 32, text);
        text[43] = '\0';
        rig_say(&rig, client, rig_with(CHECK_COOKIE, text));
        if (rig_core_hear(&rig, &packet) != 0) {
            assert_true(wire_session_lookup_decode(packet, &lookup));
            rig_core_reply(&rig, lookup.request, WIRE_REFUSED, WIRE_NOT_SIGNED_IN);
        }
        assert_true(rig_hear(&rig, client));
        refused += strstr(rig.heard, "503") != NULL;
    }
    assert_int_equal(refused, 10);
    close(client);
}

static void with_rules(struct wire_front_config *config)
{
    static struct bytes rules;
    bytes_init(&rules, 20480);
    wire_rule_append(&rules, &(struct wire_rule){.host = VIEW("app.example.com"),
                                                 .path = VIEW("/admin"),
                                                 .group = VIEW("admins"),
                                                 .allow = 1});
    wire_rule_append(&rules, &(struct wire_rule){.path = VIEW("/admin")});
    wire_rule_append(&rules, &(struct wire_rule){.host = VIEW("app.example.com"), .allow = 1});
    config->has_rules = 1;
    config->rules = bytes_view(&rules);
}

static const char *nginx_check(int client, const char *token, const char *url)
{
    static char text[2048];
    snprintf(text, sizeof(text),
             "GET /auth/check/nginx HTTP/1.1\r\nHost: a\r\nX-Original-URL: %s\r\nX-Original-Method: GET\r\n"
             "X-Forwarded-Host: app.example.com\r\nCookie: stayd=%s\r\n\r\n",
             url, token);
    return rig_ask(&rig, client, text);
}

static void rules_are_kept(void **state)
{
    (void)state;
    char staff[44], admin[44];
    rig_end(&rig);
    rig_begin(&rig, with_rules);
    rig_session(&rig, 1, "ada", "staff", staff);
    rig_session(&rig, 2, "root", "admins", admin);
    int client = rig_connect_from(&rig, "10.0.0.1");
    rig_has(nginx_check(client, staff, "https://app.example.com/x?y"), "HTTP/1.1 200 ");
    rig_has(nginx_check(client, staff, "https://app.example.com/admin/x"), "HTTP/1.1 403 ");
    rig_has(nginx_check(client, admin, "https://app.example.com:8443/admin/x"), "HTTP/1.1 200 ");
    rig_has(nginx_check(client, admin, "https://other.example.com/"), "HTTP/1.1 403 ");
    rig_has(nginx_check(client, staff, "https://app.example.com//admin"), "HTTP/1.1 403 ");
    rig_has(nginx_check(client, staff, "https://app.example.com/x/..%2fadmin"), "HTTP/1.1 403 ");
    rig_has(nginx_check(client, staff, "/x"), "HTTP/1.1 403 ");
    rig_has(rig_ask(&rig, client,
                    rig_with("GET /auth/check/nginx HTTP/1.1\r\nHost: a\r\nX-Original-Method: post\r\n"
                             "X-Original-URL: https://app.example.com/x\r\nCookie: stayd=%s\r\n\r\n",
                             staff)),
            "HTTP/1.1 403 ");
    rig_has(nginx_check(client, "none", "https://app.example.com/x"), "HTTP/1.1 401 ");
    rig_has(rig.heard, "X-Stayd-Login: http://auth.example.com/login\r\n");
    rig_has(nginx_check(client, "none", "http://auth.example.com:81/x?a&b"), "HTTP/1.1 401 ");
    rig_has(
        rig.heard,
        "X-Stayd-Login: http://auth.example.com/login?rd=http%3A%2F%2Fauth.example.com%3A81%2Fx%3Fa%26b\r\n");
    int stranger = rig_connect(&rig);
    rig_has(nginx_check(stranger, staff, "https://app.example.com/x"), "HTTP/1.1 403 ");
    close(client);
    close(stranger);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_valid_session_is_told),
        TEST(nobody_is_401),
        TEST(a_redirect_comes_back_to_where_it_was),
        TEST(two_cookies_are_none),
        TEST(an_ended_session_is_401),
        TEST(a_miss_asks_core),
        TEST(unknown_tokens_are_remembered),
        TEST(misses_wait_for_a_new_core),
        TEST(misses_are_limited_per_source),
        TEST(rules_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
