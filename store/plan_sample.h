// SPDX-License-Identifier: ISC
// Operations to look at: a packet of each, with the values of an account and a session that are there. Used
// where plans are checked. Owns nothing.
#ifndef STORE_PLAN_SAMPLE_H
#define STORE_PLAN_SAMPLE_H

#include "store/store.h"

struct plan_sample {
    struct id16 account, selector, public_id;
    struct view name, phc;
    uint32_t epoch;
};

// false ends the walk.
typedef bool plan_packet(void *owner, struct view packet);

// Every statement is run by one of them. The changes are such as would all be made, and harm what they are
// made to: to be rolled back, each by itself.
[[nodiscard]] bool plan_sample_each(const struct plan_sample *of, plan_packet *each, void *owner);

#endif
