// SPDX-License-Identifier: ISC
// Faults that begin with a start of stayd: a session table that is too small, and one that is empty while all
// come. Runs in stayctl drill.
//
// Nobody can notice anything before stayd is there again, and the first ten seconds of a start are forgiven
// (docs/diagnosis.md): from then on the time until it was noticed counts.
#include "drill/inject.h"

#include "base/clock.h"

#include <math.h>

enum { SMALL_SESSIONS = 1000, SMALL_ACCOUNTS_LEAST = 5000, COLD_ACCOUNTS_LEAST = 20000, GRACE_S = 10 };
#define FAR_MS     60.0 // to the database, and the same back
#define FAR_MS_MIN 50.0
#define FAR_MS_MAX 80.0

static bool has_accounts(struct injecting *injecting, uint32_t least)
{
    return injecting->stage->options->accounts >= least ||
           inject_fail(injecting, "This drill needs so many sessions: --accounts %u, or more.",
                       (unsigned)least);
}

static bool start_anew(struct injecting *injecting, const char *config, bool filled)
{
    return stage_restart_with(injecting->stage, config, filled) ||
           inject_fail(injecting, "%.250s", injecting->stage->problem);
}

static uint64_t start_onset(const struct injecting *injecting)
{
    return injecting->onset_ns;
}

// ---- our own change, which takes a restart: room for few of the sessions that there are

static bool small_prepare(struct injecting *injecting)
{
    return has_accounts(injecting, SMALL_ACCOUNTS_LEAST);
}

static bool small_begin(struct injecting *injecting)
{
    char config[64];
    snprintf(config, sizeof(config), "sessions_max = %d\n", SMALL_SESSIONS);
    bool done = start_anew(injecting, config, false);
    injecting->onset_ns = clock_mono_ns();
    return done;
}

static bool small_end(struct injecting *injecting)
{
    return start_anew(injecting, injecting->stage->options->config, true);
}

// ---- stayd moves to where the database is far away: to those who are in its table that is nothing, once
// they are

static bool cold_prepare(struct injecting *injecting)
{
    return has_accounts(injecting, COLD_ACCOUNTS_LEAST) &&
           (injecting->stage->toxics != NULL || inject_fail(injecting, "There is no proxy."));
}

static bool cold_begin(struct injecting *injecting)
{
    double far_ms = fmin(fmax(FAR_MS * injecting->strength, FAR_MS_MIN), FAR_MS_MAX);
    atomic_store(&injecting->stage->toxics->latency_ms, (uint32_t)far_ms);
    bool done = start_anew(injecting, "database_connections_min = 6\ndatabase_connections_max = 6\n", false);
    injecting->onset_ns = clock_mono_ns() + GRACE_S * 1000000000ull;
    return done;
}

// The way stays as long as it is: what has ended is that the table is cold.
static bool cold_end(struct injecting *injecting)
{
    return stage_fill(injecting->stage) || inject_fail(injecting, "%.250s", injecting->stage->problem);
}

const struct injection inject_start[] = {
    {"small-cache", INJECT_DATABASE, small_prepare, small_begin, NULL, small_end, start_onset},
    {"cold-start", INJECT_DATABASE | INJECT_PROXY, cold_prepare, cold_begin, NULL, cold_end, start_onset},
    {0},
};
