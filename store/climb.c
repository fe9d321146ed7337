// SPDX-License-Identifier: ISC
// The climb of a slow kind, see climb.h. Runs in stayd-store.
#include "store/climb.h"

static void stand_at(struct climb *climb, uint32_t level)
{
    climb->skip = level > climb->level ? level : climb->level;
    climb->level = level;
    climb->count = 0;
    climb->sum_us = 0;
}

void climb_leave(struct climb *climb)
{
    *climb = (struct climb){0};
}

// Of a try: was more done?
static void judge(struct climb *climb, uint64_t mean_us, uint64_t now_ms)
{
    uint64_t before = climb->usual_level * mean_us * CLIMB_GAIN_PERCENT,
             now = climb->level * climb->usual_us * 100;
    if (now >= before) {
        climb->usual_level = climb->level;
        climb->usual_us = mean_us;
        climb->vain = 0;
        return;
    }
    climb->again_ms = now_ms + ((uint64_t)CLIMB_AGAIN_MS << climb->vain);
    climb->vain += climb->vain < CLIMB_AGAIN_DOUBLED;
    stand_at(climb, climb->usual_level);
}

void climb_take(struct climb *climb, uint64_t run_us, uint32_t most, uint64_t now_ms)
{
    if (climb->level == 0) {
        stand_at(climb, 1);
    }
    if (climb->level > most) {
        stand_at(climb, most);
        climb->usual_level = 0;
    }
    if (climb->skip > 0) {
        climb->skip--;
        return;
    }
    climb->sum_us += run_us;
    if (++climb->count < CLIMB_SAMPLES * climb->level) {
        return;
    }
    uint64_t mean_us = climb->sum_us / climb->count;
    climb->count = 0;
    climb->sum_us = 0;
    if (climb->usual_level != 0 && climb->usual_level != climb->level) {
        judge(climb, mean_us, now_ms);
    } else if (climb->usual_level > 1 && mean_us * 100 > climb->usual_us * CLIMB_WORSE_PERCENT) {
        climb->usual_level = 0;
        stand_at(climb, 1);
    } else {
        climb->usual_level = climb->level;
        climb->usual_us = mean_us;
    }
    if (climb->usual_level == climb->level && climb->level < most && now_ms >= climb->again_ms) {
        stand_at(climb, climb->level + 1);
    }
}
