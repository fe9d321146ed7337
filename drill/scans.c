// SPDX-License-Identifier: ISC
// See scans.h. Runs in stayctl drill.
#include "drill/scans.h"

#include <stdlib.h>

enum { SQL_MS = 10000, LEAVE_MS = 5000, LOOK_MS = 20 };

void scans_begin(struct scans *scans)
{
    scans->cpu_s = scans->stage == NULL ? 0 : program_family_cpu_s(&scans->stage->postgres.program);
}

void scans_end(struct scans *scans)
{
    double now_s = scans->stage == NULL ? 0 : program_family_cpu_s(&scans->stage->postgres.program);
    scans->used_s = now_s - scans->cpu_s;
}

static bool ask(const struct scans *scans, const char *sql, double *number)
{
    struct psql *psql = &scans->stage->psql;
    bool done = psql_run(psql, sql, SQL_MS);
    *number = done ? strtod(psql->answer, NULL) : 0;
    return done;
}

static bool wait_until_alone(const struct scans *scans)
{
    double others = 1;
    bool done = true;
    for (unsigned turn = 0; done && others > 0 && turn < LEAVE_MS / LOOK_MS; turn++) {
        done = ask(scans,
                   "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> "
                   "pg_backend_pid()",
                   &others);
        program_pause(others > 0 ? LOOK_MS : 0);
    }
    return done && others <= 0;
}

double scans_settle(struct scans *scans, unsigned apart)
{
    double rows, before = scans->count;
    if (scans->stage == NULL || !wait_until_alone(scans) ||
        !ask(scans, "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'accounts'", &rows)) {
        return 0;
    }
    scans->count = rows / scans->stage->options->accounts;
    double others = scans->count - before - apart;
    return others > 0 ? 1000 * scans->used_s / others : 0;
}
