// SPDX-License-Identifier: ISC
// The typed operations of the durable store: one table, and the layer that decodes a packet, runs it on a
// backend and encodes the answer. Used by stayd-store and by the simulator. Owns nothing but answers' rows.
// Bounds: an answer's rows are at most STORE_ROWS_MAX; a page that would be larger is shorter than its
// `limit`, so that only an empty page is the end of a listing.
//
// What a repeated operation (same ids and values, sent again after an unknown outcome) answers is what the
// first one answered. Ends answer OK for what is not there: it is ended.
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "wire/messages.h"

// Who goes first when there is more than the store can do (lowest first).
enum store_class {
    STORE_ENDING,     // ending sessions, changing a password: someone may be acting against an intruder
    STORE_LOOKUP,     // a session that a front did not find
    STORE_LOGIN,      // looking up the account, granting the session
    STORE_SIGN_UP,    // new accounts and administration
    STORE_BACKGROUND, // listings, "seen", audit, preload, housekeeping
    STORE_CLASSES
};

enum store_access { STORE_READ, STORE_WRITE };

// O(name, class, access): the message is store_NAME, its fields are in wire/messages.def. The statements that
// each one runs, with the index each must use, are in store/statements.def.
//
//   account_by_name      what a log-in needs of the account's row: its times are 0; or NOT_FOUND
//   account_by_id        the account's row, or NOT_FOUND
//   account_add          the row as it was added; CONFLICT: FIRST (there is an account), INVITE (not there,
//   expired), NAME (taken);
//                        the invitation is taken only when the account is added
//   account_set          the row after the change, or NOT_FOUND; disabling raises the epoch to the
//                        given one, at least by one when it was enabled, and deletes the sessions;
//                        CONFLICT: LAST_ADMINISTRATOR (only when asked to keep one)
//   account_password     CONFLICT: PASSWORD (not phc_before), EPOCH (not above the account's), DISABLED
//                        (with_session only); NOT_FOUND
//   account_rehash       CONFLICT: PASSWORD; NOT_FOUND
//   account_delete       with its sessions; CONFLICT: LAST_ADMINISTRATOR
//   account_list         by name; `query` is found case-insensitively (ASCII) in name, display name, e-mail
//   account_epoch        never lowers the epoch; deletes sessions below the given one; NOT_FOUND
//   session_grant        CONFLICT: EPOCH, DISABLED, NONE (the selector or public id is another session's);
//                        NOT_FOUND: no such account
//   session_by_selector  session row and account row; NOT_FOUND also when the account is disabled or its
//                        epoch moved; expiry is for the asker's clock
//   session_by_public_id the same
//   session_end          OK
//   session_list         live sessions of one account, newest first
//   session_seen         never moves a last_seen back
//   session_page         live sessions of all accounts in order of (account, selector)
//   expired_delete       deletes at most `limit` sessions that can never be live again or were idle since
//                        before idle_before, and expired once-rows; to be repeated
//   once_put             replaces a row of the same space and hash
//   once_get             NOT_FOUND also when it is past its expiry
//   audit_add            a row that is there already (same request, event and values) is not added twice
//   audit_list           newest first; by the writer, so that it shows what was added just before
#define STORE_OPERATIONS(O)                                                                                  \
    O(account_by_name, STORE_LOGIN, STORE_READ)                                                              \
    O(account_by_id, STORE_LOOKUP, STORE_READ)                                                               \
    O(account_add, STORE_SIGN_UP, STORE_WRITE)                                                               \
    O(account_set, STORE_SIGN_UP, STORE_WRITE)                                                               \
    O(account_password, STORE_ENDING, STORE_WRITE)                                                           \
    O(account_rehash, STORE_BACKGROUND, STORE_WRITE)                                                         \
    O(account_delete, STORE_ENDING, STORE_WRITE)                                                             \
    O(account_list, STORE_BACKGROUND, STORE_READ)                                                            \
    O(account_epoch, STORE_ENDING, STORE_WRITE)                                                              \
    O(session_grant, STORE_LOGIN, STORE_WRITE)                                                               \
    O(session_by_selector, STORE_LOOKUP, STORE_READ)                                                         \
    O(session_by_public_id, STORE_LOOKUP, STORE_READ)                                                        \
    O(session_end, STORE_ENDING, STORE_WRITE)                                                                \
    O(session_list, STORE_LOGIN, STORE_READ)                                                                 \
    O(session_seen, STORE_BACKGROUND, STORE_WRITE)                                                           \
    O(session_page, STORE_BACKGROUND, STORE_READ)                                                            \
    O(expired_delete, STORE_BACKGROUND, STORE_WRITE)                                                         \
    O(once_put, STORE_SIGN_UP, STORE_WRITE)                                                                  \
    O(once_get, STORE_SIGN_UP, STORE_READ)                                                                   \
    O(audit_add, STORE_BACKGROUND, STORE_WRITE)                                                              \
    O(audit_list, STORE_BACKGROUND, STORE_READ)

