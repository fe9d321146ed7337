// SPDX-License-Identifier: ISC
// What arrives in one turn of the loop: each gets its own answer, however many they are and whatever happens
// to the others.
#include "front/arrivals.h"

#include "front/testing/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define CHECK "GET /auth/check HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\n\r\n"

enum { CLIENTS = 3 * ARRIVALS_MAX + 5, USERS = 5 };

static struct rig rig;
static ev_check meddler;
static unsigned met; // arrivals that it met
static char token[USERS][44], name[USERS][8];

static int begin(void **state)
{
    (void)state;
    rig_begin(&rig, NULL);
    for (uint8_t i = 0; i < USERS; i++) {
        (void)snprintf(name[i], sizeof(name[i]), "user%u", i);
        rig_session(&rig, (uint8_t)(i + 1), name[i], "", token[i]);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_end(&rig);
    return 0;
}

static void put(int client, const void *data, size_t size)
{
    assert_int_equal(send(client, data, size, MSG_NOSIGNAL), size);
}

static void put_text(int client, const char *text)
{
    put(client, text, strlen(text));
}

static void many_at_once_get_their_own_identity(void **state)
{
    (void)state;
    int clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = rig_connect(&rig);
        put_text(clients[i], rig_with(CHECK, token[i % USERS]));
    }
    rig_turn(&rig);
    for (int i = 0; i < CLIENTS; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "Remote-User: %s\r\n", name[i % USERS]);
        assert_true(rig_hear(&rig, clients[i]));
        rig_has(rig.heard, line);
        close(clients[i]);
    }
}

static void others_may_be_of_any_kind(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *heard; // NULL: nothing yet
    } cases[] = {
        {CHECK, "HTTP/1.1 200 OK"},
        {"GET /auth/check HTTP/1.1\r\nHost: a\r\nCookie: stayd=short\r\n\r\n", "HTTP/1.1 401 "},
        {"GET /livez HTTP/1.1\r\nHo", NULL},
        {"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /auth/check HTTP/1.1\r\nHost: a\r\n\r\n",
         "HTTP/1.1 401 "},
        {"POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
         "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
         NULL},
        {"GET /auth/check HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n", "Remote-User: user0\r\n"},
        {"GET /auth/check HTTP/1.1\r\nHost: a\r\nCookie: stayd=%s\r\nCookie: stayd=x\r\n\r\n",
         "HTTP/1.1 401 "},
    };
    enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
    int clients[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        clients[i] = rig_connect(&rig);
        put_text(clients[i],
                 strstr(cases[i].text, "%s") == NULL ? cases[i].text : rig_with(cases[i].text, token[0]));
    }
    rig_turn(&rig);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(rig_hear(&rig, clients[i]), cases[i].heard != NULL);
        if (cases[i].heard != NULL) {
            rig_has(rig.heard, cases[i].heard);
        }
    }
    rig_has(rig_ask(&rig, clients[2], "st: a\r\n\r\n"), "live\n"); // the rest of one that was looked at
    rig_has(rig_ask(&rig, clients[5], "0\r\n\r\n"), "HTTP/1.1 400 ");
    for (size_t i = 0; i < COUNT; i++) {
        close(clients[i]);
    }
}

// More bytes than the buffer has: who comes late is served after the others.
static void large_ones_wait_for_room(void **state)
{
    (void)state;
    enum { LARGE = 8, BODY = 12000 };
    int clients[LARGE];
    static char body[BODY];
    memset(body, ' ', sizeof(body));
    for (int i = 0; i < LARGE; i++) {
        clients[i] = rig_connect(&rig);
        put_text(clients[i], "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                             "Content-Length: 12000\r\n\r\n");
        put(clients[i], body, sizeof(body));
        put_text(clients[i], rig_with(CHECK, token[i % USERS]));
    }
    rig_turn(&rig);
    for (int i = 0; i < LARGE; i++) {
        assert_true(rig_hear(&rig, clients[i]));
        rig_has(rig.heard, "HTTP/1.1 400 ");
        rig_has(rig.heard, name[i % USERS]);
        close(clients[i]);
    }
}

// Between what was received and what is served, as another event of the same turn would.
static void meddle(void (*how)(struct ev_loop *loop, ev_check *check, int revents))
{
    met = 0;
    ev_check_init(&meddler, how);
    ev_set_priority(&meddler, -1); // after those who receive, before those who serve
    ev_check_start(rig.loop, &meddler);
    rig_turn(&rig);
    ev_check_stop(rig.loop, &meddler);
    assert_true(met > 0);
}

static void close_every_other(struct ev_loop *loop, ev_check *check, int revents)
{
    (void)loop;
    (void)check;
    (void)revents;
    bool now = true;
    for (struct connection *connection = rig.front.connections, *next; connection != NULL;
         connection = next) {
        next = connection->next;
        if (connection->arrival != NULL && now) {
            met++;
            connection_close(connection);
        }
        now = !now;
    }
}

static void one_may_close_before_it_is_served(void **state)
{
    (void)state;
    enum { FEW = 6 };
    int clients[FEW];
    unsigned answered = 0;
    for (int i = 0; i < FEW; i++) {
        clients[i] = rig_connect(&rig);
        put_text(clients[i], rig_with(CHECK, token[i % USERS]));
    }
    meddle(close_every_other);
    for (int i = 0; i < FEW; i++) {
        if (rig_hear(&rig, clients[i]) && rig.heard_size > 0) {
            rig_has(rig.heard, name[i % USERS]);
            answered++;
        }
        close(clients[i]);
    }
    assert_int_equal(answered, FEW / 2);
}

static void expire_all(struct ev_loop *loop, ev_check *check, int revents)
{
    (void)loop;
    (void)check;
    (void)revents;
    for (struct connection *connection = rig.front.connections; connection != NULL;
         connection = connection->next) {
        if (connection->arrival != NULL) {
            met++;
            wheel_remove(&connection->timer);
            connection_expire(&connection->timer);
        }
    }
}

static void a_time_out_in_the_last_moment_is_too_late(void **state)
{
    (void)state;
    int client = rig_connect(&rig);
    put_text(client, rig_with(CHECK, token[0]));
    meddle(expire_all);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "Remote-User: user0\r\n");
    rig_has(rig_ask(&rig, client, rig_with(CHECK, token[1])), "Remote-User: user1\r\n");
    close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_at_once_get_their_own_identity, begin, end),
        cmocka_unit_test_setup_teardown(others_may_be_of_any_kind, begin, end),
        cmocka_unit_test_setup_teardown(large_ones_wait_for_room, begin, end),
        cmocka_unit_test_setup_teardown(one_may_close_before_it_is_served, begin, end),
        cmocka_unit_test_setup_teardown(a_time_out_in_the_last_moment_is_too_late, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
