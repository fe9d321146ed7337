// SPDX-License-Identifier: ISC
// The strict HTTP/1.1 request parser (RFC 9110, 9112): the head of a request (chunked bodies:
// http/chunked.h). Used by stayd-front and stayd-watch. Owns nothing and allocates nothing: every view it
// gives out points into the caller's buffer, and is good until that buffer changes. Bounds: struct
// http_limits, one for every dimension; HTTP_HEADERS_MAX. What it refuses although others take it, and why:
// docs/http-strictness.md.
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "base/bytes.h"
#include "http/known.h"
#include "http/reason.h"

#define HTTP_HEADERS_MAX 64

enum http_verdict {
    HTTP_NEED_MORE, // nothing wrong so far, not complete
    HTTP_DONE,
    HTTP_REFUSED, // `reason` says why; the connection can't be kept
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_OPTIONS,
};

struct http_limits {
    size_t line_bytes_max;   // the request line, without its CRLF
    size_t target_bytes_max; // the target within it
    size_t header_count_max; // at most HTTP_HEADERS_MAX
    size_t header_bytes_max; // one header line, without its CRLF
    size_t head_bytes_max;   // everything up to and with the empty line
    uint64_t body_bytes_max; // content, without its chunk framing
};

// What fits a browser with many cookies behind a proxy.
extern const struct http_limits http_limits_default;

struct http_header {
    struct view name;
    struct view value; // without the white space around it; may hold bytes above 0x7f
};

struct http_request {
    enum http_method method;
    struct view target;    // as sent
    struct view authority; // of an absolute-form target (equal to Host), otherwise empty
    struct view path;      // begins with '/', or is "*"; percent-escapes are well-formed, not decoded
    struct view query;     // without the '?'
    unsigned minor;        // HTTP/1.minor: 0 or 1
    bool keep_alive;       // the client wants the connection kept
    bool expect_continue;  // wants "100 Continue" before it sends the body
    bool chunked;          // the body is chunked; otherwise it is content_length bytes
    uint64_t content_length;
    size_t header_count;
    enum http_reason reason; // after HTTP_REFUSED

    // Progress, of no interest to callers.
    uint8_t known_at[HTTP_HEADER_KNOWN_COUNT]; // index of the first one, plus 1
    uint32_t known_repeated;
    unsigned phase;
    const uint8_t *base;
    size_t line_at;
    size_t scanned;

    struct http_header headers[HTTP_HEADERS_MAX]; // last, and never cleared: only header_count are set
};

// Ready for the next request.
void http_request_reset(struct http_request *request);

// Parses the head at the start of `buffer`, whose other requests and body bytes it leaves alone. After
// HTTP_NEED_MORE, call again with the same bytes and more after them (the buffer may have moved): work done
// is not done again. After HTTP_DONE, *consumed is where the body, or the next request, starts. The verdict
// does not depend on how the bytes were cut into calls.
[[nodiscard]] enum http_verdict http_parse_head(struct http_request *request, struct view buffer,
                                                const struct http_limits *limits, size_t *consumed);

// To be called when the buffer moved after HTTP_DONE (a growing body): the views follow.
void http_request_rebase(struct http_request *request, const uint8_t *base);

// The value of the first header of that kind; data is NULL when there is none (an empty one is not NULL).
struct view http_request_known(const struct http_request *request, enum http_known known);
// Whether the client sent more than one of that kind.
bool http_request_repeated(const struct http_request *request, enum http_known known);
// The value of the first header with that name (any case); *count says how many there are. data is NULL when
// 0.
struct view http_request_find(const struct http_request *request, struct view name, size_t *count);

struct view http_method_name(enum http_method method); // "GET"

#endif
