// SPDX-License-Identifier: ISC
// Counts what waits for the disk. Used by stayd-store, from any of its threads. Owns nothing.
#ifndef STORE_SYNCS_H
#define STORE_SYNCS_H

#include "base/clock.h"
#include "base/stats.h"

// A file was made durable, or that failed, in the time since `begun_ns`.
static inline void syncs_count(uint64_t begun_ns)
{
    stats_add_shared(STATS_store_syncs, 1);
    stats_add_shared(STATS_store_sync_us, (clock_mono_ns() - begun_ns) / 1000);
}

#endif
