// SPDX-License-Identifier: ISC
// The writer and the readers of stayd-store.
// 1. A job is answered (put on the done list) only after its transaction ended.
// 2. The lock is never held over a call of SQLite.
// 3. `running` counts the jobs taken off a queue and not yet on the done list: when it is 0 nothing of an old
// core
//    is under way.
#include "store/sqlite_service.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/stats.h"

#include <errno.h>

#define QUIET_NS        500000000u  // without changes for this long: tidy up
#define TIDY_AGAIN_NS   5000000000u // after tidying up failed
#define WAL_PAGES_MAX   1000u       // then the log is moved into the file without waiting for quiet
#define SPACE_LOG_EVERY 256u        // refusals a log line while the disk is full

// ---- between the threads and the loop --------------------------------------------------------------------

static void hand_over(struct sqlite_service *service, struct store_job *jobs, size_t count)
{
    pthread_mutex_lock(&service->lock);
    if (service->done_last != NULL) {
        service->done_last->next = jobs;
    } else {
        service->done_first = jobs;
    }
    for (struct store_job *job = jobs; job != NULL; job = job->next) {
        service->done_last = job;
    }
    service->running -= count;
    pthread_mutex_unlock(&service->lock);
    ev_async_send(service->loop, &service->wake);
}

static int severity(enum store_failure failure)
{
    return failure == STORE_FAILED_DAMAGED ? 2 : failure == STORE_FAILED_IO ? 1 : 0;
}

// Tells the loop of what concerns more than one operation, and the log of what concerns its operator.
static void report(struct sqlite_service *service, const struct store_sqlite *store,
                   enum store_failure failure)
{
    if (failure == STORE_FAILED_VALUE) {
        log_event(LOG_ERROR, "store_value_refused", "%s", store_sqlite_message(store));
    }
    pthread_mutex_lock(&service->lock);
    service->full = service->full || failure == STORE_FAILED_NO_SPACE;
    if (severity(failure) > severity(service->broken)) {
        service->broken = failure;
        (void)snprintf(service->broken_message, sizeof(service->broken_message), "%s",
                       store_sqlite_message(store));
    }
    pthread_mutex_unlock(&service->lock);
}

static void note_space(struct sqlite_service *service, enum store_failure failure)
{
    if (failure == STORE_FAILED_NO_SPACE) {
        if (service->space++ % SPACE_LOG_EVERY == 0) {
            log_event(LOG_ERROR, "disk_full",
                      "no space left for %s: changes are refused, reading goes on; free some space",
                      service->path);
        }
    } else if (failure == STORE_FINE && service->space > 0) {
        log_event(LOG_INFO, "disk_has_space", "changes are taken again, after %u refusals", service->space);
        service->space = 0;
    }
}

static void expire(struct store_job *job)
{
    stats_add_shared(STATS_store_expired, 1);
    store_answer_set(&job->answer, WIRE_STORE_UNAVAILABLE, WIRE_CONFLICT_NONE);
}

static bool is_late(const struct store_job *job, uint64_t now_ns)
{
    return job->deadline_ns != job->queued_ns && now_ns > job->deadline_ns;
}

static void count_outcome(const struct store_job *job)
{
    enum wire_store_outcome outcome = job->answer.outcome;
    stats_add_shared(outcome == WIRE_STORE_OK || outcome == WIRE_STORE_NOT_FOUND ? STATS_store_done
                     : outcome == WIRE_STORE_CONFLICT                            ? STATS_store_refused
                                                                                 : STATS_store_failed,
                     1);
}

// ---- the writer ------------------------------------------------------------------------------------------

