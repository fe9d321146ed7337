// SPDX-License-Identifier: ISC
// Renders compiled templates. Runs in stayd-front.
// Invariants:
//   1. Only a TEMPLATE_TEXT op, which comes from a file of ours at build time, is copied as it is.
//   2. A value never yields one of & < > " ' other than as a character reference, so it can't leave the text
//   or the
//      quoted attribute it stands in (the generator refuses values anywhere else).
//   3. The output is well-formed UTF-8.
// Times are computed here, because the C library would open the time zone file, which front can't.
#include "pages/template.h"

#include <assert.h>

struct scope {
    const struct template_type *type;
    const void *data; // NULL while checking
    const struct scope *outer;
};

struct found {
    const struct template_field *field;
    const uint8_t *base;
};

struct word_row {
    struct view word;
};
static const struct template_field word_fields[] = {TEMPLATE_FIELD(struct word_row, word)};
static const struct template_type word_type = TEMPLATE_TYPE(struct word_row, word_fields);

static struct view entity_of(uint8_t c)
{
    switch (c) {
    case '&':
        return VIEW("&amp;");
    case '<':
        return VIEW("&lt;");
    case '>':
        return VIEW("&gt;");
    case '"':
        return VIEW("&quot;");
    case '\'':
        return VIEW("&#39;");
    default:
        return (struct view){NULL, 0};
    }
}

// The size of the well-formed character at the front, or 0 when there is none.
static size_t character_size(struct view text)
{
    uint8_t lead = text.data[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size > text.size || !view_is_utf8(view_first(text, size))) {
        return 0;
    }
    bool control = (lead < 0x20 && lead != '\t' && lead != '\n') || lead == 0x7f;
    bool control_c1 = lead == 0xc2 && text.data[1] < 0xa0;
    return control || control_c1 ? 0 : size;
}

bool template_append_text(struct bytes *out, struct view value)
{
    while (value.size > 0 && !out->failed) {
        struct view entity = entity_of(value.data[0]);
        size_t size = character_size(value);
        if (entity.size > 0) {
            bytes_append_view(out, entity);
        } else if (size == 0) {
            bytes_append_view(out, VIEW("\xef\xbf\xbd"));
        } else {
            bytes_append_view(out, view_first(value, size));
        }
        value = view_from(value, size == 0 ? 1 : size);
    }
    return !out->failed;
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

bool template_append_query(struct bytes *out, struct view value)
{
    for (size_t i = 0; i < value.size && !out->failed; i++) {
        if (is_unreserved(value.data[i])) {
            bytes_append_byte(out, value.data[i]);
        } else {
            bytes_append_format(out, "%%%02X", value.data[i]);
        }
    }
    return !out->failed;
}

struct date {
    int year, month, day;
};

// Days since 1970-01-01 to the proleptic Gregorian calendar, counting years from March, so that the leap day
// is last.
static struct date date_of(int64_t days)
{
    days += 719468; // since 0000-03-01
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct date){
        .year = (int)(year_of_era + era * 400 + (month <= 2)),
        .month = (int)month,
        .day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
    };
}

bool template_append_time(struct bytes *out, int64_t unix_s)
{
    if (unix_s == 0) {
        return bytes_append_view(out, VIEW("never"));
    }
    if (unix_s < -62135596800 || unix_s > 253402300799) {
        return bytes_append_view(out, VIEW("unknown"));
    }
    int64_t second = unix_s % 86400;
    second += second < 0 ? 86400 : 0;
    struct date date = date_of((unix_s - second) / 86400);
    int hour = (int)(second / 3600), minute = (int)(second / 60 % 60);
    return bytes_append_format(
        out, "<time datetime=\"%04d-%02d-%02dT%02d:%02d:%02dZ\">%04d-%02d-%02d %02d:%02d UTC</time>",
        date.year, date.month, date.day, hour, minute, (int)(second % 60), date.year, date.month, date.day,
        hour, minute);
}

static struct found field_find(const struct scope *scope, struct view name)
{
    for (; scope != NULL; scope = scope->outer) {
        for (size_t i = 0; i < scope->type->field_count; i++) {
            if (view_equal(scope->type->fields[i].name, name)) {
                return (struct found){&scope->type->fields[i], scope->data};
            }
        }
    }
    return (struct found){NULL, NULL};
}

// Members are read by copying, since an offset into a struct says nothing about the type to the compiler.
#define MEMBER(type, base, offset)                                                                           \
    ({                                                                                                       \
        type member_;                                                                                        \
        memcpy(&member_, (base) + (offset), sizeof(member_));                                                \
        member_;                                                                                             \
    })

static size_t row_count(struct found found)
{
    return MEMBER(size_t, found.base, found.field->count_offset);
}

static bool is_true(struct found found)
{
    switch (found.field->kind) {
    case TEMPLATE_FIELD_TEXT:
    case TEMPLATE_FIELD_WORDS:
        return MEMBER(struct view, found.base, found.field->offset).size > 0;
    case TEMPLATE_FIELD_FLAG:
        return MEMBER(bool, found.base, found.field->offset);
    case TEMPLATE_FIELD_NUMBER:
        return MEMBER(uint64_t, found.base, found.field->offset) != 0;
    case TEMPLATE_FIELD_TIME:
        return MEMBER(int64_t, found.base, found.field->offset) != 0;
    case TEMPLATE_FIELD_BIT:
        return (MEMBER(uint32_t, found.base, found.field->offset) & found.field->bit) != 0;
    case TEMPLATE_FIELD_LIST:
        return row_count(found) > 0;
    case TEMPLATE_FIELD_ANY:
        return MEMBER(size_t, found.base, found.field->offset) > 0;
    case TEMPLATE_FIELD_MANY:
        return MEMBER(size_t, found.base, found.field->offset) > 1;
    }
    return false;
}

