// SPDX-License-Identifier: ISC
// The schema of both dialects: expanding from one description while an older stayd works on it, two nodes at
// once, and what is refused with its name: newer, foreign, altered, no rights.
#include "store/schema.h"

#include "store/sqlite_schema.h"
#include "store/testing.h"

// ---- a next step -----------------------------------------------------------------------------------------

// What a later stayd might add: a table, columns of each kind, indexes on tables old and new.
static const struct schema_table next_tables[] = {{"keys", 2, {"id", "id"}}};
static const struct schema_column next_columns[] = {
    {"keys", "id", SCHEMA_ID, 2},           {"keys", "owner", SCHEMA_TEXT, 2},
    {"accounts", "locale", SCHEMA_TEXT, 2}, {"accounts", "seen", SCHEMA_NUMBER, 2},
    {"sessions", "extra", SCHEMA_BYTES, 2},
};
static const struct schema_index next_indexes[] = {
    {"keys_owner", "keys", 2, {false, false}, {"owner", "owner"}, {NULL, NULL}},
    {"accounts_locale",
     "accounts",
     2,
     {false, false},
     {"locale, id", "locale, id"},
     {"locale <> ''", "locale <> ''"}},
};

static struct schema_table all_tables[16];
static struct schema_column all_columns[64];
static struct schema_index all_indexes[16];

static struct schema next_schema(void)
{
    struct schema next = schema_current;
    memcpy(all_tables, next.tables, next.tables_count * sizeof(*all_tables));
    memcpy(all_columns, next.columns, next.columns_count * sizeof(*all_columns));
    memcpy(all_indexes, next.indexes, next.indexes_count * sizeof(*all_indexes));
    memcpy(all_tables + next.tables_count, next_tables, sizeof(next_tables));
    memcpy(all_columns + next.columns_count, next_columns, sizeof(next_columns));
    memcpy(all_indexes + next.indexes_count, next_indexes, sizeof(next_indexes));
    next.step = 2;
    next.tables = all_tables;
    next.columns = all_columns;
    next.indexes = all_indexes;
    next.tables_count += sizeof(next_tables) / sizeof(*next_tables);
    next.columns_count += sizeof(next_columns) / sizeof(*next_columns);
    next.indexes_count += sizeof(next_indexes) / sizeof(*next_indexes);
    return next;
}

// What an older stayd does on an expanded database.
static void work(struct backend *b, uint32_t account)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "user%u", account);
    OK(b, account_add, ACCOUNT(account), .name = view_of_cstr(name));
    OK(b, session_grant, SESSION(account, account));
    assert_true(testing_session_is_there(b, account));
    OK(b, session_page, .limit = 10);
    OK(b, account_epoch, .id = testing_id('a', account), .epoch = 1);
    assert_false(testing_session_is_there(b, account));
}

// ---- SQLite ----------------------------------------------------------------------------------------------

static sqlite3 *open_file(const struct backend *b)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(b->path, &database), SQLITE_OK);
    return database;
}

static void run_on_file(const struct backend *b, const char *sql)
{
    sqlite3 *database = open_file(b);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void sqlite_expands_under_an_older_stayd(void **state)
{
    struct backend *b = *state;
    struct schema next = next_schema();
    struct bytes pending;
    int64_t version;
    int code;
    char why[STORE_WHY_MAX] = "";
    bytes_init(&pending, 65536);
    work(b, 1);
    sqlite3 *database = open_file(b);
    assert_true(sqlite_schema_pending(database, &schema_current, &pending));
    assert_int_equal(pending.size, 0);
    assert_true(sqlite_schema_pending(database, &next, &pending));
    assert_non_null(memmem(pending.data, pending.size, "ADD COLUMN locale", 17));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(sqlite_schema_migrate(database, &next, &version, &code), SCHEMA_CURRENT);
        assert_true(sqlite_schema_is_whole(database, &next, why, sizeof(why)));
    }
    work(b, 2);
    store_sqlite_close(&b->sqlite);
    assert_int_equal(store_sqlite_open(&b->sqlite, b->path, STORE_WRITE, why), STORE_OPENED);
    work(b, 3);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    bytes_release(&pending);
}

static void assert_file_refused(struct backend *b, enum store_open expected, const char *says)
{
    char why[STORE_WHY_MAX] = "";
    struct store_sqlite *again = NULL;
    assert_int_equal(store_sqlite_open(&again, b->path, STORE_WRITE, why), expected);
    if (strstr(why, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, says);
    }
}

