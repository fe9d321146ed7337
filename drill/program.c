// SPDX-License-Identifier: ISC
// Starting and ending programs, see program.h. Runs in stayctl drill.
//
// The guard: a child in a session of its own reads from a pipe whose other end only the caller has. What the
// caller started stands in a page both share. The pipe ends when the caller does, however it does.
#include "drill/program.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STARTED_MAX = 256, POLL_MS = 2 };

struct guard {
    char folder[PROGRAM_PATH_MAX];
    _Atomic int started[STARTED_MAX];
};
static struct guard *guard;
static pid_t guard_pid;
static int guard_pipe = -1;

void program_pause(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&left, NULL);
}

uint64_t program_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

// ---- the guard

static void remember(pid_t pid)
{
    for (unsigned i = 0; guard != NULL && i < STARTED_MAX; i++) {
        if (atomic_load(&guard->started[i]) == 0) {
            atomic_store(&guard->started[i], pid);
            return;
        }
    }
}

static void forget(pid_t pid)
{
    for (unsigned i = 0; guard != NULL && i < STARTED_MAX; i++) {
        if (atomic_load(&guard->started[i]) == pid) {
            atomic_store(&guard->started[i], 0);
        }
    }
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    (void)remove(path);
    return 0;
}

void program_remove_folder(const char *folder)
{
    (void)nftw(folder, remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

static void signal_started(int number)
{
    for (unsigned i = 0; i < STARTED_MAX; i++) {
        int pid = atomic_load(&guard->started[i]);
        if (pid > 0) {
            (void)kill(-pid, number);
        }
    }
}

_Noreturn static void stand_guard(int pipe)
{
    char byte;
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    while (read(pipe, &byte, 1) < 0 && errno == EINTR) {
    }
    signal_started(SIGCONT);
    signal_started(SIGTERM);
    program_pause(300);
    signal_started(SIGKILL);
    program_pause(50);
    program_remove_folder(guard->folder);
    _exit(0);
}

bool program_guard(const char *folder)
{
    int ends[2];
    guard = mmap(NULL, sizeof(*guard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (guard == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0) {
        guard = NULL;
        return false;
    }
    snprintf(guard->folder, sizeof(guard->folder), "%s", folder);
    guard_pid = fork();
    if (guard_pid == 0) {
        close(ends[1]);
        stand_guard(ends[0]);
    }
    close(ends[0]);
    guard_pipe = ends[1];
    return guard_pid > 0;
}

void program_guard_end(void)
{
    if (guard_pid > 0) {
        close(guard_pipe);
        (void)waitpid(guard_pid, NULL, 0);
        (void)munmap(guard, sizeof(*guard));
    }
    guard = NULL;
    guard_pid = 0;
    guard_pipe = -1;
}

// ---- start

bool program_user(uid_t *user, gid_t *group)
{
    const struct passwd *found = getpwnam("postgres");
    if (found == NULL) {
        found = getpwnam("nobody");
    }
    if (found == NULL) {
        return false;
    }
    *user = found->pw_uid;
    *group = found->pw_gid;
    return true;
}

static bool drop_rights(void)
{
    uid_t user;
    gid_t group;
    return getuid() != 0 || (program_user(&user, &group) && setgroups(0, NULL) == 0 &&
                             setresgid(group, group, group) == 0 && setresuid(user, user, user) == 0);
}

static bool put_at(int fd, int at)
{
    return fd == at ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, at) == at;
}

// In the child.
_Noreturn static void become(const struct program_options *options, int in, int out, int log)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if ((options->unprivileged && !drop_rights()) ||
        chdir(options->folder == NULL ? "/" : options->folder) != 0 ||
        prctl(PR_SET_PDEATHSIG, options->parent_death == 0 ? SIGKILL : options->parent_death) != 0 ||
        !put_at(in, 0) || !put_at(out, 1) || !put_at(log, 2)) {
        _exit(126);
    }
    (void)close_range(3, ~0u, 0);
    execv(options->words[0], (char *const *)(uintptr_t)options->words);
    _exit(127);
}

static void close_if(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

bool program_start(struct program *program, const struct program_options *options)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    int log = open(options->output == NULL ? "/dev/null" : options->output,
                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    *program = (struct program){.in = -1, .out = -1};
    bool ready = log >= 0 && null >= 0 && (!options->pipe_in || pipe2(in, O_CLOEXEC) == 0) &&
                 (!options->pipe_out || pipe2(out, O_CLOEXEC) == 0);
    if (ready) {
        fflush(NULL);
        program->pid = fork();
        if (program->pid == 0) {
            become(options, options->pipe_in ? in[0] : null, options->pipe_out ? out[1] : log, log);
        }
    }
    close_if(log);
    close_if(null);
    close_if(in[0]);
    close_if(out[1]);
    if (program->pid <= 0) {
        close_if(in[1]);
        close_if(out[0]);
        program->pid = 0;
        return false;
    }
    setpgid(program->pid, program->pid); // both do it: whoever is first
    remember(program->pid);
    program->in = in[1];
    program->out = out[0];
    return true;
}

bool program_fork(struct program *program, void (*work)(void *context), void *context)
{
    *program = (struct program){.in = -1, .out = -1};
    fflush(NULL);
    program->pid = fork();
    if (program->pid == 0) {
        setpgid(0, 0);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (guard_pipe >= 0) {
            close(guard_pipe); // its end is the caller's to tell
        }
        work(context);
        _exit(0);
    }
    if (program->pid < 0) {
        program->pid = 0;
        return false;
    }
    setpgid(program->pid, program->pid);
    remember(program->pid);
    return true;
}

// ---- end

static void release(struct program *program)
{
    close_if(program->in);
    close_if(program->out);
    program->in = program->out = -1;
}

// By their numbers in proc(5); the times are in ticks, "ended" those of children that ended.
enum stat_field {
    STAT_PARENT = 4,
    STAT_USER = 14,
    STAT_SYSTEM,
    STAT_ENDED_USER,
    STAT_ENDED_SYSTEM,
    STAT_FIELDS
};

static bool read_stat(pid_t pid, double field[static STAT_FIELDS])
{
    char path[64], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    char *at = pid > 0 && program_read_file(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    if (at == NULL || strlen(at) < 4) { // ") S "; its name may hold anything
        return false;
    }
    at += 3;
    for (unsigned i = STAT_PARENT; i < STAT_FIELDS; i++) {
        field[i] = strtod(at, &at);
    }
    return true;
}

double program_cpu_s(const struct program *program)
{
    double field[STAT_FIELDS];
    return read_stat(program->pid, field)
               ? (field[STAT_USER] + field[STAT_SYSTEM]) / (double)sysconf(_SC_CLK_TCK)
               : 0;
}

double program_family_cpu_s(const struct program *program)
{
    double field[STAT_FIELDS], ticks = 0;
    DIR *list = opendir("/proc");
    for (const struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        bool itself = pid > 0 && pid == program->pid;
        if (pid > 0 && read_stat(pid, field) && (itself || (pid_t)field[STAT_PARENT] == program->pid)) {
            ticks += field[STAT_USER] + field[STAT_SYSTEM];
            ticks += itself ? field[STAT_ENDED_USER] + field[STAT_ENDED_SYSTEM] : 0;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

bool program_ended(struct program *program)
{
    if (program->pid == 0) {
        return true;
    }
    int status;
    pid_t ended = waitpid(program->pid, &status, WNOHANG);
    if (ended == 0) {
        return false;
    }
    program->status = ended == program->pid ? status : -1;
    forget(program->pid);
    program->pid = 0;
    return true;
}

bool program_wait(struct program *program, uint64_t timeout_ms)
{
    uint64_t end_ns = clock_mono_ns() + timeout_ms * 1000000;
    while (!program_ended(program)) {
        if (clock_mono_ns() >= end_ns) {
            return false;
        }
        program_pause(POLL_MS);
    }
    return true;
}

void program_stop(struct program *program, int signal, uint64_t patience_ms)
{
    pid_t group = program->pid;
    if (!program_ended(program)) {
        (void)kill(-group, SIGCONT);
        (void)kill(group, signal);
        if (!program_wait(program, patience_ms)) {
            (void)kill(-group, SIGKILL);
            (void)program_wait(program, 5000);
        }
    }
    if (group > 0) {
        (void)kill(-group, SIGKILL); // what it left behind
    }
    release(program);
}

bool program_run(const struct program_options *options, uint64_t timeout_ms)
{
    struct program program;
    if (!program_start(&program, options)) {
        return false;
    }
    bool done = program_wait(&program, timeout_ms) && program.status == 0;
    program_stop(&program, SIGKILL, 0);
    return done;
}

// ---- files and ports

uint16_t program_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, size) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        port = ntohs(address.sin_port);
    }
    close_if(fd);
    return port;
}

bool program_folder(char *out, size_t size)
{
    const char *top = getenv("TMPDIR");
    snprintf(out, size, "%s/stayd-drill-XXXXXX", top == NULL || top[0] != '/' ? "/tmp" : top);
    return mkdtemp(out) != NULL && chmod(out, 0755) == 0;
}

bool program_read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);
    close_if(fd);
    out[got < 0 ? 0 : got] = '\0';
    return got >= 0;
}

bool program_write_file(const char *path, struct view content, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    bool done = fd >= 0 && fchmod(fd, mode) == 0;
    for (size_t sent = 0; done && sent < content.size;) {
        ssize_t put = write(fd, content.data + sent, content.size - sent);
        done = put > 0;
        sent += done ? (size_t)put : 0;
    }
    if (fd >= 0) {
        done = close(fd) == 0 && done;
    }
    return done;
}
