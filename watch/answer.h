// SPDX-License-Identifier: ISC
// One answer of the ops listener or the control socket: what was asked, and the ways to answer it. Used by
// stayd-watch, in the files that a route leads to. Owns nothing. Bounds: those of ops->body and `out`.
#ifndef WATCH_ANSWER_H
#define WATCH_ANSWER_H

#include "watch/ops.h"

struct asked {
    struct ops *ops;
    const struct http_request *request;
    const struct watched_now *now;
    struct bytes *out;
    struct view rest; // of the path, after the route's
    enum ops_door door;
};

// Sends what a route has written into ops->body.
void answer_body(const struct asked *asked, struct view type);
// The same for a page: it may have the style sheet and the script of these pages.
void answer_page(const struct asked *asked);
// An error (RFC 9457).
void answer_problem(const struct asked *asked, unsigned status, struct view title, struct view detail,
                    uint32_t retry_after_s);
// 421: `host` is none of our names.
void answer_misdirected(const struct asked *asked, struct view host);
// 404.
void answer_nothing_here(const struct asked *asked);
// 405; `allow`: the methods that there are.
void answer_method_refused(const struct asked *asked, struct view allow);

#endif
