// SPDX-License-Identifier: ISC
// Faults of the database and of the way to it. Runs in stayctl drill.
#include "drill/inject.h"

#include <math.h>
#include <unistd.h>

enum { SQL_MS = 120000, ASKERS_MAX = 32, REFERENCE_MS = 2000 };
// As a container's limit of processor time: it is used up early in each period.
#define FROZEN_MS  90.0
#define THAWED_MS  10.0
#define LATENCY_MS 60.0
#define LOST       250.0 // thousandths

static bool sql(struct injecting *injecting, const char *text)
{
    return psql_run(injecting->psql, text, SQL_MS) ||
           inject_fail(injecting, "The database refused: %.180s", injecting->psql->answer);
}

// ---- an index is gone

static bool rates_open(struct psql *asker, unsigned askers, const struct postgres *postgres)
{
    for (unsigned i = 0; i < askers; i++) {
        if (!psql_open(&asker[i], postgres, "stayd")) {
            return false;
        }
    }
    return true;
}

// How many of a statement ("* FROM …") a second the database does without an index, on as many connections as
// there are processors. Their plan is the one without; the index stays.
static bool rate_without(struct injecting *injecting, const char *statement)
{
    static struct psql asker[ASKERS_MAX];
    char text[1024];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned askers = processors < 1 ? 1 : processors > ASKERS_MAX ? ASKERS_MAX : (unsigned)processors;
    bool fine = rates_open(asker, askers, &injecting->stage->postgres);
    snprintf(
        text, sizeof(text),
        "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;"
        " DO $$DECLARE done int := 0; begun timestamptz; BEGIN PERFORM %s; begun := clock_timestamp();"
        " WHILE clock_timestamp() < begun + interval '%d ms' LOOP PERFORM %s; done := done + 1; END LOOP;"
        " PERFORM set_config('drill.rate',"
        " (done / extract(epoch FROM clock_timestamp() - begun))::text, false); END$$;"
        " SELECT current_setting('drill.rate')",
        statement, REFERENCE_MS, statement);
    for (unsigned i = 0; i < askers && fine; i++) {
        fine = psql_send(&asker[i], text);
    }
    for (unsigned i = 0; i < askers && fine; i++) {
        fine = psql_wait(&asker[i], SQL_MS);
        injecting->rate += fine ? strtod(asker[i].answer, NULL) : 0;
    }
    for (unsigned i = 0; i < askers; i++) {
        psql_close(&asker[i]);
    }
    return (fine && injecting->rate > 0) ||
           inject_fail(injecting, "How fast the database is without the index could not be measured.");
}

static bool login_index_prepare(struct injecting *injecting)
{
    return rate_without(injecting, "* FROM accounts WHERE name = 'user77'");
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
    return rate_without(injecting, "* FROM sessions WHERE account_id = decode(md5('nobody'), 'hex')");
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
    const struct injecting *injecting = context;
    pid_t server = injecting->stage->postgres.program.pid;
    for (;;) {
        signal_all(server, SIGSTOP);
        program_pause((uint64_t)(FROZEN_MS * fmin(injecting->strength, 1.5)));
        signal_all(server, SIGCONT);
        program_pause((uint64_t)THAWED_MS);
    }
}

static bool slow_begin(struct injecting *injecting)
{
    return program_fork(&injecting->program[0], freeze_and_thaw, injecting) ||
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
    {"login-index", INJECT_DATABASE, login_index_prepare, login_index_begin, NULL, login_index_end, NULL,
     true},
    {"change-index", INJECT_DATABASE, change_index_prepare, change_index_begin, NULL, change_index_end},
    {"lock", INJECT_DATABASE, NULL, lock_begin, NULL, lock_end},
    {"database-gone", INJECT_DATABASE, NULL, gone_begin, NULL, gone_end},
    {"failover", INJECT_DATABASE | INJECT_STANDBY, NULL, failover_begin, failover_turn, inject_nothing},
    {"database-slow", INJECT_DATABASE, NULL, slow_begin, NULL, slow_end},
    {"delay", INJECT_DATABASE | INJECT_PROXY, NULL, delay_begin, NULL, network_end},
    {"packet-loss", INJECT_DATABASE | INJECT_PROXY, NULL, loss_begin, NULL, network_end},
    {0},
};
