// SPDX-License-Identifier: ISC
// An open-model load test: requests are sent when they are due, whether or not earlier ones were answered,
// and each one's time counts from when it was due. Run by stayctl storm. Owns: its connections, accounts and
// tallies. Bounds: STORM_REQUESTS_MAX requests under way or waiting; what comes beyond is counted as unsent.
//
// Before the load the accounts are made ready: registered where that is asked for, and logged in where checks
// or changes need sessions.
#ifndef DRILL_STORM_H
#define DRILL_STORM_H

#include "drill/links.h"
#include "drill/people.h"
#include "drill/tally.h"

#include <signal.h>
#include <stdio.h>

enum { STORM_REQUESTS_MAX = 1 << 19, STORM_TRIES_MAX = 20, STORM_PROBLEM_SIZE = 320 };

enum storm_retries {
    STORM_RETRY_NONE,
    STORM_RETRY_POLITE, // waits as Retry-After says, with jitter; after a failure 1, 2, 4 … s with full
                        // jitter
    STORM_RETRY_RUDE,   // asks again at once
};

struct storm_options {
    const struct target *target;
    const struct plan *plan;
    uint32_t connections, sources, first_source;
    enum storm_retries retries;
    unsigned tries; // beyond the first
    uint64_t timeout_ns;
    uint64_t deadline_ns[STORM_CLASSES];
    bool uniform;
    uint64_t seed;
    bool prepare;                // register the accounts first
    uint32_t signed_in;          // log in so many of them first, where they have no session yet
    FILE *log;                   // each attempt's line, or NULL; see storm_log.c
    FILE *progress;              // a line that is written again and again, or NULL
    volatile sig_atomic_t *stop; // set: end early, with what there is
};

// One arrival, or one step of the preparation.
struct storm_request {
    uint64_t due_ns; // of this attempt
    uint32_t next;   // in the ready list, or the next free one
    uint32_t person, source;
    uint32_t fresh;   // number of a new account, for register
    uint32_t arrival; // number of it, from 0 on
    uint8_t class, tries, phase;
    bool preparing;
};

struct storm_list {
    uint32_t first, last, count;
};

struct storm {
    const struct storm_options *options;
    struct people *people;
    struct tally tally;
    struct links links;
    struct storm_request *request;
    uint32_t free_first, under_way;
    struct storm_list ready; // due, without a connection yet
    uint32_t *later;         // a heap of requests by due time: those that try again
    uint32_t later_count;
    struct schedule schedule[STORM_CLASSES];
    uint64_t next_ns[STORM_CLASSES]; // from the beginning; UINT64_MAX: none any more
    uint64_t begin_ns, random, expire_ns;
    uint32_t arrivals; // so far
    uint32_t fresh, prepare_next, prepare_end, prepared, changers;
    uint64_t registered, signed_in_now;
    char cookie_name[ANSWER_COOKIE_SIZE];
    char run_name[9]; // of this run, in the names of new accounts
    double prepare_s, ran_s, own_cpu_s;
    bool stopped;
    char problem[STORM_PROBLEM_SIZE]; // after a failure: one sentence
};

enum storm_result { STORM_RAN, STORM_REFUSED_TO, STORM_UNAVAILABLE };

// Prepares and runs. Afterwards the tally is there unless the result says otherwise; storm_release in any
// case.
[[nodiscard]] enum storm_result storm_run(struct storm *storm, const struct storm_options *options,
                                          struct people *people);
void storm_release(struct storm *storm);

// ---- between the files of storm

uint32_t storm_request_new(struct storm *storm); // LINK_NONE: no room
void storm_request_free(struct storm *storm, uint32_t number);
void storm_ready(struct storm *storm, uint32_t number);
// Has it asked again at due_ns.
void storm_later(struct storm *storm, uint32_t number);
// One round: what is due is sent, what arrived is handed out. `next_ns`: when something is due next.
void storm_turn(struct storm *storm, uint64_t next_ns);
bool storm_stopping(const struct storm *storm);
// The bytes of a request; at most LINK_REQUEST_MAX.
size_t storm_write(void *owner, uint32_t number, char *out);

// storm_log.c
void storm_log_begin(const struct storm *storm);
void storm_log_attempt(const struct storm *storm, const struct storm_request *request, uint64_t now_ns,
                       enum storm_outcome outcome, const struct answer *answer);

// storm_prepare.c
enum storm_result storm_prepare(struct storm *storm);
void storm_prepared(struct storm *storm, uint32_t number, enum link_end end, const struct answer *answer);

#endif
