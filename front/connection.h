// SPDX-License-Identifier: ISC
// Connections: bytes in, requests to their handlers, answers out, in order. Used by stayd-front. Owns
// sockets, and buffers only while a request is incomplete or a client slow to read. Bounds: connections in
// all and per source, every time-out, one held request, FRONT_OUT_MAX bytes unsent.
#ifndef FRONT_CONNECTION_H
#define FRONT_CONNECTION_H

#include "front/exchange.h"
#include "front/intake.h"

struct ask;
struct arrival;

//   HANDSHAKE → READING ⇄ WAITING; READING, WAITING → LINGERING; any → closed
enum connection_state {
    CONNECTION_HANDSHAKE, // TLS: nothing of a request yet
    CONNECTION_READING,   // for a request, or the rest of one
    CONNECTION_WAITING,   // for core; nothing is read meanwhile, so that answers keep their order
    CONNECTION_LINGERING, // the last answer is out; what still comes is thrown away (RFC 9112 section 9.6)
};

// What the time-out that runs is for. It runs once for each of them: a byte now and then does not prolong it.
enum connection_timed { TIMED_NOTHING, TIMED_HEAD, TIMED_BODY, TIMED_IDLE };

struct connection {
    ev_io io;
    struct wheel_node timer;
    struct front *front;
    struct connection *previous, *next;
    struct source *source; // counts this connection; NULL: uncounted
    struct tls_session *tls;
    struct arrival *arrival; // received in this turn of the loop, not served yet
    struct held *held;       // a request that is not complete, or not answered
    struct bytes *unsent;    // what the client would not take yet
    struct ask *ask;         // WAITING: what for
    struct peer peer;
    enum connection_state state;
    enum connection_timed timed;
    bool closing;    // after what is unsent
    bool discarding; // … and then linger: the client may still be sending
    bool used;       // a request was answered: now it is idle between requests
    uint32_t discarded_bytes;
};

// A new connection over `fd`, which passes to it. NULL: out of memory (fd is closed).
struct connection *connection_open(struct front *front, int fd, const struct peer *peer, bool tls,
                                   struct source *source);
void connection_close(struct connection *connection);
// The waiting request is answered (in front->out): sends it and goes on with what came meanwhile. With
// `rerun`, the request is handled again instead.
void connection_resume(struct connection *connection, bool rerun, bool keep_alive);
// Serves what was received: `size` bytes, of which `intake` may have read the first request already.
void connection_serve(struct connection *connection, struct intake *intake, uint8_t *data, size_t size);
// For front_drain: closes those that stay idle; the others are closed after their answer.
void connections_drain(struct front *front);
void connections_close_all(struct front *front);
void connection_expire(struct wheel_node *node);

#endif
