// SPDX-License-Identifier: ISC
// Reads /proc/PID/stat of every process (proc(5)). Runs in the supervisor.
// 1. A process that is new since the look before has spent all its time since; one that is gone is not seen.
// 2. Processes of one name are one program.
#include "supervisor/programs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { NAMES_MAX = 64 };

struct use_of { // one name
    char name[PROC_NAME_SIZE];
    uint64_t ticks, most;
    unsigned processes;
    int pid;
};

struct look {
    struct programs *programs;
    const struct programs_ask *ask;
    struct use_of use[NAMES_MAX];
    unsigned names;
};

static bool serves_databases(const char *name)
{
    static const char *const names[] = {"postgres", "postmaster", "pgbouncer", "pgcat", "odyssey", "pgpool"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_own(const int *own, int pid)
{
    while (*own != 0 && *own != pid) {
        own++;
    }
    return *own != 0;
}

static int by_pid(const void *one, const void *other)
{
    const struct programs_spent *a = one, *b = other;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

static uint64_t spent_since(const struct programs *programs, const struct programs_spent *now)
{
    const struct programs_spent *before =
        programs->count_before == 0
            ? NULL
            : bsearch(now, programs->before, programs->count_before, sizeof *now, by_pid);
    if (before == NULL && programs->count_before == PROGRAMS_MAX) {
        return 0; // it may only not have been looked at
    }
    bool same = before != NULL && before->started == now->started && before->ticks <= now->ticks;
    return same ? now->ticks - before->ticks : now->ticks;
}

static void add(struct look *look, const struct proc_process *process, uint64_t ticks)
{
    unsigned i = 0;
    while (i < look->names && strcmp(look->use[i].name, process->name) != 0) {
        i++;
    }
    if (i == NAMES_MAX) {
        return;
    }
    struct use_of *use = &look->use[i];
    if (i == look->names) {
        look->names++;
        *use = (struct use_of){0};
        memcpy(use->name, process->name, sizeof use->name);
    }
    use->ticks += ticks;
    use->processes++;
    if (ticks > use->most) {
        use->most = ticks;
        use->pid = process->pid;
    }
}

static void look_at(struct look *look, int folder, const char *name)
{
    char path[32], text[1024];
    struct proc_process process;
    struct programs *programs = look->programs;
    snprintf(path, sizeof path, "%.12s/stat", name);
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (got <= 0 || !proc_process_parse(view_of(text, (size_t)got), &process) ||
        is_own(look->ask->own, process.pid)) {
        return;
    }
    struct programs_spent *now = &programs->spent[programs->count++];
    *now = (struct programs_spent){process.pid, process.started, process.ticks};
    bool here = process.processor >= CPU_SETSIZE || CPU_ISSET(process.processor, look->ask->processors);
    uint64_t ticks = here && programs->looked_ns != 0 ? spent_since(programs, now) : 0;
    if (ticks > 0) {
        add(look, &process, ticks);
    }
}

static void sum_up(const struct look *look, struct programs_use *use)
{
    uint64_t passed_ns = look->ask->now_ns - look->programs->looked_ns;
    uint64_t tick_ns = 1000000000U / (uint64_t)sysconf(_SC_CLK_TCK);
    *use = (struct programs_use){0};
    for (unsigned i = 0; i < look->names; i++) {
        const struct use_of *of = &look->use[i];
        uint64_t thousandths = of->ticks * tick_ns * 1000 / passed_ns;
        if (look->ask->database_here && serves_databases(of->name)) {
            use->database += thousandths;
        } else if (thousandths > use->busiest) {
            use->busiest = thousandths;
            use->processes = of->processes;
            use->pid = of->pid;
            memcpy(use->name, of->name, sizeof use->name);
        }
    }
}

static bool make_room(struct programs *programs)
{
    if (programs->spent == NULL) {
        programs->spent = calloc(PROGRAMS_MAX, sizeof *programs->spent);
    }
    if (programs->before == NULL) {
        programs->before = calloc(PROGRAMS_MAX, sizeof *programs->before);
    }
    return programs->spent != NULL && programs->before != NULL;
}

bool programs_look(struct programs *programs, const struct programs_ask *ask, struct programs_use *use)
{
    static struct look look; // 3 KB
    DIR *list = opendir(ask->folder);
    if (list == NULL || !make_room(programs)) {
        programs_forget(programs);
        if (list != NULL) {
            closedir(list);
        }
        return false;
    }
    struct programs_spent *spare = programs->before;
    programs->before = programs->spent;
    programs->count_before = programs->looked_ns == 0 ? 0 : programs->count;
    programs->spent = spare;
    programs->count = 0;
    look = (struct look){.programs = programs, .ask = ask};
    const struct dirent *entry;
    while (programs->count < PROGRAMS_MAX && (entry = readdir(list)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
            look_at(&look, dirfd(list), entry->d_name);
        }
    }
    closedir(list);
    qsort(programs->spent, programs->count, sizeof *programs->spent, by_pid);
    bool comparable = programs->looked_ns != 0 && ask->now_ns > programs->looked_ns && programs->count > 0;
    if (comparable) {
        sum_up(&look, use);
    }
    programs->looked_ns = ask->now_ns;
    return comparable;
}

void programs_forget(struct programs *programs)
{
    programs->looked_ns = 0;
}

void programs_release(struct programs *programs)
{
    free(programs->spent);
    free(programs->before);
    *programs = (struct programs){0};
}
