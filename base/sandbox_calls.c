// SPDX-License-Identifier: ISC
// The system call filter: one table that says which call which profile may make. Runs in every child.
// Why so: the kernel keeps a bitmap of the calls that a filter allows whatever their arguments are, so that
// these cost next to nothing. Calls of the hot path (recvfrom, sendto, epoll_wait, accept4) therefore have no
// argument conditions. newfstatat and statx take a path that a filter cannot look at: only profiles that own
// files have them, and core for fstat on its tables.
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) ||     \
    __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

#define BIT(profile) (1U << SANDBOX_##profile)
enum {
    STORES = BIT(STORE) | BIT(STORE_NETWORK),
    FILES = STORES | BIT(WATCH),
    ACCEPTS = BIT(FRONT) | BIT(CORE) | BIT(WATCH),
    ALL = (1U << SANDBOX_PROFILE_COUNT) - 1,
};

struct call {
    int number;
    unsigned profiles;
};

#define CALL(name, profiles)                                                                                 \
    {                                                                                                        \
        SCMP_SYS(name), profiles                                                                             \
    }

static const struct call calls_allowed[] = {
    // Messages, log, event loop.
    CALL(read, ALL),
    CALL(write, ALL),
    CALL(readv, ALL),
    CALL(writev, ALL),
    CALL(recvfrom, ALL),
    CALL(recvmsg, ALL),
    CALL(sendto, ALL),
    CALL(sendmsg, ALL),
    CALL(close, ALL),
    CALL(fcntl, ALL),
    CALL(getsockopt, ALL),
    CALL(getsockname, ALL),
    CALL(getpeername, ALL),
    CALL(epoll_create1, ALL),
    CALL(epoll_ctl, ALL),
    CALL(epoll_wait, ALL),
    CALL(epoll_pwait, ALL),
    CALL(poll, ALL),
    CALL(ppoll, ALL),
    CALL(eventfd2, ALL),
    CALL(timerfd_create, ALL),
    CALL(timerfd_settime, ALL),
    // Time, randomness, waiting.
    CALL(clock_gettime, ALL),
    CALL(clock_getres, ALL),
    CALL(gettimeofday, ALL),
    CALL(time, ALL),
    CALL(nanosleep, ALL),
    CALL(clock_nanosleep, ALL),
    CALL(getrandom, ALL),
    CALL(futex, ALL),
    CALL(sched_yield, ALL),
    CALL(restart_syscall, ALL),
    // Memory and threads that exist. mmap and mprotect: below.
    CALL(brk, ALL),
    CALL(munmap, ALL),
    CALL(mremap, ALL),
    CALL(madvise, ALL),
    CALL(mlock, BIT(HASH) | BIT(KEY)),
    CALL(munlock, BIT(HASH) | BIT(KEY)),
    CALL(rseq, ALL),
    CALL(set_robust_list, ALL),
    CALL(membarrier, ALL),
    CALL(exit, ALL),
    CALL(exit_group, ALL),
    // Signals that arrive; sending: below.
    CALL(rt_sigreturn, ALL),
    CALL(rt_sigprocmask, ALL),
    CALL(sigaltstack, ALL),
    // Who am I.
    CALL(getpid, ALL),
    CALL(gettid, ALL),
    CALL(getppid, ALL),
    CALL(getuid, ALL),
    CALL(geteuid, ALL),
    CALL(getgid, ALL),
    CALL(getegid, ALL),
    CALL(uname, ALL),
    CALL(sysinfo, ALL),
    // Connections. setsockopt: below.
    CALL(accept4, ACCEPTS),
    CALL(accept, ACCEPTS),
    // The shared tables; the lists of passwords.
    CALL(fallocate, BIT(CORE) | STORES),
    CALL(newfstatat, BIT(CORE) | BIT(HASH) | FILES),
    CALL(fstat, BIT(CORE) | BIT(HASH) | FILES),
    // Files of a folder of one's own.
    CALL(open, FILES),
    CALL(openat, FILES),
    CALL(stat, FILES),
    CALL(lstat, FILES),
    CALL(statx, FILES),
    CALL(statfs, FILES),
    CALL(fstatfs, FILES),
    CALL(access, FILES),
    CALL(faccessat, FILES),
    CALL(faccessat2, FILES),
    CALL(readlink, FILES),
    CALL(readlinkat, FILES),
    CALL(getcwd, FILES),
    CALL(getdents64, FILES),
    CALL(lseek, FILES),
    CALL(pread64, BIT(HASH) | FILES), // hash: its lists of passwords, by descriptors that it was given
    CALL(pwrite64, FILES),
    CALL(preadv, FILES),
    CALL(pwritev, FILES),
    CALL(fsync, FILES),
    CALL(fdatasync, FILES),
    CALL(sync_file_range, FILES),
    CALL(ftruncate, FILES),
    CALL(fchmod, STORES),
    CALL(fchown, STORES),
    CALL(umask, FILES),
    CALL(unlink, FILES),
    CALL(unlinkat, FILES),
    CALL(rename, FILES),
    CALL(renameat, FILES),
    CALL(renameat2, FILES),
    CALL(mkdir, FILES),
    CALL(mkdirat, FILES),
    CALL(rmdir, FILES),
    CALL(flock, FILES),
    CALL(utimensat, FILES),
    CALL(dup, FILES),
    // A database over the network: sockets, name look-ups.
    // socket, setsockopt and ioctl: below. bind: the C library asks the kernel for its addresses over
    // netlink.
    CALL(connect, BIT(STORE_NETWORK)),
    CALL(bind, BIT(STORE_NETWORK)),
    CALL(sendmmsg, BIT(STORE_NETWORK)), // also for messages, many at once
    CALL(recvmmsg, BIT(STORE_NETWORK)),
};

