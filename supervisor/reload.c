// SPDX-License-Identifier: ISC
// SIGHUP: the configuration is read again. Runs in the supervisor.
// Invariant: everything that can fail is done first; then the new state is put in place as a whole, or the
// old one is kept as a whole. No connection is dropped either way: listeners that stay keep their descriptor.
#include "supervisor/supervisor.h"

#include "supervisor/config_keys.h"
#include "supervisor/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#ifndef STAYD_DATADIR
#define STAYD_DATADIR "/usr/local/share/stayd"
#endif

// The list that comes with stayd: installed, or beside the executables in the build folder.
static int common_passwords_open(void)
{
    char path[1024];
    ssize_t got = readlink("/proc/self/exe", path, sizeof path - 1);
    path[got > 0 ? got : 0] = '\0';
    char *slash = strrchr(path, '/');
    static const char *const beside[] = {"/../share/stayd/common-passwords", "/../keeper/common-passwords"};
    for (size_t i = 0; slash != NULL && i < sizeof beside / sizeof beside[0]; i++) {
        snprintf(slash, sizeof path - (size_t)(slash - path), "%s", beside[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            return fd;
        }
    }
    return open(STAYD_DATADIR "/common-passwords", O_RDONLY | O_CLOEXEC);
}

static void list_add(struct password_list *lists, unsigned *count, int fd, const char *name)
{
    struct password_list *list = &lists[(*count)++];
    list->fd = fd;
    snprintf(list->name, sizeof list->name, "%.100s", name);
}

bool reload_passwords_open(const struct config *config, struct password_list *lists, unsigned *count,
                           char *why, size_t why_size)
{
    *count = 0;
    int fd = common_passwords_open();
    if (fd >= 0) {
        list_add(lists, count, fd, "common");
    } else {
        log_event(LOG_WARNING, "passwords_missing", STAYD_DATADIR "/common-passwords: %s", strerror(errno));
    }
    for (unsigned i = 0; i < config->password_lists; i++) {
        const char *path = config->breached_passwords[i];
        const char *slash = strrchr(path, '/');
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            snprintf(why, why_size, "breached_passwords %s: %s", path, strerror(errno));
            reload_passwords_close(lists, count);
            return false;
        }
        list_add(lists, count, fd, slash != NULL ? slash + 1 : path);
    }
    return true;
}

void reload_passwords_close(struct password_list *lists, unsigned *count)
{
    for (unsigned i = 0; i < *count; i++) {
        close(lists[i].fd);
    }
    *count = 0;
}

// What a reload has opened, until it is put in place.
struct fresh {
    struct config *config;
    struct slices_files files;
    struct password_list passwords[SUPERVISOR_PASSWORD_LISTS_MAX];
    unsigned password_lists;
    struct listener listener[CONFIG_LISTENS_MAX]; // fd -1: taken over from the old
    struct listener ops;
    bool ops_changed;
};

static void fresh_release(struct fresh *fresh)
{
    for (unsigned i = 0; fresh->config != NULL && i < CONFIG_LISTENS_MAX; i++) {
        listener_release(&fresh->listener[i]);
    }
    listener_release(&fresh->ops);
    reload_passwords_close(fresh->passwords, &fresh->password_lists);
    slices_files_release(&fresh->files);
    if (fresh->config != NULL) {
        config_wipe(fresh->config);
    }
    free(fresh->config);
    fresh->config = NULL;
}

static bool fresh_read(struct fresh *fresh, const char *file)
{
    struct config_report *report = calloc(1, sizeof *report);
    bool fine = report != NULL && config_read(fresh->config, file, report);
    for (unsigned i = 0; report != NULL && i < report->problems && i < CONFIG_PROBLEMS_MAX; i++) {
        const struct config_problem *problem = &report->problem[i];
        log_event(problem->warning ? LOG_WARNING : LOG_ERROR, "config_problem", "%s:%u: %s", file,
                  problem->line, problem->text);
    }
    free(report);
    return fine;
}

static void keep_text(const char *key, char *fresh, const char *old, size_t size)
{
    if (strcmp(fresh, old) != 0) {
        log_event(LOG_WARNING, "config_later", "%s takes effect at the next start", key);
        memcpy(fresh, old, size);
    }
}

static void keep_number(const char *key, uint64_t fresh, uint64_t old)
{
    if (fresh != old) {
        log_event(LOG_WARNING, "config_later", "%s takes effect at the next start", key);
    }
}

