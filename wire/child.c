// SPDX-License-Identifier: ISC
// The common life of every child. Runs in every child of the supervisor.
// Invariants:
//  1. Nothing is read from the network before the sandbox is entered: peers and listeners only get watchers,
//  and the
//     loop does not turn before `ready`.
//  2. The supervisor's end of descriptor 3 closing ends this process, in whatever state it is.
#include "wire/child.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/sandbox_probe.h"
#include "base/urgency.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CONTROL_FD = 3, CONTROL_QUEUE_MAX = 256 * 1024 };

static struct child {
    const struct child_role *role;
    void *context;
    struct ev_loop *loop;
    struct channel control;
    uint16_t index;
    bool running;
    bool started;
    int status;
} child;

struct ev_loop *child_loop(void)
{
    return child.loop;
}

uint16_t child_index(void)
{
    return child.index;
}

struct channel *child_control(void)
{
    return &child.control;
}

void child_drained(void)
{
    CHANNEL_SAY(&child.control, drained, .unused = 0);
    child.running = false;
    ev_break(child.loop, EVBREAK_ALL);
}

// ---- what the supervisor says, before and after start ----

static bool take_config(struct view packet, int fd)
{
    (void)fd;
    if (child.role->config == NULL || child.role->config(child.context, packet, child.started)) {
        return true;
    }
    if (child.started) {
        log_event(LOG_ERROR, "reload_refused", "this process keeps its old configuration");
    }
    return child.started;
}

static bool take_memory(struct view packet, int fd)
{
    struct wire_memory memory;
    if (fd < 0 || !wire_memory_decode(packet, &memory)) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (memory.kind == WIRE_MEMORY_STATS && memory.owner == 0) {
        bool attached = stats_attach(fd, child.role->stats, child.index);
        close(fd);
        return attached;
    }
    if (child.role->memory == NULL) {
        close(fd);
        return true;
    }
    return child.role->memory(child.context, &memory, fd);
}

static bool take_memory_gone(struct view packet, int fd)
{
    struct wire_memory_gone gone;
    (void)fd;
    if (!wire_memory_gone_decode(packet, &gone)) {
        return false;
    }
    if (child.role->memory_gone != NULL) {
        child.role->memory_gone(child.context, &gone);
    }
    return true;
}

static bool take_peer(struct view packet, int fd)
{
    struct wire_peer peer;
    if (fd < 0 || !wire_peer_decode(packet, &peer)) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    if (child.role->peer == NULL) {
        close(fd);
        return true;
    }
    return child.role->peer(child.context, (enum wire_role)peer.role, peer.index, fd);
}

static bool take_start(struct view packet, int fd)
{
    struct wire_start start;
    (void)fd;
    if (child.started || !wire_start_decode(packet, &start)) {
        return false;
    }
    child.started = true;
    return true;
}

#ifdef STAYD_FAULTS
// For drills: memory that is taken, used once and never given back; a little at a time, as by requests. (What
// a virtual machine takes from its host for the first time can cost 4 us a KiB: a whole heartbeat's at once
// would let this process stand still.)
enum { LEAKS_A_SECOND = 50 };

static void leak(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    size_t bytes = (size_t)FAULT_VALUE("front_leak_kib_s") * 1024 / LEAKS_A_SECOND;
    void *lost = bytes == 0 ? NULL : malloc(bytes);
    if (lost == NULL) {
        ev_timer_stop(loop, timer);
        return;
    }
    memset(lost, 1, bytes);
    __asm__ volatile("" : : "r"(lost) : "memory"); // or it would not be taken at all
}

static void begin_leak(void)
{
    static ev_timer timer;
    bool asked =
        child.role->stats == STATS_ROLE_front && child.index == 0 && FAULT_VALUE("front_leak_kib_s") > 0;
    if (asked && !ev_is_active(&timer)) {
        ev_timer_init(&timer, leak, 0, 1.0 / LEAKS_A_SECOND);
        ev_timer_start(child.loop, &timer);
    }
}
#endif

static bool take_heartbeat(struct view packet, int fd)
{
    struct wire_heartbeat heartbeat;
    (void)fd;
    if (!wire_heartbeat_decode(packet, &heartbeat)) {
        return false;
    }
#ifdef STAYD_FAULTS
    begin_leak();
#endif
    stats_set(STATS_heartbeat_ms, clock_mono_ns() / 1000000U);
    CHANNEL_SAY(&child.control, heartbeat_ack, .sent_ns = heartbeat.sent_ns);
    return true;
}

