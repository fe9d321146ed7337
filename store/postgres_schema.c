// SPDX-License-Identifier: ISC
// The schema on PostgreSQL. Runs in stayd-store.
//
//   PROBE ── no tables ──────────────────────────────► BEGIN ► EXPAND ► LATE… ► CATALOG ► over
//     └► NUMBERS ── step behind ─────────────────────────┘                         ▲
//           └────── step current or ahead ─────────────────────────────────────────┘
//   A failure after BEGIN goes to ROLLBACK; what another node's start may have caused begins again at PROBE.
#include "store/postgres_schema.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SQL_MAX   32768
#define TRIES_MAX 5

enum stage { PROBE = 1, NUMBERS, BEGIN, EXPAND, LATE, CATALOG, ROLLBACK, OVER };

static const char probe_sql[] =
    "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_user,"
    " current_schema(), to_regclass('meta') IS NOT NULL, to_regclass('accounts') IS NOT NULL";

// The row of `step` is what nodes wait for each other at; a lock that is not had soon (someone's transaction
// reads a table that is to be altered) is given up, because everyone else would queue behind it.
#define META_SQL                                                                                             \
    "CREATE TABLE IF NOT EXISTS meta (name text COLLATE \"C\" PRIMARY KEY, number bigint NOT NULL, data "    \
    "bytea "                                                                                                 \
    "NOT NULL);\n"                                                                                           \
    "INSERT INTO meta (name, number, data) VALUES ('schema', 1, ''), ('step', 0, ''), ('administrators', "   \
    "0, "                                                                                                    \
    "''), ('last_alive', 0, ''), ('swept', 0, '') ON CONFLICT DO NOTHING;\n"
static_assert(SCHEMA_VERSION == 1, "META_SQL says the same");

static const char begin_sql[] =
    "BEGIN; SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = '3s';" META_SQL
    "SELECT number FROM meta WHERE name = 'step' FOR UPDATE";

void postgres_schema_init(struct postgres_schema *schema, const struct schema *wanted)
{
    *schema = (struct postgres_schema){.schema = wanted};
    bytes_init(&schema->sql, SQL_MAX);
}

void postgres_schema_release(struct postgres_schema *schema)
{
    bytes_release(&schema->sql);
}

// ---- failures --------------------------------------------------------------------------------------------

static bool is_fine(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static const char *over(struct postgres_schema *schema, enum postgres_schema_result result)
{
    schema->result = result;
    schema->stage = OVER;
    return NULL;
}

[[gnu::format(printf, 3, 4)]] static const char *
refuse(struct postgres_schema *schema, enum postgres_schema_result result, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(schema->why, sizeof(schema->why), format, list);
    va_end(list);
    return over(schema, result);
}

static bool is_state(const PGresult *result, const char *list)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != NULL && strstr(list, state) != NULL;
}

static const char *message(const PGresult *result)
{
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return text == NULL ? "the connection was lost" : text;
}

static void explain(struct postgres_schema *schema, const PGresult *result)
{
    if (is_state(result, "42501")) {
        (void)snprintf(
            schema->why, sizeof(schema->why),
            "%s: stayd's tables can't be made or changed by the role \"%s\". As the database's owner "
            "run: GRANT USAGE, CREATE ON SCHEMA \"%s\" TO \"%s\"; or run there what \"stayctl check-db\" "
            "shows",
            message(result), schema->role, schema->space, schema->role);
        schema->result = POSTGRES_SCHEMA_RIGHTS;
    } else if (is_state(result, "53100")) {
        (void)snprintf(schema->why, sizeof(schema->why),
                       "no space left on the disk of the server: free some (%s)", message(result));
        schema->result = POSTGRES_SCHEMA_FAILED;
    } else {
        (void)snprintf(schema->why, sizeof(schema->why), "the schema can't be brought up to date: %s",
                       message(result));
        schema->result = POSTGRES_SCHEMA_FAILED;
    }
}

// What two nodes that start at once, or a lock in the way, may cause: all of it passes.
#define PASSING "23505 40P01 40001 55P03 42P07 42710"

