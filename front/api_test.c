// SPDX-License-Identifier: ISC
// The JSON API over socket pairs, with a core that the test plays.
#include "front/api.h"

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

#define LOGIN_BODY "{\"username\":\"ada\",\"password\":\"correct horse\"}"

#define LOGIN                                                                                                \
    "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: "           \
    "45\r\n\r\n" LOGIN_BODY

static void login_and_pipelining(void **state)
{
    (void)state;
    struct view packet;
    struct wire_login login;
    uint8_t opened[64];
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    assert_int_equal(strlen(LOGIN_BODY), 45);
    rig_say(&rig, client,
            "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" LOGIN "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(rig_hear(&rig, client));
    assert_int_equal(rig_count(rig.heard, "HTTP/1.1 200"), 1); // what is behind the log-in waits for it
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    assert_true(view_equal(login.username, VIEW("ada")));
    assert_int_equal(crypto_box_seal_open(opened, login.sealed.data, login.sealed.size, rig.public_key.byte,
                                          rig.secret_key.byte),
                     0);
    assert_memory_equal(opened, "correct horse", 13);
    assert_false(login.has_session);
    rig_row_grant(&rig, 5);
    rig_row_account(&rig, "ada", "staff");
    rig_core_reply(&rig, login.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    assert_int_equal(rig_count(rig.heard, "HTTP/1.1 200"), 2);
    rig_has(rig.heard, "Set-Cookie: stayd=");
    rig_has(rig.heard, "; Path=/; Max-Age=");
    rig_has(rig.heard, "; HttpOnly; SameSite=Lax\r\n");
    rig_has(rig.heard, "Set-Cookie: stayd_device=device1; ");
    rig_has(rig.heard, "X-Request-Id: ");
    rig_has(rig.heard, "{\"user\":{\"username\":\"ada\",\"name\":\"Ada\",\"email\":\"ada@example.com\","
                       "\"email_verified\":true,\"groups\":[\"staff\"]},\"session\":{\"id\":\"");
    rig_has_not(rig.heard, "\"token\"");
    close(client);
}

static void a_login_in_flight_fails_with_its_core(void **state)
{
    (void)state;
    struct view packet;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_say(&rig, client, LOGIN);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    rig_core_disconnect(&rig);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 503 ");
    rig_has(rig.heard, "Retry-After: 1\r\n");
    rig_has(rig.heard, "application/problem+json");
    // One that was not sent yet waits for the next core.
    rig_say(&rig, client, LOGIN);
    assert_false(rig_hear(&rig, client));
    rig_core_connect(&rig);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    // And one whose client leaves harms nobody.
    close(client);
    rig_pass(&rig, 20000);
}

static void refusals_have_their_status(void **state)
{
    (void)state;
    static const struct {
        enum wire_outcome outcome;
        enum wire_reason reason;
        const char *status;
    } cases[] = {
        {WIRE_REFUSED, WIRE_WRONG_CREDENTIALS, "HTTP/1.1 401 "},
        {WIRE_REFUSED, WIRE_THROTTLED, "HTTP/1.1 429 "},
        {WIRE_REFUSED, WIRE_ACCOUNT_DISABLED, "HTTP/1.1 403 "},
        {WIRE_UNAVAILABLE, WIRE_HASH_BUSY, "HTTP/1.1 503 "},
        {WIRE_UNAVAILABLE, WIRE_STORE_DOWN, "HTTP/1.1 503 "},
    };
    struct view packet;
    struct wire_login login;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rig_say(&rig, client, LOGIN);
        assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
        assert_true(wire_login_decode(packet, &login));
        rig_core_reply(&rig, login.request, cases[i].outcome, cases[i].reason);
        assert_true(rig_hear(&rig, client));
        rig_has(rig.heard, cases[i].status);
        rig_has(rig.heard, "\"type\":\"urn:stayd:problem:");
        rig_has_not(rig.heard, "Set-Cookie");
    }
    close(client);
}

// Like every other check: one look-up, then it is remembered. Core is never asked to act on it.
static void an_unknown_token_costs_a_look_up(void **state)
{
    (void)state;
    struct view packet;
    struct wire_session_lookup lookup;
    const char *request =
        "DELETE /api/v1/sessions HTTP/1.1\r\nHost: auth.example.com\r\nAuthorization: Bearer "
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\r\n\r\n";
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_say(&rig, client, request);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    assert_true(wire_session_lookup_decode(packet, &lookup));
    rig_core_reply(&rig, lookup.request, WIRE_REFUSED, WIRE_NOT_SIGNED_IN);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 401 ");
    rig_has(rig_ask(&rig, client, request), "HTTP/1.1 401 ");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    close(client);
}

static void bad_bodies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *body, *status, *part;
    } cases[] = {
        {"text/plain", "{}", "415", "application/json"},
        {"application/json", "{}", "400", "\\\"username\\\" is missing"},
        {"application/json", "{\"username\":\"a\",\"password\":\"b\",\"admin\":true}", "400",
         "\\\"admin\\\" is not"},
        {"application/json", "{\"username\":1,\"password\":\"b\"}", "400", "must be a string"},
        {"application/json", "{\"username\":\"a\",\"username\":\"a\",\"password\":\"b\"}", "400", "not JSON"},
        {"application/json", "{\"username\":{\"a\":1},\"password\":\"b\"}", "400", "nested"},
        {"application/json", "{\"username\":\"\xff\",\"password\":\"b\"}", "400", "not JSON"},
        {"application/json", "[]", "400", "object"},
        {"application/json", "{\"username\":\"a\\u0000b\",\"password\":\"b\"}", "400", "not JSON"},
    };
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[1024];
        struct view packet;
        snprintf(text, sizeof(text),
                 "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: %s; charset=utf-8\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 cases[i].type, strlen(cases[i].body), cases[i].body);
        rig_ask(&rig, client, text);
        rig_has(rig.heard, cases[i].status);
        rig_has(rig.heard, cases[i].part);
        assert_int_equal(rig_core_hear(&rig, &packet), 0);
    }
    close(client);
}

