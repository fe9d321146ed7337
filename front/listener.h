// SPDX-License-Identifier: ISC
// The listening sockets: made and owned by the supervisor, shared by all fronts, accepted from here. Used by
// stayd-front. Owns its descriptors of them. Bounds: LISTENERS_MAX.
#ifndef FRONT_LISTENER_H
#define FRONT_LISTENER_H

#include "front/front.h"

#define LISTENERS_MAX 32

// Takes over `fd`, a socket that listens. false: too many, or out of memory (fd is closed).
[[nodiscard]] bool listener_add(struct front *front, int fd, struct view name);
void listener_remove(struct front *front, struct view name);
void listeners_remove_all(struct front *front);
// Accepts again, where the process had run out of descriptors.
void listeners_tick(struct front *front);

#endif
