// SPDX-License-Identifier: ISC
// Details and advice by cause. Runs in stayd-watch.
#include "watch/advice.h"

#include "watch/bounds.h"

#include <stdarg.h>
#include <stdio.h>

// ---- details ---------------------------------------------------------------------------------------------

static void detail(struct verdict_cause *said, const char *key, const char *text)
{
    if (text[0] != '\0' && said->details < VERDICT_DETAILS_MAX) {
        struct verdict_detail *detail = &said->detail[said->details++];
        detail->key = key;
        snprintf(detail->text, sizeof(detail->text), "%s", text);
        scene_mend(detail->text);
    }
}

static uint64_t since(const struct scene *scene)
{
    return scene->detected->onset_ms > FACT_BEFORE_MS ? scene->detected->onset_ms - FACT_BEFORE_MS : 0;
}

static const struct fact *last(const struct scene *scene, uint8_t kind)
{
    return facts_last(scene->facts, kind, since(scene));
}

static void detail_statement(const struct scene *scene, struct verdict_cause *said)
{
    const struct fact *plan = last(scene, WIRE_EVENT_STATEMENT_PLAN);
    detail(said, "statement", scene->text_operation);
    if (scene->slow != NULL) {
        detail(said, "create", scene->slow->more);
    }
    if (plan != NULL) {
        detail(said, "plan_before", plan->text);
        detail(said, "plan_now", plan->more);
    } else if (scene->slow != NULL) {
        detail(said, "plan_now", scene->slow->text);
    }
}

static void detail_lock(const struct scene *scene, struct verdict_cause *said)
{
    char pid[24];
    if (scene->lock != NULL) {
        snprintf(pid, sizeof(pid), "%llu", (unsigned long long)scene->lock->b);
        detail(said, "relation", scene->lock->name);
        detail(said, "holder", scene->lock->text);
        detail(said, "pid", pid);
    }
}

static void detail_death(const struct scene *scene, struct verdict_cause *said)
{
    if (scene->death != NULL) {
        detail(said, "process", stats_role_name(scene->death->role));
        detail(said, "request_class", scene->death->name);
        detail(said, "reason", scene->death->text);
    }
}

void advice_details(const struct scene *scene, struct verdict_cause *said)
{
    const struct fact *fact;
    switch ((unsigned)said->cause) {
    case CAUSE_slow_statement:
        detail_statement(scene, said);
        break;
    case CAUSE_lock_held:
        detail_lock(scene, said);
        break;
    case CAUSE_process_crashing:
        detail_death(scene, said);
        break;
    case CAUSE_process_hung:
        detail(said, "process", scene->text_hung);
        break;
    case CAUSE_process_leaking:
        detail(said, "growth", scene->text_leak);
        break;
    case CAUSE_failover:
        detail(said, "host", scene->text_host);
        break;
    case CAUSE_cpu_taken:
        detail(said, "program", scene->text_program);
        break;
    case CAUSE_own_change:
        detail(said, "change", scene->text_change);
        break;
    case CAUSE_database_down:
        fact = last(scene, WIRE_EVENT_DATABASE_DOWN);
        detail(said, "reason", fact == NULL ? "" : fact->text);
        break;
    case CAUSE_session_mismatch:
        fact = last(scene, WIRE_EVENT_MISMATCH);
        detail(said, "mismatch", fact == NULL ? "" : fact->text);
        break;
    default:
        break;
    }
}

// ---- what to do ------------------------------------------------------------------------------------------

[[gnu::format(printf, 3, 4)]] static void to_do(struct verdict *verdict, const char *text, const char *format,
                                                ...)
{
    if (verdict->to_dos < VERDICT_TO_DO_MAX) {
        struct verdict_to_do *row = &verdict->to_do[verdict->to_dos++];
        va_list list;
        snprintf(row->text, sizeof(row->text), "%s", text);
        va_start(list, format);
        (void)vsnprintf(row->command, sizeof(row->command), format, list);
        scene_mend(row->command);
        va_end(list);
    }
}

static void to_do_statement(const struct scene *scene, struct verdict *verdict)
{
    if (scene->slow != NULL && scene->slow->more[0] != '\0') {
        to_do(verdict, "Create the index that is missing; with CONCURRENTLY it stops nobody.", "%s%s",
              scene->slow->more, strchr(scene->slow->more, ';') == NULL ? ";" : "");
        to_do(verdict, "Then let the planner look at the tables anew.", "ANALYZE;");
        return;
    }
    to_do(verdict,
          "Let the planner look at the tables anew: old statistics are the usual reason of a bad plan.",
          "ANALYZE;");
    to_do(verdict, "Compare the indexes of the database with those that stayd expects.", "%s",
          "stayctl check-db");
}

static void to_do_lock(const struct scene *scene, struct verdict *verdict)
{
    if (scene->lock != NULL && scene->lock->b != 0) {
        to_do(verdict, "End the session that holds the lock; its transaction is undone.",
              "SELECT pg_terminate_backend(%llu);", (unsigned long long)scene->lock->b);
    }
    to_do(verdict, "See who blocks whom.", "%s",
          "SELECT pid, pg_blocking_pids(pid), state, left(query, 80) FROM pg_stat_activity WHERE "
          "cardinality(pg_blocking_pids(pid)) > 0;");
}

