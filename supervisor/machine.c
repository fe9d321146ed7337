// SPDX-License-Identifier: ISC
// Reads processors and memory, and what control groups leave of them. Runs in the supervisor.
// Version 2 (one tree): cpu.max "QUOTA PERIOD" or "max PERIOD"; memory.max and memory.high, bytes or "max";
// memory.current; memory.stat. Version 1 (a tree for each controller): cpu.cfs_quota_us (-1: none) and
// cpu.cfs_period_us; memory.limit_in_bytes, memory.usage_in_bytes, memory.stat.
// A container may see only its own part of the tree, mounted as the root, while /proc/self/cgroup still says
// the path from outside: levels that are not there are passed over, and the root is always looked at.
#include "supervisor/machine.h"

#include "supervisor/proc.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, TEXT_SIZE = 8192 };

const struct machine_paths machine_paths_default = {"/proc/self/cgroup", "/sys/fs/cgroup", "/proc/meminfo",
                                                    "/proc/sys/kernel/threads-max", "/proc/loadavg"};

// The number at the start of FOLDER/NAME; `otherwise` when there is none ("max", "-1", no file).
static uint64_t file_number(const char *folder, const char *name, uint64_t otherwise)
{
    char path[PATH_SIZE + 64], text[64];
    uint64_t value = otherwise;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    struct view all = proc_file(path, text, sizeof text);
    struct view first = view_trim(view_cut(&all, '\n'));
    return view_to_u64(view_first(first, view_index(first, ' ')), &value) ? value : otherwise;
}

// The number after a word at the start of a line.
static uint64_t line_number(struct view text, struct view word, uint64_t otherwise)
{
    while (text.size > 0) {
        struct view line = view_cut(&text, '\n');
        if (view_starts_with(line, word)) {
            uint64_t value;
            struct view rest = view_trim(view_from(line, word.size));
            return view_to_u64(view_first(rest, view_index(rest, ' ')), &value) ? value : otherwise;
        }
    }
    return otherwise;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// ---- one level of a tree ----

static void cpu_2(struct machine *machine, const char *folder)
{
    char path[PATH_SIZE + 64], text[64];
    uint64_t quota, period;
    (void)snprintf(path, sizeof path, "%s/cpu.max", folder);
    struct view rest = proc_file(path, text, sizeof text);
    rest = view_trim(view_cut(&rest, '\n'));
    struct view first = view_cut(&rest, ' ');
    if (view_to_u64(first, &quota) && view_to_u64(view_trim(rest), &period) && period > 0 &&
        quota < UINT64_MAX / 1000) {
        machine->cpu_milli = least(machine->cpu_milli, quota * 1000 / period);
    }
}

static void cpu_1(struct machine *machine, const char *folder)
{
    uint64_t quota = file_number(folder, "cpu.cfs_quota_us", 0);
    uint64_t period = file_number(folder, "cpu.cfs_period_us", 0);
    if (quota > 0 && period > 0 && quota < UINT64_MAX / 1000) {
        machine->cpu_milli = least(machine->cpu_milli, quota * 1000 / period);
    }
}

// Pages of files that were not used lately are given back before anything is killed.
static void memory_level(struct machine *machine, const char *folder, uint64_t limit, const char *current,
                         struct view inactive)
{
    char path[PATH_SIZE + 64], text[TEXT_SIZE];
    if (limit >= machine->memory_total && machine->memory_total > 0) {
        return; // version 1 says "none" by a huge number
    }
    uint64_t used = file_number(folder, current, 0);
    (void)snprintf(path, sizeof path, "%s/memory.stat", folder);
    uint64_t back = line_number(proc_file(path, text, sizeof text), inactive, 0);
    used -= least(used, back);
    machine->memory_limit = least(machine->memory_limit, limit);
    machine->memory_free = least(machine->memory_free, limit - least(limit, used));
}

static void memory_2(struct machine *machine, const char *folder)
{
    uint64_t limit = least(file_number(folder, "memory.max", MACHINE_NO_LIMIT),
                           file_number(folder, "memory.high", MACHINE_NO_LIMIT));
    memory_level(machine, folder, limit, "memory.current", VIEW("inactive_file "));
}

static void memory_1(struct machine *machine, const char *folder)
{
    uint64_t limit = file_number(folder, "memory.limit_in_bytes", MACHINE_NO_LIMIT);
    memory_level(machine, folder, limit, "memory.usage_in_bytes", VIEW("total_inactive_file "));
}

// Of several levels the fullest counts.
static void threads_level(struct machine *machine, uint64_t used, uint64_t limit)
{
    bool fuller = machine->threads_limit == MACHINE_NO_LIMIT ||
                  (double)used / (double)limit > (double)machine->threads / (double)machine->threads_limit;
    if (limit > 0 && limit != MACHINE_NO_LIMIT && fuller) {
        machine->threads = used;
        machine->threads_limit = limit;
    }
}

static void threads_group(struct machine *machine, const char *folder)
{
    threads_level(machine, file_number(folder, "pids.current", 0),
                  file_number(folder, "pids.max", MACHINE_NO_LIMIT));
}

// /proc/loadavg: "0.20 0.18 0.12 1/80 11206", the fourth: threads that want to run, and all.
static void read_threads(struct machine *machine, const struct machine_paths *paths)
{
    char text[128];
    uint64_t limit, used = 0;
    struct view rest = proc_file(paths->threads_max, text, sizeof text);
    if (!view_to_u64(view_trim(view_cut(&rest, '\n')), &limit)) {
        return;
    }
    rest = proc_file(paths->load, text, sizeof text);
    (void)view_cut(&rest, '/');
    if (view_to_u64(view_cut(&rest, ' '), &used)) {
        threads_level(machine, used, limit);
    }
}

// ---- trees ----

typedef void (*level)(struct machine *machine, const char *folder);

// From ROOT/PATH up to ROOT.
static void climb(struct machine *machine, const char *root, struct view path, level read)
{
    char folder[PATH_SIZE];
    size_t root_size = strlen(root);
    int size = snprintf(folder, sizeof folder, "%s%.*s", root, (int)path.size, (const char *)path.data);
    if (size < 0 || (size_t)size >= sizeof folder) {
        return;
    }
    for (;;) {
        read(machine, folder);
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= root_size || slash == NULL) {
            return;
        }
        *slash = '\0';
        if (strlen(folder) < root_size) {
            return;
        }
    }
}

