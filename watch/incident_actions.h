// SPDX-License-Identifier: ISC
// Action items that follow from a cause: what keeps it from happening again, what would have shown it sooner.
// Used by stayd-watch. Owns nothing.
#ifndef WATCH_INCIDENT_ACTIONS_H
#define WATCH_INCIDENT_ACTIONS_H

#include <jansson.h>

enum { INCIDENT_ACTIONS_MAX = 12 };

// Adds the items for the document's causes that are not in it yet.
void incident_actions_propose(json_t *incident);

#endif
