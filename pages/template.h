// SPDX-License-Identifier: ISC
// A small template engine: a compiled template plus a typed struct become HTML. Used by stayd-front (and
// whoever shows pages). Templates are parsed when stayd is built (tools/embed_pages.py), so that a mistake in
// one is a build failure and nothing is opened at run time. Owns nothing; no allocation but the growth of the
// output. Bounds: the output's own; sections nest at most TEMPLATE_DEPTH_MAX deep.
//
// In a template file:
//   {{name}}                  the value, escaped for HTML text and for attributes in double quotes: there is
//   no raw form
//   {{%name}}                 the value, percent-encoded: for the query of a link, the only place in a URL
//   for a value
//   {{@name}}                 a time as a whole <time> element
//   {{#name}}…{{/name}}       once for each row of a list, or once when the value is not empty, false or zero
//   {{^name}}…{{/name}}       once when it is
//   {{> file}}                another file, put in place at build time
#ifndef PAGES_TEMPLATE_H
#define PAGES_TEMPLATE_H

#include "base/bytes.h"

#define TEMPLATE_DEPTH_MAX 8

enum template_op_kind {
    TEMPLATE_TEXT,
    TEMPLATE_VALUE,
    TEMPLATE_QUERY,
    TEMPLATE_TIME,
    TEMPLATE_SECTION,
    TEMPLATE_INVERTED,
    TEMPLATE_END,
};

struct template_op {
    enum template_op_kind kind;
    uint32_t end;     // of a section: the index of its TEMPLATE_END
    struct view text; // the literal text, or the name
};

struct template
{
    const struct template_op *ops;
    size_t op_count;
};

enum template_field_kind {
    TEMPLATE_FIELD_TEXT,   // struct view
    TEMPLATE_FIELD_FLAG,   // bool
    TEMPLATE_FIELD_NUMBER, // uint64_t
    TEMPLATE_FIELD_TIME,   // int64_t, unix seconds; 0 is "none"
    TEMPLATE_FIELD_BIT,    // a bit of a uint32_t, used like a flag
    TEMPLATE_FIELD_WORDS, // struct view of words between commas; a section over it has the row value {{word}}
    TEMPLATE_FIELD_LIST,  // a pointer to rows and a size_t
    TEMPLATE_FIELD_ANY,   // the size_t of a list, used like a flag: true from one row on
    TEMPLATE_FIELD_MANY,  // the same, from two rows on
};

struct template_type;

struct template_field {
    struct view name;
    enum template_field_kind kind;
    uint32_t bit;
    size_t offset;
    size_t count_offset;
    const struct template_type *row;
};

// What a template may say about a struct.
struct template_type {
    const struct template_field *fields;
    size_t field_count;
    size_t size;
};

// The field's kind follows from the member's C type; any other type is a compile error.
#define TEMPLATE_FIELD_AS(type, field_name, member)                                                          \
    {                                                                                                        \
        .name = {(const uint8_t *)field_name, sizeof(field_name) - 1},                                       \
        .kind = _Generic(((type *)0)->member, struct view                                                    \
                         : TEMPLATE_FIELD_TEXT, bool                                                         \
                         : TEMPLATE_FIELD_FLAG, uint64_t                                                     \
                         : TEMPLATE_FIELD_NUMBER, int64_t                                                    \
                         : TEMPLATE_FIELD_TIME),                                                             \
        .offset = offsetof(type, member)                                                                     \
    }
#define TEMPLATE_FIELD(type, member) TEMPLATE_FIELD_AS(type, #member, member)
#define TEMPLATE_BIT(type, field_name, member, mask)                                                         \
    {                                                                                                        \
        .name = {(const uint8_t *)field_name, sizeof(field_name) - 1}, .kind = TEMPLATE_FIELD_BIT,           \
        .bit = (mask), .offset = offsetof(type, member)                                                      \
    }
#define TEMPLATE_WORDS(type, member)                                                                         \
    {                                                                                                        \
        .name = {(const uint8_t *)#member, sizeof(#member) - 1}, .kind = TEMPLATE_FIELD_WORDS,               \
        .offset = offsetof(type, member)                                                                     \
    }
#define TEMPLATE_LIST(type, member, count, row_type)                                                         \
    {                                                                                                        \
        .name = {(const uint8_t *)#member, sizeof(#member) - 1}, .kind = TEMPLATE_FIELD_LIST,                \
        .offset = offsetof(type, member), .count_offset = offsetof(type, count), .row = (row_type)           \
    }
#define TEMPLATE_ANY(type, field_name, count)                                                                \
    {                                                                                                        \
        .name = {(const uint8_t *)field_name, sizeof(field_name) - 1}, .kind = TEMPLATE_FIELD_ANY,           \
        .offset = offsetof(type, count)                                                                      \
    }
#define TEMPLATE_MANY(type, field_name, count)                                                               \
    {                                                                                                        \
        .name = {(const uint8_t *)field_name, sizeof(field_name) - 1}, .kind = TEMPLATE_FIELD_MANY,          \
        .offset = offsetof(type, count)                                                                      \
    }
#define TEMPLATE_TYPE(type, table)                                                                           \
    {                                                                                                        \
        .fields = (table), .field_count = sizeof(table) / sizeof((table)[0]), .size = sizeof(type)           \
    }

// Appends the page to `out`. False when it did not fit (`out->failed` says the same): what is there is then
// cut off and must not be sent. A name the struct does not have is a bug (assert); see template_check.
[[nodiscard]] bool template_render(struct bytes *out, const struct template *template,
                                   const struct template_type *type, const void *data);

// Whether every name in the template exists and fits its use, whatever the data. For tests.
[[nodiscard]] bool template_check(const struct template *template, const struct template_type *type);

// The three ways a value is written. Bytes that are not UTF-8, and control characters, become U+FFFD.
bool template_append_text(struct bytes *out, struct view value);
bool template_append_query(struct bytes *out, struct view value);
// <time datetime="2026-11-20T22:45:00Z">2026-11-20 22:45 UTC</time>; "never" for 0, "unknown" outside years 1
// to 9999.
bool template_append_time(struct bytes *out, int64_t unix_s);

#endif
