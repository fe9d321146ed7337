// SPDX-License-Identifier: ISC
// Recognises header names: by size first, which leaves at most four. Runs in stayd-front and stayd-watch,
// once for every header.
#include "http/known.h"

#include <assert.h>

// In lower case.
static const struct view known_names[HTTP_HEADER_KNOWN_COUNT] = {
    [HTTP_HEADER_HOST] = VIEW("host"),
    [HTTP_HEADER_COOKIE] = VIEW("cookie"),
    [HTTP_HEADER_CONNECTION] = VIEW("connection"),
    [HTTP_HEADER_CONTENT_LENGTH] = VIEW("content-length"),
    [HTTP_HEADER_TRANSFER_ENCODING] = VIEW("transfer-encoding"),
    [HTTP_HEADER_EXPECT] = VIEW("expect"),
    [HTTP_HEADER_CONTENT_TYPE] = VIEW("content-type"),
    [HTTP_HEADER_ORIGIN] = VIEW("origin"),
    [HTTP_HEADER_AUTHORIZATION] = VIEW("authorization"),
    [HTTP_HEADER_USER_AGENT] = VIEW("user-agent"),
    [HTTP_HEADER_ACCEPT] = VIEW("accept"),
    [HTTP_HEADER_ACCEPT_LANGUAGE] = VIEW("accept-language"),
    [HTTP_HEADER_REFERER] = VIEW("referer"),
    [HTTP_HEADER_IF_NONE_MATCH] = VIEW("if-none-match"),
    [HTTP_HEADER_SEC_FETCH_SITE] = VIEW("sec-fetch-site"),
    [HTTP_HEADER_FORWARDED] = VIEW("forwarded"),
    [HTTP_HEADER_X_REAL_IP] = VIEW("x-real-ip"),
    [HTTP_HEADER_X_REQUEST_ID] = VIEW("x-request-id"),
    [HTTP_HEADER_X_FORWARDED_FOR] = VIEW("x-forwarded-for"),
    [HTTP_HEADER_X_FORWARDED_PROTO] = VIEW("x-forwarded-proto"),
    [HTTP_HEADER_X_FORWARDED_HOST] = VIEW("x-forwarded-host"),
    [HTTP_HEADER_X_FORWARDED_URI] = VIEW("x-forwarded-uri"),
    [HTTP_HEADER_X_FORWARDED_METHOD] = VIEW("x-forwarded-method"),
    [HTTP_HEADER_X_ORIGINAL_URL] = VIEW("x-original-url"),
    [HTTP_HEADER_X_ORIGINAL_METHOD] = VIEW("x-original-method"),
};

#define KNOWN_SIZE_MAX 18
#define BY(known)      (1u << HTTP_HEADER_##known)
static const uint32_t known_by_size[KNOWN_SIZE_MAX + 1] = {
    [4] = BY(HOST),
    [6] = BY(COOKIE) | BY(EXPECT) | BY(ORIGIN) | BY(ACCEPT),
    [7] = BY(REFERER),
    [9] = BY(FORWARDED) | BY(X_REAL_IP),
    [10] = BY(CONNECTION) | BY(USER_AGENT),
    [12] = BY(CONTENT_TYPE) | BY(X_REQUEST_ID),
    [13] = BY(AUTHORIZATION) | BY(IF_NONE_MATCH),
    [14] = BY(CONTENT_LENGTH) | BY(SEC_FETCH_SITE) | BY(X_ORIGINAL_URL),
    [15] = BY(ACCEPT_LANGUAGE) | BY(X_FORWARDED_FOR) | BY(X_FORWARDED_URI),
    [16] = BY(X_FORWARDED_HOST),
    [17] = BY(TRANSFER_ENCODING) | BY(X_FORWARDED_PROTO) | BY(X_ORIGINAL_METHOD),
    [18] = BY(X_FORWARDED_METHOD),
};
static_assert(HTTP_HEADER_KNOWN_COUNT <= 32);

struct view http_known_name(enum http_known known)
{
    return known_names[known];
}

static uint64_t word_at(const uint8_t *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word | 0x2020202020202020;
}

// The name is a token: with bit 0x20 set, a byte of it equals a letter or '-' only if it is that, in any
// case. Words of eight from both ends cover sizes of 8 to 16; names differ more at their ends.
static bool is_known(struct view name, enum http_known known)
{
    const uint8_t *lower = known_names[known].data;
    size_t size = name.size, at = 0;
    if (size >= 8) {
        if (word_at(name.data + size - 8) != word_at(lower + size - 8)) {
            return false;
        }
        for (; at + 8 < size; at += 8) {
            if (word_at(name.data + at) != word_at(lower + at)) {
                return false;
            }
        }
        return true;
    }
    while (at < size && (name.data[at] | 0x20) == lower[at]) {
        at++;
    }
    return at == size;
}

enum http_known http_known_of(struct view name)
{
    if (name.size > KNOWN_SIZE_MAX) {
        return HTTP_HEADER_KNOWN_COUNT;
    }
    for (uint32_t left = known_by_size[name.size]; left != 0; left &= left - 1) {
        enum http_known known = (enum http_known)__builtin_ctz(left);
        if (is_known(name, known)) {
            return known;
        }
    }
    return HTTP_HEADER_KNOWN_COUNT;
}
