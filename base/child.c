// SPDX-License-Identifier: ISC
// Waiting for a child. Runs in the supervisor and in stayd-alert.
#include "base/child.h"

#include "base/clock.h"

#include <limits.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    return clock_mono_ns() / 1000000;
}

bool child_ends_within(pid_t child, uint64_t limit_ms)
{
    bool ended = false;
    uint64_t end_ms = now_ms() + limit_ms;
    struct pollfd one = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
    if (one.fd < 0) {
        return false;
    }
    for (uint64_t at_ms; !ended && (at_ms = now_ms()) < end_ms;) {
        uint64_t left_ms = end_ms - at_ms;
        ended = poll(&one, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX) > 0;
    }
    close(one.fd);
    return ended;
}