static bool fits(enum template_op_kind use, enum template_field_kind kind)
{
    bool text = kind == TEMPLATE_FIELD_TEXT || kind == TEMPLATE_FIELD_WORDS;
    switch (use) {
    case TEMPLATE_VALUE:
        return text || kind == TEMPLATE_FIELD_NUMBER;
    case TEMPLATE_QUERY:
        return text;
    case TEMPLATE_TIME:
        return kind == TEMPLATE_FIELD_TIME;
    case TEMPLATE_SECTION:
    case TEMPLATE_INVERTED:
        return true;
    case TEMPLATE_TEXT:
    case TEMPLATE_END:
        return false;
    }
    return false;
}

static void render_value(struct bytes *out, enum template_op_kind use, struct found found)
{
    if (use == TEMPLATE_TIME) {
        template_append_time(out, MEMBER(int64_t, found.base, found.field->offset));
    } else if (found.field->kind == TEMPLATE_FIELD_NUMBER) {
        bytes_append_u64(out, MEMBER(uint64_t, found.base, found.field->offset));
    } else if (use == TEMPLATE_QUERY) {
        template_append_query(out, MEMBER(struct view, found.base, found.field->offset));
    } else {
        template_append_text(out, MEMBER(struct view, found.base, found.field->offset));
    }
}

static void render_range(struct bytes *out, const struct template *template, size_t from, size_t to,
                         const struct scope *scope);

static void render_words(struct bytes *out, const struct template *template, size_t from, size_t to,
                         const struct scope *scope, struct view words)
{
    while (words.size > 0 && !out->failed) {
        struct word_row row = {view_trim(view_cut(&words, ','))};
        struct scope inner = {&word_type, &row, scope};
        if (row.word.size > 0) {
            render_range(out, template, from, to, &inner);
        }
    }
}

static void render_section(struct bytes *out, const struct template *template, size_t from, size_t to,
                           const struct scope *scope, struct found found)
{
    if (found.field->kind == TEMPLATE_FIELD_WORDS) {
        render_words(out, template, from, to, scope, MEMBER(struct view, found.base, found.field->offset));
        return;
    }
    if (found.field->kind != TEMPLATE_FIELD_LIST) {
        render_range(out, template, from, to, scope);
        return;
    }
    const uint8_t *rows = MEMBER(const uint8_t *, found.base, found.field->offset);
    for (size_t i = 0; i < row_count(found) && !out->failed; i++) {
        struct scope inner = {found.field->row, rows + i * found.field->row->size, scope};
        render_range(out, template, from, to, &inner);
    }
}

static void render_range(struct bytes *out, const struct template *template, size_t from, size_t to,
                         const struct scope *scope)
{
    for (size_t i = from; i < to && !out->failed; i++) {
        const struct template_op *op = &template->ops[i];
        if (op->kind == TEMPLATE_TEXT) {
            bytes_append_view(out, op->text);
            continue;
        }
        struct found found = field_find(scope, op->text);
        assert(found.field != NULL && fits(op->kind, found.field->kind));
        if (op->kind != TEMPLATE_SECTION && op->kind != TEMPLATE_INVERTED) {
            render_value(out, op->kind, found);
            continue;
        }
        if (is_true(found) == (op->kind == TEMPLATE_SECTION)) {
            if (op->kind == TEMPLATE_SECTION) {
                render_section(out, template, i + 1, op->end, scope, found);
            } else {
                render_range(out, template, i + 1, op->end, scope);
            }
        }
        i = op->end;
    }
}

bool template_render(struct bytes *out, const struct template *template, const struct template_type *type,
                     const void *data)
{
    struct scope scope = {type, data, NULL};
    render_range(out, template, 0, template->op_count, &scope);
    return !out->failed;
}

static bool check_range(const struct template *template, size_t from, size_t to, const struct scope *scope)
{
    for (size_t i = from; i < to; i++) {
        const struct template_op *op = &template->ops[i];
        if (op->kind == TEMPLATE_TEXT) {
            continue;
        }
        const struct template_field *field = field_find(scope, op->text).field;
        if (field == NULL || !fits(op->kind, field->kind)) {
            return false;
        }
        if (op->kind != TEMPLATE_SECTION && op->kind != TEMPLATE_INVERTED) {
            continue;
        }
        struct scope inner = {scope->type, NULL, scope->outer};
        if (op->kind == TEMPLATE_SECTION && field->kind == TEMPLATE_FIELD_WORDS) {
            inner = (struct scope){&word_type, NULL, scope};
        } else if (op->kind == TEMPLATE_SECTION && field->kind == TEMPLATE_FIELD_LIST) {
            inner = (struct scope){field->row, NULL, scope};
        }
        if (!check_range(template, i + 1, op->end, &inner)) {
            return false;
        }
        i = op->end;
    }
    return true;
}

bool template_check(const struct template *template, const struct template_type *type)
{
    struct scope scope = {type, NULL, NULL};
    return check_range(template, 0, template->op_count, &scope);
}
