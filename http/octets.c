// SPDX-License-Identifier: ISC
// What a byte may be in HTTP, as one table. Runs in stayd-front and stayd-watch.
#include "http/octets.h"

#define TOKEN HTTP_OCTET_TOKEN
#define PATH  HTTP_OCTET_PATH
#define QUERY HTTP_OCTET_QUERY
#define HEX   HTTP_OCTET_HEX
#define HOST  HTTP_OCTET_HOST
#define DIGIT HTTP_OCTET_DIGIT
#define PLAIN HTTP_OCTET_PLAIN

const uint8_t http_octets[256] = {
    ['0' ... '9'] = TOKEN | PATH | QUERY | HEX | HOST | DIGIT | PLAIN,
    ['A' ... 'F'] = TOKEN | PATH | QUERY | HEX | HOST | PLAIN,
    ['G' ... 'Z'] = TOKEN | PATH | QUERY | HOST | PLAIN,
    ['a' ... 'f'] = TOKEN | PATH | QUERY | HEX | HOST | PLAIN,
    ['g' ... 'z'] = TOKEN | PATH | QUERY | HOST | PLAIN,
    ['-'] = TOKEN | PATH | QUERY | HOST | PLAIN,
    ['.'] = TOKEN | PATH | QUERY | HOST | PLAIN,
    ['_'] = TOKEN | PATH | QUERY | HOST | PLAIN,
    ['~'] = TOKEN | PATH | QUERY | PLAIN,
    ['!'] = TOKEN | PATH | QUERY,
    ['$'] = TOKEN | PATH | QUERY,
    ['&'] = TOKEN | PATH | QUERY,
    ['\''] = TOKEN | PATH | QUERY,
    ['*'] = TOKEN | PATH | QUERY,
    ['+'] = TOKEN | PATH | QUERY,
    ['('] = PATH | QUERY,
    [')'] = PATH | QUERY,
    [','] = PATH | QUERY,
    [';'] = PATH | QUERY,
    ['='] = PATH | QUERY,
    [':'] = PATH | QUERY,
    ['@'] = PATH | QUERY,
    ['/'] = PATH | QUERY,
    ['?'] = QUERY,
    ['['] = QUERY,
    [']'] = QUERY,
    ['{'] = QUERY,
    ['}'] = QUERY,
    ['\\'] = QUERY,
    ['^'] = TOKEN | QUERY,
    ['`'] = TOKEN | QUERY,
    ['|'] = TOKEN | QUERY,
    ['#'] = TOKEN,
    ['%'] = TOKEN,
};
