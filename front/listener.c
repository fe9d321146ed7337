// SPDX-License-Identifier: ISC
// Accepts connections. Runs in stayd-front.
// TCP listeners speak TLS when a certificate is configured; the Unix socket, for a proxy on this host, does
// not.
#include "front/listener.h"

#include "base/log.h"
#include "base/stats.h"
#include "front/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

// All fronts are woken for a new connection: taking few at a time spreads them.
#define ACCEPTS_PER_WAKEUP 4

struct listener {
    ev_io io;
    struct listener *next;
    struct front *front;
    bool unix_socket;
    char name[129];
};

static void refuse(int fd, struct view answer, bool tls, enum stats_counter counter)
{
    stats_count(counter);
    if (!tls) {
        (void)send(fd, answer.data, answer.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    close(fd);
}

static const struct view full = VIEW(
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
static const struct view penalised = VIEW(
    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");

static void take(struct listener *listener, int fd, const struct sockaddr_storage *address)
{
    struct front *front = listener->front;
    const struct settings *settings = front->settings;
    uint32_t now = front_mono_s(front);
    struct peer peer = peer_of(address);
    bool tls = settings->tls != NULL && !listener->unix_socket;
    // A trusted proxy carries everyone: its requests are told apart when they are read.
    bool trusted = peer_is_trusted(&settings->trusted, &peer);
    struct source *source = trusted ? NULL : sources_get(&front->sources, peer.address, now);
    if (!trusted && front->penalties_until_s > now &&
        sources_penalty(&front->sources, peer.address, now) > 0) {
        refuse(fd, penalised, tls, STATS_connections_refused_penalty);
    } else if (front->connection_count >= settings->connections_max) {
        refuse(fd, full, tls, STATS_connections_refused_full);
    } else if (source != NULL && source->connections >= settings->connections_per_source_max) {
        refuse(fd, full, tls, STATS_connections_refused_source);
    } else {
        stats_count(STATS_connections_accepted);
        if (!listener->unix_socket) {
            int on = 1;
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        }
        (void)connection_open(front, fd, &peer, tls, source);
    }
}

static void on_connection(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)revents;
    struct listener *listener = watcher->data;
    for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t size = sizeof(address);
        int fd = accept4(watcher->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(listener, fd, &address);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_event(LOG_WARNING, "accept_failed", "%s", strerror(errno));
            ev_io_stop(loop, watcher); // until the next tick
        }
        return;
    }
}

static bool is_unix(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(address);
    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family == AF_UNIX;
}

bool listener_add(struct front *front, int fd, struct view name)
{
    size_t count = 0;
    for (const struct listener *at = front->listeners; at != NULL; at = at->next) {
        count++;
    }
    struct listener *listener = count >= LISTENERS_MAX ? NULL : calloc(1, sizeof(*listener));
    if (listener == NULL || !view_to_cstr(name, listener->name, sizeof(listener->name))) {
        free(listener);
        close(fd);
        return false;
    }
    listener->front = front;
    listener->unix_socket = is_unix(fd);
    listener->next = front->listeners;
    front->listeners = listener;
    ev_io_init(&listener->io, on_connection, fd, EV_READ);
    listener->io.data = listener;
    ev_io_start(front->loop, &listener->io);
    return true;
}

void listener_remove(struct front *front, struct view name)
{
    for (struct listener **at = &front->listeners; *at != NULL; at = &(*at)->next) {
        struct listener *listener = *at;
        if (view_equal(view_of_cstr(listener->name), name)) {
            *at = listener->next;
            ev_io_stop(front->loop, &listener->io);
            close(listener->io.fd);
            free(listener);
            return;
        }
    }
}

void listeners_remove_all(struct front *front)
{
    while (front->listeners != NULL) {
        listener_remove(front, view_of_cstr(front->listeners->name));
    }
}

void listeners_tick(struct front *front)
{
    for (struct listener *at = front->listeners; at != NULL; at = at->next) {
        ev_io_start(front->loop, &at->io); // nothing when it is active
    }
}