static bool take_drain(struct view packet, int fd)
{
    struct wire_drain drain;
    (void)fd;
    if (!wire_drain_decode(packet, &drain)) {
        return false;
    }
    if (child.role->drain != NULL) {
        child.role->drain(child.context, drain.deadline_ms);
    } else {
        child_drained();
    }
    return true;
}

static bool take_penalty(struct view packet, int fd)
{
    struct wire_penalty penalty;
    (void)fd;
    if (!wire_penalty_decode(packet, &penalty)) {
        return false;
    }
    if (child.role->penalty != NULL) {
        child.role->penalty(child.context, penalty.source, penalty.seconds);
    }
    return true;
}

static bool take_event(struct view packet, int fd)
{
    struct wire_event event;
    (void)fd;
    if (!wire_event_decode(packet, &event)) {
        return false;
    }
    if (child.role->event != NULL) {
        child.role->event(child.context, &event);
    }
    return true;
}

static const struct handler {
    uint16_t number;
    bool before_start;
    bool with_fd;
    bool (*take)(struct view packet, int fd);
} handlers[] = {
    {WIRE_MESSAGE_memory, true, true, take_memory},
    {WIRE_MESSAGE_memory_gone, true, false, take_memory_gone},
    {WIRE_MESSAGE_peer, true, true, take_peer},
    {WIRE_MESSAGE_start, true, false, take_start},
    {WIRE_MESSAGE_heartbeat, false, false, take_heartbeat},
    {WIRE_MESSAGE_drain, true, false, take_drain},
    {WIRE_MESSAGE_penalty, true, false, take_penalty},
    {WIRE_MESSAGE_event, true, false, take_event},
};

// Takes over fd.
static bool handle(struct view packet, int fd)
{
    uint16_t number = wire_peek(packet);
    bool is_config = number == child.role->config_number;
    bool with_fd = false;
    bool (*take)(struct view, int) = is_config ? take_config : NULL;
    for (size_t i = 0; take == NULL && i < sizeof handlers / sizeof handlers[0]; i++) {
        if (handlers[i].number == number && (child.started || handlers[i].before_start)) {
            take = handlers[i].take;
            with_fd = handlers[i].with_fd;
        }
    }
    if (fd >= 0 && !with_fd) {
        close(fd);
        return false;
    }
    if (take == NULL) {
        log_event(LOG_ERROR, "message_refused", "message %u does not belong here", number);
        return false;
    }
    return take(packet, fd);
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    (void)channel;
    return handle(packet, fd);
}

static void on_end(struct channel *channel, const char *why)
{
    (void)channel;
    log_event(LOG_WARNING, "supervisor_gone", "%s", why);
    child.status = 1;
    child.running = false;
    ev_break(child.loop, EVBREAK_ALL);
}

static const struct channel_events control_events = {on_packet, on_end};

// ---- the life ----

static bool receive_until_start(void)
{
    uint8_t *buffer = malloc(WIRE_PACKET_MAX);
    bool fine = buffer != NULL;
    while (fine && !child.started) {
        int fd = -1;
        size_t size = channel_receive_blocking(CONTROL_FD, buffer, WIRE_PACKET_MAX, &fd);
        if (size == 0) {
            log_event(LOG_ERROR, "start_failed", "the supervisor is gone");
            fine = false;
            break;
        }
        struct view packet = view_of(buffer, size);
        if (!wire_permitted(packet, WIRE_SUPERVISOR, child.role->role)) {
            log_event(LOG_ERROR, "start_failed", "message %u does not belong here", wire_peek(packet));
            fine = false;
        } else {
            fine = handle(packet, fd);
        }
        wipe(buffer, size);
    }
    free(buffer);
    return fine;
}

static bool enter_sandbox(struct sandbox_report *report)
{
    struct sandbox_options options = child.role->options;
    enum sandbox_profile profile = child.role->profile;
    if (child.role->sandbox != NULL) {
        profile = child.role->sandbox(child.context, &options);
    }
    if (!sandbox_restrict(profile, &options, report)) {
        log_event(LOG_ERROR, "sandbox_failed", "%s", strerror(report->landlock_errno));
        return false;
    }
    if (child.role->threads != NULL && !child.role->threads(child.context)) {
        return false;
    }
    if (!sandbox_filter(profile, report)) {
        log_event(LOG_ERROR, "sandbox_failed", "%s", strerror(report->calls_errno));
        return false;
    }
    return true;
}

