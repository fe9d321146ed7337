// SPDX-License-Identifier: ISC
// What the SQLite service tells stayd-watch: operations that became slow and by which plan, another program
// that has the file locked, a full disk. Runs in stayd-store: on the event loop, but for what a thread calls.
#include "store/sqlite_service.h"

#include "base/clock.h"
#include "base/stats.h"
#include "store/plan.h"
#include "store/query.h"

#include <stdio.h>

#define GLANCE_S     0.1
#define TRY_AGAIN_NS 500000000u
#define USES_MAX     6

// The statements of each operation that find rows.
static const struct {
    uint16_t operation;
    enum statement uses[USES_MAX]; // ended by STATEMENTS
} uses[] = {
#define USES(operation_, ...)                                                                                \
    {                                                                                                        \
        WIRE_MESSAGE_store_##operation_,                                                                     \
        {                                                                                                    \
            __VA_ARGS__, STATEMENTS                                                                          \
        }                                                                                                    \
    }
    USES(account_by_name, STATEMENT_ACCOUNT_BY_NAME),
    USES(account_by_id, STATEMENT_ACCOUNT_BY_ID),
    USES(account_add, STATEMENT_ACCOUNT_BY_ID, STATEMENT_ACCOUNT_BY_NAME, STATEMENT_ONCE_TAKE),
    USES(account_set, STATEMENT_ACCOUNT_BY_ID, STATEMENT_ADMINISTRATOR_OTHER, STATEMENT_ACCOUNT_UPDATE,
         STATEMENT_SESSION_END_OF_ACCOUNT),
    USES(account_password, STATEMENT_ACCOUNT_BY_ID, STATEMENT_ACCOUNT_PASSWORD,
         STATEMENT_SESSION_END_OF_ACCOUNT),
    USES(account_rehash, STATEMENT_ACCOUNT_BY_ID, STATEMENT_ACCOUNT_REHASH),
    USES(account_delete, STATEMENT_ACCOUNT_BY_ID, STATEMENT_ADMINISTRATOR_OTHER, STATEMENT_ACCOUNT_DELETE,
         STATEMENT_SESSION_END_OF_ACCOUNT),
    USES(account_list, STATEMENT_ACCOUNT_LIST),
    USES(account_epoch, STATEMENT_ACCOUNT_BY_ID, STATEMENT_ACCOUNT_EPOCH, STATEMENT_SESSION_KEEP,
         STATEMENT_SESSION_END_BELOW),
    USES(session_grant, STATEMENT_ACCOUNT_BY_ID, STATEMENT_SESSION_SAME, STATEMENT_ACCOUNT_LOGIN,
         STATEMENT_SESSION_END),
    USES(session_by_selector, STATEMENT_SESSION_BY_SELECTOR),
    USES(session_by_public_id, STATEMENT_SESSION_BY_PUBLIC_ID),
    USES(session_end, STATEMENT_SESSION_END),
    USES(session_list, STATEMENT_SESSION_LIST),
    USES(session_seen, STATEMENT_SESSION_SEEN),
    USES(session_page, STATEMENT_SESSION_PAGE),
    USES(expired_delete, STATEMENT_SESSION_SWEEP, STATEMENT_SESSION_DELETE, STATEMENT_ONCE_EXPIRED),
    USES(once_get, STATEMENT_ONCE_GET),
    USES(audit_list, STATEMENT_AUDIT_LIST_USERNAME, STATEMENT_AUDIT_LIST_EVENT, STATEMENT_AUDIT_LIST),
#undef USES
};

// ---- in the threads --------------------------------------------------------------------------------------

void sqlite_eyes_count(const struct store_job *job, uint64_t wait_ns, uint64_t run_ns)
{
    unsigned at = eyes_operation(wire_peek(store_job_packet(job)));
    stats_add_shared(STATS_statement_account_by_name + at, 1);
    stats_add_shared(STATS_statement_wait_account_by_name + at, wait_ns / 1000u);
    stats_add_shared(STATS_statement_hold_account_by_name + at, run_ns / 1000u);
}

static void take(void *owner, const struct plan_finding *finding)
{
    struct eyes_plan *plans = owner;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        for (const enum statement *one = uses[i].uses; *one != STATEMENTS; one++) {
            if (*one == finding->statement) {
                plans[eyes_operation(uses[i].operation)].known = true;
                eyes_plan_add(&plans[eyes_operation(uses[i].operation)], finding);
            }
        }
    }
}

