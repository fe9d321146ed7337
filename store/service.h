// SPDX-License-Identifier: ISC
// The threads of stayd-store: one writer with group commit, two readers, and the event loop that gives them
// operations and takes their answers. Used by stayd-store. Owns three connections, three threads and two
// queues. Bounds: SERVICE_JOBS_MAX waiting of each kind, SERVICE_BATCH_MAX operations a transaction.
//
//   opened ──start──▶ running: fenced ──running jobs of the old core done, state read──▶ open ──new core──▶
//   fenced
//
// While fenced, what a new core asks waits: nothing of it is run before what the old core had begun is over
// and the state was said. What the old core had waiting is dropped. All functions are the loop thread's.
#ifndef STORE_SERVICE_H
#define STORE_SERVICE_H

#include "store/sqlite.h"

#include <ev.h>

#define SERVICE_JOBS_MAX  4096
#define SERVICE_BYTES_MAX (4u << 20)
#define SERVICE_BATCH_MAX 256

struct service;

struct service_events {
    // A store_reply packet, for the core that is connected now.
    void (*on_answer)(void *owner, struct view packet);
    // First after service_begin, then whenever `up` changes.
    void (*on_state)(void *owner, const struct wire_store_state *state);
    // The core that is connected sent a packet that does not decode.
    void (*on_malformed)(void *owner);
    // After service_stop: every thread has ended, the file is closed.
    void (*on_stopped)(void *owner);
};

// Opens the file (three times), migrates it. On STORE_OPENED *service is the caller's. Events are called from
// `loop`.
[[nodiscard]] enum store_open service_open(struct service **service, const char *path, struct ev_loop *loop,
                                           const struct service_events *events, void *owner,
                                           char why[static STORE_WHY_MAX]);
// Starts the threads; they do nothing before service_begin.
[[nodiscard]] bool service_start(struct service *service);
// A new core is connected.
void service_begin(struct service *service);
// One packet of the core's; false: not a store operation.
[[nodiscard]] bool service_submit(struct service *service, struct view packet);
// Finishes what waits, takes nothing new, then on_stopped.
void service_stop(struct service *service);
// Stops, waits for the threads, closes the file.
void service_free(struct service **service);

#endif
