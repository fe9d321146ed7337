// SPDX-License-Identifier: ISC
// stayd-core's shell: channels, clock, randomness and memory around the pure core. Runs in stayd-core.
// 1. Everything core decides happens in core_packet, core_tick and core_peer_*; nothing here decides.
// 2. Pages of the shared tables exist before a reader can be led to them (allocate, below).
#include "core/core.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/shared.h"
#include "core/throttle.h"
#include "core/tombstone.h"
#include "sessions/seen.h"
#include "wire/child.h"
#include "wire/event.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE_MAX = 8 << 20, CONTROL_QUEUE_MAX = 1 << 20, TABLE_STATS_TICKS = 10, JOIN_REFUSALS_MAX = 8 };

struct table {
    int fd;
    void *map;
    uint64_t size;
};

static struct shell {
    struct core *core;
    struct core_settings settings;
    struct sessions_writer writer;
    struct table sessions, accounts;
    struct seen_taker seen[CORE_PEERS_MAX];
    bool has_seen[CORE_PEERS_MAX];
    struct channel front[CORE_PEERS_MAX], ctl[CORE_PEERS_MAX], store, hash, key;
    struct channel watch;            // told, never heard
    int peer_fd[CORE_PEERS_MAX + 3]; // handed over before the loop runs
    int control_fd;
    ev_io control;
    ev_timer tick;
    unsigned ticks;
    unsigned join_refusals;
    bool draining;
} shell = {.sessions.fd = -1, .accounts.fd = -1, .control_fd = -1};

static struct core_time now(void)
{
    return (struct core_time){.mono_ns = clock_mono_ns(), .wall_s = clock_wall_s()};
}

// ---- channels

static struct channel *channel_of(enum wire_role role, uint16_t index)
{
    switch ((unsigned)role) {
    case WIRE_FRONT:
        return index < CORE_PEERS_MAX ? &shell.front[index] : NULL;
    case WIRE_CTL:
        return index < CORE_PEERS_MAX ? &shell.ctl[index] : NULL;
    case WIRE_STORE:
        return &shell.store;
    case WIRE_HASH:
        return &shell.hash;
    case WIRE_KEY:
        return &shell.key;
    case WIRE_WATCH:
        return &shell.watch;
    case WIRE_SUPERVISOR:
        return child_control();
    default:
        return NULL;
    }
}

static bool say(void *owner, enum wire_role role, uint16_t index, struct view packet)
{
    (void)owner;
    struct channel *channel = channel_of(role, index);
    bool sent = channel != NULL && channel->loop != NULL && channel_send(channel, packet);
    stats_count(sent ? STATS_messages_sent : STATS_messages_dropped);
    return sent;
}

static enum stats_class class_of(uint16_t number)
{
    switch (number) {
    case WIRE_MESSAGE_session_lookup:
        return STATS_CLASS_check;
    case WIRE_MESSAGE_login:
        return STATS_CLASS_login;
    case WIRE_MESSAGE_logout:
        return STATS_CLASS_logout;
    case WIRE_MESSAGE_register_account:
        return STATS_CLASS_register;
    case WIRE_MESSAGE_setup:
    case WIRE_MESSAGE_setup_state:
        return STATS_CLASS_setup;
    case WIRE_MESSAGE_password_change:
        return STATS_CLASS_password;
    default:
        return number >= WIRE_MESSAGE_account_list && number <= WIRE_MESSAGE_status ? STATS_CLASS_admin
               : number <= WIRE_MESSAGE_session_end_others                          ? STATS_CLASS_session
                                                                                    : STATS_CLASS_other;
    }
}

static bool on_packet(struct channel *channel, struct view packet, int fd)
{
    if (fd >= 0) {
        close(fd);
        return false;
    }
    stats_count(STATS_messages_received);
    stats_flight_begin(class_of(wire_peek(packet)), NULL);
    bool fine = core_packet(shell.core, now(), channel->peer, channel->index, packet);
    stats_flight_end();
    return fine;
}

static void on_end(struct channel *channel, const char *why)
{
    if (channel->peer != WIRE_CTL) {
        log_event(why == channel_peer_gone ? LOG_INFO : LOG_WARNING, "channel_ended", "peer %u index %u: %s",
                  (unsigned)channel->peer, channel->index, why);
    }
    core_peer_down(shell.core, now(), channel->peer, channel->index);
}

static const struct channel_events events = {on_packet, on_end};

static void open_channel(enum wire_role role, uint16_t index, int fd)
{
    struct channel *channel = channel_of(role, index);
    if (channel->loop != NULL && channel_is_open(channel)) {
        channel_close(channel);
        core_peer_down(shell.core, now(), role, index);
    }
    channel_open(channel, child_loop(), fd, WIRE_CORE, role, &events, NULL,
                 role == WIRE_CTL ? CONTROL_QUEUE_MAX : QUEUE_MAX);
    channel->index = index;
    if (role == WIRE_STORE) {
        channel_gather(channel);
    }
    core_peer_up(shell.core, now(), role, index);
}