static bool step(const char *name, bool (*callback)(void *context))
{
    if (callback == NULL || callback(child.context)) {
        return true;
    }
    log_event(LOG_ERROR, "start_failed", "in %s", name);
    return false;
}

static bool begin(void)
{
    struct sandbox_report report;
    char note[160];
    if (!receive_until_start() || !step("prepare", child.role->prepare)) {
        return false;
    }
    if (!crash_watch()) {
        log_event(LOG_ERROR, "start_failed", "signal handlers: %s", strerror(errno));
        return false;
    }
    channel_open(&child.control, child.loop, CONTROL_FD, child.role->role, WIRE_SUPERVISOR, &control_events,
                 NULL, CONTROL_QUEUE_MAX);
    urgency_set(URGENCY_ANSWERS);
    if (!enter_sandbox(&report) || !step("run", child.role->run)) {
        return false;
    }
    sandbox_report_text(&report, note, sizeof note);
    return CHANNEL_SAY(&child.control, ready, .pid = (uint32_t)getpid(), .note = view_of_cstr(note));
}

static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        signal(ignored[i], SIG_IGN);
    }
}

static int probe(const struct child_role *role)
{
    int result = sandbox_probe(role->profile, &role->options, -1);
    return fflush(stdout) == 0 ? result : 3;
}

// Reads one slice and says whether it would do: 0 or 1.
static int check_config(void)
{
    uint8_t *buffer = malloc(WIRE_PACKET_MAX);
    int fd = -1;
    size_t size = buffer == NULL ? 0 : channel_receive_blocking(CONTROL_FD, buffer, WIRE_PACKET_MAX, &fd);
    struct view packet = view_of(buffer, size);
    bool fine = size > 0 && fd < 0 && wire_peek(packet) == child.role->config_number &&
                wire_permitted(packet, WIRE_SUPERVISOR, child.role->role) &&
                (child.role->config == NULL || child.role->config(child.context, packet, false));
    free(buffer);
    return fine ? 0 : 1;
}

struct arguments {
    const char *index;
    enum log_level level;
    enum log_format format;
    bool probe;
    bool check;
};

static bool arguments_read(struct arguments *arguments, int argc, char **argv)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    *arguments = (struct arguments){.index = "0", .level = LOG_INFO};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--sandbox-probe") == 0) {
            arguments->probe = true;
        } else if (strcmp(argv[i], "--check-config") == 0) {
            arguments->check = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--index") == 0) {
            arguments->index = argv[++i];
        } else if (i + 1 < argc && strcmp(argv[i], "--log-format") == 0) {
            arguments->format = strcmp(argv[++i], "json") == 0 ? LOG_JSON : LOG_LOGFMT;
        } else if (i + 1 < argc && strcmp(argv[i], "--log-level") == 0) {
            i++;
            for (size_t level = 0; level < sizeof levels / sizeof levels[0]; level++) {
                if (strcmp(argv[i], levels[level]) == 0) {
                    arguments->level = (enum log_level)level;
                }
            }
        } else {
            return false;
        }
    }
    return true;
}

int child_main(const struct child_role *role, void *context, int argc, char **argv)
{
    struct arguments arguments;
    uint64_t index = 0;
    const char *name = stats_role_name((uint32_t)role->stats);
    if (!arguments_read(&arguments, argc, argv) || !view_to_u64(view_of_cstr(arguments.index), &index) ||
        index > UINT16_MAX) {
        fprintf(stderr, "%s is started by stayd. By hand it knows only --sandbox-probe.\n", name);
        return 2;
    }
    if (arguments.probe) {
        return probe(role);
    }
    if (fcntl(CONTROL_FD, F_GETFD) < 0) {
        fprintf(stderr, "%s is started by stayd. By hand it knows only --sandbox-probe.\n", name);
        return 2;
    }
    ignore_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
    log_init(name, arguments.level, arguments.format);
    fault_begin();
    child = (struct child){.role = role, .context = context, .index = (uint16_t)index, .running = true};
    child.control.fd = -1;
    child.loop = ev_loop_new(EVBACKEND_EPOLL);
    if (child.loop != NULL && arguments.check) {
        return check_config();
    }
    if (child.loop == NULL || !begin()) {
        return 1;
    }
    if (child.running) {
        ev_run(child.loop, 0);
    }
    return child.status;
}
