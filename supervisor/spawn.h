// SPDX-License-Identifier: ISC
// Starts a child: fork, another user, a clean environment and descriptor table, exec. Used by the supervisor.
// Owns: descriptors of the executables, opened once (spawn_init), so that what is started again after an
// upgrade of the package is what was started first, and the path to them needs no rights of the child's user.
#ifndef SUPERVISOR_SPAWN_H
#define SUPERVISOR_SPAWN_H

#include "base/bytes.h"
#include "base/log.h"
#include "supervisor/topology.h"

struct spawn {
    int executable[STATS_ROLE_COUNT];
    char path[STATS_ROLE_COUNT][1024]; // for people and for symbols
};

struct spawn_order {
    const struct topology_role *role;
    uint16_t index;
    int control; // becomes descriptor 3
    int folder;  // to start in, -1: /
    unsigned descriptors_max;
    enum log_level log_level;
    enum log_format log_format;
    bool check; // only judge a slice, see child_main
};

// Finds the executables beside this one, else in the folder they are installed to. False: `why`.
[[nodiscard]] bool spawn_init(struct spawn *spawn, char *why, size_t why_size);
void spawn_release(struct spawn *spawn);
// The pid, or -1 (errno). What fails in the child ends it with status 127 and a line on standard error.
int spawn_child(const struct spawn *spawn, const struct spawn_order *order);
// Would this slice do? Asks an executable of that role that lives for nothing else (10 ms or so), because
// only it knows, and because what it parses (certificates) is not parsed with the supervisor's rights.
[[nodiscard]] bool spawn_check(const struct spawn *spawn, const struct topology_role *role,
                               struct view slice);

#endif
