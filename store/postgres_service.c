// SPDX-License-Identifier: ISC
// The PostgreSQL service: jobs in, answers out, the state. Runs in stayd-store on the event loop.
// 1. A job is in exactly one place: a waiting list, or the slot that runs it. It is answered once.
// 2. An answer goes to the core that asked, or nowhere.
// 3. Between begin and the first state nothing of the new core is run.
#include "store/postgres_service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define PASSWORD_SIZE      257
#define FAST_S             0.01
#define SLOW_S             0.1
#define TRIES_MAX          4
#define BEHIND             8u
#define QUICK_US           1000u   // an answer of what takes longer is not held up
#define TARGET_US          50000u  // an acceptable standing wait
#define INTERVAL_US        100000u // a burst may last as long
#define FINISH_TARGET_US   800000u // the same of what was work already
#define FINISH_INTERVAL_US 1000000u
#define HOLD_US            1000u // a first guess

static const struct service_verbs verbs;

uint32_t postgres_random(void)
{
    uint32_t random = 0;
    return getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random) ? random : UINT32_MAX / 2;
}

// ---- answers ---------------------------------------------------------------------------------------------

static void count_outcome(enum wire_store_outcome outcome)
{
    stats_count(outcome == WIRE_STORE_OK || outcome == WIRE_STORE_NOT_FOUND ? STATS_store_done
                : outcome == WIRE_STORE_CONFLICT                            ? STATS_store_refused
                                                                            : STATS_store_failed);
}

// Packets carry password hashes.
void postgres_service_free_job(struct postgres_job *job)
{
    wipe(job->data, job->size);
    free(job);
}

void postgres_service_answer(struct postgres_service *service, struct postgres_job *job,
                             struct store_answer *answer, uint64_t begun_ns, uint64_t now_ns)
{
    if (!postgres_journal_answer(service, job, answer, begun_ns)) {
        return;
    }
    uint64_t wait_ns = begun_ns > job->queued_ns ? begun_ns - job->queued_ns : 0;
    uint64_t run_ns = now_ns - begun_ns;
    stats_time(STATS_TIME_stage_pool_wait, wait_ns);
    stats_time(STATS_TIME_stage_statement, run_ns);
    count_outcome(answer->outcome);
    bytes_reset(&service->packet);
    if (job->generation == service->generation &&
        store_answer_encode(answer, job->op, (uint32_t)(wait_ns / 1000), (uint32_t)(run_ns / 1000), 0,
                            &service->packet)) {
        service->events->on_answer(service->owner, bytes_view(&service->packet));
        wipe(service->packet.data, service->packet.size);
    }
    postgres_service_free_job(job);
}

void postgres_service_refuse(struct postgres_service *service, struct postgres_job *job,
                             enum wire_store_outcome outcome)
{
    uint64_t now_ns = clock_mono_ns();
    store_answer_set(&service->answer, outcome, WIRE_CONFLICT_NONE);
    postgres_service_answer(service, job, &service->answer, now_ns, now_ns);
}

void postgres_service_say_state(struct postgres_service *service)
{
    struct wire_store_state state = {
        .up = service->up, .empty = service->empty, .last_alive = service->last_alive};
    service->said = true;
    service->events->on_state(service->owner, &state);
}

// ---- what waits ------------------------------------------------------------------------------------------