void sqlite_eyes_explain(struct sqlite_service *service, struct store_sqlite *store)
{
    char why[256] = "";
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        service->plans[i] = (struct eyes_plan){.holds = true};
    }
    bool fine = sqlite_plans_look(store->database, take, service->plans, why, sizeof(why));
    pthread_mutex_lock(&service->lock);
    service->plans_fine = fine;
    service->plans_looking = false;
    service->plans_looked = true;
    pthread_mutex_unlock(&service->lock);
    ev_async_send(service->loop, &service->wake);
}

// ---- on the loop -----------------------------------------------------------------------------------------

static void say(void *owner, const struct wire_event *event)
{
    struct sqlite_service *service = owner;
    if (service->events->on_event != NULL) {
        struct wire_event one = *event;
        one.role = STATS_ROLE_store;
        service->events->on_event(service->owner, &one);
    }
}

static uint64_t counter(unsigned at)
{
    return atomic_load_explicit(&stats_here->counter[at], memory_order_relaxed);
}

// Who has it can't be seen from here: asking the system's locks would drop this process's own.
static void look_at_lock(struct sqlite_service *service, uint64_t now_ns)
{
    uint64_t busy_ns = store_sqlite_busy_ns(service->writer);
    struct eyes_blocker found = {.waited_ms = busy_ns == 0 ? 0 : (now_ns - busy_ns) / 1000000u,
                                 .holder = "file"};
    (void)snprintf(found.relation, sizeof(found.relation), "%.60s", service->path);
    (void)snprintf(found.who, sizeof(found.who),
                   "another program has the database file locked: \"fuser -v %.200s\" shows which",
                   service->path);
    eyes_take_lock(&service->eyes, busy_ns == 0 ? NULL : &found, busy_ns != 0, now_ns / 1000000u);
    if (busy_ns != 0 && now_ns >= service->tried_ns + TRY_AGAIN_NS) { // somebody has to try to see it gone
        service->tried_ns = now_ns;
        pthread_mutex_lock(&service->lock);
        service->probe_wanted = true;
        pthread_cond_signal(&service->writes_wait);
        pthread_mutex_unlock(&service->lock);
    }
}

static void want_plans(struct sqlite_service *service, uint64_t now_ms)
{
    if (service->stopping || service->damaged || eyes_wants_plans(&service->eyes, now_ms) == 0) {
        return;
    }
    pthread_mutex_lock(&service->lock);
    service->plans_wanted = !service->plans_looking;
    pthread_cond_broadcast(&service->reads_wait);
    pthread_mutex_unlock(&service->lock);
}

static void on_glance(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct sqlite_service *service = watcher->data;
    uint64_t now_ns = clock_mono_ns(), now_ms = now_ns / 1000000u;
    struct eyes_look look = {0};
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        look.operation[i].runs = counter(STATS_statement_account_by_name + i);
        look.operation[i].run_us = counter(STATS_statement_hold_account_by_name + i);
    }
    eyes_database(&service->eyes, service->up, service->damaged ? "the file is damaged" : "", now_ms);
    eyes_tick(&service->eyes, &look, now_ms);
    look_at_lock(service, now_ns);
    want_plans(service, now_ms);
}

void sqlite_eyes_look(struct sqlite_service *service)
{
    uint64_t now_ms = clock_mono_ns() / 1000000u;
    char text[400];
    pthread_mutex_lock(&service->lock);
    bool looked = service->plans_looked, fine = service->plans_fine, full = service->full;
    service->plans_looked = false;
    service->full = false;
    pthread_mutex_unlock(&service->lock);
    if (looked) { // the reader leaves them alone until they are wanted again
        eyes_take_plans(&service->eyes, fine ? service->plans : NULL, now_ms);
    }
    if (full) {
        (void)snprintf(text, sizeof(text), "no space left for %s", service->path);
        eyes_disk_full(&service->eyes, text, now_ms);
    }
}

void sqlite_eyes_start(struct sqlite_service *service)
{
    eyes_init(&service->eyes, say, service);
    ev_timer_init(&service->glance, on_glance, GLANCE_S, GLANCE_S);
    service->glance.data = service;
    ev_timer_start(service->loop, &service->glance);
}

void sqlite_eyes_stop(struct sqlite_service *service)
{
    ev_timer_stop(service->loop, &service->glance);
}
