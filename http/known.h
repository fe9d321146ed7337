// SPDX-License-Identifier: ISC
// Headers that are recognised while a request is parsed, so that nobody has to search for them.
// Used by stayd-front and stayd-watch. Owns nothing.
#ifndef HTTP_KNOWN_H
#define HTTP_KNOWN_H

#include "base/bytes.h"

enum http_known {
    HTTP_HEADER_HOST,
    HTTP_HEADER_COOKIE,
    HTTP_HEADER_CONNECTION,
    HTTP_HEADER_CONTENT_LENGTH,
    HTTP_HEADER_TRANSFER_ENCODING,
    HTTP_HEADER_EXPECT,
    HTTP_HEADER_CONTENT_TYPE,
    HTTP_HEADER_ORIGIN,
    HTTP_HEADER_AUTHORIZATION,
    HTTP_HEADER_USER_AGENT,
    HTTP_HEADER_ACCEPT,
    HTTP_HEADER_ACCEPT_LANGUAGE,
    HTTP_HEADER_REFERER,
    HTTP_HEADER_IF_NONE_MATCH,
    HTTP_HEADER_SEC_FETCH_SITE,
    HTTP_HEADER_FORWARDED,
    HTTP_HEADER_X_REAL_IP,
    HTTP_HEADER_X_REQUEST_ID,
    HTTP_HEADER_X_FORWARDED_FOR,
    HTTP_HEADER_X_FORWARDED_PROTO,
    HTTP_HEADER_X_FORWARDED_HOST,
    HTTP_HEADER_X_FORWARDED_URI,
    HTTP_HEADER_X_FORWARDED_METHOD,
    HTTP_HEADER_X_ORIGINAL_URL,
    HTTP_HEADER_X_ORIGINAL_METHOD,
    HTTP_HEADER_KNOWN_COUNT,
};

// Which one it is, in any case; HTTP_HEADER_KNOWN_COUNT when it is none of them. The name must be a token.
enum http_known http_known_of(struct view name);
// In lower case.
struct view http_known_name(enum http_known known);

#endif
