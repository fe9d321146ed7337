// SPDX-License-Identifier: ISC
// The life of one child: started, ready, answering heartbeats, dead, started again. Runs in the supervisor.
// Invariants:
//  1. pid is that of a process which has not been waited for exactly while the state is starting, ready or
//  leaving;
//     a signal is sent in these states only, so that it can't hit a stranger with a used-again number.
//  2. The stats page outlives the process: it is read after the death, and cleared by the next one that
//  attaches.
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/network.h"
#include "supervisor/death.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTROL_QUEUE_MAX = 4 * 1024 * 1024 };

static uint64_t now_ms(void)
{
    return clock_mono_ns() / 1000000U;
}

static const char *name_of(const struct process *process)
{
    return stats_role_name((uint32_t)process->role->stats);
}

void process_kill(struct process *process, int signal)
{
    if (process_alive(process)) {
        kill(process->pid, signal);
    }
}

// ---- what a child says ----

static bool on_ready(struct process *process, struct view packet)
{
    struct wire_ready ready;
    struct log_line line;
    if (!wire_ready_decode(packet, &ready)) {
        return false;
    }
    if (process->state == PROCESS_STARTING) {
        process->state = PROCESS_READY;
    }
    process->unanswered = 0;
    log_begin(&line, LOG_INFO, "process_ready");
    log_text(&line, "name", name_of(process));
    log_u64(&line, "index", process->index);
    log_u64(&line, "pid", (uint64_t)process->pid);
    log_u64(&line, "start_ms", now_ms() - process->restart.started_ms);
    log_view(&line, "sandbox", ready.note);
    log_end(&line);
    EVENTS_SAY(process->supervisor, PROCESS_STARTED, .role = (uint8_t)process->role->stats,
               .index = process->index, .a = (uint64_t)process->pid);
    supervisor_ready_check(process->supervisor);
    return true;
}

static bool on_heartbeat_ack(struct process *process, struct view packet)
{
    struct wire_heartbeat_ack ack;
    if (!wire_heartbeat_ack_decode(packet, &ack)) {
        return false;
    }
    process->unanswered = 0;
    return true;
}

static bool on_setup_link(struct process *process, struct view packet)
{
    struct wire_setup_link link;
    if (!wire_setup_link_decode(packet, &link)) {
        return false;
    }
    supervisor_setup_link(process->supervisor, link.token);
    return true;
}

static bool on_alert(struct process *process, struct view packet)
{
    struct wire_alert alert;
    if (!wire_alert_decode(packet, &alert)) {
        return false;
    }
    alerts_take(process->supervisor, packet);
    return true;
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    struct process *process = channel->owner;
    if (fd >= 0) {
        close(fd); // nothing that a child says comes with one
        return false;
    }
    switch (wire_peek(packet)) {
    case WIRE_MESSAGE_ready:
        return on_ready(process, packet);
    case WIRE_MESSAGE_heartbeat_ack:
        return on_heartbeat_ack(process, packet);
    case WIRE_MESSAGE_setup_link:
        return on_setup_link(process, packet);
    case WIRE_MESSAGE_alert:
        return on_alert(process, packet);
    case WIRE_MESSAGE_drained:
        return true; // its exit follows
    default:
        return false;
    }
}

// A child whose channel ends is dying, or has to: without it, it can't be led.
static void on_end(struct channel *channel, const char *why)
{
    struct process *process = channel->owner;
    if (process->state != PROCESS_LEAVING && why != channel_peer_gone) {
        log_event(LOG_ERROR, "process_refused", "%s: %s", name_of(process), why);
        process_kill(process, SIGKILL);
    }
}

static const struct channel_events control_events = {on_packet, on_end};

// ---- death ----

static void penalise(struct process *process)
{
    struct supervisor *supervisor = process->supervisor;
    struct id16 source;
    uint32_t class;
    char text[46];
    if (process->role->role != WIRE_FRONT || !death_flight(process->page, &class, &source) ||
        penalty_spares(supervisor->config->trusted_proxies, source)) {
        return;
    }
    uint32_t seconds = penalty_crash(&supervisor->penalty, source, now_ms());
    if (seconds == 0) {
        return;
    }
    stats_count(STATS_penalties);
    char network[NETWORK_TEXT_SIZE];
    log_address_text(source, text);
    network_label_text(network_label(source), network);
    EVENTS_SAY(supervisor, PENALTY, .role = STATS_ROLE_front, .index = process->index, .a = seconds,
               .text = VIEW("a source whose requests crashed fronts"), .more = view_of_cstr(network));
    log_event(LOG_WARNING, "source_penalised", "requests of %s crashed a front %d times: refused for %u s",
              text, PENALTY_CRASHES, seconds);
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *front = &supervisor->process[i];
        if (front->role->role == WIRE_FRONT && process_alive(front)) {
            CHANNEL_SAY(&front->control, penalty, .source = source, .seconds = seconds);
        }
    }
}

