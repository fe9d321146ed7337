// SPDX-License-Identifier: ISC
// Whatever stands in a scenario or a recording: a sound plan, or a sentence that says why not.
#include "drill/scenario.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sound(const struct plan *plan)
{
    double at_s = 0;
    assert(plan->pieces > 0 && plan->pieces <= PLAN_PIECES_MAX && plan->phases <= PLAN_PHASES_MAX);
    for (unsigned i = 0; i < plan->pieces; i++) {
        const struct plan_piece *piece = &plan->piece[i];
        assert(piece->begin_s == at_s && piece->end_s >= piece->begin_s);
        for (unsigned j = 0; j < STORM_CLASSES; j++) {
            assert(piece->rate[j].begin >= 0 && piece->rate[j].begin <= PLAN_RATE_MAX);
            assert(piece->rate[j].end >= 0 && piece->rate[j].end <= PLAN_RATE_MAX);
        }
        at_s = piece->end_s;
        assert(plan_phase_at(plan, piece->begin_s) < plan->phases);
    }
    assert(isfinite(plan->seconds) && plan->seconds <= PLAN_SECONDS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct plan plan;
    if (scenario_read(&plan, view_of(data, size))) {
        sound(&plan);
    } else {
        assert(plan.problem[0] != '\0');
    }
    if (scenario_replay(&plan, view_of(data, size), 24, 2)) {
        sound(&plan);
    } else {
        assert(plan.problem[0] != '\0');
    }
    return 0;
}
