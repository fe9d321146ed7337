// SPDX-License-Identifier: ISC
// Faults of the database and of the way to it. Runs in stayctl drill.
#include "drill/inject.h"

enum { SQL_MS = 120000, FROZEN_MS = 180, THAWED_MS = 20 };
#define LATENCY_MS 60.0
#define LOST       250.0 // thousandths

static bool sql(struct injecting *injecting, const char *text)
{
    return psql_run(injecting->psql, text, SQL_MS) ||
           inject_fail(injecting, "The database refused: %.180s", injecting->psql->answer);
}

// ---- an index is gone

// Milliseconds of a statement without an index, which is there again afterwards. The last of three: by then
// all is in memory.
static bool time_without(struct injecting *injecting, const char *drop, const char *statement)
{
    char text[1024];
    const char *explain = "EXPLAIN (ANALYZE, TIMING OFF)";
    snprintf(text, sizeof(text), "BEGIN; %s; %s %s; %s %s; %s %s; ROLLBACK", drop, explain, statement,
             explain, statement, explain, statement);
    if (!sql(injecting, text)) {
        return false;
    }
    const char *at = NULL;
    for (const char *next = injecting->psql->answer; (next = strstr(next, "Execution Time: ")) != NULL;) {
        at = next += sizeof("Execution Time: ") - 1;
    }
    injecting->statement_s = at == NULL ? 0 : strtod(at, NULL) / 1000;
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
    return sql(injecting, "SET maintenance_work_mem = '256MB';"
                          "CREATE UNIQUE INDEX CONCURRENTLY accounts_name ON accounts (name)");
}

static bool change_index_prepare(struct injecting *injecting)
{
    return time_without(injecting, "DROP INDEX sessions_account",
                        "SELECT * FROM sessions WHERE account_id = decode(md5('nobody'), 'hex')");
}

static bool change_index_begin(struct injecting *injecting)
{
    return sql(injecting, "DROP INDEX sessions_account");
}

static bool change_index_end(struct injecting *injecting)
{
    return sql(injecting, "SET maintenance_work_mem = '256MB';"
                          "CREATE INDEX CONCURRENTLY sessions_account ON sessions (account_id, selector)");
}

// ---- a lock is held

static bool lock_begin(struct injecting *injecting)
{
    return sql(injecting, injecting->seed % 2 == 0
                              ? "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"
                              : "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE; LOCK TABLE sessions");
}

static bool lock_end(struct injecting *injecting)
{
    return sql(injecting, "ROLLBACK");
}

// ---- it is gone, another takes over, it is slow as a whole

static bool gone_begin(struct injecting *injecting)
{
    postgres_stop(&injecting->stage->postgres, SIGQUIT);
    return true;
}

static bool gone_end(struct injecting *injecting)
{
    struct stage *stage = injecting->stage;
    return postgres_start(&stage->postgres, NULL) ||
           inject_fail(injecting, "%.200s", stage->postgres.problem);
}

// The first dies, the second is promoted a moment later, as whoever watches over a pair does it.
static bool failover_begin(struct injecting *injecting)
{
    postgres_stop(&injecting->stage->postgres, SIGQUIT);
    injecting->next_s = 1;
    return true;
}

static void failover_turn(struct injecting *injecting, double at_s)
{
    if (injecting->count == 0 && at_s >= injecting->next_s) {
        static struct psql standby;
        injecting->count = 1;
        injecting->last_s = at_s;
        if (psql_open(&standby, &injecting->stage->standby, "postgres")) {
            (void)psql_run(&standby, "SELECT pg_promote(false)", SQL_MS);
        }
        psql_close(&standby);
    }
}

// The server and its processes, each of which is a group of its own.
static void signal_all(pid_t server, int signal)
{
    char path[64], list[4096] = "";
    (void)kill(server, signal);
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)server, (int)server);
    if (!program_read_file(path, list, sizeof(list))) {
        return;
    }
    char *at = list, *next = NULL;
    for (long pid; (pid = strtol(at, &next, 10)) > 1 && next != at; at = next) {
        (void)kill((pid_t)pid, signal);
    }
}

_Noreturn static void freeze_and_thaw(void *context)
{
    pid_t server = *(const pid_t *)context;
    for (;;) {
        signal_all(server, SIGSTOP);
        program_pause(FROZEN_MS);
        signal_all(server, SIGCONT);
        program_pause(THAWED_MS);
    }
}

static bool slow_begin(struct injecting *injecting)
{
    pid_t server = injecting->stage->postgres.program.pid;
    return program_fork(&injecting->program[0], freeze_and_thaw, &server) ||
           inject_fail(injecting, "A helper could not be started.");
}

static bool slow_end(struct injecting *injecting)
{
    program_stop(&injecting->program[0], SIGKILL, 0);
    signal_all(injecting->stage->postgres.program.pid, SIGCONT);
    return true;
}

// ---- the network between

static bool network(struct injecting *injecting)
{
    return injecting->stage->toxics != NULL || inject_fail(injecting, "There is no proxy.");
}

static bool delay_begin(struct injecting *injecting)
{
    if (!network(injecting)) {
        return false;
    }
    atomic_store(&injecting->stage->toxics->jitter_ms, (uint32_t)(LATENCY_MS * injecting->strength / 4));
    atomic_store(&injecting->stage->toxics->latency_ms, (uint32_t)(LATENCY_MS * injecting->strength));
    return true;
}

static bool loss_begin(struct injecting *injecting)
{
    double lost = LOST * injecting->strength;
    if (!network(injecting)) {
        return false;
    }
    atomic_store(&injecting->stage->toxics->lost_thousandths, (uint32_t)(lost < 800 ? lost : 800));
    return true;
}

static bool network_end(struct injecting *injecting)
{
    toxics_clear(injecting->stage->toxics);
    return true;
}

const struct injection inject_database[] = {
    {"login-index", INJECT_DATABASE, login_index_prepare, login_index_begin, NULL, login_index_end},
    {"change-index", INJECT_DATABASE, change_index_prepare, change_index_begin, NULL, change_index_end},
    {"lock", INJECT_DATABASE, NULL, lock_begin, NULL, lock_end},
    {"database-gone", INJECT_DATABASE, NULL, gone_begin, NULL, gone_end},
    {"failover", INJECT_DATABASE | INJECT_STANDBY, NULL, failover_begin, failover_turn, inject_nothing},
    {"database-slow", INJECT_DATABASE, NULL, slow_begin, NULL, slow_end},
    {"delay", INJECT_DATABASE | INJECT_PROXY, NULL, delay_begin, NULL, network_end},
    {"packet-loss", INJECT_DATABASE | INJECT_PROXY, NULL, loss_begin, NULL, network_end},
    {0},
};
