// SPDX-License-Identifier: ISC
// Drills: real faults on a stage of their own, and what they did to people, measured. The table of all
// drills, one run of one of them, and its result. What was done is known to this process alone: stayd has to
// find out. Used by stayctl drill; one run at a time. Owns: the stage while it runs.
#ifndef DRILL_DRILL_H
#define DRILL_DRILL_H

#include "drill/inject.h"
#include "drill/score.h"
#include "drill/stage.h"
#include "drill/verdict_watch.h"

enum { DRILL_WHY_SIZE = 512, DRILL_INJECTIONS_MAX = 2, DRILL_EXPECTED_MAX = 3 };

// What the outage of old cost, by its postmortem.
struct drill_before {
    unsigned affected_percent; // 0: no such outage
    const char *noticed, *cause_known, *well, *misled;
};

// What has to hold beside the times; each is checked where its bit is set.
enum drill_bar {
    DRILL_CHECKS_UNHARMED = 1u << 0, // no check is affected
    DRILL_OTHERS_UNHARMED = 1u << 1, // nor anybody but the slow class
    DRILL_SLOW_IS_USED = 1u << 2, // of what the degraded database can do for it, so much is used (used_least)
    DRILL_REFUSED_SOON = 1u << 3, // refusals of the slow class within 100 ms (p99)
    DRILL_IN_FLIGHT_ONLY = 1u << 4,   // those affected are no more than can have been under way
    DRILL_OF_DEGRADED_PEAK = 1u << 5, // what can be done: what is, with the same fault and no spike
};

struct drill_row {
    const char *name, *title;
    const char *injection;                    // of inject.h
    const char *expected[DRILL_EXPECTED_MAX]; // causes to be named; alternatives divided by '|'
    enum storm_class slow;                    // the class that may suffer; STORM_CLASSES: none
    double login_share;                       // log-ins of the peak in quiet times; 0: a few a second
    double login_factor;                      // while the fault lasts
    unsigned detected_ms, diagnosed_ms, recovered_ms, used_least_percent;
    double lasts_s; // at least, whatever is asked for; 0: it shows at once
    unsigned bars;  // enum drill_bar
    bool calm;      // nothing is wrong: nothing may be detected
    bool sqlite;    // can do without PostgreSQL
    bool decoy;     // not one of the five
    struct drill_before before;
};
extern const struct drill_row drill_rows[];
extern const unsigned drill_rows_count;
const struct drill_row *drill_find(struct view name);

struct drill_options {
    struct stage_options stage;
    uint64_t seed;
    double load;     // factor of the load in quiet times
    double strength; // of the fault, where it has one; 1: as it comes
    double quiet_s, fault_s, after_s;
    const struct drill_row *second; // another fault at the same time, or NULL
    const char *keep;               // folder that gets what is worth keeping; NULL: below the cache
    void (*live)(const char *line); // one line, again and again; NULL: none
    bool blind;                     // the live line does not say what stayd says, nor that something is wrong
    // While the fault lasts: has the person named the cause? The fault ends when they have. NULL: nobody is
    // asked.
    bool (*answered)(void);
    void (*staged)(const struct stage *stage); // stayd runs: how to look at it. NULL: nobody is told
    volatile sig_atomic_t *stop;
};

// What the machine was like while something was measured.
struct drill_machine {
    double load_processors; // that the load and the drill used
    double yardstick_ms;    // processor time of the same work (drill/yardstick.h); 0: not measured
    double scan_ms;         // and of one reading of the table of accounts (drill/scans.h); 0: not measured
};

struct drill_measured {
    struct score_class people[STORM_CLASSES];    // who came while the fault lasted
    struct score_answers answers[STORM_CLASSES]; // what was answered then
    struct score_answers calm[STORM_CLASSES];    // before
    double percent[STORM_CLASSES];
    uint64_t wrong_identity;
    uint64_t injected_at_ms;                         // wall clock
    int64_t detected_ms, diagnosed_ms, recovered_ms; // -1: never
    int64_t answered_ms; // since the fault began, when the person named a cause; -1: never
    struct drill_machine alone, at_peak, at_degraded_peak, in_fault; // alone: only the statement ran
    double login_peak, degraded_peak, able, used_percent;            // 0: not measured
    unsigned times;                                                  // how often the fault was done
};

enum drill_end { DRILL_PASSED, DRILL_FAILED, DRILL_BROKEN, DRILL_UNAVAILABLE, DRILL_STOPPED };

struct drill_result {
    const struct drill_row *row, *second;
    uint64_t seed;
    bool right; // the cause is the true one, and comes first
    double rates[STORM_CLASSES], factor, strength;
    uint32_t accounts; // 0: SQLite
    struct drill_measured measured;
    char cause[VERDICT_CAUSES_MAX * VERDICT_CAUSE_SIZE]; // that stayd named; "": none
    json_t *verdict;                                     // stayd's; NULL: none
    char why[DRILL_WHY_SIZE];          // not passed: what missed its bar; broken: what went wrong
    char folder[PROGRAM_PATH_MAX];     // raw log, result, postmortem
    char postmortem[PROGRAM_PATH_MAX]; // file, "" when stayd wrote none
};

// Runs one. The result is to be released in any case.
enum drill_end drill_run(const struct drill_row *row, const struct drill_options *options,
                         struct drill_result *result);
void drill_result_release(struct drill_result *result);

#endif
