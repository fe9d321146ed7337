// SPDX-License-Identifier: ISC
// What would block the event loop of stayd-store, done by three threads: looking up names and bringing the
// schema up to date by one, cancelling statements by another, looking at plans by the third. Used by the
// PostgreSQL service. Owns the threads and what waits for them. Bounds: one look-up, one migration and one
// look at plans at a time, HELPER_CANCELS_MAX cancellations (one more is dropped: the server's own
// statement_timeout ends that statement).
//
// A thread may hang in a look-up or a connection for minutes: nobody waits for it, and at the end it is left
// behind.
#ifndef STORE_POSTGRES_HELPER_H
#define STORE_POSTGRES_HELPER_H

#include "store/eyes.h"
#include "store/postgres_target.h"

#include <ev.h>
#include <libpq-fe.h>

#define HELPER_CANCELS_MAX   64
#define HELPER_ADDRESSES_MAX 16

struct postgres_address {
    unsigned host;    // index into the target
    char address[64]; // empty: the host is the folder of a socket
};

struct postgres_addresses {
    unsigned count;
    struct postgres_address address[HELPER_ADDRESSES_MAX];
    char why[160]; // when count is 0
};

enum postgres_migrated { POSTGRES_MIGRATED, POSTGRES_MIGRATE_AWAY, POSTGRES_MIGRATE_REFUSED };

struct postgres_helper_events {
    void (*on_addresses)(void *owner, const struct postgres_addresses *addresses);
    void (*on_migrated)(void *owner, enum postgres_migrated migrated, const char *why);
    // EYES_OPERATIONS of them, or NULL: they could not be looked at.
    void (*on_plans)(void *owner, const struct eyes_plan *plans);
};

struct postgres_helper;

// NULL: no memory. `target` is the caller's and outlives the helper.
struct postgres_helper *postgres_helper_new(struct ev_loop *loop, const struct postgres_target *target,
                                            const struct postgres_helper_events *events, void *owner);
[[nodiscard]] bool postgres_helper_start(struct postgres_helper *helper);
void postgres_helper_free(struct postgres_helper **helper);

// Each ends in its event, unless one is under way (then in that one's).
void postgres_helper_look_up(struct postgres_helper *helper);
// Takes over `cancel`.
void postgres_helper_cancel(struct postgres_helper *helper, PGcancel *cancel);
// Between the two no thread reads the target.
void postgres_helper_hold(struct postgres_helper *helper);
void postgres_helper_let_go(struct postgres_helper *helper);
// A connection of its own to this address, and the plans of these operations (a bit for each) over it.
void postgres_helper_look_at_plans(struct postgres_helper *helper, const struct postgres_address *address,
                                   uint32_t operations);
// A connection of its own to this address, and the migrations over it.
void postgres_helper_migrate(struct postgres_helper *helper, const struct postgres_address *address);

#endif
