// SPDX-License-Identifier: ISC
// Bringing the SQLite file up to the schema, and seeing whether it is what stayd made. Runs in stayd-store.
#include "store/sqlite_schema.h"

#include "store/schema.h"

#include <assert.h>
#include <stdio.h>

#define SQL_MAX 32768 // all of a migration's text

static bool execute(sqlite3 *database, const char *sql)
{
    return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

// One number out of one statement; false when there is none or on failure.
static bool number_of(sqlite3 *database, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    bool found = sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW;
    if (found) {
        *value = sqlite3_column_int64(statement, 0);
    }
    return sqlite3_finalize(statement) == SQLITE_OK && found;
}

static enum schema_result found_version(sqlite3 *database, int64_t *version)
{
    int64_t tables = 0, ours = 0, application = 0;
    *version = 0;
    if (!number_of(database, "SELECT count(*) FROM sqlite_schema", &tables) ||
        !number_of(database, "PRAGMA application_id", &application)) {
        return SCHEMA_FAILED;
    }
    if (tables == 0) {
        return SCHEMA_CURRENT;
    }
    if (!number_of(database, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'",
                   &ours)) {
        return SCHEMA_FAILED;
    }
    if (application != SCHEMA_APPLICATION_ID || ours == 0) {
        return SCHEMA_FOREIGN;
    }
    if (!number_of(database, "SELECT value FROM meta WHERE name = 'schema'", version)) {
        return sqlite3_errcode(database) == SQLITE_OK ? SCHEMA_FOREIGN : SCHEMA_FAILED;
    }
    if (*version < 1) {
        return SCHEMA_FOREIGN;
    }
    return *version > SCHEMA_VERSION ? SCHEMA_NEWER : SCHEMA_CURRENT;
}

enum schema_result sqlite_schema_check(sqlite3 *database, int64_t *version)
{
    return found_version(database, version);
}

static bool create_meta(sqlite3 *database)
{
    return execute(database, "PRAGMA application_id = 1937006969;"
                             "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value ANY NOT NULL) "
                             "STRICT, WITHOUT ROWID;"
                             "INSERT INTO meta VALUES ('schema', 1), ('last_alive', 0);");
}

// The last expansion that was done. Files from before there were any to count have none, and are at the
// first.
static bool found_step(sqlite3 *database, int64_t version, int64_t *step)
{
    *step = 0;
    if (version == 0) {
        return true;
    }
    *step = 1;
    return number_of(database, "SELECT value FROM meta WHERE name = 'step'", step) ||
           sqlite3_errcode(database) == SQLITE_OK;
}

static bool expand(sqlite3 *database, const struct schema *schema, int64_t step)
{
    struct bytes sql;
    bytes_init(&sql, SQL_MAX);
    bool fine = schema_sql(schema, DIALECT_SQLITE, (unsigned)step, &sql) &&
                bytes_append_format(&sql, "INSERT OR REPLACE INTO meta VALUES ('step', %u)", schema->step) &&
                bytes_append_byte(&sql, 0) && execute(database, (const char *)sql.data);
    bytes_release(&sql);
    return fine;
}

enum schema_result sqlite_schema_migrate(sqlite3 *database, const struct schema *schema, int64_t *version,
                                         int *code)
{
    static_assert(SCHEMA_APPLICATION_ID == 1937006969, "the pragma in create_meta says the same");
    int64_t step = 0;
    enum schema_result result = found_version(database, version);
    if (result == SCHEMA_CURRENT && !found_step(database, *version, &step)) {
        result = SCHEMA_FAILED;
    }
    *code = sqlite3_extended_errcode(database);
    if (result != SCHEMA_CURRENT || step >= schema->step) {
        return result;
    }
    if (execute(database, "BEGIN IMMEDIATE") && (*version > 0 || create_meta(database)) &&
        expand(database, schema, step) && execute(database, "COMMIT")) {
        return SCHEMA_CURRENT;
    }
    *code = sqlite3_extended_errcode(database);
    if (sqlite3_get_autocommit(database) == 0) {
        (void)execute(database, "ROLLBACK");
    }
    return SCHEMA_FAILED;
}

bool sqlite_schema_pending(sqlite3 *database, const struct schema *schema, struct bytes *sql)
{
    int64_t version = 0, step = 0;
    return found_version(database, &version) == SCHEMA_CURRENT && found_step(database, version, &step) &&
           (step >= schema->step || schema_sql(schema, DIALECT_SQLITE, (unsigned)step, sql));
}

// ---- altered by hand -------------------------------------------------------------------------------------

static bool column_is_there(sqlite3 *database, const struct schema_column *column, char *why, size_t why_size)
{
    const char *type = NULL;
    int not_null = 0;
    const char *expected = schema_type_name(DIALECT_SQLITE, column->type);
    if (sqlite3_table_column_metadata(database, "main", column->table, column->name, &type, NULL, &not_null,
                                      NULL, NULL) != SQLITE_OK) {
        (void)snprintf(why, why_size, "there is no column %s.%s", column->table, column->name);
        return false;
    }
    if (type == NULL || sqlite3_stricmp(type, expected) != 0) {
        (void)snprintf(why, why_size, "column %s.%s is %s, not %s", column->table, column->name,
                       type == NULL ? "without a type" : type, expected);
        return false;
    }
    return true;
}

static bool index_is_there(sqlite3 *database, const struct schema_index *index, char *why, size_t why_size)
{
    sqlite3_stmt *statement = NULL;
    bool there =
        sqlite3_prepare_v2(database,
                           "SELECT l.\"unique\", group_concat(i.name, ', ') FROM pragma_index_list(?1) AS l,"
                           " pragma_index_info(l.name) AS i WHERE l.name = ?2 GROUP BY l.name",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, index->table, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(statement, 2, index->name, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW;
    const char *columns = there ? (const char *)sqlite3_column_text(statement, 1) : NULL;
    if (!there) {
        (void)snprintf(why, why_size, "there is no index %s", index->name);
    } else if (columns == NULL || strcmp(columns, index->columns[DIALECT_SQLITE]) != 0 ||
               (sqlite3_column_int(statement, 0) != 0) != index->unique[DIALECT_SQLITE]) {
        (void)snprintf(why, why_size, "index %s is not the one that stayd made", index->name);
        there = false;
    }
    (void)sqlite3_finalize(statement);
    return there;
}

bool sqlite_schema_columns_hold(sqlite3 *database, const struct schema *schema, char *why, size_t why_size)
{
    for (size_t i = 0; i < schema->columns_count; i++) {
        if (!column_is_there(database, &schema->columns[i], why, why_size)) {
            return false;
        }
    }
    return true;
}

bool sqlite_schema_is_whole(sqlite3 *database, const struct schema *schema, char *why, size_t why_size)
{
    if (!sqlite_schema_columns_hold(database, schema, why, why_size)) {
        return false;
    }
    for (size_t i = 0; i < schema->indexes_count; i++) {
        const struct schema_index *index = &schema->indexes[i];
        if (index->columns[DIALECT_SQLITE] != NULL && !index_is_there(database, index, why, why_size)) {
            return false;
        }
    }
    return true;
}
