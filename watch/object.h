// SPDX-License-Identifier: ISC
// Writes JSON: names, values, and the commas between. Used by stayd-watch. Owns nothing. Bounds: those of
// `out`. Whether a comma is due is seen in what was written last.
#ifndef WATCH_OBJECT_H
#define WATCH_OBJECT_H

#include "base/bytes.h"

// `name` NULL: an element of a list. Opens with '{' or '[' and closes with '}' or ']'.
void object_open(struct bytes *out, const char *name, char bracket);
void object_close(struct bytes *out, char bracket);
void object_text(struct bytes *out, const char *name, struct view text);
void object_cstr(struct bytes *out, const char *name, const char *text); // NULL: null
void object_u64(struct bytes *out, const char *name, uint64_t number);
// With so many decimals; what is no number (NAN) is null.
void object_number(struct bytes *out, const char *name, double number, int decimals);
void object_bool(struct bytes *out, const char *name, bool yes);
void object_null(struct bytes *out, const char *name);
// "2026-11-21T05:10:12.345Z"
void object_time(struct bytes *out, const char *name, uint64_t unix_ms);
// JSON as it is.
void object_raw(struct bytes *out, const char *name, struct view json);

#endif
