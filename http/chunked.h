// SPDX-License-Identifier: ISC
// The decoder of chunked bodies (RFC 9112 section 7.1), fed with whatever arrived, in place.
// Used by stayd-front and stayd-watch. Owns nothing.
// Bounds: the content by limits->body_bytes_max; extensions and trailers together by
// HTTP_CHUNKED_FRAMING_MAX.
#ifndef HTTP_CHUNKED_H
#define HTTP_CHUNKED_H

#include "http/parse.h"

#define HTTP_CHUNKED_FRAMING_MAX 1024
#define HTTP_CHUNKED_DIGITS_MAX  16

struct http_chunked {
    unsigned phase;
    unsigned digits;
    size_t framing_bytes; // extensions and trailers so far
    uint64_t chunk_left;
    uint64_t content_size;
    uint64_t body_bytes_max;
    enum http_reason reason; // after HTTP_REFUSED
};

void http_chunked_reset(struct http_chunked *chunked, const struct http_limits *limits);

// Decodes `size` raw bytes that follow those of the call before: the content among them is moved to the front
// of `data`, its size is *content_size. *consumed raw bytes were used: all of them on HTTP_NEED_MORE; on
// HTTP_DONE the next request starts there, untouched. Extensions and trailers are checked, bounded and thrown
// away.
[[nodiscard]] enum http_verdict http_chunked_decode(struct http_chunked *chunked, uint8_t *data, size_t size,
                                                    size_t *content_size, size_t *consumed);

#endif
