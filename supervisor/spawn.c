// SPDX-License-Identifier: ISC
// Fork and exec. Runs in the supervisor, and between fork and exec in the child, where only async-signal-safe
// calls are made.
#include "supervisor/spawn.h"

#include "base/child.h"
#include "supervisor/users.h"
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef STAYD_LIBEXECDIR
#define STAYD_LIBEXECDIR "/usr/local/libexec/stayd"
#endif

enum { CONTROL_FD = 3, ENVIRONMENT_MAX = 16, CHECK_MAX_MS = 5000 };

// Handed on where set; nothing else of the environment is.
static const char *const environment_kept[] = {"STAYD_FAULTS=",
                                               "STAYD_FAULTS_FILE=",
                                               "ASAN_OPTIONS=",
                                               "UBSAN_OPTIONS=",
                                               "TSAN_OPTIONS=",
                                               "LLVM_PROFILE_FILE=",
                                               "LANG=",
                                               "LC_ALL=",
                                               "TZ="};

static bool folder_of_self(char *folder, size_t size)
{
    ssize_t got = readlink("/proc/self/exe", folder, size - 1);
    if (got <= 0) {
        return false;
    }
    folder[got] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = '\0';
    return true;
}

static int executable_open(const char *folder, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, name);
    if (access(path, X_OK) != 0) {
        return -1;
    }
    return open(path, O_PATH | O_CLOEXEC);
}

bool spawn_init(struct spawn *spawn, char *why, size_t why_size)
{
    char self[900];
    char moved[1000];
    for (size_t i = 0; i < STATS_ROLE_COUNT; i++) {
        spawn->executable[i] = -1;
    }
    if (!folder_of_self(self, sizeof self)) {
        snprintf(why, why_size, "/proc/self/exe: %s (is /proc mounted?)", strerror(errno));
        return false;
    }
    snprintf(moved, sizeof moved, "%s/../libexec/stayd", self); // an installation that was moved as a whole
    for (uint32_t role = STATS_ROLE_supervisor + 1; role < STATS_ROLE_COUNT; role++) {
        const char *name = stats_role_name(role);
        int *fd = &spawn->executable[role];
        char *path = spawn->path[role];
        *fd = executable_open(self, name, path, sizeof spawn->path[0]);
        if (*fd < 0) {
            *fd = executable_open(moved, name, path, sizeof spawn->path[0]);
        }
        if (*fd < 0) {
            *fd = executable_open(STAYD_LIBEXECDIR, name, path, sizeof spawn->path[0]);
        }
        if (*fd < 0) {
            snprintf(why, why_size, "%s is neither in %s nor in %s", name, self, STAYD_LIBEXECDIR);
            return false;
        }
    }
    return true;
}

void spawn_release(struct spawn *spawn)
{
    for (size_t i = 0; i < STATS_ROLE_COUNT; i++) {
        if (spawn->executable[i] >= 0) {
            close(spawn->executable[i]);
            spawn->executable[i] = -1;
        }
    }
}

static void environment_make(char *kept[ENVIRONMENT_MAX])
{
    size_t used = 0;
    for (char **entry = environ; *entry != NULL && used + 1 < ENVIRONMENT_MAX; entry++) {
        for (size_t i = 0; i < sizeof environment_kept / sizeof environment_kept[0]; i++) {
            if (strncmp(*entry, environment_kept[i], strlen(environment_kept[i])) == 0) {
                kept[used++] = *entry;
                break;
            }
        }
    }
    kept[used] = NULL;
}

_Noreturn static void give_up(const char *what)
{
    char text[160];
    int size =
        snprintf(text, sizeof text, "stayd: a child could not be started: %s: %s\n", what, strerror(errno));
    (void)!write(STDERR_FILENO, text, size > 0 ? (size_t)size : 0);
    _exit(127);
}

static void become(const struct user *user)
{
    if (!user->change) {
        return;
    }
    if (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0) {
        give_up("changing the user");
    }
}

// After fork. `executable` and `control` are moved out of the way of 0..4 first.
_Noreturn static void in_child(const struct spawn_order *order, int executable, const struct user *user,
                               char **arguments, char **environment)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (order->folder >= 0 ? fchdir(order->folder) != 0 : chdir("/") != 0) {
        give_up("its folder");
    }
    int control = fcntl(order->control, F_DUPFD, 10);
    int program = fcntl(executable, F_DUPFD_CLOEXEC, 10);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (control < 0 || program < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(nothing, STDOUT_FILENO) < 0 || dup2(control, CONTROL_FD) < 0 ||
        dup2(program, CONTROL_FD + 1) < 0) {
        give_up("its descriptors");
    }
    (void)fcntl(CONTROL_FD + 1, F_SETFD, FD_CLOEXEC);
    (void)syscall(SYS_close_range, CONTROL_FD + 2, ~0U, 0);
    struct rlimit files = {order->descriptors_max, order->descriptors_max};
    if (order->descriptors_max > 0) {
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    become(user);
    (void)syscall(SYS_execveat, CONTROL_FD + 1, "", arguments, environment, AT_EMPTY_PATH);
    give_up(arguments[0]);
}

int spawn_child(const struct spawn *spawn, const struct spawn_order *order)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    const char *name = stats_role_name((uint32_t)order->role->stats);
    char index[16];
    char *environment[ENVIRONMENT_MAX];
    snprintf(index, sizeof index, "%u", order->index);
    const char *arguments[] = {name,
                               "--index",
                               index,
                               "--log-level",
                               levels[order->log_level],
                               "--log-format",
                               order->log_format == LOG_JSON ? "json" : "logfmt",
                               order->check ? "--check-config" : NULL,
                               NULL};
    environment_make(environment);
    struct user user = user_of(order->role);
    pid_t child = fork();
    if (child == 0) {
        in_child(order, spawn->executable[order->role->stats], &user, (char **)(uintptr_t)arguments,
                 environment);
    }
    return child;
}

// Its status as of waitpid; -1: there was none, or no answer in time.
static int ask_judge(const struct spawn *spawn, const struct topology_role *role, struct view slice)
{
    int pair[2];
    int status = -1;
    if (!channel_pair(pair)) {
        return -1;
    }
    struct spawn_order order = {.role = role, .control = pair[1], .folder = -1, .check = true};
    pid_t judge = spawn_child(spawn, &order);
    close(pair[1]);
    bool in_time =
        judge > 0 && channel_send_blocking(pair[0], slice, -1) && child_ends_within(judge, CHECK_MAX_MS);
    if (judge > 0 && !in_time) {
        kill(judge, SIGKILL);
    }
    if (judge > 0 && waitpid(judge, &status, 0) != judge) {
        status = -1;
    }
    close(pair[0]);
    return in_time ? status : -1;
}

bool spawn_check(const struct spawn *spawn, const struct topology_role *role, struct view slice)
{
    int status = ask_judge(spawn, role, slice);
    if (status != -1 && WIFSIGNALED(status)) { // by somebody else, perhaps; what it was told crashes it again
        status = ask_judge(spawn, role, slice);
    }
    return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
