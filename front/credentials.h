// SPDX-License-Identifier: ISC
// The session token of a request: from its cookie, or "Authorization: Bearer". Used by stayd-front.
// Owns nothing; holds the verifier in clear, so whoever has one wipes it.
#ifndef FRONT_CREDENTIALS_H
#define FRONT_CREDENTIALS_H

#include "base/bytes.h"
#include "http/parse.h"

enum credentials_kind {
    CREDENTIALS_NONE,   // nothing that could be a token of ours
    CREDENTIALS_COOKIE, // sent by the browser by itself: changes need an Origin
    CREDENTIALS_BEARER, // sent on purpose
};

struct credentials {
    enum credentials_kind kind;
    bool cookie_sent; // a cookie of that name came, whatever is in it
    uint8_t selector[16];
    uint8_t verifier[16];
    uint8_t verifier_hash[16];
};

#define CREDENTIALS_TOKEN_SIZE 43 // 32 bytes in base64url

// Bearer goes before the cookie: it was sent on purpose. A Bearer token that is none of ours (the
// application's own) is passed over. Two cookies of the name count as none: one of them was planted by a
// sibling host, and nothing tells which.
void credentials_find(const struct http_request *request, struct view cookie_name,
                      struct credentials *credentials);
// The selector alone, of the first token that could be one: a hint where to look, for a request that is about
// to be handled. false: none.
[[nodiscard]] bool credentials_glance(const struct http_request *request, struct view cookie_name,
                                      struct id16 *selector);
// Sets verifier_hash, which the others leave alone: the tables can be fetched meanwhile.
void credentials_hash(struct credentials *credentials);
// The token in `text` alone.
[[nodiscard]] bool credentials_parse(struct view text, struct credentials *credentials);

#define CREDENTIALS_FORM_TOKEN_SIZE 22

// The form token of the session's pages: a hash keyed with the verifier, which only the two ends know.
void credentials_form_token(const struct credentials *credentials,
                            char token[static CREDENTIALS_FORM_TOKEN_SIZE]);
[[nodiscard]] bool credentials_form_token_right(const struct credentials *credentials, struct view token);

#endif
