// SPDX-License-Identifier: ISC
// stayd-store: the durable truth. A child of the supervisor with one peer, core; run by stayctl it is the
// offline tool for backup, restore and check.
#include "base/clock.h"
#include "base/log.h"
#include "store/offline.h"
#include "store/postgres_service.h"
#include "store/reach.h"
#include "store/sqlite_service.h"
#include "wire/child.h"
#include "wire/event.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE           "stayd.db"
#define ANSWERS_MAX        (4u << 20) // bytes waiting for core
#define TURN_NS            1000000u   // of core's channel while more waits than can be begun
#define TURN_LATE_S        0.005      // where nothing else wakes this process that long
#define POOLER_TRANSACTION 2          // of the slice's pooler
#define TIMER_SLACK_NS     4000000ul  // how much later than asked the kernel may wake this process
#define HEAP_SOFT_BYTES    (8u << 20) // SQLite gives cache back beyond it

static struct store_process {
    struct service *service;
    struct channel core;
    struct channel watch; // told, never heard
    ev_prepare before_wait;
    ev_timer turn_late;
    uint64_t turn_ns; // when the next turn is due
    bool serving;
    char url[1025], password[257]; // "" : SQLite
    uint32_t connections_min, connections_max;
    bool pooler;
} process = {.core.fd = -1};

// ---- core ------------------------------------------------------------------------------------------------

// A core that sends what is no operation is broken, or this process is. Without its channel core would wait
// for ever: leaving has both ends made anew, and whatever was acknowledged is durable.
_Noreturn static void give_up_on_core(void)
{
    log_event(LOG_ERROR, "message_refused", "core sent an operation that does not decode");
    _exit(1);
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    (void)channel;
    (void)fd; // none of these messages has one
    if (!service_submit(process.service, packet)) {
        give_up_on_core();
    }
    return true;
}

static void on_end(struct channel *channel, const char *why)
{
    (void)channel;
    log_event(why == channel_peer_gone ? LOG_INFO : LOG_WARNING, "core_gone", "%s", why);
}

static const struct channel_events core_events = {on_packet, on_end};

static void on_answer(void *owner, struct view packet)
{
    (void)owner;
    if (channel_is_open(&process.core) && !channel_send(&process.core, packet)) {
        stats_count(STATS_messages_dropped); // core asks again after its deadline
    }
}

static void on_state(void *owner, const struct wire_store_state *state)
{
    (void)owner;
    if (channel_is_open(&process.core)) {
        CHANNEL_SAY(&process.core, store_state, .up = state->up, .empty = state->empty,
                    .last_alive = state->last_alive);
    }
}

static void on_malformed(void *owner)
{
    (void)owner;
    give_up_on_core();
}

static void on_stopped(void *owner)
{
    (void)owner;
    channel_flush(&process.core); // what was answered
    child_drained();
}

static void on_event(void *owner, const struct wire_event *event)
{
    (void)owner;
    event_send(&process.watch, event);
}

static const struct service_events service_events = {on_answer, on_state, on_malformed, on_stopped, on_event};

// ---- turns -----------------------------------------------------------------------------------------------
// While operations wait anyway, a wake-up for each that arrives and for each answer would cost more than the
// operation itself: core's channel is then served a thousand times a second. No timer does that: answers of
// the database come far more often, and a timer that runs out before the kernel's next tick costs two
// settings of the clock each time that the loop waits.

static void turn(struct ev_loop *loop, uint64_t now_ns)
{
    process.turn_ns = now_ns + TURN_NS;
    ev_timer_again(loop, &process.turn_late);
    channel_turn(&process.core);
}

static void on_turn_late(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)watcher;
    (void)revents;
    turn(loop, clock_mono_ns());
}

static void begin_turns(struct ev_loop *loop, bool turns)
{
    channel_take_turns(&process.core, turns);
    process.turn_ns = clock_mono_ns() + TURN_NS;
    if (turns) {
        ev_timer_again(loop, &process.turn_late);
    } else {
        ev_timer_stop(loop, &process.turn_late);
    }
}

static void before_wait(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    (void)watcher;
    (void)revents;
    bool behind = channel_is_open(&process.core) && service_is_behind(process.service);
    if (behind != (bool)ev_is_active(&process.turn_late)) {
        begin_turns(loop, behind);
    } else if (behind && clock_mono_ns() >= process.turn_ns) {
        turn(loop, clock_mono_ns());
    }
}

// ---- the life of a child ---------------------------------------------------------------------------------

static bool config(void *context, struct view packet, bool again)
{
    (void)context;
    struct wire_store_config slice;
    if (!wire_store_config_decode(packet, &slice)) {
        return false;
    }
    // The database is chosen at the start; a reload that changes it says so in the supervisor. Its password
    // may change: connections to come use the new one.
    if (again && process.url[0] != '\0') {
        return postgres_service_password(process.service, slice.database_password);
    }
    if (again || slice.database.size == 0 || view_equal(slice.database, VIEW("sqlite"))) {
        return true;
    }
    char why[TARGET_WHY_MAX] = "";
    struct postgres_target target;
    if (!postgres_target_is(slice.database)) {
        log_event(LOG_ERROR, "database_unknown", "\"database\" is \"sqlite\" or a postgres:// URL");
        return false;
    }
    if (!postgres_target_init(&target, slice.database, slice.database_password, why)) {
        log_event(LOG_ERROR, "database_refused", "%s", why);
        return false;
    }
    postgres_target_release(&target);
    process.connections_min = slice.connections_min;
    process.connections_max = slice.connections_max;
    process.pooler = slice.pooler == POOLER_TRANSACTION;
    return view_to_cstr(slice.database, process.url, sizeof(process.url)) &&
           view_to_cstr(slice.database_password, process.password, sizeof(process.password));
}

