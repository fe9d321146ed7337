// SPDX-License-Identifier: ISC
// A PostgreSQL server for one test program, and the blocking driver. Runs in tests.
#include "store/testing_postgres.h"

#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

// ---- the server ------------------------------------------------------------------------------------------

// The folder of the newest server's programs; Debian keeps them off the path.
static bool find_programs(char folder[static 128])
{
    glob_t found = {0};
    bool any = false;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0) {
        any = snprintf(folder, 128, "%s", found.gl_pathv[found.gl_pathc - 1]) < 128;
        *strrchr(folder, '/') = '\0';
    } else if (access("/usr/bin/initdb", X_OK) == 0) {
        any = snprintf(folder, 128, "/usr/bin") < 128;
    }
    globfree(&found);
    if (!any) {
        (void)fprintf(stderr, "PostgreSQL's initdb and postgres were not found: run tools/deps check\n");
    }
    return any;
}

// Who the server runs as when we are root.
static bool find_user(uid_t *user, gid_t *group)
{
    if (geteuid() != 0) {
        *user = geteuid();
        *group = getegid();
        return true;
    }
    const struct passwd *entry = getpwnam("postgres");
    entry = entry != NULL ? entry : getpwnam("nobody");
    if (entry == NULL) {
        (void)fprintf(stderr, "no user \"postgres\" or \"nobody\" to run PostgreSQL as\n");
        return false;
    }
    *user = entry->pw_uid;
    *group = entry->pw_gid;
    return true;
}

// A child that is that user, and ends with us. Its output goes to the folder's log.
static pid_t run(const char *folder, const char *const arguments[], uid_t user, gid_t group)
{
    char log[96];
    (void)snprintf(log, sizeof(log), "%s/log", folder);
    pid_t child = fork();
    if (child != 0) {
        return child;
    }
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (out < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 || chdir(folder) != 0 ||
        (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(group) != 0 || setuid(user) != 0)) ||
        prctl(PR_SET_PDEATHSIG, SIGQUIT) != 0) {
        _exit(126);
    }
    (void)execv(arguments[0], (char *const *)arguments);
    _exit(127);
}

static void show_log(const char *folder)
{
    char path[96], line[512];
    (void)snprintf(path, sizeof(path), "%s/log", folder);
    FILE *log = fopen(path, "r");
    while (log != NULL && fgets(line, sizeof(line), log) != NULL) {
        (void)fputs(line, stderr);
    }
    if (log != NULL) {
        (void)fclose(log);
    }
}

