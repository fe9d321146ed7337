// SPDX-License-Identifier: ISC
// The service on SQLite: one writer with group commit, two readers, and the event loop that gives them
// operations and takes their answers. Used by stayd-store. Owns three connections, three threads and two
// queues. Bounds: SERVICE_JOBS_MAX waiting of each kind, SQLITE_BATCH_MAX operations a transaction.
#ifndef STORE_SQLITE_SERVICE_H
#define STORE_SQLITE_SERVICE_H

#include "store/eyes.h"
#include "store/queue.h"
#include "store/service.h"
#include "store/sqlite.h"

#include <pthread.h>

#define SQLITE_READERS   2
#define SQLITE_BATCH_MAX 256

// Opens the file (three times), migrates it. On STORE_OPENED *service is the caller's. Events are called from
// `loop`.
[[nodiscard]] enum store_open sqlite_service_open(struct service **service, const char *path,
                                                  struct ev_loop *loop, const struct service_events *events,
                                                  void *owner, char why[static STORE_WHY_MAX]);

// What follows is for sqlite_service.c (the loop's side) and sqlite_threads.c.
struct sqlite_service {
    struct service service;
    // the loop's
    struct ev_loop *loop;
    ev_async wake;
    ev_timer probe;
    const struct service_events *events;
    void *owner;
    char path[256];
    bool up, damaged, said; // `said`: this core has its first state
    bool stopping, stopped_said;
    ev_timer glance;
    struct eyes eyes;
    uint64_t tried_ns; // whether the file is still locked

    // the threads': each connection is used by its own thread only
    struct store_sqlite *writer;
    struct store_sqlite *readers[SQLITE_READERS];
    pthread_t threads[1 + SQLITE_READERS];
    size_t started;

    // shared, under `lock`
    pthread_mutex_t lock;
    pthread_cond_t writes_wait, reads_wait;
    struct store_queue writes, reads;
    struct store_job *done_first, *done_last;
    uint64_t generation; // of the core that is connected
    size_t running;      // jobs that a thread has begun
    size_t ended;        // threads
    bool fenced;
    bool ending; // threads leave when the queues are empty
    bool state_wanted, state_reading, state_ready;
    uint64_t last_alive;
    bool empty;
    bool probe_wanted, probe_done;
    enum store_failure state_failure, probe_failure;
    enum store_failure broken; // the worst failure since the loop looked
    char broken_message[160];
    bool full, plans_wanted, plans_looking, plans_looked, plans_fine;
    struct eyes_plan plans[EYES_OPERATIONS]; // the reader's while it looks
    uint32_t space;                          // 0: there is some; else commits refused since it ran out
};

void *sqlite_service_write(void *service);
void *sqlite_service_read_all(void *service);   // the reader that takes every class
void *sqlite_service_read_quick(void *service); // the one that background work can't hold up

// sqlite_eyes.c: what stayd-watch is told
void sqlite_eyes_start(struct sqlite_service *service);
void sqlite_eyes_stop(struct sqlite_service *service);
// After the threads told the loop something.
void sqlite_eyes_look(struct sqlite_service *service);
// By a reader.
void sqlite_eyes_explain(struct sqlite_service *service, struct store_sqlite *store);
// By any thread: an operation waited and ran.
void sqlite_eyes_count(const struct store_job *job, uint64_t wait_ns, uint64_t run_ns);

#endif
