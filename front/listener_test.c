// SPDX-License-Identifier: ISC
// Real listening sockets: TCP over v4 and v6, Unix; the caps; listeners that come and go.
#include "front/listener.h"

#include "front/testing/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

static struct rig rig;

static void small_caps(struct wire_front_config *config)
{
    config->connections_max = 6;
    config->connections_per_source_max = 3;
    config->trusted_proxies = VIEW("unix");
}

static int begin(void **state)
{
    (void)state;
    rig_begin(&rig, small_caps);
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_end(&rig);
    return 0;
}

// Listens, and tells where; false on a machine without that family.
static bool listen_on(const char *name, int family, struct sockaddr_storage *address, socklen_t *size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    *address = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
    *size = family == AF_INET    ? sizeof(struct sockaddr_in)
            : family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                 : sizeof(sa_family_t);
    if (family == AF_INET) {
        ((struct sockaddr_in *)address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_addr = in6addr_loopback;
    }
    if (bind(fd, (struct sockaddr *)address, *size) != 0) { // Unix: a free abstract name
        close(fd);
        return false;
    }
    assert_int_equal(listen(fd, 64), 0);
    *size = sizeof(*address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, size), 0);
    assert_true(listener_add(&rig.front, fd, view_of_cstr(name)));
    return true;
}

static int connect_to(const struct sockaddr_storage *address, socklen_t size)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)address, size) != 0) {
        close(fd);
        return -1;
    }
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    rig_turn(&rig);
    return fd;
}

static void all_kinds_are_served(void **state)
{
    (void)state;
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
    static const char *const names[] = {"v4", "v6", "unix"};
    for (size_t i = 0; i < 3; i++) {
        struct sockaddr_storage address;
        socklen_t size;
        if (!listen_on(names[i], families[i], &address, &size)) {
            assert_int_equal(families[i], AF_INET6);
            continue;
        }
        int client = connect_to(&address, size);
        assert_true(client >= 0);
        rig_has(rig_ask(&rig, client, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK");
        listener_remove(&rig.front, view_of_cstr(names[i]));
        rig_has(rig_ask(&rig, client, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK");
        assert_int_equal(connect_to(&address, size), -1);
        close(client);
    }
    assert_null(rig.front.listeners);
}

static void a_source_has_its_cap(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    socklen_t size;
    int clients[4];
    assert_true(listen_on("v4", AF_INET, &address, &size));
    for (size_t i = 0; i < 4; i++) {
        clients[i] = connect_to(&address, size);
    }
    assert_true(rig_hear(&rig, clients[3]));
    rig_has(rig.heard, "HTTP/1.1 503 ");
    assert_int_equal(rig.front.connection_count, 3);
    close(clients[0]);
    rig_turn(&rig);
    clients[0] = connect_to(&address, size);
    rig_has(rig_ask(&rig, clients[0], "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK");
    for (size_t i = 0; i < 4; i++) {
        close(clients[i]);
    }
}

static void all_together_have_theirs(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    socklen_t size;
    int clients[7];
    assert_true(listen_on("unix", AF_UNIX, &address, &size)); // a trusted proxy: no cap of its own
    for (size_t i = 0; i < 7; i++) {
        clients[i] = connect_to(&address, size);
    }
    assert_int_equal(rig.front.connection_count, 6);
    assert_true(rig_hear(&rig, clients[6]));
    rig_has(rig.heard, "HTTP/1.1 503 ");
    rig_has(rig.heard, "Retry-After: 1\r\n");
    for (size_t i = 0; i < 7; i++) {
        close(clients[i]);
    }
}

static void the_penalised_are_turned_away(void **state)
{
    (void)state;
    struct sockaddr_storage address;
    socklen_t size;
    struct id16 source;
    assert_true(listen_on("v4", AF_INET, &address, &size));
    assert_true(address_parse(VIEW("127.0.0.1"), &source));
    sources_penalise(&rig.front.sources, source, front_mono_s(&rig.front), 10);
    rig.front.penalties_until_s = front_mono_s(&rig.front) + 10;
    int client = connect_to(&address, size);
    assert_true(rig_hear(&rig, client));
    rig_has(rig.heard, "HTTP/1.1 429 ");
    close(client);
    rig_pass(&rig, 11000);
    client = connect_to(&address, size);
    rig_has(rig_ask(&rig, client, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK");
    close(client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(all_kinds_are_served),
        TEST(a_source_has_its_cap),
        TEST(all_together_have_theirs),
        TEST(the_penalised_are_turned_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
