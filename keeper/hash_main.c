// SPDX-License-Identifier: ISC
// stayd-hash: password rules and hashing. Its own descriptors are channels and lists of passwords; its
// secrets are the key that opens sealed passwords, and passwords for the length of one hash.
#include "base/log.h"
#include "base/urgency.h"
#include "keeper/crew.h"
#include "keeper/hash.h"
#include "keeper/hash_memory.h"
#include "wire/child.h"

#include <malloc.h>
#include <sodium.h>
#include <unistd.h>

static struct hash_process {
    struct settings *settings; // until the threads start; then the service's
    struct hash_bounds bounds;
    int core; // until the service runs
    struct hash *hash;
} process = {.core = -1};

static bool on_config(void *context, struct view packet, bool again)
{
    struct hash_process *self = context;
    struct wire_hash_config config;
    bool good = wire_hash_config_decode(packet, &config) && config.workers > 0 &&
                config.workers <= CREW_WORKERS_MAX && config.threads <= CREW_WORKERS_MAX;
    if (good && again) {
        good = hash_configure(self->hash, &config);
    } else if (good) {
        good = settings_configure(self->settings, &config);
        self->bounds = hash_bounds_of(&config);
    }
    if (!good && !again) {
        log_event(LOG_ERROR, "config_refused", "the password settings can't be used");
    }
    wipe(&config, sizeof config);
    return good;
}

// A list that can't be used does not keep anybody from logging in; but no password can be set without it.
static bool on_memory(void *context, const struct wire_memory *memory, int fd)
{
    struct hash_process *self = context;
    if (memory->kind != WIRE_MEMORY_PASSWORDS) {
        close(fd);
        return false;
    }
    if (self->hash != NULL) {
        (void)hash_add_list(self->hash, memory->name, fd);
        return true;
    }
    enum common_result result = settings_add_list(self->settings, memory->name, fd);
    if (result != COMMON_OK) {
        hash_log_list_refused(memory->name, result);
        settings_add_unusable_list(self->settings, memory->name);
    }
    return true;
}

static void on_memory_gone(void *context, const struct wire_memory_gone *gone)
{
    struct hash_process *self = context;
    if (gone->kind == WIRE_MEMORY_PASSWORDS && self->hash != NULL) {
        (void)hash_remove_list(self->hash, gone->name);
    }
}

static bool on_peer(void *context, enum wire_role role, uint16_t index, int fd)
{
    struct hash_process *self = context;
    (void)index;
    if (role != WIRE_CORE) {
        close(fd);
        return false;
    }
    if (self->hash != NULL) {
        hash_attach(self->hash, fd);
        return true;
    }
    if (self->core >= 0) {
        close(self->core);
    }
    self->core = fd;
    return true;
}

static bool start_threads(void *context)
{
    struct hash_process *self = context;
    if (!self->settings->configured) {
        log_event(LOG_ERROR, "start_failed", "no configuration came");
        return false;
    }
    self->hash = hash_new(child_loop(), self->bounds, self->settings);
    self->settings = NULL;
    if (self->hash == NULL) {
        log_event(LOG_ERROR, "start_failed", "no memory or threads for %u workers", self->bounds.threads);
    }
    if (self->hash != NULL) {
        hash_on_idle(self->hash, hash_memory_release);
    }
    return self->hash != NULL;
}

static bool run(void *context)
{
    struct hash_process *self = context;
    if (self->core >= 0) {
        hash_attach(self->hash, self->core);
        self->core = -1;
    }
    return true;
}

static void drain(void *context, uint32_t deadline_ms)
{
    struct hash_process *self = context;
    (void)deadline_ms;
    hash_drain(self->hash, child_drained);
}

static const struct child_role role = {
    .role = WIRE_HASH,
    .stats = STATS_ROLE_hash,
    .profile = SANDBOX_HASH,
    .options = {.descriptors_max = 64},
    .config_number = WIRE_MESSAGE_hash_config,
    .config = on_config,
    .memory = on_memory,
    .memory_gone = on_memory_gone,
    .peer = on_peer,
    .threads = start_threads,
    .run = run,
    .drain = drain,
};

int main(int argc, char **argv)
{
    // One heap for all threads: they hardly use it, and an idle worker then costs a few pages. What is freed
    // is overwritten, because zxcvbn keeps copies of the password that only it knows of.
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_PERTURB, 0x5A);
    urgency_compute_apart();
    process.settings = settings_new();
    if (sodium_init() < 0 || process.settings == NULL) {
        return 1;
    }
    return child_main(&role, &process, argc, argv);
}
