// SPDX-License-Identifier: ISC
// The store's operations over plain memory: what the simulator runs core against, and the reference that the
// conformance suite holds SQLite to. Deterministic: no clock, no randomness, no I/O. Owns its tables. Bounds:
// `accounts_max` and so on; a table that is full answers NO_SPACE.
//
// Every operation is whole: the state between two of them is what is durable. To model a crash of the
// machine, keep a copy and go back to it.
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/store.h"

struct memory_account;
struct memory_session;
struct memory_once;
struct memory_audit;

// Sorted runs: accounts by id, sessions by (account, selector), once by (space, hash), audit by id.
struct store_memory {
    struct memory_account *accounts;
    struct memory_session *sessions;
    struct memory_once *once;
    struct memory_audit *audit;
    size_t account_count, session_count, once_count, audit_count;
    size_t rows_max; // of each table
    uint64_t audit_next;
    uint64_t last_alive;
};

void store_memory_init(struct store_memory *store, size_t rows_max);
void store_memory_release(struct store_memory *store);
// `to` becomes the same as `from` (and is initialised before); false: no memory, `to` is unchanged.
[[nodiscard]] bool store_memory_copy(struct store_memory *to, const struct store_memory *from);

// Runs one operation and appends the store_reply packet to `reply`; false: the packet is malformed.
[[nodiscard]] bool store_memory_apply(struct store_memory *store, struct view packet, struct bytes *reply);
// The same without the packet around the answer.
[[nodiscard]] bool store_memory_answer(struct store_memory *store, struct view packet,
                                       struct store_answer *answer);
// What store_state says.
bool store_memory_empty(const struct store_memory *store);

#endif
