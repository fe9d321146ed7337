// SPDX-License-Identifier: ISC
// The restart policy. Runs in the supervisor.
#include "supervisor/restart.h"

void restart_started(struct restart *restart, uint64_t now_ms)
{
    restart->started_ms = now_ms;
}

uint32_t restart_died(struct restart *restart, uint64_t now_ms)
{
    uint64_t lived_ms = now_ms - restart->started_ms;
    if (lived_ms >= RESTART_CALM_MS) {
        restart->quick_deaths = 0;
    }
    if (lived_ms >= RESTART_QUICK_MS) {
        return 0;
    }
    uint32_t doublings = restart->quick_deaths++;
    if (doublings == 0) {
        return 0;
    }
    uint32_t delay_ms = (uint32_t)RESTART_DELAY_FIRST_MS << (doublings > 6 ? 6 : doublings - 1);
    return delay_ms < RESTART_DELAY_MAX_MS ? delay_ms : RESTART_DELAY_MAX_MS;
}