static void sqlite_refuses_what_is_newer_or_altered(void **state)
{
    struct backend *b = *state;
    work(b, 1);
    store_sqlite_close(&b->sqlite);
    run_on_file(b, "UPDATE meta SET value = 2 WHERE name = 'schema'");
    assert_file_refused(b, STORE_OPEN_NEWER, "newer stayd (schema 2, this one knows 1): install that one");
    run_on_file(
        b, "UPDATE meta SET value = 1 WHERE name = 'schema'; ALTER TABLE accounts RENAME COLUMN phc TO p");
    assert_file_refused(b, STORE_OPEN_DAMAGED, "altered by hand: there is no column accounts.phc");
    run_on_file(b, "ALTER TABLE accounts RENAME COLUMN p TO phc; DROP INDEX sessions_public_id");
    sqlite3 *database = open_file(b);
    char why[STORE_WHY_MAX] = "";
    assert_false(sqlite_schema_is_whole(database, &schema_current, why, sizeof(why)));
    assert_string_equal(why, "there is no index sessions_public_id");
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

// ---- PostgreSQL ------------------------------------------------------------------------------------------

static void execute(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    PQclear(result);
}

static void assert_schema(PGconn *connection, enum postgres_schema_result expected, const char *says)
{
    struct postgres_schema schema = {0};
    enum postgres_schema_result result = postgres_schema_apply(&schema, connection);
    const char *said = result == POSTGRES_SCHEMA_CURRENT ? schema.note : schema.why;
    if (result != expected || strstr(said, says) == NULL) {
        fail_msg("%d, \"%s\" does not say \"%s\"", (int)result, said, says);
    }
    // Whatever was found, the connection is as it was.
    assert_int_equal(PQtransactionStatus(connection), PQTRANS_IDLE);
}

static void postgres_expands_under_an_older_stayd(void **state)
{
    struct backend *b = *state;
    struct schema next = next_schema();
    struct postgres_schema schema = {.schema = &next};
    PGconn *newer = testing_postgres_connect(&testing_server, "postgres");
    struct bytes pending;
    bytes_init(&pending, 65536);
    work(b, 1);
    assert_int_equal(postgres_schema_look(&schema, newer, &pending), POSTGRES_SCHEMA_CURRENT);
    assert_non_null(memmem(pending.data, pending.size, "CONCURRENTLY IF NOT EXISTS accounts_locale", 42));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(postgres_schema_apply(&schema, newer), POSTGRES_SCHEMA_CURRENT);
        assert_string_equal(schema.note, "");
        work(b, 2 + (uint32_t)again);
    }
    bytes_reset(&pending);
    assert_int_equal(postgres_schema_look(&schema, newer, &pending), POSTGRES_SCHEMA_CURRENT);
    assert_int_equal(pending.size, 0);
    assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT, ""); // the older one starts again
    work(b, 4);
    PQfinish(newer);
    bytes_release(&pending);
}

