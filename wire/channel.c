// SPDX-License-Identifier: ISC
// Channels over SOCK_SEQPACKET. Used by every process.
// 1. Messages arrive in the order they were sent: once one is queued, all later ones are.
// 2. At most one descriptor comes with a packet; more end the channel, and none leaks.
// 3. A packet is one message or, where the sender gathers, a bundle: BUNDLE, then u32 size and bytes of each.
#include "wire/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

const char channel_peer_gone[] = "the peer is gone";

struct channel_packet {
    struct channel_packet *next;
    int fd;
    unsigned gathered; // messages of a bundle; 0: it is none
    size_t size, room;
    uint8_t data[];
};

// A packet at a time per wake-up would starve nothing but cost wake-ups; this many keep the loop fair.
#define PACKETS_PER_WAKEUP 32

enum { BUNDLE = 0xffff, BUNDLE_HEAD = 2, PART_HEAD = 4, BUNDLE_ROOM = 16384 };

static ssize_t send_packet(int socket, struct view packet, int fd, int flags)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)packet.data, .iov_len = packet.size};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof(control.space);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

// -1: nothing there (errno), 0: the peer is gone or broke the rules.
static ssize_t receive_packet(int socket, uint8_t *buffer, size_t size, int *fd, int flags)
{
    struct iovec part = {.iov_base = buffer, .iov_len = size};
    union {
        char space[CMSG_SPACE(sizeof(int) * 4)];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof(control.space)};
    *fd = -1;
    ssize_t got;
    do {
        got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return got;
    }
    bool broken = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h != NULL; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int one;
            memcpy(&one, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
            if (*fd >= 0) {
                close(one);
                broken = true;
            } else {
                *fd = one;
            }
        }
    }
    if (broken && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return broken ? 0 : got;
}

// ---- the queue -------------------------------------------------------------------------------------------

static void put(struct channel_packet *packet, const void *data, size_t size)
{
    memcpy(packet->data + packet->size, data, size);
    packet->size += size;
}

static void put_part(struct channel_packet *bundle, struct view message)
{
    uint32_t size = (uint32_t)message.size;
    put(bundle, &size, sizeof(size));
    put(bundle, message.data, message.size);
    bundle->gathered++;
}

static struct channel_packet *append_packet(struct channel *channel, size_t room)
{
    struct channel_packet *packet = malloc(sizeof(*packet) + room);
    if (packet != NULL) {
        *packet = (struct channel_packet){.fd = -1, .room = room};
        *(channel->last != NULL ? &channel->last->next : &channel->first) = packet;
        channel->last = packet;
    }
    return packet;
}

static bool enqueue_alone(struct channel *channel, struct view message, int fd)
{
    struct channel_packet *packet = append_packet(channel, message.size);
    if (packet != NULL) {
        packet->fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        put(packet, message.data, message.size);
        channel->queued_bytes += packet->size;
    }
    return packet != NULL;
}

static bool enqueue_gathered(struct channel *channel, struct view message)
{
    static const uint16_t head = BUNDLE;
    struct channel_packet *bundle = channel->last;
    if (bundle == NULL || bundle->gathered == 0 || bundle->room - bundle->size < PART_HEAD + message.size) {
        bundle = append_packet(channel, BUNDLE_ROOM);
        if (bundle == NULL) {
            return false;
        }
        put(bundle, &head, sizeof(head));
        channel->queued_bytes += sizeof(head);
    }
    put_part(bundle, message);
    channel->queued_bytes += PART_HEAD + message.size;
    return true;
}

// A bundle of one is sent as what it holds.
static struct view bytes_of(const struct channel_packet *packet)
{
    struct view whole = view_of(packet->data, packet->size);
    return packet->gathered == 1 ? view_from(whole, BUNDLE_HEAD + PART_HEAD) : whole;
}

static void drop_first(struct channel *channel)
{
    struct channel_packet *packet = channel->first;
    channel->first = packet->next;
    channel->last = channel->first == NULL ? NULL : channel->last;
    channel->queued_bytes -= packet->size;
    if (packet->fd >= 0) {
        close(packet->fd);
    }
    wipe(packet->data, packet->size);
    free(packet);
}

// ---- the end ---------------------------------------------------------------------------------------------

static void drop_queue(struct channel *channel)
{
    while (channel->first != NULL) {
        drop_first(channel);
    }
}

void channel_close(struct channel *channel)
{
    if (channel->fd < 0) {
        return;
    }
    ev_io_stop(channel->loop, &channel->reader);
    ev_io_stop(channel->loop, &channel->writer);
    close(channel->fd);
    channel->fd = -1;
    drop_queue(channel);
}

static void end(struct channel *channel, const char *why)
{
    channel_close(channel);
    channel->events->on_end(channel, why);
}

// ---- receiving -------------------------------------------------------------------------------------------

struct channel_parts channel_parts_of(struct view packet)
{
    bool bundle = wire_peek(packet) == BUNDLE;
    return (struct channel_parts){.rest = view_from(packet, bundle ? BUNDLE_HEAD : 0), .bundle = bundle};
}

bool channel_next(struct channel_parts *parts, struct view *message)
{
    if (parts->rest.size == 0) {
        return false;
    }
    *message = parts->rest;
    if (parts->bundle) {
        uint32_t size = UINT32_MAX;
        memcpy(&size, parts->rest.data, parts->rest.size < PART_HEAD ? 0 : PART_HEAD);
        struct view behind = view_from(parts->rest, PART_HEAD);
        *message = size <= behind.size ? view_first(behind, size) : VIEW("");
        parts->rest = size <= behind.size ? view_from(behind, size) : VIEW("");
    } else {
        parts->rest = VIEW("");
    }
    return true;
}

