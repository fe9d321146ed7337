// SPDX-License-Identifier: ISC
// Connections of the ops listener and of the control socket. Runs in stayd-watch, on bytes from whoever can
// reach it.
// 1. One request at a time: nothing is parsed while an answer is on its way.
// 2. Every connection has one timer, set anew when a request begins to be waited for and when its answer
//    begins to be sent, not with every byte: whoever is slow loses the connection.
// 3. A connection over the bound is closed at once: those that are being answered come first.
#include "watch/server.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct server_connection {
    struct server_connection *previous, *next;
    struct server *server;
    ev_io io;
    ev_timer timer;
    struct http_request request;
    struct bytes in;
    struct bytes out;
    enum ops_door door;
    size_t sent;
    bool closing; // after what is in `out`
};

static void connection_close(struct server_connection *connection)
{
    struct server *server = connection->server;
    ev_io_stop(server->loop, &connection->io);
    ev_timer_stop(server->loop, &connection->timer);
    close(connection->io.fd);
    bytes_release(&connection->in);
    bytes_release(&connection->out);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        server->connections = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    server->count--;
    stats_set(STATS_connections_open, server->count);
    free(connection);
}

static void wait_for(struct server_connection *connection, int events)
{
    ev_io_stop(connection->server->loop, &connection->io);
    ev_io_set(&connection->io, connection->io.fd, events);
    ev_io_start(connection->server->loop, &connection->io);
}

static void clock_restart(struct server_connection *connection)
{
    ev_timer_again(connection->server->loop, &connection->timer);
}

// What can't be understood is answered and is the last.
static void refuse(struct server_connection *connection, unsigned status, const char *why)
{
    struct watched_now now = watched_now();
    ops_refuse(connection->server->ops, status, why, &now, &connection->out);
    connection->closing = true;
}

// Answers the request at the front of `in`, when it is whole.
static void take_request(struct server_connection *connection)
{
    size_t consumed = 0;
    struct http_request *request = &connection->request;
    enum http_verdict verdict =
        http_parse_head(request, bytes_view(&connection->in), &http_limits_default, &consumed);
    if (verdict == HTTP_NEED_MORE) {
        return;
    }
    if (verdict == HTTP_REFUSED) {
        refuse(connection, http_reason_status(request->reason), http_reason_text(request->reason));
        return;
    }
    if (request->chunked || request->content_length > 0) {
        refuse(connection, 413, "Requests have no body here.");
        return;
    }
    struct watched_now now = watched_now();
    ops_answer(connection->server->ops, request, connection->door, &now, &connection->out);
    connection->closing = connection->closing || !request->keep_alive;
    memmove(connection->in.data, connection->in.data + consumed, connection->in.size - consumed);
    connection->in.size -= consumed;
    http_request_reset(request);
}

// False: the connection is closed.
static bool send_answer(struct server_connection *connection)
{
    while (connection->sent < connection->out.size) {
        ssize_t sent = send(connection->io.fd, connection->out.data + connection->sent,
                            connection->out.size - connection->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            wait_for(connection, EV_WRITE);
            return true;
        }
        if (sent < 0 && errno != EINTR) {
            connection_close(connection);
            return false;
        }
        connection->sent += sent > 0 ? (size_t)sent : 0;
    }
    bytes_reset(&connection->out);
    connection->sent = 0;
    clock_restart(connection);
    if (connection->closing) {
        // What was not read would turn the close into a reset that overtakes the answer.
        (void)shutdown(connection->io.fd, SHUT_WR);
        uint8_t rest[4096];
        while (recv(connection->io.fd, rest, sizeof(rest), MSG_DONTWAIT) > 0) {
        }
        connection_close(connection);
        return false;
    }
    return true;
}

static void serve(struct server_connection *connection)
{
    for (;;) {
        take_request(connection);
        if (connection->out.failed) {
            connection_close(connection);
            return;
        }
        if (connection->out.size == 0) {
            wait_for(connection, EV_READ);
            return;
        }
        clock_restart(connection);
        if (!send_answer(connection) || connection->out.size > 0) {
            return;
        }
    }
}

static bool read_some(struct server_connection *connection)
{
    uint8_t *to = bytes_reserve(&connection->in, 4096);
    if (to == NULL) {
        return false;
    }
    ssize_t got = recv(connection->io.fd, to, 4096, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return true;
    }
    connection->in.size += got > 0 ? (size_t)got : 0;
    return got > 0;
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct server_connection *connection = watcher->data;
    (void)loop;
    if ((revents & EV_WRITE) != 0) {
        if (send_answer(connection) && connection->out.size == 0) {
            serve(connection);
        }
    } else if (read_some(connection)) {
        serve(connection);
    } else {
        connection_close(connection);
    }
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    stats_count(STATS_connections_timed_out);
    connection_close(timer->data);
}

static void connection_open(struct server *server, enum ops_door door, int fd)
{
    struct server_connection *connection =
        server->count < SERVER_CONNECTIONS_MAX ? calloc(1, sizeof(*connection)) : NULL;
    if (connection == NULL) {
        stats_count(STATS_connections_refused_full);
        close(fd);
        return;
    }
    stats_count(STATS_connections_accepted);
    connection->server = server;
    connection->door = door;
    connection->next = server->connections;
    if (connection->next != NULL) {
        connection->next->previous = connection;
    }
    server->connections = connection;
    stats_set(STATS_connections_open, ++server->count);
    http_request_reset(&connection->request);
    bytes_init(&connection->in, http_limits_default.head_bytes_max + 4096);
    bytes_init(&connection->out, OPS_ANSWER_MAX);
    ev_io_init(&connection->io, on_io, fd, EV_READ);
    ev_init(&connection->timer, on_timeout);
    connection->timer.repeat = server->timeout_s;
    connection->io.data = connection->timer.data = connection;
    clock_restart(connection);
    wait_for(connection, EV_READ);
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    const struct server_listener *listener = watcher->data;
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        connection_open(listener->server, listener->door, fd);
    }
}

void server_init(struct server *server, struct ev_loop *loop, struct ops *ops)
{
    *server = (struct server){.loop = loop, .ops = ops, .timeout_s = SERVER_TIMEOUT_S};
}

bool server_listen(struct server *server, int fd, struct view name, enum ops_door door)
{
    for (unsigned i = 0; i < SERVER_LISTENERS_MAX; i++) {
        struct server_listener *listener = &server->listener[i];
        if (listener->open) {
            continue;
        }
        if (!view_to_cstr(name, listener->name, sizeof(listener->name))) {
            break;
        }
        listener->open = true;
        listener->server = server;
        listener->door = door;
        ev_io_init(&listener->io, on_connection, fd, EV_READ);
        listener->io.data = listener;
        ev_io_start(server->loop, &listener->io);
        return true;
    }
    close(fd);
    return false;
}

static void listener_close(struct server *server, struct server_listener *listener)
{
    ev_io_stop(server->loop, &listener->io);
    close(listener->io.fd);
    listener->open = false;
}

void server_unlisten(struct server *server, struct view name)
{
    for (unsigned i = 0; i < SERVER_LISTENERS_MAX; i++) {
        struct server_listener *listener = &server->listener[i];
        if (listener->open && view_equal(view_of_cstr(listener->name), name)) {
            listener_close(server, listener);
        }
    }
}

void server_release(struct server *server)
{
    for (unsigned i = 0; i < SERVER_LISTENERS_MAX; i++) {
        if (server->listener[i].open) {
            listener_close(server, &server->listener[i]);
        }
    }
    while (server->connections != NULL) {
        connection_close(server->connections);
    }
}
