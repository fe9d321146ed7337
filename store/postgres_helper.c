// SPDX-License-Identifier: ISC
// The threads beside the event loop. Run in stayd-store.
// 1. What a thread works on is its own copy; results are copied under the lock and handed out by the loop.
// 2. After `ending` no thread touches anything but the shared part, which is freed by whoever leaves last.
#include "store/postgres_helper.h"

#include "base/crash.h"
#include "base/log.h"
#include "store/postgres_connection.h"
#include "store/postgres_eyes_plan.h"
#include "store/postgres_schema.h"

#include <netdb.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>

#define MIGRATE_CONNECT_MS 5000
#define PLANS_CONNECT_MS   2000

struct postgres_helper {
    struct ev_loop *loop;
    ev_async wake;
    const struct postgres_target *target;
    const struct postgres_helper_events *events;
    void *owner;

    pthread_mutex_t lock;
    pthread_cond_t work, cancels_wait, plans_wait;
    unsigned users; // the loop and the threads
    bool ending;
    bool look_up, looking, looked;
    struct postgres_host hosts[POSTGRES_HOSTS_MAX];
    unsigned hosts_count;
    struct postgres_addresses addresses;
    bool migrate, migrating, migrated;
    struct postgres_address migrate_address;
    enum postgres_migrated migrate_result;
    char migrate_why[POSTGRES_WHY_MAX];
    PGcancel *cancels[HELPER_CANCELS_MAX];
    unsigned cancels_first, cancels_count;
    uint32_t plans_wanted; // operations
    bool plans_looking, plans_looked, plans_fine;
    struct postgres_address plans_address;
    struct eyes_plan plans[EYES_OPERATIONS]; // the thread's while it looks
};

// Under the lock, which it gives back.
static void leave(struct postgres_helper *helper)
{
    bool last = --helper->users == 0;
    pthread_mutex_unlock(&helper->lock);
    if (last) {
        pthread_mutex_destroy(&helper->lock);
        pthread_cond_destroy(&helper->work);
        pthread_cond_destroy(&helper->cancels_wait);
        pthread_cond_destroy(&helper->plans_wait);
        free(helper);
    }
}

// ---- names -----------------------------------------------------------------------------------------------

static void add_address(struct postgres_addresses *out, unsigned host, const struct addrinfo *info)
{
    struct postgres_address *address = &out->address[out->count];
    address->host = host;
    if (getnameinfo(info->ai_addr, info->ai_addrlen, address->address, sizeof(address->address), NULL, 0,
                    NI_NUMERICHOST) == 0) {
        out->count++;
    }
}

static void look_up(const struct postgres_host *hosts, unsigned count, struct postgres_addresses *out)
{
    *out = (struct postgres_addresses){0};
    for (unsigned i = 0; i < count && out->count < HELPER_ADDRESSES_MAX; i++) {
        if (hosts[i].name[0] == '/' || hosts[i].name[0] == '@') {
            out->address[out->count++] = (struct postgres_address){.host = i};
            continue;
        }
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
        int error = getaddrinfo(hosts[i].name, NULL, &hints, &list);
        if (error != 0) {
            (void)snprintf(out->why, sizeof(out->why), "%.80s: %s", hosts[i].name, gai_strerror(error));
            continue;
        }
        for (const struct addrinfo *info = list; info != NULL && out->count < HELPER_ADDRESSES_MAX;
             info = info->ai_next) {
            add_address(out, i, info);
        }
        freeaddrinfo(list);
    }
}

static void do_look_up(struct postgres_helper *helper)
{
    struct postgres_host hosts[POSTGRES_HOSTS_MAX];
    struct postgres_addresses found;
    unsigned count = helper->hosts_count;
    memcpy(hosts, helper->hosts, sizeof(hosts));
    helper->look_up = false;
    helper->looking = true;
    pthread_mutex_unlock(&helper->lock);
    look_up(hosts, count, &found);
    pthread_mutex_lock(&helper->lock);
    helper->addresses = found;
    helper->looking = false;
    helper->looked = true;
}

// ---- migrations ------------------------------------------------------------------------------------------

