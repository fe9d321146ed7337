// SPDX-License-Identifier: ISC
// A verdict as JSON: what `/why.json` answers, and what an incident's file keeps. Used by stayd-watch. Owns
// nothing: the objects are the caller's. Numbers that are not known are null, and so are times that have not
// come.
#ifndef WATCH_VERDICT_JSON_H
#define WATCH_VERDICT_JSON_H

#include "base/bytes.h"
#include "watch/verdict.h"

#include <jansson.h>

enum { ISO_SIZE = 32 };

// "2026-11-21T05:01:02.345Z"
void iso_time(uint64_t unix_ms, char out[static ISO_SIZE]);
json_t *iso_json(uint64_t unix_ms); // null for 0

const char *verdict_state_id(enum verdict_state state); // "healthy", "degraded", "incident"

// `incident`: its id, or NULL. NULL without memory.
json_t *verdict_json(const struct verdict *verdict, const char *incident);

// Appends an object in a form for people and diff.
void json_write(struct bytes *out, const json_t *value);

#endif
