// SPDX-License-Identifier: ISC
// Text for people: times, tables that fit a terminal. Used by stayctl. Owns: the cells of a table.
// Bounds: TABLE_COLUMNS_MAX columns; rows are printed TABLE_BATCH at a time, with the first batch's widths.
// Bytes that could steer a terminal are shown as '?'.
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/bytes.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 8, TABLE_BATCH = 500, TEXT_TIME_SIZE = 32 };

// "2026-11-20 23:04:10" in the local zone; "never" for 0.
void text_time_local(uint64_t unix_s, char out[static TEXT_TIME_SIZE]);
// "2026-11-20T22:04:10Z" (RFC 3339).
void text_time_iso(uint64_t unix_s, char out[static TEXT_TIME_SIZE]);
// A date, a date and time (local, or with Z), or a duration before `now_s` (30m, 12h, 7d, 2w). False when it
// is none.
[[nodiscard]] bool text_time_read(struct view text, uint64_t now_s, uint64_t *unix_s);
// "3 days", "2 hours", "40 seconds".
void text_duration(uint64_t seconds, char out[static TEXT_TIME_SIZE]);

// Once, before any text is printed: widths of characters.
void text_init(void);
// Writes text as at most `columns` terminal columns (cut with "…"), or all of it when columns is 0; returns
// the columns used.
unsigned text_print(FILE *out, struct view text, unsigned columns);

struct table {
    unsigned columns;
    const char *title[TABLE_COLUMNS_MAX];
    unsigned width[TABLE_COLUMNS_MAX]; // 0: not known yet
    unsigned fit;                      // columns of the terminal, 0: no limit
    bool titled;
    struct bytes cells; // u32 size and bytes, in order
    size_t count;       // cells
    FILE *out;
};

// `titles`: ended by NULL. The table fits `out` when that is a terminal.
void table_init(struct table *table, FILE *out, const char *const *titles);
void table_release(struct table *table);
// The next cell, left to right; a full batch is printed by itself.
void table_cell(struct table *table, struct view text);
// Prints what is left.
void table_end(struct table *table);

#endif