static bool names(struct view controllers, struct view wanted)
{
    while (controllers.size > 0) {
        if (view_equal(view_cut(&controllers, ','), wanted)) {
            return true;
        }
    }
    return false;
}

// "cpu,cpuacct" is mounted under that name, and often linked as "cpu".
static void climb_1(struct machine *machine, const char *groups, struct view controllers, struct view path)
{
    char root[PATH_SIZE];
    if (names(controllers, VIEW("cpu"))) {
        (void)snprintf(root, sizeof root, "%s/%.*s", groups, (int)controllers.size,
                       (const char *)controllers.data);
        climb(machine, root, path, cpu_1);
        (void)snprintf(root, sizeof root, "%s/cpu", groups);
        climb(machine, root, path, cpu_1);
    }
    if (names(controllers, VIEW("memory"))) {
        (void)snprintf(root, sizeof root, "%s/memory", groups);
        climb(machine, root, path, memory_1);
    }
    if (names(controllers, VIEW("pids"))) {
        (void)snprintf(root, sizeof root, "%s/pids", groups);
        climb(machine, root, path, threads_group);
    }
}

// Lines "HIERARCHY:CONTROLLERS:PATH"; version 2 has hierarchy 0 and no controllers.
static void read_groups(struct machine *machine, const struct machine_paths *paths)
{
    char text[TEXT_SIZE], unified[PATH_SIZE];
    struct view lines = proc_file(paths->own, text, sizeof text);
    while (lines.size > 0) {
        struct view path = view_cut(&lines, '\n');
        struct view number = view_cut(&path, ':');
        struct view controllers = view_cut(&path, ':');
        path = view_equal(path, VIEW("/")) ? VIEW("") : path;
        if (view_equal(number, VIEW("0"))) {
            climb(machine, paths->groups, path, cpu_2);
            climb(machine, paths->groups, path, memory_2);
            climb(machine, paths->groups, path, threads_group);
            (void)snprintf(unified, sizeof unified, "%s/unified", paths->groups);
            climb(machine, unified, path, cpu_2);
        } else {
            climb_1(machine, paths->groups, controllers, path);
        }
    }
}

static unsigned affinity_now(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

void machine_read(struct machine *machine, const struct machine_paths *paths, unsigned affinity)
{
    char text[TEXT_SIZE];
    *machine = (struct machine){.affinity = affinity > 0 ? affinity : affinity_now(),
                                .cpu_milli = MACHINE_NO_LIMIT,
                                .memory_limit = MACHINE_NO_LIMIT,
                                .threads_limit = MACHINE_NO_LIMIT};
    struct view meminfo = proc_file(paths->meminfo, text, sizeof text);
    machine->memory_total = line_number(meminfo, VIEW("MemTotal:"), 0) * 1024;
    machine->memory_free = line_number(meminfo, VIEW("MemAvailable:"), machine->memory_total / 1024) * 1024;
    read_groups(machine, paths);
    if (paths->threads_max != NULL) {
        read_threads(machine, paths);
    }
    machine->memory =
        least(machine->memory_total > 0 ? machine->memory_total : MACHINE_NO_LIMIT, machine->memory_limit);
    // Half a processor and more is worth a worker of its own; less would only slow the others down.
    uint64_t allowed =
        machine->cpu_milli == MACHINE_NO_LIMIT ? machine->affinity : (machine->cpu_milli + 500) / 1000;
    allowed = least(allowed, machine->affinity);
    machine->processors = allowed > 0 ? (unsigned)allowed : 1;
}