static const char *fail(struct postgres_schema *schema, const PGresult *result)
{
    bool again = is_state(result, PASSING) && ++schema->tries < TRIES_MAX;
    bool begun = schema->stage == BEGIN || schema->stage == EXPAND;
    explain(schema, result);
    if (!again && !begun) {
        return over(schema, schema->result);
    }
    schema->result = again ? 0 : schema->result;
    schema->stage = begun ? ROLLBACK : PROBE;
    return begun ? "ROLLBACK" : probe_sql;
}

// ---- looking ---------------------------------------------------------------------------------------------

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static unsigned number_at(const PGresult *result, int row, int column)
{
    return (unsigned)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

static const char *begin(struct postgres_schema *schema)
{
    if (schema->look_only) {
        return over(schema, POSTGRES_SCHEMA_CURRENT);
    }
    schema->stage = BEGIN;
    return begin_sql;
}

static const char *on_probe(struct postgres_schema *schema, const PGresult *result)
{
    unsigned version = number_at(result, 0, 0);
    (void)snprintf(schema->role, sizeof(schema->role), "%s", PQgetvalue(result, 0, 2));
    (void)snprintf(schema->space, sizeof(schema->space), "%s", PQgetvalue(result, 0, 3));
    if (version < POSTGRES_SERVER_LEAST) {
        return refuse(schema, POSTGRES_SCHEMA_UNFIT,
                      "the server is PostgreSQL %u; stayd needs %d or later: upgrade the server",
                      version / 10000, POSTGRES_SERVER_LEAST / 10000);
    }
    if (strcmp(PQgetvalue(result, 0, 1), "UTF8") != 0) {
        return refuse(
            schema, POSTGRES_SCHEMA_UNFIT,
            "the database's encoding is %s; stayd needs UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE "
            "template0",
            PQgetvalue(result, 0, 1));
    }
    if (PQgetisnull(result, 0, 3)) {
        return refuse(
            schema, POSTGRES_SCHEMA_RIGHTS,
            "the role \"%s\" finds no schema to put tables in: as the database's owner run: CREATE SCHEMA "
            "public; GRANT USAGE, CREATE ON SCHEMA public TO \"%s\"",
            schema->role, schema->role);
    }
    schema->step = 0;
    if (is_true(result, 0, 4)) {
        schema->stage = NUMBERS;
        return "SELECT name, number FROM meta WHERE name IN ('schema', 'step')";
    }
    if (is_true(result, 0, 5)) {
        return refuse(schema, POSTGRES_SCHEMA_FOREIGN,
                      "there is a table \"accounts\" that is not stayd's: give stayd a database of its own");
    }
    return begin(schema);
}

static void append_catalog(struct postgres_schema *schema)
{
    struct bytes *sql = &schema->sql;
    bytes_reset(sql);
    bytes_append_format(sql, "WITH ours AS (SELECT * FROM pg_class WHERE oid IN (to_regclass('meta')");
    for (size_t i = 0; i < schema->schema->tables_count; i++) {
        bytes_append_format(sql, ", to_regclass('%s')", schema->schema->tables[i].name);
    }
    bytes_append_view(
        sql,
        view_of_cstr(
            ")) SELECT 'column', t.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,"
            " a.atthasdef OR a.attidentity <> '', coalesce(c.collname, '') FROM ours AS t"
            " JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " LEFT JOIN pg_collation AS c ON c.oid = a.attcollation"
            " UNION ALL SELECT 'index', t.relname, i.relname, (SELECT "
            "string_agg(pg_get_indexdef(x.indexrelid, "
            "k, true),"
            " ', ' ORDER BY k) FROM generate_series(1, x.indnkeyatts) AS k), x.indisvalid, x.indisunique, ''"
            " FROM ours AS t JOIN pg_index AS x ON x.indrelid = t.oid JOIN pg_class AS i ON i.oid = "
            "x.indexrelid"
            " UNION ALL SELECT 'right', t.relname, '', '', has_table_privilege(t.oid, 'SELECT') AND"
            " has_table_privilege(t.oid, 'INSERT') AND has_table_privilege(t.oid, 'UPDATE') AND"
            " has_table_privilege(t.oid, 'DELETE'), false, '' FROM ours AS t"));
    bytes_append_byte(sql, 0);
}

static const char *catalog(struct postgres_schema *schema)
{
    append_catalog(schema);
    if (schema->sql.failed) {
        return refuse(schema, POSTGRES_SCHEMA_FAILED, "out of memory");
    }
    schema->stage = CATALOG;
    return (const char *)schema->sql.data;
}

static const char *on_numbers(struct postgres_schema *schema, const PGresult *result)
{
    unsigned version = 0;
    for (int i = 0; i < PQntuples(result); i++) {
        *(strcmp(PQgetvalue(result, i, 0), "schema") == 0 ? &version : &schema->step) =
            number_at(result, i, 1);
    }
    if (version == 0) {
        return refuse(schema, POSTGRES_SCHEMA_FOREIGN,
                      "the table \"meta\" is not stayd's: give stayd a database of its own");
    }
    if (version > SCHEMA_VERSION) {
        return refuse(
            schema, POSTGRES_SCHEMA_NEWER,
            "the database was written by a newer stayd (schema %u, this one knows %d): install that one",
            version, SCHEMA_VERSION);
    }
    return schema->step < schema->schema->step ? begin(schema) : catalog(schema);
}

// ---- expanding -------------------------------------------------------------------------------------------

static const char *on_begin(struct postgres_schema *schema, const PGresult *result)
{
    struct bytes *sql = &schema->sql;
    unsigned found = number_at(result, 0, 0);
    schema->step = found;
    schema->late = 0;
    bytes_reset(sql);
    if (found < schema->schema->step) {
        (void)schema_sql(schema->schema, DIALECT_POSTGRES, found, sql);
        bytes_append_format(sql, "UPDATE meta SET number = %u WHERE name = 'step';", schema->schema->step);
    }
    bytes_append_format(sql, "COMMIT");
    bytes_append_byte(sql, 0);
    schema->stage = EXPAND;
    return sql->failed ? "COMMIT" : (const char *)sql->data;
}

// The next index that is built beside, or on to the look.
static const char *next_late(struct postgres_schema *schema)
{
    const struct schema *wanted = schema->schema;
    schema->stage = LATE;
    while (schema->late < wanted->indexes_count) {
        const struct schema_index *index = &wanted->indexes[schema->late++];
        if (schema_index_is_late(wanted, index, schema->step)) {
            bytes_reset(&schema->sql);
            (void)schema_index_sql(index, DIALECT_POSTGRES, true, &schema->sql);
            bytes_append_byte(&schema->sql, 0);
            return schema->sql.failed ? catalog(schema) : (const char *)schema->sql.data;
        }
    }
    return catalog(schema);
}

// ---- as stayd made it? -----------------------------------------------------------------------------------

static int find(const PGresult *result, const char *kind, const char *table, const char *name)
{
    for (int i = 0; i < PQntuples(result); i++) {
        if (strcmp(PQgetvalue(result, i, 0), kind) == 0 && strcmp(PQgetvalue(result, i, 1), table) == 0 &&
            strcmp(PQgetvalue(result, i, 2), name) == 0) {
            return i;
        }
    }
    return -1;
}

#define ALTERED "the tables were altered by hand: "
#define REMEDY  ": put it back as it was, or restore the database"

static bool column_holds(struct postgres_schema *schema, const PGresult *result,
                         const struct schema_column *column)
{
    int row = find(result, "column", column->table, column->name);
    const char *type = schema_type_name(DIALECT_POSTGRES, column->type);
    if (row < 0) {
        (void)refuse(schema, POSTGRES_SCHEMA_ALTERED, ALTERED "there is no column %s.%s" REMEDY,
                     column->table, column->name);
    } else if (strcmp(PQgetvalue(result, row, 3), type) != 0) {
        (void)refuse(schema, POSTGRES_SCHEMA_ALTERED, ALTERED "the column %s.%s is %s, not %s" REMEDY,
                     column->table, column->name, PQgetvalue(result, row, 3), type);
    } else if (column->type == SCHEMA_TEXT && strcmp(PQgetvalue(result, row, 6), "C") != 0) {
        (void)refuse(schema, POSTGRES_SCHEMA_ALTERED, ALTERED "the column %s.%s is not COLLATE \"C\"" REMEDY,
                     column->table, column->name);
    }
    return schema->result == 0;
}

static bool is_described(const struct schema *schema, const char *table, const char *name)
{
    for (size_t i = 0; i < schema->columns_count; i++) {
        if (strcmp(schema->columns[i].table, table) == 0 && strcmp(schema->columns[i].name, name) == 0) {
            return true;
        }
    }
    return strcmp(table, "meta") == 0;
}

// What was added is no harm unless an INSERT that does not know it fails.
static bool additions_hold(struct postgres_schema *schema, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        const char *table = PQgetvalue(result, i, 1), *name = PQgetvalue(result, i, 2);
        if (strcmp(PQgetvalue(result, i, 0), "column") == 0 && is_true(result, i, 4) &&
            !is_true(result, i, 5) && !is_described(schema->schema, table, name)) {
            (void)refuse(schema, POSTGRES_SCHEMA_ALTERED,
                         ALTERED
                         "the column %s.%s was added and has no default, so that no row can be added: ALTER "
                         "TABLE %s ALTER COLUMN %s DROP NOT NULL",
                         table, name, table, name);
            return false;
        }
        if (strcmp(PQgetvalue(result, i, 0), "right") == 0 && !is_true(result, i, 4)) {
            (void)refuse(
                schema, POSTGRES_SCHEMA_RIGHTS,
                "the role \"%s\" may not read and write the table \"%s\": as its owner run: GRANT SELECT, "
                "INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"%s\" TO \"%s\"",
                schema->role, table, schema->space, schema->role);
            return false;
        }
    }
    return true;
}

