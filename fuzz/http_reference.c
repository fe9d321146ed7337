// SPDX-License-Identifier: ISC
// Drives Debian's libhttp-parser over one message. Fuzz targets only.
//
// Its callbacks may give one text in pieces. The pieces of one text follow each other without another text
// between them, so each is appended to `memory`, right behind the piece before.
#include "fuzz/http_reference.h"

#include <assert.h>
#include <http_parser.h>

static void append(struct reference *reference, struct view *text, const char *at, size_t size)
{
    if (text->data == NULL) {
        text->data = reference->memory + reference->memory_size;
    }
    assert(text->data + text->size == reference->memory + reference->memory_size);
    assert(reference->memory_size + size <= sizeof(reference->memory));
    if (size > 0) {
        memcpy(reference->memory + reference->memory_size, at, size);
    }
    reference->memory_size += size;
    text->size += size;
}

static int on_url(http_parser *parser, const char *at, size_t size)
{
    struct reference *reference = parser->data;
    append(reference, &reference->target, at, size);
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t size)
{
    struct reference *reference = parser->data;
    if (reference->head_done) { // a trailer
        return 0;
    }
    if (reference->header_count == 0 || reference->in_value) {
        assert(reference->header_count < REFERENCE_HEADERS_MAX);
        reference->headers[reference->header_count++] = (struct reference_header){0};
        reference->in_value = false;
    }
    append(reference, &reference->headers[reference->header_count - 1].name, at, size);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t size)
{
    struct reference *reference = parser->data;
    if (reference->head_done) {
        return 0;
    }
    assert(reference->header_count > 0);
    reference->in_value = true;
    append(reference, &reference->headers[reference->header_count - 1].value, at, size);
    return 0;
}

static int on_head(http_parser *parser)
{
    struct reference *reference = parser->data;
    reference->head_done = true;
    reference->keep_alive = http_should_keep_alive(parser) != 0;
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t size)
{
    struct reference *reference = parser->data;
    append(reference, &reference->body, at, size);
    return 0;
}

static int on_message(http_parser *parser)
{
    struct reference *reference = parser->data;
    reference->verdict = REFERENCE_DONE;
    http_parser_pause(parser, 1);
    return 0;
}

void reference_parse(struct reference *reference, struct view input)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
        .on_body = on_body,
        .on_message_complete = on_message,
    };
    http_parser parser;
    assert(input.size <= REFERENCE_INPUT_MAX);
    memset(reference, 0, offsetof(struct reference, headers));
    reference->in_value = reference->head_done = false;
    reference->memory_size = 0;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = reference;
    reference->consumed = http_parser_execute(&parser, &settings, (const char *)input.data, input.size);
    enum http_errno error = HTTP_PARSER_ERRNO(&parser);
    reference->error = http_errno_name(error);
    reference->method = http_method_str((enum http_method)parser.method);
    reference->major = parser.http_major;
    reference->minor = parser.http_minor;
    if (reference->verdict != REFERENCE_DONE && error != HPE_OK) {
        reference->verdict = REFERENCE_REFUSED;
    }
}
