// SPDX-License-Identifier: ISC
// Connections, forward-auth, the API and pages over socket pairs, with a core that the test plays.
#include "front/connection.h"

#include "front/rig.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct rig rig;

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, text);
    }
}

static void has_not(const char *text, const char *part)
{
    if (strstr(text, part) != NULL) {
        fail_msg("\"%s\" is in:\n%s", part, text);
    }
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++) {
        count++;
    }
    return count;
}

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

static char buffer[65536];
// `text` with the value in place of "%s".
static const char *with(const char *text, const char *value)
{
    const char *at = strstr(text, "%s");
    assert_non_null(at);
    snprintf(buffer, sizeof(buffer), "%.*s%s%s", (int)(at - text), text, value, at + 2);
    return buffer;
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
        const char *heard = rig_ask(&rig, client, with(i == 1 ? CHECK_BEARER : CHECK_COOKIE, token));
        has(heard, "HTTP/1.1 200 OK\r\n");
        has(heard, "\r\nRemote-User: ada\r\nRemote-Name: Ada Lovelace\r\nRemote-Email: ada@example.com\r\n"
                   "Remote-Groups: staff,admins\r\n");
        has(heard, "Cache-Control: no-store");
        has(heard, "Content-Length: 0\r\n\r\n");
    }
    close(client);
}

static void nobody_is_401(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    has(rig_ask(&rig, client, "GET /auth/check HTTP/1.1\r\nHost: a\r\nRemote-User: root\r\n\r\n"),
        "HTTP/1.1 401 ");
    has_not(rig.heard, "Remote-User");
    has(rig_ask(&rig, client,
                "GET /auth/check?mode=redirect HTTP/1.1\r\nHost: a\r\n"
                "X-Forwarded-Host: auth.example.com\r\n\r\n"),
        "Location: http://auth.example.com/login\r\n");
    has(rig.heard, "HTTP/1.1 302 Found");
    char token[44];
    rig_session(&rig, 1, "ada", "", token);
    token[42] = token[42] == 'A' ? 'E' : 'A';
    has(rig_ask(&rig, client, with(CHECK_COOKIE, token)), "HTTP/1.1 401 ");
    close(client);
}

