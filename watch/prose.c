// SPDX-License-Identifier: ISC
// Text for people. Runs in stayd-watch, on text that partly comes from a database.
#include "watch/prose.h"

#include <math.h>

static bool is_plain(uint8_t c)
{
    return c >= ' ' && c != 0x7f;
}

void prose_clean(struct bytes *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        bytes_append_byte(out, is_plain((uint8_t)*text) ? (uint8_t)*text : ' ');
    }
}

static size_t columns_of(struct view text)
{
    size_t columns = 0;
    for (size_t i = 0; i < text.size; i++) {
        columns += (text.data[i] & 0xc0) != 0x80;
    }
    return columns;
}

size_t prose_columns(const char *text)
{
    return columns_of(view_of_cstr(text));
}

static struct view next_word(struct view *rest)
{
    size_t begin = 0;
    if (rest->size == 0) {
        return VIEW("");
    }
    while (begin < rest->size && (rest->data[begin] == ' ' || !is_plain(rest->data[begin]))) {
        begin++;
    }
    size_t end = begin;
    while (end < rest->size && rest->data[end] != ' ' && is_plain(rest->data[end])) {
        end++;
    }
    struct view word = view_of(rest->data + begin, end - begin);
    *rest = view_from(*rest, end);
    return word;
}

void prose_wrap(struct bytes *out, const char *first, unsigned indent, const char *text)
{
    struct view rest = view_of_cstr(text);
    size_t column = prose_columns(first);
    bool line_begins = true;
    prose_clean(out, first);
    for (struct view word = next_word(&rest); word.size > 0; word = next_word(&rest)) {
        size_t columns = columns_of(word);
        if (!line_begins && column + 1 + columns > PROSE_WIDTH) {
            bytes_append_format(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!line_begins) {
            bytes_append_byte(out, ' ');
            column++;
        }
        bytes_append_view(out, word);
        column += columns;
        line_begins = false;
    }
    bytes_append_byte(out, '\n');
}

void prose_number(double number, char out[static PROSE_FIGURE_SIZE])
{
    double size = fabs(number);
    if (!isfinite(number)) {
        snprintf(out, PROSE_FIGURE_SIZE, "–");
    } else if (size >= 99.95 || (size < 1e15 && number == (double)(long long)number)) {
        snprintf(out, PROSE_FIGURE_SIZE, "%.0f", number);
    } else {
        snprintf(out, PROSE_FIGURE_SIZE, size >= 9.995 ? "%.1f" : size >= 0.1 ? "%.2f" : "%.3f", number);
    }
}

void prose_ms(double ms, char out[static PROSE_FIGURE_SIZE])
{
    char figure[PROSE_FIGURE_SIZE];
    bool seconds = ms >= 1000;
    prose_number(seconds ? ms / 1000 : ms, figure);
    snprintf(out, PROSE_FIGURE_SIZE, isfinite(ms) ? "%.24s %s" : "%.24s", figure, seconds ? "s" : "ms");
}

void prose_figure(double number, const char *unit, char out[static PROSE_FIGURE_SIZE])
{
    char figure[PROSE_FIGURE_SIZE];
    bool none = unit == NULL || unit[0] == '\0';
    if (!none && strcmp(unit, "ms") == 0) {
        prose_ms(number, out);
        return;
    }
    bool share = !none && strcmp(unit, "share") == 0;
    prose_number(share ? number * 100 : number, figure);
    if (none || !isfinite(number)) {
        snprintf(out, PROSE_FIGURE_SIZE, "%s", figure);
    } else {
        snprintf(out, PROSE_FIGURE_SIZE, unit[0] == '/' ? "%.20s%.10s" : "%.20s %.10s", figure,
                 share ? "%" : unit);
    }
}

void prose_span(uint64_t ms, char out[static PROSE_FIGURE_SIZE])
{
    unsigned long long seconds = ms / 1000;
    if (ms < 1000) {
        snprintf(out, PROSE_FIGURE_SIZE, "%u ms", (unsigned)ms);
    } else if (seconds < 60) {
        snprintf(out, PROSE_FIGURE_SIZE, "%.1f s", (double)ms / 1000);
    } else if (seconds < 3600) {
        snprintf(out, PROSE_FIGURE_SIZE, "%llu min %llu s", seconds / 60, seconds % 60);
    } else {
        snprintf(out, PROSE_FIGURE_SIZE, "%llu h %llu min", seconds / 3600, seconds / 60 % 60);
    }
}
