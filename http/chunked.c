// SPDX-License-Identifier: ISC
// The decoder of chunked bodies. Runs in stayd-front and stayd-watch, on bytes from anyone.
//
// A byte at a time through the framing, a run at a time through the content:
//
//   SIZE -> (EXTENSION ->) SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE ...
//                                  -> TRAILER (-> NAME -> VALUE -> TRAILER_LF -> TRAILER ...) -> LAST_LF ->
//                                  END
//
// 1. content_size never passes body_bytes_max: a chunk's size is checked before its first byte.
// 2. Extensions are ignored as RFC 9112 section 7.1.1 demands, but only when they end with CRLF and hold no
//    control byte: a bare line feed in them is what proxies disagree about.
#include "http/chunked.h"

#include "http/octets.h"

enum phase {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    END,
    REFUSAL,
};

void http_chunked_reset(struct http_chunked *chunked, const struct http_limits *limits)
{
    *chunked = (struct http_chunked){.body_bytes_max = limits->body_bytes_max};
}

static bool enter(struct http_chunked *chunked, enum phase phase)
{
    chunked->phase = phase;
    return true;
}

static bool refuse(struct http_chunked *chunked, enum http_reason reason)
{
    chunked->phase = REFUSAL;
    chunked->reason = reason;
    return false;
}

static bool expect(struct http_chunked *chunked, bool met, enum phase next, enum http_reason reason)
{
    return met ? enter(chunked, next) : refuse(chunked, reason);
}

static bool size_byte(struct http_chunked *chunked, uint8_t byte)
{
    if (http_octet_is(byte, HTTP_OCTET_HEX)) {
        chunked->chunk_left = chunked->chunk_left << 4 | http_octet_hex(byte);
        return expect(chunked, ++chunked->digits <= HTTP_CHUNKED_DIGITS_MAX, SIZE, HTTP_REASON_CHUNK_SIZE);
    }
    bool ends = chunked->digits > 0 && (byte == '\r' || byte == ';');
    return expect(chunked, ends, byte == ';' ? EXTENSION : SIZE_LF, HTTP_REASON_CHUNK_SIZE);
}

static bool size_end(struct http_chunked *chunked, uint8_t byte)
{
    if (byte != '\n') {
        return refuse(chunked, HTTP_REASON_CHUNK_SIZE);
    }
    if (chunked->chunk_left > chunked->body_bytes_max - chunked->content_size) {
        return refuse(chunked, HTTP_REASON_BODY_TOO_LONG);
    }
    return enter(chunked, chunked->chunk_left == 0 ? TRAILER : DATA);
}

static bool data_end(struct http_chunked *chunked, uint8_t byte)
{
    chunked->digits = 0;
    return expect(chunked, byte == '\n', SIZE, HTTP_REASON_CHUNK_END);
}

// A byte of something that is thrown away up to its CR, but counted.
static bool skipped_byte(struct http_chunked *chunked, uint8_t byte, enum phase at_cr,
                         enum http_reason reason)
{
    if (byte == '\r') {
        return enter(chunked, at_cr);
    }
    return (http_octet_is_text(byte) && ++chunked->framing_bytes <= HTTP_CHUNKED_FRAMING_MAX) ||
           refuse(chunked, reason);
}

static bool name_byte(struct http_chunked *chunked, uint8_t byte)
{
    bool first = chunked->phase == TRAILER;
    if (first && byte == '\r') {
        return enter(chunked, LAST_LF);
    }
    bool colon = !first && byte == ':';
    bool met = (colon || http_octet_is(byte, HTTP_OCTET_TOKEN)) &&
               ++chunked->framing_bytes <= HTTP_CHUNKED_FRAMING_MAX;
    return expect(chunked, met, colon ? TRAILER_VALUE : TRAILER_NAME, HTTP_REASON_TRAILER);
}

static bool framing_byte(struct http_chunked *chunked, uint8_t byte)
{
    switch ((enum phase)chunked->phase) {
    case SIZE:
        return size_byte(chunked, byte);
    case EXTENSION:
        return skipped_byte(chunked, byte, SIZE_LF, HTTP_REASON_CHUNK_EXTENSION);
    case SIZE_LF:
        return size_end(chunked, byte);
    case DATA_CR:
        return expect(chunked, byte == '\r', DATA_LF, HTTP_REASON_CHUNK_END);
    case DATA_LF:
        return data_end(chunked, byte);
    case TRAILER:
    case TRAILER_NAME:
        return name_byte(chunked, byte);
    case TRAILER_VALUE:
        return skipped_byte(chunked, byte, TRAILER_LF, HTTP_REASON_TRAILER);
    case TRAILER_LF:
        return expect(chunked, byte == '\n', TRAILER, HTTP_REASON_TRAILER);
    case LAST_LF:
        return expect(chunked, byte == '\n', END, HTTP_REASON_TRAILER);
    case DATA:
    case END:
    case REFUSAL:
        break;
    }
    return false;
}

// Moves what is here of the chunk's content to `to`; returns how much that is.
static size_t data_run(struct http_chunked *chunked, uint8_t *to, const uint8_t *from, size_t size)
{
    size_t run = size < chunked->chunk_left ? size : (size_t)chunked->chunk_left;
    if (run > 0 && to != from) {
        memmove(to, from, run);
    }
    chunked->content_size += run;
    chunked->chunk_left -= run;
    chunked->phase = chunked->chunk_left == 0 ? DATA_CR : DATA;
    return run;
}

enum http_verdict http_chunked_decode(struct http_chunked *chunked, uint8_t *data, size_t size,
                                      size_t *content_size, size_t *consumed)
{
    size_t at = 0, content = 0;
    while (at < size && chunked->phase < END) {
        if (chunked->phase == DATA) {
            size_t run = data_run(chunked, data + content, data + at, size - at);
            content += run;
            at += run;
        } else if (framing_byte(chunked, data[at])) {
            at++;
        }
    }
    *content_size = content;
    *consumed = at;
    return chunked->phase == END ? HTTP_DONE : chunked->phase == REFUSAL ? HTTP_REFUSED : HTTP_NEED_MORE;
}
