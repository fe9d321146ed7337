// SPDX-License-Identifier: ISC
// Statements without values, plans in one line. Runs in stayd-store. What an unfinished string or comment
// runs into is left out: a text that was cut off must not show the half of a value.
#include "store/eyes_text.h"

#include <ctype.h>
#include <stdio.h>

// ---- statements ------------------------------------------------------------------------------------------

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

// Past a string in these quotes, doubled ones and (`escapes`) those after a backslash included.
static const char *after_quoted(const char *at, char quote, bool escapes)
{
    for (at++; *at != '\0'; at++) {
        if (escapes && *at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == quote && at[1] == quote) {
            at++;
        } else if (*at == quote) {
            return at + 1;
        }
    }
    return at;
}

// Past $tag$ … $tag$; NULL: it is no such string.
static const char *after_dollar_quoted(const char *at)
{
    size_t tag = 1;
    while (is_word(at[tag])) {
        tag++;
    }
    if (at[tag] != '$' || isdigit((unsigned char)at[1])) {
        return NULL;
    }
    tag++;
    for (const char *end = at + tag; *end != '\0'; end++) {
        if (strncmp(end, at, tag) == 0) {
            return end + tag;
        }
    }
    return at + strlen(at);
}

static const char *after_comment(const char *at)
{
    if (at[0] == '-' && at[1] == '-') {
        return at + strcspn(at, "\n");
    }
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end == NULL ? at + strlen(at) : end + 2;
    }
    return NULL;
}

// Past a value; NULL: there is none here. `before`: the character in front.
static const char *after_value(const char *at, char before)
{
    bool begins = !is_word(before) && before != '$' && before != '"';
    if (*at == '\'') {
        return after_quoted(at, '\'', false);
    }
    if (begins && strchr("eEbBxXnN", *at) != NULL && at[1] == '\'') {
        return after_quoted(at + 1, '\'', *at == 'e' || *at == 'E');
    }
    if (*at == '$') {
        return after_dollar_quoted(at);
    }
    if (!begins || !isdigit((unsigned char)*at)) {
        return NULL;
    }
    while (is_word(*at) || *at == '.') {
        at++;
    }
    return at;
}

struct out {
    char *text;
    size_t size;
};

static void put(struct out *out, char c)
{
    bool blank = isspace((unsigned char)c) || iscntrl((unsigned char)c);
    bool doubled = blank && (out->size == 0 || out->text[out->size - 1] == ' ');
    if (out->size < EYES_STATEMENT_SIZE - 1 && !doubled) {
        out->text[out->size++] = blank ? ' ' : c;
    }
}

// A character that was cut in half, and a blank before it.
static void trim(struct out *out)
{
    for (int i = 0; i < 3 && out->size == EYES_STATEMENT_SIZE - 1 - (size_t)i; i++) {
        if (view_is_utf8(view_of(out->text, out->size))) {
            break;
        }
        out->size--;
    }
    while (out->size > 0 && out->text[out->size - 1] == ' ') {
        out->size--;
    }
    out->text[out->size] = '\0';
}

void eyes_text_statement(const char *sql, char text[static EYES_STATEMENT_SIZE])
{
    struct out out = {text, 0};
    char before = ' ';
    while (*sql != '\0' && out.size < EYES_STATEMENT_SIZE - 1) {
        const char *value = after_value(sql, before), *comment = after_comment(sql);
        if (*sql == '"') { // a name
            const char *end = after_quoted(sql, '"', false);
            while (sql < end) {
                put(&out, *sql++);
            }
            before = '"';
        } else {
            before = comment != NULL ? ' ' : value != NULL ? '?' : *sql;
            put(&out, before);
            sql = comment != NULL ? comment : value != NULL ? value : sql + 1;
        }
    }
    trim(&out);
}

// ---- plans -----------------------------------------------------------------------------------------------

static bool begins(struct view line, const char *word)
{
    return view_starts_with(line, view_of_cstr(word));
}

static struct view without_arrow(struct view line)
{
    line = view_trim(line);
    return begins(line, "->") ? view_trim(view_from(line, 2)) : line;
}

static bool reads_a_table(struct view line)
{
    static const char *const ways[] = {
        "Seq Scan on ",          "Parallel Seq Scan on ", "Index Scan ", "Index Only Scan ",
        "Bitmap Index Scan on ", "Tid Scan on ",          "SEARCH ",     "SCAN "};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (begins(line, ways[i])) {
            return true;
        }
    }
    return false;
}

static bool has_part(const char *parts, size_t size, struct view part)
{
    struct view rest = view_of(parts, size);
    while (rest.size > 0) {
        const uint8_t *end = memmem(rest.data, rest.size, ", ", 2);
        size_t part_size = end == NULL ? rest.size : (size_t)(end - rest.data);
        if (view_equal(view_first(rest, part_size), part)) {
            return true;
        }
        rest = view_from(rest, part_size + 2);
    }
    return false;
}

struct plan_out {
    char *text;
    size_t size;
    char part[300]; // the last way, not in the text yet
    bool walks;     // it is a sequential scan whose filter may follow
};

static void put_part(struct plan_out *out)
{
    size_t at = strlen(out->text);
    if (out->part[0] != '\0' && !has_part(out->text, at, view_of_cstr(out->part))) {
        (void)snprintf(out->text + at, out->size - at, "%s%s", at == 0 ? "" : ", ", out->part);
    }
    out->part[0] = '\0';
    out->walks = false;
}

void eyes_text_plan(struct view plan, char *text, size_t size)
{
    struct plan_out out = {.text = text, .size = size};
    text[0] = '\0';
    while (plan.size > 0) {
        struct view line = without_arrow(view_cut(&plan, '\n'));
        if (reads_a_table(line)) {
            put_part(&out);
            (void)snprintf(out.part, sizeof(out.part), "%.*s", (int)line.size, (const char *)line.data);
            out.walks = strstr(out.part, "Seq Scan") != NULL;
        } else if (out.walks && begins(line, "Filter: ")) {
            size_t at = strlen(out.part);
            (void)snprintf(out.part + at, sizeof(out.part) - at, " for %.*s", (int)line.size - 8,
                           (const char *)line.data + 8);
            out.walks = false;
        }
    }
    put_part(&out);
}
