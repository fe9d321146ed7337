// SPDX-License-Identifier: ISC
// The closed table of causes as values, and how one is judged. Used by stayd-watch. Owns constants.
#ifndef WATCH_CAUSES_H
#define WATCH_CAUSES_H

#include "watch/scene.h"
#include "watch/verdict.h"

enum cause_test { TEST_AT_LEAST, TEST_AT_MOST, TEST_BELOW, TEST_TIMES, TEST_TIMES_AT_MOST, TEST_RISE };

struct cause_need {
    const char *text; // NULL: no more
    enum figure_id figure;
    enum cause_test test;
    double bound;
};

// Does `cause` bring `other` about by itself?
struct cause_link {
    const struct scene *scene;
    enum cause cause, other;
    double weight, other_weight;       // of each, as the diagnosis has it
    uint64_t first_ms, other_first_ms; // when each held first
    const double *rise; // [FIGURE_COUNT]: on average, while the cause that goes by the figure held
};
typedef bool cause_condition(const struct cause_link *link);

struct cause_row {
    const char *id, *title;
    enum figure_id weight;                    // FIGURE_COUNT: the cause is seen, not inferred
    cause_condition *explains[CAUSE_unknown]; // NULL: never
    struct cause_need need[VERDICT_PREDICATES_MAX + 1];
};

extern const struct cause_row cause_rows[CAUSE_unknown];

[[nodiscard]] bool need_holds(const struct cause_need *need, const struct scene *scene);
// The first need that does not hold; NULL: all do.
const struct cause_need *cause_fails(enum cause cause, const struct scene *scene);
// What it weighs: the logarithm of a factor, at least 0.
double cause_weight(enum cause cause, const struct scene *scene);
[[nodiscard]] bool cause_explains(const struct cause_link *link);

#endif
