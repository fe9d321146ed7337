// SPDX-License-Identifier: ISC
// Sources whose requests keep crashing a front: refused for a while, longer each time.
// Used by the supervisor. Pure: time is an argument (monotonic milliseconds). Bounds: PENALTY_SOURCES_MAX
// sources, the one that was quiet longest makes room. Owns nothing.
#ifndef SUPERVISOR_PENALTY_H
#define SUPERVISOR_PENALTY_H

#include "base/bytes.h"

enum {
    PENALTY_SOURCES_MAX = 64,
    PENALTY_CRASHES = 2,           // so many crashes ...
    PENALTY_WINDOW_MS = 60 * 1000, // ... within this time
    PENALTY_FIRST_S = 60,          // doubled each time
    PENALTY_LONGEST_S = 3600,
};

struct penalty_source {
    struct id16 source;
    uint64_t crashed_ms; // the last crash, 0: the place is free
    uint64_t until_ms;
    uint32_t crashes; // within the window
    uint32_t times;   // penalties so far
};

struct penalty {
    struct penalty_source source[PENALTY_SOURCES_MAX];
};

// A request of this source was in flight when a front crashed (a v6 address stands for its network). Returns
// for how many seconds it is to be refused from now on, 0 for not at all.
uint32_t penalty_crash(struct penalty *penalty, struct id16 source, uint64_t now_ms);
// What is left of a source's penalty, in seconds rounded up; for a front that has just started.
uint32_t penalty_left_s(const struct penalty_source *source, uint64_t now_ms);
// Is the address in this list of addresses and CIDRs? Proxies are never penalised:
// behind them are others.
[[nodiscard]] bool penalty_spares(const char *trusted_proxies, struct id16 source);

#endif