static bool peer(void *context, enum wire_role role, uint16_t index, int fd)
{
    (void)context;
    (void)index;
    if (role == WIRE_WATCH) {
        event_channel_open(&process.watch, child_loop(), fd, WIRE_STORE);
        return true;
    }
    if (role != WIRE_CORE) {
        close(fd);
        return true;
    }
    channel_close(&process.core);
    channel_open(&process.core, child_loop(), fd, WIRE_STORE, WIRE_CORE, &core_events, NULL, ANSWERS_MAX);
    channel_gather(&process.core);
    if (process.serving) {
        service_begin(process.service);
    }
    return true;
}

// Connects nowhere yet: stayd starts with the database away.
static bool prepare_postgres(void)
{
    char why[TARGET_WHY_MAX] = "";
    reach_load();
    // Deadlines are looked at every 10 ms. Without slack each wait of the loop would set the clock for them.
    (void)prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
    struct postgres_settings settings = {.url = view_of_cstr(process.url),
                                         .password = view_of_cstr(process.password),
                                         .connections_min = process.connections_min,
                                         .connections_max = process.connections_max,
                                         .pooler = process.pooler};
    bool fine = postgres_service_open(&process.service, &settings, child_loop(), &service_events, NULL, why);
    wipe(process.password, sizeof(process.password));
    if (!fine) {
        log_event(LOG_ERROR, "database_refused", "%s", why);
    }
    return fine;
}

static bool prepare(void *context)
{
    (void)context;
    if (process.url[0] != '\0') {
        return prepare_postgres();
    }
    char why[STORE_WHY_MAX] = "";
    enum store_open opened =
        sqlite_service_open(&process.service, DATABASE, child_loop(), &service_events, NULL, why);
    if (opened == STORE_OPENED) {
        return true;
    }
    log_event(LOG_ERROR, "database_refused", "%s", why);
    if (opened == STORE_OPEN_DAMAGED || opened == STORE_OPEN_NEWER) {
        exit(WIRE_EXIT_DATA); // a restart would end here again
    }
    return false;
}

// A database elsewhere: its ports, look-ups of names, certificates.
static enum sandbox_profile sandbox(void *context, struct sandbox_options *options)
{
    (void)context;
    if (process.url[0] == '\0') {
        return SANDBOX_STORE;
    }
    static struct reach reach; // borrowed by the options
    char why[TARGET_WHY_MAX] = "";
    struct postgres_target target;
    if (!postgres_target_init(&target, view_of_cstr(process.url), VIEW(""), why)) {
        return SANDBOX_STORE; // was read before: without memory there is no network either
    }
    reach_allow(&reach, &target, options);
    postgres_target_release(&target);
    options->descriptors_max = 512;
    return SANDBOX_STORE_NETWORK;
}

static bool threads(void *context)
{
    (void)context;
    return service_start(process.service);
}

static bool run(void *context)
{
    (void)context;
    process.serving = true;
    ev_prepare_init(&process.before_wait, before_wait);
    ev_timer_init(&process.turn_late, on_turn_late, TURN_LATE_S, TURN_LATE_S);
    ev_prepare_start(child_loop(), &process.before_wait);
    if (channel_is_open(&process.core)) {
        service_begin(process.service);
    }
    return true;
}

static void drain(void *context, uint32_t deadline_ms)
{
    (void)context;
    (void)deadline_ms;
    service_stop(process.service);
}

// The proof from inside, as with a server on this machine.
static char probe_word[] = "--sandbox-probe";

static void probe_network(struct child_role *role)
{
    bool fine = view_to_cstr(VIEW("postgres://stayd@127.0.0.1/stayd"), process.url, sizeof(process.url));
    role->profile = fine ? sandbox(NULL, &role->options) : SANDBOX_STORE;
}

int main(int argc, char **argv)
{
    static struct child_role role = {
        .role = WIRE_STORE,
        .stats = STATS_ROLE_store,
        .profile = SANDBOX_STORE,
        .options = {.dir = {{".", SANDBOX_READ | SANDBOX_WRITE}}, .dirs = 1, .descriptors_max = 64},
        .config_number = WIRE_MESSAGE_store_config,
        .config = config,
        .peer = peer,
        .prepare = prepare,
        .sandbox = sandbox,
        .threads = threads,
        .run = run,
        .drain = drain,
    };
    if (offline_is_asked(argc, argv)) {
        return offline_main(argc, argv);
    }
    if (argc == 2 && strcmp(argv[1], "--sandbox-probe-network") == 0) {
        probe_network(&role);
        argv[1] = probe_word;
    }
    (void)signal(SIGXFSZ, SIG_IGN); // a write past a limit on file sizes is a full disk, not a death
    (void)umask(077);
    store_sqlite_process();
    (void)sqlite3_soft_heap_limit64(HEAP_SOFT_BYTES);
    int status = child_main(&role, NULL, argc, argv);
    service_free(&process.service);
    return status;
}