static void methods_and_paths(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, "GET /api/v1/login HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 405 ");
    rig_has(rig.heard, "Allow: POST\r\n");
    rig_has(rig_ask(&rig, client, "GET /api/v1/nothing HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 404 ");
    rig_has(rig.heard, "application/problem+json");
    rig_has(rig_ask(&rig, client, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"), "text/html");
    rig_has(rig_ask(&rig, client, "HEAD /login HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
    rig_has_not(rig.heard, "<html");
    rig_has(rig_ask(&rig, client, "GET /login HTTP/1.1\r\nHost: a\r\n\r\n"),
            "<form method=\"post\" action=\"/login\"");
    rig_has(rig.heard, "Content-Security-Policy: default-src 'none'");
    rig_has(rig_ask(&rig, client, "GET /livez HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 ");
    assert_true(rig_is_closed(&rig, client));
    close(client);
}

static void readiness_is_cores(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 503 ");
    rig_core_connect(&rig);
    rig_has(rig_ask(&rig, client, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
    rig_core_disconnect(&rig);
    rig_has(rig_ask(&rig, client, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 503 ");
    close(client);
}

static void under_https(struct wire_front_config *config)
{
    config->public_url = VIEW("https://auth.example.com");
}

static void for_siblings(struct wire_front_config *config)
{
    config->public_url = VIEW("https://auth.example.com");
    config->cookie_domain = VIEW("example.com");
    config->rd_hosts = VIEW("other.net");
}

static const char *logged_in(void (*config)(struct wire_front_config *), bool token)
{
    struct view packet;
    struct wire_login login;
    rig_end(&rig);
    rig_begin(&rig, config);
    rig_core_connect(&rig);
    int client = rig_connect_from(&rig, "10.0.0.1"); // a trusted proxy, which speaks plain http
    rig_say(&rig, client,
            token ? "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
                    "Content-Type: application/json\r\nContent-Length: 46\r\n\r\n"
                    "{\"username\":\"ada\",\"password\":\"b\",\"token\":true}"
                  : "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
                    "Content-Type: application/json\r\nContent-Length: 33\r\n\r\n"
                    "{\"username\":\"ada\",\"password\":\"b\"}");
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    rig_row_grant(&rig, 5);
    rig_core_reply(&rig, login.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    close(client);
    return rig.heard;
}

static void cookies_follow_public_url(void **state)
{
    (void)state;
    const char *heard = logged_in(under_https, false);
    rig_has(heard, "Set-Cookie: __Host-stayd=");
    rig_has(heard, "; HttpOnly; SameSite=Lax; Secure\r\n");
    rig_has(heard, "Set-Cookie: __Host-stayd_device=device1; Path=/; Max-Age=31536000; HttpOnly; "
                   "SameSite=Strict; Secure");
    rig_has(heard, "Strict-Transport-Security: ");
    rig_has_not(heard, "Domain");
    heard = logged_in(for_siblings, false);
    rig_has(heard, "Set-Cookie: __Secure-stayd=");
    rig_has(heard, "; Domain=example.com; HttpOnly; SameSite=Lax; Secure\r\n");
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client, "GET /login HTTP/1.1\r\nHost: a\r\n\r\n"),
            "form-action 'self' https://auth.example.com:* https://example.com:* https://*.example.com:* "
            "https://other.net:*\r\n");
    rig_has_not(rig.heard, "Strict-Transport-Security"); // plain http, as far as can be told
    close(client);
    heard = logged_in(under_https, true);
    rig_has(heard, "\"token\":\"");
    rig_has_not(heard, "__Host-stayd=");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(login_and_pipelining),       TEST(a_login_in_flight_fails_with_its_core),
        TEST(refusals_have_their_status), TEST(an_unknown_token_costs_a_look_up),
        TEST(refusals_have_their_status), TEST(bad_bodies_are_refused),
        TEST(methods_and_paths),          TEST(readiness_is_cores),
        TEST(cookies_follow_public_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