static void do_migrate(struct postgres_helper *helper)
{
    struct postgres_address address = helper->migrate_address;
    struct postgres_schema schema = {0};
    helper->migrate = false;
    helper->migrating = true;
    PGconn *pg = postgres_connect_begin(helper->target, &address); // under the lock: the target is the loop's
    pthread_mutex_unlock(&helper->lock);
    enum postgres_migrated result = POSTGRES_MIGRATE_AWAY;
    if (pg == NULL || !postgres_connect_wait(pg, MIGRATE_CONNECT_MS)) {
        (void)snprintf(schema.why, sizeof(schema.why), "%.200s",
                       pg == NULL ? "out of memory" : PQerrorMessage(pg));
    } else {
        enum postgres_schema_result said = postgres_schema_apply(&schema, pg);
        result = said == POSTGRES_SCHEMA_CURRENT  ? POSTGRES_MIGRATED
                 : said == POSTGRES_SCHEMA_FAILED ? POSTGRES_MIGRATE_AWAY
                                                  : POSTGRES_MIGRATE_REFUSED;
        if (said == POSTGRES_SCHEMA_CURRENT) {
            memcpy(schema.why, schema.note, sizeof(schema.why));
        }
    }
    PQfinish(pg);
    pthread_mutex_lock(&helper->lock);
    helper->migrating = false;
    helper->migrated = true;
    helper->migrate_result = result;
    memcpy(helper->migrate_why, schema.why, sizeof(schema.why));
}

static void *work(void *argument)
{
    struct postgres_helper *helper = argument;
    (void)crash_watch_thread();
    pthread_mutex_lock(&helper->lock);
    while (!helper->ending) {
        if (helper->look_up) {
            do_look_up(helper);
        } else if (helper->migrate) {
            do_migrate(helper);
        } else {
            pthread_cond_wait(&helper->work, &helper->lock);
            continue;
        }
        if (!helper->ending) {
            ev_async_send(helper->loop, &helper->wake);
        }
    }
    leave(helper);
    return NULL;
}

// ---- cancelling ------------------------------------------------------------------------------------------

static void *cancel(void *argument)
{
    struct postgres_helper *helper = argument;
    char error[256];
    (void)crash_watch_thread();
    pthread_mutex_lock(&helper->lock);
    while (!helper->ending) {
        if (helper->cancels_count == 0) {
            pthread_cond_wait(&helper->cancels_wait, &helper->lock);
            continue;
        }
        PGcancel *one = helper->cancels[helper->cancels_first];
        helper->cancels_first = (helper->cancels_first + 1) % HELPER_CANCELS_MAX;
        helper->cancels_count--;
        pthread_mutex_unlock(&helper->lock);
        (void)PQcancel(one, error, sizeof(error)); // its connection is closed whatever comes of it
        PQfreeCancel(one);
        pthread_mutex_lock(&helper->lock);
    }
    while (helper->cancels_count > 0) {
        PQfreeCancel(helper->cancels[(helper->cancels_first + --helper->cancels_count) % HELPER_CANCELS_MAX]);
    }
    leave(helper);
    return NULL;
}

// ---- plans -----------------------------------------------------------------------------------------------

static void do_look_at_plans(struct postgres_helper *helper)
{
    struct postgres_address address = helper->plans_address;
    uint32_t operations = helper->plans_wanted;
    helper->plans_wanted = 0;
    helper->plans_looking = true;
    PGconn *pg = postgres_connect_begin(helper->target, &address); // under the lock: the target is the loop's
    pthread_mutex_unlock(&helper->lock);
    bool fine = pg != NULL && postgres_connect_wait(pg, PLANS_CONNECT_MS) && PQsetnonblocking(pg, 0) == 0 &&
                postgres_eyes_explain(pg, operations, helper->plans);
    PQfinish(pg);
    pthread_mutex_lock(&helper->lock);
    helper->plans_looking = false;
    helper->plans_looked = true;
    helper->plans_fine = fine;
}

static void *look_at_plans(void *argument)
{
    struct postgres_helper *helper = argument;
    (void)crash_watch_thread();
    pthread_mutex_lock(&helper->lock);
    while (!helper->ending) {
        if (helper->plans_wanted == 0) {
            pthread_cond_wait(&helper->plans_wait, &helper->lock);
            continue;
        }
        do_look_at_plans(helper);
        if (!helper->ending) {
            ev_async_send(helper->loop, &helper->wake);
        }
    }
    leave(helper);
    return NULL;
}

// ---- the loop's side -------------------------------------------------------------------------------------

