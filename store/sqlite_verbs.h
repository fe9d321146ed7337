// SPDX-License-Identifier: ISC
// The verbs of the SQLite backend, one function per operation, divided over sqlite_account.c,
// sqlite_session.c and sqlite_once.c. Used by store/sqlite.c only. Each runs inside the caller's savepoint
// and may leave a refusal half-done: what is not OK is undone.
#ifndef STORE_SQLITE_VERBS_H
#define STORE_SQLITE_VERBS_H

#include "store/query.h"

#define STORE_VERB(name, class, access)                                                                      \
    void store_sqlite_##name(void *backend, const struct wire_store_##name *ask, struct store_answer *answer);
STORE_OPERATIONS(STORE_VERB)
#undef STORE_VERB

#endif
