// SPDX-License-Identifier: ISC
// Connections over socket pairs: order, limits, time-outs, reload, drain.
#include "front/connection.h"

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
    rig_has(rig.heard, "HTTP/1.1 401 ");
    rig_has(rig.heard, "live\n");
    close(client);
}

static void a_client_may_wait_for_continue(void **state)
{
    (void)state;
    struct view packet;
    rig_core_connect(&rig);
    int client = rig_connect(&rig);
    rig_has(rig_ask(&rig, client,
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
        rig_has(rig_ask(&rig, client, cases[i].text), cases[i].status);
        rig_has(rig.heard, "Connection: close\r\n");
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
    rig_has(rig_ask(&rig, idle, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    for (int i = 0; i < 8; i++) { // a byte a second does not help
        rig_say(&rig, slow, "G");
        rig_pass(&rig, 1000);
    }
    rig_pass(&rig, 4000);
    assert_true(rig_is_closed(&rig, silent));
    assert_true(rig_hear(&rig, slow));
    rig_has(rig.heard, "HTTP/1.1 408 ");
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
    rig_has(rig_ask(&rig, idle, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    rig_say(&rig, waiting, LOGIN);
    rig.config.public_url = VIEW("https://auth.example.com");
    front_use_settings(&rig.front, settings_new(&rig.config, &error));
    rig_has(rig_ask(&rig, idle, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    front_drain(&rig.front);
    rig_pass(&rig, 1000);
    assert_true(rig_is_closed(&rig, idle));
    assert_int_equal(rig_core_hear(&rig, &packet), WIRE_MESSAGE_login);
    assert_true(wire_login_decode(packet, &login));
    rig_row_grant(&rig, 5);
    rig_core_reply(&rig, login.request, WIRE_GRANTED, WIRE_REASON_NONE);
    assert_true(rig_hear(&rig, waiting));
    rig_has(rig.heard, "Connection: close\r\n");
    rig_has(rig.heard, "Set-Cookie: stayd="); // by the settings it began with
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
    rig_has(rig_ask(&rig, client, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.8\r\n\r\n"),
            "200");
    rig_has(rig_ask(&rig, client, "GET /livez HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n"),
            "429");
    close(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(bytes_may_come_one_by_one),
        TEST(a_client_may_wait_for_continue),
        TEST(malformed_requests_end_the_connection),
        TEST(slow_clients_are_let_go),
        TEST(slow_readers_get_it_all),
        TEST(reload_and_drain),
        TEST(penalised_sources_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
