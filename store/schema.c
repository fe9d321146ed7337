// SPDX-License-Identifier: ISC
// The description of the tables, and SQL out of it. Runs in stayd-store.
//
// Ids are random, so an insert lands anywhere in every tree that is ordered by one. Each tree therefore costs
// a grant one page to read and one to write; there are as few of them as the look-ups allow. There is no
// index by expiry: expired rows are not live, and are deleted by a walk that goes round.
//
// SQLite: sessions are clustered by (account_id, selector): an account's sessions lie together, for lists,
// for ending them all, for deleting the account, and for the preload that walks both tables in the same
// order. PostgreSQL: rows lie where there was room, so that order is an index of its own. No foreign keys: a
// grant changes its account's row anyway, which is the lock that a foreign key would take once more; and no
// cascades, which do not shard. Rows keep a tenth of each page free, so that "seen" and the time of the last
// log-in are changed in place, without touching an index.
#include "store/schema.h"

#include <assert.h>

#define BOTH(columns)                                                                                        \
    {                                                                                                        \
        columns, columns                                                                                     \
    }
#define ADMINISTRATORS_SQLITE   "instr(',' || groups || ',', ',admins,') > 0"
#define ADMINISTRATORS_POSTGRES "strpos(',' || groups || ',', ',admins,') > 0"

static const struct schema_table tables[] = {
    {"accounts", 1, BOTH("id")},
    {"sessions", 1, {"account_id, selector", "selector"}},
    {"once", 1, BOTH("space, hash")},
    {"audit", 1, {NULL, NULL}},
};

static const struct schema_column columns[] = {
    {"accounts", "id", SCHEMA_ID, 1},
    {"accounts", "name", SCHEMA_TEXT, 1},
    {"accounts", "display_name", SCHEMA_TEXT, 1},
    {"accounts", "email", SCHEMA_TEXT, 1},
    {"accounts", "groups", SCHEMA_TEXT, 1},
    {"accounts", "flags", SCHEMA_NUMBER, 1},
    {"accounts", "phc", SCHEMA_TEXT, 1},
    {"accounts", "epoch", SCHEMA_NUMBER, 1},
    {"accounts", "created", SCHEMA_NUMBER, 1},
    {"accounts", "password_changed", SCHEMA_NUMBER, 1},
    {"accounts", "last_login", SCHEMA_NUMBER, 1},
    {"sessions", "account_id", SCHEMA_ACCOUNT, 1},
    {"sessions", "selector", SCHEMA_ID, 1},
    {"sessions", "verifier_hash", SCHEMA_ID, 1},
    {"sessions", "public_id", SCHEMA_ID, 1},
    {"sessions", "epoch", SCHEMA_NUMBER, 1},
    {"sessions", "created", SCHEMA_NUMBER, 1},
    {"sessions", "expires", SCHEMA_NUMBER, 1},
    {"sessions", "last_seen", SCHEMA_NUMBER, 1},
    {"sessions", "level", SCHEMA_NUMBER, 1},
    {"sessions", "address", SCHEMA_ID, 1},
    {"sessions", "agent", SCHEMA_TEXT, 1},
    {"once", "space", SCHEMA_TEXT, 1},
    {"once", "hash", SCHEMA_HASH, 1},
    {"once", "payload", SCHEMA_BYTES, 1},
    {"once", "expires", SCHEMA_NUMBER, 1},
    {"audit", "id", SCHEMA_SERIAL, 1},
    {"audit", "time", SCHEMA_NUMBER, 1},
    {"audit", "trace", SCHEMA_NUMBER, 1},
    {"audit", "event", SCHEMA_TEXT, 1},
    {"audit", "username", SCHEMA_TEXT, 1},
    {"audit", "actor", SCHEMA_TEXT, 1},
    {"audit", "source", SCHEMA_ID, 1},
    {"audit", "outcome", SCHEMA_TEXT, 1},
    {"audit", "detail", SCHEMA_TEXT, 1},
};

