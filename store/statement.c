// SPDX-License-Identifier: ISC
// The table of statements. Runs in stayd-store.
#include "store/statement.h"

#define SQLITE(rows_max_, plan_, sql_)                                                                       \
    .dialect[DIALECT_SQLITE] = {.sql = (sql_), .plan = (plan_), .rows_max = (rows_max_)}
#define POSTGRES(rows_max_, plan_, sql_)                                                                     \
    .dialect[DIALECT_POSTGRES] = {.sql = (sql_), .plan = (plan_), .rows_max = (rows_max_)}
#define STATEMENT(name_, class_, deadline_ms_, ...)                                                          \
    {.name = #name_, .class = (class_), .deadline_ms = (deadline_ms_), __VA_ARGS__},
const struct statement_row statements[STATEMENTS] = {
#include "store/statements.def"
};
#undef STATEMENT
