// SPDX-License-Identifier: ISC
// Who guesses passwords: estimates over the last GUESSES_SECONDS of how many accounts and sources refused
// log-ins were of, and a count of those for names that don't exist. It tells a forgetful few from a list of
// stolen passwords being tried. Used by core; pure. Owns nothing but the struct. Bounds: fixed.
#ifndef CORE_GUESSES_H
#define CORE_GUESSES_H

#include "base/distinct.h"

#include <stdbool.h>

enum { GUESSES_SECONDS = 10, GUESSES_EVERY_MS = 500 };

struct guesses {
    struct guesses_second {
        uint64_t number; // which second it is of
        struct distinct accounts, sources;
        uint32_t unknown;
    } second[GUESSES_SECONDS];
};

struct guesses_now {
    uint64_t accounts, sources, unknown;
};

// A log-in was refused; keyed hashes of its account's name and of its source.
void guesses_note(struct guesses *guesses, uint64_t account, uint64_t source, bool unknown, uint64_t now_ms);
struct guesses_now guesses_now(const struct guesses *guesses, uint64_t now_ms);

#endif
