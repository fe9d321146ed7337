// SPDX-License-Identifier: ISC
// The event-loop side of stayd-hash.
//
// Invariants: (1) a job slot is free, with the crew, or being answered; (2) a job uses one version of the
// settings from start to end; (3) a job answers on the channel that it came on or not at all.
#include "keeper/hash.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/stats.h"
#include "base/urgency.h"
#include "keeper/job.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

// Places to wait, per worker. Core's gate does the queueing; these only keep the workers from running dry
// between an answer and the next job.
#define WAITING_PER_WORKER 4
#define WORKER_KIB         1024 // its stack
#define CHANNEL_QUEUE_MAX  ((size_t)1 << 20)

struct slot {
    struct job job;
    uint64_t attachment; // the channel that it came on
    struct slot *next_free;
};

struct hash {
    struct ev_loop *loop;
    struct channel core;
    uint64_t attachment; // counts the channels to core there have been
    ev_async done;
    struct crew *crew;
    struct settings *settings;
    struct hash_bounds bounds;
    unsigned waiting_max;
    size_t jobs;
    bool draining;
    void (*give_back)(void); // on a worker that is idle; may be NULL
    void (*drained)(void);   // until it was called
    struct slot *free;
    struct slot slot[];
};

// --- On the workers

// Checks go before hashes: a front that wakes up takes the processor from a worker.
static void on_start(void *context)
{
    (void)context;
    (void)crash_watch_thread();
    urgency_set(URGENCY_COMPUTES);
}

static void on_task(struct crew_task *task, void *context)
{
    (void)context;
    struct job *job = (struct job *)task;
    stats_add_shared(STATS_hash_started, 1);
    job_run(job);
    stats_add_shared(STATS_hash_busy_us, job->hash_us);
}

static void on_done(void *context)
{
    struct hash *hash = context;
    ev_async_send(hash->loop, &hash->done);
}

// The heap is one for all threads; what zxcvbn freed goes back to the kernel.
static void on_idle(void *context)
{
    const struct hash *hash = context;
    if (hash->give_back != NULL) {
        hash->give_back();
    }
    (void)malloc_trim(0);
}

static const struct crew_events crew_events = {
    .on_start = on_start, .on_task = on_task, .on_idle = on_idle, .on_done = on_done};

// --- Slots

static struct slot *slot_take(struct hash *hash)
{
    struct slot *slot = hash->draining ? NULL : hash->free;
    if (slot != NULL) {
        hash->free = slot->next_free;
        hash->jobs++;
        stats_flight_begin(STATS_CLASS_password, NULL); // a worker that crashes now does it over a password
        *slot = (struct slot){.attachment = hash->attachment};
        slot->job.settings = settings_use(hash->settings);
    }
    return slot;
}

static void slot_put(struct hash *hash, struct slot *slot)
{
    settings_leave(&slot->job.settings);
    wipe(slot, sizeof *slot);
    slot->next_free = hash->free;
    hash->free = slot;
    if (--hash->jobs == 0) {
        stats_flight_end();
    }
}

static void drop(struct crew_task *task, void *context)
{
    slot_put(context, (struct slot *)task);
}

// --- Answers

static void count(const struct job *job)
{
    if (job->verdict == WIRE_HASH_WEAK) {
        stats_count(STATS_hash_rules_refused);
    } else if (job->kind == JOB_NEW) {
        stats_count(STATS_hash_made);
    } else {
        stats_count(job->stored[0] == 0 ? STATS_hash_dummy : STATS_hash_verified);
    }
    stats_time(STATS_TIME_stage_hash_wait, (uint64_t)job->wait_us * 1000);
    stats_time(STATS_TIME_stage_hash, (uint64_t)job->hash_us * 1000);
}

static void count_load(struct hash *hash)
{
    struct crew_load load = crew_load(hash->crew);
    stats_set(STATS_hash_queued, load.waiting);
    stats_set(STATS_hash_busy, load.busy);
    stats_set(STATS_hash_memory_used, load.cost * 1024);
}

static void answer(struct hash *hash, const struct job *job)
{
    if (job->stored_malformed) {
        log_event(
            LOG_ERROR, "stored_hash_malformed",
            "a stored password hash is not argon2id as stayd writes it (job %llu); nobody can log in with it",
            (unsigned long long)job->number);
    }
    if (!CHANNEL_SAY(&hash->core, hash_reply, .job = job->number, .verdict = (uint8_t)job->verdict,
                     .phc = view_of_cstr(job->phc), .advice = view_of_cstr(job->advice),
                     .wait_us = job->wait_us, .hash_us = job->hash_us)) {
        stats_count(STATS_messages_dropped);
    }
}

static void answer_unavailable(struct hash *hash, uint64_t number)
{
    stats_count(STATS_hash_queue_refused);
    (void)CHANNEL_SAY(&hash->core, hash_reply, .job = number, .verdict = WIRE_HASH_UNAVAILABLE);
}

