// SPDX-License-Identifier: ISC
// The event loop's side of stayd-store on SQLite: takes operations in, hands answers out, fences an old core
// off, notices that the database went away and that it is back.
// 1. An answer goes to the core that asked, or nowhere: `generation` is compared when it is handed out.
// 2. Between begin and the first state nothing of the new core is run.
// 3. A damaged file is never read for an answer again: a broken index would say "not found" of what is there.
#include "store/sqlite_service.h"
#include "store/statement.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"

#define PROBE_EVERY_S 0.5

static void on_wake(struct ev_loop *loop, ev_async *watcher, int revents);
static void on_probe(struct ev_loop *loop, ev_timer *watcher, int revents);

static void free_service(struct sqlite_service *service);

static const struct service_verbs verbs;

enum { CONNECTIONS = 3 }; // a writer, two readers

static void init(struct sqlite_service *service, const char *path, struct ev_loop *loop,
                 const struct service_events *events, void *owner)
{
    *service = (struct sqlite_service){
        .service = {&verbs}, .loop = loop, .events = events, .owner = owner, .up = true, .fenced = true};
    (void)snprintf(service->path, sizeof(service->path), "%s", path);
    store_queue_init(&service->writes, SERVICE_JOBS_MAX, SERVICE_BYTES_MAX);
    store_queue_init(&service->reads, SERVICE_JOBS_MAX, SERVICE_BYTES_MAX);
    pthread_condattr_t monotonic;
    pthread_mutex_init(&service->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&service->writes_wait, &monotonic);
    pthread_cond_init(&service->reads_wait, &monotonic);
    pthread_condattr_destroy(&monotonic);
    ev_async_init(&service->wake, on_wake);
    service->wake.data = service;
    ev_async_start(loop, &service->wake);
    ev_timer_init(&service->probe, on_probe, PROBE_EVERY_S, PROBE_EVERY_S);
    service->probe.data = service;
    stats_set(STATS_store_available, 1);
    stats_set(STATS_capacity_store_queue, SERVICE_JOBS_MAX);
    stats_set(STATS_cache_statements_capacity, CONNECTIONS * (uint64_t)STATEMENTS);
    stats_set(STATS_cache_pages_capacity, CONNECTIONS * SQLITE_CACHE_KIB * 1024 / SQLITE_PAGE_BYTES);
}

enum store_open sqlite_service_open(struct service **out, const char *path, struct ev_loop *loop,
                                    const struct service_events *events, void *owner,
                                    char why[static STORE_WHY_MAX])
{
    *out = NULL;
    struct sqlite_service *service = malloc(sizeof(*service));
    if (service == NULL) {
        (void)snprintf(why, STORE_WHY_MAX, "out of memory");
        return STORE_OPEN_FAILED;
    }
    init(service, path, loop, events, owner);
    enum store_open result = store_sqlite_open(&service->writer, path, STORE_WRITE, why);
    for (size_t i = 0; result == STORE_OPENED && i < SQLITE_READERS; i++) {
        result = store_sqlite_open(&service->readers[i], path, STORE_READ, why);
    }
    if (result != STORE_OPENED) {
        free_service(service);
        return result;
    }
    *out = &service->service;
    return result;
}

static bool start(struct service *base)
{
    struct sqlite_service *service = (struct sqlite_service *)base;
    static void *(*const bodies[1 + SQLITE_READERS])(void *) = {sqlite_service_write, sqlite_service_read_all,
                                                                sqlite_service_read_quick};
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 512u << 10);
    bool fine = true;
    for (size_t i = 0; fine && i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        fine = pthread_create(&service->threads[i], &small, bodies[i], service) == 0;
        service->started += fine;
    }
    pthread_attr_destroy(&small);
    sqlite_eyes_start(service);
    if (!fine) {
        log_event(LOG_ERROR, "start_failed", "no thread could be started");
    }
    return fine;
}

// ---- state -----------------------------------------------------------------------------------------------

static void say_state(struct sqlite_service *service)
{
    pthread_mutex_lock(&service->lock);
    struct wire_store_state state = {
        .up = service->up, .empty = service->empty, .last_alive = service->last_alive};
    pthread_mutex_unlock(&service->lock);
    service->said = true;
    service->events->on_state(service->owner, &state);
}

