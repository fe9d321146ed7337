// SPDX-License-Identifier: ISC
// Plans of SQLite, by EXPLAIN QUERY PLAN. Runs in stayd-store (offline) and in tests. SQLite's plans follow
// the schema and not the sizes, and a search by a whole unique key reads one row: the plan says it all.
#include "store/plan.h"

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

static void judge(struct plan_finding *finding, struct view plan)
{
    struct view expected = view_of_cstr(statement_plan(DIALECT_SQLITE, finding->statement));
    bool scan_meant = plan_says(expected, VIEW("SCAN"));
    finding->holds = true;
    while (finding->holds && expected.size > 0) {
        struct view part = view_cut(&expected, '|');
        if (!plan_says(plan, part)) {
            finding->holds = false;
            (void)snprintf(finding->why, sizeof(finding->why), "it should use %.*s, and does: %.*s",
                           (int)part.size, (const char *)part.data, (int)view_index(plan, '\n'),
                           plan.size == 0 ? "" : (const char *)plan.data);
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
            judge(&finding, bytes_view(&plan));
            found(owner, &finding);
        } else {
            (void)snprintf(why, why_size, "%s: %s", statement_name(i), sqlite3_errmsg(database));
        }
    }
    bytes_release(&plan);
    return fine;
}
