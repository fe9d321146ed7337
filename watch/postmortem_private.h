// SPDX-License-Identifier: ISC
// Parts of a postmortem's draft. Used by watch/postmortem*.c alone.
#ifndef WATCH_POSTMORTEM_PRIVATE_H
#define WATCH_POSTMORTEM_PRIVATE_H

#include "watch/prose.h"

#include <jansson.h>

// Text that means nothing to Markdown.
void postmortem_text(struct bytes *out, const char *text);
void postmortem_heading(struct bytes *out, const char *text);
void postmortem_to_fill(struct bytes *out, const char *what);
// Between two of the incident's moments.
void postmortem_span(const json_t *incident, const char *from, const char *to,
                     char out[static PROSE_FIGURE_SIZE]);

// Trigger and what kept it going; what was ruled out; what stayd did.
void postmortem_write_why(struct bytes *out, const json_t *incident);
// Resolution, contributing factors, action items, lessons, communication, records.
void postmortem_write_after(struct bytes *out, const json_t *incident);

#endif
