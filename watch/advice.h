// SPDX-License-Identifier: ISC
// Of each cause: what more is known of it, and what to do now. Used by stayd-watch. Owns nothing.
#ifndef WATCH_ADVICE_H
#define WATCH_ADVICE_H

#include "watch/scene.h"
#include "watch/verdict.h"

// Adds the details: statement, plans, the missing index, the holder of a lock, the process …
void advice_details(const struct scene *scene, struct verdict_cause *said);
// Adds what to do, the most telling first, with a command to copy where there is one.
void advice_to_do(const struct scene *scene, const struct verdict_cause *said, struct verdict *verdict);
// What keeps it going; "" when nothing does but the cause itself.
const char *advice_sustaining(enum cause cause);

#endif