static bool index_is_there(const PGresult *result, const char *table, const char *name, const char *columns,
                           bool unique)
{
    int row = find(result, "index", table, name);
    return row >= 0 && is_true(result, row, 4) && is_true(result, row, 5) == unique &&
           strcmp(PQgetvalue(result, row, 3), columns) == 0;
}

static void note_index(struct postgres_schema *schema, const char *name, const struct bytes *sql, bool there)
{
    if (schema->note[0] == '\0') {
        (void)snprintf(schema->note, sizeof(schema->note),
                       "the index %s %s, and what needs it is slow. Run: %s%s%s%.*s", name,
                       there ? "is not the one that stayd made, or was never finished" : "is missing",
                       there ? "DROP INDEX CONCURRENTLY " : "", there ? name : "", there ? "; " : "",
                       (int)sql->size - 1, (const char *)sql->data);
    }
}

static void look_for_indexes(struct postgres_schema *schema, const PGresult *result)
{
    const struct schema *wanted = schema->schema;
    for (size_t i = 0; i < wanted->indexes_count; i++) {
        const struct schema_index *index = &wanted->indexes[i];
        const char *columns = index->columns[DIALECT_POSTGRES];
        if (columns != NULL &&
            !index_is_there(result, index->table, index->name, columns, index->unique[DIALECT_POSTGRES])) {
            bytes_reset(&schema->sql);
            if (schema_index_sql(index, DIALECT_POSTGRES, true, &schema->sql)) {
                note_index(schema, index->name, &schema->sql,
                           find(result, "index", index->table, index->name) >= 0);
            }
        }
    }
    for (size_t i = 0; i < wanted->tables_count; i++) {
        const struct schema_table *table = &wanted->tables[i];
        const char *key = table->key[DIALECT_POSTGRES];
        char name[80];
        (void)snprintf(name, sizeof(name), "%s_pkey", table->name);
        if (!index_is_there(result, table->name, name, key == NULL ? "id" : key, true)) {
            bytes_reset(&schema->sql);
            if (schema_key_sql(table, &schema->sql)) {
                note_index(schema, name, &schema->sql, false);
            }
        }
    }
}

