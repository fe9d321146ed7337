// SPDX-License-Identifier: ISC
// The database of a drill: made by stayd itself (its tables), filled by COPY, kept stopped. Runs in stayctl
// drill. A template is whole or not there: it is built beside and renamed.
#include "drill/stage_template.h"

#include "base/clock.h"
#include "drill/proxy.h"
#include "drill/population.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SQL_MS = 600000, TEMPLATE_FORMAT = 3, PROXY_TURN_MS = 5 };

// Makes a folder and those above it; others may pass through, since PostgreSQL has a user of its own.
bool stage_make_folders(const char *path)
{
    char part[PROGRAM_PATH_MAX];
    size_t size = strlen(path);
    for (size_t i = 1; i <= size && size < sizeof(part); i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0755) != 0 && errno != EEXIST) {
                return false;
            }
        }
    }
    return size < sizeof(part);
}

// root's home is closed to others, PostgreSQL's user among them.
void stage_cache_folder(const struct stage_options *options, char *out, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char here[PROGRAM_PATH_MAX];
    if (options->cache != NULL) { // PostgreSQL's programs are started in another folder
        bool relative = options->cache[0] != '/' && getcwd(here, sizeof(here)) != NULL;
        snprintf(out, size, "%s%s%s", relative ? here : "", relative ? "/" : "", options->cache);
    } else if (cache != NULL && cache[0] == '/') {
        snprintf(out, size, "%s/stayd/drill", cache);
    } else if (getuid() == 0 || home == NULL || home[0] != '/') {
        snprintf(out, size, "/var/cache/stayd/drill");
    } else {
        snprintf(out, size, "%s/.cache/stayd/drill", home);
    }
}

static bool copy_rows(struct stage *stage, const char *table, const char *columns,
                      const struct population *population,
                      void (*write_rows)(const struct population *population, FILE *out))
{
    char file[PROGRAM_PATH_MAX - 8], path[PROGRAM_PATH_MAX], url[256], sql[512];
    struct program psql;
    snprintf(sql, sizeof(sql), "COPY %s (%s) FROM STDIN", table, columns);
    postgres_url(&stage->postgres, 0, "postgres", "stayd", url, sizeof(url));
    if (!postgres_find(file, sizeof(file))) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/psql", file);
    const char *words[] = {path, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql, NULL};
    if (!program_start(&psql,
                       &(struct program_options){.words = words, .pipe_in = true, .unprivileged = true})) {
        return false;
    }
    FILE *out = fdopen(psql.in, "w");
    bool written = out != NULL;
    if (written) {
        setvbuf(out, NULL, _IOFBF, 1 << 18);
        write_rows(population, out);
        written = fclose(out) == 0;
        psql.in = -1;
    }
    written = program_wait(&psql, SQL_MS) && psql.status == 0 && written;
    program_stop(&psql, SIGKILL, 0);
    return written;
}

