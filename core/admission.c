// SPDX-License-Identifier: ISC
// Early refusal. Runs in core; pure.
// 1. While core refuses nothing the share is 0: fronts refuse only what core would have refused.
// 2. Fronts let a quarter more through than is accepted: the workers have something to choose from, and
//    the share falls by itself when more is accepted. Where there is room they let twice as many through:
//    what is accepted then is what came, not what could be served.
// 3. What arrives is counted as it arrives, under the share that it met; what is accepted, when it is.
#include "core/admission.h"

#define SPARE_MILLI 3000 // three a second always come through
#define FULL_MILLI  1250 // let in for each that is accepted
#define ROOM_MILLI  2000 // where workers would wait otherwise
#define CALM        3
#define RECENT      10 // updates that a refusal is remembered

static uint64_t smooth(uint64_t before, uint64_t now)
{
    return (before * 7 + now) / 8;
}

static uint32_t wanted_share(const struct admission *admission, bool room)
{
    uint64_t let_in = admission->accepted_milli * (room ? ROOM_MILLI : FULL_MILLI) / 1000 + SPARE_MILLI;
    if (admission->offered_milli <= let_in) {
        return 0;
    }
    uint64_t share = (admission->offered_milli - let_in) * ADMISSION_ALL / admission->offered_milli;
    return share > ADMISSION_MOST ? ADMISSION_MOST : (uint32_t)share;
}

void admission_update(struct admission *admission, bool room)
{
    uint64_t came = admission->arrived > 0 ? (uint64_t)admission->arrived : 0;
    uint64_t accepted = admission->accepted > 0 ? (uint64_t)admission->accepted : 0;
    uint64_t offered = came * ADMISSION_ALL / (ADMISSION_ALL - admission->share);
    uint64_t per_second_milli = 1000000 / ADMISSION_EVERY_MS;
    admission->turned_away = (uint32_t)(offered - came);
    admission->offered_milli = smooth(admission->offered_milli, offered * per_second_milli);
    admission->accepted_milli = smooth(admission->accepted_milli, accepted * per_second_milli);
    admission->alarm = admission->refused > 0 ? RECENT : admission->alarm - (admission->alarm > 0);
    admission->calm = room && admission->refused == 0 ? admission->calm + 1 : 0;
    uint64_t owed = admission->owed + admission->turned_away + admission->refused;
    admission->owed = owed > accepted ? owed - accepted : 0;
    admission->arrived = admission->accepted = 0;
    admission->refused = 0;
    uint32_t share = wanted_share(admission, room);
    if (share > admission->share && admission->alarm == 0) {
        share = admission->share; // more came, and core takes it
    }
    if (admission->calm >= CALM) {
        // Room, and nobody to take it: faster than what is remembered of the storm fades.
        share = share < admission->share / 2 ? share : admission->share / 2;
    }
    admission->share = share;
    admission->owed = share == 0 && admission->alarm == 0 ? 0 : admission->owed;
}

uint32_t admission_retry_after_s(const struct admission *admission)
{
    uint64_t rate_milli = admission->accepted_milli > 500 ? admission->accepted_milli : 500;
    uint64_t seconds = admission->owed * 1000 / rate_milli;
    return seconds < 1 ? 1 : seconds > 120 ? 120 : (uint32_t)seconds;
}
