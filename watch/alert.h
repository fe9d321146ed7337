// SPDX-License-Identifier: ISC
// What people are told when an incident begins, and when it is over. Used by stayd-watch, which hands it to
// the supervisor: it has no network itself. Owns nothing.
#ifndef WATCH_ALERT_H
#define WATCH_ALERT_H

#include "base/bytes.h"

#include <jansson.h>

// Where people reach the ops listener: `ops_url` of the configuration, else made of the listener's name; ""
// when there is no such place.
void alert_place(const char *ops_url, const char *listener, char *out, size_t size);
// The object that a webhook gets, in the order in which people read: "text" is the line that chat services
// show.
json_t *alert_json(const char *event, const json_t *incident, const char *place);

#endif
