// SPDX-License-Identifier: ISC
// Builds up and takes down what a drill needs, see stage.h. Runs in stayctl drill.
#include "drill/stage.h"

#include "base/clock.h"
#include "base/fault.h"
#include "drill/ask.h"
#include "drill/stage_template.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

enum { READY_MS = 60000, STOP_MS = 12000, ASK_MS = 300 };

enum stage_result stage_fail(struct stage *stage, enum stage_result result, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(stage->problem, sizeof(stage->problem), format, list);
    va_end(list);
    return result;
}

bool stage_stopping(const struct stage *stage)
{
    return stage->options->stop != NULL && *stage->options->stop != 0;
}

void stage_say(const struct stage *stage, const char *what)
{
    if (stage->options->progress != NULL) {
        stage->options->progress(what);
    }
}

bool stage_has_faults(void)
{
#ifdef STAYD_FAULTS
    return true;
#else
    return false;
#endif
}

static bool find_self(struct stage *stage)
{
    ssize_t got = readlink("/proc/self/exe", stage->own, sizeof(stage->own) - 1);
    if (got <= 0) {
        return false;
    }
    stage->own[got] = '\0';
    snprintf(stage->bin, sizeof(stage->bin), "%s", stage->own);
    char *slash = strrchr(stage->bin, '/');
    *(slash == NULL ? stage->bin : slash) = '\0';
    return true;
}

enum stage_result stage_open(struct stage *stage, const struct stage_options *options)
{
    *stage = (struct stage){.options = options,
                            .stayd = {.in = -1, .out = -1},
                            .psql.program = {.in = -1, .out = -1},
                            .proxy = {.in = -1, .out = -1},
                            .standby.program = {.in = -1, .out = -1},
                            .postgres.program = {.in = -1, .out = -1}};
    char found[PROGRAM_PATH_MAX];
    if (!options->sqlite && !postgres_find(found, sizeof(found))) {
        return stage_fail(stage, STAGE_UNAVAILABLE,
                          "This drill needs PostgreSQL, which is not installed here (Debian: apt install "
                          "postgresql). race, crash and login-spike can do without: --sqlite.");
    }
    if (!find_self(stage) || !program_folder(stage->folder, sizeof(stage->folder)) ||
        !program_guard(stage->folder)) {
        return stage_fail(stage, STAGE_FAILED, "A temporary folder can't be made: %s.", strerror(errno));
    }
    if (stage_has_faults()) {
        char path[PROGRAM_PATH_MAX];
        snprintf(path, sizeof(path), "%s/faults", stage->folder);
        if (!fault_share(path) || setenv("STAYD_FAULTS_FILE", path, 1) != 0) {
            return stage_fail(stage, STAGE_FAILED, "The page of the fault points can't be made.");
        }
    }
    return STAGE_READY;
}

// ---- stayd

static bool write_config(struct stage *stage, const char *further)
{
    char text[8192];
    char database[320] = "";
    if (!stage->options->sqlite) {
        char second[32] = "";
        uint16_t first = stage->proxy_port != 0 ? stage->proxy_port : stage->postgres.port;
        if (stage->standby.port != 0) {
            snprintf(second, sizeof(second), ",127.0.0.1:%u", (unsigned)stage->standby.port);
        }
        snprintf(database, sizeof(database),
                 "database = postgres://stayd@127.0.0.1:%u%s/stayd?sslmode=disable\n", (unsigned)first,
                 second);
    }
    int size =
        snprintf(text, sizeof(text),
                 "public_url = http://127.0.0.1:%u\nlisten = 127.0.0.1:%u\nops_listen = 127.0.0.1:%u\n"
                 "data_dir = %s/stayd\nregistration = open\nsession_idle = 3000d\nsession_max = 3600d\n"
                 "connections_per_source_max = 10000\n%s%s",
                 (unsigned)stage->port, (unsigned)stage->port, (unsigned)stage->ops_port, stage->folder,
                 database, further == NULL ? "" : further);
    return size < (int)sizeof(text) && program_write_file(stage->config, view_of(text, (size_t)size), 0644);
}