// In order of priority; of one class, what ends a piece of work before what begins one.
static const uint16_t order[] = {
    WIRE_MESSAGE_store_session_end,
    WIRE_MESSAGE_store_account_epoch,
    WIRE_MESSAGE_store_account_password,
    WIRE_MESSAGE_store_account_delete,
    WIRE_MESSAGE_store_session_by_selector,
    WIRE_MESSAGE_store_account_by_id,
    WIRE_MESSAGE_store_session_by_public_id,
    WIRE_MESSAGE_store_session_grant,
    WIRE_MESSAGE_store_session_list,
    WIRE_MESSAGE_store_account_by_name,
    WIRE_MESSAGE_store_account_add,
    WIRE_MESSAGE_store_once_put,
    WIRE_MESSAGE_store_once_get,
    WIRE_MESSAGE_store_account_set,
    WIRE_MESSAGE_store_audit_add,
    WIRE_MESSAGE_store_session_seen,
    WIRE_MESSAGE_store_account_rehash,
    WIRE_MESSAGE_store_session_page,
    WIRE_MESSAGE_store_account_list,
    WIRE_MESSAGE_store_audit_list,
    WIRE_MESSAGE_store_expired_delete,
};
static_assert(sizeof(order) / sizeof(order[0]) == POSTGRES_KINDS, "every operation once");

uint32_t postgres_kind(uint16_t number)
{
    uint32_t kind = 0;
    while (order[kind] != number) {
        kind++;
    }
    return kind;
}

const struct store_operation *postgres_operation(uint32_t kind)
{
    return store_operation_find(order[kind]);
}

static struct postgres_job *job_of(struct gate_ticket *ticket)
{
    return (struct postgres_job *)ticket;
}

// Refused at admission. What was tried before may have been done: that is "unknown".
static void refuse_busy(struct postgres_service *service, struct postgres_job *job)
{
    bool untouched = job->tries == 0;
    uint64_t now_ns = clock_mono_ns();
    uint32_t jitter = (uint32_t)((now_ns * 0x9e3779b97f4a7c15u) >> 32);
    store_answer_set(&service->answer, untouched ? WIRE_STORE_REFUSED : WIRE_STORE_UNAVAILABLE,
                     WIRE_CONFLICT_NONE);
    service->answer.retry_after_s = gate_retry_after_s(&service->gate, job->kind, jitter);
    postgres_service_answer(service, job, &service->answer, now_ns, now_ns);
    service->answer.retry_after_s = 0;
}

void postgres_service_admit(struct postgres_service *service, struct postgres_job *job, uint64_t now_ns)
{
    uint64_t deadline_us = job->deadline_ns / 1000u, now_us = now_ns / 1000u;
    uint64_t takes_us = pool_takes_us(&service->pool, job->kind); // to be over by then
    deadline_us = deadline_us > takes_us ? deadline_us - takes_us : 0;
    enum gate_answer said = GATE_REFUSED;
    if (service->waiting_bytes + job->size <= SERVICE_BYTES_MAX) {
        said = gate_enter(&service->gate, &job->ticket, job->kind, deadline_us, now_us);
    }
    if (said == GATE_ENTERED) {
        stats_count(STATS_gate_entered);
        postgres_pool_start(service, job, now_ns);
    } else if (said == GATE_WAITING) {
        service->waiting_bytes += job->size;
    } else {
        stats_count(STATS_gate_refused);
        refuse_busy(service, job);
    }
}

void postgres_service_again(struct postgres_service *service, struct postgres_job *job)
{
    uint64_t now_ns = clock_mono_ns();
    if (++job->tries >= TRIES_MAX || now_ns >= job->deadline_ns || job->generation != service->generation ||
        service->stopping || !service->up) {
        postgres_service_refuse(service, job, WIRE_STORE_UNAVAILABLE);
    } else {
        postgres_service_admit(service, job, now_ns);
    }
}

struct postgres_job *postgres_service_next(struct postgres_service *service, uint64_t now_ns)
{
    struct gate_ticket *ticket = gate_next(&service->gate, now_ns / 1000u);
    if (ticket == NULL) {
        return NULL;
    }
    stats_count(STATS_gate_entered);
    service->waiting_bytes -= job_of(ticket)->size;
    return job_of(ticket);
}

// Out of the gate, by class; NULL: nobody waits.
static struct postgres_job *any_waiting(struct postgres_service *service)
{
    for (uint32_t kind = 0; kind < POSTGRES_KINDS; kind++) {
        struct gate_ticket *ticket = service->gate.class[kind].oldest;
        if (ticket != NULL) {
            gate_forget(&service->gate, ticket);
            service->waiting_bytes -= job_of(ticket)->size;
            return job_of(ticket);
        }
    }
    return NULL;
}

