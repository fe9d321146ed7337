// SPDX-License-Identifier: ISC
// Entering the sandbox: limits, no new privileges, Landlock. Runs in every child. The call filter is in
// sandbox_calls.c.
// Landlock is spoken to by raw system calls, and its constants are spelled out here, because the kernel
// headers of Debian 12 end at ABI 2 while the running kernel may know more: every right the kernel knows is
// taken away.
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LANDLOCK_RULE_PATH = 1, LANDLOCK_RULE_PORT = 2, LANDLOCK_QUERY_VERSION = 1 };

// Rights over files, with the ABI that brought them.
#define FS_EXECUTE     (1ULL << 0)
#define FS_WRITE_FILE  (1ULL << 1)
#define FS_READ_FILE   (1ULL << 2)
#define FS_READ_DIR    (1ULL << 3)
#define FS_REMOVE_DIR  (1ULL << 4)
#define FS_REMOVE_FILE (1ULL << 5)
#define FS_MAKE_DIR    (1ULL << 7)
#define FS_MAKE_REG    (1ULL << 8)
#define FS_ABI_1       ((1ULL << 13) - 1)
#define FS_REFER       (1ULL << 13) // ABI 2
#define FS_TRUNCATE    (1ULL << 14) // ABI 3
#define FS_IOCTL_DEV   (1ULL << 15) // ABI 5
#define FS_OF_A_FILE   (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define NET_BIND       (1ULL << 0) // ABI 4
#define NET_CONNECT    (1ULL << 1)
#define SCOPE_SOCKETS  (1ULL << 0) // ABI 6
#define SCOPE_SIGNALS  (1ULL << 1)

struct landlock_rules {
    uint64_t files;
    uint64_t network;
    uint64_t scope;
};

struct landlock_path {
    uint64_t rights;
    int32_t fd;
} __attribute__((packed));

struct landlock_port {
    uint64_t rights;
    uint64_t port;
};

static int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_QUERY_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static struct landlock_rules landlock_rules(int abi)
{
    struct landlock_rules rules = {.files = FS_ABI_1};
    rules.files |= abi >= 2 ? FS_REFER : 0;
    rules.files |= abi >= 3 ? FS_TRUNCATE : 0;
    rules.files |= abi >= 5 ? FS_IOCTL_DEV : 0;
    rules.network = abi >= 4 ? NET_BIND | NET_CONNECT : 0;
    if (abi >= 6) {
        rules.scope = SCOPE_SOCKETS | SCOPE_SIGNALS;
    }
    return rules;
}

static size_t landlock_rules_size(int abi)
{
    if (abi >= 6) {
        return sizeof(struct landlock_rules);
    }
    return abi >= 4 ? offsetof(struct landlock_rules, scope) : offsetof(struct landlock_rules, network);
}

static uint64_t landlock_rights(enum sandbox_rights rights)
{
    uint64_t mask = 0;
    if ((rights & SANDBOX_READ) != 0) {
        mask |= FS_READ_FILE | FS_READ_DIR;
    }
    if ((rights & SANDBOX_WRITE) != 0) {
        mask |= FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_TRUNCATE;
    }
    return mask;
}

// A folder or file that does not exist needs no right.
static bool landlock_allow(int ruleset, const struct sandbox_dir *dir, uint64_t handled)
{
    int fd = open(dir->path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT;
    }
    struct stat status;
    bool allowed = false;
    if (fstat(fd, &status) == 0) {
        struct landlock_path rule = {.rights = landlock_rights(dir->rights) & handled, .fd = fd};
        if (!S_ISDIR(status.st_mode)) {
            rule.rights &= FS_OF_A_FILE;
        }
        allowed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH, &rule, 0) == 0;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return allowed;
}

static bool landlock_allow_port(int ruleset, uint16_t port)
{
    struct landlock_port rule = {.rights = NET_CONNECT, .port = port};
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PORT, &rule, 0) == 0;
}

// The network is for the one profile that has one.
static bool landlock_allow_all(int ruleset, enum sandbox_profile profile,
                               const struct sandbox_options *options, const struct landlock_rules *rules)
{
    bool allowed = true;
    for (unsigned i = 0; allowed && i < options->dirs; i++) {
        allowed = landlock_allow(ruleset, &options->dir[i], rules->files);
    }
    if (profile == SANDBOX_STORE_NETWORK && rules->network != 0) {
        for (unsigned i = 0; allowed && i < options->ports; i++) {
            allowed = landlock_allow_port(ruleset, options->port[i]);
        }
    }
    return allowed;
}

static bool landlock_enter(enum sandbox_profile profile, const struct sandbox_options *options,
                           struct sandbox_report *report)
{
    report->landlock_abi = landlock_abi();
    if (report->landlock_abi == 0) {
        report->landlock_errno = errno;
        return errno == ENOSYS || errno == EOPNOTSUPP;
    }
    struct landlock_rules rules = landlock_rules(report->landlock_abi);
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &rules, landlock_rules_size(report->landlock_abi), 0);
    bool entered = ruleset >= 0 && landlock_allow_all(ruleset, profile, options, &rules);
    entered = entered && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    report->landlock_errno = entered ? 0 : errno;
    if (ruleset >= 0) {
        close(ruleset);
    }
    report->landlock_files = entered;
    report->landlock_network = entered && rules.network != 0;
    report->landlock_scope = entered && rules.scope != 0;
    return entered;
}

static void limit(int resource, rlim_t value)
{
    struct rlimit old;
    if (getrlimit((__rlimit_resource_t)resource, &old) != 0) {
        return;
    }
    struct rlimit new = {.rlim_cur = value, .rlim_max = value};
    if (value > old.rlim_max) {
        new.rlim_cur = new.rlim_max = old.rlim_max;
    }
    setrlimit((__rlimit_resource_t)resource, &new);
}

bool sandbox_restrict(enum sandbox_profile profile, const struct sandbox_options *options,
                      struct sandbox_report *report)
{
    *report = (struct sandbox_report){0};
    limit(RLIMIT_CORE, 0);
    if (options->descriptors_max != 0) {
        limit(RLIMIT_NOFILE, options->descriptors_max);
    }
    report->undumpable = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
    report->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    return report->no_new_privileges && landlock_enter(profile, options, report);
}

bool sandbox_enter(enum sandbox_profile profile, const struct sandbox_options *options,
                   struct sandbox_report *report)
{
    return sandbox_restrict(profile, options, report) && sandbox_filter(profile, report);
}

const char *sandbox_profile_name(enum sandbox_profile profile)
{
    static const char *const name[SANDBOX_PROFILE_COUNT] = {"front", "core", "store", "store-network",
                                                            "hash",  "key",  "watch"};
    return profile < SANDBOX_PROFILE_COUNT ? name[profile] : "?";
}

void sandbox_report_text(const struct sandbox_report *report, char *text, size_t size)
{
    const char *files = report->landlock_files ? "files" : "off";
    const char *network = report->landlock_network ? ",tcp" : "";
    const char *scope = report->landlock_scope ? ",scope" : "";
    snprintf(text, size, "landlock=%d(%s%s%s) calls=%s", report->landlock_abi, files, network, scope,
             report->calls ? "filtered" : "open");
}
