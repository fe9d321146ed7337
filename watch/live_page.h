// SPDX-License-Identifier: ISC
// The ops listener's first page: what goes on now, with two minutes of history. Whole without a script (it
// loads itself again); watch/ops.js keeps it fresh where there is one. Used by stayd-watch. Owns nothing.
// Bounds: those of `out`.
#ifndef WATCH_LIVE_PAGE_H
#define WATCH_LIVE_PAGE_H

#include "watch/top.h"
#include "watch/verdict.h"

// `verdict`: NULL while nothing has been judged; `incident`: the id of that which goes on, or NULL.
void live_page_write(struct bytes *out, const struct top *top, const struct watched *watched,
                     const struct saturation *saturation, const struct verdict *verdict, const char *incident,
                     const struct watched_now *now);

#endif
