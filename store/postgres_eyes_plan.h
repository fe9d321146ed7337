// SPDX-License-Identifier: ISC
// The plans of operations on a live server: what each statement of them would do now. Used by a helper thread
// of stayd-store, on a connection of its own. Owns nothing.
#ifndef STORE_POSTGRES_EYES_PLAN_H
#define STORE_POSTGRES_EYES_PLAN_H

#include "store/eyes.h"

#include <libpq-fe.h>

// Fills in plans[EYES_OPERATIONS] of those in `operations`, a bit for each. Waits; runs nothing, changes
// nothing, and waits for a lock half a second at most. false: they can't be known now.
[[nodiscard]] bool postgres_eyes_explain(PGconn *connection, uint32_t operations, struct eyes_plan *plans);

#endif