static void count_restart(enum death_cause cause)
{
    stats_count(cause == DEATH_HUNG      ? STATS_restarts_hung
                : cause == DEATH_CRASHED ? STATS_restarts_crashed
                                         : STATS_restarts_left);
}

static void tell_death(struct process *process, const struct death *death)
{
    static const enum wire_event_death how[] = {[DEATH_LEFT] = WIRE_EVENT_LEFT,
                                                [DEATH_CRASHED] = WIRE_EVENT_CRASHED,
                                                [DEATH_HUNG] = WIRE_EVENT_WAS_HUNG};
    char text[EVENTS_TEXT_MAX];
    struct id16 source;
    uint32_t class = STATS_CLASS_none;
    (void)death_flight(death->page, &class, &source);
    death_text(death, text, sizeof text);
    EVENTS_SAY(
        process->supervisor, PROCESS_DIED, .role = (uint8_t)process->role->stats, .index = process->index,
        .a = how[death->cause],
        .b = (uint64_t)(WIFSIGNALED(death->status) ? WTERMSIG(death->status) : WEXITSTATUS(death->status)),
        .name = view_of_cstr(stats_class_label(class)), .text = view_of_cstr(text));
}

static void again_later(struct process *process, uint32_t delay_ms)
{
    process->state = PROCESS_DOWN;
    if (delay_ms == 0) {
        process_start(process);
        return;
    }
    ev_timer_set(&process->again, delay_ms / 1000.0, 0);
    ev_timer_start(process->supervisor->loop, &process->again);
}

// Before the first "ready" of all: a child that says no (a damaged database, a bad certificate) would only
// say it again, and a person is waiting. A crash is given another try.
static bool start_is_hopeless(struct process *process, const struct death *death)
{
    if (process->supervisor->state != SUPERVISOR_STARTING) {
        return false;
    }
    return death->cause == DEATH_LEFT || ++process->deaths_at_start >= SUPERVISOR_START_TRIES;
}

// While serving: a damaged database stays damaged, and the checks go on without it.
static bool is_final(const struct death *death)
{
    return death->cause == DEATH_LEFT && WEXITSTATUS(death->status) == WIRE_EXIT_DATA;
}

// A child that died before it took over its page has left nothing there; what is there is its predecessor's.
static const struct stats_page *page_of_this_life(const struct process *process)
{
    uint32_t pid = atomic_load_explicit(&process->page->pid, memory_order_relaxed);
    return pid == (uint32_t)process->pid ? process->page : NULL;
}

static void died(struct process *process, int status)
{
    struct supervisor *supervisor = process->supervisor;
    bool asked = process->state == PROCESS_LEAVING || supervisor->state == SUPERVISOR_DRAINING;
    uint64_t now = now_ms();
    struct death death = {
        .cause = process->hung         ? DEATH_HUNG
                 : WIFSIGNALED(status) ? DEATH_CRASHED
                                       : DEATH_LEFT,
        .status = status,
        .pid = process->pid,
        .page = page_of_this_life(process),
        .name = name_of(process),
        .index = process->index,
        .executable = supervisor->spawn.path[process->role->stats],
        .lived_ms = now - process->restart.started_ms,
    };
    channel_close(&process->control);
    process->state = PROCESS_DOWN;
    gauges_forget(process);
    if (asked) {
        process->state = PROCESS_GONE;
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
            death_record(&death, supervisor->folders.incidents);
        }
        drain_step(supervisor);
        return;
    }
    death.restart_in_ms = restart_died(&process->restart, now);
    tell_death(process, &death);
    death_record(&death, supervisor->folders.incidents);
    count_restart(death.cause);
    if (death.page != NULL) {
        penalise(process);
    }
    if (start_is_hopeless(process, &death)) {
        log_event(LOG_ERROR, "start_failed", "%s can't start; its own messages say why", name_of(process));
        process->state = PROCESS_GONE;
        drain_begin(supervisor, 1);
        return;
    }
    if (is_final(&death)) {
        log_event(LOG_ERROR, "not_started_again",
                  "%s would only end again; its own messages say what to do. Sessions are checked as before",
                  name_of(process));
        process->state = PROCESS_GONE;
        return;
    }
    again_later(process, death.restart_in_ms);
}

static void on_child(struct ev_loop *loop, ev_child *watcher, int revents)
{
    (void)revents;
    ev_child_stop(loop, watcher);
    died(watcher->data, watcher->rstatus);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct process *process = timer->data;
    (void)loop;
    (void)revents;
    if (process->state == PROCESS_DOWN) {
        process_start(process);
    }
}

