// SPDX-License-Identifier: ISC
// One HTTP GET with a deadline, over TCP to 127.0.0.1 or a Unix socket, for a drill that watches its stayd.
// Used by stayctl drill. Owns nothing that lasts. Bounds: the caller's buffer.
#ifndef DRILL_ASK_H
#define DRILL_ASK_H

#include "base/bytes.h"

struct ask {
    const char *socket;  // path of a Unix socket, or NULL
    uint16_t port;       // else this port
    const char *path;    // "/why.json"
    const char *headers; // further lines, each ended by CRLF; NULL: none
    uint64_t timeout_ms;
};

// The status, and the body ended by NUL in `out`; 0 when there was no whole answer in time.
unsigned ask_get(const struct ask *ask, char *out, size_t size);

#endif
