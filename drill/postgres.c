// SPDX-License-Identifier: ISC
// PostgreSQL for a drill, see postgres.h. Runs in stayctl drill.
#include "drill/postgres.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_MS = 60000, STOP_MS = 15000, MAKE_MS = 60000, COPY_MS = 300000 };

[[gnu::format(printf, 2, 3)]] static bool fail(struct postgres *postgres, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(postgres->problem, sizeof(postgres->problem), format, list);
    va_end(list);
    return false;
}

// ---- the programs

static bool has_programs(const char *folder)
{
    static const char *const names[] = {"initdb", "postgres", "psql"};
    char path[PROGRAM_PATH_MAX];
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s", folder, names[i]) >= (int)sizeof(path) ||
            access(path, X_OK) != 0) {
            return false;
        }
    }
    return true;
}

// Debian keeps them apart by version: the newest is taken.
static unsigned version_of(const char *folder)
{
    static const char before[] = "/usr/lib/postgresql/";
    uint64_t version = 0;
    struct view rest = view_of_cstr(folder);
    if (view_starts_with(rest, VIEW("/usr/lib/postgresql/"))) {
        rest = view_from(rest, sizeof(before) - 1);
        return view_to_u64(view_cut(&rest, '/'), &version) ? (unsigned)version : 0;
    }
    return 0;
}

bool postgres_find(char *out, size_t size)
{
    glob_t found;
    unsigned best = 0;
    out[0] = '\0';
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            unsigned version = version_of(found.gl_pathv[i]);
            if (has_programs(found.gl_pathv[i]) && version > best) {
                best = version;
                snprintf(out, size, "%s", found.gl_pathv[i]);
            }
        }
        globfree(&found);
    }
    struct view path = view_of_cstr(getenv("PATH"));
    while (out[0] == '\0' && path.size > 0) {
        char folder[PROGRAM_PATH_MAX];
        if (view_to_cstr(view_cut(&path, ':'), folder, sizeof(folder)) && has_programs(folder)) {
            snprintf(out, size, "%s", folder);
        }
    }
    return out[0] != '\0';
}

unsigned postgres_version(void)
{
    char folder[PROGRAM_PATH_MAX];
    return postgres_find(folder, sizeof(folder)) ? version_of(folder) : 0;
}

static bool program_path(const char *name, char out[static PROGRAM_PATH_MAX])
{
    char folder[PROGRAM_PATH_MAX - 32];
    bool found = postgres_find(folder, sizeof(folder));
    snprintf(out, PROGRAM_PATH_MAX, "%s/%s", folder, name);
    return found;
}

// ---- the cluster

static bool give_to_user(const char *folder)
{
    uid_t user;
    gid_t group;
    return getuid() != 0 || (program_user(&user, &group) && chown(folder, user, group) == 0);
}

static bool own_folder(struct postgres *postgres, const char *folder)
{
    snprintf(postgres->folder, sizeof(postgres->folder), "%s", folder);
    return (mkdir(folder, 0755) == 0 || errno == EEXIST) && give_to_user(folder);
}

bool postgres_make(struct postgres *postgres, const char *folder)
{
    char file[PROGRAM_PATH_MAX], data[PROGRAM_PATH_MAX], log[PROGRAM_PATH_MAX];
    *postgres = (struct postgres){.program = {.in = -1, .out = -1}};
    if (!program_path("initdb", file)) {
        return fail(postgres, "PostgreSQL is not installed (no initdb in /usr/lib/postgresql or the PATH).");
    }
    if (!own_folder(postgres, folder)) {
        return fail(postgres, "%.180s can't be made: %s.", folder, strerror(errno));
    }
    if (snprintf(data, sizeof(data), "%s/data", folder) >= (int)sizeof(data) ||
        snprintf(log, sizeof(log), "%s/log", folder) >= (int)sizeof(log)) {
        return fail(postgres, "%.180s is too long a path.", folder);
    }
    const char *words[] = {file,    "-D", data,   "-U",         "postgres", "-A",
                           "trust", "-E", "UTF8", "--locale=C", "-N",       NULL};
    return program_run(&(struct program_options){.words = words, .output = log, .unprivileged = true},
                       MAKE_MS) ||
           fail(postgres, "initdb failed; see %.180s.", log);
}

bool postgres_copy(struct postgres *postgres, const char *from, const char *to)
{
    char source[PROGRAM_PATH_MAX], target[PROGRAM_PATH_MAX];
    *postgres = (struct postgres){.program = {.in = -1, .out = -1}};
    if (!own_folder(postgres, to) ||
        snprintf(source, sizeof(source), "%s/data", from) >= (int)sizeof(source) ||
        snprintf(target, sizeof(target), "%s/data", to) >= (int)sizeof(target)) {
        return fail(postgres, "%.180s can't be made: %s.", to, strerror(errno));
    }
    // What is not on the disk yet would be written half a minute later, and make a disk slow that is to be
    // quiet.
    const char *words[] = {"/bin/sh", "-c",   "cp -a --reflink=auto \"$0\" \"$1\" && sync -f \"$1\"",
                           source,    target, NULL};
    return program_run(&(struct program_options){.words = words}, COPY_MS) ||
           fail(postgres, "%.180s could not be copied.", from);
}

static bool ready(const struct postgres *postgres, size_t skip)
{
    char path[PROGRAM_PATH_MAX + 8];
    static char text[1 << 20];
    snprintf(path, sizeof(path), "%s/log", postgres->folder);
    return program_read_file(path, text, sizeof(text)) && strlen(text) >= skip &&
           (strstr(text + skip, "ready to accept connections") != NULL ||
            strstr(text + skip, "ready to accept read-only connections") != NULL);
}

