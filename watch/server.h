// SPDX-License-Identifier: ISC
// The ops listener and the control socket: HTTP/1.1 for a few clients that are trusted to look. Used by
// stayd-watch. Owns listeners and connections. Bounds: SERVER_LISTENERS_MAX listeners, SERVER_CONNECTIONS_MAX
// connections, SERVER_TIMEOUT_S for a request, an answer, or idleness. Requests have no bodies.
#ifndef WATCH_SERVER_H
#define WATCH_SERVER_H

#include "watch/ops.h"

#include <ev.h>

enum { SERVER_LISTENERS_MAX = 4, SERVER_CONNECTIONS_MAX = 64, SERVER_TIMEOUT_S = 15 };

struct server_listener {
    struct server *server;
    enum ops_door door; // what comes in here may do
    ev_io io;
    char name[129];
    bool open;
};

struct server {
    struct ev_loop *loop;
    struct ops *ops;
    struct server_listener listener[SERVER_LISTENERS_MAX];
    struct server_connection *connections;
    unsigned count;
    double timeout_s; // SERVER_TIMEOUT_S
};

void server_init(struct server *server, struct ev_loop *loop, struct ops *ops);
// Takes over fd; accepts from the loop's next turn on. False when there are too many.
[[nodiscard]] bool server_listen(struct server *server, int fd, struct view name, enum ops_door door);
void server_unlisten(struct server *server, struct view name);
// Closes listeners and connections.
void server_release(struct server *server);

#endif
