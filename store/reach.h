// SPDX-License-Identifier: ISC
// What stayd-store may reach when the database is a PostgreSQL server: the ports of its hosts, what the C
// library reads to look names up, the certificates that the URL names. Nothing else; with SQLite it has no
// network at all. Used by stayd-store, before it enters its sandbox. Owns the texts of the paths, which the
// options borrow.
#ifndef STORE_REACH_H
#define STORE_REACH_H

#include "base/sandbox.h"
#include "store/postgres_target.h"

#define REACH_FILES_MAX 3

struct reach {
    char file[REACH_FILES_MAX][512]; // of the URL
    char resolver[256];              // the folder that /etc/resolv.conf leads to, or ""
    unsigned files;
};

// Loads what look-ups need from disk as code (the modules of /etc/nsswitch.conf), because the sandbox forbids
// new code. Asks nobody.
void reach_load(void);
// Adds to the options; they borrow from `reach`.
void reach_allow(struct reach *reach, const struct postgres_target *target, struct sandbox_options *options);

#endif