// Its own file of settings, which names the rest: a copy keeps what it was made with.
static bool configure(struct postgres *postgres, const char *settings)
{
    char path[PROGRAM_PATH_MAX + 32];
    char text[4096];
    snprintf(path, sizeof(path), "%s/data/postgresql.auto.conf", postgres->folder);
    int size = snprintf(
        text, sizeof(text),
        "listen_addresses = '127.0.0.1'\nport = %u\nunix_socket_directories = '%.900s'\n"
        "max_connections = 100\nshared_buffers = '1GB'\nmax_wal_size = '2GB'\n"
        "checkpoint_timeout = '30min'\nwal_level = 'replica'\ntimezone = 'UTC'\nlc_messages = 'C'\n"
        "dynamic_shared_memory_type = 'mmap'\njit = 'off'\nmax_parallel_workers_per_gather = 0\n%.2000s",
        (unsigned)postgres->port, postgres->folder, settings == NULL ? "" : settings);
    return size < (int)sizeof(text) && program_write_file(path, view_of(text, (size_t)size), 0600) &&
           give_to_user(path);
}

bool postgres_start(struct postgres *postgres, const char *settings)
{
    char file[PROGRAM_PATH_MAX], data[PROGRAM_PATH_MAX + 8], log[PROGRAM_PATH_MAX + 8];
    struct stat about;
    if (!program_path("postgres", file)) {
        return fail(postgres, "PostgreSQL is not installed.");
    }
    snprintf(data, sizeof(data), "%s/data", postgres->folder);
    snprintf(log, sizeof(log), "%s/log", postgres->folder);
    size_t skip = stat(log, &about) == 0 ? (size_t)about.st_size : 0;
    if (postgres->port == 0) {
        postgres->port = program_free_port();
    }
    const char *words[] = {file, "-D", data, NULL};
    const struct program_options options = {
        .words = words, .output = log, .unprivileged = true, .parent_death = SIGQUIT};
    if (!configure(postgres, settings) || !program_start(&postgres->program, &options)) {
        return fail(postgres, "PostgreSQL could not be started: %s.", strerror(errno));
    }
    for (uint64_t end_ns = clock_mono_ns() + START_MS * 1000000ull; !ready(postgres, skip);
         program_pause(20)) {
        if (program_ended(&postgres->program) || clock_mono_ns() > end_ns) {
            return fail(postgres, "PostgreSQL did not start; see %.180s.", log);
        }
    }
    return true;
}

void postgres_stop(struct postgres *postgres, int signal)
{
    program_stop(&postgres->program, signal, STOP_MS);
}

void postgres_url(const struct postgres *postgres, uint16_t port, const char *user, const char *database,
                  char *out, size_t size)
{
    snprintf(out, size, "postgres://%s@127.0.0.1:%u/%s?sslmode=disable", user,
             (unsigned)(port == 0 ? postgres->port : port), database);
}

// ---- psql

bool psql_open(struct psql *psql, const struct postgres *postgres, const char *database)
{
    char file[PROGRAM_PATH_MAX], url[256];
    psql->asked = 0;
    psql->size = 0;
    psql->answer[0] = '\0';
    if (!program_path("psql", file)) {
        return false;
    }
    postgres_url(postgres, 0, "postgres", database, url, sizeof(url));
    // Errors come in between the rows, where psql_wait finds them.
    const char *words[] = {"/bin/sh", "-c", "exec \"$0\" -X -q -A -t -d \"$1\" 2>&1", file, url, NULL};
    return program_start(
        &psql->program,
        &(struct program_options){.words = words, .pipe_in = true, .pipe_out = true, .unprivileged = true});
}

void psql_close(struct psql *psql)
{
    if (psql->program.in >= 0) {
        close(psql->program.in);
        psql->program.in = -1;
    }
    program_stop(&psql->program, SIGTERM, 200);
}

bool psql_send(struct psql *psql, const char *sql)
{
    char end[48];
    int size = snprintf(end, sizeof(end), "\n;\n\\echo @done-%u\n", ++psql->asked);
    psql->size = 0;
    psql->answer[0] = '\0';
    return psql->program.in >= 0 && write(psql->program.in, sql, strlen(sql)) == (ssize_t)strlen(sql) &&
           write(psql->program.in, end, (size_t)size) == size;
}

bool psql_wait(struct psql *psql, uint64_t timeout_ms)
{
    char mark[32];
    uint64_t end_ns = clock_mono_ns() + timeout_ms * 1000000;
    snprintf(mark, sizeof(mark), "@done-%u\n", psql->asked);
    for (;;) {
        char *found = strstr(psql->answer, mark);
        if (found != NULL) {
            *found = '\0';
            return strstr(psql->answer, "ERROR:") == NULL && strstr(psql->answer, "FATAL:") == NULL;
        }
        uint64_t now_ns = clock_mono_ns();
        struct pollfd one = {.fd = psql->program.out, .events = POLLIN};
        if (now_ns >= end_ns || psql->size + 1 >= sizeof(psql->answer) ||
            poll(&one, 1, (int)((end_ns - now_ns) / 1000000) + 1) < 0) {
            return false;
        }
        ssize_t got = one.revents == 0 ? 0
                                       : read(psql->program.out, psql->answer + psql->size,
                                              sizeof(psql->answer) - 1 - psql->size);
        if (got < 0 || (got == 0 && one.revents != 0)) {
            return false;
        }
        psql->size += (size_t)got;
        psql->answer[psql->size] = '\0';
    }
}

bool psql_run(struct psql *psql, const char *sql, uint64_t timeout_ms)
{
    return psql_send(psql, sql) && psql_wait(psql, timeout_ms);
}
