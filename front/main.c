// SPDX-License-Identifier: ISC
// stayd-front: HTTP in and out, the session check, pages. The thin shell around front/front.h: what the
// supervisor says becomes calls. Runs in stayd-front.
#include "front/front.h"

#include "base/log.h"
#include "base/shared.h"
#include "front/ask.h"
#include "front/json.h"
#include "front/listener.h"
#include "wire/child.h"

#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

struct shell {
    struct front front;
    bool running;
    const struct settings *settings; // until running
    const void *sessions, *accounts;
    size_t sessions_size, accounts_size;
    void *seen;
    int core_fd;
    struct {
        int fd;
        char name[129];
    } listener[LISTENERS_MAX]; // until running
    size_t listener_count;
    ev_timer drain_deadline;
};

static bool on_config(void *context, struct view packet, bool again)
{
    struct shell *shell = context;
    struct wire_front_config config;
    const char *error = "the slice can't be read";
    struct settings *settings =
        wire_front_config_decode(packet, &config) ? settings_new(&config, &error) : NULL;
    (void)again;
    if (settings == NULL) {
        log_event(LOG_ERROR, "config_refused", "%s", error);
        return false;
    }
    if (shell->running) {
        front_use_settings(&shell->front, settings);
    } else {
        settings_drop(shell->settings);
        shell->settings = settings;
    }
    return true;
}

static void *map(int fd, uint64_t size, int protection)
{
    void *memory = size == 0 ? NULL : shared_map(fd, size, protection);
    close(fd);
    if (memory == NULL) {
        log_event(LOG_ERROR, "map_failed", "a shared table can't be mapped");
        return NULL;
    }
    return memory;
}

static bool on_listener(struct shell *shell, const struct wire_memory *memory, int fd)
{
    if (shell->running) {
        return listener_add(&shell->front, fd, memory->name);
    }
    if (shell->listener_count == LISTENERS_MAX ||
        !view_to_cstr(memory->name, shell->listener[shell->listener_count].name,
                      sizeof(shell->listener[0].name))) {
        log_event(LOG_ERROR, "listeners_too_many", "at most %d", LISTENERS_MAX);
        close(fd);
        return false;
    }
    shell->listener[shell->listener_count++].fd = fd;
    return true;
}

static bool on_memory(void *context, const struct wire_memory *memory, int fd)
{
    struct shell *shell = context;
    if (memory->kind == WIRE_MEMORY_LISTENER) {
        return on_listener(shell, memory, fd);
    }
    if (shell->running) { // the tables are for life: half of a new pair would name the wrong people
        close(fd);
        return true;
    }
    switch (memory->kind) {
    case WIRE_MEMORY_SESSIONS:
        shell->sessions = map(fd, memory->size, PROT_READ);
        shell->sessions_size = memory->size;
        return shell->sessions != NULL;
    case WIRE_MEMORY_ACCOUNTS:
        shell->accounts = map(fd, memory->size, PROT_READ);
        shell->accounts_size = memory->size;
        return shell->accounts != NULL;
    case WIRE_MEMORY_SEEN:
        if (memory->size < SEEN_RING_BYTES) {
            close(fd);
            return false;
        }
        shell->seen = map(fd, memory->size, PROT_READ | PROT_WRITE);
        return shell->seen != NULL;
    default:
        close(fd);
        return true;
    }
}

static void on_memory_gone(void *context, const struct wire_memory_gone *gone)
{
    struct shell *shell = context;
    if (gone->kind == WIRE_MEMORY_LISTENER && shell->running) {
        listener_remove(&shell->front, gone->name);
    }
}

static bool on_peer(void *context, enum wire_role role, uint16_t index, int fd)
{
    struct shell *shell = context;
    (void)index;
    if (role != WIRE_CORE) {
        close(fd);
        return true;
    }
    if (shell->running) {
        asks_connect(&shell->front, fd);
        return true;
    }
    if (shell->core_fd >= 0) {
        close(shell->core_fd);
    }
    shell->core_fd = fd;
    return true;
}

static bool on_prepare(void *context)
{
    struct shell *shell = context;
    if (shell->settings == NULL || sodium_init() < 0) {
        log_event(LOG_ERROR, "start_failed", "no configuration, or no random source");
        return false;
    }
    json_begin();
    return true;
}

static void attach_tables(struct shell *shell)
{
    struct front *front = &shell->front;
    front->has_tables = shell->sessions != NULL && shell->accounts != NULL &&
                        sessions_reader_init(&front->tables, shell->sessions, shell->sessions_size,
                                             shell->accounts, shell->accounts_size);
    if (!front->has_tables) {
        log_event(LOG_WARNING, "tables_missing", "every check asks core");
    }
    if (shell->seen != NULL) {
        seen_putter_init(&front->seen, shell->seen);
        front->has_seen = true;
    }
}

static bool on_run(void *context)
{
    struct shell *shell = context;
    struct front *front = &shell->front;
    if (!front_init(front, child_loop(), shell->settings)) {
        log_event(LOG_ERROR, "start_failed", "out of memory");
        return false;
    }
    front->index = child_index();
    shell->settings = NULL;
    shell->running = true;
    attach_tables(shell);
    if (shell->core_fd >= 0) {
        asks_connect(front, shell->core_fd);
    }
    for (size_t i = 0; i < shell->listener_count; i++) {
        if (!listener_add(front, shell->listener[i].fd, view_of_cstr(shell->listener[i].name))) {
            return false;
        }
    }
    return true;
}

static void on_idle(struct front *front)
{
    (void)front;
    child_drained();
}

static void on_drain_deadline(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    child_drained();
}

static void on_drain(void *context, uint32_t deadline_ms)
{
    struct shell *shell = context;
    if (!shell->running || shell->front.draining) {
        return;
    }
    ev_timer_init(&shell->drain_deadline, on_drain_deadline, deadline_ms / 1000.0, 0.0);
    ev_timer_start(child_loop(), &shell->drain_deadline);
    shell->front.on_idle = on_idle;
    front_drain(&shell->front);
}

static void on_penalty(void *context, struct id16 source, uint32_t seconds)
{
    struct shell *shell = context;
    if (!shell->running) {
        return;
    }
    struct front *front = &shell->front;
    uint32_t now = front_mono_s(front);
    sources_penalise(&front->sources, source, now, seconds);
    if (front->penalties_until_s < now + seconds) {
        front->penalties_until_s = now + seconds;
    }
}

int main(int argc, char **argv)
{
    static struct shell shell = {.core_fd = -1};
    static const struct child_role role = {
        .role = WIRE_FRONT,
        .stats = STATS_ROLE_front,
        .profile = SANDBOX_FRONT,
        .config_number = WIRE_MESSAGE_front_config,
        .config = on_config,
        .memory = on_memory,
        .memory_gone = on_memory_gone,
        .peer = on_peer,
        .prepare = on_prepare,
        .run = on_run,
        .drain = on_drain,
        .penalty = on_penalty,
    };
    return child_main(&role, &shell, argc, argv);
}
