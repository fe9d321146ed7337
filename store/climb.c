// SPDX-License-Identifier: ISC
// The climb of a slow kind, see climb.h. Runs in stayd-store.
#include "store/climb.h"

#include <stdbool.h>
#include <string.h>

static void stand_at(struct climb *climb, uint32_t level)
{
    climb->skip = level > climb->level ? level : climb->level;
    climb->level = level;
    climb->count = 0;
    climb->sum_us = 0;
}

static void forget(struct climb *climb)
{
    climb->proven = 0;
    memset(climb->usual_us, 0, sizeof(climb->usual_us));
}

void climb_leave(struct climb *climb)
{
    *climb = (struct climb){0};
}

// With `more` at work, `percent` of what is done with `less`?
static bool is_done(uint32_t more, uint64_t more_us, uint32_t less, uint64_t less_us, unsigned percent)
{
    return more * less_us * 100 >= less * more_us * percent;
}

static void fall_back(struct climb *climb, uint32_t level, uint64_t now_ms)
{
    climb->again_ms = now_ms + ((uint64_t)CLIMB_AGAIN_MS << climb->vain);
    climb->vain += climb->vain < CLIMB_AGAIN_DOUBLED;
    climb->proven = level;
    stand_at(climb, level);
}

static void judge_try(struct climb *climb, uint64_t mean_us, uint64_t now_ms)
{
    if (is_done(climb->level, mean_us, climb->proven, climb->usual_us[climb->proven], CLIMB_GAIN_PERCENT)) {
        climb->proven = climb->level;
        climb->usual_us[climb->level] = mean_us;
        climb->vain = 0;
    } else {
        fall_back(climb, climb->proven, now_ms);
    }
}

static void judge_usual(struct climb *climb, uint64_t mean_us, uint64_t now_ms)
{
    uint64_t *usual_us = &climb->usual_us[climb->level];
    uint64_t below_us = climb->usual_us[climb->level - 1]; // 0: not known
    if (climb->level > 1 && mean_us * 100 > *usual_us * CLIMB_WORSE_PERCENT) {
        forget(climb);
        stand_at(climb, 1);
        return;
    }
    *usual_us = (3 * *usual_us + mean_us) / 4;
    if (below_us > 0 && !is_done(climb->level, *usual_us, climb->level - 1, below_us, CLIMB_KEEP_PERCENT)) {
        fall_back(climb, climb->level - 1, now_ms);
    }
}

void climb_take(struct climb *climb, uint64_t run_us, uint32_t most, uint64_t now_ms)
{
    most = most < CLIMB_MOST ? most : CLIMB_MOST;
    if (climb->level == 0) {
        stand_at(climb, 1);
    }
    if (climb->level > most) {
        stand_at(climb, most);
        forget(climb);
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
    if (climb->proven == 0) {
        climb->proven = climb->level;
        climb->usual_us[climb->level] = mean_us;
    } else if (climb->level != climb->proven) {
        judge_try(climb, mean_us, now_ms);
    } else {
        judge_usual(climb, mean_us, now_ms);
    }
    if (climb->proven == climb->level && climb->level < most && now_ms >= climb->again_ms) {
        stand_at(climb, climb->level + 1);
    }
}
