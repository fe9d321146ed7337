// SPDX-License-Identifier: ISC
// Where bench/seed puts its rows: one interface over an SQLite file and a PostgreSQL database. Used by
// bench/seed only. A target owns its database; a failure ends the process, with a line that says what failed.
#ifndef BENCH_SEED_H
#define BENCH_SEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEED_COLUMNS_MAX = 12, SEED_INDEXES_MAX = 16 };

enum seed_kind { SEED_BLOB = 1, SEED_TEXT, SEED_NUMBER };

// A BLOB or TEXT borrows its bytes.
struct seed_value {
    enum seed_kind kind;
    const void *bytes;
    size_t size;
    int64_t number;
};

struct seed_table {
    const char *name;
    const char *columns; // "a, b, c"
    unsigned count;
};

struct seed_target {
    // Indexes other than the trees of primary keys are dropped, and their texts kept for the end.
    void (*open)(const char *where);
    // Rows are of this table from here on; a table comes once.
    void (*table)(const struct seed_table *table);
    void (*row)(const struct seed_value *values);
    void (*close)(void);
};

extern const struct seed_target seed_sqlite, seed_postgres;

_Noreturn void seed_die(const char *what, const char *why);

#endif