static const struct schema_index indexes[] = {
    {"accounts_name", "accounts", 1, {true, true}, BOTH("name"), {NULL, NULL}},
    {"accounts_administrators",
     "accounts",
     1,
     {false, false},
     BOTH("id"),
     {ADMINISTRATORS_SQLITE, ADMINISTRATORS_POSTGRES}},
    {"sessions_selector", "sessions", 1, {true, false}, {"selector", NULL}, {NULL, NULL}},
    {"sessions_public_id", "sessions", 1, {true, true}, BOTH("public_id"), {NULL, NULL}},
    {"sessions_account", "sessions", 1, {false, false}, {NULL, "account_id, selector"}, {NULL, NULL}},
    {"once_expires", "once", 1, {false, false}, BOTH("expires"), {NULL, NULL}},
    // On PostgreSQL it is what keeps a row from being added twice by two at once.
    {"audit_trace",
     "audit",
     1,
     {false, true},
     {"trace, time", "trace, \"time\", event, username, actor, source, outcome, detail"},
     {NULL, NULL}},
    {"audit_username", "audit", 1, {false, false}, BOTH("username, id"), {NULL, NULL}},
    {"audit_event", "audit", 1, {false, false}, BOTH("event, id"), {NULL, NULL}},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct schema schema_current = {
    .step = 1,
    .tables = tables,
    .columns = columns,
    .indexes = indexes,
    .tables_count = COUNT(tables),
    .columns_count = COUNT(columns),
    .indexes_count = COUNT(indexes),
};

// ---- SQL -------------------------------------------------------------------------------------------------

const char *schema_type_name(enum dialect dialect, enum schema_type type)
{
    static const char *const names[][DIALECTS] = {
        [SCHEMA_ID] = {"BLOB", "bytea"},         [SCHEMA_ACCOUNT] = {"BLOB", "bytea"},
        [SCHEMA_HASH] = {"BLOB", "bytea"},       [SCHEMA_TEXT] = {"TEXT", "text"},
        [SCHEMA_BYTES] = {"BLOB", "bytea"},      [SCHEMA_NUMBER] = {"INTEGER", "bigint"},
        [SCHEMA_SERIAL] = {"INTEGER", "bigint"},
    };
    return names[type][dialect];
}

static void append_default(struct bytes *out, enum dialect dialect, enum schema_type type)
{
    assert(type == SCHEMA_TEXT || type == SCHEMA_BYTES || type == SCHEMA_NUMBER);
    const char *empty = type == SCHEMA_BYTES && dialect == DIALECT_SQLITE ? "x''" : "''";
    bytes_append_format(out, " DEFAULT %s", type == SCHEMA_NUMBER ? "0" : empty);
}

// One column's definition. `later`: its table has rows already.
static void append_column(struct bytes *out, enum dialect dialect, const struct schema_column *column,
                          bool later)
{
    bool sqlite = dialect == DIALECT_SQLITE;
    const char *length = sqlite ? "length" : "octet_length";
    bytes_append_format(out, "%s %s", column->name, schema_type_name(dialect, column->type));
    if (column->type == SCHEMA_SERIAL) {
        bytes_append_format(out, "%s PRIMARY KEY", sqlite ? "" : " GENERATED BY DEFAULT AS IDENTITY");
        return;
    }
    if (column->type == SCHEMA_TEXT && !sqlite) {
        bytes_append_format(out, " COLLATE \"C\"");
    }
    bytes_append_format(out, " NOT NULL");
    if (later) {
        append_default(out, dialect, column->type);
    }
    if (column->type == SCHEMA_ACCOUNT && sqlite) {
        bytes_append_format(out, " REFERENCES accounts (id)");
    } else if (column->type == SCHEMA_ID || column->type == SCHEMA_ACCOUNT || column->type == SCHEMA_HASH) {
        bytes_append_format(out, " CHECK (%s(%s) = %d)", length, column->name,
                            column->type == SCHEMA_HASH ? 32 : 16);
    }
}

static void append_table(const struct schema *schema, enum dialect dialect, const struct schema_table *table,
                         struct bytes *out)
{
    const char *separator = "";
    bytes_append_format(out, "CREATE TABLE %s (", table->name);
    for (size_t i = 0; i < schema->columns_count; i++) {
        const struct schema_column *column = &schema->columns[i];
        if (strcmp(column->table, table->name) == 0) {
            bytes_append_format(out, "%s\n ", separator);
            append_column(out, dialect, column, column->step > table->step);
            separator = ",";
        }
    }
    if (table->key[dialect] != NULL) {
        bytes_append_format(out, ",\n PRIMARY KEY (%s)", table->key[dialect]);
    }
    const char *options = dialect == DIALECT_POSTGRES   ? "WITH (fillfactor = 90)"
                          : table->key[dialect] != NULL ? "STRICT, WITHOUT ROWID"
                                                        : "STRICT";
    bytes_append_format(out, "\n) %s;\n", options);
}

static unsigned table_step(const struct schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->tables_count; i++) {
        if (strcmp(schema->tables[i].name, name) == 0) {
            return schema->tables[i].step;
        }
    }
    assert(false);
    return 0;
}