static void on_wake(struct ev_loop *loop, ev_async *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct postgres_helper *helper = watcher->data;
    struct postgres_addresses addresses;
    char why[POSTGRES_WHY_MAX];
    pthread_mutex_lock(&helper->lock);
    bool looked = helper->looked, migrated = helper->migrated;
    enum postgres_migrated result = helper->migrate_result;
    helper->looked = false;
    helper->migrated = false;
    addresses = helper->addresses;
    memcpy(why, helper->migrate_why, sizeof(why));
    bool planned = helper->plans_looked, fine = helper->plans_fine;
    helper->plans_looked = false;
    pthread_mutex_unlock(&helper->lock);
    if (looked) {
        helper->events->on_addresses(helper->owner, &addresses);
    }
    if (migrated) {
        helper->events->on_migrated(helper->owner, result, why);
    }
    if (planned) { // nothing else was begun since
        helper->events->on_plans(helper->owner, fine ? helper->plans : NULL);
    }
}

struct postgres_helper *postgres_helper_new(struct ev_loop *loop, const struct postgres_target *target,
                                            const struct postgres_helper_events *events, void *owner)
{
    struct postgres_helper *helper = malloc(sizeof(*helper));
    if (helper == NULL) {
        return NULL;
    }
    *helper = (struct postgres_helper){
        .loop = loop, .target = target, .events = events, .owner = owner, .users = 1};
    memcpy(helper->hosts, target->host, sizeof(helper->hosts));
    helper->hosts_count = target->hosts;
    pthread_mutex_init(&helper->lock, NULL);
    pthread_cond_init(&helper->work, NULL);
    pthread_cond_init(&helper->cancels_wait, NULL);
    pthread_cond_init(&helper->plans_wait, NULL);
    ev_async_init(&helper->wake, on_wake);
    helper->wake.data = helper;
    ev_async_start(loop, &helper->wake);
    return helper;
}

bool postgres_helper_start(struct postgres_helper *helper)
{
    static void *(*const bodies[])(void *) = {work, cancel, look_at_plans};
    pthread_attr_t small;
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL); // a thread may be in it while the process ends
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 512u << 10);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    bool fine = true;
    for (size_t i = 0; fine && i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        pthread_t thread;
        pthread_mutex_lock(&helper->lock);
        fine = pthread_create(&thread, &small, bodies[i], helper) == 0;
        helper->users += fine;
        pthread_mutex_unlock(&helper->lock);
    }
    pthread_attr_destroy(&small);
    if (!fine) {
        log_event(LOG_ERROR, "start_failed", "no thread could be started");
    }
    return fine;
}

void postgres_helper_hold(struct postgres_helper *helper)
{
    pthread_mutex_lock(&helper->lock);
}

void postgres_helper_let_go(struct postgres_helper *helper)
{
    pthread_mutex_unlock(&helper->lock);
}

void postgres_helper_free(struct postgres_helper **out)
{
    struct postgres_helper *helper = *out;
    if (helper == NULL) {
        return;
    }
    *out = NULL;
    pthread_mutex_lock(&helper->lock);
    ev_async_stop(helper->loop, &helper->wake);
    helper->ending = true;
    pthread_cond_broadcast(&helper->work);
    pthread_cond_broadcast(&helper->cancels_wait);
    pthread_cond_broadcast(&helper->plans_wait);
    leave(helper);
}

void postgres_helper_look_up(struct postgres_helper *helper)
{
    pthread_mutex_lock(&helper->lock);
    helper->look_up = helper->look_up || !helper->looking;
    pthread_cond_signal(&helper->work);
    pthread_mutex_unlock(&helper->lock);
}

void postgres_helper_look_at_plans(struct postgres_helper *helper, const struct postgres_address *address,
                                   uint32_t operations)
{
    pthread_mutex_lock(&helper->lock);
    if (!helper->plans_looking && !helper->plans_looked) {
        helper->plans_address = *address;
        helper->plans_wanted = operations;
        pthread_cond_signal(&helper->plans_wait);
    }
    pthread_mutex_unlock(&helper->lock);
}

void postgres_helper_migrate(struct postgres_helper *helper, const struct postgres_address *address)
{
    pthread_mutex_lock(&helper->lock);
    helper->migrate_address = *address;
    helper->migrate = helper->migrate || !helper->migrating;
    pthread_cond_signal(&helper->work);
    pthread_mutex_unlock(&helper->lock);
}

void postgres_helper_cancel(struct postgres_helper *helper, PGcancel *one)
{
    if (one == NULL) {
        return;
    }
    pthread_mutex_lock(&helper->lock);
    bool taken = helper->cancels_count < HELPER_CANCELS_MAX;
    if (taken) {
        helper->cancels[(helper->cancels_first + helper->cancels_count++) % HELPER_CANCELS_MAX] = one;
        pthread_cond_signal(&helper->cancels_wait);
    }
    pthread_mutex_unlock(&helper->lock);
    if (!taken) {
        PQfreeCancel(one);
    }
}
