// SPDX-License-Identifier: ISC
// The incident folder: records of crashes and incidents, a file each. Used by stayd-watch. Owns: a descriptor
// of the folder. Bounds: INCIDENTS_LISTED_MAX names, files of INCIDENTS_FILE_MAX bytes.
#ifndef WATCH_INCIDENTS_H
#define WATCH_INCIDENTS_H

#include "base/bytes.h"

#include <jansson.h>

enum { INCIDENTS_LISTED_MAX = 500, INCIDENTS_FILE_MAX = 1 << 20, INCIDENTS_NAME_MAX = 128 };

struct incidents {
    int folder; // -1: none
};

void incidents_init(struct incidents *incidents);
void incidents_release(struct incidents *incidents);
// Takes over fd.
void incidents_open(struct incidents *incidents, int fd);
// The records that are no incidents as a table, newest first.
void incidents_list(const struct incidents *incidents, struct bytes *out);
// The same for programs: [{"name","at","bytes"}].
json_t *incidents_json(const struct incidents *incidents);
// Appends one record's text; false when there is none of that name, or the name is not one of a record.
[[nodiscard]] bool incidents_read(const struct incidents *incidents, struct view name, struct bytes *out);
// The content type by the name's ending.
struct view incidents_type(struct view name);

#endif
