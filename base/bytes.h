// SPDX-License-Identifier: ISC
// Runs of bytes: `view` borrows, `bytes` owns and grows up to a bound, `secret` owns and wipes.
// Used by every process. Owns heap memory (bytes, secret). Not thread-safe per object.
// Bounds: a `bytes` never grows past the maximum it was made with.
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// A borrowed run of bytes: no ownership, no terminator. data may be NULL when size is 0.
struct view {
    const uint8_t *data;
    size_t size;
};

// 16 random bytes: ids, selectors, and IPv6 (or v4-mapped) addresses.
struct id16 {
    uint8_t byte[16];
};

struct hash32 {
    uint8_t byte[32];
};

#define VIEW(literal) ((struct view){(const uint8_t *)("" literal), sizeof(literal) - 1})

static inline struct view view_of(const void *data, size_t size)
{
    return (struct view){(const uint8_t *)data, size};
}

static inline struct view view_of_cstr(const char *text)
{
    return (struct view){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

static inline bool view_equal(struct view a, struct view b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

// ASCII case-insensitive equality (header names, hosts).
bool view_equal_nocase(struct view a, struct view b);
bool view_starts_with(struct view whole, struct view prefix);
// The part of `whole` from `offset` on; empty when offset is past the end.
struct view view_from(struct view whole, size_t offset);
// The first `size` bytes of `whole`, or all of it when it is shorter.
struct view view_first(struct view whole, size_t size);
// Index of the first `c`, or whole.size when there is none.
size_t view_index(struct view whole, uint8_t c);
// Cuts the part before the first `separator` off the front of `rest` (both consumed). The last part ends at
// the end.
struct view view_cut(struct view *rest, uint8_t separator);
// Without spaces and tabs at both ends.
struct view view_trim(struct view whole);
// Decimal digits only, no sign, no overflow; false leaves *value alone.
[[nodiscard]] bool view_to_u64(struct view digits, uint64_t *value);
// Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates, at most U+10FFFF.
[[nodiscard]] bool view_is_utf8(struct view text);
// Copies into a fixed buffer and ends it with NUL; false (and an empty string) when it does not fit.
[[nodiscard]] bool view_to_cstr(struct view text, char *out, size_t out_size);

// An owned, growing run of bytes with a bound. A failed append (bound or memory) sets `failed`, changes
// nothing else, and makes every later append fail too, so that a writer checks once at the end.
struct bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t size_max;
    bool failed;
};

void bytes_init(struct bytes *bytes, size_t size_max);
void bytes_release(struct bytes *bytes);
// Empty again, memory kept, `failed` cleared.
void bytes_reset(struct bytes *bytes);
bool bytes_append(struct bytes *bytes, const void *data, size_t size);
bool bytes_append_view(struct bytes *bytes, struct view view);
bool bytes_append_byte(struct bytes *bytes, uint8_t byte);
bool bytes_append_u64(struct bytes *bytes, uint64_t value); // decimal
[[gnu::format(printf, 2, 3)]] bool bytes_append_format(struct bytes *bytes, const char *format, ...);
// Room for `size` more bytes, to be filled by the caller who then adds to `size`; NULL when it does not fit.
uint8_t *bytes_reserve(struct bytes *bytes, size_t size);
static inline struct view bytes_view(const struct bytes *bytes)
{
    return (struct view){bytes->data, bytes->size};
}

// An owned secret: wiped when released; there is no way to log it.
struct secret {
    uint8_t *data;
    size_t size;
};

[[nodiscard]] bool secret_init(struct secret *secret, struct view from);
void secret_release(struct secret *secret);
// Overwrites memory in a way the compiler keeps.
void wipe(void *data, size_t size);
// Constant-time in the content (the sizes may show). For every comparison of secrets.
[[nodiscard]] bool equal_secret(const void *a, const void *b, size_t size);

// base64url without padding (RFC 4648 section 5). `out` needs base64url_size(n) bytes; returns what was
// written.
static inline size_t base64url_size(size_t size)
{
    return (size * 4 + 2) / 3;
}
size_t base64url_encode(const void *data, size_t size, char *out);
// Strict: only the alphabet, no padding, canonical last character, exactly `size` bytes out.
[[nodiscard]] bool base64url_decode(struct view text, void *out, size_t size);
// Lower-case hexadecimal, with NUL: out needs 2 * size + 1.
void hex_encode(const void *data, size_t size, char *out);
[[nodiscard]] bool hex_decode(struct view text, void *out, size_t size);

#endif
