// SPDX-License-Identifier: ISC
// Unit tests of wire/channel: order, descriptors, bounds, ends.
#include "wire/channel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct seen {
    uint64_t jobs[4096];
    size_t count;
    int fd;
    bool ended;
};

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    struct seen *seen = channel->owner;
    struct wire_key_mac message;
    if (!wire_key_mac_decode(packet, &message)) {
        return false;
    }
    seen->jobs[seen->count++ % 4096] = message.job;
    seen->fd = fd >= 0 ? fd : seen->fd;
    return true;
}

static void on_end(struct channel *channel, const char *why)
{
    (void)why;
    ((struct seen *)channel->owner)->ended = true;
}

static const struct channel_events events = {on_packet, on_end};

static void packets_keep_their_order_through_a_full_socket(void **state)
{
    (void)state;
    int sockets[2];
    assert_true(channel_pair(sockets));
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct seen from = {.fd = -1}, to = {.fd = -1};
    struct channel a, b;
    channel_open(&a, loop, sockets[0], WIRE_CORE, WIRE_KEY, &events, &from, 1 << 20);
    channel_open(&b, loop, sockets[1], WIRE_KEY, WIRE_CORE, &events, &to, 1 << 20);
    for (uint64_t i = 0; i < 2000; i++) { // more than a socket holds
        assert_true(CHANNEL_SAY(&a, key_mac, .job = i));
    }
    for (int i = 0; i < 2000 && to.count < 2000; i++) {
        ev_run(loop, EVRUN_NOWAIT);
    }
    assert_int_equal(to.count, 2000);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_true(to.jobs[i] == i);
    }
    channel_close(&a);
    ev_run(loop, EVRUN_ONCE);
    assert_true(to.ended);
    assert_false(channel_is_open(&b));
    ev_loop_destroy(loop);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    int sockets[2];
    assert_true(channel_pair(sockets));
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct seen seen = {.fd = -1};
    struct channel a;
    channel_open(&a, loop, sockets[0], WIRE_CORE, WIRE_KEY, &events, &seen, 256);
    bool refused = false;
    for (int i = 0; i < 100000 && !refused; i++) {
        refused = !CHANNEL_SAY(&a, key_mac, .job = 1);
    }
    assert_true(refused);
    assert_true(a.dropped == 1);
    channel_close(&a);
    close(sockets[1]);
    ev_loop_destroy(loop);
}

static void a_descriptor_comes_along(void **state)
{
    (void)state;
    int sockets[2];
    assert_true(channel_pair(sockets));
    struct bytes packet;
    bytes_init(&packet, 1024);
    assert_true(wire_key_mac_encode(&packet, &(struct wire_key_mac){.job = 5}));
    assert_true(channel_send_blocking(sockets[0], bytes_view(&packet), STDERR_FILENO));
    uint8_t buffer[1024];
    int fd = -1;
    assert_int_equal(channel_receive_blocking(sockets[1], buffer, sizeof(buffer), &fd), packet.size);
    assert_true(fd >= 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    close(fd);
    close(sockets[0]);
    assert_int_equal(channel_receive_blocking(sockets[1], buffer, sizeof(buffer), &fd), 0);
    close(sockets[1]);
    bytes_release(&packet);
}

static void a_message_outside_its_row_ends_the_channel(void **state)
{
    (void)state;
    int sockets[2];
    assert_true(channel_pair(sockets));
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct seen seen = {.fd = -1};
    struct channel channel;
    channel_open(&channel, loop, sockets[1], WIRE_CORE, WIRE_KEY, &events, &seen, 1 << 20);
    assert_true(channel_send_blocking(sockets[0], VIEW("\x02\x00"), -1)); // a login, from the key process
    ev_run(loop, EVRUN_ONCE);
    assert_true(seen.ended && seen.count == 0);
    close(sockets[0]);
    ev_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_keep_their_order_through_a_full_socket),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_descriptor_comes_along),
        cmocka_unit_test(a_message_outside_its_row_ends_the_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
