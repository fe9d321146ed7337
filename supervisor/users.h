// SPDX-License-Identifier: ISC
// The user that a role runs as. Used by the supervisor. Owns nothing.
#ifndef SUPERVISOR_USERS_H
#define SUPERVISOR_USERS_H

#include "supervisor/topology.h"

#include <sys/types.h>

struct user {
    bool change; // false: this process is not root, everything stays as it is
    uid_t uid;
    gid_t gid;
};

// Started as root: the user named like the role's executable where there is one, else a number of its own
// (TOPOLOGY_USER_FIRST + role).
struct user user_of(const struct topology_role *role);

#endif
