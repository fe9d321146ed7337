// SPDX-License-Identifier: ISC
// A ring of seconds. Runs in core; pure.
#include "core/guesses.h"

void guesses_note(struct guesses *guesses, uint64_t account, uint64_t source, bool unknown, uint64_t now_ms)
{
    uint64_t number = now_ms / 1000 + 1; // 0: never used
    struct guesses_second *second = &guesses->second[number % GUESSES_SECONDS];
    if (second->number != number) {
        *second = (struct guesses_second){.number = number};
    }
    distinct_add(&second->accounts, account);
    distinct_add(&second->sources, source);
    second->unknown += unknown;
}

struct guesses_now guesses_now(const struct guesses *guesses, uint64_t now_ms)
{
    struct distinct accounts = {0}, sources = {0};
    struct guesses_now now = {0};
    uint64_t number = now_ms / 1000 + 1;
    for (unsigned i = 0; i < GUESSES_SECONDS; i++) {
        const struct guesses_second *second = &guesses->second[i];
        if (second->number != 0 && second->number <= number && second->number + GUESSES_SECONDS > number) {
            distinct_join(&accounts, &second->accounts);
            distinct_join(&sources, &second->sources);
            now.unknown += second->unknown;
        }
    }
    now.accounts = distinct_count(&accounts);
    now.sources = distinct_count(&sources);
    return now;
}