void postgres_service_refuse_waiting(struct postgres_service *service)
{
    struct postgres_job *job;
    while ((job = any_waiting(service)) != NULL) {
        postgres_service_refuse(service, job, WIRE_STORE_UNAVAILABLE);
    }
}

static void drop_waiting(struct postgres_service *service)
{
    struct postgres_job *job;
    while ((job = any_waiting(service)) != NULL) {
        postgres_journal_drop(service, job);
        postgres_service_free_job(job);
    }
}

static void refuse_late(struct postgres_service *service, uint64_t now_ns)
{
    struct gate_ticket *ticket;
    while ((ticket = gate_drop(&service->gate, now_ns / 1000u)) != NULL) {
        stats_count(STATS_gate_expired);
        service->waiting_bytes -= job_of(ticket)->size;
        refuse_busy(service, job_of(ticket));
    }
}

// ---- the clock -------------------------------------------------------------------------------------------

static void stop_if_done(struct postgres_service *service)
{
    if (service->stopping && !service->stopped && !postgres_journal_is_busy(service) &&
        (!service->up || (service->gate.waiting == 0 && service->pool.running == 0))) {
        service->stopped = true;
        postgres_service_refuse_waiting(service);
        ev_timer_stop(service->loop, &service->tick);
        postgres_attempt_drop(service);
        postgres_pool_close_all(service);
        postgres_connection_close(&service->reserved.connection);
        service->events->on_stopped(service->owner);
    }
}

void postgres_service_look(struct postgres_service *service)
{
    if (service->pumping || service->stopped) {
        return;
    }
    service->pumping = true;
    postgres_pool_run(service);
    service->pumping = false;
    bool fast = service->pool.running > 0 || service->gate.waiting > 0 || service->pool.connecting ||
                !service->up || service->fenced;
    if (fast != service->ticking_fast && !service->stopping) {
        service->ticking_fast = fast;
        service->tick.repeat = fast ? FAST_S : SLOW_S;
        // Never put off: one that comes and goes all the time must not keep the clock from ticking.
        if (fast && ev_timer_remaining(service->loop, &service->tick) > FAST_S) {
            ev_timer_again(service->loop, &service->tick);
        }
    }
    stats_set(STATS_store_queued, service->gate.waiting);
    stats_set(STATS_gate_waiting, service->gate.waiting);
    stop_if_done(service);
}

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct postgres_service *service = watcher->data;
    uint64_t now_ns = clock_mono_ns();
    postgres_pool_tick(service, now_ns);
    refuse_late(service, now_ns);
    postgres_attempt_tick(service, now_ns);
    postgres_reserved_tick(service, now_ns);
    postgres_journal_replay(service);
    postgres_events_tick(service, now_ns);
    postgres_service_look(service);
}

// ---- verbs -----------------------------------------------------------------------------------------------

static bool start(struct service *base)
{
    struct postgres_service *service = postgres_service_of(base);
    if (!postgres_helper_start(service->helper) || !postgres_journal_start(service)) {
        return false;
    }
    ev_timer_again(service->loop, &service->tick);
    return true;
}

static void begin(struct service *base)
{
    struct postgres_service *service = postgres_service_of(base);
    service->generation++;
    service->fenced = true;
    service->said = false;
    service->begun_ns = clock_mono_ns();
    drop_waiting(service);
    postgres_pool_admit(service);
    postgres_reserved_begin(service);
}

