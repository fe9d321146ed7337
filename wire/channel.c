// SPDX-License-Identifier: ISC
// Channels over SOCK_SEQPACKET. Used by every process.
// 1. Packets arrive in the order they were sent: once one is queued, all later ones are.
// 2. At most one descriptor comes with a packet; more end the channel, and none leaks.
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
    size_t size;
    uint8_t data[];
};

// A packet at a time per wake-up would starve nothing but cost wake-ups; this many keep the loop fair.
#define PACKETS_PER_WAKEUP 32
#define TURN_PACKETS       32

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

static void drop_queue(struct channel *channel)
{
    while (channel->first != NULL) {
        struct channel_packet *packet = channel->first;
        channel->first = packet->next;
        if (packet->fd >= 0) {
            close(packet->fd);
        }
        wipe(packet->data, packet->size);
        free(packet);
    }
    channel->last = NULL;
    channel->queued_bytes = 0;
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
        struct view packet = view_of(buffer, (size_t)got);
        bool fine = wire_permitted(packet, channel->peer, channel->self);
        if (!fine && fd >= 0) {
            close(fd);
        }
        fine = fine && channel->events->on_packet(channel, packet, fd);
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

// Sends up to TURN_PACKETS of what is queued in one call; false: no more can be sent now.
static bool send_many(struct channel *channel)
{
    struct mmsghdr messages[TURN_PACKETS];
    struct iovec parts[TURN_PACKETS];
    unsigned count = 0;
    for (struct channel_packet *packet = channel->first;
         packet != NULL && packet->fd < 0 && count < TURN_PACKETS; packet = packet->next) {
        parts[count] = (struct iovec){.iov_base = packet->data, .iov_len = packet->size};
        messages[count] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[count], .msg_iovlen = 1}};
        count++;
    }
    int sent = count == 0 ? 0 : sendmmsg(channel->fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (int i = 0; i < sent; i++) {
        struct channel_packet *packet = channel->first;
        channel->first = packet->next;
        channel->last = channel->first == NULL ? NULL : channel->last;
        channel->queued_bytes -= packet->size;
        wipe(packet->data, packet->size);
        free(packet);
    }
    return sent > 0 && sent == (int)count;
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)revents;
    struct channel *channel = watcher->data;
    while (channel->first != NULL) {
        struct channel_packet *packet = channel->first;
        if (send_packet(channel->fd, view_of(packet->data, packet->size), packet->fd, MSG_DONTWAIT) < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
                return;
            }
            end(channel, channel_peer_gone);
            return;
        }
        channel->first = packet->next;
        channel->last = channel->first == NULL ? NULL : channel->last;
        channel->queued_bytes -= packet->size;
        if (packet->fd >= 0) {
            close(packet->fd);
        }
        wipe(packet->data, packet->size);
        free(packet);
    }
    ev_io_stop(loop, watcher);
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
    channel->reader.data = channel;
    channel->writer.data = channel;
    ev_io_start(loop, &channel->reader);
}

static bool enqueue(struct channel *channel, struct view packet, int fd)
{
    if (channel->queued_bytes + packet.size > channel->queue_max_bytes) {
        channel->dropped++;
        return false;
    }
    struct channel_packet *copy = malloc(sizeof(*copy) + packet.size);
    if (copy == NULL) {
        channel->dropped++;
        return false;
    }
    *copy = (struct channel_packet){.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0), .size = packet.size};
    memcpy(copy->data, packet.data, packet.size);
    if (channel->last != NULL) {
        channel->last->next = copy;
    } else {
        channel->first = copy;
    }
    channel->last = copy;
    channel->queued_bytes += packet.size;
    if (!channel->in_turns) {
        ev_io_start(channel->loop, &channel->writer);
    }
    return true;
}

bool channel_send_fd(struct channel *channel, struct view packet, int fd)
{
    if (channel->fd < 0) {
        return false;
    }
    assert(wire_permitted(packet, channel->self, channel->peer));
    if (channel->first == NULL && !channel->in_turns) {
        if (send_packet(channel->fd, packet, fd, MSG_DONTWAIT) >= 0) {
            return true;
        }
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
            return false; // the reader will see the end and say so
        }
    }
    return enqueue(channel, packet, fd);
}

static void send_queued(struct channel *channel)
{
    while (channel->first != NULL && send_many(channel)) {
    }
    if (channel->first != NULL) {
        ev_io_start(channel->loop, &channel->writer); // the rest when the peer has room
    }
}

void channel_turn(struct channel *channel)
{
    if (channel->fd >= 0) {
        send_queued(channel);
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
