// SPDX-License-Identifier: ISC
// When to start a dead child again: at once the first time, then later and later while it keeps dying.
// Used by the supervisor. Pure: time is an argument (monotonic milliseconds). Owns nothing.
#ifndef SUPERVISOR_RESTART_H
#define SUPERVISOR_RESTART_H

#include <stdint.h>

enum {
    RESTART_QUICK_MS = 10 * 1000, // dying sooner than this after a start is "keeps dying"
    RESTART_CALM_MS = 60 * 1000,  // having lived this long forgives everything
    RESTART_DELAY_FIRST_MS = 100,
    RESTART_DELAY_MAX_MS = 5 * 1000,
};

struct restart {
    uint64_t started_ms;
    uint32_t quick_deaths; // in a row
};

void restart_started(struct restart *restart, uint64_t now_ms);
// The child has died: how long to wait before the next start.
uint32_t restart_died(struct restart *restart, uint64_t now_ms);

#endif
