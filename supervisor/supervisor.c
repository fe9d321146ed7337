// SPDX-License-Identifier: ISC
// Putting it all together: everything that may fail for want of rights or addresses is taken first, then all
// children are started at once, then the loop turns until a signal ends it. Runs in `stayd`.
#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/fault.h"
#include "sessions/format.h"
#include "sessions/seen.h"
#include "supervisor/notify.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef STAYD_VERSION
#define STAYD_VERSION "0"
#endif

static bool refuse(const char *why)
{
    if (isatty(STDERR_FILENO) == 1) {
        fprintf(stderr, "stayd: %s\n", why);
    } else {
        log_event(LOG_ERROR, "start_failed", "%s", why);
    }
    return false;
}

static void settle_slices(struct supervisor *supervisor)
{
    supervisor->slices = (struct slices){
        .config = supervisor->config,
        .keys = &supervisor->keys,
        .files = &supervisor->files,
        .version = STAYD_VERSION,
    };
    resize_begin(supervisor);
}

static void raise_descriptors(const struct slices *slices)
{
    struct rlimit limit;
    unsigned wanted = slices_descriptors(slices, WIRE_FRONT);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    if (limit.rlim_max < wanted) {
        struct rlimit more = {wanted, wanted};
        if (setrlimit(RLIMIT_NOFILE, &more) != 0) {
            log_event(LOG_WARNING, "descriptors_few",
                      "connections_max wants %u descriptors a front, the limit is %llu", wanted,
                      (unsigned long long)limit.rlim_max);
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool take_addresses(struct supervisor *supervisor, char *why, size_t size)
{
    const struct config *config = supervisor->config;
    for (unsigned i = 0; i < config->listens; i++) {
        if (!listener_init(&supervisor->listener[i], &config->listen[i], why, size)) {
            return false;
        }
        supervisor->listeners = i + 1;
    }
    if (config->ops_listen.kind != CONFIG_LISTEN_NONE &&
        !listener_init(&supervisor->ops, &config->ops_listen, why, size)) {
        return false;
    }
    supervisor->control_core =
        listener_control(supervisor->folders.run, "core.sock", SOCK_SEQPACKET, why, size);
    supervisor->control_watch =
        supervisor->control_core < 0
            ? -1
            : listener_control(supervisor->folders.run, "watch.sock", SOCK_STREAM, why, size);
    return supervisor->control_watch >= 0;
}

static bool make_tables(struct supervisor *supervisor, char *why, size_t size)
{
    uint64_t sessions_max = supervisor->config->sessions_max;
    bool made = memory_init(&supervisor->sessions, "stayd-sessions", sessions_file_size(sessions_max)) &&
                memory_init(&supervisor->accounts, "stayd-accounts", accounts_file_size(sessions_max)) &&
                memory_init(&supervisor->stats, "stayd-stats", STATS_PAGE_SIZE) &&
                stats_attach(supervisor->stats.write_fd, STATS_ROLE_supervisor, 0);
    if (!made) {
        snprintf(why, size, "the shared tables: %s", strerror(errno));
    }
    return made;
}

static bool make_process(struct supervisor *supervisor, const struct topology_role *role, uint16_t index,
                         char *why, size_t size)
{
    struct process *process = &supervisor->process[supervisor->processes];
    process_init(process, supervisor, role, index);
    supervisor->processes++;
    bool made = memory_init(&process->stats, "stayd-stats", STATS_PAGE_SIZE);
    process->page = made ? stats_map_writable(process->stats.write_fd) : NULL;
    if (made && role->role == WIRE_FRONT) {
        made = memory_init(&process->seen, "stayd-seen", SEEN_RING_BYTES);
    }
    if (!made || process->page == NULL) {
        snprintf(why, size, "shared memory: %s", strerror(errno));
        return false;
    }
    return true;
}

static bool make_processes(struct supervisor *supervisor, char *why, size_t size)
{
    for (const struct topology_role *role = topology_roles; role->role != 0; role++) {
        uint16_t count = role->several ? supervisor->slices.fronts : 1;
        for (uint16_t index = 0; index < count; index++) {
            if (!make_process(supervisor, role, index, why, size)) {
                return false;
            }
        }
    }
    return true;
}

// Everything that a person may have to put right, before any child is started.
static bool take_all(struct supervisor *supervisor)
{
    char why[512] = "not enough memory";
    const struct config *config = supervisor->config;
    bool taken =
        spawn_init(&supervisor->spawn, why, sizeof why) && slices_keys_init(&supervisor->keys) &&
        slices_files_init(&supervisor->files, config, why, sizeof why) &&
        reload_passwords_open(config, supervisor->passwords, &supervisor->password_lists, why, sizeof why) &&
        folders_init(&supervisor->folders, config->data_dir, why, sizeof why) &&
        take_addresses(supervisor, why, sizeof why) && make_tables(supervisor, why, sizeof why) &&
        make_processes(supervisor, why, sizeof why);
    return taken || refuse(why);
}

static void give_back(struct supervisor *supervisor)
{
    alerts_release(supervisor);
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *process = &supervisor->process[i];
        channel_close(&process->control);
        stats_unmap(process->page);
        memory_release(&process->stats);
        memory_release(&process->seen);
    }
    for (unsigned i = 0; i < supervisor->listeners; i++) {
        listener_release(&supervisor->listener[i]);
    }
    listener_release(&supervisor->ops);
    if (supervisor->control_core >= 0) {
        close(supervisor->control_core);
        (void)unlinkat(supervisor->folders.run, "core.sock", 0);
    }
    if (supervisor->control_watch >= 0) {
        close(supervisor->control_watch);
        (void)unlinkat(supervisor->folders.run, "watch.sock", 0);
    }
    memory_release(&supervisor->sessions);
    memory_release(&supervisor->accounts);
    memory_release(&supervisor->stats);
    programs_release(&supervisor->programs.programs);
    reload_passwords_close(supervisor->passwords, &supervisor->password_lists);
    folders_release(&supervisor->folders);
    slices_files_release(&supervisor->files);
    slices_keys_release(&supervisor->keys);
    spawn_release(&supervisor->spawn);
}

// ---- ready, set-up link ----

static void setup_link_tell(struct supervisor *supervisor)
{
    if (supervisor->setup_token[0] == '\0' || supervisor->setup_told ||
        supervisor->state != SUPERVISOR_SERVING) {
        return;
    }
    printf("There is no account yet. Make the first administrator here, once:\n  %s/setup?token=%s\n",
           supervisor->config->public_url, supervisor->setup_token);
    fflush(stdout);
    supervisor->setup_told = true;
}

// The token stays the same when core is started again; it is told once, on standard output, never to the log.
void supervisor_setup_link(struct supervisor *supervisor, struct view token)
{
    char text[sizeof supervisor->setup_token];
    if (!view_to_cstr(token, text, sizeof text) || strcmp(text, supervisor->setup_token) == 0) {
        return;
    }
    memcpy(supervisor->setup_token, text, sizeof text);
    supervisor->setup_told = false;
    setup_link_tell(supervisor);
}

void supervisor_ready_check(struct supervisor *supervisor)
{
    if (supervisor->state != SUPERVISOR_STARTING) {
        return;
    }
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (supervisor->process[i].state != PROCESS_READY) {
            return;
        }
    }
    supervisor->state = SUPERVISOR_SERVING;
    uint64_t start_ms = (clock_mono_ns() - supervisor->started_ns) / 1000000U;
    log_event(LOG_INFO, "ready", "stayd " STAYD_VERSION ", %u processes, started in %llu ms",
              supervisor->processes, (unsigned long long)start_ms);
    EVENTS_SAY(supervisor, STARTED, .a = clock_wall_s(), .text = view_of_cstr(STAYD_VERSION));
    printf("stayd %s ready: %s\n", STAYD_VERSION, supervisor->config->public_url);
    fflush(stdout);
    notify_say("READY=1\nSTATUS=serving");
    setup_link_tell(supervisor);
}

// ---- events ----

static void on_end_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    (void)loop;
    (void)revents;
    drain_begin(watcher->data, 0);
}

