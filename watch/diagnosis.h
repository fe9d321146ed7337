// SPDX-License-Identifier: ISC
// Why: walks the closed table of causes (watch/causes.def) over what changed since the onset, and says which
// hold, which share of the harm each explains, and which are ruled out by which figure. Used by stayd-watch.
// Owns one verdict. Pure: series, facts and what was detected come in.
//
// The caller's loop, ten times a second:
//     series_take(series, &watched, now);
//     detect_look(detect, series, facts);
//     verdict = diagnosis_look(diagnosis, series, facts, detect_seen(detect));
#ifndef WATCH_DIAGNOSIS_H
#define WATCH_DIAGNOSIS_H

#include "watch/detect.h"
#include "watch/verdict.h"

struct diagnosis; // large

[[nodiscard]] struct diagnosis *diagnosis_new(void);
void diagnosis_free(struct diagnosis **diagnosis);
// The verdict stays the diagnosis' and is the same object every time.
const struct verdict *diagnosis_look(struct diagnosis *diagnosis, const struct series *series,
                                     const struct facts *facts, const struct detected *detected);

#endif
