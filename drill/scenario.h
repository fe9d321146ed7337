// SPDX-License-Identifier: ISC
// Plans that are files: a scenario somebody wrote, and a day that was recorded. Used by stayctl storm. Pure.
// Owns nothing. Bounds: those of a plan; files of SCENARIO_FILE_MAX bytes, lines of SCENARIO_LINE_MAX.
//
// A scenario: one phase a line, "#" begins a comment.
//
//   phase 30s  check=200 login=5 change=2
//   phase 10s  login=x10            ten times as in the phase before; the others stay as they were
//   phase 1m   check=200-1000       from one rate to another
//   phase 20s  login=5 register=0.5
//
// A recording: CSV with a head "time,check,login,…" (any order of classes; further columns are ignored), or
// JSON lines {"time": …, "check": …}. Rates are requests a second, and hold until the next line's time; times
// are seconds, of whatever beginning, and ascend. The last line only ends the one before it.
#ifndef DRILL_SCENARIO_H
#define DRILL_SCENARIO_H

#include "drill/plan.h"

enum { SCENARIO_FILE_MAX = 4 << 20, SCENARIO_LINE_MAX = 1000 };

// False: `plan->problem` is a sentence with the line's number.
[[nodiscard]] bool scenario_read(struct plan *plan, struct view text);
// `speed` 24 plays a day in an hour; `load` times as many requests.
[[nodiscard]] bool scenario_replay(struct plan *plan, struct view text, double speed, double load);

#endif
