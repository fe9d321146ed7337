// SPDX-License-Identifier: ISC
// Writes HTTP/1.1 responses into the caller's buffer. Used by stayd-front and stayd-watch. Owns nothing.
// Bounds: those of the struct bytes written to. A failed write (its bound, no memory, or a value that is not
// safe in a header) sets out->failed, so that a caller writes everything and checks once at the end; what is
// in the buffer then must not be sent.
#ifndef HTTP_WRITE_H
#define HTTP_WRITE_H

#include "base/bytes.h"

#define HTTP_DATE_SIZE 29

// The Date header's value, formatted once a second.
struct http_date {
    int64_t second;
    char text[HTTP_DATE_SIZE + 1];
};

// Cheap when the second is the same as before. `second` counts from 1970 (UTC); zero the struct at first.
void http_date_update(struct http_date *date, int64_t second);

// "HTTP/1.1 200 OK" and CRLF; a status that is not in the table has an empty reason phrase.
void http_write_status(struct bytes *out, unsigned status);
// Refused (out->failed) when the name is not a token or the value holds a control byte: no header can be
// split.
void http_write_header(struct bytes *out, struct view name, struct view value);
void http_write_header_u64(struct bytes *out, struct view name, uint64_t value);
// For names of people and the like: bytes other than printable ASCII, '%', and spaces at the ends become %XX.
void http_write_header_escaped(struct bytes *out, struct view name, struct view value);
void http_write_date(struct bytes *out, const struct http_date *date);
// Content-Length, Connection where the client needs it, and the empty line. `minor` is the request's.
void http_write_end(struct bytes *out, uint64_t content_size, unsigned minor, bool keep_alive);
// "HTTP/1.1 100 Continue", whole.
void http_write_continue(struct bytes *out);

// Escaped for a query's name or value: everything but unreserved characters becomes %XX.
void http_write_query(struct bytes *out, struct view text);
// A JSON string with its quotes; fails (out->failed) when the text is not UTF-8.
void http_write_json_string(struct bytes *out, struct view text);

// An error for programs (RFC 9457).
struct http_problem {
    struct view type; // stable, a URI reference
    struct view title;
    unsigned status;
    struct view detail;     // may be empty
    uint32_t retry_after_s; // 0: none
};

// The JSON object only.
void http_write_problem(struct bytes *out, const struct http_problem *problem);
// The whole response, with Content-Type, Cache-Control: no-store and Retry-After; without its body for HEAD
// (`head_only`).
void http_write_problem_response(struct bytes *out, const struct http_problem *problem,
                                 const struct http_date *date, unsigned minor, bool keep_alive,
                                 bool head_only);

#endif
