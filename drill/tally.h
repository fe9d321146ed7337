// SPDX-License-Identifier: ISC
// What came of the requests: counts and times by phase, class and outcome, and second by second. Used by
// stayctl storm. Owns heap memory: about 180 KiB a phase, 200 bytes a second of the run.
// Bounds: PLAN_PIECES_MAX phases, PLAN_SECONDS_MAX seconds.
#ifndef DRILL_TALLY_H
#define DRILL_TALLY_H

#include "drill/histogram.h"
#include "drill/plan.h"

// Outcomes of one attempt: identifier, what it means.
#define STORM_OUTCOMES_TABLE(X)                                                                              \
    X(ok, "done within the deadline")                                                                        \
    X(refused, "429 or 503 with Retry-After")                                                                \
    X(late, "done after the deadline")                                                                       \
    X(failed, "all else")                                                                                    \
    X(wrong, "a check was answered with somebody else's name")
enum storm_outcome {
#define X(id, meaning) STORM_##id,
    STORM_OUTCOMES_TABLE(X)
#undef X
        STORM_OUTCOMES
};
const char *storm_outcome_name(enum storm_outcome outcome);

// Why an attempt failed: identifier, text.
#define STORM_CAUSES_TABLE(X)                                                                                \
    X(none, "")                                                                                              \
    X(connect, "no connection")                                                                              \
    X(ended, "the connection ended before the answer")                                                       \
    X(timeout, "no answer within the time-out")                                                              \
    X(malformed, "the answer was no HTTP that storm understands")                                            \
    X(not_recognised, "401: a live session or a right password was not recognised")                          \
    X(no_retry_after, "429 or 503 without Retry-After")                                                      \
    X(status, "another status")
enum storm_cause {
#define X(id, text) STORM_CAUSE_##id,
    STORM_CAUSES_TABLE(X)
#undef X
        STORM_CAUSES
};
const char *storm_cause_name(enum storm_cause cause);
const char *storm_cause_text(enum storm_cause cause);

struct tally_cell {
    uint64_t offered;  // arrivals
    uint64_t retries;  // attempts beyond the first
    uint64_t delayed;  // arrivals that were done by a retry
    uint64_t given_up; // arrivals whose last attempt was refused or failed
    struct histogram times[STORM_OUTCOMES];
};

struct tally_second {
    struct tally_instant {
        uint32_t offered;                 // by their intended start
        uint32_t answers[STORM_OUTCOMES]; // by when they came
        uint32_t ok_p99_us, refused_p99_us;
    } class[STORM_CLASSES];
};

struct tally {
    struct tally_cell *cell; // phase by phase, class by class
    unsigned phases;
    struct tally_second *second;
    size_t seconds, seconds_room;
    struct histogram now[STORM_CLASSES][2]; // of the second that runs: ok, refused
    uint64_t cause[STORM_CAUSES];
    uint64_t status[600];
    struct histogram lag;    // storm's own: from the intended start until it got to it
    struct histogram queued; // then until there was a connection for it
    uint64_t unsent;         // arrivals that found storm's own queue full
    uint64_t connections, handshakes;
    uint32_t in_flight_max;
};

[[nodiscard]] bool tally_init(struct tally *tally, unsigned phases);
void tally_release(struct tally *tally);
struct tally_cell *tally_at(const struct tally *tally, unsigned phase, enum storm_class class);
// All phases of a class in one; the caller's memory.
void tally_sum(const struct tally *tally, enum storm_class class, struct tally_cell *sum);
void tally_offer(struct tally *tally, unsigned phase, enum storm_class class, uint64_t at_ns);
// One attempt is over: at `at_ns` from the beginning, `took_ns` after its intended start.
void tally_answer(struct tally *tally, unsigned phase, enum storm_class class, enum storm_outcome outcome,
                  uint64_t at_ns, uint64_t took_ns);
// The second before the one that is given has ended. False: memory is short, or the run too long.
[[nodiscard]] bool tally_turn(struct tally *tally, size_t second);
// What storm may say of itself: nobody else's lateness is measured with a clock that is late.
bool tally_kept_up(const struct tally *tally);

#endif