static bool is_ready(const struct stage *stage)
{
    char body[2048];
    return ask_get(&(struct ask){.port = stage->port, .path = "/readyz", .timeout_ms = ASK_MS}, body,
                   sizeof(body)) == 200;
}

// Sessions in the tables, by the metrics; -1 while they can't be had.
static double sessions_live(const struct stage *stage)
{
    static char body[1 << 21];
    static const char name[] = "\nstayd_sessions_live";
    if (ask_get(&(struct ask){.port = stage->ops_port, .path = "/metrics", .timeout_ms = 2000}, body,
                sizeof(body)) != 200) {
        return -1;
    }
    const char *line = strstr(body, name);
    const char *value = line == NULL ? NULL : strchr(line + 1, ' ');
    return value == NULL ? -1 : strtod(value, NULL);
}

static void log_tail(const struct stage *stage, char *out, size_t size)
{
    char path[PROGRAM_PATH_MAX];
    static char text[1 << 16];
    snprintf(path, sizeof(path), "%s/stayd.log", stage->folder);
    out[0] = '\0';
    if (program_read_file(path, text, sizeof(text))) {
        size_t length = strlen(text);
        size_t skip = length > size - 1 ? length - size + 1 : 0;
        memcpy(out, text + skip, length - skip + 1);
    }
}

static enum stage_result wait_ready(struct stage *stage, bool filled)
{
    uint64_t end_ns = clock_mono_ns() + READY_MS * 1000000ull;
    // Without accounts of a template there are none to wait for.
    double sessions = stage->people[0] == '\0' || !filled ? 0 : stage->users;
    while (!is_ready(stage) || sessions_live(stage) < sessions) {
        if (program_ended(&stage->stayd) || clock_mono_ns() > end_ns || stage_stopping(stage)) {
            char tail[300];
            log_tail(stage, tail, sizeof(tail));
            return stage_fail(stage, STAGE_FAILED, "stayd did not become ready. The end of its log: %s",
                              tail);
        }
        program_pause(20);
    }
    return STAGE_READY;
}

static bool spawn(struct stage *stage)
{
    char file[PROGRAM_PATH_MAX], log[PROGRAM_PATH_MAX];
    snprintf(log, sizeof(log), "%s/stayd.log", stage->folder);
    const char *words[] = {file, "-c", stage->config, NULL};
    return snprintf(file, sizeof(file), "%s/stayd", stage->bin) < (int)sizeof(file) &&
           program_start(&stage->stayd, &(struct program_options){.words = words, .output = log});
}

enum stage_result stage_start_stayd(struct stage *stage)
{
    char file[PROGRAM_PATH_MAX];
    snprintf(stage->config, sizeof(stage->config), "%s/stayd.conf", stage->folder);
    snprintf(stage->watch, sizeof(stage->watch), "%s/stayd/run/watch.sock", stage->folder);
    if (snprintf(file, sizeof(file), "%s/stayd", stage->bin) >= (int)sizeof(file) ||
        access(file, X_OK) != 0) {
        return stage_fail(stage, STAGE_UNAVAILABLE,
                          "%.200s is not there: the drill needs the stayd beside stayctl.", file);
    }
    for (int try = 0; try < 3; try++) { // somebody may take a port in between
        stage->port = program_free_port();
        stage->ops_port = program_free_port();
        if (!write_config(stage, stage->options->config) || !spawn(stage)) {
            break;
        }
        enum stage_result result = wait_ready(stage, true);
        if (result == STAGE_READY || stage_stopping(stage)) {
            return result;
        }
        program_stop(&stage->stayd, SIGTERM, STOP_MS);
    }
    return stage->problem[0] == '\0'
               ? stage_fail(stage, STAGE_FAILED, "stayd could not be started: %s.", strerror(errno))
               : STAGE_FAILED;
}

