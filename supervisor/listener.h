// SPDX-License-Identifier: ISC
// Listening sockets: made by the supervisor, which may bind low ports, and handed out as descriptors.
// Used by the supervisor. Owns a descriptor each, and the file of a Unix socket.
#ifndef SUPERVISOR_LISTENER_H
#define SUPERVISOR_LISTENER_H

#include "supervisor/config.h"

struct listener {
    int fd; // -1: none
    struct config_listen at;
};

// False: `why` names the address and how to find who has it.
[[nodiscard]] bool listener_init(struct listener *listener, const struct config_listen *at, char *why,
                                 size_t why_size);
// Closes it; a Unix socket's file is removed.
void listener_release(struct listener *listener);

// A socket that stayctl talks to, mode 0600, `name` in the folder `run`: core's carries packets (`type` is
// SOCK_SEQPACKET), watch's a stream. -1 with `why`.
int listener_control(int run, const char *name, int type, char *why, size_t why_size);

#endif
