// SPDX-License-Identifier: ISC
// The table of faults, see inject.h. Runs in stayctl drill.
#include "drill/inject.h"

#include "base/fault.h"
#include "drill/ask.h"
#include "drill/plan.h"

#include <stdarg.h>

enum { SQL_MS = 120000, REQUEST_MS = 200 };

[[gnu::format(printf, 2, 3)]] static bool fail(struct injecting *injecting, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(injecting->problem, sizeof(injecting->problem), format, list);
    va_end(list);
    return false;
}

static bool sql(struct injecting *injecting, const char *text)
{
    return psql_run(injecting->psql, text, SQL_MS) ||
           fail(injecting, "The database refused: %.180s", injecting->psql->answer);
}

static bool nothing(struct injecting *injecting)
{
    (void)injecting;
    return true;
}

// ---- an index is gone

// Milliseconds of a statement without an index; the index is there again afterwards.
static bool time_without(struct injecting *injecting, const char *drop, const char *statement)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "BEGIN; %s; EXPLAIN (ANALYZE, TIMING OFF) %s; EXPLAIN (ANALYZE, TIMING OFF) %s; ROLLBACK", drop,
             statement, statement);
    if (!sql(injecting, text)) {
        return false;
    }
    const char *at = injecting->psql->answer;
    for (const char *next = at; (next = strstr(next, "Execution Time: ")) != NULL;) {
        at = next += sizeof("Execution Time: ") - 1; // the last one: all is in memory by then
    }
    injecting->statement_s = strtod(at, NULL) / 1000;
    return true;
}

static bool login_index_prepare(struct injecting *injecting)
{
    return time_without(injecting, "DROP INDEX accounts_name",
                        "SELECT * FROM accounts WHERE name = 'user77'");
}

static bool login_index_begin(struct injecting *injecting)
{
    return sql(injecting, "DROP INDEX accounts_name");
}

static bool login_index_end(struct injecting *injecting)
{
    return sql(injecting,
               "SET maintenance_work_mem = '256MB'; CREATE UNIQUE INDEX accounts_name ON accounts (name)");
}

static bool change_index_prepare(struct injecting *injecting)
{
    return time_without(injecting, "DROP INDEX sessions_account",
                        "SELECT * FROM sessions WHERE account_id = '\\\\x00000000000000000000000000000000'");
}

static bool change_index_begin(struct injecting *injecting)
{
    return sql(injecting, "DROP INDEX sessions_account");
}

static bool change_index_end(struct injecting *injecting)
{
    return sql(injecting, "CREATE INDEX sessions_account ON sessions (account_id, selector)");
}

// ---- processes that die

static void kill_one(struct injecting *injecting, const char *name, int signal)
{
    pid_t pids[STAGE_PIDS_MAX];
    unsigned count = stage_pids(injecting->stage, name, pids);
    if (count > 0) {
        (void)kill(pids[injecting->seed % count], signal);
        injecting->count++;
    }
}

static bool kill_front_begin(struct injecting *injecting)
{
    kill_one(injecting, "stayd-front", SIGKILL);
    injecting->next_s = 1.5 / injecting->strength;
    return injecting->count > 0 || fail(injecting, "There is no stayd-front to kill.");
}

static void kill_front_turn(struct injecting *injecting, double at_s)
{
    if (at_s >= injecting->next_s) {
        injecting->seed++;
        kill_one(injecting, "stayd-front", SIGKILL);
        injecting->last_s = at_s;
        injecting->next_s = at_s + 1.5 / injecting->strength;
    }
}

static bool kill_core_begin(struct injecting *injecting)
{
    kill_one(injecting, "stayd-core", SIGKILL);
    return injecting->count > 0 || fail(injecting, "There is no stayd-core to kill.");
}

// A request that is the end of whoever reads it; from many addresses, so that nobody can shut it out by that.
static void send_deadly(struct injecting *injecting)
{
    char answer[4096];
    const struct ask ask = {.port = injecting->stage->port,
                            .path = "/auth/check",
                            .headers = "X-Stayd-Fault: crash\r\n",
                            .timeout_ms = REQUEST_MS};
    (void)ask_get(&ask, answer, sizeof(answer));
    injecting->count++;
}

static bool deadly_begin(struct injecting *injecting)
{
    send_deadly(injecting);
    injecting->next_s = 1.5 / injecting->strength;
    return true;
}

static void deadly_turn(struct injecting *injecting, double at_s)
{
    if (at_s >= injecting->next_s) {
        injecting->last_s = at_s;
        send_deadly(injecting);
        injecting->next_s = at_s + 1.5 / injecting->strength;
    }
}

// ---- all of them

static const struct injection injections[] = {
    {"login-index", true, false, login_index_prepare, login_index_begin, NULL, login_index_end},
    {"change-index", true, false, change_index_prepare, change_index_begin, NULL, change_index_end},
    {"kill-front", false, false, NULL, kill_front_begin, kill_front_turn, nothing},
    {"kill-core", false, false, NULL, kill_core_begin, NULL, nothing},
    {"deadly-request", false, true, NULL, deadly_begin, deadly_turn, nothing},
    {"arrivals", false, false, NULL, nothing, NULL, nothing},
};

const struct injection *injection_find(const char *name)
{
    for (unsigned i = 0; i < sizeof(injections) / sizeof(injections[0]); i++) {
        if (strcmp(injections[i].name, name) == 0) {
            return &injections[i];
        }
    }
    return NULL;
}

void injecting_init(struct injecting *injecting, struct stage *stage, double strength, uint64_t seed)
{
    *injecting = (struct injecting){.stage = stage,
                                    .strength = strength,
                                    .seed = seed,
                                    .psql = &stage->psql,
                                    .program = {.in = -1, .out = -1}};
}

void injecting_release(struct injecting *injecting)
{
    program_stop(&injecting->program, SIGKILL, 0);
}