struct postgres_job *postgres_service_job(struct postgres_service *service, struct view packet)
{
    uint64_t op = 0;
    uint32_t deadline_ms = 0;
    bool whole = store_head(packet, &op, &deadline_ms);
    struct postgres_job *job = whole ? malloc(sizeof(*job) + packet.size) : NULL;
    if (job == NULL) {
        return NULL;
    }
    uint64_t now_ns = clock_mono_ns();
    *job = (struct postgres_job){
        .kind = postgres_kind(wire_peek(packet)),
        .op = op,
        .generation = service->generation,
        .queued_ns = now_ns,
        .deadline_ns = deadline_ms == 0 ? UINT64_MAX : now_ns + (uint64_t)deadline_ms * 1000000u,
        .size = packet.size,
    };
    memcpy(job->data, packet.data, packet.size);
    return job;
}

static bool submit(struct service *base, struct view packet)
{
    struct postgres_service *service = postgres_service_of(base);
    struct postgres_job *job = postgres_service_job(service, packet);
    if (job == NULL) {
        return store_operation_find(wire_peek(packet)) != NULL && packet.size >= 14; // its deadline answers
    }
    if (!postgres_journal_enter(service, job, &service->answer)) {
        postgres_service_answer(service, job, &service->answer, job->queued_ns, job->queued_ns);
        return true;
    }
    bool down = !service->up && service->said;
    if (down || service->stopping) {
        postgres_service_refuse(service, job, WIRE_STORE_UNAVAILABLE);
        return true;
    }
    if (postgres_journal_rests(service, job)) {
        postgres_service_refuse(service, job, WIRE_STORE_REFUSED);
    } else {
        postgres_service_admit(service, job, job->queued_ns);
    }
    if (service->gate.waiting > 0 || !service->ticking_fast) {
        postgres_service_look(service);
    }
    return true;
}

static void stop(struct service *base)
{
    struct postgres_service *service = postgres_service_of(base);
    service->stopping = true;
    service->tick.repeat = FAST_S;
    ev_timer_again(service->loop, &service->tick);
    postgres_service_look(service);
}

static void release(struct service *base)
{
    struct postgres_service *service = postgres_service_of(base);
    ev_timer_stop(service->loop, &service->tick);
    service->stopped = true;
    if (service->slots != NULL) {
        postgres_attempt_drop(service);
        postgres_pool_close_all(service);
        postgres_connection_close(&service->reserved.connection);
        postgres_pool_release(service);
    }
    drop_waiting(service);
    postgres_journal_release(service);
    postgres_helper_free(&service->helper);
    postgres_target_release(&service->target);
    store_answer_release(&service->answer);
    bytes_release(&service->packet);
    free(service);
}

static bool is_behind(const struct service *base)
{
    const struct postgres_service *service = (const struct postgres_service *)base;
    return service->up && service->gate.waiting >= BEHIND && service->gate.hold_us < QUICK_US;
}

static const struct service_verbs verbs = {start, begin, submit, stop, release, is_behind};

// ---- opening ---------------------------------------------------------------------------------------------

// A number of this node's own, so that it tells its own statements from other nodes'.
static bool read_node(struct postgres_service *service, const char *folder)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/node", folder == NULL ? "." : folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    uint8_t number[8];
    bool fine = read(fd, service->node, 16) == 16 && hex_decode(view_of(service->node, 16), number, 8);
    if (!fine && getrandom(number, sizeof(number), 0) == sizeof(number)) {
        hex_encode(number, sizeof(number), service->node);
        fine = ftruncate(fd, 0) == 0 && pwrite(fd, service->node, 16, 0) == 16 && fsync(fd) == 0;
    }
    close(fd);
    return fine;
}

