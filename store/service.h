// SPDX-License-Identifier: ISC
// What answers core's operations in stayd-store: one interface, two ways to keep the promise. SQLite's runs
// on threads (store/sqlite_service.h), PostgreSQL's on the event loop (store/postgres_service.h). Used by
// stayd-store. Owned by whoever opened it.
//
//   opened ──start──▶ running: fenced ──running jobs of the old core done, state read──▶ open ──new core──▶
//   fenced
//
// While fenced, what a new core asks waits: nothing of it is run before what the old core had begun is over
// and the state was said. What the old core had waiting is dropped. All functions are the loop thread's.
#ifndef STORE_SERVICE_H
#define STORE_SERVICE_H

#include "store/store.h"

#include <ev.h>

#define SERVICE_JOBS_MAX  4096
#define SERVICE_BYTES_MAX (4u << 20)

struct service_events {
    // A store_reply packet, for the core that is connected now.
    void (*on_answer)(void *owner, struct view packet);
    // First after service_begin, then whenever `up` changes.
    void (*on_state)(void *owner, const struct wire_store_state *state);
    // The core that is connected sent a packet that does not decode.
    void (*on_malformed)(void *owner);
    // After service_stop: nothing runs any more, what was open is closed.
    void (*on_stopped)(void *owner);
    // Something that stayd-watch should know; NULL: nobody listens.
    void (*on_event)(void *owner, const struct wire_event *event);
};

struct service;

struct service_verbs {
    bool (*start)(struct service *service);
    void (*begin)(struct service *service);
    bool (*submit)(struct service *service, struct view packet);
    void (*stop)(struct service *service);
    void (*free)(struct service *service);
    // More waits than what runs; NULL: never.
    bool (*is_behind)(const struct service *service);
};

// The first member of each implementation.
struct service {
    const struct service_verbs *verbs;
};

// Starts the threads; nothing is run before service_begin.
[[nodiscard]] static inline bool service_start(struct service *service)
{
    return service->verbs->start(service);
}
// A new core is connected.
static inline void service_begin(struct service *service)
{
    service->verbs->begin(service);
}
// One packet of the core's; false: not a store operation.
[[nodiscard]] static inline bool service_submit(struct service *service, struct view packet)
{
    return service->verbs->submit(service, packet);
}
// Finishes what waits, takes nothing new, then on_stopped.
static inline void service_stop(struct service *service)
{
    service->verbs->stop(service);
}
// More operations wait than are begun at once: core's may be taken and answered in turns.
static inline bool service_is_behind(const struct service *service)
{
    return service->verbs->is_behind != NULL && service->verbs->is_behind(service);
}
// Stops, waits for threads, closes.
static inline void service_free(struct service **service)
{
    if (*service != NULL) {
        (*service)->verbs->free(*service);
        *service = NULL;
    }
}

#endif
