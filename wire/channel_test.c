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

static void what_is_gathered_goes_out_together_at_the_end_of_a_turn(void **state)
{
    (void)state;
    int sockets[2], fd;
    assert_true(channel_pair(sockets));
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct seen seen = {.fd = -1};
    struct channel a;
    channel_open(&a, loop, sockets[0], WIRE_CORE, WIRE_KEY, &events, &seen, 1 << 20);
    channel_gather(&a);
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(CHANNEL_SAY(&a, key_mac, .job = i));
    }
    uint8_t buffer[4096];
    assert_true(recv(sockets[1], buffer, sizeof(buffer), MSG_DONTWAIT) < 0);
    ev_run(loop, EVRUN_NOWAIT);
    size_t size = channel_receive_blocking(sockets[1], buffer, sizeof(buffer), &fd);
    struct channel_parts parts = channel_parts_of(view_of(buffer, size));
    struct view message;
    struct wire_key_mac mac;
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(channel_next(&parts, &message) && wire_key_mac_decode(message, &mac) && mac.job == i);
    }
    assert_false(channel_next(&parts, &message));
    assert_true(CHANNEL_SAY(&a, key_mac, .job = 9)); // alone it is a packet like any other
    channel_flush(&a);
    size = channel_receive_blocking(sockets[1], buffer, sizeof(buffer), &fd);
    assert_true(wire_key_mac_decode(view_of(buffer, size), &mac) && mac.job == 9);
    channel_close(&a);
    close(sockets[1]);
    ev_loop_destroy(loop);
}

static void bundles_keep_the_order_through_a_full_socket(void **state)
{
    (void)state;
    int sockets[2];
    assert_true(channel_pair(sockets));
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct seen from = {.fd = -1}, to = {.fd = -1};
    struct channel a, b;
    channel_open(&a, loop, sockets[0], WIRE_CORE, WIRE_KEY, &events, &from, 8 << 20);
    channel_gather(&a);
    for (uint64_t i = 0; i < 4096; i++) {
        uint8_t data[200] = {0}; // the packets are more than a socket holds
        assert_true(CHANNEL_SAY(&a, key_mac, .job = i, .data = view_of(data, sizeof(data))));
    }
    ev_run(loop, EVRUN_NOWAIT);
    channel_open(&b, loop, sockets[1], WIRE_KEY, WIRE_CORE, &events, &to, 1 << 20);
    for (int i = 0; i < 4096 && to.count < 4096; i++) {
        ev_run(loop, EVRUN_NOWAIT);
    }
    assert_int_equal(to.count, 4096);
    for (uint64_t i = 0; i < 4096; i++) {
        assert_true(to.jobs[i] == i);
    }
    channel_close(&a);
    channel_close(&b);
    ev_loop_destroy(loop);
}

static void a_bundle_that_is_not_whole_ends_the_channel(void **state)
{
    (void)state;
    const struct view bad[] = {VIEW("\xff\xff\x01"), VIEW("\xff\xff\xff\xff\xff\xff\x01"),
                               VIEW("\xff\xff\x00\x00\x00\x00"), VIEW("\xff\xff\x02\x00\x00\x00\xff\xff")};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int sockets[2];
        assert_true(channel_pair(sockets));
        struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
        struct seen seen = {.fd = -1};
        struct channel channel;
        channel_open(&channel, loop, sockets[1], WIRE_KEY, WIRE_CORE, &events, &seen, 1 << 20);
        assert_true(channel_send_blocking(sockets[0], bad[i], -1));
        ev_run(loop, EVRUN_ONCE);
        assert_true(seen.ended && seen.count == 0);
        close(sockets[0]);
        ev_loop_destroy(loop);
    }
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
        cmocka_unit_test(what_is_gathered_goes_out_together_at_the_end_of_a_turn),
        cmocka_unit_test(bundles_keep_the_order_through_a_full_socket),
        cmocka_unit_test(a_bundle_that_is_not_whole_ends_the_channel),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_descriptor_comes_along),
        cmocka_unit_test(a_message_outside_its_row_ends_the_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
