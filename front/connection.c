// SPDX-License-Identifier: ISC
// Connections. Runs in stayd-front, on bytes from anyone.
// 1. One receive and one send a request: bytes arrive in a buffer that all connections share (arrivals.h).
//    What is left over (half a request, or requests behind one that waits) gets a buffer of its own.
// 2. Answers leave in the order of the requests: nothing is parsed while one waits for core.
// 3. Every state but WAITING has a time-out, and WAITING ends with its ask.
// 4. What held a body is wiped: it may have been a password.
#include "front/connection.h"

#include "base/clock.h"
#include "front/answer.h"
#include "front/arrivals.h"
#include "front/ask.h"
#include "front/held.h"
#include "front/routes.h"
#include "front/transport.h"

#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_HIGH_BYTES   (64 * 1024) // more than this is sent before the next request is looked at
#define DRAIN_GRACE_MS   500         // for idle connections
#define LINGER_MS        2000
#define LINGER_BYTES_MAX (256 * 1024)
#define HANDSHAKE_MS     10000

// For what is read while it is served, or thrown away. One thread: shared by all connections.
static uint8_t inbox[ARRIVALS_LEAST_ROOM];
static struct intake shared_intake;

// What the loop is to tell us about.
static void watch(struct connection *connection)
{
    int events = connection->unsent != NULL                ? EV_WRITE
                 : connection->state == CONNECTION_WAITING ? 0
                                                           : EV_READ;
    if ((connection->io.events & (EV_READ | EV_WRITE)) == events && ev_is_active(&connection->io)) {
        return;
    }
    ev_io_stop(connection->front->loop, &connection->io);
    if (events != 0) {
        ev_io_set(&connection->io, connection->io.fd, events);
        ev_io_start(connection->front->loop, &connection->io);
    }
}

void connection_close(struct connection *connection)
{
    struct front *front = connection->front;
    if (connection->ask != NULL) {
        ask_forget(connection->ask);
    }
    arrivals_forget(connection);
    wheel_remove(&connection->timer);
    ev_io_stop(front->loop, &connection->io);
    if (connection->tls != NULL) {
        tls_shutdown(connection->tls);
        tls_session_free(&connection->tls);
    }
    close(connection->io.fd);
    held_free(&connection->held);
    transport_unsent_free(connection);
    if (connection->source != NULL) {
        connection->source->connections--;
    }
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        front->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    front->connection_count--;
    stats_set(STATS_connections_open, front->connection_count);
    free(connection);
    if (front->draining && front->connection_count == 0 && front->on_idle != NULL) {
        front->on_idle(front);
    }
}

// The last answer is out. false: the connection is closed.
static bool finish(struct connection *connection)
{
    if (!connection->discarding || connection->tls != NULL) {
        connection_close(connection);
        return false;
    }
    // Closing with bytes unread would send a reset, which can overtake the answer.
    (void)shutdown(connection->io.fd, SHUT_WR);
    connection->state = CONNECTION_LINGERING;
    held_free(&connection->held);
    wheel_set(&connection->front->wheel, &connection->timer, LINGER_MS);
    watch(connection);
    return true;
}

// Sends what is in front->out. false: the connection is closed.
static bool flush(struct connection *connection)
{
    struct bytes *out = &connection->front->out;
    ssize_t sent = 0;
    if (out->size > 0 && connection->unsent == NULL) {
        sent = transport_send(connection, out->data, out->size);
    }
    if (sent < 0) {
        bytes_reset(out);
        connection_close(connection);
        return false;
    }
    if ((size_t)sent < out->size) {
        bool kept = transport_keep_unsent(connection, out->data + sent, out->size - (size_t)sent);
        bytes_reset(out);
        if (!kept) {
            connection_close(connection);
            return false;
        }
        wheel_set(&connection->front->wheel, &connection->timer,
                  connection->front->settings->body_timeout_ms);
        connection->timed = TIMED_NOTHING;
        watch(connection);
        return true;
    }
    bytes_reset(out);
    return connection->closing ? finish(connection) : true;
}