static bool fill(struct stage *stage, uint32_t accounts)
{
    static struct psql psql;
    struct population population;
    // Rows of nobody, so that the table is as large as it is after years; stayd never loads them.
    char others[512];
    snprintf(others, sizeof(others),
             "INSERT INTO sessions (" POPULATION_SESSIONS
             ") SELECT a, b, b, b, 0, 0, 4000000000, 0, 1, b, '' FROM"
             " (SELECT decode(md5('a' || n), 'hex') AS a, decode(md5('b' || n), 'hex') AS b"
             " FROM generate_series(1, %u) n) of",
             accounts);
    bool done =
        population_init(&population, accounts, STAGE_SESSIONS_MAX, clock_wall_s()) &&
        psql_open(&psql, &stage->postgres, "stayd") &&
        psql_run(&psql, "DROP INDEX accounts_name; DROP INDEX accounts_administrators", SQL_MS) &&
        copy_rows(stage, "accounts", POPULATION_ACCOUNTS, &population, population_write_accounts) &&
        copy_rows(stage, "sessions", POPULATION_SESSIONS, &population, population_write_sessions) &&
        psql_run(&psql, "DROP INDEX sessions_account; DROP INDEX sessions_public_id", SQL_MS) &&
        psql_run(&psql, others, SQL_MS) &&
        psql_run(&psql,
                 "SET maintenance_work_mem = '256MB'; CREATE UNIQUE INDEX accounts_name ON accounts (name);"
                 "CREATE INDEX accounts_administrators ON accounts (id) WHERE strpos(',' || groups || ',', "
                 "',admins,') > 0; CREATE UNIQUE INDEX sessions_public_id ON sessions (public_id);"
                 "CREATE INDEX sessions_account ON sessions (account_id, selector); VACUUM (FREEZE, ANALYZE) "
                 "accounts; VACUUM (FREEZE, ANALYZE) sessions; "
                 "CHECKPOINT",
                 SQL_MS);
    if (!done) {
        (void)stage_fail(stage, STAGE_FAILED, "The accounts could not be made: %.300s", psql.answer);
    }
    psql_close(&psql);
    return done;
}

static bool make_database(struct stage *stage)
{
    static struct psql psql;
    bool done = psql_open(&psql, &stage->postgres, "postgres") &&
                psql_run(&psql, "CREATE ROLE stayd LOGIN", SQL_MS) &&
                psql_run(&psql, "CREATE DATABASE stayd OWNER stayd", SQL_MS);
    if (!done) {
        (void)stage_fail(stage, STAGE_FAILED, "The database could not be made: %.300s", psql.answer);
    }
    psql_close(&psql);
    return done;
}

// stayd makes its own tables.
static bool make_tables(struct stage *stage)
{
    char data[PROGRAM_PATH_MAX];
    stage->users = 0;
    bool done = stage_start_stayd(stage) == STAGE_READY;
    stage_stop_stayd(stage);
    snprintf(data, sizeof(data), "%s/stayd", stage->folder);
    program_remove_folder(data);
    return done;
}

static bool build(struct stage *stage, const char *folder)
{
    char what[96];
    snprintf(what, sizeof(what), "building a database with %u accounts, once", stage->options->accounts);
    stage_say(stage, what);
    bool done = postgres_make(&stage->postgres, folder) &&
                // Little of the log is left, since every drill copies it; enough that none is made anew then.
                postgres_start(&stage->postgres,
                               "fsync = 'off'\nfull_page_writes = 'off'\nmax_wal_size = '256MB'\n") &&
                make_database(stage) && make_tables(stage) && fill(stage, stage->options->accounts);
    postgres_stop(&stage->postgres, SIGINT);
    if (stage->problem[0] == '\0' && !done) {
        (void)stage_fail(stage, STAGE_FAILED, "%s", stage->postgres.problem);
    }
    return done;
}

enum stage_result stage_template(struct stage *stage, char *out, size_t size)
{
    char cache[PROGRAM_PATH_MAX - 128], lock[PROGRAM_PATH_MAX], fresh[PROGRAM_PATH_MAX];
    stage_cache_folder(stage->options, cache, sizeof(cache));
    snprintf(out, size, "%s/pg%u-%u-v%d", cache, postgres_version(), stage->options->accounts,
             TEMPLATE_FORMAT);
    snprintf(lock, sizeof(lock), "%s/lock", cache);
    if (!stage_make_folders(cache)) {
        return stage_fail(stage, STAGE_FAILED, "%.200s can't be made: %s. Name another with --cache.", cache,
                          strerror(errno));
    }
    // One at a time builds.
    int file = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || flock(file, LOCK_EX) != 0) {
        return stage_fail(stage, STAGE_FAILED, "%.200s can't be locked: %s.", lock, strerror(errno));
    }
    bool done = access(out, F_OK) == 0;
    if (!done) {
        snprintf(fresh, sizeof(fresh), "%s/building", cache);
        program_remove_folder(fresh);
        done = build(stage, fresh) && rename(fresh, out) == 0;
        program_remove_folder(fresh);
    }
    close(file);
    return done ? STAGE_READY : STAGE_FAILED;
}

