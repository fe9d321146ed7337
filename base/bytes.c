// SPDX-License-Identifier: ISC
// Runs of bytes: borrowed, owned and secret. Used by every process.
#include "base/bytes.h"

#include <sodium.h>
#include <stdarg.h>

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool view_equal_nocase(struct view a, struct view b)
{
    if (a.size != b.size) {
        return false;
    }
    for (size_t i = 0; i < a.size; i++) {
        if (lower(a.data[i]) != lower(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool view_starts_with(struct view whole, struct view prefix)
{
    return whole.size >= prefix.size && view_equal(view_first(whole, prefix.size), prefix);
}

struct view view_from(struct view whole, size_t offset)
{
    if (offset >= whole.size) {
        return (struct view){NULL, 0};
    }
    return (struct view){whole.data + offset, whole.size - offset};
}

struct view view_first(struct view whole, size_t size)
{
    return (struct view){whole.data, size < whole.size ? size : whole.size};
}

size_t view_index(struct view whole, uint8_t c)
{
    const uint8_t *at = whole.size == 0 ? NULL : memchr(whole.data, c, whole.size);
    return at == NULL ? whole.size : (size_t)(at - whole.data);
}

struct view view_cut(struct view *rest, uint8_t separator)
{
    size_t at = view_index(*rest, separator);
    struct view part = view_first(*rest, at);
    *rest = view_from(*rest, at + 1);
    return part;
}

struct view view_trim(struct view whole)
{
    while (whole.size > 0 && (whole.data[0] == ' ' || whole.data[0] == '\t')) {
        whole.data++;
        whole.size--;
    }
    while (whole.size > 0 && (whole.data[whole.size - 1] == ' ' || whole.data[whole.size - 1] == '\t')) {
        whole.size--;
    }
    return whole;
}

bool view_to_u64(struct view digits, uint64_t *value)
{
    uint64_t total = 0;
    if (digits.size == 0) {
        return false;
    }
    for (size_t i = 0; i < digits.size; i++) {
        uint8_t c = digits.data[i];
        if (c < '0' || c > '9' || __builtin_mul_overflow(total, 10, &total) ||
            __builtin_add_overflow(total, (uint64_t)(c - '0'), &total)) {
            return false;
        }
    }
    *value = total;
    return true;
}

// One code point from the front (RFC 3629 section 4); 0 when it is malformed.
static size_t utf8_length(const uint8_t *p, size_t size)
{
    static const struct {
        uint8_t lead_min, lead_max, second_min, second_max, length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (p[0] < forms[i].lead_min || p[0] > forms[i].lead_max) {
            continue;
        }
        size_t length = forms[i].length;
        if (length > size || (length > 1 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max))) {
            return 0;
        }
        for (size_t k = 2; k < length; k++) {
            if ((p[k] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return length;
    }
    return 0;
}

bool view_is_utf8(struct view text)
{
    for (size_t i = 0; i < text.size;) {
        size_t length = utf8_length(text.data + i, text.size - i);
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

bool view_to_cstr(struct view text, char *out, size_t out_size)
{
    if (text.size + 1 > out_size) {
        if (out_size > 0) {
            out[0] = '\0';
        }
        return false;
    }
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    out[text.size] = '\0';
    return true;
}

void bytes_init(struct bytes *bytes, size_t size_max)
{
    *bytes = (struct bytes){.size_max = size_max};
}

void bytes_release(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){.size_max = bytes->size_max};
}

void bytes_reset(struct bytes *bytes)
{
    bytes->size = 0;
    bytes->failed = false;
}

uint8_t *bytes_reserve(struct bytes *bytes, size_t size)
{
    if (bytes->failed || size > bytes->size_max - bytes->size) {
        bytes->failed = true;
        return NULL;
    }
    size_t need = bytes->size + size;
    if (need > bytes->capacity) {
        size_t capacity = bytes->capacity < 128 ? 128 : bytes->capacity * 2;
        capacity = capacity < need ? need : capacity;
        capacity = capacity > bytes->size_max ? bytes->size_max : capacity;
        uint8_t *data = realloc(bytes->data, capacity);
        if (data == NULL) {
            bytes->failed = true;
            return NULL;
        }
        bytes->data = data;
        bytes->capacity = capacity;
    }
    return bytes->data == NULL ? NULL : bytes->data + bytes->size;
}

bool bytes_append(struct bytes *bytes, const void *data, size_t size)
{
    if (size == 0) {
        return !bytes->failed;
    }
    bool room = !bytes->failed && size <= bytes->capacity - bytes->size;
    uint8_t *to = room ? bytes->data + bytes->size : bytes_reserve(bytes, size);
    if (to == NULL) {
        return false;
    }
    memcpy(to, data, size);
    bytes->size += size;
    return true;
}

bool bytes_append_view(struct bytes *bytes, struct view view)
{
    return bytes_append(bytes, view.data, view.size);
}

bool bytes_append_byte(struct bytes *bytes, uint8_t byte)
{
    return bytes_append(bytes, &byte, 1);
}

bool bytes_append_u64(struct bytes *bytes, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return bytes_append(bytes, digits + at, sizeof(digits) - at);
}

bool bytes_append_format(struct bytes *bytes, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof(text)) {
        bytes->failed = true;
        return false;
    }
    return bytes_append(bytes, text, (size_t)size);
}

bool secret_init(struct secret *secret, struct view from)
{
    *secret = (struct secret){.data = malloc(from.size == 0 ? 1 : from.size), .size = from.size};
    if (secret->data == NULL) {
        secret->size = 0;
        return false;
    }
    if (from.size > 0) {
        memcpy(secret->data, from.data, from.size);
    }
    return true;
}

void secret_release(struct secret *secret)
{
    if (secret->data != NULL) {
        wipe(secret->data, secret->size);
        free(secret->data);
    }
    *secret = (struct secret){0};
}

void wipe(void *data, size_t size)
{
    if (size > 0) {
        sodium_memzero(data, size);
    }
}

// Eight bytes at a time: every session check compares a verifier. The empty assembly keeps the compiler from
// seeing that it could stop early.
bool equal_secret(const void *a, const void *b, size_t size)
{
    const uint8_t *left = a, *right = b;
    uint64_t differs = 0;
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t x, y;
        memcpy(&x, left + at, 8);
        memcpy(&y, right + at, 8);
        differs |= x ^ y;
        __asm__("" : "+r"(differs));
    }
    for (; at < size; at++) {
        differs |= (uint64_t)(left[at] ^ right[at]);
        __asm__("" : "+r"(differs));
    }
    return differs == 0;
}

size_t base64url_encode(const void *data, size_t size, char *out)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *in = data;
    size_t at = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8) | in[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            out[at++] = alphabet[(bits >> held) & 0x3f];
        }
    }
    if (held > 0) {
        out[at++] = alphabet[(bits << (6 - held)) & 0x3f];
    }
    return at;
}

// The value of each letter of the alphabet plus one; 0 for all other bytes.
static const uint8_t base64url_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

// Every session check decodes a token: four letters a turn.
bool base64url_decode(struct view text, void *out, size_t size)
{
    if (text.size != base64url_size(size)) {
        return false;
    }
    uint8_t *to = out;
    const uint8_t *from = text.data;
    unsigned good = 1;
    size_t left = text.size;
    for (; left >= 4; left -= 4, from += 4, to += 3) {
        uint32_t a = base64url_values[from[0]], b = base64url_values[from[1]];
        uint32_t c = base64url_values[from[2]], d = base64url_values[from[3]];
        good &= (a != 0) & (b != 0) & (c != 0) & (d != 0);
        uint32_t bits = (a - 1) << 18 | ((b - 1) & 63) << 12 | ((c - 1) & 63) << 6 | ((d - 1) & 63);
        to[0] = (uint8_t)(bits >> 16);
        to[1] = (uint8_t)(bits >> 8);
        to[2] = (uint8_t)bits;
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < left; i++) {
        uint32_t value = base64url_values[from[i]];
        good &= value != 0;
        bits = bits << 6 | ((value - 1) & 63);
    }
    // Two letters make one byte and four spare bits, three make two and two: the spare ones are zero.
    unsigned spare = left == 2 ? 4 : left == 3 ? 2 : 0;
    if (left >= 2) {
        to[0] = (uint8_t)(bits >> (spare + (left - 2) * 8));
    }
    if (left == 3) {
        to[1] = (uint8_t)(bits >> spare);
    }
    return good != 0 && (bits & ((1u << spare) - 1)) == 0;
}

void hex_encode(const void *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = data;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * size] = '\0';
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(struct view text, void *out, size_t size)
{
    uint8_t *to = out;
    if (text.size != size * 2) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text.data[2 * i]);
        int low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        to[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}