// Every job in one transaction; all of them have the outcome of its commit.
static void run_batch(struct sqlite_service *service, struct store_job *batch)
{
    struct store_sqlite *store = service->writer;
    uint64_t begun_ns = clock_mono_ns();
    uint32_t commit_us = 0;
    enum store_failure failure = store_sqlite_begin(store);
    for (struct store_job *job = batch; job != NULL; job = job->next) {
        job->wait_us = (uint32_t)((begun_ns - job->queued_ns) / 1000);
        if (failure != STORE_FINE) {
            store_answer_set(&job->answer, store_failure_outcome(failure), WIRE_CONFLICT_NONE);
        } else if (is_late(job, begun_ns)) {
            expire(job);
        } else {
            uint64_t apply_ns = clock_mono_ns();
            job->malformed = !store_sqlite_apply(store, store_job_packet(job), &job->answer);
            sqlite_eyes_count(job, begun_ns - job->queued_ns, clock_mono_ns() - apply_ns);
            if (store_sqlite_failure(store) == STORE_FAILED_VALUE) {
                report(service, store, STORE_FAILED_VALUE);
            }
        }
    }
    if (failure == STORE_FINE) {
        uint64_t commit_ns = clock_mono_ns();
        failure = store_sqlite_commit(store);
        commit_us = (uint32_t)((clock_mono_ns() - commit_ns) / 1000);
        stats_time_shared(STATS_TIME_stage_commit, (uint64_t)commit_us * 1000);
        stats_add_shared(STATS_store_commits, failure == STORE_FINE);
    }
    uint32_t run_us = (uint32_t)((clock_mono_ns() - begun_ns) / 1000) - commit_us;
    for (struct store_job *job = batch; job != NULL; job = job->next) {
        if (failure != STORE_FINE) {
            store_answer_set(&job->answer, store_failure_outcome(failure), WIRE_CONFLICT_NONE);
        }
        job->run_us = run_us;
        job->commit_us = commit_us;
        stats_time_shared(STATS_TIME_stage_pool_wait, (uint64_t)job->wait_us * 1000);
        stats_time_shared(STATS_TIME_stage_statement, (uint64_t)run_us * 1000);
        count_outcome(job);
    }
    note_space(service, failure);
    report(service, store, failure);
}

static struct timespec after(uint64_t delay_ns)
{
    uint64_t until = clock_mono_ns() + delay_ns;
    return (struct timespec){.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
}

// Moves the log into the file; returns how long to leave it alone.
static uint64_t tidy(struct sqlite_service *service, bool quiet)
{
    enum store_failure failure = store_sqlite_checkpoint(service->writer);
    report(service, service->writer, failure);
    if (quiet) {
        store_sqlite_shrink(service->writer);
    }
    if (failure != STORE_FINE && failure != STORE_FAILED_NO_SPACE && failure != STORE_FAILED_BUSY) {
        log_event(LOG_WARNING, "checkpoint_failed", "%s", store_sqlite_message(service->writer));
    }
    return store_sqlite_wal_pages(service->writer) == 0 ? QUIET_NS : TIDY_AGAIN_NS;
}

static void probe(struct sqlite_service *service)
{
    enum store_failure failure = store_sqlite_probe(service->writer);
    pthread_mutex_lock(&service->lock);
    service->probe_failure = failure;
    service->probe_done = true;
    pthread_mutex_unlock(&service->lock);
    ev_async_send(service->loop, &service->wake);
}

static bool writer_has_work(const struct sqlite_service *service)
{
    return service->probe_wanted || (!service->fenced && service->writes.count > 0);
}

static void leave(struct sqlite_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->ended++;
    pthread_mutex_unlock(&service->lock);
    ev_async_send(service->loop, &service->wake);
}

static void inject_faults(void)
{
    if (FAULT("store_crash")) {
        fault_crash();
    }
    if (FAULT("store_hang")) {
        fault_hang();
    }
    if (FAULT("store_slow")) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    }
}

static void write_batch(struct sqlite_service *service, struct store_job *batch)
{
    size_t count = 0;
    for (const struct store_job *job = batch; job != NULL; job = job->next) {
        count++;
    }
    inject_faults();
    run_batch(service, batch);
    hand_over(service, batch, count);
}

void *sqlite_service_write(void *argument)
{
    struct sqlite_service *service = argument;
    uint64_t pause_ns = QUIET_NS, busy_until_ns = 0;
    (void)crash_watch_thread();
    pthread_mutex_lock(&service->lock);
    for (;;) {
        bool quiet = false;
        while (!quiet && !writer_has_work(service) && !service->ending) {
            struct timespec until = after(pause_ns);
            if (store_sqlite_wal_pages(service->writer) == 0) {
                pthread_cond_wait(&service->writes_wait, &service->lock);
            } else {
                quiet = pthread_cond_timedwait(&service->writes_wait, &service->lock, &until) == ETIMEDOUT;
            }
        }
        if (service->ending && (service->fenced || service->writes.count == 0)) {
            break;
        }
        bool probing = service->probe_wanted;
        service->probe_wanted = false;
        struct store_job *batch =
            service->fenced ? NULL : store_queue_take_batch(&service->writes, SQLITE_BATCH_MAX);
        for (const struct store_job *job = batch; job != NULL; job = job->next) {
            service->running++;
        }
        pthread_mutex_unlock(&service->lock);
        if (probing) {
            probe(service);
        }
        if (batch != NULL) {
            write_batch(service, batch);
        }
        // After the answers: nobody waits for it but the next change.
        bool full =
            store_sqlite_wal_pages(service->writer) >= WAL_PAGES_MAX && clock_mono_ns() > busy_until_ns;
        if (quiet || full) {
            pause_ns = tidy(service, quiet);
            busy_until_ns = pause_ns == QUIET_NS ? 0 : clock_mono_ns() + pause_ns;
        }
        pthread_mutex_lock(&service->lock);
    }
    pthread_mutex_unlock(&service->lock);
    leave(service);
    return NULL;
}

