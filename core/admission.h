// SPDX-License-Identifier: ISC
// Early refusal: how much of one kind of request (log-ins, sign-ups) the fronts refuse before they read it,
// so that refusing costs next to nothing. Pure: called every ADMISSION_EVERY_MS with what was seen since.
// Used by core. Owns nothing. Source: adaptive throttling (Beyer et al., "Site Reliability Engineering",
// chapter 21: refuse what exceeds K times the accepted), with K = 1.25 and the share decided here instead of
// by each asker. docs/decisions/0062.
#ifndef CORE_ADMISSION_H
#define CORE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ADMISSION_EVERY_MS = 100,
    ADMISSION_ALL = 65535,
    ADMISSION_MOST = 65535 - 512, // something comes through, or nobody would know how it is now
};

struct admission {
    // Since the last update. Arrived: what was answered without being tried is taken back; accepted: what was
    // refused in the end all the same; refused: for want of room.
    int32_t arrived, accepted;
    uint32_t refused;
    uint64_t offered_milli; // a second, smoothed (1/8), with what the fronts refused
    uint64_t accepted_milli;
    uint32_t share;       // of ADMISSION_ALL, that fronts refuse
    uint32_t calm;        // updates in a row without a refusal and with room
    uint32_t alarm;       // updates for which the last refusal is remembered
    uint64_t owed;        // refused, and not accepted since: they come again
    uint32_t turned_away; // what the fronts refused since the last update, as far as can be told
};

// A request came; it was worth its work; it was refused for want of room; it tells nothing (a bad name).
static inline void admission_arrived(struct admission *admission)
{
    admission->arrived++;
}
static inline void admission_accepted(struct admission *admission)
{
    admission->accepted++;
}
static inline void admission_refused(struct admission *admission)
{
    admission->refused++;
}
// It was accepted, and is refused all the same.
static inline void admission_in_vain(struct admission *admission)
{
    admission->accepted--;
    admission->refused++;
}
static inline void admission_untried(struct admission *admission)
{
    admission->arrived--;
}
// When those who were refused will have been served, at the rate that is accepted: 1 to 120.
uint32_t admission_retry_after_s(const struct admission *admission);
// `room`: nobody waits where work is scarce, and there is a free place.
void admission_update(struct admission *admission, bool room);

#endif