static void what_would_run_is_what_runs(void **state)
{
    struct backend *b = *state;
    struct postgres_schema schema = {0};
    struct bytes pending;
    bytes_init(&pending, 65536);
    execute(b->postgres, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    assert_int_equal(postgres_schema_look(&schema, b->postgres, &pending), POSTGRES_SCHEMA_CURRENT);
    bytes_append_byte(&pending, 0);
    execute(b->postgres, (const char *)pending.data);
    bytes_reset(&pending);
    assert_int_equal(postgres_schema_look(&schema, b->postgres, &pending), POSTGRES_SCHEMA_CURRENT);
    assert_int_equal(pending.size, 0);
    assert_string_equal(schema.note, "");
    bytes_release(&pending);
}

// Sends the dialogue's text without waiting; false: it is over.
static bool advance(struct postgres_schema *schema, PGconn *connection, const PGresult *result)
{
    const char *text = postgres_schema_next(schema, result);
    return text != NULL && PQsendQuery(connection, text) == 1;
}

static PGresult *last_result(PGconn *connection)
{
    PGresult *last = NULL, *result;
    while ((result = PQgetResult(connection)) != NULL) {
        PQclear(last);
        last = result;
    }
    return last;
}

// Step by step in turns, so that both have seen an empty database before either makes a table.
static void two_nodes_that_start_at_once_make_one_schema(void **state)
{
    struct backend *b = *state;
    struct postgres_schema schema[2];
    PGconn *node[2];
    PGresult *result[2] = {NULL, NULL};
    bool goes_on[2] = {true, true};
    execute(b->postgres, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    for (size_t i = 0; i < 2; i++) {
        node[i] = testing_postgres_connect(&testing_server, "postgres");
        postgres_schema_init(&schema[i], &schema_current);
    }
    while (goes_on[0] || goes_on[1]) {
        for (size_t i = 0; i < 2; i++) {
            goes_on[i] = goes_on[i] && advance(&schema[i], node[i], result[i]);
            PQclear(result[i]);
            result[i] = NULL;
        }
        for (size_t i = 0; i < 2; i++) {
            // The one that waits for the other is read after the other went on.
            while (goes_on[i] && PQconsumeInput(node[i]) == 1 && PQisBusy(node[i]) && goes_on[1 - i] &&
                   result[1 - i] == NULL) {
                result[1 - i] = PQisBusy(node[1 - i]) ? NULL : last_result(node[1 - i]);
                if (result[1 - i] != NULL) {
                    goes_on[1 - i] = advance(&schema[1 - i], node[1 - i], result[1 - i]);
                    PQclear(result[1 - i]);
                    result[1 - i] = NULL;
                }
                (void)PQconsumeInput(node[1 - i]);
            }
            result[i] = goes_on[i] && result[i] == NULL ? last_result(node[i]) : result[i];
        }
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(schema[i].result, POSTGRES_SCHEMA_CURRENT);
        postgres_schema_release(&schema[i]);
        PQfinish(node[i]);
    }
    work(b, 1);
}

static void postgres_names_what_was_altered(void **state)
{
    struct backend *b = *state;
    static const struct {
        const char *change, *says, *undo;
    } cases[] = {
        {"ALTER TABLE accounts RENAME phc TO p", "there is no column accounts.phc",
         "ALTER TABLE accounts RENAME p TO phc"},
        {"ALTER TABLE sessions ALTER epoch TYPE integer", "sessions.epoch is integer, not bigint",
         "ALTER TABLE sessions ALTER epoch TYPE bigint"},
        {"ALTER TABLE accounts ALTER email TYPE text COLLATE \"default\"", "accounts.email is not COLLATE",
         "ALTER TABLE accounts ALTER email TYPE text COLLATE \"C\""},
        {"ALTER TABLE once ADD note text NOT NULL", "once.note was added and has no default",
         "ALTER TABLE once DROP note"},
        {"ALTER TABLE audit RENAME TO audit2", "there is no column audit.id",
         "ALTER TABLE audit2 RENAME TO audit"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        execute(b->postgres, cases[i].change);
        assert_schema(b->postgres, POSTGRES_SCHEMA_ALTERED, cases[i].says);
        execute(b->postgres, cases[i].undo);
        assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT, "");
    }
    execute(b->postgres, "ALTER TABLE accounts ADD note text; CREATE TABLE other (x int)");
    assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT, "");
}

// A missing index makes things slow, a stayd that does not start makes them stand.
static void postgres_serves_without_an_index_and_names_it(void **state)
{
    struct backend *b = *state;
    execute(b->postgres, "DROP INDEX accounts_name");
    assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT,
                  "Run: CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS accounts_name ON accounts (name);");
    execute(b->postgres, "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS accounts_name ON accounts (name)");
    assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT, "");
    execute(b->postgres, "ALTER TABLE sessions DROP CONSTRAINT sessions_pkey");
    assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT, "PRIMARY KEY USING INDEX");
    execute(b->postgres,
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS sessions_key ON sessions (selector)");
    execute(b->postgres,
            "ALTER TABLE sessions ADD CONSTRAINT sessions_pkey PRIMARY KEY USING INDEX sessions_key");
    execute(b->postgres,
            "DROP INDEX sessions_account; CREATE INDEX sessions_account ON sessions (account_id)");
    assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT,
                  "DROP INDEX CONCURRENTLY sessions_account; CREATE INDEX");
}

static void postgres_refuses_what_is_newer_or_foreign(void **state)
{
    struct backend *b = *state;
    execute(b->postgres, "UPDATE meta SET number = 2 WHERE name = 'schema'");
    assert_schema(b->postgres, POSTGRES_SCHEMA_NEWER,
                  "newer stayd (schema 2, this one knows 1): install that one");
    execute(b->postgres, "DELETE FROM meta");
    assert_schema(b->postgres, POSTGRES_SCHEMA_FOREIGN, "a database of its own");
    execute(b->postgres, "DROP TABLE meta");
    assert_schema(b->postgres, POSTGRES_SCHEMA_FOREIGN, "\"accounts\" that is not stayd's");
    execute(b->postgres, "CREATE TABLE meta (id int)");
    assert_schema(b->postgres, POSTGRES_SCHEMA_FOREIGN, "\"meta\" is not stayd's");
}

