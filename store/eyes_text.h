// SPDX-License-Identifier: ISC
// Texts for people out of what a database says: a statement without the values in it, a plan in one line.
// Used by stayd-store. Owns nothing.
#ifndef STORE_EYES_TEXT_H
#define STORE_EYES_TEXT_H

#include "base/bytes.h"

#define EYES_STATEMENT_SIZE 201

// Strings and numbers become "?", comments go, runs of blanks become one; at most 200 characters. What is
// left names tables and columns, and nobody's data.
void eyes_text_statement(const char *sql, char text[static EYES_STATEMENT_SIZE]);
// The ways by which the plan reads tables, each once, in their order, with what a sequential scan looks for.
// PostgreSQL's EXPLAIN or SQLite's EXPLAIN QUERY PLAN; cut to `size`.
void eyes_text_plan(struct view plan, char *text, size_t size);

#endif