#define STORE_ROWS_MAX     61440
#define STORE_LIST_MAX     512 // rows of one page
#define STORE_SPACE_INVITE "invite"

struct store_operation {
    uint16_t number; // of the message
    enum store_class class;
    enum store_access access;
    const char *name;
};
// NULL: not a store operation.
const struct store_operation *store_operation_find(uint16_t number);

// What an operation came to. `rows` are records, owned.
struct store_answer {
    enum wire_store_outcome outcome;
    enum wire_conflict conflict;
    uint32_t retry_after_s; // of WIRE_STORE_REFUSED
    struct bytes rows;
};
void store_answer_init(struct store_answer *answer);
void store_answer_release(struct store_answer *answer);
void store_answer_reset(struct store_answer *answer);
// The rows are dropped.
void store_answer_set(struct store_answer *answer, enum wire_store_outcome outcome,
                      enum wire_conflict conflict);
// Append one record: false when the page is full (it is left as it was).
bool store_answer_account(struct store_answer *answer, const struct wire_account_row *row);
bool store_answer_session(struct store_answer *answer, const struct wire_session_row *row);
bool store_answer_audit(struct store_answer *answer, const struct wire_audit_row *row);
bool store_answer_once(struct store_answer *answer, const struct wire_once_row *row);
// A page of at least one and at most STORE_LIST_MAX rows.
static inline uint32_t store_limit(uint32_t asked)
{
    return asked == 0 ? 1 : asked > STORE_LIST_MAX ? STORE_LIST_MAX : asked;
}

// The verbs of a backend, one per operation. `answer` comes as OK without rows. A verb may be given any
// values that a packet can hold.
struct store_verbs {
#define STORE_VERB(name, class, access)                                                                      \
    void (*name)(void *backend, const struct wire_store_##name *ask, struct store_answer *answer);
    STORE_OPERATIONS(STORE_VERB)
#undef STORE_VERB
};

// The operation's id and deadline, without decoding the rest; false: not a store operation.
[[nodiscard]] bool store_head(struct view packet, uint64_t *op, uint32_t *deadline_ms);
// Decodes the packet and runs its verb; false: the packet is malformed and nothing was done.
[[nodiscard]] bool store_dispatch(const struct store_verbs *verbs, void *backend, struct view packet,
                                  struct store_answer *answer);
// The answer's packet, appended to `out`.
bool store_answer_encode(const struct store_answer *answer, uint64_t op, uint32_t wait_us, uint32_t run_us,
                         uint32_t commit_us, struct bytes *out);

// The fields of WIRE_SESSION out of a message that has them.
#define SESSION_ROW_OF(ask)                                                                                  \
    ((struct wire_session_row){.selector = (ask)->selector,                                                  \
                               .verifier_hash = (ask)->verifier_hash,                                        \
                               .public_id = (ask)->public_id,                                                \
                               .account_id = (ask)->account_id,                                              \
                               .epoch = (ask)->epoch,                                                        \
                               .created = (ask)->created,                                                    \
                               .expires = (ask)->expires,                                                    \
                               .last_seen = (ask)->last_seen,                                                \
                               .level = (ask)->level,                                                        \
                               .address = (ask)->address,                                                    \
                               .agent = (ask)->agent})

// Is the administrators' group among these, joined by commas?
bool store_groups_administer(struct view groups);

#endif