static const char *on_catalog(struct postgres_schema *schema, const PGresult *result)
{
    for (size_t i = 0; i < schema->schema->columns_count; i++) {
        if (!column_holds(schema, result, &schema->schema->columns[i])) {
            return NULL;
        }
    }
    if (!additions_hold(schema, result)) {
        return NULL;
    }
    look_for_indexes(schema, result);
    return over(schema, POSTGRES_SCHEMA_CURRENT);
}

// ---- the dialogue ----------------------------------------------------------------------------------------

static const char *on_rollback(struct postgres_schema *schema, const PGresult *result)
{
    (void)result;
    if (schema->result != 0) {
        return over(schema, schema->result);
    }
    schema->stage = PROBE;
    return probe_sql;
}

static const char *on_expand(struct postgres_schema *schema, const PGresult *result)
{
    (void)result;
    return next_late(schema);
}

static const char *(*const stages[OVER])(struct postgres_schema *, const PGresult *) = {
    [PROBE] = on_probe, [NUMBERS] = on_numbers, [BEGIN] = on_begin,       [EXPAND] = on_expand,
    [LATE] = on_expand, [CATALOG] = on_catalog, [ROLLBACK] = on_rollback,
};

const char *postgres_schema_next(struct postgres_schema *schema, const PGresult *result)
{
    assert(schema->stage < OVER);
    if (schema->stage == 0) {
        schema->stage = PROBE;
        return probe_sql;
    }
    // An index that could not be built is noted by the look at the end.
    if (!is_fine(result) && schema->stage != LATE && schema->stage != ROLLBACK) {
        if (schema->stage == NUMBERS && is_state(result, "42703 42804 42883")) {
            return refuse(schema, POSTGRES_SCHEMA_FOREIGN,
                          "the table \"meta\" is not stayd's: give stayd a database of its own");
        }
        return fail(schema, result);
    }
    return stages[schema->stage](schema, result);
}

