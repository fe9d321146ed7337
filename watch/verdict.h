// SPDX-License-Identifier: ISC
// What stayd says when it is asked why: plain values with bounds, to be written as JSON, as text, into an
// incident's file. Used by stayd-watch. Owns nothing. Never in a verdict: names, addresses or secrets of
// users.
#ifndef WATCH_VERDICT_H
#define WATCH_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VERDICT_CAUSES_MAX = 3,
    VERDICT_PREDICATES_MAX = 8,
    VERDICT_DETAILS_MAX = 8,
    VERDICT_EVIDENCE_MAX = 16,
    VERDICT_STAGES_MAX = 16,
    VERDICT_DONE_MAX = 12,
    VERDICT_TO_DO_MAX = 6,
    VERDICT_RULED_OUT_MAX = 24,
    VERDICT_LINE_SIZE = 320,
    VERDICT_TEXT_SIZE = 4097,
};

enum verdict_state {
    VERDICT_HEALTHY,
    VERDICT_DEGRADED, // something is wrong, and those who ask hardly notice
    VERDICT_INCIDENT,
};

// The closed table of causes, in the order of watch/causes.def; the last is "unknown".
enum cause {
#define CAUSE(id, ...) CAUSE_##id,
#include "watch/causes.def"
#undef CAUSE
    CAUSE_unknown,
    CAUSE_COUNT
};
// "slow_statement", and in words: "a slow statement".
const char *cause_id(enum cause cause);
const char *cause_title(enum cause cause);

struct verdict_predicate {
    char text[VERDICT_LINE_SIZE];
    double value, bound; // NAN where there is none
    const char *unit;
};

struct verdict_detail { // "statement", "create", "plan_now", "plan_before", "relation", "holder", "process" …
    const char *key;
    char text[VERDICT_TEXT_SIZE];
};

struct verdict_cause {
    enum cause cause;
    double share; // of what has become worse, 0 to 1
    char sentence[VERDICT_LINE_SIZE];
    struct verdict_predicate predicate[VERDICT_PREDICATES_MAX];
    unsigned predicates;
    struct verdict_detail detail[VERDICT_DETAILS_MAX];
    unsigned details;
};

struct verdict_stage {
    const char *stage;
    double before_ms, now_ms, added_share;
};

struct verdict_to_do {
    char text[VERDICT_LINE_SIZE];
    char command[VERDICT_TEXT_SIZE]; // empty: none
};

struct verdict_ruled_out {
    enum cause cause;
    char because[VERDICT_LINE_SIZE];
};

struct verdict_load { // Little's law: at work at once = arrivals × time of each; NAN: not known
    double arrivals_before, arrivals_now;
    double service_before_ms, service_now_ms;
    char says[VERDICT_LINE_SIZE];
};

struct verdict_affected { // percent of those who asked since the onset
    double check, login, change;
};

struct verdict {
    uint64_t number; // changes whenever something worth saying changed; 0: nothing was ever wrong
    uint64_t at_unix_ms;
    enum verdict_state state;
    bool open;        // something is wrong now
    uint64_t episode; // counts the times something went wrong: an incident each
    char sentence[VERDICT_LINE_SIZE];
    char symptom[VERDICT_LINE_SIZE];                                            // what was noticed first
    uint64_t onset_unix_ms, detected_unix_ms, diagnosed_unix_ms, ended_unix_ms; // 0: not yet
    struct verdict_cause cause[VERDICT_CAUSES_MAX];
    unsigned causes;
    char evidence[VERDICT_EVIDENCE_MAX][VERDICT_LINE_SIZE];
    unsigned evidences;
    struct verdict_stage stage[VERDICT_STAGES_MAX];
    unsigned stages;
    struct verdict_load load;
    char sustaining[VERDICT_LINE_SIZE];
    char done[VERDICT_DONE_MAX][VERDICT_LINE_SIZE];
    unsigned dones;
    struct verdict_to_do to_do[VERDICT_TO_DO_MAX];
    unsigned to_dos;
    struct verdict_ruled_out ruled_out[VERDICT_RULED_OUT_MAX];
    unsigned ruled_outs;
    struct verdict_affected affected;
};

#endif
