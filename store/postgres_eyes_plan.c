// SPDX-License-Identifier: ISC
// Plans of operations by EXPLAIN without ANALYZE. Runs in stayd-store, in a helper thread.
#include "store/postgres_eyes_plan.h"

#include "store/plan.h"
#include "store/plan_sample.h"
#include "store/postgres_call.h"

#include <stdio.h>

struct explain {
    uint32_t operations;
    struct eyes_plan *plans;
    bool wanted[STATEMENTS];
    uint32_t used_by[STATEMENTS]; // operations
};

// A packet of each operation says which statements it is made of.
static bool note_statements(void *owner, struct view packet)
{
    struct explain *explain = owner;
    struct postgres_call call;
    uint32_t operation = UINT32_C(1) << eyes_operation(wire_peek(packet));
    if ((explain->operations & operation) == 0) {
        return true;
    }
    if (!postgres_call_make(&call, packet)) {
        return false;
    }
    for (unsigned i = 0; i < call.steps; i++) {
        explain->wanted[call.step[i].statement] = true;
        explain->used_by[call.step[i].statement] |= operation;
    }
    postgres_call_release(&call);
    return true;
}

static void take(void *owner, const struct plan_finding *finding)
{
    struct explain *explain = owner;
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        if ((explain->used_by[finding->statement] >> i & 1) == 0) {
            continue;
        }
        if (!finding->holds && finding->plan[0] == '\0') {
            explain->plans[i].known = false; // it could not be planned
        } else {
            eyes_plan_add(&explain->plans[i], finding);
        }
    }
}

bool postgres_eyes_explain(PGconn *connection, uint32_t operations, struct eyes_plan *plans)
{
    struct explain explain = {.operations = operations, .plans = plans};
    struct plan_sample nobody = {.name = VIEW("nobody")};
    char why[256] = "";
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        plans[i] = (struct eyes_plan){.known = (operations >> i & 1) != 0, .holds = true};
    }
    return plan_sample_each(&nobody, note_statements, &explain) &&
           postgres_plans_expect(connection, explain.wanted, take, &explain, why, sizeof(why));
}
