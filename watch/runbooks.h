// SPDX-License-Identifier: ISC
// The runbooks, as pages of the ops listener: what an alert links to. Used by stayd-watch. Owns nothing.
#ifndef WATCH_RUNBOOKS_H
#define WATCH_RUNBOOKS_H

#include "base/bytes.h"

// All of them, by title.
void runbooks_list(struct bytes *out);
// One, by its name without ".md"; false when there is none.
[[nodiscard]] bool runbooks_read(struct view name, struct bytes *out);

#endif