static enum postgres_schema_result run(struct postgres_schema *schema, PGconn *connection)
{
    PGresult *result = NULL;
    const char *text;
    while ((text = postgres_schema_next(schema, result)) != NULL) {
        PQclear(result);
        result = PQexec(connection, text);
    }
    PQclear(result);
    return schema->result;
}

enum postgres_schema_result postgres_schema_apply(struct postgres_schema *schema, PGconn *connection)
{
    postgres_schema_init(schema, schema->schema == NULL ? &schema_current : schema->schema);
    (void)run(schema, connection);
    postgres_schema_release(schema);
    return schema->result;
}

static void append_pending(const struct schema *wanted, unsigned from, struct bytes *pending)
{
    bytes_append_format(pending, "BEGIN;\n%s", from == 0 ? META_SQL : "");
    (void)schema_sql(wanted, DIALECT_POSTGRES, from, pending);
    bytes_append_format(pending, "UPDATE meta SET number = %u WHERE name = 'step';\nCOMMIT;\n", wanted->step);
    for (size_t i = 0; i < wanted->indexes_count; i++) {
        if (schema_index_is_late(wanted, &wanted->indexes[i], from)) {
            (void)schema_index_sql(&wanted->indexes[i], DIALECT_POSTGRES, true, pending);
        }
    }
}

enum postgres_schema_result postgres_schema_look(struct postgres_schema *schema, PGconn *connection,
                                                 struct bytes *pending)
{
    const struct schema *wanted = schema->schema == NULL ? &schema_current : schema->schema;
    postgres_schema_init(schema, wanted);
    schema->look_only = true;
    if (run(schema, connection) == POSTGRES_SCHEMA_CURRENT && schema->step < wanted->step) {
        append_pending(wanted, schema->step, pending);
    }
    postgres_schema_release(schema);
    return schema->result;
}