static void on_reload_signal(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    (void)loop;
    (void)revents;
    reload(watcher->data);
}

static void on_heartbeat(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct supervisor *supervisor = timer->data;
    (void)loop;
    (void)revents;
    for (unsigned i = 0; i < supervisor->processes; i++) {
        process_heartbeat(&supervisor->process[i]);
    }
    stats_set(STATS_heartbeat_ms, clock_mono_ns() / 1000000U);
}

static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    notify_say("WATCHDOG=1");
}

static void signal_watch(struct supervisor *supervisor, ev_signal *watcher, int signal,
                         void (*callback)(struct ev_loop *, ev_signal *, int))
{
    ev_signal_init(watcher, callback, signal);
    watcher->data = supervisor;
    ev_signal_start(supervisor->loop, watcher);
}

static void watch_events(struct supervisor *supervisor)
{
    signal_watch(supervisor, &supervisor->on_term, SIGTERM, on_end_signal);
    signal_watch(supervisor, &supervisor->on_int, SIGINT, on_end_signal);
    signal_watch(supervisor, &supervisor->on_hup, SIGHUP, on_reload_signal);
    ev_timer_init(&supervisor->heartbeat, on_heartbeat, SUPERVISOR_HEARTBEAT_MS / 1000.0,
                  SUPERVISOR_HEARTBEAT_MS / 1000.0);
    supervisor->heartbeat.data = supervisor;
    ev_timer_start(supervisor->loop, &supervisor->heartbeat);
    resize_watch(supervisor);
    gauges_begin(supervisor);
    uint32_t watchdog_ms = notify_watchdog_ms();
    if (watchdog_ms > 0) {
        ev_timer_init(&supervisor->watchdog, on_watchdog, watchdog_ms / 1000.0, watchdog_ms / 1000.0);
        ev_timer_start(supervisor->loop, &supervisor->watchdog);
    }
}

