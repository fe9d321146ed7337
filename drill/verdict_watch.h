// SPDX-License-Identifier: ISC
// What stayd says of itself while a drill runs: watch is asked again and again, and what it answered is kept
// with the time. It learns nothing of the drill from that. Used by stayctl drill. Owns: the last verdict.
#ifndef DRILL_VERDICT_WATCH_H
#define DRILL_VERDICT_WATCH_H

#include "base/bytes.h"

#include <jansson.h>

enum { VERDICT_CAUSES_MAX = 4, VERDICT_CAUSE_SIZE = 32 };

struct verdict_seen {
    uint64_t at_ms; // wall clock, when it was seen or when stayd says it was; 0: never
    char cause[VERDICT_CAUSES_MAX][VERDICT_CAUSE_SIZE];
    unsigned causes;
};

struct verdict_watch {
    const char *socket;
    uint64_t since_ms; // what stayd said of earlier things does not count
    uint64_t asked, answered;
    uint64_t detected_ms;        // wall clock; 0: not detected
    uint64_t well_ms;            // the last time it turned to healthy after an incident; 0: not yet
    struct verdict_seen first;   // with a cause
    struct verdict_seen right;   // the first that names all that are looked for
    const char *const *expected; // ended by NULL; alternatives divided by '|'
    json_t *last;                // the last verdict with a cause; NULL: none
    char state[16];
    char incident[64];
};

void verdict_watch_init(struct verdict_watch *watch, const char *socket);
void verdict_watch_release(struct verdict_watch *watch);
// From now on: what begins to be wrong is looked for.
void verdict_watch_begin(struct verdict_watch *watch, uint64_t wall_ms, const char *const *expected);
// Asks once; at most 100 ms.
void verdict_watch_ask(struct verdict_watch *watch);
// Takes one answer; for tests, and for verdict_watch_ask.
void verdict_watch_take(struct verdict_watch *watch, const char *text, uint64_t wall_ms);

#endif
