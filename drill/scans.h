// SPDX-License-Identifier: ISC
// What it costs the database to read the whole table of accounts, as each log-in has it do while the index is
// gone: by its own count of rows and its processor time. That differs by a third from minute to minute on a
// machine that others use too, and the yardstick can't tell it: scans and hashes wait for different things.
// So what was done then is compared with now by it. Used by stayctl drill; PostgreSQL only. Owns nothing.
#ifndef DRILL_SCANS_H
#define DRILL_SCANS_H

#include "drill/stage.h"

enum { SCANS_OF_INDEX = 2 }; // CREATE INDEX CONCURRENTLY reads the table twice

struct scans {
    struct stage *stage;  // NULL: nothing is measured
    double count;         // when all were told last
    double cpu_s, used_s; // of the database: at the beginning; between beginning and end
};

// From here to the end the database's processor time counts.
void scans_begin(struct scans *scans);
void scans_end(struct scans *scans);
// Once those who read have left (a server's session tells what it read at its end), the processor time of
// each reading since the last call, in ms, without `apart` readings whose time is not in it; 0: not known.
double scans_settle(struct scans *scans, unsigned apart);

#endif
