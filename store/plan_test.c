// SPDX-License-Identifier: ISC
// Plans on a database that is large enough for the planner to care: all hold; each index that goes missing is
// named with the statement that makes it; looking changes nothing and waits for nobody.
#include "store/plan.h"

#include "store/check_db.h"
#include "store/schema.h"
#include "store/testing.h"

#include <time.h>

static void execute(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    PQclear(result);
}

// All that is in the tables, as one number.
static void checksum(PGconn *connection, char out[static 64])
{
    PGresult *result =
        PQexec(connection, "SELECT (SELECT sum(hashtext(t::text)) FROM accounts t), (SELECT "
                           "sum(hashtext(t::text)) FROM sessions t), (SELECT count(*) FROM once), "
                           "(SELECT count(*) FROM audit), (SELECT sum(number) FROM meta)");
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    (void)snprintf(out, 64, "%s %s %s %s %s", PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1),
                   PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3), PQgetvalue(result, 0, 4));
    PQclear(result);
}

static const char filling[] =
    "INSERT INTO accounts SELECT substr(sha256(i::text::bytea), 1, 16), 'user' || i, 'User ' || i, 'user' || "
    "i ||"
    " '@example.org', CASE WHEN i % 5000 = 0 THEN 'admins' ELSE 'staff' END, 0, '$argon2id$' || "
    "md5(i::text), 0, 1,"
    " 1, 0 FROM generate_series(1, 20000) AS i;"
    "INSERT INTO sessions (selector, verifier_hash, public_id, account_id, epoch, created, expires, "
    "last_seen, level,"
    " address, agent) SELECT substr(sha256(('s' || i)::bytea), 1, 16), substr(sha256(('v' || i)::bytea), 1, "
    "16),"
    " substr(sha256(('p' || i)::bytea), 1, 16), substr(sha256((1 + i % 20000)::text::bytea), 1, 16), 0, 1, "
    "9000 + i,"
    " 5000 + i, 1, substr(sha256('a'), 1, 16), 'Firefox' FROM generate_series(1, 60000) AS i;"
    "INSERT INTO once SELECT 'invite', sha256(i::text::bytea), 'staff', 5000 + i FROM generate_series(1, "
    "20000) AS i;"
    "INSERT INTO audit (time, trace, event, username, actor, source, outcome, detail) SELECT 1000 + i, i, "
    "(ARRAY["
    "'login', 'logout', 'password'])[1 + i % 3], 'user' || (i % 4000), '', substr(sha256('a'), 1, 16), "
    "'granted', ''"
    " FROM generate_series(1, 30000) AS i; ANALYZE";

static int setup(void **state)
{
    int failed = testing_on_postgres(state);
    execute(((struct backend *)*state)->postgres, filling);
    return failed;
}

struct seen {
    unsigned looked, small, failed, missing;
    char last[128], remedy[512], statement[1024];
};

static void on_finding(void *owner, const struct plan_finding *finding)
{
    struct seen *seen = owner;
    seen->looked++;
    seen->small += finding->small;
    if (!finding->holds) {
        seen->failed++;
        (void)snprintf(seen->last, sizeof(seen->last), "%s: %.90s", statement_name(finding->statement),
                       finding->why);
        (void)snprintf(seen->remedy, sizeof(seen->remedy), "%s", finding->remedy);
    }
}

static void on_missing(void *owner, const char *index, const char *table, const char *statement)
{
    struct seen *seen = owner;
    (void)index;
    (void)table;
    seen->missing++;
    (void)snprintf(seen->statement, sizeof(seen->statement), "%s", statement);
}

static struct seen look(PGconn *connection, enum plan_depth depth)
{
    struct seen seen = {0};
    char why[256] = "";
    if (!postgres_plans_look(connection, depth, on_finding, &seen, why, sizeof(why)) ||
        !postgres_indexes_look(connection, on_missing, &seen, why, sizeof(why))) {
        fail_msg("%s", why);
    }
    assert_int_equal(PQtransactionStatus(connection), PQTRANS_IDLE);
    return seen;
}

static unsigned count_statements(void)
{
    unsigned count = 0;
    for (enum statement i = 0; i < STATEMENTS; i++) {
        count += statement_sql(DIALECT_POSTGRES, i) != NULL;
    }
    return count;
}

static void every_plan_holds_and_looking_changes_nothing(void **state)
{
    struct backend *b = *state;
    char before[64], after[64];
    checksum(b->postgres, before);
    for (enum plan_depth depth = PLAN_LIVE; depth <= PLAN_RUN; depth++) {
        struct seen seen = look(b->postgres, depth);
        assert_string_equal(seen.last, "");
        assert_int_equal(seen.looked, count_statements());
        assert_int_equal(seen.small, 0);
        assert_int_equal(seen.missing, 0);
    }
    checksum(b->postgres, after);
    assert_string_equal(before, after);
}

