// SPDX-License-Identifier: ISC
// Users of roles. Runs in the supervisor.
#include "supervisor/users.h"

#include <pwd.h>
#include <unistd.h>

struct user user_of(const struct topology_role *role)
{
    struct user user = {.change = geteuid() == 0};
    if (!user.change) {
        user.uid = geteuid();
        user.gid = getegid();
        return user;
    }
    const struct passwd *entry = getpwnam(stats_role_name((uint32_t)role->stats));
    user.uid = entry != NULL ? entry->pw_uid : TOPOLOGY_USER_FIRST + (uid_t)role->stats;
    user.gid = entry != NULL ? entry->pw_gid : TOPOLOGY_USER_FIRST + (gid_t)role->stats;
    return user;
}
