// SPDX-License-Identifier: ISC
// The ops listener's first page: is everything up, how much is there, how fast is it. Used by stayd-watch.
// Owns nothing. Bounds: those of `out`.
#ifndef WATCH_STATE_PAGE_H
#define WATCH_STATE_PAGE_H

#include "watch/watched.h"

void state_page_write(struct bytes *out, const struct watched *watched, const struct watched_now *now);

#endif
