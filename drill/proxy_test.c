// SPDX-License-Identifier: ISC
// The fault proxy between two sockets of the test, and the arithmetic of its toxics.
#include "drill/proxy.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS 1000000ull

static struct toxics toxics;
static struct proxy *proxy;
static int listener, client, server;

static int listen_on(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int begin(void **unused)
{
    (void)unused;
    uint16_t port;
    toxics_clear(&toxics);
    listener = listen_on(&port);
    proxy = proxy_new(port, &toxics, 1);
    assert_non_null(proxy);
    client = connect_to(proxy_port(proxy));
    server = -1;
    for (unsigned i = 0; i < 200 && server < 0; i++) {
        proxy_turn(proxy, 5);
        server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    }
    assert_true(server >= 0);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    proxy_free(&proxy);
    close(client);
    close(server);
    close(listener);
    return 0;
}

// Bytes that arrive within so long; -1: the connection broke.
static ssize_t turn_until(int fd, char *out, size_t size, uint64_t ms)
{
    uint64_t end_ns = clock_mono_ns() + ms * MS;
    while (clock_mono_ns() < end_ns) {
        proxy_turn(proxy, 2);
        ssize_t got = recv(fd, out, size, MSG_DONTWAIT);
        if (got >= 0 || errno != EAGAIN) {
            return got;
        }
    }
    errno = EAGAIN;
    return -1;
}

static void both_ways_pass_and_the_end_too(void **unused)
{
    (void)unused;
    char got[64];
    assert_int_equal(send(client, "question", 8, 0), 8);
    assert_int_equal(turn_until(server, got, sizeof(got), 2000), 8);
    assert_memory_equal(got, "question", 8);
    assert_int_equal(send(server, "answer", 6, 0), 6);
    assert_int_equal(turn_until(client, got, sizeof(got), 2000), 6);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_int_equal(turn_until(server, got, sizeof(got), 2000), 0);
    assert_int_equal(send(server, "late", 4, 0), 4);
    assert_int_equal(turn_until(client, got, sizeof(got), 2000), 4);
}

static void latency_holds_what_arrives(void **unused)
{
    (void)unused;
    char got[64];
    atomic_store(&toxics.latency_ms, 120);
    uint64_t began_ns = clock_mono_ns();
    assert_int_equal(send(client, "question", 8, 0), 8);
    assert_int_equal(turn_until(server, got, sizeof(got), 5000), 8);
    assert_true(clock_mono_ns() - began_ns >= 115 * MS);
}

static void a_black_hole_gives_back_what_it_held(void **unused)
{
    (void)unused;
    char got[64];
    atomic_store(&toxics.blackhole, 1);
    assert_int_equal(send(client, "question", 8, 0), 8);
    assert_int_equal(turn_until(server, got, sizeof(got), 60), -1);
    assert_int_equal(errno, EAGAIN);
    atomic_store(&toxics.blackhole, 0);
    assert_int_equal(turn_until(server, got, sizeof(got), 5000), 8);
}

static void a_reset_is_told_to_both(void **unused)
{
    (void)unused;
    char got[64];
    atomic_store(&toxics.reset_ms, 1);
    assert_int_equal(turn_until(client, got, sizeof(got), 5000), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(turn_until(server, got, sizeof(got), 5000), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(proxy_open(proxy), 0);
}

static void a_timeout_closes_in_the_end(void **unused)
{
    (void)unused;
    char got[64];
    atomic_store(&toxics.timeout_ms, 50);
    assert_int_equal(send(client, "question", 8, 0), 8);
    assert_int_equal(turn_until(server, got, sizeof(got), 5000), 0);
}

static void an_end_can_be_slow(void **unused)
{
    (void)unused;
    char got[64];
    atomic_store(&toxics.slow_close_ms, 100);
    uint64_t began_ns = clock_mono_ns();
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_int_equal(turn_until(server, got, sizeof(got), 5000), 0);
    assert_true(clock_mono_ns() - began_ns >= 95 * MS);
}

static void new_connections_can_be_refused(void **unused)
{
    (void)unused;
    char got[8];
    atomic_store(&toxics.refuse, 1);
    int other = connect_to(proxy_port(proxy));
    assert_int_equal(turn_until(other, got, sizeof(got), 5000), -1);
    assert_int_equal(errno, ECONNRESET);
    close(other);
}

static void nothing_overtakes(void **unused)
{
    (void)unused;
    struct toxic_flow flow = {0};
    uint64_t random = 3, last_ns = 0;
    atomic_store(&toxics.latency_ms, 50);
    atomic_store(&toxics.jitter_ms, 50);
    for (uint64_t now_ns = MS; now_ns < 2000 * MS; now_ns += MS) {
        uint64_t due_ns = toxics_due(&toxics, &flow, now_ns, 100, &random);
        assert_true(due_ns >= last_ns && due_ns >= now_ns);
        last_ns = due_ns;
    }
}

static void what_is_lost_waits_for_a_retransmission(void **unused)
{
    (void)unused;
    uint64_t random = 5;
    unsigned waited = 0;
    atomic_store(&toxics.lost_thousandths, 100);
    for (unsigned i = 0; i < 10000; i++) {
        struct toxic_flow flow = {0};
        uint64_t due_ns = toxics_due(&toxics, &flow, MS, 100, &random);
        assert_true(due_ns == MS || due_ns >= 201 * MS);
        waited += due_ns > MS;
    }
    assert_true(waited > 850 && waited < 1150);
}

static void a_rate_is_kept(void **unused)
{
    (void)unused;
    struct toxic_flow flow = {0};
    uint64_t random = 7, due_ns = 0;
    atomic_store(&toxics.bytes_per_second, 1000);
    for (unsigned i = 0; i < 10; i++) {
        due_ns = toxics_due(&toxics, &flow, MS, 500, &random);
    }
    assert_int_equal(due_ns, 5001 * MS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(both_ways_pass_and_the_end_too),
        TEST(latency_holds_what_arrives),
        TEST(a_black_hole_gives_back_what_it_held),
        TEST(a_reset_is_told_to_both),
        TEST(a_timeout_closes_in_the_end),
        TEST(an_end_can_be_slow),
        TEST(new_connections_can_be_refused),
        TEST(nothing_overtakes),
        TEST(what_is_lost_waits_for_a_retransmission),
        TEST(a_rate_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