static bool initialise(const char *folder, const char *programs, uid_t user, gid_t group)
{
    char initdb[160], data[96];
    (void)snprintf(initdb, sizeof(initdb), "%s/initdb", programs);
    (void)snprintf(data, sizeof(data), "%s/data", folder);
    const char *const arguments[] = {initdb,  "-D", data,   "-A",         "trust",     "-U",
                                     "stayd", "-E", "UTF8", "--locale=C", "--no-sync", NULL};
    int status = -1;
    pid_t child = run(folder, arguments, user, group);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static pid_t serve(const char *folder, const char *programs, uid_t user, gid_t group)
{
    char postgres[160], data[96], sockets[128];
    (void)snprintf(postgres, sizeof(postgres), "%s/postgres", programs);
    (void)snprintf(data, sizeof(data), "%s/data", folder);
    (void)snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s", folder);
    const char *const arguments[] = {postgres,
                                     "-D",
                                     data,
                                     "-c",
                                     sockets,
                                     "-c",
                                     "fsync=off",
                                     "-c",
                                     "listen_addresses=",
                                     "-c",
                                     "shared_buffers=32MB",
                                     "-c",
                                     "max_connections=40",
                                     "-c",
                                     "deadlock_timeout=100ms",
                                     "-c",
                                     "autovacuum=off",
                                     NULL};
    return run(folder, arguments, user, group);
}

static bool wait_until_ready(const struct testing_postgres *postgres)
{
    char target[128];
    (void)snprintf(target, sizeof(target), "host=%s user=stayd dbname=postgres", postgres->folder);
    for (int i = 0; i < 1500; i++) {
        if (PQping(target) == PQPING_OK) {
            return true;
        }
        if (waitpid(postgres->server, NULL, WNOHANG) != 0) {
            return false;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return false;
}

bool testing_postgres_start(struct testing_postgres *postgres)
{
    char programs[128];
    uid_t user;
    gid_t group;
    *postgres = (struct testing_postgres){0};
    (void)snprintf(postgres->folder, sizeof(postgres->folder), "/tmp/stayd-postgres-XXXXXX");
    if (!find_programs(programs) || !find_user(&user, &group) || mkdtemp(postgres->folder) == NULL) {
        return false;
    }
    bool started = chown(postgres->folder, user, group) == 0 && chmod(postgres->folder, 0755) == 0 &&
                   initialise(postgres->folder, programs, user, group) &&
                   (postgres->server = serve(postgres->folder, programs, user, group)) > 0 &&
                   wait_until_ready(postgres);
    if (!started) {
        (void)fprintf(stderr, "PostgreSQL did not start in %s:\n", postgres->folder);
        show_log(postgres->folder);
        testing_postgres_stop(postgres);
    }
    return started;
}

void testing_postgres_halt(struct testing_postgres *postgres)
{
    if (postgres->server > 0) {
        (void)kill(postgres->server, SIGQUIT);
        (void)waitpid(postgres->server, NULL, 0);
        postgres->server = 0;
    }
}

bool testing_postgres_again(struct testing_postgres *postgres)
{
    char programs[128];
    uid_t user;
    gid_t group;
    return find_programs(programs) && find_user(&user, &group) &&
           (postgres->server = serve(postgres->folder, programs, user, group)) > 0 &&
           wait_until_ready(postgres);
}

void testing_remove_tree(const char *folder)
{
    pid_t child = fork();
    if (child == 0) {
        (void)execl("/bin/rm", "rm", "-rf", folder, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(child, NULL, 0);
}

void testing_postgres_stop(struct testing_postgres *postgres)
{
    testing_postgres_halt(postgres);
    if (postgres->folder[0] != '\0') {
        testing_remove_tree(postgres->folder);
        postgres->folder[0] = '\0';
    }
}

PGconn *testing_postgres_connect(const struct testing_postgres *postgres, const char *database)
{
    char target[160];
    (void)snprintf(target, sizeof(target),
                   "host=%s user=stayd dbname=%s client_encoding=UTF8 options='-c %s'", postgres->folder,
                   database, "client_min_messages=warning");
    PGconn *connection = PQconnectdb(target);
    if (PQstatus(connection) != CONNECTION_OK) {
        (void)fputs(PQerrorMessage(connection), stderr);
        PQfinish(connection);
        return NULL;
    }
    return connection;
}

// ---- the driver ------------------------------------------------------------------------------------------

bool testing_postgres_prepare(PGconn *connection)
{
    for (enum statement i = 0; i < STATEMENTS; i++) {
        const char *sql = statement_sql(DIALECT_POSTGRES, i);
        if (sql == NULL) {
            continue;
        }
        PGresult *result = PQprepare(connection, statement_name(i), sql, 0, NULL);
        bool fine = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        if (!fine) {
            (void)fprintf(stderr, "%s: %s", statement_name(i), PQerrorMessage(connection));
            return false;
        }
    }
    return true;
}

void testing_postgres_send(PGconn *connection, const struct postgres_call *call)
{
    (void)PQenterPipelineMode(connection);
    for (unsigned i = 0; i < call->steps; i++) {
        const struct postgres_step *step = &call->step[i];
        (void)PQsendQueryPrepared(connection, statement_name(step->statement), step->count, step->values,
                                  step->sizes, step->formats, 1);
    }
    (void)PQpipelineSync(connection);
    (void)PQflush(connection);
}

static bool is_fine(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

// A unique violation, a deadlock and a failed serialization are races: nothing was changed.
static bool is_race(const char *state)
{
    return strcmp(state, "23505") == 0 || strcmp(state, "40P01") == 0 || strcmp(state, "40001") == 0;
}

static void note_failure(const PGresult *result, char state[static 6])
{
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state[0] == '\0' && code != NULL) {
        (void)snprintf(state, 6, "%s", code);
        if (!is_race(code)) {
            (void)fputs(PQresultErrorMessage(result), stderr);
        }
    }
}

enum postgres_taken testing_postgres_receive(PGconn *connection, const struct postgres_call *call,
                                             struct store_answer *answer, char state[static 6])
{
    PGresult *results[POSTGRES_STEPS_MAX] = {NULL};
    bool fine = true;
    state[0] = '\0';
    for (unsigned i = 0; i < call->steps; i++) {
        results[i] = PQgetResult(connection);
        if (!is_fine(results[i])) {
            note_failure(results[i], state);
            fine = false;
        }
        PQclear(PQgetResult(connection)); // the NULL after each step
    }
    PQclear(PQgetResult(connection)); // the Sync's
    (void)PQexitPipelineMode(connection);
    enum postgres_taken taken = POSTGRES_TAKEN;
    if (fine) {
        taken = postgres_call_take(call, (const PGresult *const *)results, answer);
    } else if (is_race(state)) {
        taken = POSTGRES_AGAIN;
    } else {
        store_answer_set(answer, WIRE_STORE_UNAVAILABLE, WIRE_CONFLICT_NONE);
    }
    for (unsigned i = 0; i < call->steps; i++) {
        PQclear(results[i]);
    }
    return taken;
}

bool testing_postgres_apply(PGconn *connection, struct view packet, struct store_answer *answer,
                            char state[static 6])
{
    struct postgres_call call;
    enum postgres_taken taken = POSTGRES_AGAIN;
    if (!postgres_call_make(&call, packet)) {
        return false;
    }
    for (int tries = 0; tries < 10 && taken == POSTGRES_AGAIN; tries++) {
        testing_postgres_send(connection, &call);
        taken = testing_postgres_receive(connection, &call, answer, state);
    }
    if (taken != POSTGRES_TAKEN) {
        (void)fprintf(stderr, "%s: %s\n", call.operation->name,
                      taken == POSTGRES_AGAIN ? "overtaken too often" : "broken rows");
        store_answer_set(answer, WIRE_STORE_UNAVAILABLE, WIRE_CONFLICT_NONE);
    }
    postgres_call_release(&call);
    return true;
}