static bool write_people(struct stage *stage, uint32_t users)
{
    snprintf(stage->people, sizeof(stage->people), "%s/people", stage->folder);
    snprintf(stage->password, sizeof(stage->password), "%s/password", stage->folder);
    FILE *out = fopen(stage->people, "we");
    if (out == NULL) {
        return false;
    }
    population_write_tokens(users, out);
    return fclose(out) == 0 && program_write_file(stage->password, VIEW(POPULATION_PASSWORD "\n"), 0600);
}

// ---- what stands between, and behind

struct proxy_work {
    struct proxy *proxy;
};

_Noreturn static void carry(void *context)
{
    struct proxy_work *work = context;
    for (;;) {
        proxy_turn(work->proxy, PROXY_TURN_MS);
    }
}

static bool start_proxy(struct stage *stage)
{
    stage->toxics =
        mmap(NULL, sizeof(*stage->toxics), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage->toxics == MAP_FAILED) {
        stage->toxics = NULL;
        return false;
    }
    struct proxy_work work = {.proxy = proxy_new(stage->postgres.port, stage->toxics, 1)};
    bool done = work.proxy != NULL && program_fork(&stage->proxy, carry, &work);
    stage->proxy_port = done ? proxy_port(work.proxy) : 0;
    proxy_free(&work.proxy);
    return done;
}

// A copy of the same cluster follows the first one's log.
static bool start_standby(struct stage *stage, const char *template)
{
    char to[PROGRAM_PATH_MAX], path[PROGRAM_PATH_MAX + 32], settings[256];
    uid_t user = getuid();
    gid_t group = getgid();
    snprintf(to, sizeof(to), "%s/standby", stage->folder);
    snprintf(settings, sizeof(settings), "primary_conninfo = 'host=127.0.0.1 port=%u user=postgres'\n",
             (unsigned)stage->postgres.port);
    if (!postgres_copy(&stage->standby, template, to)) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/data/standby.signal", to);
    return program_write_file(path, VIEW(""), 0600) &&
           (user != 0 || (program_user(&user, &group) && chown(path, user, group) == 0)) &&
           postgres_start(&stage->standby, settings);
}

enum stage_result stage_database(struct stage *stage)
{
    char from[PROGRAM_PATH_MAX], to[PROGRAM_PATH_MAX];
    if (stage->options->sqlite) {
        return STAGE_READY;
    }
    enum stage_result result = stage_template(stage, from, sizeof(from));
    if (result != STAGE_READY) {
        return result;
    }
    stage_say(stage, "starting PostgreSQL");
    snprintf(to, sizeof(to), "%s/postgres", stage->folder);
    uint32_t accounts = stage->options->accounts;
    if (!postgres_copy(&stage->postgres, from, to) || !postgres_start(&stage->postgres, NULL)) {
        return stage_fail(stage, STAGE_FAILED, "%s", stage->postgres.problem);
    }
    if (!psql_open(&stage->psql, &stage->postgres, "stayd") || !psql_run(&stage->psql, "SELECT 1", 10000) ||
        !write_people(stage, accounts < STAGE_SESSIONS_MAX ? accounts : STAGE_SESSIONS_MAX)) {
        return stage_fail(stage, STAGE_FAILED, "psql can't reach the database: %.200s", stage->psql.answer);
    }
    if (stage->options->proxy && !start_proxy(stage)) {
        return stage_fail(stage, STAGE_FAILED, "The fault proxy could not be started: %s.", strerror(errno));
    }
    if (stage->options->standby && !start_standby(stage, from)) {
        return stage_fail(stage, STAGE_FAILED, "The standby could not be started: %s",
                          stage->standby.problem);
    }
    return STAGE_READY;
}