// Keys that the running processes were built around.
static void keep_fixed(struct config *fresh, const struct config *old)
{
    keep_text("data_dir", fresh->data_dir, old->data_dir, sizeof fresh->data_dir);
    keep_text("database", fresh->database.url, old->database.url, sizeof fresh->database.url);
    char password[DATABASE_PASSWORD_SIZE];
    memcpy(password, fresh->database.password, sizeof password); // it may be a new one
    fresh->database = old->database;
    memcpy(fresh->database.password, password, sizeof password);
    wipe(password, sizeof password);
    keep_number("database_connections_min", fresh->database_connections_min, old->database_connections_min);
    keep_number("database_connections_max", fresh->database_connections_max, old->database_connections_max);
    fresh->database_connections_min = old->database_connections_min;
    fresh->database_connections_max = old->database_connections_max;
    fresh->database_pooler = old->database_pooler;
    keep_number("fronts", fresh->fronts, old->fronts);
    keep_number("hash_workers", fresh->hash_workers, old->hash_workers);
    keep_number("sessions_max", fresh->sessions_max, old->sessions_max);
    keep_number("log_level", fresh->log_level, old->log_level);
    keep_number("log_format", fresh->log_format, old->log_format);
    fresh->fronts = old->fronts;
    fresh->hash_workers = old->hash_workers;
    fresh->sessions_max = old->sessions_max;
    fresh->log_level = old->log_level;
    fresh->log_format = old->log_format;
}

static struct listener *listener_find(struct supervisor *supervisor, const char *text)
{
    for (unsigned i = 0; i < supervisor->listeners; i++) {
        if (strcmp(supervisor->listener[i].at.text, text) == 0) {
            return &supervisor->listener[i];
        }
    }
    return NULL;
}

static bool fresh_listeners(struct supervisor *supervisor, struct fresh *fresh, char *why, size_t size)
{
    for (unsigned i = 0; i < fresh->config->listens; i++) {
        const struct config_listen *at = &fresh->config->listen[i];
        if (listener_find(supervisor, at->text) == NULL &&
            !listener_init(&fresh->listener[i], at, why, size)) {
            return false;
        }
    }
    fresh->ops_changed = strcmp(fresh->config->ops_listen.text, supervisor->ops.at.text) != 0;
    if (fresh->ops_changed && fresh->config->ops_listen.kind != CONFIG_LISTEN_NONE) {
        return listener_init(&fresh->ops, &fresh->config->ops_listen, why, size);
    }
    return true;
}

typedef bool (*handout)(struct process *process, const struct listener *listener);

static void hand_to(struct supervisor *supervisor, enum wire_role role, handout verb,
                    const struct listener *listener)
{
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *process = &supervisor->process[i];
        if (process->role->role == role && process_alive(process)) {
            verb(process, listener);
        }
    }
}

static void place_listeners(struct supervisor *supervisor, struct fresh *fresh)
{
    struct listener placed[CONFIG_LISTENS_MAX];
    unsigned count = fresh->config->listens;
    for (unsigned i = 0; i < count; i++) {
        struct listener *old = listener_find(supervisor, fresh->config->listen[i].text);
        placed[i] = old != NULL ? *old : fresh->listener[i];
        if (old != NULL) {
            old->fd = -1;
        } else {
            fresh->listener[i].fd = -1;
            hand_to(supervisor, WIRE_FRONT, handout_listener, &placed[i]);
        }
    }
    for (unsigned i = 0; i < supervisor->listeners; i++) {
        if (supervisor->listener[i].fd >= 0) {
            hand_to(supervisor, WIRE_FRONT, handout_listener_gone, &supervisor->listener[i]);
            listener_release(&supervisor->listener[i]);
        }
    }
    memcpy(supervisor->listener, placed, count * sizeof placed[0]);
    supervisor->listeners = count;
    if (fresh->ops_changed) {
        if (supervisor->ops.fd >= 0) {
            hand_to(supervisor, WIRE_WATCH, handout_listener_gone, &supervisor->ops);
            listener_release(&supervisor->ops);
        }
        supervisor->ops = fresh->ops;
        fresh->ops.fd = -1;
        hand_to(supervisor, WIRE_WATCH, handout_listener, &supervisor->ops);
    }
}

