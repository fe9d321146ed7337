// SPDX-License-Identifier: ISC
// What the routes of watch/ops.c lead to. Used by stayd-watch. Each writes one whole answer.
#ifndef WATCH_ROUTES_H
#define WATCH_ROUTES_H

#include "watch/answer.h"

// ops_why.c
void route_why_json(const struct asked *asked);
void route_why_text(const struct asked *asked); // "?colours": for a terminal

// The verdict as JSON, or nothing while there is none.
void why_write(const struct asked *asked, struct bytes *out);

// ops_incidents.c
void route_incidents_page(const struct asked *asked);
void route_incidents_json(const struct asked *asked);
void route_incident_actions(const struct asked *asked);
void route_incident(const struct asked *asked);      // ID.json, ID.md, crash-….log
void route_incident_post(const struct asked *asked); // ID/actions/N/done

#endif