// What the run-time libraries of the sanitizers call on their own. Still no files and no processes.
static const struct call calls_sanitized[] = {
    CALL(rt_sigaction, ALL), CALL(sched_getaffinity, ALL), CALL(prlimit64, ALL),       CALL(getrlimit, ALL),
    CALL(getrusage, ALL),    CALL(rt_sigpending, ALL),     CALL(rt_sigtimedwait, ALL), CALL(mincore, ALL),
};

// No honest path of any role leads here: whoever calls these has been taken over, and dies at once. Calls
// that a library may try and do without (open, socket, clone, ioctl, ...) are refused with EPERM instead.
static const int calls_hostile[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(syslog),
};

static const int options_tcp[] = {TCP_NODELAY, TCP_CORK, TCP_QUICKACK, TCP_USER_TIMEOUT};
static const int options_socket[] = {SO_LINGER, SO_KEEPALIVE, SO_RCVBUF,
                                     SO_SNDBUF, SO_RCVLOWAT,  SO_BUSY_POLL};

// A call that this architecture does not have is left out.
static int rule_add(scmp_filter_ctx filter, uint32_t action, int call, unsigned count,
                    const struct scmp_arg_cmp *conditions)
{
    if (call < 0) {
        return 0;
    }
    int failed = seccomp_rule_add_array(filter, action, call, count, conditions);
    return failed == -EDOM ? 0 : failed;
}

static int rules_plain(scmp_filter_ctx filter, enum sandbox_profile profile, const struct call *calls,
                       size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++) {
        if ((calls[i].profiles & (1U << profile)) != 0) {
            failed = rule_add(filter, SCMP_ACT_ALLOW, calls[i].number, 0, NULL);
        }
    }
    return failed;
}

static int rules_hostile(scmp_filter_ctx filter)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof calls_hostile / sizeof calls_hostile[0] && failed == 0; i++) {
        failed = rule_add(filter, SCMP_ACT_KILL_PROCESS, calls_hostile[i], 0, NULL);
    }
    return failed;
}

// Memory never becomes executable. Front maps no descriptor at all: its tables were mapped before.
static int rules_memory(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp map[] = {no_code, SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS)};
    unsigned conditions = profile == SANDBOX_FRONT && !SANITIZED ? 2 : 1;
    int failed = rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), conditions, map);
    return failed != 0 ? failed : rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code);
}

// A process may end itself by a signal (abort, the crash handler), nobody else.
static int rules_signals(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp self = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    return rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
}