// Causes whose advice needs no figures.
static const struct advice {
    enum cause cause;
    const char *text, *command;
} advices[] = {
    {CAUSE_session_mismatch,
     "Nobody was let in as another: such reads fail closed. Keep the incident's file and report it; "
     "until then run one front, which makes the race rarer.",
     "fronts = 1"},
    {CAUSE_process_leaking, "Restart it before it takes the machine's memory; it is replaced within moments.",
     "systemctl restart stayd"},
    {CAUSE_process_leaking, "Keep the incident's file: what grew, and with which requests.", ""},
    {CAUSE_process_hung,
     "Nothing to do: it is killed and replaced after 3 s. If it hangs again, keep its crash record.",
     "stayctl incident list"},
    {CAUSE_process_crashing, "Look at the crash record: where it died, and at which kind of request.",
     "stayctl incident list"},
    {CAUSE_process_crashing, "If one kind of request does it, stop that at the proxy until it is repaired.",
     ""},
    {CAUSE_clock_jump, "See who sets the clock, and let it be slewed instead.",
     "timedatectl timesync-status"},
    {CAUSE_disk_full, "Make room on the disk of data_dir; changes are taken again at once.", "df -h"},
    {CAUSE_failover,
     "Nothing to do in stayd: it follows to the new server. Look at why the old one was left.", ""},
    {CAUSE_database_down,
     "Start the database, or see why it does not answer. Sessions that are in the table stay valid "
     "meanwhile.",
     "pg_isready"},
    {CAUSE_database_network, "Look at the way between this machine and the database: loss and delay.",
     "ss -tin state established '( dport = :5432 )'"},
    {CAUSE_disk_slow, "See who writes to this disk, and move one of them.", "iostat -x 1"},
    {CAUSE_cpu_taken, "Find the program that uses the processors; stop it, or give stayd a share of its own.",
     "top -o %CPU"},
    {CAUSE_cpu_taken, "Give stayd precedence over others on this machine.",
     "systemctl set-property stayd CPUWeight=1000"},
    {CAUSE_database_slow, "See what else the database does.",
     "SELECT pid, usename, state, wait_event_type, left(query, 80) FROM pg_stat_activity WHERE state <> "
     "'idle';"},
    {CAUSE_flood,
     "Shut the sources out before they reach stayd: their networks stand in the incident's file.", ""},
    {CAUSE_flood, "Lower what one address may have open.", "connections_per_source_max = 64"},
    {CAUSE_credential_stuffing,
     "Guesses are slowed down by account and by source already. A challenge at the proxy for /login helps "
     "further.",
     ""},
    {CAUSE_login_spike,
     "Real users: those that do not fit are told when to come again, and do. If it lasts, add processors or "
     "a node.",
     "stayctl top"},
    {CAUSE_cache_small, "Give the session table more room: memory follows use.", "sessions_max = 10000000"},
    {CAUSE_cold_start, "Nothing to do: the table fills as sessions are used.", ""},
    {CAUSE_own_change, "Take the change back, and look whether it is over.", "systemctl reload stayd"},
    {CAUSE_pool_small, "Let stayd open more connections, as the database has room for them.",
     "database_connections_max = 16"},
    {CAUSE_hashing_saturated,
     "Add processors or a node, or make a hash cheaper if it is dearer than it need be.",
     "hash_workers = auto"},
    {CAUSE_unknown, "Look at what is moving.", "stayctl top"},
};

void advice_to_do(const struct scene *scene, const struct verdict_cause *said, struct verdict *verdict)
{
    if (said->cause == CAUSE_slow_statement) {
        to_do_statement(scene, verdict);
    } else if (said->cause == CAUSE_lock_held) {
        to_do_lock(scene, verdict);
    } else if (said->cause == CAUSE_cpu_taken && scene->program != NULL) {
        to_do(verdict, "See what the program that uses most of them is.", "ps -fp %llu",
              (unsigned long long)scene->program->b);
    }
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (advices[i].cause == said->cause) {
            to_do(verdict, advices[i].text, "%s", advices[i].command);
        }
    }
}

const char *advice_sustaining(enum cause cause)
{
    switch ((unsigned)cause) {
    case CAUSE_slow_statement:
        return "it will stay so until the plan is good again; its share of the connections is bounded "
               "meanwhile";
    case CAUSE_lock_held:
        return "the transaction that holds the lock is still open";
    case CAUSE_flood:
    case CAUSE_credential_stuffing:
        return "the sources go on";
    case CAUSE_login_spike:
    case CAUSE_hashing_saturated:
    case CAUSE_pool_small:
        return "more come than can be served, and those who were refused come again";
    case CAUSE_process_leaking:
        return "it goes on growing";
    case CAUSE_process_crashing:
        return "what makes it crash goes on coming";
    default:
        return "";
    }
}