static void a_role_without_rights_is_told_which(void **state)
{
    struct backend *b = *state;
    execute(b->postgres, "DROP ROLE IF EXISTS guest; CREATE ROLE guest; SET ROLE guest");
    assert_schema(b->postgres, POSTGRES_SCHEMA_RIGHTS, "guest");
    execute(b->postgres,
            "RESET ROLE; GRANT USAGE ON SCHEMA public TO guest; GRANT SELECT ON ALL TABLES IN SCHEMA "
            "public TO guest; SET ROLE guest");
    assert_schema(b->postgres, POSTGRES_SCHEMA_RIGHTS,
                  "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \"public\" TO \"guest\"");
    execute(b->postgres, "RESET ROLE; GRANT ALL ON ALL TABLES IN SCHEMA public TO guest; SET ROLE guest");
    assert_schema(b->postgres, POSTGRES_SCHEMA_CURRENT, ""); // it needs no right to create now
    work(b, 1);
    execute(b->postgres,
            "RESET ROLE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA "
            "public TO guest; SET ROLE guest");
    assert_schema(b->postgres, POSTGRES_SCHEMA_RIGHTS,
                  "GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"guest\"");
    execute(b->postgres, "RESET ROLE; DROP SCHEMA public CASCADE; DROP ROLE guest; CREATE SCHEMA public");
}

static void an_unfit_server_is_refused(void **state)
{
    (void)state;
    static const char *const answers[][2] = {{"110022", "UTF8"}, {"150000", "SQL_ASCII"}};
    static const char *const says[] = {"PostgreSQL 11; stayd needs 12 or later",
                                       "SQL_ASCII; stayd needs UTF8"};
    for (size_t i = 0; i < 2; i++) {
        struct postgres_schema schema;
        PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
        PGresAttDesc columns[6] = {{.name = (char[]){"x"}}, {.name = (char[]){"x"}}, {.name = (char[]){"x"}},
                                   {.name = (char[]){"x"}}, {.name = (char[]){"x"}}, {.name = (char[]){"x"}}};
        assert_int_equal(PQsetResultAttrs(result, 6, columns), 1);
        for (int c = 0; c < 6; c++) {
            const char *value = c < 2 ? answers[i][c] : "f";
            assert_int_equal(PQsetvalue(result, 0, c, (char *)(uintptr_t)value, (int)strlen(value)), 1);
        }
        postgres_schema_init(&schema, &schema_current);
        assert_non_null(postgres_schema_next(&schema, NULL));
        assert_null(postgres_schema_next(&schema, result));
        assert_int_equal(schema.result, POSTGRES_SCHEMA_UNFIT);
        assert_non_null(strstr(schema.why, says[i]));
        postgres_schema_release(&schema);
        PQclear(result);
    }
}

// A transaction that reads a table must not have everyone queue behind the migration that wants it.
static void a_lock_in_the_way_is_given_up(void **state)
{
    struct backend *b = *state;
    struct schema next = next_schema();
    struct postgres_schema schema;
    PGconn *reader = testing_postgres_connect(&testing_server, "postgres");
    PGresult *result = NULL;
    const char *text;
    unsigned rounds = 0;
    execute(reader, "BEGIN; SELECT count(*) FROM accounts");
    postgres_schema_init(&schema, &next);
    while ((text = postgres_schema_next(&schema, result)) != NULL) {
        char soon[512];
        const char *at = strstr(text, "'3s'");
        PQclear(result);
        if (at != NULL) { // time is not waited for
            rounds++;
            (void)snprintf(soon, sizeof(soon),
                           "BEGIN; SET LOCAL lock_timeout = '10ms'; SELECT number FROM meta WHERE "
                           "name = 'step' FOR UPDATE");
            text = soon;
        }
        result = PQexec(b->postgres, text);
    }
    PQclear(result);
    assert_int_equal(schema.result, POSTGRES_SCHEMA_FAILED);
    assert_int_equal(rounds, 5);
    assert_non_null(strstr(schema.why, "lock timeout"));
    assert_int_equal(PQtransactionStatus(b->postgres), PQTRANS_IDLE);
    postgres_schema_release(&schema);
    PQfinish(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON(testing_sqlite, sqlite_expands_under_an_older_stayd),
        ON(testing_sqlite, sqlite_refuses_what_is_newer_or_altered),
        ON(testing_on_postgres, postgres_expands_under_an_older_stayd),
        ON(testing_on_postgres, what_would_run_is_what_runs),
        ON(testing_on_postgres, two_nodes_that_start_at_once_make_one_schema),
        ON(testing_on_postgres, postgres_names_what_was_altered),
        ON(testing_on_postgres, postgres_serves_without_an_index_and_names_it),
        ON(testing_on_postgres, postgres_refuses_what_is_newer_or_foreign),
        ON(testing_on_postgres, a_role_without_rights_is_told_which),
        ON(testing_on_postgres, a_lock_in_the_way_is_given_up),
        cmocka_unit_test(an_unfit_server_is_refused),
    };
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