// false: not what a packet may be.
static bool take_packet(struct channel *channel, struct view packet, int fd)
{
    int socket = channel->fd;
    struct channel_parts parts = channel_parts_of(packet);
    struct view message;
    bool fine = fd < 0 || !parts.bundle;
    while (fine && channel->fd == socket && channel_next(&parts, &message)) {
        fine = wire_permitted(message, channel->peer, channel->self);
        if (fine) {
            fine = channel->events->on_packet(channel, message, fd);
            fd = -1;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return fine;
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    static uint8_t buffer[WIRE_PACKET_MAX];
    struct channel *channel = watcher->data;
    for (int i = 0; i < PACKETS_PER_WAKEUP; i++) {
        int socket = channel->fd;
        int fd;
        ssize_t got = receive_packet(socket, buffer, sizeof(buffer), &fd, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (got <= 0) {
            end(channel, channel_peer_gone);
            return;
        }
        bool fine = take_packet(channel, view_of(buffer, (size_t)got), fd);
        wipe(buffer, (size_t)got);
        if (channel->fd != socket) {
            return; // the handler closed or replaced it
        }
        if (!fine) {
            end(channel, "a message outside its row");
            return;
        }
    }
}

// ---- sending ---------------------------------------------------------------------------------------------

// What the socket takes now; the writer watches while there is a rest.
static void send_queued(struct channel *channel)
{
    while (channel->first != NULL) {
        struct channel_packet *packet = channel->first;
        if (send_packet(channel->fd, bytes_of(packet), packet->fd, MSG_DONTWAIT) >= 0) {
            drop_first(channel);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            ev_io_start(channel->loop, &channel->writer);
            return;
        } else {
            end(channel, channel_peer_gone);
            return;
        }
    }
    ev_io_stop(channel->loop, &channel->writer);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    send_queued(watcher->data);
}

void channel_open(struct channel *channel, struct ev_loop *loop, int fd, enum wire_role self,
                  enum wire_role peer, const struct channel_events *events, void *owner,
                  size_t queue_max_bytes)
{
    *channel = (struct channel){.loop = loop,
                                .fd = fd,
                                .self = self,
                                .peer = peer,
                                .owner = owner,
                                .events = events,
                                .queue_max_bytes = queue_max_bytes};
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    ev_io_init(&channel->reader, on_readable, fd, EV_READ);
    ev_io_init(&channel->writer, on_writable, fd, EV_WRITE);
    ev_set_priority(&channel->writer, EV_MINPRI);
    channel->reader.data = channel;
    channel->writer.data = channel;
    ev_io_start(loop, &channel->reader);
}

static bool enqueue(struct channel *channel, struct view message, int fd)
{
    bool gather = channel->gathers && fd < 0 && message.size <= BUNDLE_ROOM / 2;
    if (channel->queued_bytes + message.size > channel->queue_max_bytes ||
        !(gather ? enqueue_gathered(channel, message) : enqueue_alone(channel, message, fd))) {
        channel->dropped++;
        return false;
    }
    if (!channel->in_turns && !ev_is_active(&channel->writer)) {
        // After everything else that this turn of the loop has to do.
        ev_feed_event(channel->loop, &channel->writer, EV_WRITE);
    }
    return true;
}

bool channel_send_fd(struct channel *channel, struct view packet, int fd)
{
    if (channel->fd < 0) {
        return false;
    }
    assert(wire_permitted(packet, channel->self, channel->peer));
    if (channel->first == NULL && !channel->gathers) {
        if (send_packet(channel->fd, packet, fd, MSG_DONTWAIT) >= 0) {
            return true;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
            return false; // the reader will see the end and say so
        }
    }
    return enqueue(channel, packet, fd);
}

void channel_gather(struct channel *channel)
{
    channel->gathers = true;
}

void channel_flush(struct channel *channel)
{
    if (channel->fd >= 0) {
        send_queued(channel);
    }
}

// ---- in turns --------------------------------------------------------------------------------------------

void channel_turn(struct channel *channel)
{
    channel_flush(channel);
    if (channel->fd >= 0) {
        on_readable(channel->loop, &channel->reader, EV_READ);
    }
}

void channel_take_turns(struct channel *channel, bool in_turns)
{
    if (channel->fd < 0 || channel->in_turns == in_turns) {
        return;
    }
    channel->in_turns = in_turns;
    if (in_turns) {
        ev_io_stop(channel->loop, &channel->reader);
    } else {
        ev_io_start(channel->loop, &channel->reader);
        send_queued(channel);
    }
}

// ---- without a loop --------------------------------------------------------------------------------------

size_t channel_receive_blocking(int socket, uint8_t *buffer, size_t buffer_size, int *fd)
{
    for (;;) {
        ssize_t got = receive_packet(socket, buffer, buffer_size, fd, 0);
        if (got >= 0) {
            return (size_t)got;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            return 0;
        }
        (void)poll(&(struct pollfd){.fd = socket, .events = POLLIN}, 1, -1);
    }
}

bool channel_send_blocking(int socket, struct view packet, int fd)
{
    while (send_packet(socket, packet, fd, 0) < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
            return false;
        }
        (void)poll(&(struct pollfd){.fd = socket, .events = POLLOUT}, 1, -1);
    }
    return true;
}

bool channel_pair(int sockets[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0;
}
