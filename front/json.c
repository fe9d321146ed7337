// SPDX-License-Identifier: ISC
// Strict JSON (RFC 8259) by jansson: UTF-8, no duplicate, no unknown field, no nesting, no NUL.
// Runs in stayd-front, on bytes from anyone.
#include "front/json.h"

#include <jansson.h>
#include <malloc.h>

static void wiping_free(void *memory)
{
    if (memory != NULL) {
        wipe(memory, malloc_usable_size(memory));
        free(memory);
    }
}

void json_begin(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

[[gnu::format(printf, 2, 3)]] static bool refuse(struct json_document *document, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(document->problem, sizeof(document->problem), format, args);
    va_end(args);
    json_release(document);
    return false;
}

// jansson would go 2048 levels deep; nothing of ours goes below the first.
static bool is_nested(struct view body)
{
    bool quoted = false;
    unsigned depth = 0;
    for (size_t i = 0; i < body.size; i++) {
        uint8_t byte = body.data[i];
        if (quoted) {
            i += byte == '\\';
            quoted = byte != '"';
        } else if (byte == '"') {
            quoted = true;
        } else if ((byte == '{' || byte == '[') && ++depth > 1) {
            return true;
        }
    }
    return false;
}

static const struct json_field *field_of(const struct json_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return &fields[i];
        }
    }
    return NULL;
}

static bool take_field(struct json_document *document, const struct json_field *field, json_t *value)
{
    if (field->flag != NULL) {
        *field->flag = json_is_true(value);
        return json_is_boolean(value) || refuse(document, "\"%s\" must be true or false.", field->name);
    }
    if (!json_is_string(value)) {
        return refuse(document, "\"%s\" must be a string.", field->name);
    }
    *field->text = view_of(json_string_value(value), json_string_length(value));
    return field->text->size <= field->size_max ||
           refuse(document, "\"%s\" is longer than %zu bytes.", field->name, field->size_max);
}

// A field's name that a client made up, fit to be said back.
static void plain_name(const char *name, char out[static 41])
{
    size_t at = 0;
    for (; name[at] != '\0' && at < 40; at++) {
        out[at] = name[at] >= 0x20 && name[at] < 0x7f && name[at] != '"' ? name[at] : '?';
    }
    out[at] = '\0';
}

bool json_read(struct json_document *document, struct view body, const struct json_field *fields,
               size_t count)
{
    json_error_t error;
    const char *name;
    json_t *value;
    *document = (struct json_document){.root = NULL};
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text != NULL) {
            *fields[i].text = (struct view){NULL, 0};
        } else {
            *fields[i].flag = false;
        }
    }
    if (body.size == 0 || body.size > JSON_SIZE_MAX || is_nested(body)) {
        return refuse(document, body.size == 0 ? "The body is empty." : "The body is too long, or nested.");
    }
    json_t *root = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, &error);
    document->root = root;
    if (root == NULL || !json_is_object(root) || json_object_size(root) > JSON_FIELDS_MAX) {
        return refuse(document,
                      root == NULL ? "The body is not JSON (line %d, column %d)."
                                   : "The body must be an object with few fields.",
                      error.line, error.column);
    }
    json_object_foreach(root, name, value)
    {
        const struct json_field *field = field_of(fields, count, name);
        if (field == NULL) {
            char plain[41];
            plain_name(name, plain);
            return refuse(document, "\"%s\" is not a field of this request.", plain);
        }
        if (!take_field(document, field, value)) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (fields[i].required && json_object_get(root, fields[i].name) == NULL) {
            return refuse(document, "\"%s\" is missing.", fields[i].name);
        }
    }
    return true;
}

void json_release(struct json_document *document)
{
    if (document->root != NULL) {
        json_decref(document->root);
        document->root = NULL;
    }
}
