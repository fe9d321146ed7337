// SPDX-License-Identifier: ISC
// One connection attempt at a time: names looked up, then each address in turn, each with a limit. Runs in
// stayd-store on the event loop.
// 1. pool.connecting is true from postgres_attempt to its success, failure or drop.
// 2. The address that worked last is tried first; when none works names are looked up anew.
#include "store/postgres_service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"

#include <stdio.h>

#define ADDRESS_NS 2000000000u // for one address
#define LOOK_UP_NS 3000000000u

static struct postgres_connection *connection_of(struct postgres_service *service)
{
    return service->attempt_reserved ? &service->reserved.connection : &service->attempt->connection;
}

static void try_address(struct postgres_service *service)
{
    service->attempt_ns = clock_mono_ns();
    service->looking_up = false;
    if (!postgres_connection_open(connection_of(service), &service->target,
                                  &service->addresses.address[service->address])) {
        service->addresses_tried = service->addresses.count;
        postgres_attempt_failed(service, POSTGRES_FAILED_MEMORY, "out of memory here");
    }
}

void postgres_attempt(struct postgres_service *service, bool reserved)
{
    service->attempt_reserved = reserved;
    service->attempt = NULL;
    for (uint32_t i = 0; !reserved && service->attempt == NULL && i < service->pool.max; i++) {
        if (service->slots[i].connection.state == POSTGRES_CLOSED) {
            service->attempt = &service->slots[i];
        }
    }
    if (!reserved && service->attempt == NULL) {
        return;
    }
    pool_connecting(&service->pool);
    service->attempt_ns = clock_mono_ns();
    service->addresses_tried = 0;
    if (service->addresses.count > 0) {
        try_address(service);
    } else {
        service->looking_up = true;
        postgres_helper_look_up(service->helper);
    }
}

void postgres_on_addresses(void *owner, const struct postgres_addresses *addresses)
{
    struct postgres_service *service = owner;
    if (!service->looking_up) {
        return; // given up meanwhile
    }
    service->addresses = *addresses;
    service->address = 0;
    if (addresses->count > 0) {
        try_address(service);
        return;
    }
    service->looking_up = false;
    postgres_attempt_failed(service, POSTGRES_FAILED_LOST, addresses->why);
}

void postgres_attempt_succeeded(struct postgres_service *service)
{
    stats_count(STATS_pool_opened);
    if (service->attempt_reserved) {
        pool_connected_reserved(&service->pool);
    } else {
        pool_connected(&service->pool);
    }
}

static void say(struct postgres_service *service, enum postgres_failure failure, const char *text)
{
    char where[300];
    const struct postgres_host *host =
        &service->target
             .host[service->addresses.count > 0 ? service->addresses.address[service->address].host : 0];
    (void)snprintf(where, sizeof(where), "%s%s%s", host->name, host->name[0] == '/' ? "" : ":",
                   host->name[0] == '/' ? "" : host->port);
    postgres_failure_say(failure, where, text, clock_mono_ns() / 1000000u);
}

void postgres_attempt_failed(struct postgres_service *service, enum postgres_failure failure,
                             const char *text)
{
    uint64_t now_ms = clock_mono_ns() / 1000000u;
    if (failure == POSTGRES_FAILED_POOLER && !service->target.pooler) {
        say(service, failure, text);
        service->target.pooler = true;
        postgres_target_unset(&service->target, "options");
        try_address(service);
        return;
    }
    stats_count(STATS_pool_refused);
    service->addresses_tried++;
    bool last = service->addresses_tried >= service->addresses.count;
    if (failure != POSTGRES_FAILED_MOVED || last) {
        say(service, failure, text);
    }
    if (!last) {
        service->address = (service->address + 1) % service->addresses.count;
        try_address(service);
        return;
    }
    service->addresses.count = 0;
    stats_count(STATS_database_connect_failed);
    if (failure == POSTGRES_FAILED_CROWDED && (service->pool.open > 0 || !service->attempt_reserved)) {
        pool_crowded(&service->pool, now_ms);
        return;
    }
    pool_connect_failed(&service->pool, now_ms, postgres_random());
    if (service->pool.open == 0 || service->pool.breaker != POOL_CLOSED) {
        postgres_service_trip(service);
    }
}

void postgres_attempt_drop(struct postgres_service *service)
{
    if (service->pool.connecting) {
        if (!service->looking_up) {
            postgres_connection_close(connection_of(service));
        }
        service->looking_up = false;
        service->pool.connecting = false;
    }
}

void postgres_attempt_tick(struct postgres_service *service, uint64_t now_ns)
{
    if (!service->pool.connecting) {
        return;
    }
    if (service->looking_up && now_ns >= service->attempt_ns + LOOK_UP_NS) {
        service->looking_up = false;
        postgres_attempt_failed(service, POSTGRES_FAILED_LOST, "its name is still being looked up");
    } else if (!service->looking_up && now_ns >= service->attempt_ns + ADDRESS_NS) {
        postgres_connection_close(connection_of(service));
        postgres_attempt_failed(service, POSTGRES_FAILED_SILENT, "no connection within 2 s");
    }
}
