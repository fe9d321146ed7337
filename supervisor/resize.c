// SPDX-License-Identifier: ISC
// Looks at the machine, at the start and every few seconds, and tells stayd-hash when it may do more or less.
// Runs in the supervisor. The number of fronts is settled at the start; password workers and their memory
// follow: control groups change while we run, and other programs take memory.
#include "supervisor/supervisor.h"

#include <unistd.h>

static const struct process *hash_of(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (supervisor->process[i].role->role == WIRE_HASH) {
            return &supervisor->process[i];
        }
    }
    return NULL;
}

static struct sizing_wish wish_of(const struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    const struct process *hash = hash_of(supervisor);
    uint64_t busy = hash != NULL && stats_page_fits(hash->page) ? stats_read(hash->page, STATS_hash_busy) : 0;
    return (struct sizing_wish){.fronts = config->fronts,
                                .hash_workers = config->hash_workers,
                                .memory_kib = config->password_memory_kib,
                                .in_use_kib = busy * config->password_memory_kib};
}

// For stayd-watch, which can't look at the machine.
static void show(const struct supervisor *supervisor, const struct machine *machine)
{
    uint64_t allowed = (uint64_t)machine->affinity * 1000;
    stats_set(STATS_machine_processors_limit, machine->cpu_milli < allowed ? machine->cpu_milli : allowed);
    stats_set(STATS_machine_memory_limit, machine->memory);
    stats_set(STATS_machine_memory_used,
              machine->memory > machine->memory_free ? machine->memory - machine->memory_free : 0);
    if (machine->threads_limit != MACHINE_NO_LIMIT) {
        stats_set(STATS_machine_threads_used, machine->threads);
        stats_set(STATS_machine_threads_limit, machine->threads_limit);
    }
    stats_set(STATS_capacity_sessions, supervisor->config->sessions_max);
    stats_set(STATS_cache_sessions_capacity, supervisor->config->sessions_max);
}

static void look(struct supervisor *supervisor, struct sizing *sizing, char *text, size_t size)
{
    struct machine machine;
    struct sizing_wish wish = wish_of(supervisor);
    machine_read(&machine, &machine_paths_default, 0);
    show(supervisor, &machine);
    sizing_choose(sizing, &wish, &machine);
    sizing_text(sizing, &wish, &machine, text, size);
}

static void warn(const struct sizing *sizing)
{
    if (sizing->too_large) {
        log_event(LOG_WARNING, "memory_small",
                  "%u password workers of %u MiB are more than this machine should give to hashing: lower "
                  "password_memory or hash_workers, or give it more memory",
                  sizing->hash_workers, sizing->worker_kib / 1024);
    }
}

static void apply(struct supervisor *supervisor)
{
    const struct sizing *now = &supervisor->sizing.now;
    supervisor->slices.fronts = now->fronts;
    supervisor->slices.hash_workers = now->hash_workers;
    supervisor->slices.hash_memory_kib = now->hash_memory_kib;
}

// As many threads as this machine has processors, used or not: the sandbox forbids starting more later.
static uint16_t threads(const struct supervisor *supervisor)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint16_t most = online > SIZING_WORKERS_MAX ? SIZING_WORKERS_MAX : online < 1 ? 1 : (uint16_t)online;
    uint16_t wanted = supervisor->sizing.now.hash_workers;
    return supervisor->config->hash_workers != 0 || wanted > most ? wanted : most;
}

static void tell_hash(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *process = &supervisor->process[i];
        if (process->role->role == WIRE_HASH && process->state == PROCESS_READY) {
            (void)handout_config(process);
        }
    }
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct supervisor *supervisor = timer->data;
    struct sizing seen;
    char text[512];
    (void)loop;
    (void)revents;
    if (supervisor->state != SUPERVISOR_SERVING) {
        return; // what leaves should not be measured
    }
    look(supervisor, &seen, text, sizeof text);
    uint16_t before = supervisor->sizing.now.hash_workers;
    if (sizing_follow(&supervisor->sizing, &seen)) {
        apply(supervisor);
        tell_hash(supervisor);
        if (supervisor->sizing.now.hash_workers != before) {
            log_event(LOG_INFO, "resized", "%s", text);
        }
    }
}

void resize_begin(struct supervisor *supervisor)
{
    char text[512];
    supervisor->sizing = (struct sizing_follow){0};
    look(supervisor, &supervisor->sizing.now, text, sizeof text);
    apply(supervisor);
    supervisor->slices.hash_threads = threads(supervisor);
    log_event(LOG_INFO, "sized", "%s", text);
    warn(&supervisor->sizing.now);
}

// What resize_begin saw was shown to nobody: the page was not there yet.
void resize_watch(struct supervisor *supervisor)
{
    struct machine machine;
    machine_read(&machine, &machine_paths_default, 0);
    show(supervisor, &machine);
    ev_timer_init(&supervisor->machine, on_look, SUPERVISOR_SIZING_MS / 1000.0,
                  SUPERVISOR_SIZING_MS / 1000.0);
    supervisor->machine.data = supervisor;
    ev_timer_start(supervisor->loop, &supervisor->machine);
}

void resize_again(struct supervisor *supervisor)
{
    char text[512];
    uint16_t fronts = supervisor->sizing.now.fronts;
    look(supervisor, &supervisor->sizing.now, text, sizeof text);
    supervisor->sizing.now.fronts = fronts;
    supervisor->sizing.larger = 0;
    apply(supervisor);
    warn(&supervisor->sizing.now);
}
