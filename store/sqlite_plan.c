// SPDX-License-Identifier: ISC
// Plans of SQLite, by EXPLAIN QUERY PLAN. Runs in stayd-store (offline) and in tests. SQLite's plans follow
// the schema and not the sizes, and a search by a whole unique key reads one row: the plan says it all.
#include "store/plan.h"

#include "store/eyes_text.h"
#include "store/plan_sample.h"
#include "store/query.h"
#include "store/schema.h"

#include <stdio.h>

static bool plan_says(struct view plan, struct view part)
{
    return part.size == 0 || (plan.size > 0 && memmem(plan.data, plan.size, part.data, part.size) != NULL);
}

static bool read_plan(sqlite3 *database, enum statement index, struct bytes *plan)
{
    sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statement_sql(DIALECT_SQLITE, index));
    bool fine = sql != NULL && sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK;
    while (fine && sqlite3_step(statement) == SQLITE_ROW) {
        bytes_append_view(plan, view_of_cstr((const char *)sqlite3_column_text(statement, 3)));
        bytes_append_byte(plan, '\n');
    }
    (void)sqlite3_finalize(statement);
    sqlite3_free(sql);
    return fine && !plan->failed;
}

static bool index_is_there(sqlite3 *database, const char *name)
{
    sqlite3_stmt *statement = NULL;
    bool there = sqlite3_prepare_v2(database, "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?",
                                    -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW;
    (void)sqlite3_finalize(statement);
    return there;
}

// `part` of a plan: "INDEX sessions_selector (selector=?)".
static void blame(sqlite3 *database, struct plan_finding *finding, struct view part)
{
    for (size_t i = 0; i < schema_current.indexes_count; i++) {
        const struct schema_index *index = &schema_current.indexes[i];
        if (plan_says(part, view_of_cstr(index->name)) && !index_is_there(database, index->name)) {
            struct bytes sql;
            bytes_init(&sql, sizeof(finding->remedy) - 1);
            finding->missing = schema_index_sql(index, DIALECT_SQLITE, false, &sql) && sql.size > 0;
            (void)snprintf(finding->remedy, sizeof(finding->remedy), "%.*s", (int)sql.size - 1,
                           sql.size == 0 ? "" : (const char *)sql.data);
            bytes_release(&sql);
            return;
        }
    }
}

static void judge(sqlite3 *database, struct plan_finding *finding, struct view plan)
{
    struct view expected = view_of_cstr(statement_plan(DIALECT_SQLITE, finding->statement));
    bool scan_meant = plan_says(expected, VIEW("SCAN"));
    finding->holds = true;
    eyes_text_plan(plan, finding->plan, sizeof(finding->plan));
    while (finding->holds && expected.size > 0) {
        struct view part = view_cut(&expected, '|');
        if (!plan_says(plan, part)) {
            finding->holds = false;
            (void)snprintf(finding->why, sizeof(finding->why), "it should use %.*s, and does: %.*s",
                           (int)part.size, (const char *)part.data, (int)view_index(plan, '\n'),
                           plan.size == 0 ? "" : (const char *)plan.data);
            blame(database, finding, part);
        }
    }
    if (finding->holds && !scan_meant && plan_says(plan, VIEW("SCAN"))) {
        finding->holds = false;
        (void)snprintf(finding->why, sizeof(finding->why), "it walks a whole table");
    }
}

bool sqlite_plans_look(sqlite3 *database, plan_found *found, void *owner, char *why, size_t why_size)
{
    struct bytes plan;
    bytes_init(&plan, 4096);
    bool fine = true;
    for (enum statement i = 0; fine && i < STATEMENT_BEGIN; i++) {
        if (statement_sql(DIALECT_SQLITE, i) == NULL) {
            continue;
        }
        struct plan_finding finding = {.statement = i};
        bytes_reset(&plan);
        fine = read_plan(database, i, &plan);
        if (fine) {
            judge(database, &finding, bytes_view(&plan));
            found(owner, &finding);
        } else {
            (void)snprintf(why, why_size, "%s: %s", statement_name(i), sqlite3_errmsg(database));
        }
    }
    bytes_release(&plan);
    return fine;
}

// ---- work ------------------------------------------------------------------------------------------------

// Steps of SQLite's machine: a search takes some dozens, a row some dozens more.
#define STEPS_BASE 400
#define STEPS_ROW  100

struct work {
    struct store_sqlite *store;
    int steps[STATEMENTS];
};

static bool run_packet(void *owner, struct view packet)
{
    struct work *work = owner;
    struct store_answer answer;
    store_answer_init(&answer);
    bool whole = store_sqlite_begin(work->store) == STORE_FINE &&
                 store_sqlite_apply(work->store, packet, &answer) &&
                 store_sqlite_failure(work->store) == STORE_FINE;
    store_sqlite_undo(work->store);
    store_answer_release(&answer);
    for (enum statement i = 0; i < STATEMENT_BEGIN; i++) {
        if (work->store->statements[i] != NULL) {
            int steps = sqlite3_stmt_status(work->store->statements[i], SQLITE_STMTSTATUS_VM_STEP, 1);
            int runs = sqlite3_stmt_status(work->store->statements[i], SQLITE_STMTSTATUS_RUN, 1);
            steps = runs > 1 ? steps / runs : steps;
            work->steps[i] = steps > work->steps[i] ? steps : work->steps[i];
        }
    }
    return whole;
}

static bool take_sample(sqlite3 *database, struct plan_sample *sample, sqlite3_stmt **statement)
{
    *sample = (struct plan_sample){.name = VIEW("nobody")};
    if (sqlite3_prepare_v2(
            database,
            "SELECT s.account_id, s.selector, s.public_id, a.name, a.phc, a.epoch FROM sessions AS s JOIN"
            " accounts AS a ON a.id = s.account_id WHERE s.selector >= x'7f' ORDER BY s.selector LIMIT 1",
            -1, statement, NULL) != SQLITE_OK) {
        return false;
    }
    if (sqlite3_step(*statement) == SQLITE_ROW) {
        memcpy(sample->account.byte, sqlite3_column_blob(*statement, 0), 16);
        memcpy(sample->selector.byte, sqlite3_column_blob(*statement, 1), 16);
        memcpy(sample->public_id.byte, sqlite3_column_blob(*statement, 2), 16);
        sample->name = view_of_cstr((const char *)sqlite3_column_text(*statement, 3));
        sample->phc = view_of_cstr((const char *)sqlite3_column_text(*statement, 4));
        sample->epoch = (uint32_t)sqlite3_column_int64(*statement, 5);
    }
    return true;
}

static void judge_work(const struct work *work, plan_found *found, void *owner)
{
    for (enum statement i = 0; i < STATEMENT_BEGIN; i++) {
        uint32_t rows = statements[i].dialect[DIALECT_SQLITE].rows_max;
        struct plan_finding finding = {.statement = i, .holds = true};
        if (work->steps[i] == 0) {
            continue;
        }
        finding.rows = (uint64_t)work->steps[i] / STEPS_ROW;
        finding.rows_known = true;
        if (rows > 0 && work->steps[i] > STEPS_BASE + STEPS_ROW * (int)rows) {
            finding.holds = false;
            (void)snprintf(finding.why, sizeof(finding.why),
                           "it took %d steps, and should read at most %u rows", work->steps[i], rows);
        }
        found(owner, &finding);
    }
}

bool sqlite_work_look(const char *path, plan_found *found, void *owner, char *why, size_t why_size)
{
    struct work work = {0};
    struct plan_sample sample;
    sqlite3_stmt *statement = NULL;
    char opened[STORE_WHY_MAX] = "";
    if (store_sqlite_open(&work.store, path, STORE_WRITE, opened) != STORE_OPENED) {
        (void)snprintf(why, why_size, "%s", opened);
        return false;
    }
    bool fine = take_sample(work.store->database, &sample, &statement) &&
                plan_sample_each(&sample, run_packet, &work);
    if (fine) {
        judge_work(&work, found, owner);
    } else {
        (void)snprintf(why, why_size, "%s", store_sqlite_message(work.store));
    }
    (void)sqlite3_finalize(statement);
    store_sqlite_close(&work.store);
    return fine;
}
