// SPDX-License-Identifier: ISC
// The schema, described once for both dialects, and the SQL that brings a database up to it. Used by
// stayd-store (also offline), and by the bench's seeding tool. Owns nothing.
//
// Forward only, and by construction it can only expand: a step adds tables, columns with a default, and
// indexes. So an older stayd goes on working on what a newer one has expanded, and both may run side by side.
// Two numbers are kept in the table `meta`: `step`, the last expansion done, which may be ahead of a stayd;
// and `schema`, which is raised only by what older ones can't work with, and is refused by them. There has
// been no such change.
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "store/statement.h"

#define SCHEMA_VERSION 1

enum schema_type {
    SCHEMA_ID,      // 16 bytes
    SCHEMA_ACCOUNT, // the id of an account that is there
    SCHEMA_HASH,    // 32 bytes
    SCHEMA_TEXT,    // compared byte by byte
    SCHEMA_BYTES,
    SCHEMA_NUMBER,
    SCHEMA_SERIAL, // chosen by the database, ascending
};

struct schema_table {
    const char *name;
    unsigned step;             // that adds it
    const char *key[DIALECTS]; // columns of the primary key; NULL: the SCHEMA_SERIAL column
};

struct schema_column {
    const char *table, *name;
    enum schema_type type;
    unsigned step; // of its table, or a later one: then it has the default 0 or ''
};

struct schema_index {
    const char *name, *table;
    unsigned step;
    bool unique[DIALECTS];
    const char *columns[DIALECTS]; // NULL: not in this dialect
    const char *where[DIALECTS];   // NULL: all rows
};

// Rows in order of their step.
struct schema {
    unsigned step; // the last one
    const struct schema_table *tables;
    const struct schema_column *columns;
    const struct schema_index *indexes;
    size_t tables_count, columns_count, indexes_count;
};

// What this stayd writes.
extern const struct schema schema_current;

// Appends the statements that lead from `from` (0: no tables) to the schema, without those for `meta`.
// On PostgreSQL indexes on tables that were there are left out: they are built without a lock, by
// schema_index_sql. false: no memory.
[[nodiscard]] bool schema_sql(const struct schema *schema, enum dialect dialect, unsigned from,
                              struct bytes *out);
// Is it an index that is to be built beside the migration's transaction?
bool schema_index_is_late(const struct schema *schema, const struct schema_index *index, unsigned from);
// CREATE INDEX; `online` (PostgreSQL only): CONCURRENTLY, which may take long and disturbs nobody.
[[nodiscard]] bool schema_index_sql(const struct schema_index *index, enum dialect dialect, bool online,
                                    struct bytes *out);
// The primary key's index by its name on PostgreSQL (accounts_pkey), as a statement to add it again.
[[nodiscard]] bool schema_key_sql(const struct schema_table *table, struct bytes *out);
// The type of a column as PostgreSQL's format_type or SQLite's table_info says it.
const char *schema_type_name(enum dialect dialect, enum schema_type type);

#endif
