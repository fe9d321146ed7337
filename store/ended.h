// SPDX-License-Identifier: ISC
// The memory of what has ended, that every answer of the database is held against before core sees it: a
// database that is behind (an end not replayed yet, a failover to a standby that lost its tail) can't bring a
// session back. Filled by store/journal.c, asked by store/postgres_service.c. Pure: no clock, no I/O. Owns
// two tables. Bounds: as many rows as the journal keeps; 48 bytes a session at most, 96 an account.
//
// Of an account's ends three values say all: the highest epoch E, the session K that the end at E kept, and
// the floor F. A row of epoch R stands when R >= E, or when it is K's and R >= F: F is the highest epoch of
// the ends before that did not keep K.
#ifndef STORE_ENDED_H
#define STORE_ENDED_H

#include "store/store.h"

struct ended_table {
    uint8_t *rows;
    size_t count, capacity; // capacity: 0 or a power of two
};

struct ended {
    uint8_t key[16]; // of the hash, random
    struct ended_table sessions, accounts;
};

void ended_init(struct ended *ended);
void ended_release(struct ended *ended);

// `sequence` is the journal's: what is added comes in its order. False: no memory, nothing changed.
[[nodiscard]] bool ended_add_session(struct ended *ended, struct id16 selector, uint64_t sequence);
// `keep` may be NULL.
[[nodiscard]] bool ended_add_account(struct ended *ended, struct id16 account, uint32_t epoch,
                                     const struct id16 *keep, uint64_t sequence);
// Forgets what has no later entry than this. What there is no memory to sort out stays.
void ended_forget(struct ended *ended, uint64_t sequence);

bool ended_session(const struct ended *ended, struct id16 selector);
// The epoch below which the account's sessions have ended; false: nothing is known of it.
bool ended_epoch(const struct ended *ended, struct id16 account, uint32_t *epoch);

// Where to go on when a page of sessions was emptied: an empty page would be the end of the listing.
struct ended_cursor {
    struct id16 account, selector;
};
enum ended_verdict {
    ENDED_ANSWER, // the answer may be handed out
    ENDED_AGAIN,  // session_page only: all of it has ended; ask for the page after the cursor
    ENDED_BROKEN, // rows that do not decode: nothing may be handed out
};
// Removes the sessions that have ended from what the database answered to `operation`, raises the epoch of
// accounts (and of a session that was kept) to the journal's. A look-up of an ended session becomes
// NOT_FOUND.
[[nodiscard]] enum ended_verdict ended_apply(const struct ended *ended,
                                             const struct store_operation *operation,
                                             struct store_answer *answer, struct ended_cursor *cursor);

#endif
