// SPDX-License-Identifier: ISC
// What a byte may be in HTTP: one table, looked up everywhere. Used by stayd-front and stayd-watch. Owns
// nothing.
#ifndef HTTP_OCTETS_H
#define HTTP_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    HTTP_OCTET_TOKEN = 1,  // tchar, RFC 9110 section 5.6.2
    HTTP_OCTET_PATH = 2,   // pchar without '%', and '/', RFC 3986 section 3.3
    HTTP_OCTET_QUERY = 4,  // those, '?', and what browsers leave unescaped in a query (WHATWG URL)
    HTTP_OCTET_HEX = 8,    // RFC 5234 appendix B.1
    HTTP_OCTET_HOST = 16,  // of a host's name or IPv4 address
    HTTP_OCTET_DIGIT = 32, // decimal
    HTTP_OCTET_PLAIN = 64, // unreserved, RFC 3986 section 2.3: never needs an escape
};

extern const uint8_t http_octets[256];

static inline bool http_octet_is(uint8_t byte, uint8_t class)
{
    return (http_octets[byte] & class) != 0;
}

// May stand in a header's value (RFC 9110 section 5.5): anything but control bytes; a tab may.
static inline bool http_octet_is_text(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

// The value of a hexadecimal digit, which the caller has checked (HTTP_OCTET_HEX).
static inline unsigned http_octet_hex(uint8_t digit)
{
    return digit <= '9' ? digit - (unsigned)'0' : (digit | 0x20u) - 'a' + 10;
}

// Index of the first control byte, tab aside, at or after `from`; `size` when there is none.
static inline size_t http_octet_text_end(const uint8_t *data, size_t from, size_t size)
{
    size_t at = from;
#if defined(__SSE2__)
    const __m128i space = _mm_set1_epi8(0x20);
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i rubout = _mm_set1_epi8(0x7f);
    for (; size - at >= 16; at += 16) {
        __m128i text = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
        __m128i plain = _mm_cmpeq_epi8(_mm_max_epu8(text, space), text);
        plain = _mm_or_si128(plain, _mm_cmpeq_epi8(text, tab));
        plain = _mm_andnot_si128(_mm_cmpeq_epi8(text, rubout), plain);
        unsigned found = (unsigned)_mm_movemask_epi8(plain) ^ 0xffffu;
        if (found != 0) {
            return at + (size_t)__builtin_ctz(found);
        }
    }
#endif
    while (at < size && http_octet_is_text(data[at])) {
        at++;
    }
    return at;
}

// Index of the first byte that is not of a token; `size` when there is none.
static inline size_t http_octet_token_end(const uint8_t *data, size_t size)
{
    size_t at = 0;
#if defined(__SSE2__)
    // Letters, digits and '-' by the sixteen: most names are nothing else. What stops it is looked at below.
    for (; size - at >= 16; at += 16) {
        __m128i text = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
        __m128i letter =
            _mm_add_epi8(_mm_or_si128(text, _mm_set1_epi8(0x20)), _mm_set1_epi8((char)(0x80 - 'a')));
        __m128i digit = _mm_add_epi8(text, _mm_set1_epi8((char)(0x80 - '0')));
        __m128i plain = _mm_cmplt_epi8(letter, _mm_set1_epi8(-128 + 26));
        plain = _mm_or_si128(plain, _mm_cmplt_epi8(digit, _mm_set1_epi8(-128 + 10)));
        plain = _mm_or_si128(plain, _mm_cmpeq_epi8(text, _mm_set1_epi8('-')));
        unsigned found = (unsigned)_mm_movemask_epi8(plain) ^ 0xffffu;
        if (found != 0) {
            at += (size_t)__builtin_ctz(found);
            break;
        }
    }
#endif
    while (at < size && http_octet_is(data[at], HTTP_OCTET_TOKEN)) {
        at++;
    }
    return at;
}

#endif
