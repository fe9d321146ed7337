// SPDX-License-Identifier: ISC
// The people of a drill's database: rows for COPY, and the files that tell storm whom to act for. Number i is
// "user<i>"; all have one password; the first so many have one live session each. Used by stayctl drill.
// Owns nothing. Nobody else ever sees this database: password and tokens are no secrets.
#ifndef DRILL_POPULATION_H
#define DRILL_POPULATION_H

#include "base/bytes.h"

#include <stdio.h>

#define POPULATION_PASSWORD "a drill's correct horse battery staple"

struct population {
    uint32_t accounts, sessions;
    uint64_t now_s;
    char phc[128];
};

// Hashes the password as stayd does when nothing else is configured. False: no memory.
[[nodiscard]] bool population_init(struct population *population, uint32_t accounts, uint32_t sessions,
                                   uint64_t now_s);
// Lines for "COPY accounts (POPULATION_ACCOUNTS) FROM STDIN", and of sessions; with the line that ends them.
#define POPULATION_ACCOUNTS                                                                                  \
    "id, name, display_name, email, groups, flags, phc, epoch, created, password_changed, last_login"
#define POPULATION_SESSIONS                                                                                  \
    "account_id, selector, verifier_hash, public_id, epoch, created, expires, last_seen, level, address, "   \
    "agent"
void population_write_accounts(const struct population *population, FILE *out);
void population_write_sessions(const struct population *population, FILE *out);
// Lines "NAME TOKEN" for storm.
void population_write_tokens(uint32_t sessions, FILE *out);

#endif
