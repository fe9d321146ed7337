// SPDX-License-Identifier: ISC
// Where a load test goes: an http or https address, and whether that is this machine's loopback. Used by
// stayctl storm. Owns nothing. The name is looked up once, before anything is sent.
#ifndef DRILL_TARGET_H
#define DRILL_TARGET_H

#include "base/bytes.h"

#include <sys/socket.h>

enum { TARGET_HOST_SIZE = 256, TARGET_PROBLEM_SIZE = 256 };

struct target {
    bool tls;
    bool loopback; // every address of the name is 127.0.0.0/8 or ::1
    char host[TARGET_HOST_SIZE];
    char authority[TARGET_HOST_SIZE + 8]; // as in Host
    struct sockaddr_storage address;
    socklen_t address_size;
    char problem[TARGET_PROBLEM_SIZE]; // after a failure: one sentence
};

// "http://127.0.0.1:8080": no path, no user, no query. Fails too when the name is not known.
[[nodiscard]] bool target_read(struct target *target, struct view url);

#endif
