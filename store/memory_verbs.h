// SPDX-License-Identifier: ISC
// What the verbs of the memory backend share; private to it. memory_account.c and memory_session.c have one
// function per operation.
#ifndef STORE_MEMORY_VERBS_H
#define STORE_MEMORY_VERBS_H

#include "store/memory_tables.h"

static inline void set(struct store_answer *answer, enum wire_store_outcome outcome)
{
    store_answer_set(answer, outcome, WIRE_CONFLICT_NONE);
}

static inline void refuse(struct store_answer *answer, enum wire_conflict conflict)
{
    store_answer_set(answer, WIRE_STORE_CONFLICT, conflict);
}

static inline bool same_id(struct id16 a, struct id16 b)
{
    return memcmp(a.byte, b.byte, sizeof(a.byte)) == 0;
}

static inline bool is_disabled(const struct memory_account *account)
{
    return (account->flags & WIRE_ACCOUNT_DISABLED_FLAG) != 0;
}

static inline struct wire_account_row account_row(const struct memory_account *account)
{
    return (struct wire_account_row){.id = account->id,
                                     .name = MEMORY_VIEW(account->name),
                                     .display_name = MEMORY_VIEW(account->display_name),
                                     .email = MEMORY_VIEW(account->email),
                                     .groups = MEMORY_VIEW(account->groups),
                                     .flags = account->flags,
                                     .phc = MEMORY_VIEW(account->phc),
                                     .epoch = account->epoch,
                                     .created = account->created,
                                     .password_changed = account->password_changed,
                                     .last_login = account->last_login};
}

static inline struct wire_session_row session_row(const struct memory_session *session)
{
    return (struct wire_session_row){.selector = session->selector,
                                     .verifier_hash = session->verifier_hash,
                                     .public_id = session->public_id,
                                     .account_id = session->account_id,
                                     .epoch = session->epoch,
                                     .created = session->created,
                                     .expires = session->expires,
                                     .last_seen = session->last_seen,
                                     .level = session->level,
                                     .address = session->address,
                                     .agent = MEMORY_VIEW(session->agent)};
}

static inline void answer_account(const struct memory_account *account, struct store_answer *answer)
{
    if (account == NULL) {
        set(answer, WIRE_STORE_NOT_FOUND);
        return;
    }
    struct wire_account_row row = account_row(account);
    store_answer_account(answer, &row);
}

// The new row, or NULL with the answer set.
struct memory_session *memory_session_add(struct store_memory *store, const struct wire_session_row *from,
                                          struct store_answer *answer);

#define STORE_VERB(name, class, access)                                                                      \
    void store_memory_##name(void *backend, const struct wire_store_##name *ask, struct store_answer *answer);
STORE_OPERATIONS(STORE_VERB)
#undef STORE_VERB

#endif
