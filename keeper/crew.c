// SPDX-License-Identifier: ISC
// Worker threads with a bounded queue, in stayd-hash: the only threads of stayd, because hashing is the only
// long computation.
//
// Invariants, under the mutex: (1) a task is in exactly one place: waiting, with one worker, or finished;
// (2) waiting_count <= waiting_max; (3) a worker sleeps only while nothing is waiting and nobody has asked it
// to stop.
#include "keeper/crew.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

// Room for zxcvbn's recursion and a text of code points, and for the sanitizers' larger frames; only what is
// touched is ever resident.
#define STACK_SIZE ((size_t)1 << 20)

struct line {
    struct crew_task *first;
    struct crew_task *last;
};

struct crew {
    pthread_mutex_t mutex;
    pthread_cond_t wake;  // something is waiting, or stopping
    pthread_cond_t began; // a worker is through on_start
    struct line waiting;
    struct line finished;
    unsigned waiting_count;
    unsigned waiting_max;
    unsigned busy;
    unsigned began_count;
    bool stopping;
    struct crew_events events;
    void *context;
    unsigned worker_count;
    pthread_t worker[];
};

static void line_put(struct line *line, struct crew_task *task)
{
    task->next = NULL;
    if (line->last == NULL) {
        line->first = task;
    } else {
        line->last->next = task;
    }
    line->last = task;
}

static struct crew_task *line_take(struct line *line)
{
    struct crew_task *task = line->first;
    if (task != NULL) {
        line->first = task->next;
        if (line->first == NULL) {
            line->last = NULL;
        }
    }
    return task;
}

static void lock(struct crew *crew)
{
    int failed = pthread_mutex_lock(&crew->mutex);
    assert(failed == 0);
    (void)failed;
}

static void unlock(struct crew *crew)
{
    int failed = pthread_mutex_unlock(&crew->mutex);
    assert(failed == 0);
    (void)failed;
}

// Waits for a task; NULL when the crew stops.
static struct crew_task *begin(struct crew *crew)
{
    struct crew_task *task = NULL;
    lock(crew);
    while (!crew->stopping && crew->waiting.first == NULL) {
        pthread_cond_wait(&crew->wake, &crew->mutex);
    }
    if (!crew->stopping) {
        task = line_take(&crew->waiting);
        crew->waiting_count--;
        crew->busy++;
    }
    unlock(crew);
    return task;
}

static void finish(struct crew *crew, struct crew_task *task)
{
    lock(crew);
    line_put(&crew->finished, task);
    crew->busy--;
    unlock(crew);
    crew->events.on_done(crew->context);
}

static void *work(void *argument)
{
    struct crew *crew = argument;
    struct crew_task *task;
    if (crew->events.on_start != NULL) {
        crew->events.on_start(crew->context);
    }
    lock(crew);
    crew->began_count++;
    pthread_cond_signal(&crew->began);
    unlock(crew);
    while ((task = begin(crew)) != NULL) {
        crew->events.on_task(task, crew->context);
        finish(crew, task);
    }
    return NULL;
}

static bool start_workers(struct crew *crew, unsigned workers)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    sigfillset(&all);
    bool started = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0 &&
                   pthread_sigmask(SIG_SETMASK, &all, &before) == 0;
    if (started) {
        while (started && crew->worker_count < workers) {
            started = pthread_create(&crew->worker[crew->worker_count], &attributes, work, crew) == 0;
            crew->worker_count += started ? 1 : 0;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return started;
}

// Whoever enters a sandbox next may take away what on_start needs.
static void wait_until_begun(struct crew *crew)
{
    lock(crew);
    while (crew->began_count < crew->worker_count) {
        pthread_cond_wait(&crew->began, &crew->mutex);
    }
    unlock(crew);
}

struct crew *crew_new(unsigned workers, unsigned waiting_max, const struct crew_events *events, void *context)
{
    assert(workers > 0 && workers <= CREW_WORKERS_MAX && waiting_max > 0);
    struct crew *crew = calloc(1, sizeof *crew + workers * sizeof crew->worker[0]);
    if (crew == NULL) {
        return NULL;
    }
    crew->waiting_max = waiting_max;
    crew->events = *events;
    crew->context = context;
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_cond_init(&crew->wake, NULL);
    pthread_cond_init(&crew->began, NULL);
    if (start_workers(crew, workers)) {
        wait_until_begun(crew);
    } else {
        crew_free(&crew, NULL);
    }
    return crew;
}

void crew_free(struct crew **crew, void (*drop)(struct crew_task *task, void *context))
{
    struct crew *old = *crew;
    struct crew_task *task;
    if (old == NULL) {
        return;
    }
    lock(old);
    old->stopping = true;
    pthread_cond_broadcast(&old->wake);
    unlock(old);
    for (unsigned i = 0; i < old->worker_count; i++) {
        pthread_join(old->worker[i], NULL);
    }
    while ((task = line_take(&old->waiting)) != NULL || (task = line_take(&old->finished)) != NULL) {
        drop(task, old->context);
    }
    pthread_cond_destroy(&old->began);
    pthread_cond_destroy(&old->wake);
    pthread_mutex_destroy(&old->mutex);
    free(old);
    *crew = NULL;
}

bool crew_offer(struct crew *crew, struct crew_task *task)
{
    lock(crew);
    bool room = crew->waiting_count < crew->waiting_max;
    if (room) {
        line_put(&crew->waiting, task);
        crew->waiting_count++;
        pthread_cond_signal(&crew->wake);
    }
    unlock(crew);
    return room;
}

struct crew_task *crew_collect(struct crew *crew)
{
    lock(crew);
    struct crew_task *task = line_take(&crew->finished);
    unlock(crew);
    return task;
}

struct crew_load crew_load(struct crew *crew)
{
    lock(crew);
    struct crew_load load = {.waiting = crew->waiting_count, .busy = crew->busy};
    unlock(crew);
    return load;
}
