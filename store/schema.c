// SPDX-License-Identifier: ISC
// Tables, indexes and migrations of the SQLite file. Runs in stayd-store.
//
// Ids are random, so an insert lands anywhere in every tree that is ordered by one. Each tree therefore costs
// a grant one page to read and one to write; there are as few of them as the look-ups allow:
//   sessions             clustered by (account_id, selector): an account's sessions lie together, for lists,
//                        for ending them all, for deleting the account, and for the preload that walks both
//                        tables in the same order
//   sessions_selector    the miss path
//   sessions_public_id   ending one from a list
// There is no index by expiry: expired rows are not live, and are deleted by a walk that goes round.
// Accounts are clustered by id for the same walk.
#include "store/schema.h"

#include <assert.h>

#define IS_ADMINISTRATOR "instr(',' || groups || ',', ',admins,') > 0"

static const char *const migrations[SCHEMA_VERSION] = {
    "CREATE TABLE accounts ("
    " id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),"
    " name TEXT NOT NULL,"
    " display_name TEXT NOT NULL,"
    " email TEXT NOT NULL,"
    " groups TEXT NOT NULL,"
    " flags INTEGER NOT NULL,"
    " phc TEXT NOT NULL,"
    " epoch INTEGER NOT NULL,"
    " created INTEGER NOT NULL,"
    " password_changed INTEGER NOT NULL,"
    " last_login INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX accounts_name ON accounts (name);"
    "CREATE INDEX accounts_administrators ON accounts (id) WHERE " IS_ADMINISTRATOR ";"
    "CREATE TABLE sessions ("
    " account_id BLOB NOT NULL REFERENCES accounts (id),"
    " selector BLOB NOT NULL CHECK (length(selector) = 16),"
    " verifier_hash BLOB NOT NULL CHECK (length(verifier_hash) = 16),"
    " public_id BLOB NOT NULL CHECK (length(public_id) = 16),"
    " epoch INTEGER NOT NULL,"
    " created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL,"
    " last_seen INTEGER NOT NULL,"
    " level INTEGER NOT NULL,"
    " address BLOB NOT NULL CHECK (length(address) = 16),"
    " agent TEXT NOT NULL,"
    " PRIMARY KEY (account_id, selector)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX sessions_selector ON sessions (selector);"
    "CREATE UNIQUE INDEX sessions_public_id ON sessions (public_id);"
    "CREATE TABLE once ("
    " space TEXT NOT NULL,"
    " hash BLOB NOT NULL CHECK (length(hash) = 32),"
    " payload BLOB NOT NULL,"
    " expires INTEGER NOT NULL,"
    " PRIMARY KEY (space, hash)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX once_expires ON once (expires);"
    "CREATE TABLE audit ("
    " id INTEGER PRIMARY KEY,"
    " time INTEGER NOT NULL,"
    " trace INTEGER NOT NULL,"
    " event TEXT NOT NULL,"
    " username TEXT NOT NULL,"
    " actor TEXT NOT NULL,"
    " source BLOB NOT NULL CHECK (length(source) = 16),"
    " outcome TEXT NOT NULL,"
    " detail TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX audit_trace ON audit (trace, time);"
    "CREATE INDEX audit_username ON audit (username, id);"
    "CREATE INDEX audit_event ON audit (event, id);",
};

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

enum schema_result schema_check(sqlite3 *database, int64_t *version)
{
    return found_version(database, version);
}

static bool create_meta(sqlite3 *database)
{
    return execute(database, "PRAGMA application_id = 1937006969;"
                             "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value ANY NOT NULL) "
                             "STRICT, WITHOUT ROWID;"
                             "INSERT INTO meta VALUES ('schema', 0), ('last_alive', 0);");
}

static bool apply_from(sqlite3 *database, int64_t version)
{
    bool fine = version > 0 || create_meta(database);
    for (int64_t next = version; fine && next < SCHEMA_VERSION; next++) {
        fine = execute(database, migrations[next]) &&
               execute(database, "UPDATE meta SET value = value + 1 WHERE name = 'schema'");
    }
    return fine;
}

enum schema_result schema_migrate(sqlite3 *database, int64_t *version, int *code)
{
    static_assert(SCHEMA_APPLICATION_ID == 1937006969, "the pragma in create_meta says the same");
    enum schema_result result = found_version(database, version);
    *code = sqlite3_extended_errcode(database);
    if (result != SCHEMA_CURRENT || *version == SCHEMA_VERSION) {
        return result;
    }
    if (execute(database, "BEGIN IMMEDIATE") && apply_from(database, *version) &&
        execute(database, "COMMIT")) {
        return SCHEMA_CURRENT;
    }
    *code = sqlite3_extended_errcode(database);
    if (sqlite3_get_autocommit(database) == 0) {
        (void)execute(database, "ROLLBACK");
    }
    return SCHEMA_FAILED;
}