// Where the descriptor of a peer waits until core exists.
static int *waiting_fd(enum wire_role role, uint16_t index)
{
    return role == WIRE_FRONT   ? &shell.peer_fd[index]
           : role == WIRE_STORE ? &shell.peer_fd[CORE_PEERS_MAX]
           : role == WIRE_HASH  ? &shell.peer_fd[CORE_PEERS_MAX + 1]
                                : &shell.peer_fd[CORE_PEERS_MAX + 2];
}

static bool take_peer(void *context, enum wire_role role, uint16_t index, int fd)
{
    (void)context;
    if (channel_of(role, index) == NULL || role == WIRE_CTL || role == WIRE_SUPERVISOR) {
        close(fd);
        return false;
    }
    if (role == WIRE_WATCH) {
        event_channel_open(&shell.watch, child_loop(), fd, WIRE_CORE); // nobody's peer in what core decides
    } else if (shell.core == NULL) {
        *waiting_fd(role, index) = fd;
    } else {
        open_channel(role, index, fd);
    }
    return true;
}

// ---- stayctl: whoever can open the socket administers this stayd (its folder and mode say who)

static void on_control(struct ev_loop *loop, ev_io *watcher, int revents)
{
    (void)loop;
    (void)revents;
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    for (uint16_t i = 0; i < CORE_PEERS_MAX; i++) {
        if (shell.ctl[i].loop == NULL || !channel_is_open(&shell.ctl[i])) {
            open_channel(WIRE_CTL, i, fd);
            return;
        }
    }
    log_event(LOG_WARNING, "control_full", "all %d control connections are in use", CORE_PEERS_MAX);
    close(fd);
}

// ---- memory

// Huge pages, as long as they are to be had.
static void join(const struct table *table, enum sessions_which which, uint64_t from, uint64_t to)
{
    // The accounts' index lies behind the slots, with a gap between them, and is not read at checks.
    bool at_checks = which == SESSIONS_FILE || to <= accounts_slots_end(table->size);
    if (!at_checks || shell.join_refusals == JOIN_REFUSALS_MAX || shared_join(table->map, from, to)) {
        return;
    }
    if (++shell.join_refusals == JOIN_REFUSALS_MAX) {
        log_event(LOG_INFO, "small_pages", "the shared tables go on in small pages: %s", strerror(errno));
    }
}

static bool allocate(void *context, enum sessions_which which, uint64_t offset, uint64_t size)
{
    (void)context;
    const struct table *table = which == SESSIONS_FILE ? &shell.sessions : &shell.accounts;
    if (fallocate(table->fd, 0, (off_t)offset, (off_t)size) == 0) {
        join(table, which, offset, offset + size);
        return true;
    }
    log_event(LOG_ERROR, "table_full",
              "no memory for the shared tables (%s): checks of further sessions ask the store",
              strerror(errno));
    return false;
}

static bool map_table(struct table *table, int fd, uint64_t size)
{
    table->map = shared_map(fd, size, PROT_READ | PROT_WRITE);
    table->fd = fd;
    table->size = size;
    if (table->map == NULL) {
        log_event(LOG_ERROR, "map_failed", "a shared table of %llu bytes: %s", (unsigned long long)size,
                  strerror(errno));
        return false;
    }
    return true;
}

static bool map_seen(uint16_t index, int fd)
{
    void *page = mmap(NULL, SEEN_RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED || index >= CORE_PEERS_MAX) {
        return false;
    }
    seen_taker_init(&shell.seen[index], page);
    shell.has_seen[index] = true;
    return true;
}

static bool take_memory(void *context, const struct wire_memory *memory, int fd)
{
    (void)context;
    switch (memory->kind) {
    case WIRE_MEMORY_SESSIONS:
        return map_table(&shell.sessions, fd, memory->size);
    case WIRE_MEMORY_ACCOUNTS:
        return map_table(&shell.accounts, fd, memory->size);
    case WIRE_MEMORY_SEEN:
        return map_seen(memory->index, fd);
    case WIRE_MEMORY_CONTROL:
        shell.control_fd = fd;
        return true;
    default:
        close(fd);
        return true;
    }
}

// ---- life

static bool take_config(void *context, struct view packet, bool again)
{
    (void)context;
    struct wire_core_config config;
    if (!wire_core_config_decode(packet, &config)) {
        return false;
    }
    struct core_settings *settings = &shell.settings;
    settings->registration = (enum wire_registration)config.registration;
    settings->session_idle_s = config.session_idle_s;
    settings->session_max_s = config.session_max_s;
    settings->hash_public_key = config.hash_public_key;
    settings->setup_secret = config.seed;
    bool fine = view_to_cstr(config.public_url, settings->public_url, sizeof(settings->public_url)) &&
                view_to_cstr(config.version, settings->version, sizeof(settings->version));
    if (fine && again && shell.core != NULL) {
        core_configure(shell.core, settings);
    }
    return fine;
}