// All at once: who is slow to start does not hold up the others.
static void start_all(struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->processes; i++) {
        process_start(&supervisor->process[i]);
    }
    supervisor->started = true;
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (supervisor->process[i].state == PROCESS_STARTING) {
            process_go(&supervisor->process[i]);
        }
    }
}

int supervisor_run(struct config *config, const char *config_file)
{
    static struct supervisor supervisor; // 69 children and their channels: too large for the stack
    supervisor = (struct supervisor){.config = config, .control_core = -1, .control_watch = -1};
    supervisor.started_ns = clock_mono_ns();
    supervisor.ops.fd = -1;
    supervisor.stats = supervisor.sessions = supervisor.accounts =
        (struct memory){.write_fd = -1, .read_fd = -1};
    supervisor.folders = (struct folders){-1, -1, -1, -1, -1, -1};
    snprintf(supervisor.config_file, sizeof supervisor.config_file, "%s", config_file);
    log_init("stayd", config->log_level, config->log_format);
    signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // it holds the secret key of password sealing
    fault_begin();
    supervisor.loop = ev_default_loop(EVBACKEND_EPOLL);
    settle_slices(&supervisor);
    raise_descriptors(&supervisor.slices);
    supervisor.exit_status = 1;
    if (supervisor.loop != NULL && take_all(&supervisor) && crash_watch()) {
        supervisor.exit_status = 0;
        watch_events(&supervisor);
        start_all(&supervisor);
        ev_run(supervisor.loop, 0);
        log_event(LOG_INFO, "stopped", "status %d", supervisor.exit_status);
    }
    give_back(&supervisor);
    return supervisor.exit_status;
}
