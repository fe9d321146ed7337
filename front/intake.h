// SPDX-License-Identifier: ISC
// Collects one request, head and body, out of whatever has arrived. Used by stayd-front. Owns nothing: the
// bytes are the caller's, and may move between calls. Bounds: struct http_limits.
#ifndef FRONT_INTAKE_H
#define FRONT_INTAKE_H

#include "http/chunked.h"
#include "http/parse.h"

enum intake_phase {
    INTAKE_HEAD,    // the head is not complete
    INTAKE_SIZED,   // a body of known length is not complete
    INTAKE_CHUNKED, // a chunked body is not complete
    INTAKE_READY,   // all there: head_size bytes of head, then body_size bytes of body
    INTAKE_REFUSED, // see request.reason
};

struct intake {
    enum intake_phase phase;
    size_t head_size;
    size_t body_size;     // chunked: content so far
    uint64_t accepted_ns; // when its first byte came, 0: just now
    bool continued;       // "100 Continue" was said
    bool looked_up;       // core was asked about its session
    struct http_chunked chunked;
    struct http_request request; // last: only the headers in use are ever copied
};

void intake_reset(struct intake *intake);
// Takes what is at the front of `data`; *size may shrink, as the framing of chunks is taken out in place.
enum intake_phase intake_advance(struct intake *intake, uint8_t *data, size_t *size,
                                 const struct http_limits *limits);
// Whether the client waits for "100 Continue" before it goes on.
bool intake_wants_continue(const struct intake *intake, size_t size);
static inline size_t intake_size(const struct intake *intake)
{
    return intake->head_size + intake->body_size;
}
void intake_copy(struct intake *to, const struct intake *from);

#endif
