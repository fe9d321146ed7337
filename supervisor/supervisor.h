// SPDX-License-Identifier: ISC
// The supervisor: one struct with all that it owns, and the verbs of its life. Used by `stayd` alone.
// It parses nothing from the network: its inputs are the configuration, signals, and the few messages of its
// children. Owns: listening sockets, the files of the shared tables and stats pages, the folders, the
// children. Bounds: SUPERVISOR_PROCESSES_MAX children.
//
//   starting ──every child ready──▶ serving ──SIGTERM──▶ draining (stage by stage) ──▶ end
//       └──a child can't start──▶ draining, exit status 1
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "supervisor/alert.h"
#include "supervisor/config.h"
#include "supervisor/events.h"
#include "supervisor/folders.h"
#include "supervisor/gauges.h"
#include "supervisor/listener.h"
#include "supervisor/memory.h"
#include "supervisor/penalty.h"
#include "supervisor/restart.h"
#include "supervisor/sizing.h"
#include "supervisor/slices.h"
#include "supervisor/spawn.h"
#include "wire/channel.h"

#include <ev.h>

enum {
    SUPERVISOR_PROCESSES_MAX = TOPOLOGY_FRONTS_MAX + 5,
    SUPERVISOR_HEARTBEAT_MS = 250,
    SUPERVISOR_SIZING_MS = 5000,           // how often the machine is looked at
    SUPERVISOR_HEARTBEATS_MISSED_MAX = 12, // 3 s without an answer: hung
    SUPERVISOR_HUNG_GRACE = 4,             // heartbeats from SIGABRT to SIGKILL
    SUPERVISOR_START_MAX_MS = 60 * 1000,   // from exec to ready
    SUPERVISOR_START_TRIES = 3,            // crashes of one child before the first "ready"
    SUPERVISOR_PASSWORD_LISTS_MAX = CONFIG_PASSWORD_LISTS_MAX + 1,
};

// A child that is down waits for its restart timer; one that is gone stays away (draining).
enum process_state { PROCESS_DOWN, PROCESS_STARTING, PROCESS_READY, PROCESS_LEAVING, PROCESS_GONE };

struct supervisor;

struct process {
    struct supervisor *supervisor;
    const struct topology_role *role;
    uint16_t index;
    enum process_state state;
    int pid;
    struct channel control;
    ev_child child;
    ev_timer again; // the restart
    struct restart restart;
    unsigned deaths_at_start;
    unsigned unanswered; // heartbeats
    bool hung;
    struct memory stats;
    struct stats_page *page; // the child's; what is in it is not trusted
    uint64_t processor_us;   // counted of this life so far
    bool hears;              // watch: was told the events until now, and is told those to come
    struct memory seen;      // fronts
};

enum supervisor_state { SUPERVISOR_STARTING, SUPERVISOR_SERVING, SUPERVISOR_DRAINING };

struct password_list {
    int fd;
    char name[128];
};

struct supervisor {
    struct ev_loop *loop;
    enum supervisor_state state;
    int exit_status;
    uint64_t started_ns;
    struct config *config;
    char config_file[CONFIG_PATH_MAX];
    struct slices_keys keys;
    struct slices_files files;
    struct slices slices;
    struct sizing_follow sizing;
    struct gauges gauges;
    struct gauges_programs programs;
    struct events events;
    struct folders folders;
    struct spawn spawn;
    struct memory stats; // its own page
    struct memory sessions;
    struct memory accounts;
    struct listener listener[CONFIG_LISTENS_MAX];
    unsigned listeners;
    struct listener ops;
    int control_core;
    int control_watch;
    struct password_list passwords[SUPERVISOR_PASSWORD_LISTS_MAX];
    unsigned password_lists;
    struct penalty penalty;
    struct alert_lane alert[ALERT_WAYS];
    struct process process[SUPERVISOR_PROCESSES_MAX];
    unsigned processes;
    bool started; // every child was told to start once
    unsigned drain_stage;
    char setup_token[65];
    bool setup_told;
    ev_signal on_term, on_int, on_hup;
    ev_timer heartbeat, drain_deadline, watchdog, machine, gauges_machine, gauges_children;
};

// Runs stayd to its end; returns the exit status.
int supervisor_run(struct config *config, const char *config_file);

// supervisor.c
void supervisor_ready_check(struct supervisor *supervisor);
void supervisor_setup_link(struct supervisor *supervisor, struct view token);

// resize.c: how many of what, by what the machine gives.
void resize_begin(struct supervisor *supervisor);
void resize_watch(struct supervisor *supervisor);
// The configuration is another.
void resize_again(struct supervisor *supervisor);

// process.c: the life of one child.
void process_init(struct process *process, struct supervisor *supervisor, const struct topology_role *role,
                  uint16_t index);
// Starts it, with its slice, its memory and its channels; what fails is tried again by the restart policy.
void process_start(struct process *process);
// Everything is there: let it run.
void process_go(struct process *process);
void process_heartbeat(struct process *process);
// Asks it to leave; it is gone when its state says so.
void process_drain(struct process *process, uint32_t deadline_ms);
void process_kill(struct process *process, int signal);
static inline bool process_alive(const struct process *process)
{
    return process->state == PROCESS_STARTING || process->state == PROCESS_READY ||
           process->state == PROCESS_LEAVING;
}

// handout.c: what a child is given.
bool handout_config(struct process *process);
bool handout_memory(struct process *process);
void handout_peers(struct process *process);
void handout_penalties(struct process *process);
bool handout_listener(struct process *process, const struct listener *listener);
bool handout_listener_gone(struct process *process, const struct listener *listener);
bool handout_passwords(struct process *process);

// drain.c
void drain_begin(struct supervisor *supervisor, int exit_status);
// A child is gone: is the stage over?
void drain_step(struct supervisor *supervisor);

// reload.c
void reload(struct supervisor *supervisor);
// Opens the lists of passwords; false with `why`, then none is open.
[[nodiscard]] bool reload_passwords_open(const struct config *config, struct password_list *lists,
                                         unsigned *count, char *why, size_t why_size);
[[nodiscard]] bool reload_front_check(const struct slices *slices, const struct spawn *spawn);
void reload_passwords_close(struct password_list *lists, unsigned *count);

#endif
