// SPDX-License-Identifier: ISC
// Worker threads with a bounded queue, in stayd-hash: the only threads of stayd, because hashing is the only
// long computation.
//
// Invariants, under the mutex: (1) a task is in exactly one place: waiting, with one worker, or finished;
// (2) waiting_count <= waiting_max; (3) a worker sleeps only while nothing may begin and nobody has asked it
// to stop; (4) cost is the sum of the tasks at work.
#include "keeper/crew.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||     \
    __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
enum { SANITIZED = 1 }; // these keep their own account of stacks
#else
enum { SANITIZED = 0 };
#endif

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
    unsigned limit;
    uint64_t budget;
    uint64_t cost;
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

// The first that waits goes first: a dear one is not overtaken for ever by cheap ones.
static bool may_begin(const struct crew *crew)
{
    const struct crew_task *first = crew->waiting.first;
    if (first == NULL || crew->busy >= crew->limit) {
        return false;
    }
    return crew->busy == 0 || (crew->cost <= crew->budget && first->cost <= crew->budget - crew->cost);
}

static struct timespec idle_end(const struct crew *crew)
{
    struct timespec end;
    uint64_t idle_ms = crew->events.idle_ms > 0 ? crew->events.idle_ms : CREW_IDLE_MS;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    uint64_t ns = (uint64_t)end.tv_nsec + idle_ms % 1000 * 1000000;
    end.tv_sec += (time_t)(idle_ms / 1000 + ns / 1000000000);
    end.tv_nsec = (long)(ns % 1000000000);
    return end;
}

// The pages of the stack below here, which the next task will get anew, filled with zeroes.
static void give_stack_back(uint8_t *lowest)
{
    enum { PAGE = 4096, KEPT = 16 * 1024 };
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) - KEPT;
    uintptr_t from = ((uintptr_t)lowest + PAGE - 1) / PAGE * PAGE;
    uintptr_t to = here / PAGE * PAGE;
    if (lowest != NULL && to > from) {
        (void)madvise((void *)from, to - from, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
    }
}

// Under the lock, which it lets go of for the time.
static void be_idle(struct crew *crew, uint8_t *stack)
{
    unlock(crew);
    if (crew->events.on_idle != NULL) {
        crew->events.on_idle(crew->context);
    }
    give_stack_back(stack);
    lock(crew);
}

// Waits for a task; NULL when the crew stops. `worked`: there is something to give back.
static struct crew_task *begin(struct crew *crew, uint8_t *stack, bool worked)
{
    struct crew_task *task = NULL;
    struct timespec end = idle_end(crew);
    lock(crew);
    while (!crew->stopping && !may_begin(crew)) {
        if (!worked) {
            pthread_cond_wait(&crew->wake, &crew->mutex);
        } else if (pthread_cond_timedwait(&crew->wake, &crew->mutex, &end) == ETIMEDOUT) {
            be_idle(crew, stack);
            worked = false;
        }
    }
    if (!crew->stopping) {
        task = line_take(&crew->waiting);
        crew->waiting_count--;
        crew->busy++;
        crew->cost += task->cost;
    }
    unlock(crew);
    return task;
}

// Who leaves wakes the next: a task may have waited for the budget, not for a worker.
static void finish(struct crew *crew, struct crew_task *task)
{
    lock(crew);
    crew->cost -= task->cost;
    line_put(&crew->finished, task);
    crew->busy--;
    if (may_begin(crew)) {
        pthread_cond_signal(&crew->wake);
    }
    unlock(crew);
    crew->events.on_done(crew->context);
}

// The lowest address of this thread's stack; NULL: nothing is given back.
static uint8_t *stack_lowest(void)
{
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size;
    if (SANITIZED || pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return NULL;
    }
    if (pthread_attr_getstack(&attributes, &lowest, &size) != 0) {
        lowest = NULL;
    }
    pthread_attr_destroy(&attributes);
    return lowest;
}

static void *work(void *argument)
{
    struct crew *crew = argument;
    struct crew_task *task;
    uint8_t *stack = stack_lowest();
    bool worked = false;
    if (crew->events.on_start != NULL) {
        crew->events.on_start(crew->context);
    }
    lock(crew);
    crew->began_count++;
    pthread_cond_signal(&crew->began);
    unlock(crew);
    while ((task = begin(crew, stack, worked)) != NULL) {
        crew->events.on_task(task, crew->context);
        finish(crew, task);
        worked = true;
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
    crew->limit = workers;
    crew->budget = UINT64_MAX;
    crew->events = *events;
    crew->context = context;
    pthread_mutex_init(&crew->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&crew->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
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

void crew_set_bounds(struct crew *crew, unsigned limit, uint64_t budget)
{
    lock(crew);
    crew->limit = limit > 0 ? limit : 1;
    crew->budget = budget;
    pthread_cond_broadcast(&crew->wake);
    unlock(crew);
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
    struct crew_load load = {.waiting = crew->waiting_count, .busy = crew->busy, .cost = crew->cost};
    unlock(crew);
    return load;
}
