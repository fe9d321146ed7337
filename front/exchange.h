// SPDX-License-Identifier: ISC
// One request and its answer: what every handler gets. Used by stayd-front. Borrows everything; a copy
// outlives the request's bytes when an answer waits for core (see ask.h), with `request` and `body` gone.
#ifndef FRONT_EXCHANGE_H
#define FRONT_EXCHANGE_H

#include "base/stats.h"
#include "front/credentials.h"
#include "front/front.h"

struct exchange;

// How a route's errors look.
enum route_style {
    ROUTE_PAGE,  // an HTML page
    ROUTE_API,   // application/problem+json
    ROUTE_CHECK, // a proxy reads the status only
};

struct route {
    struct view path;
    bool below; // also everything below `path`, which ends in '/'
    enum route_style style;
    enum stats_class class;
    void (*get)(struct exchange *exchange); // HEAD too
    void (*post)(struct exchange *exchange);
    void (*delete)(struct exchange *exchange);
};

// Whether the request comes with a session.
enum exchange_session {
    EXCHANGE_SIGNED_IN, // front->identity is whose
    EXCHANGE_ANONYMOUS,
    EXCHANGE_PARKED,       // core is asked: the handler returns, and is called again with the answer
    EXCHANGE_UNKNOWN,      // nobody can say now
    EXCHANGE_MISSES_SPENT, // this source asked about too many unknown tokens
};

struct exchange {
    struct front *front;
    struct connection *connection; // NULL: the client has gone
    const struct settings *settings;
    const struct http_request *request;
    const struct route *route;
    enum stats_class class; // the route's; that of a page for those who only look at one
    uint8_t *body;          // may be decoded in place; wiped after the handler
    size_t body_size;
    struct intake *intake;
    struct id16 client;
    bool trusted; // the peer is a trusted proxy
    bool https;   // as the client sees it
    bool head_only;
    bool keep_alive;
    bool answered;
    bool has_credentials; // `credentials` was filled in
    uint8_t minor;
    uint16_t status;
    uint32_t retry_after_s; // of a page that shows its form again
    uint64_t trace;         // 0: none yet
    struct credentials credentials;
};

// A request that is whole: `intake` has read it, at the front of `data`. Its route is not looked for yet.
void exchange_begin(struct exchange *exchange, struct connection *connection, struct intake *intake,
                    uint8_t *data);
// The caller's credentials, found at the first call.
const struct credentials *exchange_credentials(struct exchange *exchange);
// May park the exchange, once: see enum exchange_session.
enum exchange_session exchange_session(struct exchange *exchange);
// The path below the route's ("{id}" of a route that ends in '/').
struct view exchange_below(const struct exchange *exchange);
// One field of the query, decoded into room (URL_SIZE_MAX bytes); empty when it is absent or malformed.
struct view exchange_query(const struct exchange *exchange, struct view name, uint8_t *room);
// The request id, made at the first call.
uint64_t exchange_trace(struct exchange *exchange);

#endif
