// SPDX-License-Identifier: ISC
// What the PostgreSQL service tells stayd-watch. Runs in stayd-store on the event loop. What is worth telling
// is decided in store/eyes.c; here is where it is looked for.
#include "store/postgres_service.h"

#include "base/clock.h"
#include "base/stats.h"

#include <stdio.h>

static void say(void *owner, const struct wire_event *event)
{
    struct postgres_service *service = owner;
    if (service->events->on_event != NULL) {
        struct wire_event one = *event;
        one.role = STATS_ROLE_store;
        service->events->on_event(service->owner, &one);
    }
}

void postgres_events_init(struct postgres_service *service)
{
    eyes_init(&service->eyes.eyes, say, service);
}

static unsigned operation_of(uint32_t kind)
{
    return eyes_operation(postgres_operation(kind)->number);
}

static uint64_t counter(unsigned at)
{
    return atomic_load_explicit(&stats_here->counter[at], memory_order_relaxed);
}

// The heartbeat's way there and back, or what it has taken so far.
static uint64_t network_us(const struct postgres_service *service, uint64_t now_ns)
{
    uint64_t so_far_us = service->reserved.asked ? (now_ns - service->reserved.asked_ns) / 1000u : 0;
    return so_far_us > service->eyes.network_us ? so_far_us : service->eyes.network_us;
}

static void look(const struct postgres_service *service, struct eyes_look *out, uint64_t now_ns)
{
    const struct pool *pool = &service->pool;
    *out = (struct eyes_look){.network_us = network_us(service, now_ns),
                              .waiting_lock = service->eyes.waiting_lock};
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        out->operation[i].runs = counter(STATS_statement_account_by_name + i);
        out->operation[i].run_us = counter(STATS_statement_hold_account_by_name + i);
    }
    for (uint32_t kind = 0; kind < POSTGRES_KINDS; kind++) {
        struct eyes_counts *counts = &out->operation[operation_of(kind)];
        counts->shrunk =
            (pool->kind[kind].slow || pool->kind[kind].overdue > 0) && !pool->kind[kind].background;
        counts->share = pool_share(pool, kind) * 1000u / pool_limit(pool);
    }
    for (uint32_t i = 0; i < pool->max; i++) {
        const struct postgres_slot *slot = &service->slots[i];
        struct eyes_counts *counts = &out->operation[operation_of(slot->kind)];
        uint64_t running_us = slot->running ? (now_ns - slot->begun_ns) / 1000u : 0;
        counts->running_us = running_us > counts->running_us ? running_us : counts->running_us;
    }
}

void postgres_events_tick(struct postgres_service *service, uint64_t now_ns)
{
    struct eyes *eyes = &service->eyes.eyes;
    uint64_t now_ms = now_ns / 1000000u;
    if (now_ms < eyes->tick_ms + EYES_TICK_MS) {
        return;
    }
    struct eyes_look seen;
    eyes_database(eyes, service->up, postgres_failure_last(now_ms), now_ms);
    eyes_journal(eyes, counter(STATS_journal_entries));
    look(service, &seen, now_ns);
    eyes_tick(eyes, &seen, now_ms);
    uint32_t wanted = postgres_may_run(service) && !service->stopping ? eyes_wants_plans(eyes, now_ms) : 0;
    if (wanted != 0 && service->addresses.count == 0) { // just being looked up anew
        eyes_take_plans(eyes, NULL, now_ms);
    } else if (wanted != 0) {
        postgres_helper_look_at_plans(service->helper, &service->addresses.address[service->address], wanted);
    }
}

void postgres_on_plans(void *owner, const struct eyes_plan *plans)
{
    struct postgres_service *service = owner;
    eyes_take_plans(&service->eyes.eyes, plans, clock_mono_ns() / 1000000u);
}

void postgres_events_server(struct postgres_service *service, bool other)
{
    char host[sizeof(service->eyes.host)], text[sizeof(host) + 32];
    const PGconn *pg = service->reserved.connection.pg;
    (void)snprintf(host, sizeof(host), "%.200s:%.20s", PQhost(pg), PQport(pg));
    if (other && strcmp(service->eyes.host, host) == 0) {
        (void)snprintf(text, sizeof(text), "the server was started anew");
    } else {
        (void)snprintf(text, sizeof(text), "another server answers: %s", host);
    }
    if (other) {
        stats_count(STATS_database_moved);
        eyes_moved(&service->eyes.eyes, PQhost(pg), text);
    }
    memcpy(service->eyes.host, host, sizeof(host));
}

void postgres_events_cancelled(struct postgres_service *service, uint32_t kind, uint64_t ran_ns)
{
    eyes_cancelled(&service->eyes.eyes, operation_of(kind), ran_ns / 1000000u, clock_mono_ns() / 1000000u);
}

void postgres_events_disk_full(struct postgres_service *service, const char *text)
{
    char whole[300];
    (void)snprintf(whole, sizeof(whole), "the database's disk: %.250s", text);
    eyes_disk_full(&service->eyes.eyes, whole, clock_mono_ns() / 1000000u);
}
