// SPDX-License-Identifier: ISC
// The SQLite file of a stayd that is not running, filled: rows go in in the order of their tree, the other
// indexes are built once at the end, and nothing is made durable before that. The file keeps its owner.
#include "bench/seed.h"

#include <sqlite3.h>

static struct {
    sqlite3 *database;
    sqlite3_stmt *insert;
    unsigned count;
    char *index[SEED_INDEXES_MAX];
} to;

static void run(const char *sql)
{
    if (sqlite3_exec(to.database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        seed_die(sql, sqlite3_errmsg(to.database));
    }
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(to.database, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        seed_die(sql, sqlite3_errmsg(to.database));
    }
    return statement;
}

static void drop_indexes(void)
{
    sqlite3_stmt *find =
        prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL");
    char *drop[SEED_INDEXES_MAX];
    size_t count = 0;
    for (; sqlite3_step(find) == SQLITE_ROW; count++) {
        if (count == SEED_INDEXES_MAX) {
            seed_die("indexes", "there are more than this program knows of");
        }
        drop[count] = sqlite3_mprintf("DROP INDEX %w", sqlite3_column_text(find, 0));
        to.index[count] = sqlite3_mprintf("%s", sqlite3_column_text(find, 1));
    }
    sqlite3_finalize(find);
    for (size_t i = 0; i < count; i++) {
        run(drop[i]);
        sqlite3_free(drop[i]);
    }
}

static void open_file(const char *file)
{
    if (sqlite3_open_v2(file, &to.database, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        seed_die(file, sqlite3_errmsg(to.database));
    }
    run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
        "PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY; PRAGMA threads = 2");
    drop_indexes();
    run("BEGIN");
}

static void next_table(const struct seed_table *table)
{
    char places[2 * SEED_COLUMNS_MAX] = "";
    for (unsigned i = 0; i < table->count; i++) {
        places[2 * i] = '?';
        places[2 * i + 1] = i + 1 < table->count ? ',' : '\0';
    }
    sqlite3_finalize(to.insert);
    char *sql = sqlite3_mprintf("INSERT INTO %s (%s) VALUES (%s)", table->name, table->columns, places);
    to.insert = prepare(sql);
    to.count = table->count;
    sqlite3_free(sql);
}

static void put_row(const struct seed_value *value)
{
    for (int i = 0; i < (int)to.count; i++) {
        if (value[i].kind == SEED_NUMBER) {
            sqlite3_bind_int64(to.insert, i + 1, value[i].number);
        } else if (value[i].kind == SEED_TEXT) {
            sqlite3_bind_text(to.insert, i + 1, value[i].bytes, (int)value[i].size, SQLITE_STATIC);
        } else {
            sqlite3_bind_blob(to.insert, i + 1, value[i].bytes, (int)value[i].size, SQLITE_STATIC);
        }
    }
    if (sqlite3_step(to.insert) != SQLITE_DONE || sqlite3_reset(to.insert) != SQLITE_OK) {
        seed_die("a row", sqlite3_errmsg(to.database));
    }
}

static void close_file(void)
{
    sqlite3_finalize(to.insert);
    run("COMMIT");
    for (size_t i = 0; i < SEED_INDEXES_MAX && to.index[i] != NULL; i++) {
        run(to.index[i]);
        sqlite3_free(to.index[i]);
    }
    run("PRAGMA journal_mode = DELETE");
    sqlite3_close(to.database);
}

const struct seed_target seed_sqlite = {open_file, next_table, put_row, close_file};
