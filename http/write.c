// SPDX-License-Identifier: ISC
// Writes HTTP/1.1 responses. Runs in stayd-front and stayd-watch.
//
// 1. A header is written whole or not at all, and only when it can't be read as two (RFC 9110 section 5.5).
// 2. Every response has a length, so that a kept connection stays in step (RFC 9112 section 6.3).
#include "http/write.h"

#include <time.h>

#include "http/octets.h"

// A problem is one line about one thing.
#define PROBLEM_SIZE_MAX 4096

#define LINE(code, phrase)                                                                                   \
    {                                                                                                        \
        code, VIEW("HTTP/1.1 " #code " " phrase "\r\n")                                                      \
    }
static const struct {
    unsigned status;
    struct view line;
} lines[] = {
    LINE(200, "OK"),
    LINE(401, "Unauthorized"),
    LINE(403, "Forbidden"),
    LINE(302, "Found"),
    LINE(503, "Service Unavailable"),
    LINE(303, "See Other"),
    LINE(304, "Not Modified"),
    LINE(404, "Not Found"),
    LINE(429, "Too Many Requests"),
    LINE(201, "Created"),
    LINE(204, "No Content"),
    LINE(301, "Moved Permanently"),
    LINE(307, "Temporary Redirect"),
    LINE(308, "Permanent Redirect"),
    LINE(400, "Bad Request"),
    LINE(405, "Method Not Allowed"),
    LINE(406, "Not Acceptable"),
    LINE(408, "Request Timeout"),
    LINE(409, "Conflict"),
    LINE(410, "Gone"),
    LINE(411, "Length Required"),
    LINE(413, "Content Too Large"),
    LINE(414, "URI Too Long"),
    LINE(415, "Unsupported Media Type"),
    LINE(417, "Expectation Failed"),
    LINE(421, "Misdirected Request"),
    LINE(422, "Unprocessable Content"),
    LINE(431, "Request Header Fields Too Large"),
    LINE(500, "Internal Server Error"),
    LINE(501, "Not Implemented"),
    LINE(502, "Bad Gateway"),
    LINE(504, "Gateway Timeout"),
    LINE(505, "HTTP Version Not Supported"),
};

// IMF-fixdate, RFC 9110 section 5.6.7. Not strftime, whose names follow the locale.
void http_date_update(struct http_date *date, int64_t second)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (date->second == second && date->text[0] != '\0') {
        return;
    }
    time_t when = (time_t)second;
    struct tm tm;
    if (gmtime_r(&when, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
        when = 0;
        gmtime_r(&when, &tm);
    }
    char text[96];
    snprintf(text, sizeof(text), "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(date->text, text, HTTP_DATE_SIZE);
    date->text[HTTP_DATE_SIZE] = '\0';
    date->second = second;
}

void http_write_status(struct bytes *out, unsigned status)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].status == status) {
            bytes_append_view(out, lines[i].line);
            return;
        }
    }
    bytes_append_format(out, "HTTP/1.1 %03u \r\n", status);
}

static bool is_token(struct view name)
{
    return name.size > 0 && http_octet_token_end(name.data, name.size) == name.size;
}

void http_write_header(struct bytes *out, struct view name, struct view value)
{
    if (!is_token(name) || http_octet_text_end(value.data, 0, value.size) != value.size) {
        out->failed = true;
        return;
    }
    uint8_t *to = bytes_reserve(out, name.size + value.size + 4);
    if (to == NULL) {
        return;
    }
    to = (uint8_t *)mempcpy(to, name.data, name.size);
    *to++ = ':';
    *to++ = ' ';
    if (value.size > 0) {
        to = (uint8_t *)mempcpy(to, value.data, value.size);
    }
    *to++ = '\r';
    *to++ = '\n';
    out->size += name.size + value.size + 4;
}

void http_write_header_u64(struct bytes *out, struct view name, uint64_t value)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    http_write_header(out, name, view_of(digits, (size_t)size));
}

static void write_escape(struct bytes *out, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";
    const char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};
    bytes_append(out, escape, sizeof(escape));
}

