// SPDX-License-Identifier: ISC
// Takes session tokens out of requests. Runs in stayd-front, on bytes from anyone.
#include "front/credentials.h"

#include "http/form.h"

#include <sodium.h>

bool credentials_parse(struct view text, struct credentials *credentials)
{
    uint8_t raw[32];
    if (text.size != CREDENTIALS_TOKEN_SIZE || !base64url_decode(text, raw, sizeof(raw))) {
        return false;
    }
    memcpy(credentials->selector, raw, 16);
    memcpy(credentials->verifier, raw + 16, 16);
    wipe(raw, sizeof(raw));
    return true;
}

void credentials_hash(struct credentials *credentials)
{
    crypto_generichash(credentials->verifier_hash, sizeof(credentials->verifier_hash), credentials->verifier,
                       sizeof(credentials->verifier), NULL, 0);
}

// RFC 6750 section 2.1; the scheme's name is read in any case (RFC 9110 section 11.1).
static bool bearer_token(const struct http_request *request, struct view *token)
{
    struct view value = http_request_known(request, HTTP_HEADER_AUTHORIZATION);
    if (value.size < 8 || http_request_repeated(request, HTTP_HEADER_AUTHORIZATION) ||
        !view_equal_nocase(view_first(value, 7), VIEW("Bearer "))) {
        return false;
    }
    *token = view_trim(view_from(value, 7));
    return true;
}

void credentials_find(const struct http_request *request, struct view cookie_name,
                      struct credentials *credentials)
{
    struct view token;
    credentials->kind = CREDENTIALS_NONE;
    enum http_found found = http_request_cookie(request, cookie_name, &token);
    credentials->cookie_sent = found != HTTP_FOUND_NONE;
    struct view bearer;
    if (bearer_token(request, &bearer) && credentials_parse(bearer, credentials)) {
        credentials->kind = CREDENTIALS_BEARER;
    } else if (found == HTTP_FOUND_ONE && credentials_parse(token, credentials)) {
        credentials->kind = CREDENTIALS_COOKIE;
    }
}

bool credentials_glance(const struct http_request *request, struct view cookie_name, struct id16 *selector)
{
    struct view token;
    uint8_t raw[24]; // 32 letters: the selector and a part of the verifier
    if (http_cookie_find(http_request_known(request, HTTP_HEADER_COOKIE), cookie_name, &token) !=
            HTTP_FOUND_ONE &&
        !bearer_token(request, &token)) {
        return false;
    }
    if (token.size != CREDENTIALS_TOKEN_SIZE || !base64url_decode(view_first(token, 32), raw, sizeof(raw))) {
        return false;
    }
    memcpy(selector->byte, raw, sizeof(selector->byte));
    wipe(raw, sizeof(raw));
    return true;
}

void credentials_form_token(const struct credentials *credentials,
                            char token[static CREDENTIALS_FORM_TOKEN_SIZE])
{
    static const uint8_t purpose[] = "stayd form token";
    uint8_t hash[16];
    crypto_generichash(hash, sizeof(hash), purpose, sizeof(purpose) - 1, credentials->verifier,
                       sizeof(credentials->verifier));
    base64url_encode(hash, sizeof(hash), token);
}

bool credentials_form_token_right(const struct credentials *credentials, struct view token)
{
    char right[CREDENTIALS_FORM_TOKEN_SIZE];
    if (credentials->kind == CREDENTIALS_NONE || token.size != sizeof(right)) {
        return false;
    }
    credentials_form_token(credentials, right);
    return equal_secret(right, token.data, sizeof(right));
}