// ---- start ----

void process_init(struct process *process, struct supervisor *supervisor, const struct topology_role *role,
                  uint16_t index)
{
    *process =
        (struct process){.supervisor = supervisor, .role = role, .index = index, .state = PROCESS_DOWN};
    process->control.fd = -1;
    process->stats = process->seen = (struct memory){.write_fd = -1, .read_fd = -1};
    ev_timer_init(&process->again, on_again, 0, 0);
    process->again.data = process;
}

static bool begin(struct process *process)
{
    struct supervisor *supervisor = process->supervisor;
    int pair[2];
    if (!channel_pair(pair)) {
        return false;
    }
    struct spawn_order order = {
        .role = process->role,
        .index = process->index,
        .control = pair[1],
        .folder = folders_of(&supervisor->folders, process->role->folder),
        .descriptors_max = slices_descriptors(&supervisor->slices, process->role->role),
        .log_level = supervisor->config->log_level,
        .log_format = supervisor->config->log_format,
    };
    process->pid = spawn_child(&supervisor->spawn, &order);
    close(pair[1]);
    if (process->pid < 0) {
        close(pair[0]);
        return false;
    }
    channel_open(&process->control, supervisor->loop, pair[0], WIRE_SUPERVISOR, process->role->role,
                 &control_events, process, CONTROL_QUEUE_MAX);
    ev_child_init(&process->child, on_child, process->pid, 0);
    process->child.data = process;
    ev_child_start(supervisor->loop, &process->child);
    return true;
}

void process_start(struct process *process)
{
    restart_started(&process->restart, now_ms());
    process->unanswered = 0;
    process->hung = false;
    process->hears = false;
    if (!begin(process)) {
        log_event(LOG_ERROR, "start_failed", "%s: %s", name_of(process), strerror(errno));
        again_later(process, RESTART_DELAY_MAX_MS);
        return;
    }
    process->state = PROCESS_STARTING;
    if (!handout_memory(process) || !handout_config(process)) {
        log_event(LOG_ERROR, "start_failed", "%s can't be given its configuration (too large?)",
                  name_of(process));
        process_kill(process, SIGKILL);
        return;
    }
    handout_peers(process);
    if (process->supervisor->started) {
        process_go(process);
    }
}

void process_go(struct process *process)
{
    CHANNEL_SAY(&process->control, start, .started_ns = process->supervisor->started_ns);
    handout_penalties(process);
    if (process->role->role == WIRE_WATCH) {
        events_again(process);
    }
}

// ---- heartbeat ----

// A hung process is first asked, by SIGABRT, to write down where it hangs, and ends by that; on a busy
// machine this takes a moment. One that can't even do that is killed.
void process_heartbeat(struct process *process)
{
    if (process->state == PROCESS_STARTING) {
        if (now_ms() - process->restart.started_ms > SUPERVISOR_START_MAX_MS) {
            process->hung = true;
            process_kill(process, SIGKILL);
        }
        return;
    }
    if (!process_alive(process)) {
        return;
    }
    if (process->hung) {
        if (++process->unanswered >= SUPERVISOR_HEARTBEATS_MISSED_MAX + SUPERVISOR_HUNG_GRACE) {
            process_kill(process, SIGKILL);
        }
    } else if (process->unanswered >= SUPERVISOR_HEARTBEATS_MISSED_MAX) {
        process->hung = true;
        log_event(LOG_ERROR, "process_hung", "%s (pid %d) has not answered for %d ms", name_of(process),
                  process->pid, SUPERVISOR_HEARTBEATS_MISSED_MAX * SUPERVISOR_HEARTBEAT_MS);
        EVENTS_SAY(process->supervisor, PROCESS_HUNG, .role = (uint8_t)process->role->stats,
                   .index = process->index, .a = SUPERVISOR_HEARTBEATS_MISSED_MAX * SUPERVISOR_HEARTBEAT_MS);
        process_kill(process, SIGABRT);
    } else {
        process->unanswered++;
        CHANNEL_SAY(&process->control, heartbeat, .sent_ns = clock_mono_ns());
    }
}

void process_drain(struct process *process, uint32_t deadline_ms)
{
    if (process->state == PROCESS_DOWN) {
        ev_timer_stop(process->supervisor->loop, &process->again);
        process->state = PROCESS_GONE;
    } else if (process_alive(process)) {
        process->state = PROCESS_LEAVING;
        if (!CHANNEL_SAY(&process->control, drain, .deadline_ms = deadline_ms)) {
            process_kill(process, SIGKILL);
        }
    }
}
