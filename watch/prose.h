// SPDX-License-Identifier: ISC
// Text for people: wrapped to the width of a terminal, times and figures in units that fit, nothing that a
// terminal would obey. Used by stayd-watch. Owns nothing. Bounds: those of `out`.
#ifndef WATCH_PROSE_H
#define WATCH_PROSE_H

#include "base/bytes.h"

enum { PROSE_WIDTH = 80, PROSE_FIGURE_SIZE = 32 };

// Appends `text` without control characters.
void prose_clean(struct bytes *out, const char *text);
// Columns of it, each character taken for one.
size_t prose_columns(const char *text);
// Appends `first`, then `text` wrapped: each further line begins with `indent` spaces. Ends the line. NULL
// texts are empty.
void prose_wrap(struct bytes *out, const char *first, unsigned indent, const char *text);
// "0.85 ms", "120 ms", "3.4 s"; "–" for what is not known.
void prose_ms(double ms, char out[static PROSE_FIGURE_SIZE]);
// "850", "12.3", "0.04"; "–".
void prose_number(double number, char out[static PROSE_FIGURE_SIZE]);
// "12.3 ms", "62 %" (unit "share" is 0 to 1), "850 /s".
void prose_figure(double number, const char *unit, char out[static PROSE_FIGURE_SIZE]);
// "850 ms", "4.2 s", "3 min 5 s", "2 h 10 min".
void prose_span(uint64_t ms, char out[static PROSE_FIGURE_SIZE]);

#endif