// Keeps what is left of the input for later. false: the connection is closed.
static bool hold(struct connection *connection, struct intake *intake, uint8_t *data, size_t size)
{
    struct held *held = connection->held;
    if (held != NULL && intake == &held->intake) {
        if (size > 0) {
            memmove(held->in.data, data, size);
        }
        wipe(held->in.data + size, held->in.size - size);
        held->in.size = size;
        return true;
    }
    assert(held == NULL);
    held = held_new(&connection->front->settings->limits);
    if (held == NULL || !held_append(held, data, size)) {
        held_free(&held);
        connection_close(connection);
        return false;
    }
    wipe(data, size);
    intake_copy(&held->intake, intake);
    if (held->intake.accepted_ns == 0) {
        held->intake.accepted_ns = clock_mono_ns();
    }
    connection->held = held;
    return true;
}

// A source whose requests keep crashing us, seen through a proxy.
static bool refuse_penalised(struct exchange *exchange)
{
    struct front *front = exchange->front;
    uint32_t now = front_mono_s(front);
    if (front->penalties_until_s <= now) {
        return false;
    }
    uint32_t left = sources_penalty(&front->sources, exchange->client, now);
    if (left == 0) {
        return false;
    }
    stats_count(STATS_refused_penalty);
    struct answer_error error = {.status = 429,
                                 .type = "penalised",
                                 .title = "This address is refused for a while",
                                 .retry_after_s = left};
    exchange->keep_alive = false;
    answer_error(exchange, &error);
    return true;
}

static void handle_ready(struct connection *connection, struct intake *intake, uint8_t *data)
{
    static struct exchange exchange;
    exchange_begin(&exchange, connection, intake, data);
    stats_flight_begin(STATS_CLASS_other, &exchange.client);
    http_date_update(&connection->front->date, front_wall_s(connection->front));
    if (!refuse_penalised(&exchange)) {
        exchange.route = route_find(intake->request.path);
        exchange.class = route_class(exchange.route, intake->request.method);
        stats_flight_begin(exchange.class, &exchange.client);
        uint64_t began = exchange.class == STATS_CLASS_check ? 0 : clock_mono_ns();
        if (began != 0) {
            route_count_arrival(&exchange);
        }
        connection->front->ready_ns = began;
        route_handle(&exchange);
        connection->front->ready_ns = 0;
        if (began != 0 && exchange.answered) {
            stats_time(STATS_TIME_other, clock_mono_ns() - began);
        }
    }
    assert(exchange.answered || connection->state == CONNECTION_WAITING);
    connection->used = true;
    if (exchange.answered && !exchange.keep_alive) {
        connection->closing = true;
    }
    if (exchange.has_credentials) {
        wipe(exchange.credentials.verifier, sizeof(exchange.credentials.verifier));
    }
    stats_flight_end();
}

// What can't be read as a request is answered, and is the last thing read.
static void handle_refused(struct connection *connection, struct intake *intake, unsigned status,
                           const char *title)
{
    struct exchange exchange;
    exchange_begin(&exchange, connection, intake, inbox);
    exchange.body_size = 0;
    exchange.keep_alive = false;
    exchange.head_only = false;
    http_date_update(&connection->front->date, front_wall_s(connection->front));
    struct answer_error error = {.status = status, .type = "malformed_request", .title = title};
    answer_error(&exchange, &error);
    connection->closing = connection->discarding = true;
}

static void set_timeout(struct connection *connection, enum intake_phase phase)
{
    const struct settings *settings = connection->front->settings;
    enum connection_timed timed = connection->held == NULL && connection->used ? TIMED_IDLE
                                  : phase == INTAKE_HEAD                       ? TIMED_HEAD
                                                                               : TIMED_BODY;
    if (timed == connection->timed && timed != TIMED_IDLE) {
        return;
    }
    connection->timed = timed;
    wheel_set(&connection->front->wheel, &connection->timer,
              timed == TIMED_IDLE   ? settings->idle_timeout_ms
              : timed == TIMED_HEAD ? settings->header_timeout_ms
                                    : settings->body_timeout_ms);
}

