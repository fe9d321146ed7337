// SPDX-License-Identifier: ISC
// The connections of the pool and the jobs on them. Runs in stayd-store on the event loop.
// 1. A slot is running from pool_started to pool_ended; while it is, its statement may be on the server.
// 2. A slot's connection is closed and not used again when its statement was cancelled or failed in a way
// that
//    concerns the connection.
// 3. No connection is held across anything but its operation: a slot gets a job and is idle again when the
//    server has answered.
#include "store/postgres_service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>

#define IDLE_MAX_NS      60000000000u
#define UNANSWERED_NS    1500000000u // after a cancellation
#define CONNECTIONS_CORE 2u          // to begin with
#define SPACE_LOG_EVERY  256u

static void on_open(struct postgres_connection *connection);
static void on_open_failed(struct postgres_connection *connection, enum postgres_failure failure,
                           const char *text);
static void on_done(struct postgres_connection *connection, enum postgres_failure failure, const char *text);
static void on_lost(struct postgres_connection *connection, bool busy, const char *text);

static const struct postgres_connection_events slot_events = {on_open, on_open_failed, on_done, on_lost};

static uint32_t cores(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : (uint32_t)count;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

bool postgres_pool_init(struct postgres_service *service, const struct postgres_settings *settings)
{
    uint32_t most = settings->connections_max > 0 ? settings->connections_max : clamp(8 * cores(), 8, 64);
    most = clamp(most, 1, POSTGRES_CONNECTIONS_MAX);
    uint32_t least = clamp(settings->connections_min, 1, most);
    pool_init(&service->pool, POSTGRES_KINDS, least, clamp(CONNECTIONS_CORE * cores(), least, most), most);
    for (uint32_t kind = 0; kind < POSTGRES_KINDS; kind++) {
        const struct store_operation *operation = postgres_operation(kind);
        struct pool_kind *k = &service->pool.kind[kind];
        k->background = operation->class == STORE_BACKGROUND;
        k->reads = operation->access == STORE_READ;
        k->finishes = !k->reads && (operation->class == STORE_LOGIN || operation->class == STORE_SIGN_UP);
    }
    stats_set(STATS_capacity_database_connections, pool_limit(&service->pool));
    stats_set(STATS_capacity_store_queue, SERVICE_JOBS_MAX);
    stats_set(STATS_cache_statements_capacity, (uint64_t)most * STATEMENTS);
    service->slots = calloc(most, sizeof(*service->slots));
    for (uint32_t i = 0; service->slots != NULL && i < most; i++) {
        service->slots[i].service = service;
        postgres_connection_init(&service->slots[i].connection, service->loop, &slot_events,
                                 &service->slots[i]);
    }
    return service->slots != NULL;
}

void postgres_pool_release(struct postgres_service *service)
{
    free(service->slots);
    service->slots = NULL;
}

static void show(const struct postgres_service *service)
{
    stats_set(STATS_pool_open, service->pool.open);
    stats_set(STATS_pool_busy, service->pool.running);
    stats_set(STATS_pool_breaker_open, service->pool.breaker != POOL_CLOSED);
    stats_set(STATS_capacity_database_connections, pool_limit(&service->pool));
}

// ---- idle ones -------------------------------------------------------------------------------------------

static void put_idle(struct postgres_slot *slot, uint64_t now_ns)
{
    slot->idle_ns = now_ns;
    slot->idle_next = slot->service->idle;
    slot->service->idle = slot;
}

static void take_from_idle(struct postgres_slot *slot)
{
    for (struct postgres_slot **at = &slot->service->idle; *at != NULL; at = &(*at)->idle_next) {
        if (*at == slot) {
            *at = slot->idle_next;
            return;
        }
    }
}

// Each checkout: what ran, how long it waited for the connection and held it.
static void count(const struct postgres_slot *slot, uint64_t now_ns)
{
    enum stats_counter at =
        (enum stats_counter)(slot->call.operation->number - WIRE_MESSAGE_store_account_by_name);
    stats_count(STATS_statement_account_by_name + at);
    stats_add(STATS_statement_wait_account_by_name + at, slot->wait_ns / 1000u);
    stats_add(STATS_statement_hold_account_by_name + at, (now_ns - slot->begun_ns) / 1000u);
    stats_add(STATS_statement_slow_account_by_name + at, slot->late != POOL_IN_TIME);
}

// Its connection is closed already, or is closed here; what it ran is not known to be over unless `over`.
static void close_slot(struct postgres_slot *slot, bool over)
{
    struct postgres_service *service = slot->service;
    take_from_idle(slot);
    postgres_connection_close(&slot->connection);
    if (slot->running) {
        service->ghosts = service->ghosts || !over;
        uint64_t now_ns = clock_mono_ns();
        count(slot, now_ns);
        uint64_t run_ns = slot->cancelled_ns > 0 ? now_ns - slot->begun_ns : 0;
        pool_ended(&service->pool, slot->kind, slot->late, run_ns / 1000u, now_ns / 1000000u);
        gate_leave(&service->gate, &slot->ticket, run_ns > 0, now_ns / 1000u);
        postgres_call_release(&slot->call);
        slot->running = false;
    }
    slot->stale = false;
    pool_closed(&service->pool);
    postgres_pool_admit(service);
}

// ---- running ---------------------------------------------------------------------------------------------

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void admit_kind(struct postgres_service *service, uint32_t kind)
{
    uint32_t waiting_max = pool_waiting_max(&service->pool, kind);
    gate_set_share(&service->gate, kind, pool_share(&service->pool, kind));
    gate_set_queue(&service->gate, kind, waiting_max, waiting_max < POOL_WAITING_MAX);
}

static void admit_workers(struct postgres_service *service)
{
    const struct pool *pool = &service->pool;
    uint32_t workers = pool_limit(pool) + pool->overdue;
    gate_set_workers(&service->gate, !postgres_may_run(service) ? 0
                                     : workers < pool->open     ? workers
                                                                : pool->open);
}

void postgres_pool_admit(struct postgres_service *service)
{
    service->limit_admitted = pool_limit(&service->pool);
    admit_workers(service);
    for (uint32_t kind = 0; kind < POSTGRES_KINDS; kind++) {
        admit_kind(service, kind);
    }
}

// After one that ended: what others may do follows from the limit alone.
static void admit_after(struct postgres_service *service, uint32_t kind)
{
    if (pool_limit(&service->pool) != service->limit_admitted) {
        postgres_pool_admit(service);
    } else {
        admit_workers(service);
        admit_kind(service, kind);
    }
}

static void set_deadlines(struct postgres_slot *slot, const struct postgres_job *job)
{
    uint64_t now_ns = slot->begun_ns;
    struct pool_patience patience =
        pool_patience(&slot->service->pool, job->kind, slot->call.deadline_ms, now_ns / 1000000u);
    uint64_t most_ns = (uint64_t)patience.statement_ms * 1000000u;
    slot->deadline_ns = earlier(job->deadline_ns, now_ns + most_ns);
    slot->asker_ns = earlier(slot->deadline_ns, now_ns + (uint64_t)patience.asker_ms * 1000000u);
    slot->patient = slot->deadline_ns >= now_ns + most_ns / 2;
    slot->overdue_ns = now_ns + patience.overdue_us * 1000u;
    slot->stalled_ns = now_ns + patience.stalled_us * 1000u;
}

static void run(struct postgres_slot *slot, struct postgres_job *job, uint64_t now_ns)
{
    slot->begun_ns = now_ns;
    slot->wait_ns = slot->begun_ns - job->queued_ns;
    slot->job = job;
    slot->ticket = job->ticket;
    job->ticket = (struct gate_ticket){0}; // it may have to enter again
    slot->kind = job->kind;
    slot->cancelled_ns = 0;
    slot->late = POOL_IN_TIME;
    slot->running = true;
    postgres_journal_run(slot->service, job);
    set_deadlines(slot, job);
    pool_started(&slot->service->pool, job->kind);
    postgres_connection_run(&slot->connection, &slot->call, slot->call.deadline_ms);
}

void postgres_pool_start(struct postgres_service *service, struct postgres_job *job, uint64_t now_ns)
{
    struct postgres_slot *slot = service->idle;
    assert(slot != NULL);
    if (postgres_call_make(&slot->call, view_of(job->data, job->size))) {
        service->idle = slot->idle_next;
        run(slot, job, now_ns);
        return;
    }
    bool current = job->generation == service->generation;
    gate_leave(&service->gate, &job->ticket, false, now_ns / 1000u);
    postgres_service_refuse(service, job, WIRE_STORE_UNAVAILABLE);
    if (current) {
        service->events->on_malformed(service->owner);
    }
}

// Would one that waits run if there were a connection more?
static bool wants_connection(const struct postgres_service *service)
{
    for (uint32_t kind = 0; kind < POSTGRES_KINDS; kind++) {
        const struct gate_class *class = &service->gate.class[kind];
        if (class->waiting > 0 && class->working < class->share) {
            return true;
        }
    }
    return false;
}

void postgres_pool_run(struct postgres_service *service)
{
    while (service->gate.waiting > 0) {
        uint64_t now_ns = clock_mono_ns();
        struct postgres_job *job = postgres_service_next(service, now_ns);
        if (job == NULL) {
            break;
        }
        postgres_pool_start(service, job, now_ns);
    }
    // While fenced none is opened: who is fenced off is told by the connections that are known.
    if (postgres_may_run(service) && !service->stopping && !service->pool.connecting &&
        service->pool.open < service->pool.max &&
        (service->pool.open < service->pool.min || service->gate.waiting > 0) &&
        pool_may_connect(&service->pool, clock_mono_ns() / 1000000u, wants_connection(service))) {
        postgres_attempt(service, false);
    }
    show(service);
}

static void note_space(struct postgres_service *service, enum postgres_failure failure, const char *text)
{
    static uint32_t refused;
    if (failure == POSTGRES_FAILED_SPACE) {
        refused++;
        postgres_events_disk_full(service, text);
    } else if (failure == POSTGRES_FINE && refused > 0) {
        log_event(LOG_INFO, "disk_has_space", "the server takes changes again, after %u refusals", refused);
        refused = 0;
    }
}

static void take_answer(struct postgres_slot *slot, struct postgres_job *job, uint64_t now_ns)
{
    struct postgres_service *service = slot->service;
    enum postgres_taken taken =
        postgres_call_take(&slot->call, (const PGresult *const *)slot->connection.results, &service->answer);
    if (taken == POSTGRES_TAKEN) {
        if (slot->call.operation->access == STORE_WRITE) {
            stats_count(STATS_store_commits);
            note_space(service, POSTGRES_FINE, "");
        }
        postgres_service_answer(service, job, &service->answer, slot->begun_ns, now_ns);
    } else if (taken == POSTGRES_AGAIN) {
        postgres_service_again(service, job);
    } else {
        postgres_failure_say(POSTGRES_FAILED_SCHEMA, slot->call.operation->name,
                             "rows that stayd did not write", now_ns / 1000000u);
        postgres_service_refuse(service, job, WIRE_STORE_UNAVAILABLE);
    }
}

static void take_failure(struct postgres_slot *slot, struct postgres_job *job, enum postgres_failure failure,
                         const char *text, uint64_t now_ns)
{
    struct postgres_service *service = slot->service;
    note_space(service, failure, text);
    if (failure == POSTGRES_FAILED_LATE) { // the server was first
        postgres_events_cancelled(service, slot->kind, now_ns - slot->begun_ns);
    }
    if (failure != POSTGRES_FAILED_RACE) {
        postgres_failure_say(failure, slot->call.operation->name, text, now_ns / 1000000u);
    }
    if (job == NULL) {
        return;
    }
    if (postgres_failure_repeats(failure)) {
        postgres_service_again(service, job);
    } else {
        postgres_service_refuse(service, job, postgres_failure_outcome(failure));
    }
}

static void react(struct postgres_service *service, enum postgres_failure failure)
{
    if (failure == POSTGRES_FAILED_MOVED) {
        service->addresses.count = 0;
        postgres_service_trip(service);
    } else if (failure == POSTGRES_FAILED_POOLER && !service->target.pooler) {
        service->target.pooler = true;
        postgres_pool_replace_all(service);
    } else if (failure == POSTGRES_FAILED_LOST) {
        pool_failed(&service->pool, clock_mono_ns() / 1000000u, postgres_random());
    } else {
        pool_worked(&service->pool);
    }
}

static void on_done(struct postgres_connection *connection, enum postgres_failure failure, const char *text)
{
    struct postgres_slot *slot = connection->owner;
    struct postgres_service *service = slot->service;
    struct postgres_job *job = slot->job;
    uint64_t now_ns = clock_mono_ns();
    service->answered_ns = now_ns;
    service->answers++;
    if (failure == POSTGRES_FAILED_POOLER) {
        react(service, failure); // before the job is sent again
    }
    if (slot->cancelled_ns == 0) {
        pool_answered(&service->pool, slot->kind, (now_ns - slot->begun_ns) / 1000u);
    }
    bool discard = slot->cancelled_ns > 0 || slot->stale || postgres_failure_ends(failure);
    slot->job = NULL;
    if (failure == POSTGRES_FINE && job != NULL) {
        take_answer(slot, job, now_ns);
    } else if (failure != POSTGRES_FINE && slot->cancelled_ns == 0) {
        take_failure(slot, job, failure, text, now_ns);
    }
    if (connection->state == POSTGRES_CLOSED) {
        return; // the answer's receiver ended everything
    }
    if (discard) {
        stats_count(STATS_pool_discarded);
        close_slot(slot, true);
    } else {
        count(slot, now_ns);
        pool_ended(&service->pool, slot->kind, slot->late, (now_ns - slot->begun_ns) / 1000u,
                   now_ns / 1000000u);
        gate_leave(&service->gate, &slot->ticket, true, now_ns / 1000u);
        postgres_call_release(&slot->call);
        slot->running = false;
        postgres_connection_clear(connection);
        put_idle(slot, now_ns);
        admit_after(service, slot->kind);
    }
    react(service, failure);
    postgres_service_look(service);
}

static void on_lost(struct postgres_connection *connection, bool busy, const char *text)
{
    struct postgres_slot *slot = connection->owner;
    struct postgres_service *service = slot->service;
    struct postgres_job *job = slot->job;
    uint64_t now_ms = clock_mono_ns() / 1000000u;
    slot->job = NULL;
    stats_count(STATS_pool_broken);
    close_slot(slot, false);
    if (busy) {
        postgres_failure_say(POSTGRES_FAILED_LOST, "a connection broke", text, now_ms);
        pool_failed(&service->pool, now_ms, postgres_random());
    }
    if (job != NULL) {
        postgres_service_again(service, job);
    }
    if (service->pool.breaker == POOL_OPEN) {
        postgres_service_trip(service);
    }
    postgres_service_look(service);
}

static void on_open(struct postgres_connection *connection)
{
    struct postgres_slot *slot = connection->owner;
    slot->stale = false;
    postgres_attempt_succeeded(slot->service);
    put_idle(slot, clock_mono_ns());
    postgres_pool_admit(slot->service);
    show(slot->service);
    postgres_service_look(slot->service);
}

static void on_open_failed(struct postgres_connection *connection, enum postgres_failure failure,
                           const char *text)
{
    struct postgres_slot *slot = connection->owner;
    postgres_attempt_failed(slot->service, failure, text);
}

// ---- the clock -------------------------------------------------------------------------------------------

static void give_up(struct postgres_slot *slot, const char *why, uint64_t now_ns)
{
    struct postgres_service *service = slot->service;
    struct postgres_job *job = slot->job;
    slot->job = NULL;
    slot->cancelled_ns = now_ns;
    if (now_ns >= slot->deadline_ns) {
        postgres_events_cancelled(service, slot->kind, now_ns - slot->begun_ns);
    }
    postgres_helper_cancel(service->helper, postgres_connection_cancel(&slot->connection));
    if (job != NULL) {
        stats_count(STATS_store_expired);
        postgres_failure_say(POSTGRES_FAILED_LATE, slot->call.operation->name, why, now_ns / 1000000u);
        postgres_service_refuse(service, job, WIRE_STORE_UNAVAILABLE);
    }
}

static void note_late(struct postgres_slot *slot, uint64_t now_ns)
{
    enum pool_late late = now_ns >= slot->stalled_ns   ? POOL_STALLED
                          : now_ns >= slot->overdue_ns ? POOL_OVERDUE
                                                       : POOL_IN_TIME;
    if (late <= slot->late) {
        return;
    }
    while (slot->late < late) {
        slot->late++;
        pool_became(&slot->service->pool, slot->kind, slot->late);
    }
    postgres_pool_admit(slot->service);
}

// The statement goes on without its asker.
static void answer_asker(struct postgres_slot *slot, uint64_t now_ns)
{
    struct postgres_job *job = slot->job;
    if (job != NULL && now_ns >= slot->asker_ns && slot->asker_ns < slot->deadline_ns &&
        !postgres_connection_has_news(&slot->connection)) {
        slot->job = NULL;
        stats_count(STATS_store_expired);
        postgres_service_refuse(slot->service, job, WIRE_STORE_UNAVAILABLE);
    }
}

static void tick_slot(struct postgres_slot *slot, uint64_t now_ns)
{
    struct postgres_service *service = slot->service;
    if (slot->running) {
        note_late(slot, now_ns);
        answer_asker(slot, now_ns);
    }
    if (slot->running && slot->cancelled_ns == 0 && now_ns >= slot->deadline_ns) {
        if (!postgres_connection_has_news(&slot->connection)) {
            if (slot->patient) {
                pool_gave_up(&service->pool, slot->kind, now_ns / 1000000u);
            }
            give_up(slot, "no answer at its deadline", now_ns);
        }
    } else if (slot->running && slot->cancelled_ns > 0 && now_ns >= slot->cancelled_ns + UNANSWERED_NS) {
        postgres_failure_say(POSTGRES_FAILED_SILENT, slot->call.operation->name, "nor to its cancellation",
                             now_ns / 1000000u);
        close_slot(slot, false);
        pool_failed(&service->pool, now_ns / 1000000u, postgres_random());
    } else if (slot->connection.state == POSTGRES_IDLE && service->pool.open > service->pool.min &&
               now_ns >= slot->idle_ns + IDLE_MAX_NS) {
        close_slot(slot, true);
    }
}

void postgres_pool_tick(struct postgres_service *service, uint64_t now_ns)
{
    for (uint32_t i = 0; i < service->pool.max; i++) {
        if (service->slots[i].connection.state != POSTGRES_CLOSED) {
            tick_slot(&service->slots[i], now_ns);
        }
    }
    if (service->pool.breaker == POOL_OPEN && service->up) {
        postgres_service_trip(service);
    }
}

void postgres_pool_cancel_old(struct postgres_service *service, uint64_t now_ns)
{
    for (uint32_t i = 0; i < service->pool.max; i++) {
        struct postgres_slot *slot = &service->slots[i];
        if (slot->running && slot->cancelled_ns == 0) {
            give_up(slot, "no answer when a new core came", now_ns);
        }
    }
}

void postgres_pool_make_room(struct postgres_service *service, uint64_t now_ns)
{
    for (uint32_t i = 0; i < service->pool.max; i++) {
        struct postgres_slot *slot = &service->slots[i];
        if (slot->running && slot->cancelled_ns == 0 && slot->late >= POOL_OVERDUE) {
            pool_gave_up(&service->pool, slot->kind, now_ns / 1000000u);
            give_up(slot, "it waits, and the pooler has no connection left: its pool is too small", now_ns);
        }
    }
    postgres_pool_admit(service);
}

void postgres_pool_close_all(struct postgres_service *service)
{
    for (uint32_t i = 0; i < service->pool.max; i++) {
        struct postgres_slot *slot = &service->slots[i];
        struct postgres_job *job = slot->job;
        if (slot->connection.state == POSTGRES_CLOSED || slot->connection.state == POSTGRES_CONNECTING) {
            continue;
        }
        slot->job = NULL;
        close_slot(slot, false);
        if (job != NULL) {
            postgres_service_refuse(service, job, WIRE_STORE_UNAVAILABLE);
        }
    }
    show(service);
}

void postgres_pool_replace_all(struct postgres_service *service)
{
    for (uint32_t i = 0; i < service->pool.max; i++) {
        struct postgres_slot *slot = &service->slots[i];
        if (slot->connection.state == POSTGRES_IDLE) {
            close_slot(slot, true);
        } else if (slot->connection.state == POSTGRES_BUSY) {
            slot->stale = true;
        }
    }
}

// The database can't be used: everything that was asked is answered, everything is closed, a probe finds out
// when it can be used again.
void postgres_service_trip(struct postgres_service *service)
{
    uint64_t now_ms = clock_mono_ns() / 1000000u;
    bool was = service->up;
    service->up = false;
    if (service->pool.breaker == POOL_CLOSED) {
        pool_trip(&service->pool, now_ms, postgres_random());
    }
    postgres_attempt_drop(service);
    postgres_pool_close_all(service);
    postgres_reserved_lost(service);
    postgres_pool_admit(service);
    postgres_service_refuse_waiting(service);
    stats_set(STATS_store_available, 0);
    if (was) {
        log_event(LOG_ERROR, "store_down", "the database does not answer");
        if (service->said) {
            postgres_service_say_state(service);
        }
    }
}
