// SPDX-License-Identifier: ISC
// JSON, written. Runs in stayd-watch. RFC 8259.
#include "watch/object.h"

#include "http/write.h"

#include <math.h>
#include <time.h>

static void begin(struct bytes *out, const char *name)
{
    uint8_t last = out->size == 0 ? '{' : out->data[out->size - 1];
    if (last != '{' && last != '[') {
        bytes_append_byte(out, ',');
    }
    if (name != NULL) {
        http_write_json_string(out, view_of_cstr(name));
        bytes_append_byte(out, ':');
    }
}

void object_open(struct bytes *out, const char *name, char bracket)
{
    begin(out, name);
    bytes_append_byte(out, (uint8_t)bracket);
}

void object_close(struct bytes *out, char bracket)
{
    bytes_append_byte(out, (uint8_t)bracket);
}

void object_text(struct bytes *out, const char *name, struct view text)
{
    begin(out, name);
    http_write_json_string(out, text);
}

void object_cstr(struct bytes *out, const char *name, const char *text)
{
    if (text == NULL) {
        object_null(out, name);
    } else {
        object_text(out, name, view_of_cstr(text));
    }
}

void object_u64(struct bytes *out, const char *name, uint64_t number)
{
    begin(out, name);
    bytes_append_u64(out, number);
}

void object_number(struct bytes *out, const char *name, double number, int decimals)
{
    begin(out, name);
    if (isfinite(number)) {
        bytes_append_format(out, "%.*f", decimals, number);
    } else {
        bytes_append_view(out, VIEW("null"));
    }
}

void object_bool(struct bytes *out, const char *name, bool yes)
{
    begin(out, name);
    bytes_append_view(out, yes ? VIEW("true") : VIEW("false"));
}

void object_null(struct bytes *out, const char *name)
{
    begin(out, name);
    bytes_append_view(out, VIEW("null"));
}

void object_time(struct bytes *out, const char *name, uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    char text[32];
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        object_null(out, name);
        return;
    }
    begin(out, name);
    bytes_append_format(out, "\"%s.%03uZ\"", text, (unsigned)(unix_ms % 1000));
}

void object_raw(struct bytes *out, const char *name, struct view json)
{
    begin(out, name);
    bytes_append_view(out, json);
}