// Whether the connection takes its next request now.
static bool goes_on(const struct connection *connection)
{
    return connection->state == CONNECTION_READING && !connection->closing && connection->unsent == NULL &&
           connection->front->out.size <= OUT_HIGH_BYTES;
}

// Handles the whole requests at the front of `data`; returns how much of it is done with.
static size_t take_requests(struct connection *connection, struct intake *intake, uint8_t *data, size_t *size)
{
    const struct http_limits *limits = &connection->front->settings->limits;
    size_t at = 0;
    while (at < *size && goes_on(connection)) {
        size_t left = *size - at;
        stats_flight_begin(STATS_CLASS_malformed, &connection->peer.address);
        enum intake_phase phase =
            intake->phase == INTAKE_READY ? INTAKE_READY : intake_advance(intake, data + at, &left, limits);
        *size = at + left;
        if (phase == INTAKE_REFUSED) {
            enum http_reason reason = intake->request.reason;
            handle_refused(connection, intake, http_reason_status(reason), http_reason_text(reason));
            wipe(data + at, left);
            return *size;
        }
        if (phase != INTAKE_READY) {
            if (intake_wants_continue(intake, left)) {
                http_write_continue(&connection->front->out);
                intake->continued = true;
            }
            break;
        }
        http_request_rebase(&intake->request, data + at);
        handle_ready(connection, intake, data + at);
        if (connection->ask != NULL && connection->ask->is_lookup) {
            break; // the request is handled again with the answer
        }
        size_t whole = intake_size(intake);
        if (intake->body_size > 0) {
            wipe(data + at + intake->head_size, intake->body_size);
        }
        at += whole;
        intake_reset(intake);
    }
    stats_flight_end();
    return at;
}

// false: the connection is closed.
static bool serve(struct connection *connection, struct intake *intake, uint8_t *data, size_t size)
{
    enum intake_phase phase;
    for (;;) {
        size_t done = take_requests(connection, intake, data, &size);
        if (connection->closing) {
            connection->discarding |= size > done;
            held_free(&connection->held);
            return flush(connection);
        }
        size_t left = size - done;
        phase = intake->phase;
        connection->timed = done > 0 ? TIMED_NOTHING : connection->timed;
        bool crowded = connection->front->out.size > OUT_HIGH_BYTES;
        if (left > 0 && !hold(connection, intake, data + done, left)) {
            return false;
        }
        if (left == 0) {
            held_free(&connection->held);
        }
        if (!flush(connection)) {
            return false;
        }
        if (left == 0 || !crowded || connection->unsent != NULL) {
            break;
        }
        intake = &connection->held->intake;
        data = connection->held->in.data;
        size = connection->held->in.size;
    }
    if (connection->state == CONNECTION_WAITING) {
        wheel_remove(&connection->timer);
        connection->timed = TIMED_NOTHING;
    } else if (connection->unsent == NULL) {
        set_timeout(connection, phase);
    }
    watch(connection);
    return true;
}

static bool serve_held(struct connection *connection)
{
    if (connection->held == NULL) {
        return serve(connection, &shared_intake, inbox, 0);
    }
    return serve(connection, &connection->held->intake, connection->held->in.data, connection->held->in.size);
}

void connection_resume(struct connection *connection, bool rerun, bool keep_alive)
{
    connection->state = CONNECTION_READING;
    if (rerun) {
        assert(connection->held != NULL);
        connection->held->intake.looked_up = true;
    } else if (!keep_alive || connection->front->draining) {
        connection->closing = true;
    }
    if (connection->closing) {
        connection->discarding |= connection->held != NULL;
        (void)flush(connection);
        return;
    }
    (void)serve_held(connection);
}