bool schema_index_is_late(const struct schema *schema, const struct schema_index *index, unsigned from)
{
    return index->step > from && index->columns[DIALECT_POSTGRES] != NULL &&
           table_step(schema, index->table) <= from;
}

bool schema_index_sql(const struct schema_index *index, enum dialect dialect, bool online, struct bytes *out)
{
    bytes_append_format(out, "CREATE %sINDEX %s%s ON %s (%s)", index->unique[dialect] ? "UNIQUE " : "",
                        online ? "CONCURRENTLY IF NOT EXISTS " : "", index->name, index->table,
                        index->columns[dialect]);
    if (index->where[dialect] != NULL) {
        bytes_append_format(out, " WHERE %s", index->where[dialect]);
    }
    return bytes_append_format(out, ";\n");
}

bool schema_key_sql(const struct schema_table *table, struct bytes *out)
{
    const char *key = table->key[DIALECT_POSTGRES] == NULL ? "id" : table->key[DIALECT_POSTGRES];
    return bytes_append_format(out,
                               "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS %s_key ON %s (%s); "
                               "ALTER TABLE %s ADD CONSTRAINT %s_pkey PRIMARY KEY USING INDEX %s_key;\n",
                               table->name, table->name, key, table->name, table->name, table->name);
}

// Columns that came to a table that was there.
static void append_columns(const struct schema *schema, enum dialect dialect, unsigned from,
                           struct bytes *out)
{
    for (size_t i = 0; i < schema->columns_count; i++) {
        const struct schema_column *column = &schema->columns[i];
        if (column->step > from && table_step(schema, column->table) <= from) {
            bytes_append_format(out, "ALTER TABLE %s ADD COLUMN ", column->table);
            append_column(out, dialect, column, true);
            bytes_append_format(out, ";\n");
        }
    }
}

bool schema_sql(const struct schema *schema, enum dialect dialect, unsigned from, struct bytes *out)
{
    for (size_t i = 0; i < schema->tables_count; i++) {
        if (schema->tables[i].step > from) {
            append_table(schema, dialect, &schema->tables[i], out);
        }
    }
    append_columns(schema, dialect, from, out);
    for (size_t i = 0; i < schema->indexes_count; i++) {
        const struct schema_index *index = &schema->indexes[i];
        bool later = dialect == DIALECT_POSTGRES && schema_index_is_late(schema, index, from);
        if (index->step > from && index->columns[dialect] != NULL && !later) {
            (void)schema_index_sql(index, dialect, false, out);
        }
    }
    return !out->failed;
}
