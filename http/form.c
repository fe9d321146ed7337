// SPDX-License-Identifier: ISC
// Reads query strings, forms and cookies. Runs in stayd-front and stayd-watch, on bytes from anyone.
//
// 1. What is written to scratch never passes what was read, so that both may be the same memory.
// 2. A pair is given out whole and clean, or the form is malformed from there on.
#include "http/form.h"

#include "http/octets.h"

void http_form_init(struct http_form *form, struct view encoded, uint8_t *scratch)
{
    *form = (struct http_form){.rest = encoded, .scratch = scratch};
}

// WHATWG URL, application/x-www-form-urlencoded parsing, but strict. Decodes to form->scratch and moves it
// on.
static bool decode(struct http_form *form, struct view text, struct view *out)
{
    uint8_t *to = form->scratch;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte <= 0x20 || byte >= 0x7f) {
            return false;
        }
        if (byte == '%') {
            if (text.size - i < 3 || !http_octet_is(text.data[i + 1], HTTP_OCTET_HEX) ||
                !http_octet_is(text.data[i + 2], HTTP_OCTET_HEX)) {
                return false;
            }
            byte = (uint8_t)(http_octet_hex(text.data[i + 1]) << 4 | http_octet_hex(text.data[i + 2]));
            i += 2;
            if (byte == '\0') {
                return false;
            }
        } else if (byte == '+') {
            byte = ' ';
        }
        *to++ = byte;
    }
    *out = view_of(form->scratch, (size_t)(to - form->scratch));
    form->scratch = to;
    return view_is_utf8(*out);
}

bool http_form_next(struct http_form *form, struct view *name, struct view *value)
{
    while (form->rest.size > 0 && !form->malformed) {
        struct view pair = view_cut(&form->rest, '&');
        if (pair.size == 0) {
            continue;
        }
        struct view encoded_name = view_cut(&pair, '=');
        form->malformed = ++form->pairs > HTTP_FORM_PAIRS_MAX || !decode(form, encoded_name, name) ||
                          !decode(form, pair, value);
        return !form->malformed;
    }
    return false;
}

static enum http_found one_more(enum http_found found)
{
    return found == HTTP_FOUND_NONE ? HTTP_FOUND_ONE : HTTP_FOUND_SEVERAL;
}

enum http_found http_form_find(struct view encoded, struct view name, uint8_t *scratch, struct view *value)
{
    struct http_form form;
    struct view this_name, this_value;
    enum http_found found = HTTP_FOUND_NONE;
    http_form_init(&form, encoded, scratch);
    while (http_form_next(&form, &this_name, &this_value)) {
        if (view_equal(this_name, name)) {
            *value = this_value;
            found = one_more(found);
        }
    }
    return form.malformed ? HTTP_FOUND_MALFORMED : found;
}

// RFC 6265 section 4.2.1; the value is taken as it stands, quotes and all.
enum http_found http_cookie_find(struct view header, struct view name, struct view *value)
{
    enum http_found found = HTTP_FOUND_NONE;
    while (header.size > 0) {
        struct view pair = view_trim(view_cut(&header, ';'));
        if (pair.size > name.size && pair.data[name.size] == '=' && view_starts_with(pair, name)) {
            *value = view_of(pair.data + name.size + 1, pair.size - name.size - 1);
            found = one_more(found);
        }
    }
    return found;
}

enum http_found http_request_cookie(const struct http_request *request, struct view name, struct view *value)
{
    if (!http_request_repeated(request, HTTP_HEADER_COOKIE)) {
        return http_cookie_find(http_request_known(request, HTTP_HEADER_COOKIE), name, value);
    }
    enum http_found found = HTTP_FOUND_NONE;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (view_equal_nocase(header->name, http_known_name(HTTP_HEADER_COOKIE))) {
            enum http_found here = http_cookie_find(header->value, name, value);
            found = here == HTTP_FOUND_NONE  ? found
                    : here == HTTP_FOUND_ONE ? one_more(found)
                                             : HTTP_FOUND_SEVERAL;
        }
    }
    return found;
}
