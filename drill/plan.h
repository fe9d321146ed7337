// SPDX-License-Identifier: ISC
// What is to be asked when: the rate of each class of requests over time, and the times that follow from it.
// Used by stayctl storm. Pure: no clock; randomness comes from a seed. Owns nothing.
// Bounds: PLAN_PIECES_MAX pieces in PLAN_PHASES_MAX phases, PLAN_SPIKES_MAX spikes, rates up to
// PLAN_RATE_MAX, PLAN_SECONDS_MAX long.
#ifndef DRILL_PLAN_H
#define DRILL_PLAN_H

#include "base/bytes.h"

enum {
    PLAN_PIECES_MAX = 2000,
    PLAN_PHASES_MAX = 64,
    PLAN_STEPS_MAX = 24,
    PLAN_SPIKES_MAX = 12,
    PLAN_RATE_MAX = 1000000,
    PLAN_SECONDS_MAX = 86400,
    PLAN_PROBLEM_SIZE = 256,
};

// Classes of requests: identifier, name, deadline when none is given (ms).
#define STORM_CLASSES_TABLE(X) X(check, 1000) X(login, 1000) X(change, 1000) X(register, 1000)
enum storm_class {
#define X(id, deadline_ms) STORM_##id,
    STORM_CLASSES_TABLE(X)
#undef X
        STORM_CLASSES
};
const char *storm_class_name(enum storm_class class);
// False when there is no such class.
[[nodiscard]] bool storm_class_find(struct view name, enum storm_class *class);

// As on the command line; NULL: not given. See plan_make.
struct plan_texts {
    const char *duration, *rate, *mix, *steps, *ramp, *spike;
};

// Between two times each class's rate runs straight from one value to another.
struct plan_piece {
    double begin_s, end_s;
    struct plan_rates {
        double begin, end;
    } rate[STORM_CLASSES]; // a second
};

struct plan {
    struct plan_piece piece[PLAN_PIECES_MAX];
    unsigned pieces;
    uint16_t phase_first[PLAN_PHASES_MAX + 1]; // piece with which each phase begins; then `pieces`
    unsigned phases;                           // what is reported apart
    double seconds;
    char problem[PLAN_PROBLEM_SIZE]; // after a failure: one sentence
};

// duration  "30s" (default 10s); units ms, s, m, h
// rate      "500": requests a second in all
// mix       "check=90,login=10": shares of the rate; without a rate, steps or ramp they are requests a second
// steps     "100,200,400": rates in all, each for an equal part of the duration
// ramp      "100-1000": from one rate to the other over the duration
// spike     "x10@20s+5s" or "5000@20s+5s", with "login:" before it for one class only; joined by commas:
//           for 5 seconds from second 20 on, ten times what was planned, or this rate in all
[[nodiscard]] bool plan_make(struct plan *plan, const struct plan_texts *texts);
// What one class is to get a second at a time, and how many of it there are in all.
double plan_rate(const struct plan *plan, enum storm_class class, double at_s);
double plan_count(const struct plan *plan, enum storm_class class);
// The piece, and the phase, a time is in.
unsigned plan_piece_at(const struct plan *plan, double at_s);
unsigned plan_phase_at(const struct plan *plan, double at_s);
double plan_phase_begin(const struct plan *plan, unsigned phase);
double plan_phase_end(const struct plan *plan, unsigned phase);
// Divides the pieces among phases: each its own where there are not too many.
void plan_make_phases(struct plan *plan);
// "30s", "250ms", "2m", "1h", or a number of seconds.
[[nodiscard]] bool plan_read_duration(struct view text, double *seconds);
// A decimal number, not negative.
[[nodiscard]] bool plan_read_number(struct view text, double *number);

// The arrivals of one class. Poisson: the gaps of the rate's integral are exponential, so that a rate that
// changes is followed exactly. Uniform: they are 1.
struct schedule {
    const struct plan *plan;
    enum storm_class class;
    bool uniform;
    unsigned piece;
    double at_s;
    uint64_t random;
};
void schedule_init(struct schedule *schedule, const struct plan *plan, enum storm_class class, bool uniform,
                   uint64_t seed);
// The next arrival, in nanoseconds from the beginning; false when there is none any more.
[[nodiscard]] bool schedule_next(struct schedule *schedule, uint64_t *at_ns);

// splitmix64: the same numbers for the same seed, everywhere.
uint64_t storm_random(uint64_t *state);
// From 0 up to, but not including, 1.
double storm_random_share(uint64_t *state);

#endif
