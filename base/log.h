// SPDX-License-Identifier: ISC
// The log: one line an event, logfmt or JSON, to standard error. Used by every process. Owns nothing.
// Bounds: a line is at most LOG_LINE_MAX bytes; a value that does not fit is cut and ends in "...".
// A line is written with one write(2), so lines of several processes do not mix. There is no function that
// takes a secret: passwords, tokens and keys have no type that can be passed here.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/bytes.h"

#define LOG_LINE_MAX 2048

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

// Once at start: the process's name in every line. Levels below `level` are dropped.
void log_init(const char *process, enum log_level level, enum log_format format);

struct log_line {
    char text[LOG_LINE_MAX];
    size_t size;
    bool dropped; // below the level
};

// Begins with time=… level=… process=… event=….
void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_view(struct log_line *line, const char *key, struct view value);
void log_text(struct log_line *line, const char *key, const char *value);
void log_u64(struct log_line *line, const char *key, uint64_t value);
void log_id(struct log_line *line, const char *key, uint64_t id); // 16 hexadecimal digits: request ids
void log_address(struct log_line *line, const char *key, struct id16 address);
void log_end(struct log_line *line);

// A plain event with a message for a person.
[[gnu::format(printf, 3, 4)]] void log_event(enum log_level level, const char *event, const char *format,
                                             ...);

// 203.0.113.7 or 2001:db8::1 into out (46 bytes with NUL).
void log_address_text(struct id16 address, char out[static 46]);

#endif
