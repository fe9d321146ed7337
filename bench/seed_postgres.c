// SPDX-License-Identifier: ISC
// A PostgreSQL database that has stayd's tables, empty, filled by COPY in its binary form. Indexes and keys
// are built once at the end, all in one transaction: with wal_level = minimal none of it goes into the WAL.
// Then its statistics are taken, as the server would do by itself in an hour.
#include "bench/seed.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_SIZE = 256 * 1024, ROW_SIZE_MAX = 4096 };

static struct {
    PGconn *connection;
    bool copying;
    unsigned count;
    int width[SEED_COLUMNS_MAX]; // of each column's type; below 0 where it varies
    char *index[SEED_INDEXES_MAX];
    uint8_t buffer[BUFFER_SIZE];
    size_t size;
} to;

static PGresult *ask(const char *sql, ExecStatusType expected)
{
    PGresult *result = PQexec(to.connection, sql);
    if (PQresultStatus(result) != expected) {
        seed_die(sql, PQerrorMessage(to.connection));
    }
    return result;
}

static void run(const char *sql)
{
    PQclear(ask(sql, PGRES_COMMAND_OK));
}

static void drop_indexes(void)
{
    PGresult *found =
        ask("SELECT CASE WHEN c.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)"
            " ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', t.oid::regclass, c.conname) END,"
            " CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)"
            " ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', t.oid::regclass, c.conname,"
            " pg_get_constraintdef(c.oid)) END"
            " FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid"
            " LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid"
            " WHERE t.relname IN ('accounts', 'sessions', 'once', 'audit') AND pg_table_is_visible(t.oid)",
            PGRES_TUPLES_OK);
    int count = PQntuples(found);
    if (count > SEED_INDEXES_MAX) {
        seed_die("indexes", "there are more than this program knows of");
    }
    for (int i = 0; i < count; i++) {
        run(PQgetvalue(found, i, 0));
        to.index[i] = strdup(PQgetvalue(found, i, 1));
    }
    PQclear(found);
}

// What is there is truncated: accounts and sessions would be lost.
static void refuse_people(void)
{
    PGresult *found =
        ask("SELECT EXISTS (SELECT FROM accounts) OR EXISTS (SELECT FROM sessions)", PGRES_TUPLES_OK);
    if (PQgetvalue(found, 0, 0)[0] == 't') {
        seed_die("the database", "it has accounts or sessions; only one without them is filled");
    }
    PQclear(found);
}

static void open_database(const char *url)
{
    to.connection = PQconnectdb(url);
    if (PQstatus(to.connection) != CONNECTION_OK) {
        seed_die("connecting", PQerrorMessage(to.connection));
    }
    run("SET synchronous_commit = off");
    run("SET maintenance_work_mem = '512MB'");
    run("SET client_min_messages = warning");
    run("BEGIN");
    refuse_people();
    run("TRUNCATE accounts, sessions, once, audit"); // what a transaction makes anew need not be logged
    drop_indexes();
}

static void flush(void)
{
    if (to.size > 0 && PQputCopyData(to.connection, (const char *)to.buffer, (int)to.size) != 1) {
        seed_die("rows", PQerrorMessage(to.connection));
    }
    to.size = 0;
}

static void put_bytes(const void *bytes, size_t size)
{
    if (size > sizeof(to.buffer) - to.size) {
        seed_die("a row", "too long");
    }
    memcpy(to.buffer + to.size, bytes, size);
    to.size += size;
}

static void put_u16(uint16_t value)
{
    value = htobe16(value);
    put_bytes(&value, sizeof(value));
}

static void put_u32(uint32_t value)
{
    value = htobe32(value);
    put_bytes(&value, sizeof(value));
}

static void end_copy(void)
{
    if (!to.copying) {
        return;
    }
    put_u16(UINT16_MAX); // the trailer
    flush();
    if (PQputCopyEnd(to.connection, NULL) != 1) {
        seed_die("the end of a table", PQerrorMessage(to.connection));
    }
    for (PGresult *result = NULL; (result = PQgetResult(to.connection)) != NULL; PQclear(result)) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            seed_die("a table", PQerrorMessage(to.connection));
        }
    }
    to.copying = false;
}

// The widths of the numbers are the schema's business: they are asked for.
static void take_widths(const struct seed_table *table)
{
    char sql[512];
    snprintf(sql, sizeof(sql), "SELECT %s FROM %s LIMIT 0", table->columns, table->name);
    PGresult *result = ask(sql, PGRES_TUPLES_OK);
    for (unsigned i = 0; i < table->count; i++) {
        to.width[i] = PQfsize(result, (int)i);
    }
    PQclear(result);
    to.count = table->count;
}

static void next_table(const struct seed_table *table)
{
    static const uint8_t header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
    char sql[512];
    end_copy();
    take_widths(table);
    snprintf(sql, sizeof(sql), "COPY %s (%s) FROM STDIN (FORMAT binary, FREEZE)", table->name,
             table->columns);
    PQclear(ask(sql, PGRES_COPY_IN));
    to.copying = true;
    put_bytes(header, sizeof(header));
}

static void put_number(int width, int64_t number)
{
    put_u32((uint32_t)width);
    if (width == 1) {
        put_bytes(&(uint8_t){number != 0}, 1);
    } else if (width == 2) {
        put_u16((uint16_t)number);
    } else if (width == 4) {
        put_u32((uint32_t)number);
    } else if (width == 8) {
        put_bytes(&(uint64_t){htobe64((uint64_t)number)}, 8);
    } else {
        seed_die("a number", "its column has no width");
    }
}

static void put_row(const struct seed_value *value)
{
    if (to.size > BUFFER_SIZE - ROW_SIZE_MAX) {
        flush();
    }
    put_u16((uint16_t)to.count);
    for (unsigned i = 0; i < to.count; i++) {
        if (value[i].kind == SEED_NUMBER) {
            put_number(to.width[i], value[i].number);
        } else {
            put_u32((uint32_t)value[i].size);
            put_bytes(value[i].bytes, value[i].size);
        }
    }
}

static void close_database(void)
{
    end_copy();
    for (size_t i = 0; i < SEED_INDEXES_MAX && to.index[i] != NULL; i++) {
        run(to.index[i]);
        free(to.index[i]);
    }
    run("COMMIT");
    run("VACUUM (ANALYZE) accounts");
    run("VACUUM (ANALYZE) sessions");
    run("VACUUM (ANALYZE) once");
    run("VACUUM (ANALYZE) audit");
    PQfinish(to.connection);
}

const struct seed_target seed_postgres = {open_database, next_table, put_row, close_database};
