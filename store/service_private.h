// SPDX-License-Identifier: ISC
// What the event loop's side (service.c) and the threads' side (service_threads.c) of the store's service
// share; private to them.
#ifndef STORE_SERVICE_PRIVATE_H
#define STORE_SERVICE_PRIVATE_H

#include "store/queue.h"
#include "store/service.h"

#include <pthread.h>

#define SERVICE_READERS 2

struct service {
    // the loop's
    struct ev_loop *loop;
    ev_async wake;
    ev_timer probe;
    const struct service_events *events;
    void *owner;
    char path[256];
    bool up, damaged, said; // `said`: this core has its first state
    bool stopping, stopped_said;

    // the threads': each connection is used by its own thread only
    struct store_sqlite *writer;
    struct store_sqlite *readers[SERVICE_READERS];
    pthread_t threads[1 + SERVICE_READERS];
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
    uint32_t space; // 0: there is some; else commits refused since it ran out
};

void *service_write(void *service);
void *service_read_all(void *service);   // the reader that takes every class
void *service_read_quick(void *service); // the one that background work can't hold up

#endif
