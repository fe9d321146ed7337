// SPDX-License-Identifier: ISC
// One incident as a document: what was noticed, the verdict, the timeline, the harm, what is to be done.
// Used by stayd-watch. A JSON object is the whole state, so that what is read back from a file is what was
// written. Owns nothing: the object is the caller's. Pure: time comes in. Bounds: INCIDENT_TIMELINE_MAX
// entries and so on; what does not fit is counted. What is missing in a document is passed over.
//
//   open ──nothing wrong for INCIDENT_QUIET_MS──▶ closed
#ifndef WATCH_INCIDENT_H
#define WATCH_INCIDENT_H

#include "watch/crowds.h"
#include "watch/facts.h"
#include "watch/impact.h"
#include "watch/verdict_json.h"

enum {
    INCIDENT_ID_SIZE = 40,
    INCIDENT_TIMELINE_MAX = 200,
    INCIDENT_TIMELINE_LAST = 8, // of these, kept for how it ended
    INCIDENT_RECORDS_MAX = 32,
    INCIDENT_NETWORKS_MAX = 8,
    INCIDENT_QUIET_MS = 5000,
};

// A new one. NULL without memory.
json_t *incident_new(const char *id, const struct verdict *verdict, uint64_t now_unix_ms,
                     const char *version);

// Adds to the timeline. kind: "onset", "symptom", "fact", "change", "verdict", "action", "alert", "note",
// "end". The
// same again, soon after, is counted and not repeated.
void incident_tell(json_t *incident, uint64_t unix_ms, const char *kind, const char *text);
// One line for the timeline; false when this fact is nothing to tell. *kind: as above.
[[nodiscard]] bool incident_fact_line(const struct fact *fact, char *out, size_t size, const char **kind);

// Takes over what the verdict says now; a change of its causes is told in the timeline. True when there was
// something worth writing down.
bool incident_learn(json_t *incident, const struct verdict *verdict);
// Takes over which networks the busiest sources are in: those that sent more of a second than before. True
// when there is one that was not known.
bool incident_learn_networks(json_t *incident, const struct crowds *crowds);
void incident_set_impact(json_t *incident, const struct impact *impact, uint64_t lasted_ms);
void incident_get_impact(const json_t *incident, struct impact *impact);
// Names a crash record that belongs to it.
void incident_link(json_t *incident, const char *record);
void incident_close(json_t *incident, uint64_t ended_unix_ms, const char *how);

[[nodiscard]] bool incident_is_open(const json_t *incident);
const char *incident_id(const json_t *incident);
// The most likely cause, "unknown" while there is none.
const char *incident_cause(const json_t *incident);
// Action items that are not done yet.
unsigned incident_actions_open(const json_t *incident);
// Marks the item with this number as done; false when there is none.
[[nodiscard]] bool incident_action_done(json_t *incident, unsigned number, uint64_t now_unix_ms);

// Whether this could be an incident's document, as far as those who read it rely on it.
[[nodiscard]] bool incident_is_one(const json_t *document);

#endif
