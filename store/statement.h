// SPDX-License-Identifier: ISC
// The table of statements (store/statements.def) as data: text, class, deadline, expected plan. Used by
// stayd-store (also offline). Owns nothing.
#ifndef STORE_STATEMENT_H
#define STORE_STATEMENT_H

#include "store/store.h"

enum dialect { DIALECT_SQLITE, DIALECT_POSTGRES, DIALECTS };

#define STATEMENT(name, class, deadline_ms, ...) STATEMENT_##name,
enum statement {
#include "store/statements.def"
    STATEMENTS
};
#undef STATEMENT

struct statement_row {
    const char *name;
    enum store_class class;
    uint32_t deadline_ms;
    struct {
        const char *sql; // NULL: not used by this dialect
        const char *plan;
        uint32_t rows_max; // 0: not bounded by the statement itself
    } dialect[DIALECTS];
};

extern const struct statement_row statements[STATEMENTS];

static inline const char *statement_name(enum statement statement)
{
    return statements[statement].name;
}

static inline const char *statement_sql(enum dialect dialect, enum statement statement)
{
    return statements[statement].dialect[dialect].sql;
}

static inline const char *statement_plan(enum dialect dialect, enum statement statement)
{
    return statements[statement].dialect[dialect].plan;
}

#endif
