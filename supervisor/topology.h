// SPDX-License-Identifier: ISC
// Who there is, who may talk to whom, who gets which descriptor: three tables, and nothing else knows it.
// Used by the supervisor. Pure; owns nothing.
#ifndef SUPERVISOR_TOPOLOGY_H
#define SUPERVISOR_TOPOLOGY_H

#include "base/stats.h"
#include "wire/types.h"

enum { TOPOLOGY_FRONTS_MAX = 64, TOPOLOGY_USER_FIRST = 59310 };

// The folder below data_dir that a role starts in.
enum topology_folder {
    TOPOLOGY_FOLDER_NONE,
    TOPOLOGY_FOLDER_STORE,
    TOPOLOGY_FOLDER_KEYS,
    TOPOLOGY_FOLDER_INCIDENTS
};

struct topology_role {
    enum wire_role role;
    enum stats_role stats; // names the executable and the user
    bool several;          // fronts: as many as configured
    enum topology_folder folder;
    unsigned drain_stage; // stages leave one after another, from 1
};

enum topology_access { TOPOLOGY_READ, TOPOLOGY_WRITE };

struct topology_grant {
    enum wire_memory_kind kind;
    enum wire_role to;
    enum topology_access access;
    bool own; // only the one of the receiver's index; otherwise all of them
};

// The rows of the tables; each ends with a row whose role is 0.
extern const struct topology_role topology_roles[];
extern const struct topology_grant topology_grants[];
// stayd-alert: started when there is something to tell, see supervisor/alert.h. It has no channel.
extern const struct topology_role topology_alert;

const struct topology_role *topology_role_find(enum wire_role role);
// May these two have a channel?
[[nodiscard]] bool topology_linked(enum wire_role a, enum wire_role b);
unsigned topology_stages(void);

#endif