static bool set_words(struct postgres_service *service)
{
    struct postgres_target *target = &service->target;
    char text[512];
    const char *theirs = postgres_target_get(target, "options");
    for (int i = 0; i < STATEMENTS; i++) {
        if (statement_sql(DIALECT_POSTGRES, (enum statement)i) != NULL &&
            statements[i].deadline_ms > service->timeout_ms) {
            service->timeout_ms = statements[i].deadline_ms;
        }
    }
    (void)snprintf(text, sizeof(text),
                   "-c statement_timeout=%u -c idle_in_transaction_session_timeout=10000"
                   " -c max_parallel_workers_per_gather=0 -c jit=off %.300s",
                   service->timeout_ms + 500, theirs == NULL ? "" : theirs);
    bool fine = target->pooler || postgres_target_set(target, "options", text);
    (void)snprintf(text, sizeof(text), "stayd %s", service->node);
    fine = fine && postgres_target_set(target, "application_name", text);
    static const char *const words[][2] = {
        {"client_encoding", "UTF8"}, {"passfile", "/nonexistent/pgpass"},
        {"gssencmode", "disable"},   {"target_session_attrs", "read-write"},
        {"keepalives_idle", "10"},   {"keepalives_interval", "5"},
        {"keepalives_count", "3"},   {"tcp_user_timeout", "10000"},
    };
    for (size_t i = 0; fine && i < sizeof(words) / sizeof(words[0]); i++) {
        if (postgres_target_get(target, words[i][0]) == NULL) {
            fine = postgres_target_set(target, words[i][0], words[i][1]);
        }
    }
    return fine;
}

bool postgres_service_password(struct service *base, struct view password)
{
    struct postgres_service *service = postgres_service_of(base);
    char text[PASSWORD_SIZE];
    if (password.size == 0) {
        return true;
    }
    bool fine = view_to_cstr(password, text, sizeof(text));
    postgres_helper_hold(service->helper); // a migration may be reading the target
    fine = fine && postgres_target_set(&service->target, "password", text);
    postgres_helper_let_go(service->helper);
    wipe(text, sizeof(text));
    return fine;
}

bool postgres_service_open(struct service **out, const struct postgres_settings *settings,
                           struct ev_loop *loop, const struct service_events *events, void *owner,
                           char why[static TARGET_WHY_MAX])
{
    static const struct postgres_helper_events helper_events = {postgres_on_addresses, postgres_on_migrated,
                                                                postgres_on_plans};
    struct postgres_service *service = calloc(1, sizeof(*service));
    *out = NULL;
    if (service == NULL) {
        (void)snprintf(why, TARGET_WHY_MAX, "out of memory");
        return false;
    }
    *service = (struct postgres_service){
        .service = {&verbs}, .loop = loop, .events = events, .owner = owner, .fenced = true, .ghosts = true};
    store_answer_init(&service->answer);
    bytes_init(&service->packet, WIRE_PACKET_MAX);
    ev_timer_init(&service->tick, on_tick, 0, SLOW_S);
    service->tick.data = service;
    bool fine = postgres_target_init(&service->target, settings->url, settings->password, why);
    service->target.pooler = service->target.pooler || settings->pooler;
    if (fine && !read_node(service, settings->folder)) {
        (void)snprintf(why, TARGET_WHY_MAX, "the file \"node\" of this node can't be read or written");
        fine = false;
    }
    fine = fine && postgres_journal_open(service, settings->folder, why);
    if (fine) {
        service->helper = postgres_helper_new(loop, &service->target, &helper_events, service);
        fine = service->helper != NULL && set_words(service) && postgres_pool_init(service, settings);
        if (!fine) {
            (void)snprintf(why, TARGET_WHY_MAX, "out of memory");
        }
    }
    if (!fine) {
        release(&service->service);
        return false;
    }
    gate_init(&service->gate, POSTGRES_KINDS, 0, POOL_WAITING_MAX, HOLD_US, TARGET_US, INTERVAL_US);
    for (uint32_t kind = 0; kind < POSTGRES_KINDS; kind++) {
        if (service->pool.kind[kind].finishes) {
            gate_set_target(&service->gate, kind, FINISH_TARGET_US, FINISH_INTERVAL_US);
        }
    }
    postgres_pool_admit(service);
    postgres_reserved_init(service);
    postgres_events_init(service);
    stats_set(STATS_store_available, 0);
    *out = &service->service;
    return true;
}
