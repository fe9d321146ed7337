// SPDX-License-Identifier: ISC
// Bringing an SQLite file up to the schema of this stayd, forward only, in one transaction. Used by
// stayd-store (also offline, and by the bench's seeding tool). Owns nothing.
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#include "store/schema.h"

#include <sqlite3.h>

// In the file's header: "stay".
#define SCHEMA_APPLICATION_ID 0x73746179

enum schema_result {
    SCHEMA_CURRENT = 1,
    SCHEMA_FOREIGN, // an SQLite file, but not one of stayd's
    SCHEMA_NEWER,   // written by a newer stayd
    SCHEMA_FAILED,  // the database's own error says why
};

// An empty file gets the whole schema. *version is what was found (0: empty), *code the extended SQLite error
// when it failed.
[[nodiscard]] enum schema_result sqlite_schema_migrate(sqlite3 *database, const struct schema *schema,
                                                       int64_t *version, int *code);
// The same without changing anything: CURRENT also for an older schema.
[[nodiscard]] enum schema_result sqlite_schema_check(sqlite3 *database, int64_t *version);
// Appends what migrating would run; nothing when there is nothing to do.
[[nodiscard]] bool sqlite_schema_pending(sqlite3 *database, const struct schema *schema, struct bytes *sql);
// Every column and index as stayd made it? false: *why names the first that is not.
[[nodiscard]] bool sqlite_schema_is_whole(sqlite3 *database, const struct schema *schema, char *why,
                                          size_t why_size);

// The same of columns only, without which nothing works.
[[nodiscard]] bool sqlite_schema_columns_hold(sqlite3 *database, const struct schema *schema, char *why,
                                              size_t why_size);

#endif