static void say_drained(struct hash *hash)
{
    void (*drained)(void) = hash->drained;
    if (hash->jobs == 0 && drained != NULL) {
        hash->drained = NULL;
        drained();
    }
}

static void collect(struct ev_loop *loop, ev_async *async, int revents)
{
    (void)loop;
    (void)revents;
    struct hash *hash = async->data;
    struct crew_task *task;
    while ((task = crew_collect(hash->crew)) != NULL) {
        struct slot *slot = (struct slot *)task;
        count(&slot->job);
        if (slot->attachment == hash->attachment && channel_is_open(&hash->core)) {
            answer(hash, &slot->job);
        }
        slot_put(hash, slot);
    }
    count_load(hash);
    say_drained(hash);
}

// --- Questions

// A hash from before a change of parameters takes the memory that it was made with.
static uint64_t cost_kib(const struct job *job)
{
    struct phc_parameters parameters;
    if (job->kind == JOB_VERIFY && phc_parse(view_of_cstr(job->stored), &parameters)) {
        return (uint64_t)parameters.memory_kib + WORKER_KIB;
    }
    return (uint64_t)job->settings->parameters.memory_kib + WORKER_KIB;
}

static void offer(struct hash *hash, struct slot *slot, uint64_t number, uint32_t deadline_ms,
                  struct view sealed)
{
    struct job *job = &slot->job;
    job->number = number;
    job->received_ns = clock_mono_ns();
    job->deadline_ns = job->received_ns + (uint64_t)deadline_ms * 1000000;
    job->task.cost = cost_kib(job);
    job->sealed_size = sealed.size;
    if (sealed.size > 0) {
        memcpy(job->sealed, sealed.data, sealed.size);
    }
    if (!crew_offer(hash->crew, &job->task)) {
        answer_unavailable(hash, number);
        slot_put(hash, slot);
    }
}

// The bounds of the row are those of the job's fields, so every text fits; one with a NUL would be taken for
// another.
static bool take_text(struct view text, char *out, size_t out_size)
{
    return view_index(text, 0) == text.size && view_to_cstr(text, out, out_size);
}

static bool on_verify(struct hash *hash, struct view packet)
{
    struct wire_hash_verify asked;
    if (!wire_hash_verify_decode(packet, &asked)) {
        return false;
    }
    struct slot *slot = slot_take(hash);
    if (slot == NULL) {
        answer_unavailable(hash, asked.job);
        return true;
    }
    slot->job.kind = JOB_VERIFY;
    if (!take_text(asked.phc, slot->job.stored, sizeof slot->job.stored)) {
        slot_put(hash, slot);
        return false;
    }
    offer(hash, slot, asked.job, asked.deadline_ms, asked.sealed);
    return true;
}

static bool on_new(struct hash *hash, struct view packet)
{
    struct wire_hash_new asked;
    if (!wire_hash_new_decode(packet, &asked)) {
        return false;
    }
    struct slot *slot = slot_take(hash);
    if (slot == NULL) {
        answer_unavailable(hash, asked.job);
        return true;
    }
    slot->job.kind = JOB_NEW;
    if (!take_text(asked.username, slot->job.username, sizeof slot->job.username) ||
        !take_text(asked.email, slot->job.email, sizeof slot->job.email)) {
        slot_put(hash, slot);
        return false;
    }
    offer(hash, slot, asked.job, asked.deadline_ms, asked.sealed);
    return true;
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    struct hash *hash = channel->owner;
    if (fd >= 0) {
        close(fd);
        return false;
    }
    stats_count(STATS_messages_received);
    bool taken = wire_peek(packet) == WIRE_MESSAGE_hash_verify ? on_verify(hash, packet)
                 : wire_peek(packet) == WIRE_MESSAGE_hash_new  ? on_new(hash, packet)
                                                               : false;
    count_load(hash);
    return taken;
}

static void on_end(struct channel *channel, const char *why)
{
    (void)channel;
    log_event(why == channel_peer_gone ? LOG_INFO : LOG_WARNING, "core_gone", "the channel to core ended: %s",
              why);
}

static const struct channel_events channel_events = {on_packet, on_end};

void hash_attach(struct hash *hash, int socket)
{
    channel_close(&hash->core);
    hash->attachment++;
    channel_open(&hash->core, hash->loop, socket, WIRE_HASH, WIRE_CORE, &channel_events, hash,
                 CHANNEL_QUEUE_MAX);
    (void)CHANNEL_SAY(&hash->core, hash_state, .workers = (uint16_t)hash->bounds.workers,
                      .queue_max = (uint16_t)hash->waiting_max);
}

// --- Settings

void hash_log_list_refused(struct view name, enum common_result result)
{
    log_event(LOG_ERROR, "password_list_refused", "%.*s: %s", (int)name.size, (const char *)name.data,
              common_result_text(result));
}

// Makes `next` the settings of the jobs to come, or throws it away.
static bool change(struct hash *hash, struct settings *next, bool good)
{
    if (good) {
        settings_leave(&hash->settings);
        hash->settings = next;
    } else {
        settings_leave(&next); // NULL is fine
    }
    return good;
}