static bool handshake(struct connection *connection)
{
    stats_flight_begin(STATS_CLASS_other, &connection->peer.address);
    enum tls_result result = tls_handshake(connection->tls);
    stats_flight_end();
    if (result == TLS_WANTS_READ || result == TLS_WANTS_WRITE) {
        int events = result == TLS_WANTS_READ ? EV_READ : EV_WRITE;
        ev_io_stop(connection->front->loop, &connection->io);
        ev_io_set(&connection->io, connection->io.fd, events);
        ev_io_start(connection->front->loop, &connection->io);
        return false;
    }
    stats_count(result == TLS_DONE ? STATS_tls_handshakes_done : STATS_tls_handshakes_failed);
    if (result != TLS_DONE) {
        connection_close(connection);
        return false;
    }
    connection->state = CONNECTION_READING;
    wheel_set(&connection->front->wheel, &connection->timer, connection->front->settings->header_timeout_ms);
    watch(connection);
    return true;
}

static bool receive_held(struct connection *connection)
{
    struct held *held = connection->held;
    // Grown as it fills: a slow client holds no more than it sent.
    size_t room = held->in.capacity - held->in.size;
    room = room < 2048 ? (held->in.size < 4096 ? 4096 : held->in.size) : room;
    size_t bound = held->in.size_max - held->in.size;
    room = room > bound ? bound : room;
    uint8_t *to = room == 0 ? NULL : held_reserve(held, room);
    if (to == NULL) {
        connection_close(connection);
        return false;
    }
    ssize_t got = transport_receive(connection, to, room);
    if (got < 0) {
        connection_close(connection);
        return false;
    }
    held->in.size += (size_t)got;
    return got == 0 || serve_held(connection);
}

// What OpenSSL has decrypted already, the socket will not announce.
static bool has_more(const struct connection *connection)
{
    return connection->tls != NULL && connection->state == CONNECTION_READING && connection->unsent == NULL &&
           tls_pending(connection->tls);
}

// false: the connection is closed.
static bool receive_more(struct connection *connection)
{
    if (connection->held != NULL) {
        return receive_held(connection);
    }
    ssize_t got = transport_receive(connection, inbox, sizeof(inbox));
    if (got < 0) {
        connection_close(connection);
        return false;
    }
    if (got == 0) {
        return true;
    }
    intake_reset(&shared_intake);
    return serve(connection, &shared_intake, inbox, (size_t)got);
}

// `open`: what came before left it open.
static void receive_rest(struct connection *connection, bool open)
{
    while (open && has_more(connection)) {
        open = receive_more(connection);
    }
}

void connection_serve(struct connection *connection, struct intake *intake, uint8_t *data, size_t size)
{
    bytes_reset(&connection->front->out);
    receive_rest(connection, serve(connection, intake, data, size));
}

static void receive(struct connection *connection)
{
    if (connection->held != NULL) {
        receive_rest(connection, receive_held(connection));
        return;
    }
    size_t room;
    uint8_t *to = arrivals_room(connection->front, &room);
    ssize_t got = transport_receive(connection, to, room);
    if (got < 0) {
        connection_close(connection);
    } else if (got > 0) {
        arrivals_add(connection, (size_t)got);
    }
}

static void discard(struct connection *connection)
{
    ssize_t got = transport_receive(connection, inbox, sizeof(inbox));
    connection->discarded_bytes += got > 0 ? (uint32_t)got : 0;
    if (got < 0 || connection->discarded_bytes > LINGER_BYTES_MAX) {
        connection_close(connection);
    }
}

