// SPDX-License-Identifier: ISC
// The message graph: a star around core, and one-way events to watch. Used by the supervisor.
// Nobody waits for watch: it reads everyone's stats page, and an event that it does not take is dropped.
#include "supervisor/topology.h"

// Fronts leave first, so that what they wait for is still there; watch last, so that it sees the rest.
const struct topology_role topology_roles[] = {
    {WIRE_KEY, STATS_ROLE_key, false, TOPOLOGY_FOLDER_KEYS, 3},
    {WIRE_STORE, STATS_ROLE_store, false, TOPOLOGY_FOLDER_STORE, 3},
    {WIRE_HASH, STATS_ROLE_hash, false, TOPOLOGY_FOLDER_NONE, 3},
    {WIRE_CORE, STATS_ROLE_core, false, TOPOLOGY_FOLDER_NONE, 2},
    {WIRE_FRONT, STATS_ROLE_front, true, TOPOLOGY_FOLDER_NONE, 1},
    {WIRE_WATCH, STATS_ROLE_watch, false, TOPOLOGY_FOLDER_INCIDENTS, 4},
    {.role = 0},
};

const struct topology_role topology_alert = {0, STATS_ROLE_alert, false, TOPOLOGY_FOLDER_NONE, 0};

static const struct {
    enum wire_role a, b;
} links[] = {
    {WIRE_FRONT, WIRE_CORE}, {WIRE_CORE, WIRE_STORE}, {WIRE_CORE, WIRE_HASH},
    {WIRE_CORE, WIRE_KEY},   {WIRE_CORE, WIRE_WATCH}, {WIRE_STORE, WIRE_WATCH},
};

const struct topology_grant topology_grants[] = {
    {WIRE_MEMORY_SESSIONS, WIRE_CORE, TOPOLOGY_WRITE, false},
    {WIRE_MEMORY_ACCOUNTS, WIRE_CORE, TOPOLOGY_WRITE, false},
    {WIRE_MEMORY_SEEN, WIRE_CORE, TOPOLOGY_WRITE, false},
    {WIRE_MEMORY_CONTROL, WIRE_CORE, TOPOLOGY_READ, true},
    {WIRE_MEMORY_SESSIONS, WIRE_FRONT, TOPOLOGY_READ, false},
    {WIRE_MEMORY_ACCOUNTS, WIRE_FRONT, TOPOLOGY_READ, false},
    {WIRE_MEMORY_SEEN, WIRE_FRONT, TOPOLOGY_WRITE, true},
    {WIRE_MEMORY_LISTENER, WIRE_FRONT, TOPOLOGY_READ, false},
    {WIRE_MEMORY_PASSWORDS, WIRE_HASH, TOPOLOGY_READ, false},
    {WIRE_MEMORY_STATS, WIRE_WATCH, TOPOLOGY_READ, false},
    {WIRE_MEMORY_SESSIONS, WIRE_WATCH, TOPOLOGY_READ, false},
    {WIRE_MEMORY_ACCOUNTS, WIRE_WATCH, TOPOLOGY_READ, false},
    {WIRE_MEMORY_LISTENER, WIRE_WATCH, TOPOLOGY_READ, true},
    {WIRE_MEMORY_CONTROL, WIRE_WATCH, TOPOLOGY_READ, true},
    {WIRE_MEMORY_DIRECTORY, WIRE_WATCH, TOPOLOGY_READ, true},
    {.to = 0},
};

const struct topology_role *topology_role_find(enum wire_role role)
{
    for (const struct topology_role *row = topology_roles; row->role != 0; row++) {
        if (row->role == role) {
            return row;
        }
    }
    return NULL;
}

bool topology_linked(enum wire_role a, enum wire_role b)
{
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        if ((links[i].a == a && links[i].b == b) || (links[i].a == b && links[i].b == a)) {
            return true;
        }
    }
    return false;
}

unsigned topology_stages(void)
{
    unsigned last = 0;
    for (const struct topology_role *row = topology_roles; row->role != 0; row++) {
        last = row->drain_stage > last ? row->drain_stage : last;
    }
    return last;
}
