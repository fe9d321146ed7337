// SPDX-License-Identifier: ISC
// What the supervisor tells watch: deaths, starts, reloads. Used by the supervisor. Owns the latest
// EVENTS_KEPT_MAX of them, so that a watch that is started again, or was the one that died, knows them too.
#ifndef SUPERVISOR_EVENTS_H
#define SUPERVISOR_EVENTS_H

#include "wire/event.h"

enum { EVENTS_KEPT_MAX = 64, EVENTS_TEXT_MAX = 512 };

struct events_kept {
    struct wire_event event; // its views are of what follows
    char name[WIRE_EVENT_NAME_MAX + 1];
    char text[EVENTS_TEXT_MAX + 1];
};

struct events {
    struct events_kept kept[EVENTS_KEPT_MAX];
    uint64_t count; // ever
};

struct supervisor;
struct process;

// Keeps it and, when watch is there, says it. The time is now; text is cut to EVENTS_TEXT_MAX.
void events_say(struct supervisor *supervisor, const struct wire_event *event);
// Says it to a watch that is there, and keeps nothing: it is soon said again.
void events_pass(struct supervisor *supervisor, const struct wire_event *event);
// Says all that is kept to a watch that begins to listen.
void events_again(struct process *watch);

// EVENTS_SAY(supervisor, RELOADED, .a = 1)
#define EVENTS_SAY(supervisor_, kind_, ...)                                                                  \
    events_say((supervisor_), &(struct wire_event){.kind = WIRE_EVENT_##kind_, __VA_ARGS__})

#endif
