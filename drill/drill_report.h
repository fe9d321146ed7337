// SPDX-License-Identifier: ISC
// What a drill has to say: a table for people, the object of `--json`, JUnit for a CI. Used by stayctl drill.
// Owns nothing.
#ifndef DRILL_DRILL_REPORT_H
#define DRILL_DRILL_REPORT_H

#include "drill/drill.h"

void drill_report_table(FILE *out, const struct drill_result *result, enum drill_end end);
// The caller's to release. `whole`: with all that was measured, as it is kept beside the raw log.
json_t *drill_report_json(const struct drill_result *result, enum drill_end end, bool whole);
// "slow-query", or "flood+lock" of two at once.
void drill_report_name(const struct drill_result *result, char *out, size_t size);

// A file of JUnit's: begun, a case for each drill, ended.
void drill_junit_begin(FILE *out, unsigned tests, unsigned failures);
void drill_junit_case(FILE *out, const struct drill_result *result, enum drill_end end, double seconds);
void drill_junit_end(FILE *out);

#endif