static void set_up(struct sqlite_service *service, bool up)
{
    if (service->up == up) {
        return;
    }
    service->up = up;
    stats_set(STATS_store_available, up);
    log_event(up ? LOG_INFO : LOG_ERROR, up ? "store_up" : "store_down", "%s",
              up ? "the database answers again" : "the database does not answer");
    if (up) {
        ev_timer_stop(service->loop, &service->probe);
    } else if (!service->damaged) {
        ev_timer_start(service->loop, &service->probe);
    }
}

static void go_down(struct sqlite_service *service)
{
    bool was = service->up;
    set_up(service, false);
    if (was && service->said) {
        say_state(service);
    }
}

static void on_probe(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct sqlite_service *service = watcher->data;
    pthread_mutex_lock(&service->lock);
    service->probe_wanted = true;
    pthread_cond_signal(&service->writes_wait);
    pthread_mutex_unlock(&service->lock);
}

// Under the lock. One reading at a time; what it reads for an older core is dropped and asked for again.
static void want_state(struct sqlite_service *service)
{
    if (!service->state_wanted && !service->state_reading && !service->state_ready) {
        service->state_wanted = true;
        pthread_cond_broadcast(&service->reads_wait);
    }
}

static void look_at_failure(struct sqlite_service *service)
{
    char message[sizeof(service->broken_message)];
    pthread_mutex_lock(&service->lock);
    enum store_failure broken = service->broken;
    service->broken = STORE_FINE;
    bool writable = service->probe_done &&
                    (service->probe_failure == STORE_FINE || service->probe_failure == STORE_FAILED_NO_SPACE);
    service->probe_done = false;
    memcpy(message, service->broken_message, sizeof(message));
    if (writable && !service->up && !service->damaged && !service->fenced) {
        want_state(service); // up again once it can be read too
    }
    pthread_mutex_unlock(&service->lock);
    if (broken == STORE_FAILED_DAMAGED && !service->damaged) {
        service->damaged = true;
        log_event(LOG_ERROR, "database_damaged",
                  "%s is damaged (%s): stop stayd and restore a backup with \"stayctl restore FILE\"",
                  service->path, message);
        ev_timer_stop(service->loop, &service->probe);
        go_down(service);
    } else if (broken == STORE_FAILED_IO) {
        if (service->up) {
            log_event(LOG_ERROR, "database_failed", "%s: %s", service->path, message);
        }
        go_down(service);
    }
}

// ---- fencing ---------------------------------------------------------------------------------------------

static void begin(struct service *base)
{
    struct sqlite_service *service = (struct sqlite_service *)base;
    pthread_mutex_lock(&service->lock);
    service->generation++;
    service->fenced = true;
    service->state_ready = false;
    store_queue_release(&service->writes);
    store_queue_release(&service->reads);
    pthread_mutex_unlock(&service->lock);
    service->said = false;
    ev_async_send(service->loop, &service->wake);
}

// The fence opens in two steps: when the old core's jobs are over the state is read; when it is read it is
// said, and the new core's jobs begin.
static void look_at_state(struct sqlite_service *service)
{
    pthread_mutex_lock(&service->lock);
    if (service->generation > 0 && service->fenced && service->running == 0) {
        want_state(service);
    }
    bool ready = service->state_ready;
    bool fine = ready && service->state_failure == STORE_FINE && !service->damaged;
    if (ready) {
        service->state_ready = false;
        service->fenced = false;
        pthread_cond_broadcast(&service->reads_wait);
        pthread_cond_signal(&service->writes_wait);
    }
    pthread_mutex_unlock(&service->lock);
    if (ready && (fine || !service->said)) {
        set_up(service, fine);
        say_state(service);
    }
}

// ---- operations ------------------------------------------------------------------------------------------

static void answer(struct sqlite_service *service, const struct store_job *job)
{
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    if (store_answer_encode(&job->answer, job->op, job->wait_us, job->run_us, job->commit_us, &packet)) {
        service->events->on_answer(service->owner, bytes_view(&packet));
    }
    wipe(packet.data, packet.size);
    bytes_release(&packet);
}

