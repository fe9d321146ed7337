// SPDX-License-Identifier: ISC
// What a load test has to say: a table for people, one JSON object for programs. Used by stayctl storm.
// Owns nothing.
#ifndef DRILL_REPORT_H
#define DRILL_REPORT_H

#include "drill/storm.h"

#include <jansson.h>

void report_table(FILE *out, const struct storm *storm);
// The caller's to release; NULL when memory is short. docs/stayctl.md names its parts.
json_t *report_json(const struct storm *storm);

#endif