static int rules_options(scmp_filter_ctx filter, int level, const int *options, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++) {
        const struct scmp_arg_cmp condition[] = {SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)level),
                                                 SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)options[i])};
        failed = rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, condition);
    }
    return failed;
}

// Only the sending side: reading shut on a listening socket would stop it for all fronts, and leave a socket
// that MSG_FASTOPEN connects to anywhere without a call of connect.
static int rules_shutdown(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp sending = SCMP_A1(SCMP_CMP_EQ, SHUT_WR);
    return rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(shutdown), 1, &sending);
}

static int rules_sockets(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    if (((1U << profile) & ACCEPTS) == 0) {
        return 0;
    }
    int failed = rules_options(filter, IPPROTO_TCP, options_tcp, sizeof options_tcp / sizeof options_tcp[0]);
    return failed != 0 ? failed
                       : rules_options(filter, SOL_SOCKET, options_socket,
                                       sizeof options_socket / sizeof options_socket[0]);
}

// Streams to a server, datagrams to a name server, the one question about addresses to the kernel.
static const struct {
    int domain, type;
    int protocol; // -1: any
} sockets_network[] = {
    {AF_INET, SOCK_STREAM, -1}, {AF_INET6, SOCK_STREAM, -1}, {AF_INET, SOCK_DGRAM, -1},
    {AF_INET6, SOCK_DGRAM, -1}, {AF_UNIX, SOCK_STREAM, 0},   {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
};

static const struct {
    int level, option;
} options_network[] = {
    {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_KEEPIDLE},     {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_USER_TIMEOUT}, {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},    {SOL_SOCKET, SO_SNDBUF},         {SOL_SOCKET, SO_RCVBUF},
    {IPPROTO_IP, IP_RECVERR},   {IPPROTO_IPV6, IPV6_RECVERR},
};

static int rules_network(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    const scmp_datum_t kind = ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
    const struct scmp_arg_cmp waiting = SCMP_A1(SCMP_CMP_EQ, FIONREAD);
    if (profile != SANDBOX_STORE_NETWORK) {
        return 0;
    }
    int failed = rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, &waiting);
    for (size_t i = 0; i < sizeof sockets_network / sizeof sockets_network[0] && failed == 0; i++) {
        const struct scmp_arg_cmp condition[] = {
            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sockets_network[i].domain),
            SCMP_A1(SCMP_CMP_MASKED_EQ, kind, (scmp_datum_t)sockets_network[i].type),
            SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)sockets_network[i].protocol)};
        failed = rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), sockets_network[i].protocol < 0 ? 2 : 3,
                          condition);
    }
    for (size_t i = 0; i < sizeof options_network / sizeof options_network[0] && failed == 0; i++) {
        failed = rules_options(filter, options_network[i].level, &options_network[i].option, 1);
    }
    return failed;
}

static int rules_add(scmp_filter_ctx filter, enum sandbox_profile profile)
{
    int failed = rules_plain(filter, profile, calls_allowed, sizeof calls_allowed / sizeof calls_allowed[0]);
    if (failed == 0 && SANITIZED) {
        failed =
            rules_plain(filter, profile, calls_sanitized, sizeof calls_sanitized / sizeof calls_sanitized[0]);
    }
    failed = failed != 0 ? failed : rules_hostile(filter);
    failed = failed != 0 ? failed : rules_memory(filter, profile);
    failed = failed != 0 ? failed : rules_signals(filter);
    failed = failed != 0 ? failed : rules_shutdown(filter);
    failed = failed != 0 ? failed : rules_network(filter, profile);
    return failed != 0 ? failed : rules_sockets(filter, profile);
}

bool sandbox_filter(enum sandbox_profile profile, struct sandbox_report *report)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NPROC, &none);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL) {
        report->calls_errno = ENOMEM;
        return false;
    }
    int failed = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    failed = failed != 0 ? failed : seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    failed = failed != 0 ? failed : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    failed = failed != 0 ? failed : rules_add(filter, profile);
    failed = failed != 0 ? failed : seccomp_load(filter);
    seccomp_release(filter);
    report->calls = failed == 0;
    report->calls_errno = -failed;
    return failed == 0 || failed == -ENOSYS || failed == -EINVAL;
}
