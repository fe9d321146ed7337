// SPDX-License-Identifier: ISC
// Writes answers to the connection's output. Used by stayd-front. Owns nothing. An answer that can't be
// written whole (a bound, no memory) becomes a plain 500, and the connection is closed after it.
#ifndef FRONT_ANSWER_H
#define FRONT_ANSWER_H

#include "front/exchange.h"

// In this order: begin, headers, end.
void answer_begin(struct exchange *exchange, unsigned status);
void answer_header(struct exchange *exchange, struct view name, struct view value);
void answer_header_u64(struct exchange *exchange, struct view name, uint64_t value);
void answer_end(struct exchange *exchange, struct view body);
// Without content; a Content-Length of 0.
static inline void answer_end_empty(struct exchange *exchange)
{
    answer_end(exchange, (struct view){NULL, 0});
}
// For those who write headers of their own with fewer calls.
struct bytes *answer_out(struct exchange *exchange);

void answer_json(struct exchange *exchange, unsigned status, struct view body);
// Sets the session's cookie, for as long as the session may live (unix time).
void answer_session_cookie(struct exchange *exchange, const struct hash32 *token, uint64_t expires);
void answer_session_cookie_clear(struct exchange *exchange);
void answer_device_cookie(struct exchange *exchange, struct view value);

// An error in the route's style: a page, problem+json, or a bare status. detail may be empty.
struct answer_error {
    unsigned status;
    const char *type;  // the stable word: "wrong_credentials"
    const char *title; // for people
    struct view detail;
    uint32_t retry_after_s;
};
void answer_error(struct exchange *exchange, const struct answer_error *error);
// What core refused or could not do, as an error.
struct answer_error answer_error_of(const struct wire_reply *reply);
// 503: nobody can say now whose session it is.
void answer_unknown(struct exchange *exchange);
void answer_method_not_allowed(struct exchange *exchange);
void answer_redirect(struct exchange *exchange, unsigned status, struct view location);

#endif
