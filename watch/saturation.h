// SPDX-License-Identifier: ISC
// How full every bounded thing is, from 0 (idle) to 1 (the next one waits or is refused): for an autoscaler,
// and for whoever asks what to add. Used by stayd-watch. Owns a few seconds of samples; of a resource that
// several processes have, the fullest counts. docs/scaling.md says what each means.
#ifndef WATCH_SATURATION_H
#define WATCH_SATURATION_H

#include "watch/watched.h"

enum { SATURATION_RESOURCES_MAX = 24, SATURATION_SAMPLES = 15, SATURATION_SAMPLE_MS = 1000 };

struct saturation_row {
    const char *resource;
    const char *relief; // what helps: "node" (another stayd), "database", "memory", "disk" or "configuration"
    enum stats_counter used, limit;
    enum stats_role used_by, limit_by; // the processes whose pages say so; STATS_ROLE_COUNT: any
    const char *help;
    bool left; // `used` says what is left
};

extern const struct saturation_row saturation_rows[];
extern const unsigned saturation_row_count;

struct saturation {
    float sample[SATURATION_SAMPLES][SATURATION_RESOURCES_MAX]; // below 0: not known
    unsigned taken;
};

// Now; below 0 when nobody says the limit.
double saturation_now(const struct watched *watched, const struct saturation_row *row);
// To be called every SATURATION_SAMPLE_MS.
void saturation_sample(struct saturation *saturation, const struct watched *watched);
// The mean of the last samples, or of now before the first; below 0 when not known.
double saturation_mean(const struct saturation *saturation, const struct watched *watched, unsigned row);
// "stayd_saturation{...} 0.1234" for each that is known.
void saturation_write(struct bytes *out, const struct saturation *saturation, const struct watched *watched);

#endif
