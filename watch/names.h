// SPDX-License-Identifier: ISC
// The names that the ops listener goes by. A page on the web can have its own name point at this machine
// ("DNS rebinding"); for the browser its scripts and the ops listener are then the same site, and they could
// read everything. What it can't do is ask by another name than its own: the Host line tells. Used by
// stayd-watch. Owns its copy of the list. Bounds: NAMES_SIZE bytes.
#ifndef WATCH_NAMES_H
#define WATCH_NAMES_H

#include "base/bytes.h"

#define NAMES_SIZE 2049

struct names {
    char list[NAMES_SIZE]; // joined by commas; "*.example.org": what is below it
};

// False when it is too long: there are none then.
[[nodiscard]] bool names_take(struct names *names, struct view list);
// `host`: of a Host line that is valid, with or without a port; without data there was none. Addresses and
// "localhost" are always good: no name on the web is one.
bool names_have(const struct names *names, struct view host);

#endif
