// SPDX-License-Identifier: ISC
// The data folder: made where it is missing, locked, its parts given to their users. Used by the supervisor.
// Owns: the lock and a descriptor per folder, until folders_release.
//
//   data_dir/            the supervisor's, 0755
//     stayd.lock         held while stayd runs
//     run/               the supervisor's, 0755: core.sock, watch.sock (0600)
//     store/ keys/       each its role's, 0700
//     incidents/         watch's, 0755
#ifndef SUPERVISOR_FOLDERS_H
#define SUPERVISOR_FOLDERS_H

#include "supervisor/topology.h"

struct folders {
    int data; // descriptors, O_PATH or O_RDONLY
    int run;
    int store;
    int keys;
    int incidents;
    int lock;
};

// False: `why` says what is wrong and what to do. Everything taken so far stays taken until folders_release.
[[nodiscard]] bool folders_init(struct folders *folders, const char *data_dir, char *why, size_t why_size);
void folders_release(struct folders *folders);
// The descriptor of a role's folder, -1 for none.
int folders_of(const struct folders *folders, enum topology_folder folder);

#endif