static void a_missing_index_is_named_with_what_makes_it(void **state)
{
    struct backend *b = *state;
    for (size_t i = 0; i < schema_current.indexes_count; i++) {
        const struct schema_index *index = &schema_current.indexes[i];
        char sql[128];
        if (index->columns[DIALECT_POSTGRES] == NULL) {
            continue;
        }
        (void)snprintf(sql, sizeof(sql), "DROP INDEX %s", index->name);
        execute(b->postgres, sql);
        struct seen seen = look(b->postgres, PLAN_LIVE);
        assert_int_equal(seen.missing, 1);
        if (strcmp(index->name, "audit_trace") != 0) { // it keeps rows from coming twice, no plan uses it
            assert_true(seen.failed > 0);
            assert_non_null(strstr(seen.last, index->name));
            assert_non_null(strstr(seen.remedy, index->name));
        }
        execute(b->postgres, seen.statement);
        seen = look(b->postgres, PLAN_LIVE);
        assert_int_equal(seen.failed + seen.missing, 0);
    }
    execute(b->postgres, "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey");
    struct seen seen = look(b->postgres, PLAN_LIVE);
    assert_int_equal(seen.missing, 1);
    char *second = strchr(seen.statement, ';'); // the first can't be in a transaction with the second
    *second = '\0';
    execute(b->postgres, seen.statement);
    execute(b->postgres, second + 1);
    seen = look(b->postgres, PLAN_LIVE);
    assert_int_equal(seen.failed + seen.missing, 0);
}

// The planner does not know that the table has grown since it last looked.
static void an_index_that_is_not_used_asks_for_new_statistics(void **state)
{
    struct backend *b = *state;
    execute(b->postgres,
            "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off");
    struct seen seen = look(b->postgres, PLAN_LIVE);
    assert_true(seen.failed > 10);
    assert_int_equal(seen.missing, 0);
    assert_non_null(strstr(seen.remedy, "ANALYZE"));
}

static void too_many_rows_are_told(void **state)
{
    struct backend *b = *state;
    execute(b->postgres, "UPDATE sessions SET expires = 0; ANALYZE sessions"); // a page walks past them all
    struct seen seen = look(b->postgres, PLAN_LIVE);
    assert_int_equal(seen.failed, 1);
    assert_non_null(strstr(seen.last, "SESSION_PAGE: it read "));
}

static void an_empty_database_says_nothing_yet(void **state)
{
    struct backend *b = *state;
    struct seen seen = look(b->postgres, PLAN_RUN);
    assert_int_equal(seen.failed + seen.missing, 0);
}

static void someone_elses_lock_is_not_waited_for(void **state)
{
    struct backend *b = *state;
    struct seen seen = {0};
    struct timespec before, after;
    char why[256] = "";
    PGconn *holder = testing_postgres_connect(&testing_server, "postgres");
    execute(holder, "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    assert_false(postgres_plans_look(b->postgres, PLAN_LIVE, on_finding, &seen, why, sizeof(why)));
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 5);
    assert_non_null(strstr(why, "timeout"));
    execute(holder, "ROLLBACK");
    assert_true(postgres_plans_look(b->postgres, PLAN_LIVE, on_finding, &seen, why, sizeof(why)));
    PGresult *left = PQexec(b->postgres, "SELECT FROM pg_prepared_statements WHERE name = 'stayd_check'");
    assert_int_equal(PQntuples(left), 0); // a pooler gives the connection to others
    PQclear(left);
    PQfinish(holder);
}

// ---- the report ------------------------------------------------------------------------------------------

static enum offline_status report(const char *database, bool json, struct bytes *out)
{
    FILE *in = tmpfile(), *to = tmpfile();
    char buffer[4096];
    size_t got;
    (void)fprintf(in, "%s\n\n\n", database);
    rewind(in);
    enum offline_status status = check_db(&(struct check_db){.json = json}, in, to);
    rewind(to);
    bytes_reset(out);
    while ((got = fread(buffer, 1, sizeof(buffer), to)) > 0) {
        bytes_append(out, buffer, got);
    }
    bytes_append_byte(out, 0);
    (void)fclose(in);
    (void)fclose(to);
    return status;
}

