// SPDX-License-Identifier: ISC
// Whom an incident harms, in figures: how many requests of each class were asked, failed, refused or late
// while it lasted, from its onset on. Used by stayd-watch. Owns the last IMPACT_SECONDS, so that what
// happened between onset and detection counts. Time is an argument; only the mapped pages are read.
#ifndef WATCH_IMPACT_H
#define WATCH_IMPACT_H

#include "watch/watched.h"

enum { IMPACT_SECONDS = 120 };

enum impact_class { IMPACT_CHECK, IMPACT_LOGIN, IMPACT_CHANGE, IMPACT_OTHER, IMPACT_CLASSES };
extern const char *const impact_class_names[IMPACT_CLASSES];

struct impact_figures {
    uint64_t asked;
    uint64_t failed;  // 5xx, or no answer at all
    uint64_t refused; // 429 and 503: in time, with Retry-After
    uint64_t late;    // answered after more than a second
};

struct impact {
    struct impact_figures class[IMPACT_CLASSES];
    uint64_t clients; // that saw harm in the worst second: an estimate, 0: not known
};

struct impact_meter {
    bool begun;
    struct impact_figures last[IMPACT_CLASSES]; // as read
    struct impact second[IMPACT_SECONDS];
    uint64_t second_of[IMPACT_SECONDS]; // which one it is, since the machine's start
    bool running;
    struct impact sum; // while running
    uint64_t current;  // the second that goes on
};

void impact_init(struct impact_meter *meter);
// Ten times a second.
void impact_look(struct impact_meter *meter, const struct watched *watched, uint64_t mono_ms);
// From a moment on, which may lie in the past; `before` is added (an incident that is taken up again).
void impact_begin(struct impact_meter *meter, uint64_t onset_mono_ms, const struct impact *before);
void impact_end(struct impact_meter *meter);

// Failed, refused or late, of those asked: 0 to 1.
double impact_share(const struct impact_figures *figures);

#endif
