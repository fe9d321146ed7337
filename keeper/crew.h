// SPDX-License-Identifier: ISC
// A crew: worker threads that take tasks from a bounded queue and give them back done.
// Used by stayd-hash. Owns its threads and the queue's links; tasks belong to the caller before crew_offer
// and after crew_collect, to the crew in between. Bounds: CREW_WORKERS_MAX threads, waiting_max tasks
// waiting; at work, no more than the limit says and no more cost than the budget (one task that costs more
// than the whole budget works alone). One thread (the event loop's) calls these verbs; the workers are
// inside.
//
// Threads are all started at once, because the sandbox forbids starting more; one that is not used costs a
// few pages, and gives the pages of its stack back when it has been idle for CREW_IDLE_MS.
#ifndef KEEPER_CREW_H
#define KEEPER_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CREW_WORKERS_MAX 256
#define CREW_IDLE_MS     5000

struct crew_task {
    struct crew_task *next;
    uint64_t cost; // of the budget, while at work
};

struct crew_events {
    // On a worker, once when it starts: for what holds per thread. May be NULL.
    void (*on_start)(void *context);
    // On a worker: do it.
    void (*on_task)(struct crew_task *task, void *context);
    // On a worker that has been idle for idle_ms (0: CREW_IDLE_MS), once: give back what is kept between
    // tasks. May be NULL.
    void (*on_idle)(void *context);
    unsigned idle_ms;
    // On a worker, after a task: tell the event loop that crew_collect has something.
    void (*on_done)(void *context);
};

struct crew;

// Starts the threads, with all signals blocked, and returns when all are through on_start; NULL when there is
// no memory or no thread to be had.
struct crew *crew_new(unsigned workers, unsigned waiting_max, const struct crew_events *events,
                      void *context);
// Waits for the tasks being worked on. Those that never began come back by `drop`, on this thread.
void crew_free(struct crew **crew, void (*drop)(struct crew_task *task, void *context));

// How many may work at once (at least 1), and what they may cost together. Who works goes on.
void crew_set_bounds(struct crew *crew, unsigned limit, uint64_t budget);

// Hands a task over; false when as many are waiting as may.
[[nodiscard]] bool crew_offer(struct crew *crew, struct crew_task *task);
// The next finished task, in the order of finishing; NULL when there is none.
struct crew_task *crew_collect(struct crew *crew);

struct crew_load {
    unsigned waiting;
    unsigned busy;
    uint64_t cost; // of those at work
};
struct crew_load crew_load(struct crew *crew);

#endif
