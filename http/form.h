// SPDX-License-Identifier: ISC
// Reads what comes encoded inside a request: query strings, forms (application/x-www-form-urlencoded),
// cookies. Used by stayd-front and stayd-watch. Owns nothing: output goes into memory of the caller. Bounds:
// HTTP_FORM_PAIRS_MAX pairs; decoding never makes anything longer.
#ifndef HTTP_FORM_H
#define HTTP_FORM_H

#include "http/parse.h"

#define HTTP_FORM_PAIRS_MAX 64

// Walks the pairs of a query or form in the order they were sent.
struct http_form {
    struct view rest;
    uint8_t *scratch;
    size_t pairs;
    bool malformed;
};

enum http_found {
    HTTP_FOUND_NONE,
    HTTP_FOUND_ONE,
    HTTP_FOUND_SEVERAL,   // ambiguous: refuse
    HTTP_FOUND_MALFORMED, // the whole is: refuse
};

// `scratch` has room for encoded.size bytes, and may be the encoded memory itself (decoded in place). It may
// hold a password afterwards: the caller wipes it.
void http_form_init(struct http_form *form, struct view encoded, uint8_t *scratch);
// The next pair, decoded, in scratch: false at the end, or with `malformed` set when an escape is broken, a
// byte is not printable ASCII, the text is not UTF-8 or holds a NUL, or there are too many pairs. Empty pairs
// are skipped; a name without '=' has an empty value.
[[nodiscard]] bool http_form_next(struct http_form *form, struct view *name, struct view *value);
// Finds one field by exact name; reads the whole, so that a second one is noticed. *value is in scratch.
[[nodiscard]] enum http_found http_form_find(struct view encoded, struct view name, uint8_t *scratch,
                                             struct view *value);

// The cookie of exactly that name, in a Cookie header's value; *value is left alone when there is none.
// Malformed cookies of others are passed over.
[[nodiscard]] enum http_found http_cookie_find(struct view header, struct view name, struct view *value);
// The same over all Cookie headers of a request.
[[nodiscard]] enum http_found http_request_cookie(const struct http_request *request, struct view name,
                                                  struct view *value);

#endif
