// SPDX-License-Identifier: ISC
// The log: logfmt or JSON lines to standard error. Used by every process.
#include "base/log.h"

#include "base/clock.h"
#include "base/network.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <unistd.h>

static struct {
    const char *process;
    enum log_level level;
    enum log_format format;
} settings = {"stayd", LOG_INFO, LOG_LOGFMT};

#define TAIL_ROOM 8 // for the end of a cut value and of the line

void log_init(const char *process, enum log_level level, enum log_format format)
{
    settings.process = process;
    settings.level = level;
    settings.format = format;
}

static void put(struct log_line *line, char c)
{
    if (line->size < LOG_LINE_MAX - TAIL_ROOM) {
        line->text[line->size++] = c;
    }
}

static void put_text(struct log_line *line, const char *text)
{
    for (; *text != '\0'; text++) {
        put(line, *text);
    }
}

static void put_escaped(struct log_line *line, uint8_t c)
{
    char code[8];
    if (c == '"' || c == '\\') {
        put(line, '\\');
        put(line, (char)c);
    } else if (c < 0x20 || c == 0x7f) {
        snprintf(code, sizeof(code), "\\u%04x", c);
        put_text(line, code);
    } else {
        put(line, (char)c);
    }
}

static bool is_bare(struct view value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
            return false;
        }
    }
    return value.size > 0;
}

static void put_key(struct log_line *line, const char *key)
{
    if (settings.format == LOG_JSON) {
        put(line, line->size == 0 ? '{' : ',');
        put(line, '"');
        put_text(line, key);
        put_text(line, "\":");
        return;
    }
    if (line->size > 0) {
        put(line, ' ');
    }
    put_text(line, key);
    put(line, '=');
}

void log_view(struct log_line *line, const char *key, struct view value)
{
    if (line->dropped) {
        return;
    }
    put_key(line, key);
    bool quoted = settings.format == LOG_JSON || !is_bare(value);
    // What a client sent may be any bytes: JSON must stay valid UTF-8.
    bool readable = view_is_utf8(value);
    if (quoted) {
        put(line, '"');
    }
    for (size_t i = 0; i < value.size; i++) {
        if (line->size + 16 >= LOG_LINE_MAX) {
            put_text(line, "...");
            break;
        }
        put_escaped(line, readable || value.data[i] < 0x80 ? value.data[i] : '?');
    }
    if (quoted && line->size < LOG_LINE_MAX - 4) {
        line->text[line->size++] = '"';
    }
}

void log_text(struct log_line *line, const char *key, const char *value)
{
    log_view(line, key, view_of_cstr(value));
}

void log_u64(struct log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    if (line->dropped || line->size + 64 >= LOG_LINE_MAX) {
        return;
    }
    put_key(line, key);
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    put_text(line, digits);
}

void log_id(struct log_line *line, const char *key, uint64_t id)
{
    char digits[24];
    snprintf(digits, sizeof(digits), "%016llx", (unsigned long long)id);
    log_text(line, key, digits);
}

void log_address_text(struct id16 address, char out[static 46])
{
    bool v4 = network_is_v4(address);
    const void *raw = v4 ? address.byte + 12 : address.byte;
    if (inet_ntop(v4 ? AF_INET : AF_INET6, raw, out, 46) == NULL) {
        out[0] = '\0';
    }
}

void log_address(struct log_line *line, const char *key, struct id16 address)
{
    char text[46];
    log_address_text(address, text);
    log_text(line, key, text);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    char stamp[40];
    line->size = 0;
    line->dropped = level < settings.level;
    if (line->dropped) {
        return;
    }
    uint64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t size = strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(stamp + size, sizeof(stamp) - size, ".%03uZ", (unsigned)(now_ms % 1000));
    log_text(line, "time", stamp);
    log_text(line, "level", levels[level]);
    log_text(line, "process", settings.process);
    log_text(line, "event", event);
}

void log_end(struct log_line *line)
{
    if (line->dropped) {
        return;
    }
    if (settings.format == LOG_JSON) {
        line->text[line->size++] = '}';
    }
    line->text[line->size++] = '\n';
    // A log that can't be written must not stop the service.
    ssize_t written = write(STDERR_FILENO, line->text, line->size);
    (void)written;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    char message[1024];
    struct log_line line;
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    log_begin(&line, level, event);
    log_text(&line, "message", message);
    log_end(&line);
}
