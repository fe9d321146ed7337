// SPDX-License-Identifier: ISC
// Is something wrong, and since when? Symptoms of three kinds: an objective that is being missed (several
// windows), a change-point in a series, a broken invariant. Used by stayd-watch. Owns the state of the
// detectors. Pure: series, facts and time come in. docs/diagnosis.md says what opens and closes.
#ifndef WATCH_DETECT_H
#define WATCH_DETECT_H

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

struct detect; // large

[[nodiscard]] struct detect *detect_new(void);
void detect_free(struct detect **detect);
// After each series_take.
void detect_look(struct detect *detect, const struct series *series, const struct facts *facts);

// What it sees. Times are monotonic ms.
struct detected {
    bool open;                // something is wrong
    bool harmful;             // and those who ask are harmed
    uint64_t episode;         // how often something went wrong, this time included
    enum symptom first;       // what opened it
    uint64_t onset_ms;        // when it began, as the series show
    uint64_t detected_ms;     // when it was noticed
    uint64_t last_symptom_ms; // when a symptom was last seen
    uint64_t ended_ms;        // of the last episode; 0 while open
    bool now[SYMPTOM_COUNT];  // seen at the last look
};
const struct detected *detect_seen(const struct detect *detect);

#endif
