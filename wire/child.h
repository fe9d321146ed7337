// SPDX-License-Identifier: ISC
// The common life of every child of the supervisor: set-up, sandbox, heartbeat, drain, end. Used by the main
// of each role, which is then about 30 lines: a `struct child_role` of callbacks and `return
// child_main(...)`. Owns: descriptor 3 (the channel to the supervisor), the event loop. One per process.
//
//   born ──config, memory, peer (any number)──▶ start ──prepare()──▶ files restricted ──threads()──▶ calls
//   filtered
//        ──run(), `ready` said──▶ in the loop ──drain()──▶ child_drained() ──▶ exit 0
//
// In the loop: heartbeats are answered; config, memory, memory_gone and peer may come again (reload, a peer
// was restarted). When the supervisor is gone the process ends at once: whatever was acknowledged is durable
// already. Before `start` everything may block and open files; after it nothing can that the profile forbids.
// SIGINT, SIGTERM and SIGHUP are ignored (they are meant for the supervisor), SIGPIPE too.
#ifndef WIRE_CHILD_H
#define WIRE_CHILD_H

#include "base/sandbox.h"
#include "base/stats.h"
#include "wire/channel.h"

// Every callback may be NULL. A callback that returns false has logged why; the process then ends with status
// 1 (before `ready`) or keeps what it had (a config that comes again).
struct child_role {
    enum wire_role role;
    enum stats_role stats;
    enum sandbox_profile profile;
    struct sandbox_options options;
    // WIRE_MESSAGE_front_config and so on: the one slice that config() decodes.
    uint16_t config_number;

    // The slice; `again` when it is a reload. The packet may hold keys: it is wiped after the call.
    bool (*config)(void *context, struct view packet, bool again);
    // A descriptor of the supervisor: listener, table, list. The stats page of this process is not among
    // them: child_main has attached it. Takes over `fd`.
    bool (*memory)(void *context, const struct wire_memory *memory, int fd);
    // A listener that is to be closed.
    void (*memory_gone)(void *context, const struct wire_memory_gone *gone);
    // The channel to a peer; replaces an older one of the same role and index. Takes over `fd`; channel_open
    // may be called at once, with child_loop().
    bool (*peer)(void *context, enum wire_role role, uint16_t index, int fd);
    // Everything has arrived, nothing is forbidden yet: open files, read lists, run migrations.
    bool (*prepare)(void *context);
    // Another profile than the usual, or folders known only now (Landlock rights). Called after prepare.
    enum sandbox_profile (*sandbox)(void *context, struct sandbox_options *options);
    // Start threads: files are restricted, system calls not yet (crash_watch_thread in each).
    bool (*threads)(void *context);
    // In the sandbox: start watchers and timers. `ready` is said when this returns.
    bool (*run)(void *context);
    // Finish what is in progress within `deadline_ms`, take nothing new, then call child_drained. Without
    // this callback the process leaves at once.
    void (*drain)(void *context, uint32_t deadline_ms);
    // Refuse this source for that long (fronts).
    void (*penalty)(void *context, struct id16 source, uint32_t seconds);
    // Something happened (watch).
    void (*event)(void *context, const struct wire_event *event);
};

// Runs the whole life; returns the exit status. argv: --index N, --log-level L, --log-format F,
// --sandbox-probe.
int child_main(const struct child_role *role, void *context, int argc, char **argv);

// Valid from before the first callback on.
struct ev_loop *child_loop(void);
// The number among several of this role.
uint16_t child_index(void);
// Everything is finished: says so and ends the loop.
void child_drained(void);
// To the supervisor, e.g. CHANNEL_SAY(child_control(), setup_link, .token = ...). Only after `ready`.
struct channel *child_control(void);

#endif