static void drain_rings(void)
{
    struct seen_note note;
    struct core_time time = now();
    for (size_t i = 0; i < CORE_PEERS_MAX; i++) {
        for (int n = 0; shell.has_seen[i] && n < SEEN_RING_PLACES && seen_take(&shell.seen[i], &note); n++) {
            core_seen(shell.core, time, note.selector, note.seen_s);
        }
    }
}

// Core counts from its own start, the page for stayd's life: counters grow by what is new, gauges are as they
// are.
static void publish_counters(void)
{
    static const enum stats_counter row[] = {
#define X(name) STATS_##name,
        CORE_COUNTERS(X)
#undef X
    };
    enum { ROWS = sizeof(row) / sizeof(row[0]) };
    static uint64_t shown[ROWS];
    uint64_t now[ROWS];
    static_assert(sizeof(now) == sizeof(struct core_counters));
    memcpy(now, core_counters(shell.core), sizeof(now));
    for (size_t i = 0; i < ROWS; i++) {
        if (stats_counter_row(row[i])->kind == STATS_KIND_counter) {
            stats_add(row[i], now[i] - shown[i]);
        } else {
            stats_set(row[i], now[i]);
        }
        shown[i] = now[i];
    }
}

static void publish(void)
{
    publish_counters();
    if (shell.ticks++ % TABLE_STATS_TICKS == 0) {
        struct sessions_counts counts;
        sessions_writer_counts(&shell.writer, &counts);
        stats_set(STATS_sessions_live, counts.sessions);
        stats_set(STATS_sessions_buckets, counts.buckets);
        stats_set(STATS_sessions_table_bytes, counts.sessions_bytes);
        stats_set(STATS_accounts_live, counts.accounts);
        stats_set(STATS_accounts_table_bytes, counts.accounts_bytes);
        stats_set(STATS_cache_sessions_entries, counts.sessions);
        stats_set(STATS_cache_throttles_capacity, THROTTLE_PLACES);
        stats_set(STATS_capacity_flows, CORE_FLOWS_MAX);
        stats_set(STATS_capacity_hash_gate, CORE_HASH_WAITING_MAX);
        stats_set(STATS_capacity_tombstones, TOMBSTONE_PLACES);
        stats_set(STATS_capacity_ends, SESSIONS_PENDING_MAX);
    }
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    drain_rings();
    core_tick(shell.core, now());
    publish();
    if (shell.draining && core_drain(shell.core)) {
        child_drained();
    }
}

static void drain(void *context, uint32_t deadline_ms)
{
    (void)context;
    (void)deadline_ms; // the supervisor's to enforce
    shell.draining = true;
    (void)core_drain(shell.core);
}

static bool prepare(void *context)
{
    (void)context;
    struct hash32 seed;
    if (shell.sessions.map == NULL || shell.accounts.map == NULL) {
        log_event(LOG_ERROR, "no_tables", "the supervisor gave no shared tables");
        return false;
    }
    enum sessions_opened opened =
        sessions_writer_open(&shell.writer, shell.sessions.map, shell.sessions.size, shell.accounts.map,
                             shell.accounts.size, allocate, NULL);
    if (opened == SESSIONS_OPEN_FAILED ||
        getrandom(seed.byte, sizeof(seed.byte), 0) != (ssize_t)sizeof(seed.byte)) {
        log_event(LOG_ERROR, "tables_failed", "the shared tables can't be opened");
        return false;
    }
    shell.core = core_new(&shell.settings, &shell.writer, &seed, (struct core_port){.send = say}, now());
    wipe(&seed, sizeof(seed));
    if (shell.core == NULL) {
        log_event(LOG_ERROR, "no_memory", "not enough memory to start");
        return false;
    }
    drain_rings(); // what fronts noted while no core was there, before idleness is judged again
    return true;
}

static bool run(void *context)
{
    (void)context;
    static const enum wire_role single[] = {WIRE_STORE, WIRE_HASH, WIRE_KEY};
    for (uint16_t i = 0; i < CORE_PEERS_MAX; i++) {
        if (shell.peer_fd[i] > 0) {
            open_channel(WIRE_FRONT, i, shell.peer_fd[i]);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        if (*waiting_fd(single[i], 0) > 0) {
            open_channel(single[i], 0, *waiting_fd(single[i], 0));
        }
    }
    if (shell.control_fd >= 0) {
        ev_io_init(&shell.control, on_control, shell.control_fd, EV_READ);
        ev_io_start(child_loop(), &shell.control);
    }
    ev_timer_init(&shell.tick, on_tick, CORE_TICK_MS / 1000.0, CORE_TICK_MS / 1000.0);
    ev_timer_start(child_loop(), &shell.tick);
    return true;
}

int main(int argc, char **argv)
{
    static const struct child_role role = {.role = WIRE_CORE,
                                           .stats = STATS_ROLE_core,
                                           .profile = SANDBOX_CORE,
                                           .config_number = WIRE_MESSAGE_core_config,
                                           .config = take_config,
                                           .memory = take_memory,
                                           .peer = take_peer,
                                           .prepare = prepare,
                                           .run = run,
                                           .drain = drain};
    return child_main(&role, NULL, argc, argv);
}
