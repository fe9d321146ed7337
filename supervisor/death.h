// SPDX-License-Identifier: ISC
// Why a child died: its exit status and its black box, as a log line and as a file in incidents/.
// Used by the supervisor. Owns nothing. Bounds: DEATH_FILES_MAX files, the oldest make room.
#ifndef SUPERVISOR_DEATH_H
#define SUPERVISOR_DEATH_H

#include "base/stats.h"

enum { DEATH_FILES_MAX = 50 };

enum death_cause {
    DEATH_LEFT,    // by an exit status
    DEATH_CRASHED, // by a signal
    DEATH_HUNG,    // killed by the supervisor for not answering
};

struct death {
    enum death_cause cause;
    int status; // as waitpid gives it
    int pid;
    const struct stats_page *page; // may be NULL
    const char *name;              // the executable's
    uint16_t index;
    const char *executable; // its path, for symbols
    uint64_t lived_ms;
    uint32_t restart_in_ms;
};

// Logs it and writes incidents/crash-TIME-NAME-INDEX.log (`incidents`: a folder's descriptor, -1: no file).
void death_record(const struct death *death, int incidents);
// One line for a person: "stayd-front 1 crashed by SIGSEGV in parse+0x12 after 1234 ms". No address.
void death_text(const struct death *death, char *text, size_t size);
// The request that was in flight: its class, and its source where it has one.
[[nodiscard]] bool death_flight(const struct stats_page *page, uint32_t *class, struct id16 *source);

#endif
