// SPDX-License-Identifier: ISC
// What a fault did to people, counted from storm's raw log alone. An arrival is one person who wants one
// thing; it may take several attempts. Used by stayctl drill. Pure but for the memory. Owns: one row an
// arrival. Bounds: SCORE_ARRIVALS_MAX arrivals.
//
// Affected: an attempt failed, was late (over 1 s) or wrong, or nobody got through to the end. Delayed:
// refused in time with an honest Retry-After, and done by a later attempt. Waiting: refused so, and the time
// that was named lies behind the end of the run.
#ifndef DRILL_SCORE_H
#define DRILL_SCORE_H

#include "drill/tally.h"

#include <stdio.h>

enum { SCORE_ARRIVALS_MAX = 8000000 };

struct score_arrival {
    uint32_t due_ms, again_ms; // of the first attempt; when the last answer asked it to come again
    uint32_t done_ms;          // when it was done; 0: never
    uint8_t class, bad, refused, wrong, failed;
};

struct score_answer { // refusals and what was done, in the order of the log
    uint32_t at_ms, took_us;
    uint8_t class, outcome;
};

struct score {
    struct score_arrival *arrival;
    uint32_t arrivals, arrivals_room;
    struct score_answer *answer;
    size_t answers, answers_room;
    uint64_t begin_mono_ns;
    uint32_t end_ms; // the last thing that happened
};

// What happened to those who came in a stretch of time.
struct score_class {
    uint64_t offered, well, delayed, waiting, affected, failed, wrong;
};
// What was answered in a stretch of time.
struct score_answers {
    uint64_t ok, late, refused, failed;
    double refused_p99_ms, ok_p99_ms;
};

void score_init(struct score *score);
void score_release(struct score *score);
// Reads on in a log that may still grow; whole lines only. False: memory, or a line that is none of storm's.
[[nodiscard]] bool score_read(struct score *score, FILE *log);
[[nodiscard]] bool score_line(struct score *score, struct view line);
void score_people(const struct score *score, enum storm_class class, double from_s, double to_s,
                  struct score_class *out);
void score_answers(const struct score *score, enum storm_class class, double from_s, double to_s,
                   struct score_answers *out);
// How long after `from_s` all was well again: from then on, for a second, of the attempts begun after it at
// most 2 % failed, were late or wrong, and, where any were answered, some were done. `limit_s`: never within
// that time.
double score_well_after(const struct score *score, enum storm_class class, double from_s, double limit_s);
static inline double score_percent(const struct score_class *one)
{
    return one->offered == 0 ? 0 : 100.0 * (double)one->affected / (double)one->offered;
}

#endif
