// SPDX-License-Identifier: ISC
// The postmortem's draft of an incident, in Markdown: everything that stayd knows stands in it, and marked
// places wait for what only people know. Used by stayd-watch. Owns nothing. Bounds: those of `out`.
#ifndef WATCH_POSTMORTEM_H
#define WATCH_POSTMORTEM_H

#include "watch/incident.h"

void postmortem_write(struct bytes *out, const json_t *incident);

#endif