static bool submit(struct service *base, struct view packet)
{
    struct sqlite_service *service = (struct sqlite_service *)base;
    const struct store_operation *operation = store_operation_find(wire_peek(packet));
    struct store_job *job = operation == NULL ? NULL : store_job_new(packet, clock_mono_ns());
    if (job == NULL) {
        return operation != NULL && packet.size >= 14; // out of memory: the asker's deadline answers
    }
    bool write = operation->access == STORE_WRITE;
    pthread_mutex_lock(&service->lock);
    job->generation = service->generation;
    bool taken = service->up && !service->stopping &&
                 store_queue_push(write ? &service->writes : &service->reads, job);
    size_t queued = service->writes.count + service->reads.count;
    if (taken && !service->fenced) {
        if (write) {
            pthread_cond_signal(&service->writes_wait);
        } else {
            pthread_cond_broadcast(&service->reads_wait);
        }
    }
    pthread_mutex_unlock(&service->lock);
    stats_set(STATS_store_queued, queued);
    if (!taken) {
        stats_add_shared(STATS_store_failed, 1);
        store_answer_set(&job->answer, WIRE_STORE_UNAVAILABLE, WIRE_CONFLICT_NONE);
        answer(service, job);
        store_job_free(&job);
    }
    return true;
}

static void hand_out(struct sqlite_service *service)
{
    pthread_mutex_lock(&service->lock);
    struct store_job *job = service->done_first;
    service->done_first = NULL;
    service->done_last = NULL;
    uint64_t generation = service->generation;
    stats_set(STATS_store_queued, service->writes.count + service->reads.count);
    pthread_mutex_unlock(&service->lock);
    while (job != NULL) {
        struct store_job *next = job->next;
        if (job->generation == generation && job->malformed) {
            service->events->on_malformed(service->owner);
        } else if (job->generation == generation) {
            answer(service, job);
        }
        store_job_free(&job);
        job = next;
    }
}

// ---- end -------------------------------------------------------------------------------------------------

static void close_all(struct sqlite_service *service)
{
    for (size_t i = 0; i < service->started; i++) {
        pthread_join(service->threads[i], NULL);
    }
    service->started = 0;
    for (size_t i = 0; i < SQLITE_READERS; i++) {
        store_sqlite_close(&service->readers[i]);
    }
    store_sqlite_close(&service->writer);
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct sqlite_service *service = watcher->data;
    hand_out(service);
    look_at_failure(service);
    look_at_state(service);
    sqlite_eyes_look(service);
    pthread_mutex_lock(&service->lock);
    bool all_ended = service->started > 0 && service->ended == service->started;
    pthread_mutex_unlock(&service->lock);
    if (service->stopping && all_ended && !service->stopped_said) {
        service->stopped_said = true;
        sqlite_eyes_stop(service);
        hand_out(service);
        close_all(service);
        service->events->on_stopped(service->owner);
    }
}

static void end_threads(struct sqlite_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->ending = true;
    pthread_cond_broadcast(&service->writes_wait);
    pthread_cond_broadcast(&service->reads_wait);
    pthread_mutex_unlock(&service->lock);
}

static void stop(struct service *base)
{
    struct sqlite_service *service = (struct sqlite_service *)base;
    service->stopping = true;
    end_threads(service);
}

static void free_service(struct sqlite_service *service)
{
    end_threads(service);
    close_all(service);
    if (service->loop != NULL) {
        ev_async_stop(service->loop, &service->wake);
        ev_timer_stop(service->loop, &service->probe);
        sqlite_eyes_stop(service);
    }
    store_queue_release(&service->writes);
    store_queue_release(&service->reads);
    while (service->done_first != NULL) {
        struct store_job *next = service->done_first->next;
        store_job_free(&service->done_first);
        service->done_first = next;
    }
    pthread_cond_destroy(&service->writes_wait);
    pthread_cond_destroy(&service->reads_wait);
    pthread_mutex_destroy(&service->lock);
    free(service);
}

static void release(struct service *base)
{
    free_service((struct sqlite_service *)base);
}

static const struct service_verbs verbs = {start, begin, submit, stop, release, NULL};
