// SPDX-License-Identifier: ISC
// The files of incidents: ID.json, which is read back, and ID.md, the postmortem's draft. Used by
// stayd-watch. Owns nothing: a descriptor of the folder comes in.
#ifndef WATCH_INCIDENT_FILES_H
#define WATCH_INCIDENT_FILES_H

#include "watch/incident.h"

// "20261121T050102Z", or with "-2" and so on behind it.
[[nodiscard]] bool incident_is_id(struct view id);
// An id for a moment that no file has yet; false when there is none left.
[[nodiscard]] bool incident_files_id(int folder, uint64_t unix_ms, char id[static INCIDENT_ID_SIZE]);
// Writes both files; false (errno) when one could not be written: the old ones stand.
[[nodiscard]] bool incident_files_write(int folder, const json_t *incident);
// NULL when there is none, or it can't be read.
json_t *incident_files_read(int folder, const char *id);
void incident_files_remove(int folder, const char *id);
// Calls `each` with the id of every incident in the folder, in no order.
void incident_files_each(int folder, void (*each)(void *context, const char *id), void *context);
// Links the crash records of the folder that were written in this stretch of time.
void incident_files_link_crashes(int folder, json_t *incident, uint64_t from_unix_ms, uint64_t to_unix_ms);

#endif
