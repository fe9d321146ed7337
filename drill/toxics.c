// SPDX-License-Identifier: ISC
// Arithmetic of a bad network, see toxics.h. Runs in the fault proxy.
#include "drill/toxics.h"

#include "drill/plan.h"

// TCP waits this long for the first acknowledgement that does not come, then twice that, and so on.
enum { RETRANSMISSION_MS = 200, RETRANSMISSIONS_MAX = 4 };
#define MS 1000000ull

static uint64_t lost_ms(uint32_t lost_thousandths, uint64_t *random)
{
    uint64_t ms = 0;
    for (unsigned i = 0; i < RETRANSMISSIONS_MAX && storm_random_share(random) * 1000 < lost_thousandths;
         i++) {
        ms += (uint64_t)RETRANSMISSION_MS << i;
    }
    return ms;
}

uint64_t toxics_due(const struct toxics *toxics, struct toxic_flow *flow, uint64_t now_ns, size_t size,
                    uint64_t *random)
{
    uint32_t latency_ms = atomic_load(&toxics->latency_ms);
    uint32_t jitter_ms = atomic_load(&toxics->jitter_ms);
    uint32_t rate = atomic_load(&toxics->bytes_per_second);
    uint32_t lost = atomic_load(&toxics->lost_thousandths);
    double wait_ms = latency_ms;
    if (jitter_ms > 0) {
        wait_ms += jitter_ms * (2 * storm_random_share(random) - 1);
    }
    uint64_t due_ns = now_ns + (wait_ms > 0 ? (uint64_t)(wait_ms * (double)MS) : 0);
    if (lost > 0) {
        due_ns += lost_ms(lost, random) * MS;
    }
    due_ns = due_ns > flow->due_ns ? due_ns : flow->due_ns;
    if (rate > 0) {
        due_ns += size * 1000000000ull / rate;
    }
    flow->due_ns = due_ns;
    return due_ns;
}

bool toxics_hold(const struct toxics *toxics)
{
    return atomic_load(&toxics->blackhole) != 0 || atomic_load(&toxics->timeout_ms) != 0;
}

void toxics_clear(struct toxics *toxics)
{
    atomic_store(&toxics->latency_ms, 0);
    atomic_store(&toxics->jitter_ms, 0);
    atomic_store(&toxics->bytes_per_second, 0);
    atomic_store(&toxics->lost_thousandths, 0);
    atomic_store(&toxics->slow_close_ms, 0);
    atomic_store(&toxics->timeout_ms, 0);
    atomic_store(&toxics->reset_ms, 0);
    atomic_store(&toxics->blackhole, 0);
    atomic_store(&toxics->refuse, 0);
}