static void assert_says(const struct bytes *out, const char *text)
{
    if (strstr((const char *)out->data, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", (const char *)out->data, text);
    }
}

static void the_report_says_what_is_wrong_with_postgres(void **state)
{
    struct backend *b = *state;
    char url[160];
    struct bytes out;
    bytes_init(&out, 1 << 20);
    (void)snprintf(url, sizeof(url), "postgres://stayd@/postgres?host=%s", testing_server.folder);
    assert_int_equal(report(url, false, &out), OFFLINE_DONE);
    assert_says(&out, "nothing would be changed at a start");
    assert_says(&out, "All 30 statements find their rows as they should.");
    execute(b->postgres, "DROP INDEX accounts_name");
    assert_int_equal(report(url, false, &out), OFFLINE_REFUSED);
    assert_says(&out, "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS accounts_name ON accounts (name);");
    assert_int_equal(report(url, true, &out), OFFLINE_REFUSED);
    assert_says(&out, "{\"name\":\"ACCOUNT_BY_NAME\",\"class\":\"login\",\"holds\":false");
    assert_says(&out, "\"missing_indexes\":[{\"index\":\"accounts_name\"");
    execute(b->postgres, "UPDATE meta SET number = 2 WHERE name = 'schema'");
    assert_int_equal(report(url, true, &out), OFFLINE_REFUSED);
    assert_says(&out, "install that one\"");
    execute(b->postgres, "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    assert_int_equal(report(url, false, &out), OFFLINE_DONE);
    assert_says(&out, "A start of this stayd would run:\n\nBEGIN;\nCREATE TABLE");
    assert_int_equal(report("postgres://stayd@/none?host=/nowhere", false, &out), OFFLINE_UNAVAILABLE);
    bytes_release(&out);
}

static void the_report_says_what_is_wrong_with_sqlite(void **state)
{
    struct backend *b = *state;
    struct bytes out;
    sqlite3 *database = NULL;
    bytes_init(&out, 1 << 20);
    testing_alice(b);
    assert_int_equal(report(b->path, false, &out), OFFLINE_DONE); // while it is in use
    assert_says(&out, "nothing would be changed at a start");
    assert_int_equal(report(b->path, true, &out), OFFLINE_DONE);
    assert_says(&out, "{\"name\":\"ACCOUNT_BY_NAME\",\"class\":\"login\",\"holds\":true");
    assert_int_equal(sqlite3_open(b->path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "DROP INDEX accounts_name", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(report(b->path, false, &out), OFFLINE_REFUSED);
    assert_says(&out, "there is no index accounts_name");
    assert_says(&out, "ACCOUNT_BY_NAME (login): it should use INDEX accounts_name");
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    bytes_release(&out);
}

static void sqlite_works_no_more_than_it_says(void **state)
{
    struct backend *b = *state;
    struct seen seen = {0};
    sqlite3 *database = NULL;
    char why[256] = "";
    assert_int_equal(store_sqlite_begin(b->sqlite), STORE_FINE);
    assert_int_equal(store_sqlite_commit(b->sqlite), STORE_FINE);
    assert_int_equal(sqlite3_open(b->path, &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            database,
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO "
            "accounts SELECT randomblob(16), 'user' || i, '', '', 'staff', 0, 'x', 0, 1, 1, 0 FROM n;"
            "INSERT INTO sessions SELECT id, randomblob(16), randomblob(16), randomblob(16), 0, 1, 9000, "
            "5000, "
            "1, zeroblob(16), '' FROM accounts, (SELECT 1 UNION ALL SELECT 2);"
            // The sample, of an account that a walk comes to last.
            "UPDATE sessions SET selector = x'7f000000000000000000000000000000' WHERE public_id ="
            " (SELECT public_id FROM sessions ORDER BY account_id DESC LIMIT 1);"
            "INSERT INTO accounts VALUES (zeroblob(16), 'root', '', '', 'admins', 0, 'x', 0, 1, 1, 0)",
            NULL, NULL, NULL),
        SQLITE_OK);
    if (!sqlite_work_look(b->path, on_finding, &seen, why, sizeof(why))) {
        fail_msg("%s", why);
    }
    assert_string_equal(seen.last, "");
    assert_true(seen.looked > 25);
    assert_int_equal(sqlite3_exec(database, "DROP INDEX accounts_name", NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite_work_look(b->path, on_finding, &seen, why, sizeof(why)));
    assert_int_equal(seen.failed, 1);
    assert_non_null(strstr(seen.last, "ACCOUNT_BY_NAME: it took "));
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

#define LARGE(function) cmocka_unit_test_setup_teardown(function, setup, testing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LARGE(every_plan_holds_and_looking_changes_nothing),
        LARGE(a_missing_index_is_named_with_what_makes_it),
        LARGE(an_index_that_is_not_used_asks_for_new_statistics),
        LARGE(too_many_rows_are_told),
        ON(testing_on_postgres, an_empty_database_says_nothing_yet),
        ON(testing_on_postgres, someone_elses_lock_is_not_waited_for),
        LARGE(the_report_says_what_is_wrong_with_postgres),
        ON(testing_sqlite, sqlite_works_no_more_than_it_says),
        ON(testing_sqlite, the_report_says_what_is_wrong_with_sqlite),
    };
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