static void a_redirect_comes_back_to_where_it_was(void **state)
{
    (void)state;
    int client = rig_connect_from(&rig, "10.1.2.3");
    has(rig_ask(
            &rig, client,
            "GET /auth/check?mode=redirect HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: auth.example.com:81\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Uri: /a?b=c\r\nX-Forwarded-Method: GET\r\n\r\n"),
        "/login?rd=http%3A%2F%2Fauth.example.com%3A81%2Fa%3Fb%3Dc\r\n");
    has(rig_ask(&rig, client,
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
    has(rig_ask(&rig, client, text), "HTTP/1.1 401 ");
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
    has(rig_ask(&rig, client, with(CHECK_COOKIE, token)), "HTTP/1.1 200 ");
    sessions_mark_ending(&rig.writer, raw);
    has(rig_ask(&rig, client, with(CHECK_COOKIE, token)), "HTTP/1.1 401 ");
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
    rig_say(&rig, client, with(CHECK_COOKIE, "nothing"));
    assert_true(rig_hear(&rig, client));
    assert_int_equal(count_of(rig.heard, "401 Unauthorized"), 1);
    rig_say(&rig, client, with(CHECK_COOKIE, unknown_token));
    rig_say(&rig, other, with(CHECK_COOKIE, unknown_token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    assert_true(wire_session_lookup_decode(packet, &lookup));
    assert_int_equal(lookup.selector.byte[3], 3);
    assert_int_equal(lookup.via, WIRE_VIA_CHECK);
    assert_int_equal(rig_core_hear(&rig, &packet), 0); // the same one is asked for once
    assert_false(rig_hear(&rig, client));
    rig_row_account(&rig, "grace", "staff");
    rig_core_reply(&rig, lookup.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    has(rig.heard, "Remote-User: grace\r\n");
    assert_true(rig_hear(&rig, other));
    has(rig.heard, "Remote-User: grace\r\n");
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
    rig_say(&rig, client, with(CHECK_COOKIE, unknown_token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    assert_true(wire_session_lookup_decode(packet, &lookup));
    rig_core_reply(&rig, lookup.request, WIRE_REFUSED, WIRE_NOT_SIGNED_IN);
    assert_true(rig_hear(&rig, client));
    has(rig.heard, "HTTP/1.1 401 ");
    has(rig_ask(&rig, client, with(CHECK_COOKIE, unknown_token)), "HTTP/1.1 401 ");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    rig_pass(&rig, 11000);
    rig_say(&rig, client, with(CHECK_COOKIE, unknown_token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_lookup);
    close(client);
}

static void misses_wait_for_a_new_core(void **state)
{
    (void)state;
    struct view packet;
    struct wire_session_lookup lookup;
    int client = rig_connect(&rig);
    rig_say(&rig, client, with(CHECK_COOKIE, unknown_token));
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
    has(rig.heard, "HTTP/1.1 503 ");
    has(rig.heard, "Retry-After: 1\r\n");
    rig_core_disconnect(&rig);
    rig_say(&rig, client, with(CHECK_COOKIE, unknown_token));
    assert_false(rig_hear(&rig, client));
    rig_pass(&rig, 3000);
    assert_true(rig_hear(&rig, client));
    has(rig.heard, "HTTP/1.1 503 ");
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
        rig_say(&rig, client, with(CHECK_COOKIE, text));
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
    assert_int_equal(count_of(rig.heard, "HTTP/1.1 200"), 1); // what is behind the log-in waits for it
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
    assert_int_equal(count_of(rig.heard, "HTTP/1.1 200"), 2);
    has(rig.heard, "Set-Cookie: stayd=");
    has(rig.heard, "; Path=/; Max-Age=");
    has(rig.heard, "; HttpOnly; SameSite=Lax\r\n");
    has(rig.heard, "Set-Cookie: stayd_device=device1; ");
    has(rig.heard, "X-Request-Id: ");
    has(rig.heard, "{\"user\":{\"username\":\"ada\",\"name\":\"Ada\",\"email\":\"ada@example.com\","
                   "\"email_verified\":true,\"groups\":[\"staff\"]},\"session\":{\"id\":\"");
    has_not(rig.heard, "\"token\"");
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
    has(rig.heard, "HTTP/1.1 503 ");
    has(rig.heard, "Retry-After: 1\r\n");
    has(rig.heard, "application/problem+json");
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
        has(rig.heard, cases[i].status);
        has(rig.heard, "\"type\":\"urn:stayd:problem:");
        has_not(rig.heard, "Set-Cookie");
    }
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
        has(rig.heard, cases[i].status);
        has(rig.heard, cases[i].part);
        assert_int_equal(rig_core_hear(&rig, &packet), 0);
    }
    close(client);
}

static void methods_and_paths(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    has(rig_ask(&rig, client, "GET /api/v1/login HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 405 ");
    has(rig.heard, "Allow: POST\r\n");
    has(rig_ask(&rig, client, "GET /api/v1/nothing HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 404 ");
    has(rig.heard, "application/problem+json");
    has(rig_ask(&rig, client, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"), "text/html");
    has(rig_ask(&rig, client, "HEAD /login HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
    has_not(rig.heard, "<html");
    has(rig_ask(&rig, client, "GET /login HTTP/1.1\r\nHost: a\r\n\r\n"),
        "<form method=\"post\" action=\"/login\"");
    has(rig.heard, "Content-Security-Policy: default-src 'none'");
    has(rig_ask(&rig, client, "GET /livez HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 ");
    assert_true(rig_is_closed(&rig, client));
    close(client);
}

static void readiness_is_cores(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    has(rig_ask(&rig, client, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 503 ");
    rig_core_connect(&rig);
    has(rig_ask(&rig, client, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 ");
    rig_core_disconnect(&rig);
    has(rig_ask(&rig, client, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 503 ");
    close(client);
}

static void bytes_may_come_one_by_one(void **state)
{
    (void)state;
    static const char request[] =
        "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"use\r\n28;x=y\r\nrname\":\"ada\",\"password\":\"correct "
        "horse\"}\r\n0\r\n\r\n"
        "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    struct view packet;
    struct wire_login login;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    for (size_t i = 0; i + 1 < sizeof(request); i++) {
        char byte[2] = {request[i], '\0'};
        rig_say(&rig, client, byte);
    }
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    assert_true(view_equal(login.username, VIEW("ada")));
    rig_core_reply(&rig, login.request, WIRE_REFUSED, WIRE_WRONG_CREDENTIALS);
    assert_true(rig_hear(&rig, client));
    has(rig.heard, "HTTP/1.1 401 ");
    has(rig.heard, "live\n");
    close(client);
}

static void a_client_may_wait_for_continue(void **state)
{
    (void)state;
    struct view packet;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    has(rig_ask(&rig, client,
                "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                "Expect: 100-continue\r\nContent-Length: 45\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n");
    rig_say(&rig, client, LOGIN_BODY);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    close(client);
}

static void malformed_requests_end_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *text, *status;
    } cases[] = {
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /\r\n\r\n", "HTTP/1.1 "},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         "HTTP/1.1 400 "},
        {"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 "},
        {"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 501 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int client = rig_connect(&rig);
        has(rig_ask(&rig, client, cases[i].text), cases[i].status);
        has(rig.heard, "Connection: close\r\n");
        assert_true(rig_is_closed(&rig, client)); // for writing; what still comes is thrown away
        rig_say(&rig, client, "more");
        rig_pass(&rig, 3000);
        close(client);
    }
    assert_int_equal(rig.front.connection_count, 0);
}

static void slow_clients_are_let_go(void **state)
{
    (void)state;
    int silent = rig_connect(&rig);
    int slow = rig_connect(&rig);
    int idle = rig_connect(&rig);
    has(rig_ask(&rig, idle, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    for (int i = 0; i < 8; i++) { // a byte a second does not help
        rig_say(&rig, slow, "G");
        rig_pass(&rig, 1000);
    }
    rig_pass(&rig, 4000);
    assert_true(rig_is_closed(&rig, silent));
    assert_true(rig_hear(&rig, slow));
    has(rig.heard, "HTTP/1.1 408 ");
    assert_false(rig_is_closed(&rig, idle));
    rig_pass(&rig, 80000);
    assert_true(rig_is_closed(&rig, idle));
    assert_int_equal(rig.front.connection_count, 0);
    close(silent);
    close(slow);
    close(idle);
}

static void slow_readers_get_it_all(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    int size = 4096;
    (void)setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    enum { MANY = 400 };
    static char many[64 * MANY];
    size_t at = 0;
    for (int i = 0; i < MANY; i++) {
        at += (size_t)snprintf(many + at, sizeof(many) - at, "GET /login HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    size_t sent = 0, answers = 0;
    for (int i = 0; i < 100000 && answers < MANY; i++) {
        ssize_t put = send(client, many + sent, at - sent, MSG_NOSIGNAL);
        sent += put > 0 ? (size_t)put : 0;
        rig_turn(&rig);
        ssize_t got = recv(client, rig.heard, sizeof(rig.heard) - 1, 0);
        for (ssize_t k = 0; k + 8 < got; k++) {
            answers += memcmp(rig.heard + k, "</html>", 7) == 0;
        }
    }
    assert_in_range(answers, MANY - 60, MANY); // a few ends fall between two reads
    close(client);
}

static void reload_and_drain(void **state)
{
    (void)state;
    const char *error;
    struct view packet;
    struct wire_login login;
    rig_core_connect(&rig);
    int waiting = rig_connect(&rig);
    int idle = rig_connect(&rig);
    has(rig_ask(&rig, idle, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    rig_say(&rig, waiting, LOGIN);
    rig.config.public_url = VIEW("https://auth.example.com");
    front_use_settings(&rig.front, settings_new(&rig.config, &error));
    has(rig_ask(&rig, idle, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    front_drain(&rig.front);
    assert_true(rig_is_closed(&rig, idle));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    rig_row_grant(&rig, 5);
    rig_core_reply(&rig, login.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, waiting));
    has(rig.heard, "Connection: close\r\n");
    has(rig.heard, "Set-Cookie: stayd="); // by the settings it began with
    assert_true(rig_is_closed(&rig, waiting));
    assert_int_equal(rig.front.connection_count, 0);
    close(waiting);
    close(idle);
}

static void penalised_sources_are_refused(void **state)
{
    (void)state;
    struct id16 source;
    int client = rig_connect_from(&rig, "10.0.0.1");
    assert_true(address_parse(VIEW("198.51.100.7"), &source));
    sources_penalise(&rig.front.sources, source, front_mono_s(&rig.front), 60);
    rig.front.penalties_until_s = front_mono_s(&rig.front) + 60;
    has(rig_ask(&rig, client, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.8\r\n\r\n"),
        "200");
    has(rig_ask(&rig, client, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n"),
        "429");
    close(client);
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
    has(rig.heard, "HTTP/1.1 401 ");
    has(rig.heard, "value=\"ada\"");
    has(rig.heard, "value=\"http://auth.example.com/x\"");
    rig_say(&rig, client, form);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    rig_row_grant(&rig, 5);
    rig_core_reply(&rig, login.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    has(rig.heard, "HTTP/1.1 303 ");
    has(rig.heard, "Location: http://auth.example.com/x\r\n");
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
    has(rig_ask(&rig, client,
                with("POST /logout HTTP/1.1\r\nHost: a\r\nOrigin: http://evil.example\r\n"
                     "Cookie: stayd=%s\r\n" FORM "Content-Length: 0\r\n\r\n",
                     token)),
        "HTTP/1.1 403 ");
    has(rig_ask(&rig, client,
                with("POST /logout HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n" FORM
                     "Content-Length: 0\r\n\r\n",
                     token)),
        "HTTP/1.1 403 ");
    has(rig_ask(&rig, client,
                with("DELETE /api/v1/sessions HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n", token)),
        "HTTP/1.1 403 ");
    assert_int_equal(rig_core_hear(&rig, &packet), 0);
    rig_say(&rig, client,
            with("POST /logout HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\n"
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
            with("GET /account?done=password HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n", token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_list);
    assert_true(wire_session_list_decode(packet, &list));
    rig_row_session(&rig, 9);
    rig_core_reply(&rig, list.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    has(rig.heard, "HTTP/1.1 200 ");
    has(rig.heard, "Your password is changed.");
    has(rig.heard, "href=\"/admin\"");
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
    has(rig_ask(&rig, client, "GET /account HTTP/1.1\r\nHost: a\r\n\r\n"),
        "Location: /login?rd=%2Faccount\r\n");
    char token[44];
    rig_session(&rig, 1, "ada", "staff", token);
    has(rig_ask(&rig, client, with("GET /admin HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n", token)),
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
            with("POST /account/password HTTP/1.1\r\nHost: a\r\nOrigin: http://auth.example.com\r\n"
                 "Cookie: stayd=%s\r\n" FORM "Content-Length: 17\r\n\r\ncurrent=a&new=bcd",
                 token));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_password_change);
    assert_true(wire_password_change_decode(packet, &change));
    rig_core_reply(&rig, change.request, WIRE_REFUSED, WIRE_WRONG_CREDENTIALS);
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_session_list);
    assert_true(wire_session_list_decode(packet, &list));
    rig_core_reply(&rig, list.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, client));
    has(rig.heard, "HTTP/1.1 401 ");
    has(rig.heard, "That is not your current password.");
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
    has(nginx_check(client, staff, "https://app.example.com/x?y"), "HTTP/1.1 200 ");
    has(nginx_check(client, staff, "https://app.example.com/admin/x"), "HTTP/1.1 403 ");
    has(nginx_check(client, admin, "https://app.example.com:8443/admin/x"), "HTTP/1.1 200 ");
    has(nginx_check(client, admin, "https://other.example.com/"), "HTTP/1.1 403 ");
    has(nginx_check(client, staff, "https://app.example.com//admin"), "HTTP/1.1 403 ");
    has(nginx_check(client, staff, "https://app.example.com/x/..%2fadmin"), "HTTP/1.1 403 ");
    has(nginx_check(client, staff, "/x"), "HTTP/1.1 403 ");
    has(nginx_check(client, "none", "https://app.example.com/x"), "HTTP/1.1 401 ");
    int stranger = rig_connect(&rig);
    has(nginx_check(stranger, staff, "https://app.example.com/x"), "HTTP/1.1 403 ");
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
        TEST(login_and_pipelining),
        TEST(a_login_in_flight_fails_with_its_core),
        TEST(refusals_have_their_status),
        TEST(bad_bodies_are_refused),
        TEST(methods_and_paths),
        TEST(readiness_is_cores),
        TEST(bytes_may_come_one_by_one),
        TEST(a_client_may_wait_for_continue),
        TEST(malformed_requests_end_the_connection),
        TEST(slow_clients_are_let_go),
        TEST(slow_readers_get_it_all),
        TEST(reload_and_drain),
        TEST(penalised_sources_are_refused),
        TEST(pages_log_in_and_go_on),
        TEST(forms_of_other_sites_are_refused),
        TEST(the_account_page_and_its_form_token),
        TEST(strangers_are_sent_to_log_in),
        TEST(a_wrong_current_password_shows_the_page_again),
        TEST(rules_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
