// SPDX-License-Identifier: ISC
// Alerts on their way out: what stayd-watch has to tell is handed to stayd-alert, one process for each try,
// to the webhook and to the command of the configuration. Used by the supervisor, which neither reads what is
// told nor speaks with anyone. Owns: what waits, and the process that runs. Bounds: ALERT_QUEUE_MAX alerts
// wait for each way, ALERT_TRIES_MAX tries over about half an hour, ALERT_LIMIT_MS a try.
//
// 1. One way's alerts leave one after another, in their order: nobody hears of an end before the beginning.
// 2. The ways do not wait for each other.
#ifndef SUPERVISOR_ALERT_H
#define SUPERVISOR_ALERT_H

#include "base/bytes.h"

#include <ev.h>

enum {
    ALERT_QUEUE_MAX = 16,
    ALERT_TRIES_MAX = 12,
    ALERT_LIMIT_MS = 10 * 1000,
    ALERT_GRACE_MS = 2000, // stayd-alert ends itself at its limit; then it is killed
    ALERT_PAUSE_FIRST_MS = 1000,
    ALERT_PAUSE_LONGEST_MS = 5 * 60 * 1000,
};

enum alert_way { ALERT_WEBHOOK, ALERT_COMMAND, ALERT_WAYS };

struct supervisor;

struct alert_lane {
    struct supervisor *supervisor;
    enum alert_way way;
    struct bytes waiting[ALERT_QUEUE_MAX]; // messages of watch, the oldest first
    unsigned count;
    unsigned tries; // of the oldest
    int pid;        // 0: none runs
    ev_child child;
    ev_timer timer; // while it runs its limit, else the pause before the next try
};

// An `alert` message of watch, which is copied.
void alerts_take(struct supervisor *supervisor, struct view packet);
// The configuration is another: what waits is tried at once, and as often as if it were new.
void alerts_reload(struct supervisor *supervisor);
// Ends what runs, forgets what waits.
void alerts_release(struct supervisor *supervisor);

// After so many tries, the pause before the next.
uint32_t alert_pause_ms(unsigned tries);

#endif
