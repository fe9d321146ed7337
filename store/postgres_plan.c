// SPDX-License-Identifier: ISC
// Plans of PostgreSQL, by EXPLAIN. Runs in stayd-store (offline) and in tests.
//
// Each statement is looked at twice: with the plan that serves all values (what a server comes to use for a
// statement that is prepared once and run often), and with values of an account and a session that are there.
// Nothing is forbidden to the planner: what it chooses is what it will choose. A table below SMALL_BYTES is
// read whole, and rightly.
#include "store/plan.h"

#include "store/eyes_text.h"
#include "store/plan_sample.h"
#include "store/postgres_call.h"
#include "store/schema.h"

#include <stdio.h>
#include <stdlib.h>

#define SMALL_BYTES (1u << 20)
#define TABLES      4

static const char *const table_names[TABLES] = {"accounts", "sessions", "once", "audit"};

struct look {
    PGconn *connection;
    enum plan_depth depth;
    plan_found *found;
    void *owner;
    char *why;
    size_t why_size;
    bool small[TABLES];
    struct plan_finding findings[STATEMENTS];
    bool looked[STATEMENTS];
};

// ---- asking ----------------------------------------------------------------------------------------------

static bool is_fine(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static bool failed(struct look *look)
{
    (void)snprintf(look->why, look->why_size, "%s", PQerrorMessage(look->connection));
    look->why[strcspn(look->why, "\n")] = '\0';
    return false;
}

static bool execute(struct look *look, const char *sql)
{
    PGresult *result = PQexec(look->connection, sql);
    bool fine = is_fine(result);
    PQclear(result);
    return fine || failed(look);
}

// Everything happens in a transaction that is rolled back.
static bool begin(struct look *look, bool changes)
{
    char sql[160];
    (void)snprintf(sql, sizeof(sql),
                   "BEGIN%s; SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = 500",
                   changes ? "" : " READ ONLY", look->depth == PLAN_RUN ? 60000 : PLAN_TIMEOUT_MS);
    return execute(look, sql);
}

static int table_of(struct view name)
{
    for (int i = 0; i < TABLES; i++) {
        if (view_equal(name, view_of_cstr(table_names[i]))) {
            return i;
        }
    }
    return -1;
}

static bool find_small(struct look *look)
{
    bool fine = begin(look, false);
    for (int i = 0; fine && i < TABLES; i++) {
        const char *values[1] = {table_names[i]};
        PGresult *result = PQexecParams(look->connection, "SELECT pg_relation_size(to_regclass($1))", 1, NULL,
                                        values, NULL, NULL, 0);
        fine = is_fine(result) || failed(look);
        if (fine && PQgetisnull(result, 0, 0)) {
            (void)snprintf(look->why, look->why_size, "there is no table %s", table_names[i]);
            fine = false;
        }
        look->small[i] = fine && strtoull(PQgetvalue(result, 0, 0), NULL, 10) < SMALL_BYTES;
        PQclear(result);
    }
    PQclear(PQexec(look->connection, "ROLLBACK"));
    return fine;
}

// ---- reading a plan --------------------------------------------------------------------------------------

static struct view word_after(struct view line, const char *mark)
{
    const uint8_t *at = line.size == 0 ? NULL : memmem(line.data, line.size, mark, strlen(mark));
    if (at == NULL) {
        return VIEW("");
    }
    struct view rest = view_from(line, (size_t)(at - line.data) + strlen(mark));
    return view_first(rest, view_index(rest, ' '));
}

static double number_after(struct view line, const char *mark)
{
    char text[32];
    struct view word = word_after(line, mark);
    return view_to_cstr(view_first(word, sizeof(text) - 1), text, sizeof(text)) ? strtod(text, NULL) : 0;
}

static bool has(struct view text, const char *part)
{
    return text.size > 0 && memmem(text.data, text.size, part, strlen(part)) != NULL;
}

// The table that a line of a plan reads, -1: none of ours.
static int scanned_table(struct view line)
{
    if (!has(line, "Scan") || has(line, "Bitmap Index Scan")) {
        return -1;
    }
    return table_of(word_after(line, " on "));
}

static bool plan_uses(struct view plan, struct view index)
{
    while (plan.size > 0) {
        struct view line = view_cut(&plan, '\n');
        if (view_equal(word_after(line, " using "), index) ||
            view_equal(word_after(line, "Bitmap Index Scan on "), index)) {
            return true;
        }
    }
    return false;
}

static uint64_t rows_read(struct view plan)
{
    double rows = 0, loops = 0;
    while (plan.size > 0) {
        struct view line = view_cut(&plan, '\n');
        if (has(line, " rows=") || has(line, "(never executed)")) {
            loops = scanned_table(line) >= 0 ? number_after(line, " loops=") : 0;
            rows += number_after(line, " rows=") * loops;
        } else if (has(line, "Rows Removed by Filter: ") || has(line, "Rows Removed by Index Recheck: ")) {
            rows += number_after(line, ": ") * loops;
        }
    }
    return (uint64_t)rows;
}

// ---- judging one -----------------------------------------------------------------------------------------

// Its table, and the statement that makes it anew.
static int table_of_index(struct view name, struct bytes *sql)
{
    for (size_t i = 0; i < schema_current.indexes_count; i++) {
        const struct schema_index *index = &schema_current.indexes[i];
        if (view_equal(name, view_of_cstr(index->name))) {
            (void)schema_index_sql(index, DIALECT_POSTGRES, true, sql);
            return table_of(view_of_cstr(index->table));
        }
    }
    for (size_t i = 0; i < schema_current.tables_count; i++) {
        struct view table = view_of_cstr(schema_current.tables[i].name);
        if (view_starts_with(name, table) && view_equal(view_from(name, table.size), VIEW("_pkey"))) {
            (void)schema_key_sql(&schema_current.tables[i], sql);
            return table_of(table);
        }
    }
    return -1;
}

static bool index_is_there(struct look *look, struct view name)
{
    char text[80];
    const char *values[1] = {text};
    if (!view_to_cstr(name, text, sizeof(text))) {
        return false;
    }
    PGresult *result = PQexecParams(
        look->connection, "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass($1) AND indisvalid", 1, NULL,
        values, NULL, NULL, 0);
    bool there = is_fine(result) && PQntuples(result) == 1;
    PQclear(result);
    return there;
}

static void blame(struct look *look, struct plan_finding *finding, struct view index)
{
    struct bytes sql;
    bytes_init(&sql, sizeof(finding->remedy) - 1);
    int table = table_of_index(index, &sql);
    bool there = index_is_there(look, index);
    finding->holds = false;
    finding->missing = !there;
    (void)snprintf(finding->why, sizeof(finding->why),
                   there ? "the index %.*s is not used" : "there is no index %.*s", (int)index.size,
                   (const char *)index.data);
    if (there && table >= 0) {
        (void)snprintf(finding->remedy, sizeof(finding->remedy), "ANALYZE %s;", table_names[table]);
    } else if (sql.size > 0) {
        (void)snprintf(finding->remedy, sizeof(finding->remedy), "%.*s", (int)sql.size - 1,
                       (const char *)sql.data);
    }
    bytes_release(&sql);
}

static void judge_plan(struct look *look, struct plan_finding *finding, struct view plan)
{
    struct view expected = view_of_cstr(statement_plan(DIALECT_POSTGRES, finding->statement));
    while (finding->holds && expected.size > 0) {
        struct bytes sql;
        struct view index = view_cut(&expected, '|');
        bytes_init(&sql, 1024);
        int table = table_of_index(index, &sql);
        bytes_release(&sql);
        if (plan_uses(plan, index)) {
            continue;
        }
        if (table >= 0 && look->small[table]) {
            finding->small = true;
        } else {
            blame(look, finding, index);
        }
    }
    while (finding->holds && plan.size > 0) {
        struct view line = view_cut(&plan, '\n');
        int table = scanned_table(line);
        if (table >= 0 && !look->small[table] && has(line, "Seq Scan")) {
            finding->holds = false;
            (void)snprintf(finding->why, sizeof(finding->why), "it reads all of %s", table_names[table]);
            (void)snprintf(finding->remedy, sizeof(finding->remedy), "ANALYZE %s;", table_names[table]);
        }
    }
}

static void judge_rows(struct plan_finding *finding, struct view plan)
{
    uint32_t most = statements[finding->statement].dialect[DIALECT_POSTGRES].rows_max;
    uint64_t rows = rows_read(plan);
    finding->rows = rows > finding->rows || !finding->rows_known ? rows : finding->rows;
    finding->rows_known = true;
    if (finding->holds && most > 0 && rows > most) {
        finding->holds = false;
        (void)snprintf(finding->why, sizeof(finding->why), "it read %llu rows, and should read at most %u",
                       (unsigned long long)rows, most);
    }
}

static struct plan_finding *finding_of(struct look *look, enum statement statement)
{
    struct plan_finding *finding = &look->findings[statement];
    if (!look->looked[statement]) {
        *finding = (struct plan_finding){.statement = statement, .holds = true};
        look->looked[statement] = true;
    }
    return finding;
}

// `result`: of an EXPLAIN.
static bool judge(struct look *look, enum statement statement, const PGresult *result, bool ran)
{
    struct plan_finding *finding = finding_of(look, statement);
    if (!is_fine(result)) {
        finding->holds = false;
        (void)snprintf(finding->why, sizeof(finding->why), "%s", PQresultErrorMessage(result));
        finding->why[strcspn(finding->why, "\n")] = '\0';
        return PQstatus(look->connection) == CONNECTION_OK || failed(look);
    }
    struct bytes plan;
    bytes_init(&plan, 65536);
    for (int i = 0; i < PQntuples(result); i++) {
        bytes_append_view(&plan, view_of_cstr(PQgetvalue(result, i, 0)));
        bytes_append_byte(&plan, '\n');
    }
    judge_plan(look, finding, bytes_view(&plan));
    if (ran) {
        judge_rows(finding, bytes_view(&plan));
    }
    if (finding->plan[0] == '\0') {
        eyes_text_plan(bytes_view(&plan), finding->plan, sizeof(finding->plan));
    }
    bytes_release(&plan);
    return true;
}

// ---- the plan for all values -----------------------------------------------------------------------------

static unsigned count_values(const char *sql)
{
    unsigned most = 0;
    for (const char *at = strchr(sql, '$'); at != NULL; at = strchr(at + 1, '$')) {
        unsigned number = (unsigned)strtoul(at + 1, NULL, 10);
        most = number > most ? number : most;
    }
    return most;
}

static bool look_generic(struct look *look, enum statement statement)
{
    const char *sql = statement_sql(DIALECT_POSTGRES, statement);
    unsigned count = count_values(sql);
    struct bytes text;
    bool fine = false;
    PGresult *result = NULL;
    bytes_init(&text, 16384);
    if (!begin(look, false) ||
        !execute(look, "SET LOCAL plan_cache_mode = force_generic_plan; SAVEPOINT stayd_check")) {
        goto out;
    }
    bytes_append_view(&text, VIEW("PREPARE stayd_check AS "));
    bytes_append_view(&text, view_of_cstr(sql));
    bytes_append_byte(&text, 0);
    if (!execute(look, (const char *)text.data)) {
        goto out;
    }
    bytes_reset(&text);
    bytes_append_format(&text, "EXPLAIN (COSTS OFF) EXECUTE stayd_check");
    for (unsigned i = 0; i < count; i++) {
        bytes_append_format(&text, "%sNULL%s", i == 0 ? "(" : ", ", i + 1 == count ? ")" : "");
    }
    bytes_append_byte(&text, 0);
    result = PQexec(look->connection, (const char *)text.data);
    fine = judge(look, statement, result, false);
out:
    PQclear(result);
    bytes_release(&text);
    // What was prepared outlives its transaction, and behind a pooler the next one may be on another
    // connection: it goes within this one, also when EXPLAIN could not wait for a lock.
    PQclear(PQexec(look->connection, "ROLLBACK TO SAVEPOINT stayd_check; DEALLOCATE stayd_check"));
    PQclear(PQexec(look->connection, "ROLLBACK"));
    return fine;
}

// ---- with values -----------------------------------------------------------------------------------------

static bool look_step(struct look *look, const struct postgres_step *step, bool run)
{
    struct bytes text;
    bytes_init(&text, 16384);
    bytes_append_view(&text, run ? VIEW("EXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF) ")
                                 : VIEW("EXPLAIN (COSTS OFF) "));
    bytes_append_view(&text, view_of_cstr(statement_sql(DIALECT_POSTGRES, step->statement)));
    bytes_append_byte(&text, 0);
    PGresult *result = PQexecParams(look->connection, (const char *)text.data, step->count, NULL,
                                    step->values, step->sizes, step->formats, 0);
    bool fine = judge(look, step->statement, result, run);
    PQclear(result);
    bytes_release(&text);
    return fine;
}

static bool look_call(void *owner, struct view packet)
{
    struct look *look = owner;
    struct postgres_call call;
    if (!postgres_call_make(&call, packet)) {
        (void)snprintf(look->why, look->why_size, "out of memory");
        return false;
    }
    // What is known to be slow is not run where others want to work.
    bool run = look->depth == PLAN_RUN ||
               (call.operation->access == STORE_READ && finding_of(look, call.step[0].statement)->holds);
    bool fine = begin(look, look->depth == PLAN_RUN);
    for (unsigned i = 0; fine && i < call.steps; i++) {
        fine = look_step(look, &call.step[i], run);
    }
    PQclear(PQexec(look->connection, "ROLLBACK"));
    postgres_call_release(&call);
    return fine;
}

struct sample {
    struct plan_sample of;
    PGresult *result; // what its views borrow
};

static struct id16 id_at(const PGresult *result, int column)
{
    struct id16 id = {0};
    if (PQgetlength(result, 0, column) == (int)sizeof(id.byte)) {
        memcpy(id.byte, PQgetvalue(result, 0, column), sizeof(id.byte));
    }
    return id;
}

// A session from the middle, and its account; an empty database has none, which is a sample too.
static bool take_sample(struct look *look, struct sample *sample)
{
    *sample = (struct sample){.of = {.name = VIEW("nobody")}};
    if (!begin(look, false)) {
        return false;
    }
    PGresult *result =
        PQexecParams(look->connection,
                     "SELECT s.account_id, s.selector, s.public_id, a.name, a.phc, a.epoch FROM sessions AS "
                     "s JOIN accounts AS a"
                     " ON a.id = s.account_id WHERE s.selector >= '\\x7f' ORDER BY s.selector LIMIT 1",
                     0, NULL, NULL, NULL, NULL, 1);
    bool fine = is_fine(result) || failed(look);
    if (fine && PQntuples(result) == 1) {
        sample->of.account = id_at(result, 0);
        sample->of.selector = id_at(result, 1);
        sample->of.public_id = id_at(result, 2);
        sample->of.name = view_of(PQgetvalue(result, 0, 3), (size_t)PQgetlength(result, 0, 3));
        sample->of.phc = view_of(PQgetvalue(result, 0, 4), (size_t)PQgetlength(result, 0, 4));
        const uint8_t *epoch = (const uint8_t *)PQgetvalue(result, 0, 5);
        sample->of.epoch =
            (uint32_t)epoch[4] << 24 | (uint32_t)epoch[5] << 16 | (uint32_t)epoch[6] << 8 | epoch[7];
    }
    sample->result = result;
    PQclear(PQexec(look->connection, "ROLLBACK"));
    return fine;
}

bool postgres_plans_look(PGconn *connection, enum plan_depth depth, plan_found *found, void *owner, char *why,
                         size_t why_size)
{
    struct look *look = calloc(1, sizeof(*look));
    struct sample sample = {0};
    if (look == NULL) {
        (void)snprintf(why, why_size, "out of memory");
        return false;
    }
    *look = (struct look){.connection = connection,
                          .depth = depth,
                          .found = found,
                          .owner = owner,
                          .why = why,
                          .why_size = why_size};
    bool fine = find_small(look) && take_sample(look, &sample);
    for (enum statement i = 0; fine && i < STATEMENTS; i++) {
        fine = statement_sql(DIALECT_POSTGRES, i) == NULL || look_generic(look, i);
    }
    fine = fine && plan_sample_each(&sample.of, look_call, look);
    for (enum statement i = 0; fine && i < STATEMENTS; i++) {
        if (look->looked[i]) {
            found(owner, &look->findings[i]);
        }
    }
    PQclear(sample.result);
    free(look);
    return fine;
}

bool postgres_plans_expect(PGconn *connection, const bool wanted[static STATEMENTS], plan_found *found,
                           void *owner, char *why, size_t why_size)
{
    struct look *look = calloc(1, sizeof(*look));
    if (look == NULL) {
        (void)snprintf(why, why_size, "out of memory");
        return false;
    }
    *look = (struct look){.connection = connection, .why = why, .why_size = why_size};
    bool fine = find_small(look);
    for (enum statement i = 0; fine && i < STATEMENTS; i++) {
        if (wanted[i] && statement_sql(DIALECT_POSTGRES, i) != NULL) {
            fine = look_generic(look, i);
            if (fine) {
                found(owner, &look->findings[i]);
            }
        }
    }
    free(look);
    return fine;
}

// ---- indexes ---------------------------------------------------------------------------------------------

bool postgres_indexes_look(PGconn *connection, index_missing *missing, void *owner, char *why,
                           size_t why_size)
{
    struct look look = {.connection = connection, .why = why, .why_size = why_size};
    struct bytes sql;
    bytes_init(&sql, 2048);
    for (size_t i = 0; i < schema_current.indexes_count; i++) {
        const struct schema_index *index = &schema_current.indexes[i];
        if (index->columns[DIALECT_POSTGRES] != NULL && !index_is_there(&look, view_of_cstr(index->name))) {
            bytes_reset(&sql);
            if (schema_index_sql(index, DIALECT_POSTGRES, true, &sql) && bytes_append_byte(&sql, 0)) {
                sql.data[sql.size - 2] = '\0';
                missing(owner, index->name, index->table, (const char *)sql.data);
            }
        }
    }
    for (size_t i = 0; i < schema_current.tables_count; i++) {
        char name[80];
        (void)snprintf(name, sizeof(name), "%s_pkey", schema_current.tables[i].name);
        if (!index_is_there(&look, view_of_cstr(name))) {
            bytes_reset(&sql);
            if (schema_key_sql(&schema_current.tables[i], &sql) && bytes_append_byte(&sql, 0)) {
                sql.data[sql.size - 2] = '\0';
                missing(owner, name, schema_current.tables[i].name, (const char *)sql.data);
            }
        }
    }
    bytes_release(&sql);
    return PQstatus(connection) == CONNECTION_OK || failed(&look);
}
