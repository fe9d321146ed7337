// SPDX-License-Identifier: ISC
// /top.json as one screen of text, from 80 columns and 24 lines on. Used by stayctl top. Owns nothing.
// Bounds: those of `out`; a screen has at most `rows` lines of at most `columns` columns. Text that comes
// from stayd can't steer the terminal.
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

#include "base/bytes.h"

#include <jansson.h>

enum { TOP_VIEW_COLUMNS_MIN = 60, TOP_VIEW_COLUMNS_MAX = 240 };

struct top_view {
    unsigned columns;
    unsigned rows; // 0: as many as it takes
    bool colour;
    bool utf8;        // else ASCII only
    bool live;        // lines are cleared to their end, for a screen that is drawn over
    const char *note; // in place of the last line; NULL: none
};

void top_view_draw(const struct top_view *view, const json_t *top, struct bytes *out);

#endif