struct hash_bounds hash_bounds_of(const struct wire_hash_config *config)
{
    unsigned threads = config->threads > config->workers ? config->threads : config->workers;
    return (struct hash_bounds){
        .workers = config->workers, .threads = threads, .budget_kib = config->budget_kib};
}

// The most that fit into the budget, at least one: core sends no more than these at once.
static void bounds_set(struct hash *hash, struct hash_bounds bounds, bool later)
{
    uint32_t cost = hash->settings->parameters.memory_kib + WORKER_KIB;
    unsigned before = hash->bounds.workers;
    unsigned fit = bounds.budget_kib == 0 ? bounds.workers : bounds.budget_kib / cost;
    hash->bounds.workers = bounds.workers < fit ? bounds.workers : fit > 0 ? fit : 1;
    hash->bounds.budget_kib = bounds.budget_kib;
    crew_set_bounds(hash->crew, hash->bounds.workers,
                    bounds.budget_kib == 0 ? UINT64_MAX : bounds.budget_kib);
    stats_set(STATS_hash_workers, hash->bounds.workers);
    stats_set(STATS_hash_memory_budget, (uint64_t)bounds.budget_kib * 1024);
    stats_set(STATS_capacity_hash_queue, hash->waiting_max);
    if (later && before != hash->bounds.workers) {
        (void)CHANNEL_SAY(&hash->core, hash_state, .workers = (uint16_t)hash->bounds.workers,
                          .queue_max = (uint16_t)hash->waiting_max, .later = 1);
    }
}

bool hash_configure(struct hash *hash, const struct wire_hash_config *config)
{
    struct settings *next = settings_copy(hash->settings);
    struct hash_bounds bounds = hash_bounds_of(config);
    if (next == NULL || !settings_configure(next, config)) {
        log_event(LOG_ERROR, "config_refused", "the password settings can't be used; the old ones stay");
        return change(hash, next, false);
    }
    if (bounds.workers > hash->bounds.threads) {
        log_event(LOG_WARNING, "config_later", "more than %u password workers need a restart of stayd",
                  hash->bounds.threads);
        bounds.workers = hash->bounds.threads;
    }
    (void)change(hash, next, true);
    bounds_set(hash, bounds, true);
    return true;
}

bool hash_add_list(struct hash *hash, struct view name, int fd)
{
    struct settings *next = settings_copy(hash->settings);
    if (next == NULL) {
        close(fd);
        return false;
    }
    enum common_result result = settings_add_list(next, name, fd);
    if (result != COMMON_OK) {
        hash_log_list_refused(name, result);
    }
    return change(hash, next, result == COMMON_OK);
}

bool hash_remove_list(struct hash *hash, struct view name)
{
    struct settings *next = settings_copy(hash->settings);
    if (next != NULL) {
        settings_remove_list(next, name);
    }
    return change(hash, next, next != NULL);
}

size_t hash_jobs(const struct hash *hash)
{
    return hash->jobs;
}

void hash_drain(struct hash *hash, void (*drained)(void))
{
    hash->draining = true;
    hash->drained = drained;
    say_drained(hash);
}

// --- Life

struct hash *hash_new(struct ev_loop *loop, struct hash_bounds bounds, struct settings *settings)
{
    assert(bounds.workers > 0 && bounds.workers <= bounds.threads && bounds.threads <= CREW_WORKERS_MAX &&
           settings->configured);
    unsigned waiting_max = bounds.threads * WAITING_PER_WORKER;
    size_t slots = waiting_max + 2 * (size_t)bounds.threads; // waiting, begun, done but not yet answered
    struct hash *hash = calloc(1, sizeof *hash + slots * sizeof hash->slot[0]);
    if (hash == NULL) {
        settings_leave(&settings);
        return NULL;
    }
    hash->loop = loop;
    hash->core.fd = -1;
    hash->settings = settings;
    hash->bounds = bounds;
    hash->waiting_max = waiting_max;
    for (size_t i = 0; i < slots; i++) {
        hash->slot[i].next_free = hash->free;
        hash->free = &hash->slot[i];
    }
    ev_async_init(&hash->done, collect);
    hash->done.data = hash;
    ev_async_start(loop, &hash->done);
    hash->crew = crew_new(bounds.threads, waiting_max, &crew_events, hash);
    if (hash->crew == NULL) {
        hash_free(&hash);
        return NULL;
    }
    bounds_set(hash, bounds, false);
    return hash;
}

void hash_on_idle(struct hash *hash, void (*give_back)(void))
{
    hash->give_back = give_back;
}

void hash_free(struct hash **hash)
{
    struct hash *old = *hash;
    if (old == NULL) {
        return;
    }
    channel_close(&old->core);
    crew_free(&old->crew, drop);
    ev_async_stop(old->loop, &old->done);
    settings_leave(&old->settings);
    free(old);
    *hash = NULL;
}
