// SPDX-License-Identifier: ISC
// Is something wrong, and since when? Symptoms of three kinds: an objective that is being missed (several
// windows), a change-point in a series, a broken invariant. Used by stayd-watch. Owns the state of the
// detectors. Pure: series, facts and time come in. docs/diagnosis.md says what opens and closes.
#ifndef WATCH_DETECT_H
#define WATCH_DETECT_H

#include "watch/changes.h"
#include "watch/facts.h"
#include "watch/series.h"

enum symptom {
#define SYMPTOM(id, text) SYMPTOM_##id,
#include "watch/symptoms.def"
#undef SYMPTOM
    SYMPTOM_COUNT
};
const char *symptom_id(enum symptom symptom);
const char *symptom_text(enum symptom symptom);

// What it sees. Times are monotonic ms.
struct detected {
    bool open;                                // something is wrong
    bool harmful;                             // and those who ask are harmed
    uint64_t episode;                         // how often something went wrong, this time included
    enum symptom first;                       // what opened it
    uint64_t onset_ms;                        // when it began, as the series show
    uint64_t detected_ms;                     // when it was noticed
    uint64_t last_symptom_ms;                 // when a symptom was last seen
    uint64_t ended_ms;                        // of the last episode; 0 while open
    bool now[SYMPTOM_COUNT];                  // seen at the last look
    double hold_before_ms[SERIES_OPERATIONS]; // of each operation, while all was well; NAN: not known
};

struct detect; // large

[[nodiscard]] struct detect *detect_new(void);
void detect_free(struct detect **detect);
// After each series_take.
void detect_look(struct detect *detect, const struct series *series, const struct facts *facts);
const struct detected *detect_seen(const struct detect *detect);

// The process that has grown without end, or that has not answered for a while; -1: none.
int detect_leaking(const struct series *series, enum series_resource *resource, struct series_growth *growth);
int detect_silent(const struct series *series, const struct facts *facts);

#endif