// Lists that are no longer named are taken away, the others replaced by what their file is now.
static void place_passwords(struct supervisor *supervisor, struct fresh *fresh)
{
    struct process *hash = NULL;
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (supervisor->process[i].role->role == WIRE_HASH && process_alive(&supervisor->process[i])) {
            hash = &supervisor->process[i];
        }
    }
    for (unsigned i = 0; hash != NULL && i < supervisor->password_lists; i++) {
        bool stays = false;
        for (unsigned j = 0; j < fresh->password_lists; j++) {
            stays = stays || strcmp(supervisor->passwords[i].name, fresh->passwords[j].name) == 0;
        }
        if (!stays) {
            CHANNEL_SAY(&hash->control, memory_gone, .kind = WIRE_MEMORY_PASSWORDS,
                        .name = view_of_cstr(supervisor->passwords[i].name));
        }
    }
    reload_passwords_close(supervisor->passwords, &supervisor->password_lists);
    memcpy(supervisor->passwords, fresh->passwords, sizeof fresh->passwords);
    supervisor->password_lists = fresh->password_lists;
    fresh->password_lists = 0;
    if (hash != NULL) {
        handout_passwords(hash);
    }
}

static void place(struct supervisor *supervisor, struct fresh *fresh)
{
    struct config *old = supervisor->config;
    slices_files_release(&supervisor->files);
    supervisor->files = fresh->files;
    fresh->files = (struct slices_files){0};
    supervisor->config = fresh->config;
    supervisor->slices.config = fresh->config;
    resize_again(supervisor);
    for (unsigned i = 0; i < supervisor->processes; i++) {
        struct process *process = &supervisor->process[i];
        if (process_alive(process) && !handout_config(process)) {
            log_event(LOG_ERROR, "reload_refused", "%s can't be told",
                      stats_role_name((uint32_t)process->role->stats));
        }
    }
    place_listeners(supervisor, fresh);
    place_passwords(supervisor, fresh);
    alerts_reload(supervisor);
    fresh->config = old;
}

// The fronts are the ones that can find fault with a slice: its certificate and key, its rules. A slice that
// they refuse would stop the next one that is started.
bool reload_front_check(const struct slices *slices, const struct spawn *spawn)
{
    struct bytes packet;
    bytes_init(&packet, WIRE_PACKET_MAX);
    bool fine = slices_encode(slices, WIRE_FRONT, 0, &packet) &&
                spawn_check(spawn, topology_role_find(WIRE_FRONT), bytes_view(&packet));
    if (packet.data != NULL) {
        wipe(packet.data, packet.size);
    }
    bytes_release(&packet);
    return fine;
}

static bool fresh_check(const struct supervisor *supervisor, const struct fresh *fresh)
{
    struct slices slices = supervisor->slices;
    slices.config = fresh->config;
    slices.files = &fresh->files;
    return reload_front_check(&slices, &supervisor->spawn);
}

static bool fresh_init(struct supervisor *supervisor, struct fresh *fresh)
{
    char why[512];
    for (unsigned i = 0; i < CONFIG_LISTENS_MAX; i++) {
        fresh->listener[i].fd = -1;
    }
    fresh->ops.fd = -1;
    fresh->config = calloc(1, sizeof *fresh->config);
    if (fresh->config == NULL || !fresh_read(fresh, supervisor->config_file)) {
        return false;
    }
    keep_fixed(fresh->config, supervisor->config);
    if (!slices_files_init(&fresh->files, fresh->config, why, sizeof why) ||
        !reload_passwords_open(fresh->config, fresh->passwords, &fresh->password_lists, why, sizeof why) ||
        !fresh_listeners(supervisor, fresh, why, sizeof why)) {
        log_event(LOG_ERROR, "config_problem", "%s", why);
        return false;
    }
    return fresh_check(supervisor, fresh);
}

// After `place`, `fresh` holds the configuration before.
static void tell_done(struct supervisor *supervisor, const struct fresh *fresh)
{
    char names[EVENTS_TEXT_MAX];
    config_changed(fresh->config, supervisor->config, names, sizeof names);
    log_event(LOG_INFO, "reloaded", "%s: %s", supervisor->config_file,
              names[0] != '\0' ? names : "no key changed");
    EVENTS_SAY(supervisor, RELOADED, .a = 1, .text = view_of_cstr(names));
    if (names[0] != '\0') {
        EVENTS_SAY(supervisor, CONFIG_CHANGED, .text = view_of_cstr(names));
    }
}

void reload(struct supervisor *supervisor)
{
    struct fresh *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL || supervisor->state != SUPERVISOR_SERVING) {
        log_event(LOG_WARNING, "reload_refused", "not now");
        free(fresh);
        return;
    }
    notify_reloading();
    if (fresh_init(supervisor, fresh)) {
        place(supervisor, fresh);
        stats_count(STATS_reloads_done);
        tell_done(supervisor, fresh);
    } else {
        stats_count(STATS_reloads_failed);
        log_event(LOG_ERROR, "reload_failed", "the old configuration stays in force");
        EVENTS_SAY(supervisor, RELOADED, .a = 0);
    }
    fresh_release(fresh);
    free(fresh);
    notify_say("READY=1");
}
