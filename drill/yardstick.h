// SPDX-License-Identifier: ISC
// How fast this machine is at the moment: one password hash, as stayd makes them, a few times a second in a
// process of its own, by its processor time. Machines are shared, and two minutes are not alike: what was
// done then is compared with now by it. Used by stayctl drill. Owns: the process, its samples.
#ifndef DRILL_YARDSTICK_H
#define DRILL_YARDSTICK_H

#include "drill/program.h"

struct yardstick {
    struct program program;
    struct yardstick_samples *samples; // shared with it
};

// False: errno says why.
[[nodiscard]] bool yardstick_start(struct yardstick *yardstick);
void yardstick_stop(struct yardstick *yardstick);
// The mean processor time of the work that ended between these (monotonic); 0: there is none.
double yardstick_ms(const struct yardstick *yardstick, uint64_t from_ns, uint64_t to_ns);

#endif