// A space at an end would be trimmed by whoever reads the header.
static bool header_needs_escape(struct view value, size_t at)
{
    uint8_t byte = value.data[at];
    return byte < 0x20 || byte > 0x7e || byte == '%' || (byte == ' ' && (at == 0 || at + 1 == value.size));
}

void http_write_header_escaped(struct bytes *out, struct view name, struct view value)
{
    if (!is_token(name)) {
        out->failed = true;
        return;
    }
    bytes_append_view(out, name);
    bytes_append_view(out, VIEW(": "));
    for (size_t i = 0; i < value.size && !out->failed; i++) {
        if (header_needs_escape(value, i)) {
            write_escape(out, value.data[i]);
        } else {
            bytes_append_byte(out, value.data[i]);
        }
    }
    bytes_append_view(out, VIEW("\r\n"));
}

void http_write_date(struct bytes *out, const struct http_date *date)
{
    http_write_header(out, VIEW("Date"), view_of(date->text, HTTP_DATE_SIZE));
}

void http_write_end(struct bytes *out, uint64_t content_size, unsigned minor, bool keep_alive)
{
    bytes_append_view(out, VIEW("Content-Length: "));
    bytes_append_u64(out, content_size);
    if (!keep_alive) {
        bytes_append_view(out, VIEW("\r\nConnection: close\r\n\r\n"));
    } else if (minor == 0) {
        bytes_append_view(out, VIEW("\r\nConnection: keep-alive\r\n\r\n"));
    } else {
        bytes_append_view(out, VIEW("\r\n\r\n"));
    }
}

void http_write_continue(struct bytes *out)
{
    bytes_append_view(out, VIEW("HTTP/1.1 100 Continue\r\n\r\n"));
}

void http_write_query(struct bytes *out, struct view text)
{
    for (size_t i = 0; i < text.size && !out->failed; i++) {
        if (http_octet_is(text.data[i], HTTP_OCTET_PLAIN)) {
            bytes_append_byte(out, text.data[i]);
        } else {
            write_escape(out, text.data[i]);
        }
    }
}

void http_write_json_string(struct bytes *out, struct view text)
{
    out->failed |= !view_is_utf8(text);
    bytes_append_byte(out, '"');
    for (size_t i = 0; i < text.size && !out->failed; i++) {
        uint8_t byte = text.data[i];
        if (byte < 0x20 || byte == 0x7f) {
            bytes_append_format(out, "\\u%04x", byte);
            continue;
        }
        if (byte == '"' || byte == '\\') {
            bytes_append_byte(out, '\\');
        }
        bytes_append_byte(out, byte);
    }
    bytes_append_byte(out, '"');
}

void http_write_problem(struct bytes *out, const struct http_problem *problem)
{
    bytes_append_view(out, VIEW("{\"type\":"));
    http_write_json_string(out, problem->type);
    bytes_append_view(out, VIEW(",\"title\":"));
    http_write_json_string(out, problem->title);
    bytes_append_view(out, VIEW(",\"status\":"));
    bytes_append_u64(out, problem->status);
    if (problem->detail.size > 0) {
        bytes_append_view(out, VIEW(",\"detail\":"));
        http_write_json_string(out, problem->detail);
    }
    if (problem->retry_after_s > 0) {
        bytes_append_view(out, VIEW(",\"retry_after\":"));
        bytes_append_u64(out, problem->retry_after_s);
    }
    bytes_append_byte(out, '}');
}

void http_write_problem_response(struct bytes *out, const struct http_problem *problem,
                                 const struct http_date *date, unsigned minor, bool keep_alive,
                                 bool head_only)
{
    struct bytes body;
    bytes_init(&body, PROBLEM_SIZE_MAX);
    http_write_problem(&body, problem);
    http_write_status(out, problem->status);
    http_write_date(out, date);
    http_write_header(out, VIEW("Content-Type"), VIEW("application/problem+json"));
    http_write_header(out, VIEW("Cache-Control"), VIEW("no-store"));
    if (problem->retry_after_s > 0) {
        http_write_header_u64(out, VIEW("Retry-After"), problem->retry_after_s);
    }
    http_write_end(out, body.size, minor, keep_alive);
    if (!head_only) {
        bytes_append_view(out, bytes_view(&body));
    }
    out->failed |= body.failed;
    bytes_release(&body);
}
