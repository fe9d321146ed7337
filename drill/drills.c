// SPDX-License-Identifier: ISC
// All drills: the five outages, and what must be told apart from them. Runs in stayctl drill. The figures of
// old are the postmortems'; the bars are those that stayd sets itself (docs/drills.md).
#include "drill/drill.h"

#define RACE_BEFORE                                                                                          \
    {                                                                                                        \
        30, "30 min", "hours", "18 h", "scaling up, tuning queries, server logs, the network"                \
    }
#define QUERY_BEFORE                                                                                         \
    {                                                                                                        \
        30, "15 min", "3 h", "3 h 30 min", "service code, server capacity, a DDoS, the network"              \
    }
#define CRASH_BEFORE                                                                                         \
    {                                                                                                        \
        30, "at once", "3 h", "4 h", "the database, the load balancer"                                       \
    }

const struct drill_row drill_rows[] = {
    {.name = "slow-query",
     .title = "the index of the log-in's statement is dropped",
     .injection = "login-index",
     .expected = {"slow_statement"},
     .slow = STORM_login,
     .login_share = 0.6,
     .login_factor = 1,
     .detected_ms = 1000,
     .diagnosed_ms = 5000,
     .recovered_ms = 2000,
     .used_least_percent = 90,
     .bars = DRILL_CHECKS_UNHARMED | DRILL_OTHERS_UNHARMED | DRILL_SLOW_IS_USED | DRILL_REFUSED_SOON,
     .before = QUERY_BEFORE},
    {.name = "crash",
     .title = "a process is killed, again and again",
     .injection = "kill-front",
     .expected = {"process_crashing"},
     .slow = STORM_CLASSES,
     .login_factor = 1,
     .detected_ms = 50,
     .diagnosed_ms = 2000,
     .recovered_ms = 100,
     .bars = DRILL_IN_FLIGHT_ONLY,
     .sqlite = true,
     .before = CRASH_BEFORE},
};
const unsigned drill_rows_count = sizeof(drill_rows) / sizeof(drill_rows[0]);

const struct drill_row *drill_find(struct view name)
{
    for (unsigned i = 0; i < drill_rows_count; i++) {
        if (view_equal(name, view_of_cstr(drill_rows[i].name))) {
            return &drill_rows[i];
        }
    }
    return NULL;
}
