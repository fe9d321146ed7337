// SPDX-License-Identifier: ISC
// Reads /proc (proc(5)). Runs in the supervisor.
#include "supervisor/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct view proc_file(const char *path, char *text, size_t size)
{
    size_t used = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && got > 0 && used < size) {
        got = read(fd, text + used, size - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return view_of(text, used);
}

// The next number of a line, words between them skipped; false at its end.
static bool next_number(struct view *line, uint64_t *number)
{
    while (line->size > 0) {
        while (line->size > 0 && (line->data[0] == ' ' || line->data[0] == '\t')) {
            *line = view_from(*line, 1);
        }
        size_t end = 0;
        while (end < line->size && line->data[end] != ' ' && line->data[end] != '\t') {
            end++;
        }
        struct view word = view_first(*line, end);
        *line = view_from(*line, end);
        if (word.size > 0 && view_to_u64(word, number)) {
            return true;
        }
    }
    return false;
}

// "cpuN user nice system idle iowait irq softirq steal ..."; guests are in user already.
static void ticks_add(struct view line, struct proc_ticks *ticks)
{
    enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
    uint64_t field[FIELDS] = {0};
    for (unsigned i = 0; i < FIELDS && next_number(&line, &field[i]); i++) {
    }
    ticks->busy += field[USER] + field[NICE] + field[SYSTEM] + field[IRQ] + field[SOFTIRQ];
    ticks->stolen += field[STEAL];
}

bool proc_ticks_parse(struct view text, const cpu_set_t *processors, struct proc_ticks *ticks)
{
    bool any = false;
    *ticks = (struct proc_ticks){0};
    while (text.size > 0) {
        struct view line = view_cut(&text, '\n');
        struct view name = view_cut(&line, ' ');
        uint64_t number;
        if (!view_starts_with(name, VIEW("cpu"))) {
            break; // the processors come first
        }
        if (view_to_u64(view_from(name, 3), &number) && number < CPU_SETSIZE &&
            CPU_ISSET(number, processors)) {
            ticks_add(line, ticks);
            any = true;
        }
    }
    return any;
}

uint64_t proc_pressure_parse(struct view text)
{
    static const char mark[] = "total=";
    struct view line = view_cut(&text, '\n');
    uint64_t total;
    if (!view_starts_with(line, VIEW("some "))) {
        return 0;
    }
    while (line.size > 0) {
        struct view word = view_cut(&line, ' ');
        if (view_starts_with(word, VIEW("total="))) {
            return view_to_u64(view_from(word, sizeof mark - 1), &total) ? total : 0;
        }
    }
    return 0;
}

bool proc_status_parse(struct view text, struct proc_status *status)
{
    bool known = false;
    uint64_t kib;
    *status = (struct proc_status){0};
    while (text.size > 0) {
        struct view line = view_cut(&text, '\n');
        struct view name = view_cut(&line, ':');
        if (view_equal(name, VIEW("RssAnon")) && next_number(&line, &kib)) {
            status->memory_bytes = kib * 1024;
        } else if (view_equal(name, VIEW("Threads"))) {
            known = next_number(&line, &status->threads);
        }
    }
    return known;
}

// "PID (NAME) STATE ..."; a name may have blanks and brackets of its own.
bool proc_process_parse(struct view text, struct proc_process *process)
{
    enum { USER = 14, SYSTEM = 15, STARTED = 22, PROCESSOR = 39, FIELDS };
    uint64_t pid, field[FIELDS] = {0};
    size_t end = text.size;
    struct view rest = text;
    while (end > 0 && text.data[end - 1] != ')') {
        end--;
    }
    bool has_pid = view_to_u64(view_cut(&rest, ' '), &pid) && pid > 0 && pid <= INT32_MAX;
    size_t begin = text.size - rest.size;
    if (!has_pid || end < begin + 2 || text.data[begin] != '(') {
        return false;
    }
    *process = (struct proc_process){.pid = (int)pid};
    struct view name = view_first(view_from(text, begin + 1), end - 1 - (begin + 1));
    memcpy(process->name, name.data, name.size < PROC_NAME_SIZE ? name.size : PROC_NAME_SIZE - 1);
    rest = view_from(text, end);
    (void)view_cut(&rest, ' ');
    for (unsigned i = 3; i < FIELDS && rest.size > 0; i++) {
        (void)view_to_u64(view_cut(&rest, ' '), &field[i]); // what is negative is none of ours
    }
    process->ticks = field[USER] + field[SYSTEM];
    process->started = field[STARTED];
    process->processor = field[PROCESSOR] <= UINT32_MAX ? (unsigned)field[PROCESSOR] : 0;
    return field[STARTED] > 0 || process->pid == 1;
}

uint64_t proc_descriptors_limit_parse(struct view text)
{
    uint64_t limit;
    while (text.size > 0) {
        struct view line = view_cut(&text, '\n');
        if (view_starts_with(line, VIEW("Max open files"))) {
            return next_number(&line, &limit) ? limit : 0;
        }
    }
    return 0;
}

// Since Linux 6.2 the size of the folder is their number; before that they are listed, where that is allowed.
uint64_t proc_descriptors(int pid)
{
    char path[64];
    struct stat status;
    uint64_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    if (stat(path, &status) == 0 && status.st_size > 0) {
        return (uint64_t)status.st_size;
    }
    DIR *list = opendir(path);
    while (list != NULL && readdir(list) != NULL) {
        count++;
    }
    if (list != NULL) {
        closedir(list);
    }
    return count > 2 ? count - 2 : 0; // "." and ".."
}

uint64_t proc_processor_ns(int pid)
{
    struct timespec spent;
    clockid_t clock;
    bool known = clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &spent) == 0;
    return known ? (uint64_t)spent.tv_sec * 1000000000U + (uint64_t)spent.tv_nsec : 0;
}
