// SPDX-License-Identifier: ISC
// Two runs of a load test, side by side: what got worse, and by how much. Used by stayctl storm compare.
// Pure. Owns nothing.
#ifndef DRILL_COMPARE_H
#define DRILL_COMPARE_H

#include "base/bytes.h"

#include <jansson.h>

enum { COMPARE_FIGURES_MAX = 64 };

struct compare_figure {
    char name[32]; // "login p99_ms"
    double before, after;
    bool more_is_better;
    bool worse; // by more than is allowed
};

struct compare {
    struct compare_figure figure[COMPARE_FIGURES_MAX];
    unsigned figures, worse;
};

// Of two objects of `stayctl storm --json`: classes that both have. A figure is worse when it is so by more
// than `share` and, since small numbers tremble, by more than a floor: 1 ms, 0.1 % of the requests. False:
// one is no report of storm's, or they have no class in common.
[[nodiscard]] bool compare_reports(const json_t *before, const json_t *after, double share,
                                   struct compare *out);

#endif
