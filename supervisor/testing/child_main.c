// SPDX-License-Identifier: ISC
// A child that does nothing, for tests of the supervisor: it stands in for whichever executable it is linked
// as. SIGUSR1 makes it crash with a request of 192.0.2.9 in flight, SIGUSR2 makes it hang.
#include "wire/child.h"
#include "wire/event.h"

#include <signal.h>
#include <unistd.h>

static const struct id16 source = {
    .byte = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 9}};

static const struct child_role roles[] = {
    {.role = WIRE_FRONT,
     .stats = STATS_ROLE_front,
     .profile = SANDBOX_FRONT,
     .config_number = WIRE_MESSAGE_front_config},
    {.role = WIRE_CORE,
     .stats = STATS_ROLE_core,
     .profile = SANDBOX_CORE,
     .config_number = WIRE_MESSAGE_core_config},
    {.role = WIRE_STORE,
     .stats = STATS_ROLE_store,
     .profile = SANDBOX_STORE,
     .config_number = WIRE_MESSAGE_store_config},
    {.role = WIRE_HASH,
     .stats = STATS_ROLE_hash,
     .profile = SANDBOX_HASH,
     .config_number = WIRE_MESSAGE_hash_config},
    {.role = WIRE_KEY,
     .stats = STATS_ROLE_key,
     .profile = SANDBOX_KEY,
     .config_number = WIRE_MESSAGE_key_config},
    {.role = WIRE_WATCH,
     .stats = STATS_ROLE_watch,
     .profile = SANDBOX_WATCH,
     .config_number = WIRE_MESSAGE_watch_config},
};

static void on_crash(int signal)
{
    (void)signal;
    stats_flight_begin(STATS_CLASS_login, &source);
    raise(SIGSEGV);
}

static void on_hang(int signal)
{
    (void)signal;
    for (;;) {
        pause();
    }
}

static bool count(const char *what, int fd)
{
    fprintf(stderr, "test_child %s\n", what);
    if (fd >= 0) {
        close(fd);
    }
    return true;
}

static bool on_config(void *context, struct view packet, bool again)
{
    (void)context;
    (void)packet;
    return count(again ? "config again" : "config", -1);
}

static bool on_memory(void *context, const struct wire_memory *memory, int fd)
{
    char text[64];
    (void)context;
    snprintf(text, sizeof text, "memory %u owner %u index %u", memory->kind, memory->owner, memory->index);
    return count(text, fd);
}

static void on_memory_gone(void *context, const struct wire_memory_gone *gone)
{
    char text[64];
    (void)context;
    snprintf(text, sizeof text, "gone %u", gone->kind);
    count(text, -1);
}

static bool on_peer(void *context, enum wire_role role, uint16_t index, int fd)
{
    char text[64];
    (void)context;
    snprintf(text, sizeof text, "peer %u index %u", role, index);
    return count(text, fd);
}

static void on_penalty(void *context, struct id16 whom, uint32_t seconds)
{
    char text[64];
    (void)context;
    snprintf(text, sizeof text, "penalty .%u for %u", whom.byte[15], seconds);
    count(text, -1);
}

static void on_event(void *context, const struct wire_event *event)
{
    char text[160];
    (void)context;
    snprintf(text, sizeof text, "event %s of %s %u: %.*s", event_kind_name(event->kind),
             stats_role_name(event->role), event->index, (int)(event->text.size < 80 ? event->text.size : 80),
             (const char *)event->text.data);
    count(text, -1);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    signal(SIGUSR1, on_crash);
    signal(SIGUSR2, on_hang);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(name, stats_role_name((uint32_t)roles[i].stats)) == 0) {
            struct child_role role = roles[i];
            role.config = on_config;
            role.memory = on_memory;
            role.memory_gone = on_memory_gone;
            role.peer = on_peer;
            role.penalty = on_penalty;
            role.event = on_event;
            return child_main(&role, NULL, argc, argv);
        }
    }
    return 2;
}
