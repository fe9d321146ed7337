// SPDX-License-Identifier: ISC
// The way back, see way.h. Runs in stayd-store.
#include "store/way.h"

#include <stdbool.h>

#define RISES      4096 // of this one part with each exchange
#define FOLLOWS    32   // the clocks' drift, by this one part with each quick exchange
#define SLACK_US   200
#define STEPPED_US 2000

static void learn_anew(struct way *way, uint64_t took_us, int64_t apart_us)
{
    way->quickest_us = took_us;
    way->apart_us = apart_us - (int64_t)(took_us / 2);
}

uint64_t way_back_us(struct way *way, uint64_t asked_us, uint64_t answered_us, uint64_t server_us)
{
    uint64_t took_us = answered_us - asked_us;
    int64_t apart_us = (int64_t)(answered_us - server_us);
    int64_t longer_us = apart_us - way->apart_us;
    int64_t least_us = -(int64_t)way->quickest_us - STEPPED_US, most_us = (int64_t)took_us + STEPPED_US;
    bool set = longer_us < least_us || longer_us > most_us; // a clock
    // The first one; or what was learnt was not quick.
    if (way->quickest_us == 0 || set || took_us < way->quickest_us / 2) {
        learn_anew(way, took_us, apart_us);
        return 0;
    }
    way->quickest_us += 1 + way->quickest_us / RISES;
    way->quickest_us = took_us < way->quickest_us ? took_us : way->quickest_us;
    if (took_us <= way->quickest_us + way->quickest_us / 2 + SLACK_US) {
        way->apart_us += longer_us / FOLLOWS;
    }
    return longer_us < 0 ? 0 : (uint64_t)longer_us < took_us ? (uint64_t)longer_us : took_us;
}