// ---- the readers -----------------------------------------------------------------------------------------

static void read_one(struct sqlite_service *service, struct store_sqlite *store, struct store_job *job)
{
    uint64_t begun_ns = clock_mono_ns();
    job->wait_us = (uint32_t)((begun_ns - job->queued_ns) / 1000);
    inject_faults();
    if (is_late(job, begun_ns)) {
        expire(job);
    } else {
        store_sqlite_deadline(store, job->deadline_ns != job->queued_ns ? job->deadline_ns : 0);
        job->malformed = !store_sqlite_apply(store, store_job_packet(job), &job->answer);
        store_sqlite_deadline(store, 0);
        sqlite_eyes_count(job, begun_ns - job->queued_ns, clock_mono_ns() - begun_ns);
        report(service, store, store_sqlite_failure(store));
    }
    uint64_t took_ns = clock_mono_ns() - begun_ns;
    job->run_us = (uint32_t)(took_ns / 1000);
    stats_time_shared(STATS_TIME_stage_pool_wait, begun_ns - job->queued_ns);
    stats_time_shared(STATS_TIME_stage_statement, took_ns);
    count_outcome(job);
    hand_over(service, job, 1);
}

static void read_state(struct sqlite_service *service, struct store_sqlite *store, uint64_t generation)
{
    bool empty = false;
    uint64_t last_alive = 0;
    enum store_failure failure = store_sqlite_state(store, &empty, &last_alive);
    report(service, store, failure);
    pthread_mutex_lock(&service->lock);
    service->state_reading = false;
    if (generation == service->generation) { // else: read before the old core's last change
        service->empty = empty;
        service->last_alive = last_alive;
        service->state_failure = failure;
        service->state_ready = true;
    }
    pthread_mutex_unlock(&service->lock);
    ev_async_send(service->loop, &service->wake);
}

static void read_loop(struct sqlite_service *service, struct store_sqlite *store, enum store_class end,
                      bool tells)
{
    bool cached = false;
    (void)crash_watch_thread();
    pthread_mutex_lock(&service->lock);
    for (;;) {
        bool quiet = false;
        while (!quiet && !(tells && service->state_wanted) && !(!tells && service->plans_wanted) &&
               !service->ending && (service->fenced || !store_queue_has(&service->reads, end))) {
            struct timespec until = after(QUIET_NS);
            if (cached) {
                quiet = pthread_cond_timedwait(&service->reads_wait, &service->lock, &until) == ETIMEDOUT;
            } else {
                pthread_cond_wait(&service->reads_wait, &service->lock);
            }
        }
        if (service->ending && (service->fenced || !store_queue_has(&service->reads, end))) {
            break;
        }
        bool state = tells && service->state_wanted;
        service->state_wanted = service->state_wanted && !state;
        service->state_reading = service->state_reading || state;
        uint64_t generation = service->generation;
        bool explain = !tells && service->plans_wanted;
        service->plans_wanted = service->plans_wanted && !explain;
        service->plans_looking = service->plans_looking || explain;
        struct store_job *job = service->fenced ? NULL : store_queue_take(&service->reads, end);
        service->running += job != NULL;
        pthread_mutex_unlock(&service->lock);
        if (state) {
            read_state(service, store, generation);
        }
        if (job != NULL) {
            read_one(service, store, job);
        }
        if (explain) {
            sqlite_eyes_explain(service, store);
        }
        if (quiet) {
            store_sqlite_shrink(store);
        }
        cached = !quiet;
        pthread_mutex_lock(&service->lock);
    }
    pthread_mutex_unlock(&service->lock);
    leave(service);
}

void *sqlite_service_read_all(void *argument)
{
    struct sqlite_service *service = argument;
    read_loop(service, service->readers[0], STORE_CLASSES, false);
    return NULL;
}

void *sqlite_service_read_quick(void *argument)
{
    struct sqlite_service *service = argument;
    read_loop(service, service->readers[1], STORE_BACKGROUND, true);
    return NULL;
}
