// SPDX-License-Identifier: ISC
// The answers of the ops listener and of the control socket: which path says what. Used by stayd-watch. Owns
// nothing: reads what is watched. Bounds: an answer is at most OPS_ANSWER_MAX bytes. Through the ops listener
// only GET and HEAD, and nothing changes anything; who asks for it by a name that is none of its own gets
// nothing but /livez and /readyz.
#ifndef WATCH_OPS_H
#define WATCH_OPS_H

#include "http/parse.h"
#include "http/write.h"
#include "watch/history.h"
#include "watch/incident_book.h"
#include "watch/incidents.h"
#include "watch/metrics.h"
#include "watch/names.h"
#include "watch/series.h"
#include "watch/top.h"
#include "watch/watched.h"

#define OPS_ANSWER_MAX (METRICS_SIZE_MAX + 65536)

// Where a request came in: whoever may open the control socket (mode 0600) administers this stayd.
enum ops_door { OPS_DOOR_LISTENER, OPS_DOOR_CONTROL };

struct ops {
    const struct watched *watched;
    const struct incidents *incidents;
    struct saturation saturation; // sampled by the process, as is
    struct top top;
    struct history history;
    struct names names;      // of the listener
    uint64_t misdirected_ns; // when a request for another name was last told in the log
    // Set by the process once they are there; NULL: not yet.
    struct incident_book *book;
    const struct verdict *verdict;
    const struct series *series;
    struct http_date date;
    struct bytes body; // reused
};

void ops_init(struct ops *ops, const struct watched *watched, const struct incidents *incidents);
void ops_release(struct ops *ops);
// Appends the whole answer to a request.
void ops_answer(struct ops *ops, const struct http_request *request, enum ops_door door,
                const struct watched_now *now, struct bytes *out);
// The same to what is none; the connection ends.
void ops_refuse(struct ops *ops, unsigned status, const char *why, const struct watched_now *now,
                struct bytes *out);

#endif
