// SPDX-License-Identifier: ISC
// The schema of the SQLite file and its migrations, forward only. Used by stayd-store (also offline, and by
// the bench's seeding tool). Owns nothing.
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "base/bytes.h"

#include <sqlite3.h>

// The schema that this stayd writes.
#define SCHEMA_VERSION 1
// In the file's header: "stay".
#define SCHEMA_APPLICATION_ID 0x73746179

enum schema_result {
    SCHEMA_CURRENT = 1,
    SCHEMA_FOREIGN, // an SQLite file, but not one of stayd's
    SCHEMA_NEWER,   // written by a newer stayd
    SCHEMA_FAILED,  // the database's own error says why
};

// Brings the file up to SCHEMA_VERSION in one transaction; an empty one gets the whole schema. *version is
// what was found (0: empty), *code the extended SQLite error when it failed.
[[nodiscard]] enum schema_result schema_migrate(sqlite3 *database, int64_t *version, int *code);
// The same without changing anything: CURRENT also for an older schema.
[[nodiscard]] enum schema_result schema_check(sqlite3 *database, int64_t *version);

#endif
