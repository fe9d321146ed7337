// SPDX-License-Identifier: ISC
// Change-points in series: has this signal left what is usual for it, and when? Page's cumulative sum (E. S.
// Page, Continuous inspection schemes, Biometrika 41, 1954) over tenths of a second, on values normalised by
// median and median deviation, which a few outliers do not move. Used by stayd-watch. Owns a baseline for
// each signal that is followed.
#ifndef WATCH_CHANGES_H
#define WATCH_CHANGES_H

#include "watch/series.h"

enum { CHANGES_MAX = 24 };

struct change_row {
    enum signal signal;
    double factor; // a change is at least so many times what is usual
    double rise;   // and at least so much more
};
extern const struct change_row change_rows[];
extern const unsigned change_row_count;

struct change {
    double median, deviation; // what is usual; NAN: not known yet
    double sum;               // Page's S
    uint64_t since_ms;        // when S left 0
    uint64_t alarm_ms;        // when the alarm was raised; 0: none
};

struct changes {
    struct change change[CHANGES_MAX];
    uint64_t learned_ms;
};

// One more tenth of a second. `frozen`: something is wrong, what is usual is not learned from it.
void changes_look(struct changes *changes, const struct series *series, bool frozen);
// Of a row with that signal; NULL: it is not followed.
const struct change *changes_find(const struct changes *changes, enum signal signal);
// Raised, and not over yet.
[[nodiscard]] bool change_raised(const struct changes *changes, enum signal signal);

#endif
