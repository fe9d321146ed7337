// SPDX-License-Identifier: ISC
// Connections of the ops listener, byte by byte, over loopback, with a loop that the test turns.
#include "watch/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define GET "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"

static struct watched watched;
static struct incidents incidents;
static struct ops ops;
static struct server server;
static struct sockaddr_in address;

static int set_up(void **unused)
{
    socklen_t size = sizeof(address);
    (void)unused;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(fd, 128), 0);
    watched_init(&watched);
    incidents_init(&incidents);
    ops_init(&ops, &watched, &incidents);
    server_init(&server, ev_loop_new(EVBACKEND_EPOLL), &ops);
    assert_true(server_listen(&server, fd, VIEW("ops"), OPS_DOOR_LISTENER));
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    server_release(&server);
    ops_release(&ops);
    ev_loop_destroy(server.loop);
    return 0;
}

static void turn(void)
{
    for (int i = 0; i < 8; i++) {
        ev_run(server.loop, EVRUN_NOWAIT);
    }
}

static int dial(void)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    turn();
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    turn();
}

// What has arrived by now. *ended: the server has closed.
static const char *heard(int fd, bool *ended)
{
    static char text[8192];
    size_t size = 0;
    *ended = false;
    for (;;) {
        ssize_t got = recv(fd, text + size, sizeof(text) - 1 - size, MSG_DONTWAIT);
        if (got <= 0) {
            *ended = got == 0 || errno != EAGAIN;
            break;
        }
        size += (size_t)got;
    }
    text[size] = '\0';
    return text;
}

static unsigned count(const char *text, const char *part)
{
    unsigned found = 0;
    for (; (text = strstr(text, part)) != NULL; text++) {
        found++;
    }
    return found;
}

static void requests_follow_each_other(void **unused)
{
    bool ended;
    int fd = dial();
    (void)unused;
    say(fd, GET GET);
    assert_int_equal(count(heard(fd, &ended), "alive"), 2);
    assert_false(ended);
    for (const char *at = GET; *at != '\0'; at++) {
        say(fd, (const char[]){*at, '\0'});
    }
    assert_int_equal(count(heard(fd, &ended), "alive"), 1);
    say(fd, "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_int_equal(count(heard(fd, &ended), "alive"), 1);
    assert_true(ended);
    assert_int_equal(server.count, 0);
    close(fd);
}

static void what_is_no_request_is_the_last(void **unused)
{
    static const struct {
        const char *sent;
        const char *status;
    } rows[] = {
        {"nonsense\r\n\r\n", "HTTP/1.1 400 "},
        {"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 "},
        {"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 413 "},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 413 "}};
    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool ended;
        int fd = dial();
        say(fd, rows[i].sent);
        assert_int_equal(strncmp(heard(fd, &ended), rows[i].status, strlen(rows[i].status)), 0);
        assert_true(ended);
        close(fd);
    }
}

static void there_are_only_so_many(void **unused)
{
    int fds[SERVER_CONNECTIONS_MAX + 1];
    bool ended;
    (void)unused;
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        fds[i] = dial();
    }
    turn();
    assert_int_equal(server.count, SERVER_CONNECTIONS_MAX);
    (void)heard(fds[SERVER_CONNECTIONS_MAX], &ended);
    assert_true(ended);
    say(fds[0], GET);
    assert_int_equal(count(heard(fds[0], &ended), "alive"), 1);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        close(fds[i]);
    }
    turn();
    for (int i = 0; i < SERVER_CONNECTIONS_MAX && server.count > 0; i++) {
        ev_run(server.loop, EVRUN_NOWAIT);
    }
    assert_int_equal(server.count, 0);
}

static void who_trickles_loses_the_connection(void **unused)
{
    bool ended = false;
    (void)unused;
    server.timeout_s = 0.05;
    int fd = dial();
    say(fd, "GET / HT");
    ev_run(server.loop, EVRUN_ONCE); // sleeps until the timer, or there would be nothing left to wait for
    (void)heard(fd, &ended);
    assert_true(ended);
    assert_int_equal(server.count, 0);
    close(fd);
}

static void a_listener_can_leave(void **unused)
{
    (void)unused;
    server_unlisten(&server, VIEW("other"));
    assert_true(server.listener[0].open);
    server_unlisten(&server, VIEW("ops"));
    assert_false(server.listener[0].open);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_request_is_the_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_are_only_so_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_trickles_loses_the_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_listener_can_leave, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