void stage_stop_stayd(struct stage *stage)
{
    program_stop(&stage->stayd, SIGTERM, STOP_MS);
}

bool stage_restart_with(struct stage *stage, const char *config, bool filled)
{
    stage_stop_stayd(stage);
    return write_config(stage, config) && spawn(stage) && wait_ready(stage, filled) == STAGE_READY;
}

bool stage_restart(struct stage *stage)
{
    return stage_restart_with(stage, stage->options->config, true);
}

bool stage_begin_anew(struct stage *stage)
{
    char incidents[PROGRAM_PATH_MAX], aside[PROGRAM_PATH_MAX];
    snprintf(incidents, sizeof(incidents), "%s/stayd/incidents", stage->folder);
    snprintf(aside, sizeof(aside), "%s/incidents-before", stage->folder);
    stage_stop_stayd(stage);
    (void)rename(incidents, aside); // there may be none
    return stage_restart(stage);
}

bool stage_fill(struct stage *stage)
{
    return wait_ready(stage, true) == STAGE_READY;
}

// Registration is open to others once there is an administrator.
static bool add_administrator(const struct stage *stage)
{
    const char *words[] = {stage->own, "-c",     stage->config,   "user",
                           "add",      "drill",  "--email",       "drill@example.org",
                           "--group",  "admins", "--no-password", NULL};
    return program_run(&(struct program_options){.words = words}, 20000);
}

enum stage_result stage_stayd(struct stage *stage)
{
    stage_say(stage, "starting stayd");
    uint32_t accounts = stage->options->accounts;
    stage->users = stage->options->sqlite          ? stage->options->users
                   : accounts < STAGE_SESSIONS_MAX ? accounts
                                                   : STAGE_SESSIONS_MAX;
    enum stage_result result = stage_start_stayd(stage);
    if (result == STAGE_READY && stage->options->sqlite && !add_administrator(stage)) {
        return stage_fail(stage, STAGE_FAILED, "The first administrator could not be added.");
    }
    return result;
}

bool stage_reconfigure(struct stage *stage, const char *config)
{
    return write_config(stage, config) && stage->stayd.pid > 0 && kill(stage->stayd.pid, SIGHUP) == 0;
}

void stage_close(struct stage *stage)
{
    if (stage->folder[0] == '\0') {
        return;
    }
    stage_stop_stayd(stage);
    psql_close(&stage->psql);
    postgres_stop(&stage->postgres, SIGQUIT); // its data is thrown away
    postgres_stop(&stage->standby, SIGQUIT);
    program_stop(&stage->proxy, SIGKILL, 0);
    program_remove_folder(stage->folder);
    program_guard_end();
    stage->folder[0] = '\0';
}

// ---- its processes

static bool is_named(pid_t pid, const char *name, pid_t parent)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!program_read_file(path, text, sizeof(text))) {
        return false;
    }
    const char *open = strchr(text, '(');
    char *close = strrchr(text, ')');
    if (open == NULL || close == NULL || strlen(close) < 5) {
        return false;
    }
    *close = '\0';
    // The kernel keeps 15 letters of a name.
    return strncmp(open + 1, name, 15) == 0 && close[2] != 'Z' && strtol(close + 4, NULL, 10) == parent;
}

unsigned stage_pids(const struct stage *stage, const char *name, pid_t pids[static STAGE_PIDS_MAX])
{
    unsigned count = 0;
    DIR *all = opendir("/proc");
    for (const struct dirent *one; all != NULL && (one = readdir(all)) != NULL && count < STAGE_PIDS_MAX;) {
        uint64_t pid;
        if (view_to_u64(view_of_cstr(one->d_name), &pid) && is_named((pid_t)pid, name, stage->stayd.pid)) {
            pids[count++] = (pid_t)pid;
        }
    }
    if (all != NULL) {
        closedir(all);
    }
    return count;
}