// The client takes more. false: the connection is closed.
static bool send_unsent(struct connection *connection)
{
    struct bytes *unsent = connection->unsent;
    ssize_t sent = transport_send(connection, unsent->data, unsent->size);
    if (sent < 0) {
        connection_close(connection);
        return false;
    }
    if ((size_t)sent < unsent->size) {
        memmove(unsent->data, unsent->data + sent, unsent->size - (size_t)sent);
        unsent->size -= (size_t)sent;
        if (sent > 0) {
            wheel_set(&connection->front->wheel, &connection->timer,
                      connection->front->settings->body_timeout_ms);
        }
        return true;
    }
    transport_unsent_free(connection);
    if (connection->closing) {
        return finish(connection);
    }
    if (connection->state == CONNECTION_WAITING) {
        watch(connection);
        return true;
    }
    return serve_held(connection);
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    struct connection *connection = watcher->data;
    bytes_reset(&connection->front->out);
    if (connection->state == CONNECTION_HANDSHAKE && !handshake(connection)) {
        return;
    }
    if (connection->state == CONNECTION_LINGERING) {
        discard(connection);
        return;
    }
    if (connection->unsent != NULL) {
        if (!(revents & EV_WRITE) || !send_unsent(connection) || connection->unsent != NULL) {
            return;
        }
    }
    if (connection->state == CONNECTION_READING) {
        receive(connection);
    }
}

struct connection *connection_open(struct front *front, int fd, const struct peer *peer, bool tls,
                                   struct source *source)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (connection == NULL) {
        close(fd);
        return NULL;
    }
    *connection = (struct connection){.front = front,
                                      .peer = *peer,
                                      .source = source,
                                      .state = CONNECTION_READING,
                                      .next = front->connections};
    if (tls) {
        connection->tls = tls_session_new(front->settings->tls, fd);
        if (connection->tls == NULL) {
            close(fd);
            free(connection);
            return NULL;
        }
        connection->state = CONNECTION_HANDSHAKE;
    }
    if (front->connections != NULL) {
        front->connections->previous = connection;
    }
    front->connections = connection;
    front->connection_count++;
    if (source != NULL) {
        source->connections++;
    }
    ev_io_init(&connection->io, on_io, fd, EV_READ);
    connection->io.data = connection;
    ev_io_start(front->loop, &connection->io);
    connection->timed = TIMED_HEAD;
    wheel_set(&front->wheel, &connection->timer, tls ? HANDSHAKE_MS : front->settings->header_timeout_ms);
    stats_set(STATS_connections_open, front->connection_count);
    return connection;
}

void connection_expire(struct wheel_node *node)
{
    struct connection *connection =
        (struct connection *)(void *)((char *)node - offsetof(struct connection, timer));
    if (connection->arrival != NULL) { // in the very last moment: it is served in this turn
        wheel_set(&connection->front->wheel, node, WHEEL_TICK_MS);
        return;
    }
    bool idle = connection->state == CONNECTION_READING && connection->held == NULL && connection->used;
    stats_count(idle ? STATS_connections_idle_closed : STATS_connections_timed_out);
    if (connection->state != CONNECTION_READING || connection->unsent != NULL || connection->held == NULL) {
        connection_close(connection);
        return;
    }
    bytes_reset(&connection->front->out);
    http_request_rebase(&connection->held->intake.request, connection->held->in.data);
    handle_refused(connection, &connection->held->intake, 408, "The request took too long to arrive");
    (void)flush(connection);
}

void connections_drain(struct front *front)
{
    for (struct connection *connection = front->connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (connection->state == CONNECTION_HANDSHAKE) {
            connection_close(connection);
        } else if (connection->state == CONNECTION_READING && connection->held == NULL &&
                   connection->unsent == NULL) {
            // Its next request may be on the way.
            wheel_set(&front->wheel, &connection->timer, DRAIN_GRACE_MS);
        } else if (connection->unsent != NULL && connection->state == CONNECTION_READING) {
            connection->closing = true;
        }
    }
}

void connections_close_all(struct front *front)
{
    while (front->connections != NULL) {
        connection_close(front->connections);
    }
    held_free_spare();
}
