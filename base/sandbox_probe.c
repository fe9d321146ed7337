// SPDX-License-Identifier: ISC
// The proof from inside a sandbox. Run by `stayd-front --sandbox-probe` and its like, and by tests; never in
// service. Each act runs in its own process because some are punished by death. An act answers 0 when it
// worked, else the errno; it may do no harm where it does work (a signal 0, a read, an exec of /bin/true).
#include "base/sandbox_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// What an act may use, made before the sandbox was entered.
struct tools {
    int table;
    int tcp;
    int local;
    int listener;
    pid_t parent;
    const char *own_dir; // a folder with SANDBOX_WRITE, or NULL
    uint16_t port;       // one that the options allow, or 9
};

static int answer(long result)
{
    return result >= 0 ? 0 : errno;
}

static int act_open_read(const struct tools *tools)
{
    (void)tools;
    return answer(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int act_open_write(const struct tools *tools)
{
    (void)tools;
    return answer(open("/tmp/stayd-sandbox-probe", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int act_open_own(const struct tools *tools)
{
    char path[4096];
    if (tools->own_dir == NULL) {
        return ENOENT;
    }
    snprintf(path, sizeof path, "%s/.sandbox-probe", tools->own_dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return answer(unlink(path));
}

static int act_socket(const struct tools *tools)
{
    (void)tools;
    return answer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int act_socket_raw(const struct tools *tools)
{
    (void)tools;
    return answer(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

static int act_socket_packet(const struct tools *tools)
{
    (void)tools;
    return answer(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int act_socket_audit(const struct tools *tools)
{
    (void)tools;
    return answer(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT));
}

static int act_datagram(const struct tools *tools)
{
    (void)tools;
    struct sockaddr_in address = loopback(53);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : answer(connect(fd, (const struct sockaddr *)&address, sizeof address));
}

static int act_read_names(const struct tools *tools)
{
    (void)tools;
    return answer(open("/etc/hosts", O_RDONLY | O_CLOEXEC));
}

static int connect_to(const struct tools *tools, uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int error = answer(connect(tools->tcp, (const struct sockaddr *)&address, sizeof address));
    return error == ECONNREFUSED || error == EINPROGRESS ? 0 : error;
}

static int act_connect(const struct tools *tools)
{
    return connect_to(tools, tools->port);
}

static int act_connect_other(const struct tools *tools)
{
    return connect_to(tools, 10);
}

static int act_connect_local(const struct tools *tools)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/stayd-sandbox-probe"};
    int error = answer(connect(tools->local, (const struct sockaddr *)&address, sizeof address));
    return error == ECONNREFUSED || error == ENOENT ? 0 : error;
}

static int act_bind(const struct tools *tools)
{
    struct sockaddr_in address = loopback(0);
    return answer(bind(tools->tcp, (const struct sockaddr *)&address, sizeof address));
}

static int act_listen(const struct tools *tools)
{
    return answer(listen(tools->tcp, 1));
}

static int act_stop_listener(const struct tools *tools)
{
    return answer(shutdown(tools->listener, SHUT_RDWR));
}

static int act_exec(const struct tools *tools)
{
    (void)tools;
    char *const arguments[] = {(char *)(uintptr_t) "true", NULL};
    char *const environment[] = {NULL};
    execve("/bin/true", arguments, environment);
    return errno;
}

static int act_fork(const struct tools *tools)
{
    (void)tools;
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    return answer(child);
}

static int act_memfd(const struct tools *tools)
{
    (void)tools;
    return answer(memfd_create("probe", MFD_CLOEXEC));
}

static int act_map_code(const struct tools *tools)
{
    (void)tools;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? errno : 0;
}

static int act_protect_code(const struct tools *tools)
{
    (void)tools;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return errno;
    }
    return answer(mprotect(memory, 4096, PROT_READ | PROT_EXEC));
}

static int act_table_write(const struct tools *tools)
{
    return answer(write(tools->table, "x", 1));
}

static int act_table_map(const struct tools *tools)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, tools->table, 0);
    return memory == MAP_FAILED ? errno : 0;
}

static int act_table_reopen(const struct tools *tools)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", tools->table);
    return answer(open(path, O_RDWR | O_CLOEXEC));
}

static int act_table_chmod(const struct tools *tools)
{
    return answer(fchmod(tools->table, 0600));
}

static int act_table_cut(const struct tools *tools)
{
    return answer(ftruncate(tools->table, 0));
}

static int act_signal_parent(const struct tools *tools)
{
    return answer(kill(tools->parent, 0));
}

static int act_trace_parent(const struct tools *tools)
{
    return answer(ptrace(PTRACE_SEIZE, tools->parent, NULL, NULL));
}

static int act_read_parent(const struct tools *tools)
{
    char byte;
    struct iovec here = {&byte, 1};
    struct iovec there = {(void *)(uintptr_t)tools, 1};
    return answer(process_vm_readv(tools->parent, &here, 1, &there, 1, 0));
}

static int act_dumpable(const struct tools *tools)
{
    (void)tools;
    return answer(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int act_namespace(const struct tools *tools)
{
    (void)tools;
    return answer(unshare(CLONE_NEWUSER));
}

static int act_bpf(const struct tools *tools)
{
    (void)tools;
    return answer(syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, NULL, 0));
}

static int act_user(const struct tools *tools)
{
    (void)tools;
    return answer(setuid(0));
}

static int act_chdir(const struct tools *tools)
{
    (void)tools;
    return answer(chdir("/"));
}

static int act_limits(const struct tools *tools)
{
    (void)tools;
    struct rlimit limit = {4096, 4096};
    return answer(setrlimit(RLIMIT_CORE, &limit));
}

#define BIT(profile) (1U << SANDBOX_##profile)
enum {
    STORES = BIT(STORE) | BIT(STORE_NETWORK),
    FILES = STORES | BIT(WATCH),
    ALL = (1U << SANDBOX_PROFILE_COUNT) - 1,
};

static const struct act {
    const char *name;
    int (*run)(const struct tools *tools);
    unsigned forbidden;                         // profiles that may never do it
    enum { CALLS, FILES_TOO, PORTS_TOO } needs; // the call filter alone, or Landlock's files or ports as well
} acts[] = {
    {"open_read", act_open_read, ALL, FILES_TOO},
    {"open_write", act_open_write, ALL, FILES_TOO},
    {"open_own_folder", act_open_own, ALL & ~FILES, CALLS},
    {"socket", act_socket, ALL & ~BIT(STORE_NETWORK), CALLS},
    {"connect", act_connect, ALL & ~BIT(STORE_NETWORK), CALLS},
    {"connect_local", act_connect_local, ALL & ~BIT(STORE_NETWORK), CALLS},
    {"connect_other_port", act_connect_other, ALL, PORTS_TOO},
    {"datagram", act_datagram, ALL & ~BIT(STORE_NETWORK), CALLS},
    {"socket_raw", act_socket_raw, ALL, CALLS},
    {"socket_packet", act_socket_packet, ALL, CALLS},
    {"socket_audit", act_socket_audit, ALL, CALLS},
    {"read_names", act_read_names, ALL & ~BIT(STORE_NETWORK), FILES_TOO},
    {"bind", act_bind, ALL, PORTS_TOO},
    {"listen", act_listen, ALL, CALLS},
    {"stop_listener", act_stop_listener, ALL, CALLS},
    {"exec", act_exec, ALL, CALLS},
    {"fork", act_fork, ALL, CALLS},
    {"memfd", act_memfd, ALL, CALLS},
    {"map_code", act_map_code, ALL, CALLS},
    {"protect_code", act_protect_code, ALL, CALLS},
    {"table_write", act_table_write, ALL, CALLS},
    {"table_map_write", act_table_map, ALL, CALLS},
    {"table_reopen", act_table_reopen, ALL & ~FILES, CALLS}, // file profiles: another user and mode 0400
    {"table_chmod", act_table_chmod, ALL & ~STORES, CALLS},
    {"table_cut", act_table_cut, ALL, CALLS},
    {"signal_parent", act_signal_parent, ALL, CALLS},
    {"trace_parent", act_trace_parent, ALL, CALLS},
    {"read_parent_memory", act_read_parent, ALL, CALLS},
    {"dumpable", act_dumpable, ALL, CALLS},
    {"namespace", act_namespace, ALL, CALLS},
    {"bpf", act_bpf, ALL, CALLS},
    {"set_user", act_user, ALL, CALLS},
    {"change_folder", act_chdir, ALL, CALLS},
    {"raise_limits", act_limits, ALL, CALLS},
};

enum { PROBE_BROKEN = 3 };

static const char *own_dir(const struct sandbox_options *options)
{
    for (unsigned i = 0; i < options->dirs; i++) {
        if ((options->dir[i].rights & SANDBOX_WRITE) != 0) {
            return options->dir[i].path;
        }
    }
    return NULL;
}

// In the forked process: the errno travels by a pipe, since a sandboxed process may be killed at any point.
static void act_child(const struct act *act, struct tools *tools, enum sandbox_profile profile,
                      const struct sandbox_options *options, int out)
{
    struct sandbox_report report;
    tools->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tools->local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tools->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (tools->tcp < 0 || tools->local < 0 || tools->listener < 0 || listen(tools->listener, 1) != 0 ||
        !sandbox_enter(profile, options, &report)) {
        _exit(PROBE_BROKEN);
    }
    int error = act->run(tools);
    _exit(write(out, &error, sizeof error) == (ssize_t)sizeof error ? 0 : PROBE_BROKEN);
}

struct outcome {
    bool known;
    bool killed;
    int signal;
    int error;
};

static struct outcome act_try(const struct act *act, struct tools *tools, enum sandbox_profile profile,
                              const struct sandbox_options *options)
{
    struct outcome outcome = {0};
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return outcome;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        act_child(act, tools, profile, options, pipes[1]);
    }
    close(pipes[1]);
    bool answered = child > 0 && read(pipes[0], &outcome.error, sizeof outcome.error) == (ssize_t)sizeof(int);
    close(pipes[0]);
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child) {
        outcome.killed = WIFSIGNALED(status);
        outcome.signal = outcome.killed ? WTERMSIG(status) : 0;
        // An exec that worked answers nothing and leaves with 0.
        outcome.known = answered || outcome.killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return outcome;
}

static void outcome_print(const struct act *act, const struct outcome *outcome)
{
    if (outcome->killed) {
        printf("act=%s result=killed signal=SIG%s\n", act->name, sigabbrev_np(outcome->signal));
    } else if (outcome->error != 0) {
        printf("act=%s result=denied errno=%s\n", act->name, strerrorname_np(outcome->error));
    } else {
        printf("act=%s result=allowed\n", act->name);
    }
}

static int table_make(void)
{
    char path[64];
    int fd = memfd_create("probe-table", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 4096) != 0 || fchmod(fd, 0400) != 0) {
        return -1;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int table = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    return table;
}

// Enters the sandbox in a process of its own to tell which layers hold.
static bool report_find(enum sandbox_profile profile, const struct sandbox_options *options,
                        struct sandbox_report *report)
{
    struct sandbox_report *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(sandbox_enter(profile, options, shared) ? 0 : PROBE_BROKEN);
    }
    int status = -1;
    bool entered = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    *report = *shared;
    munmap(shared, sizeof *shared);
    return entered;
}

int sandbox_probe(enum sandbox_profile profile, const struct sandbox_options *options, int table)
{
    struct sandbox_report report;
    struct tools tools = {.table = table >= 0 ? table : table_make(), .own_dir = own_dir(options)};
    tools.port = options->ports > 0 ? options->port[0] : 9;
    tools.parent = getpid();
    bool entered = report_find(profile, options, &report);
    char text[128];
    sandbox_report_text(&report, text, sizeof text);
    printf("sandbox profile=%s %s\n", sandbox_profile_name(profile), text);
    if (!entered || tools.table < 0) {
        return PROBE_BROKEN;
    }
    int result = 0;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        struct outcome outcome = act_try(&acts[i], &tools, profile, options);
        if (!outcome.known) {
            printf("act=%s result=unknown\n", acts[i].name);
            return PROBE_BROKEN;
        }
        outcome_print(&acts[i], &outcome);
        bool forbidden = (acts[i].forbidden & (1U << profile)) != 0;
        bool network = profile == SANDBOX_STORE_NETWORK;
        bool held = report.calls && (report.landlock_files || acts[i].needs != FILES_TOO) &&
                    (report.landlock_network || !network || acts[i].needs != PORTS_TOO);
        if (forbidden && held && !outcome.killed && outcome.error == 0) {
            result = 1;
        }
    }
    return result;
}
