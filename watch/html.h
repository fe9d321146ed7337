// SPDX-License-Identifier: ISC
// A little HTML for the ops listener's pages: plain and server-rendered. Used by stayd-watch. Owns nothing.
#ifndef WATCH_HTML_H
#define WATCH_HTML_H

#include "base/bytes.h"

// Up to and with the heading; `refresh_s` 0: the page stays as it is. Else /ops.js keeps it fresh, or,
// without scripts, it loads itself again.
void html_begin(struct bytes *out, const char *title, unsigned refresh_s);
void html_end(struct bytes *out);
// Escaped for text and for attributes in double quotes.
void html_text(struct bytes *out, struct view text);
void html_cstr(struct bytes *out, const char *text);
// "3 d 4 h", "12 min", "8 s".
void html_duration(struct bytes *out, double seconds);
// 12 345 678
void html_number(struct bytes *out, uint64_t number);
// 1.2 MiB
void html_size(struct bytes *out, uint64_t bytes);
// 850 µs, 1.2 ms, 3.4 s; "–" for 0.
void html_time_ns(struct bytes *out, uint64_t ns);

#endif
