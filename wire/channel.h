// SPDX-License-Identifier: ISC
// A channel between two processes: SOCK_SEQPACKET, one message a packet (several where the sender gathers),
// descriptors beside it. Used by every process. Owns its socket and a bounded queue of packets that were not
// sent yet. Bounds: a packet WIRE_PACKET_MAX, the queue `queue_max_bytes` (a send past it fails; the caller
// drops or counts).
// Ends (on_end, once) when the peer is gone, on a packet outside the table's row, or when a handler says so.
#ifndef WIRE_CHANNEL_H
#define WIRE_CHANNEL_H

#include "wire/messages.h"

#include <ev.h>

struct channel;

struct channel_events {
    // One permitted message; `fd` is a descriptor that came with it, or -1, and is the handler's to close.
    // false: the message was not what its row says; the channel ends. The channel may be closed by the
    // handler.
    bool (*on_packet)(struct channel *channel, struct view packet, int fd);
    // The channel has ended by itself: the owner forgets or closes it. Not called by channel_close.
    void (*on_end)(struct channel *channel, const char *why);
};

struct channel {
    struct ev_loop *loop;
    ev_io reader;
    ev_io writer;
    int fd; // -1: closed
    enum wire_role self, peer;
    uint16_t index; // which of the peers, for the owner
    void *owner;
    const struct channel_events *events;
    struct channel_packet *first, *last; // waiting to be sent
    size_t queued_bytes, queue_max_bytes;
    uint64_t dropped; // sends refused because the queue was full
    bool in_turns;    // see channel_take_turns
    bool gathers;     // see channel_gather
};

// Takes over `fd` (made non-blocking) and starts reading. `events` must outlive the channel.
void channel_open(struct channel *channel, struct ev_loop *loop, int fd, enum wire_role self,
                  enum wire_role peer, const struct channel_events *events, void *owner,
                  size_t queue_max_bytes);
void channel_close(struct channel *channel);
static inline bool channel_is_open(const struct channel *channel)
{
    return channel->fd >= 0;
}
// Sends or queues one packet, which must be one that self may say to peer (a bug otherwise). `fd` (or -1)
// goes with it and is duplicated when queued: the caller keeps its own. false: closed, or the queue is full.
bool channel_send_fd(struct channel *channel, struct view packet, int fd);
static inline bool channel_send(struct channel *channel, struct view packet)
{
    return channel_send_fd(channel, packet, -1);
}

// From now on what is sent in one turn of the loop goes out at its end, in as few packets as it fits in: who
// answers many at once wakes its peer once. For peers that read with a channel, or with channel_next.
void channel_gather(struct channel *channel);
// Sends what was gathered now; may end the channel.
void channel_flush(struct channel *channel);

// In turns: packets are read and sent only by channel_turn, many at once, so that a process that has more to
// do than it can do is not woken for each of them, and wakes its peer once a turn. Ending it is a turn, too.
void channel_take_turns(struct channel *channel, bool in_turns);
// May end the channel, as reading does.
void channel_turn(struct channel *channel);

// For set-up before the loop runs: one packet, waited for. Returns its size into buffer (WIRE_PACKET_MAX), 0
// when the peer is gone or on failure; *fd is -1 or a descriptor that is the caller's.
size_t channel_receive_blocking(int socket, uint8_t *buffer, size_t buffer_size, int *fd);
// The messages of a packet so received, one after the other; false: no more. What is malformed is an empty
// message, which no row permits.
struct channel_parts {
    struct view rest;
    bool bundle;
};
struct channel_parts channel_parts_of(struct view packet);
bool channel_next(struct channel_parts *parts, struct view *message);
// Blocking send, for set-up and stayctl.
bool channel_send_blocking(int socket, struct view packet, int fd);
// What on_end is told when the other side left. That is no fault of either: the supervisor says why a child
// is gone, so others need not warn of it.
extern const char channel_peer_gone[];

// A connected pair, close-on-exec; false on failure (errno).
[[nodiscard]] bool channel_pair(int sockets[2]);

// Encode-and-send in one go: CHANNEL_SAY(channel, login, .request = 1, …) → bool.
#define CHANNEL_SAY(channel_, name_, ...)                                                                    \
    ({                                                                                                       \
        struct bytes say_;                                                                                   \
        bytes_init(&say_, WIRE_PACKET_MAX);                                                                  \
        bool said_ = wire_##name_##_encode(&say_, &(struct wire_##name_){__VA_ARGS__}) &&                    \
                     channel_send((channel_), bytes_view(&say_));                                            \
        bytes_release(&say_);                                                                                \
        said_;                                                                                               \
    })

#endif
