// SPDX-License-Identifier: ISC
// The sandbox a process enters once, before it reads anything from the network, and never leaves: no new
// privileges, Landlock (files, TCP, signals), an allow-list of system calls, no core dumps, not traceable,
// few descriptors. Used by every child of the supervisor, in the same way by its `--sandbox-probe`. Owns
// nothing.
//
// Best effort: a kernel without Landlock or seccomp leaves that layer out; the report says which hold, and
// the log repeats it. A refused system call returns EPERM; one that no honest code path of any role could
// make (exec, ptrace, another process's memory, bpf, mount, modules, keyrings, ...) kills the process.
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include "base/bytes.h"

enum sandbox_profile {
    SANDBOX_FRONT,         // talks on sockets it accepts; no files, no new sockets, new memory is anonymous
    SANDBOX_CORE,          // accepts on its control socket, grows the shared tables; no files
    SANDBOX_STORE,         // files of its folder; no sockets
    SANDBOX_STORE_NETWORK, // also connects: TCP to the ports of the options, Unix sockets; UDP for look-ups
    SANDBOX_HASH,          // memory and processor time only
    SANDBOX_KEY,           // memory only: its folder was read before
    SANDBOX_WATCH,         // accepts on the ops listener; files of the incident folder
    SANDBOX_PROFILE_COUNT
};

enum sandbox_rights {
    SANDBOX_READ = 1,  // open for reading, list
    SANDBOX_WRITE = 2, // also create, write, cut, rename inside, remove
};

struct sandbox_dir {
    const char *path; // relative to the working folder at the time of sandbox_restrict
    enum sandbox_rights rights;
};

enum { SANDBOX_DIRS_MAX = 16, SANDBOX_PORTS_MAX = 12 };

struct sandbox_options {
    struct sandbox_dir dir[SANDBOX_DIRS_MAX];
    unsigned dirs;
    uint16_t port[SANDBOX_PORTS_MAX]; // STORE_NETWORK: where it may connect by TCP (Landlock ABI 4)
    unsigned ports;
    unsigned descriptors_max; // RLIMIT_NOFILE; 0 leaves it
};

// Which layers hold. Values are plain; errno values are 0 where nothing failed.
struct sandbox_report {
    bool no_new_privileges;
    bool undumpable;
    int landlock_abi; // 0: the kernel has none
    bool landlock_files;
    bool landlock_network; // ABI 4
    bool landlock_scope;   // ABI 6: signals and abstract sockets
    int landlock_errno;
    bool calls; // the system call filter
    int calls_errno;
};

// Enters in two steps, so that a process with threads can start them between: Landlock holds for the calling
// thread and those it starts later; the filter is then put on all threads. Step 1: limits, no new privileges,
// Landlock. False only when a layer that this kernel has could not be entered.
[[nodiscard]] bool sandbox_restrict(enum sandbox_profile profile, const struct sandbox_options *options,
                                    struct sandbox_report *report);
// Step 2: the system call filter.
[[nodiscard]] bool sandbox_filter(enum sandbox_profile profile, struct sandbox_report *report);
// Both.
[[nodiscard]] bool sandbox_enter(enum sandbox_profile profile, const struct sandbox_options *options,
                                 struct sandbox_report *report);

const char *sandbox_profile_name(enum sandbox_profile profile);
// One line for the log, e.g. "landlock=7(files,tcp,scope) calls=filtered"; always ends with NUL.
void sandbox_report_text(const struct sandbox_report *report, char *text, size_t size);

#endif
