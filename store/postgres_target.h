// SPDX-License-Identifier: ISC
// Where the database is: a postgres:// URL taken apart. Used by stayd-store. Owns copies of its words, the
// password among them, which is wiped. Bounds: POSTGRES_HOSTS_MAX hosts.
//
// Beyond what libpq knows the URL may say `pooler=transaction` (no prepared statements, limits set within
// each transaction) and `target_session_attrs=any|read-write|primary` (read-write unless it says otherwise).
#ifndef STORE_POSTGRES_TARGET_H
#define STORE_POSTGRES_TARGET_H

#include "base/bytes.h"

#define POSTGRES_HOSTS_MAX 8
#define POSTGRES_WORDS_MAX 64
#define TARGET_WHY_MAX     256

struct postgres_host {
    char name[256]; // or the folder of a socket, or an address
    char port[8];
};

struct postgres_target {
    struct postgres_host host[POSTGRES_HOSTS_MAX];
    unsigned hosts;
    bool pooler;
    // For PQconnectStartParams, without host, hostaddr and port; ends with a NULL each.
    char *keyword[POSTGRES_WORDS_MAX];
    char *value[POSTGRES_WORDS_MAX];
    unsigned words;
};

// `password` may be empty. false: *why says what is wrong, without any secret.
[[nodiscard]] bool postgres_target_init(struct postgres_target *target, struct view url, struct view password,
                                        char why[static TARGET_WHY_MAX]);
void postgres_target_release(struct postgres_target *target);
// Adds or replaces one word; false: memory, or too many.
[[nodiscard]] bool postgres_target_set(struct postgres_target *target, const char *keyword,
                                       const char *value);
void postgres_target_unset(struct postgres_target *target, const char *keyword);
// NULL: not set.
const char *postgres_target_get(const struct postgres_target *target, const char *keyword);
// Is this what "database" holds for PostgreSQL?
bool postgres_target_is(struct view database);

#endif
