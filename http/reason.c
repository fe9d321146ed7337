// SPDX-License-Identifier: ISC
// Why a request is refused, as one table. Runs in stayd-front and stayd-watch.
#include "http/reason.h"

static const struct {
    unsigned status;
    const char *text;
} reasons[HTTP_REASON_COUNT] = {
    [HTTP_REASON_NONE] = {200, "Nothing is wrong."},
    [HTTP_REASON_CONTROL_BYTE] = {400, "There is a control byte in the head of the request."},
    [HTTP_REASON_BARE_CR] = {400, "A carriage return stands without its line feed."},
    [HTTP_REASON_BARE_LF] = {400, "A line feed stands without its carriage return."},
    [HTTP_REASON_REQUEST_LINE] = {400, "The request line is not method, target and version."},
    [HTTP_REASON_METHOD_TOKEN] = {400, "The method is not a token."},
    [HTTP_REASON_METHOD_UNKNOWN] = {501, "This method is not implemented."},
    [HTTP_REASON_VERSION] = {505, "Only HTTP/1.1 and HTTP/1.0 are spoken here."},
    [HTTP_REASON_TARGET_FORM] = {400, "The target does not fit the method."},
    [HTTP_REASON_TARGET_BYTE] = {400, "The target has a byte that must be escaped."},
    [HTTP_REASON_TARGET_ESCAPE] = {400, "The target has a malformed percent-escape."},
    [HTTP_REASON_TARGET_AUTHORITY] = {400, "The target names another host than the Host header."},
    [HTTP_REASON_HEADER_FOLDED] = {400, "A header is folded over several lines."},
    [HTTP_REASON_HEADER_NAME] = {400, "A header's name is empty or not a token."},
    [HTTP_REASON_HEADER_SPACE] = {400, "There is white space between a header's name and its colon."},
    [HTTP_REASON_HEADER_COLON] = {400, "A header has no colon."},
    [HTTP_REASON_HOST_MISSING] = {400, "The Host header is missing."},
    [HTTP_REASON_HOST_REPEATED] = {400, "There are several Host headers."},
    [HTTP_REASON_HOST_SYNTAX] = {400, "The Host header is malformed."},
    [HTTP_REASON_LENGTH_SYNTAX] = {400, "The Content-Length header is not a number."},
    [HTTP_REASON_LENGTH_REPEATED] = {400, "There are several Content-Length headers."},
    [HTTP_REASON_LENGTH_AND_CODING] = {400, "There are both Content-Length and Transfer-Encoding headers."},
    [HTTP_REASON_CODING_REPEATED] = {400, "There are several Transfer-Encoding headers."},
    [HTTP_REASON_CODING_UNKNOWN] = {501, "The only transfer coding implemented is chunked."},
    [HTTP_REASON_CODING_OLD] = {400, "HTTP/1.0 has no Transfer-Encoding."},
    [HTTP_REASON_EXPECT] = {417, "The only expectation known is 100-continue."},
    [HTTP_REASON_LINE_TOO_LONG] = {414, "The request line is too long."},
    [HTTP_REASON_TARGET_TOO_LONG] = {414, "The target is too long."},
    [HTTP_REASON_HEADERS_TOO_MANY] = {431, "There are too many headers."},
    [HTTP_REASON_HEADER_TOO_LONG] = {431, "A header is too long."},
    [HTTP_REASON_HEAD_TOO_LONG] = {431, "The headers are too long in all."},
    [HTTP_REASON_BODY_TOO_LONG] = {413, "The body is too long."},
    [HTTP_REASON_CHUNK_SIZE] = {400, "A chunk's size is malformed."},
    [HTTP_REASON_CHUNK_EXTENSION] = {400, "A chunk's extensions are malformed or too long."},
    [HTTP_REASON_CHUNK_END] = {400, "A chunk does not end where its size says."},
    [HTTP_REASON_TRAILER] = {400, "The trailers are malformed or too long."},
};

unsigned http_reason_status(enum http_reason reason)
{
    return reasons[reason].status;
}

const char *http_reason_text(enum http_reason reason)
{
    return reasons[reason].text;
}
