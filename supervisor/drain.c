// SPDX-License-Identifier: ISC
// Leaving in order: fronts finish what they have, then core, then store, hash and key, then watch.
// Runs in the supervisor. A stage that takes too long is killed.
#include "supervisor/supervisor.h"

#include "supervisor/notify.h"

#include <signal.h>

enum { STAGE_GRACE_MS = 2000, STAGE_LATER_MS = 3000 };

static bool stage_over(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->processes; i++) {
        const struct process *process = &supervisor->process[i];
        if (process->role->drain_stage == supervisor->drain_stage && process->state != PROCESS_GONE) {
            return false;
        }
    }
    return true;
}

static void stage_begin(struct supervisor *supervisor)
{
    uint32_t deadline_ms =
        supervisor->drain_stage == 1 ? supervisor->config->drain_timeout_ms : STAGE_LATER_MS;
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (supervisor->process[i].role->drain_stage == supervisor->drain_stage) {
            process_drain(&supervisor->process[i], deadline_ms);
        }
    }
    ev_timer_stop(supervisor->loop, &supervisor->drain_deadline);
    ev_timer_set(&supervisor->drain_deadline, (deadline_ms + STAGE_GRACE_MS) / 1000.0, 0);
    ev_timer_start(supervisor->loop, &supervisor->drain_deadline);
}

void drain_step(struct supervisor *supervisor)
{
    if (supervisor->state != SUPERVISOR_DRAINING) {
        return;
    }
    while (supervisor->drain_stage <= topology_stages() && stage_over(supervisor)) {
        supervisor->drain_stage++;
        stage_begin(supervisor);
    }
    if (supervisor->drain_stage > topology_stages()) {
        ev_break(supervisor->loop, EVBREAK_ALL);
    }
}

static void kill_all(struct supervisor *supervisor, unsigned stage)
{
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *process = &supervisor->process[i];
        if (stage == 0 || process->role->drain_stage == stage) {
            process_kill(process, SIGKILL);
        }
    }
}

static void on_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct supervisor *supervisor = timer->data;
    (void)loop;
    (void)revents;
    log_event(LOG_WARNING, "drain_late", "stage %u takes too long: killed", supervisor->drain_stage);
    kill_all(supervisor, supervisor->drain_stage);
}

// As soon as the fronts have closed theirs too, who comes now is told so by the kernel, and tries elsewhere,
// instead of waiting in a queue that nobody reads.
static void close_listeners(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->listeners; i++) {
        listener_release(&supervisor->listener[i]);
    }
    supervisor->listeners = 0;
}

void drain_begin(struct supervisor *supervisor, int exit_status)
{
    if (supervisor->state == SUPERVISOR_DRAINING) {
        log_event(LOG_WARNING, "drain_cut", "asked a second time: killing what is left");
        kill_all(supervisor, 0);
        return;
    }
    log_event(LOG_INFO, "draining", "up to %u ms", supervisor->config->drain_timeout_ms);
    notify_say("STOPPING=1");
    supervisor->state = SUPERVISOR_DRAINING;
    supervisor->exit_status = exit_status;
    supervisor->drain_stage = 1;
    ev_timer_init(&supervisor->drain_deadline, on_deadline, 0, 0);
    supervisor->drain_deadline.data = supervisor;
    stage_begin(supervisor);
    close_listeners(supervisor);
    drain_step(supervisor);
}
