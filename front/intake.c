// SPDX-License-Identifier: ISC
// Collects requests. Runs in stayd-front, on bytes from anyone.
//   HEAD → SIZED or CHUNKED (or straight on) → READY;  HEAD, CHUNKED → REFUSED
#include "front/intake.h"

void intake_reset(struct intake *intake)
{
    intake->phase = INTAKE_HEAD;
    intake->head_size = intake->body_size = 0;
    intake->accepted_ns = 0;
    intake->continued = intake->looked_up = false;
    http_request_reset(&intake->request);
}

static void take_head(struct intake *intake, const uint8_t *data, size_t size,
                      const struct http_limits *limits)
{
    size_t consumed = 0;
    switch (http_parse_head(&intake->request, view_of(data, size), limits, &consumed)) {
    case HTTP_NEED_MORE:
        return;
    case HTTP_REFUSED:
        intake->phase = INTAKE_REFUSED;
        return;
    case HTTP_DONE:
        break;
    }
    intake->head_size = consumed;
    if (intake->request.chunked) {
        intake->phase = INTAKE_CHUNKED;
        http_chunked_reset(&intake->chunked, limits);
    } else {
        intake->phase = intake->request.content_length > 0 ? INTAKE_SIZED : INTAKE_READY;
    }
}

static void take_chunks(struct intake *intake, uint8_t *data, size_t *size)
{
    size_t at = intake_size(intake);
    size_t content = 0;
    size_t consumed = 0;
    enum http_verdict verdict =
        http_chunked_decode(&intake->chunked, data + at, *size - at, &content, &consumed);
    intake->body_size += content;
    // What follows the framing that was used moves up behind the content.
    memmove(data + at + content, data + at + consumed, *size - at - consumed);
    *size -= consumed - content;
    wipe(data + *size, consumed - content); // where the content stood before
    if (verdict == HTTP_REFUSED) {
        intake->request.reason = intake->chunked.reason;
        intake->phase = INTAKE_REFUSED;
    } else if (verdict == HTTP_DONE) {
        intake->phase = INTAKE_READY;
    }
}

enum intake_phase intake_advance(struct intake *intake, uint8_t *data, size_t *size,
                                 const struct http_limits *limits)
{
    if (intake->phase == INTAKE_HEAD) {
        take_head(intake, data, *size, limits);
    } else {
        http_request_rebase(&intake->request, data);
    }
    if (intake->phase == INTAKE_SIZED && *size - intake->head_size >= intake->request.content_length) {
        intake->body_size = (size_t)intake->request.content_length;
        intake->phase = INTAKE_READY;
    }
    if (intake->phase == INTAKE_CHUNKED) {
        take_chunks(intake, data, size);
    }
    return intake->phase;
}

bool intake_wants_continue(const struct intake *intake, size_t size)
{
    bool waits = intake->phase == INTAKE_SIZED || intake->phase == INTAKE_CHUNKED;
    return waits && intake->request.expect_continue && !intake->continued && size <= intake->head_size;
}

void intake_copy(struct intake *to, const struct intake *from)
{
    size_t size = offsetof(struct intake, request) + offsetof(struct http_request, headers) +
                  from->request.header_count * sizeof(from->request.headers[0]);
    memcpy(to, from, size);
}
