// SPDX-License-Identifier: ISC
// Figures of the machine and of the children. Runs in the supervisor. A figure that can't be read is left out
// (0), never guessed.
#include "supervisor/gauges.h"

#include "base/clock.h"
#include "supervisor/supervisor.h"

#include <sys/statvfs.h>
#include <unistd.h>

enum { TEXT_SIZE = 32 * 1024 };
enum { PROGRAMS_SAID_FROM = 300, PROGRAMS_REST = 100 }; // thousandths; times as long as the look took
#define PROGRAMS_SAID_NS 5000000000u

static char text[TEXT_SIZE]; // one reading at a time

static uint64_t spent_ns(const struct supervisor *supervisor)
{
    uint64_t sum = proc_processor_ns(0);
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (process_alive(&supervisor->process[i])) {
            sum += proc_processor_ns(supervisor->process[i].pid);
        }
    }
    return sum;
}

// Thousandths of a processor.
static uint64_t share(uint64_t spent_ns, uint64_t passed_ns)
{
    return spent_ns * 1000 / passed_ns;
}

// ---- who the others are ----

// Own processes, ended by 0.
static void own_processes(const struct supervisor *supervisor, int own[static SUPERVISOR_PROCESSES_MAX + 2])
{
    unsigned count = 0;
    own[count++] = getpid();
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (process_alive(&supervisor->process[i])) {
            own[count++] = supervisor->process[i].pid;
        }
    }
    own[count] = 0;
}

static void say_busiest(struct supervisor *supervisor, const struct programs_use *use, uint64_t now_ns)
{
    struct gauges_programs *looking = &supervisor->programs;
    bool another = strcmp(looking->said, use->name) != 0;
    if (use->busiest < PROGRAMS_SAID_FROM || (!another && now_ns < looking->said_ns + PROGRAMS_SAID_NS)) {
        return;
    }
    char processes[32] = "";
    if (use->processes > 1) {
        snprintf(processes, sizeof processes, "%u processes", use->processes);
    }
    looking->said_ns = now_ns;
    memcpy(looking->said, use->name, sizeof looking->said);
    events_pass(supervisor, &(struct wire_event){.kind = WIRE_EVENT_PROGRAM_BUSY,
                                                 .a = use->busiest,
                                                 .b = (uint64_t)use->pid,
                                                 .name = view_of_cstr(use->name),
                                                 .text = view_of_cstr(processes)});
}

static void show_programs(struct supervisor *supervisor, const cpu_set_t *mine, uint64_t others)
{
    struct gauges_programs *looking = &supervisor->programs;
    int own[SUPERVISOR_PROCESSES_MAX + 2];
    const struct database *database = &supervisor->config->database;
    struct programs_use use;
    uint64_t now_ns = clock_mono_ns();
    if ((double)others < GAUGES_PROGRAMS_FROM * 1000 * CPU_COUNT(mine)) {
        programs_forget(&looking->programs);
        stats_set(STATS_machine_processors_database, 0);
        return;
    }
    if (now_ns < looking->next_ns) {
        return;
    }
    own_processes(supervisor, own);
    const struct programs_ask ask = {.folder = "/proc",
                                     .processors = mine,
                                     .own = own,
                                     .database_here = database->postgres && !database->away,
                                     .now_ns = now_ns};
    if (programs_look(&looking->programs, &ask, &use)) {
        stats_set(STATS_machine_processors_database, use.database);
        say_busiest(supervisor, &use, now_ns);
    }
    looking->next_ns = now_ns + PROGRAMS_REST * (clock_mono_ns() - now_ns); // on a machine with thousands
}

// ---- the machine ----

// A child that ended takes its time with it: then the figures of before stand.
static void show_processors(struct supervisor *supervisor)
{
    struct gauges *before = &supervisor->gauges;
    struct gauges now = {.looked_ns = clock_mono_ns(), .spent_ns = spent_ns(supervisor)};
    cpu_set_t mine;
    now.has_ticks = sched_getaffinity(0, sizeof mine, &mine) == 0 &&
                    proc_ticks_parse(proc_file("/proc/stat", text, sizeof text), &mine, &now.ticks);
    uint64_t passed_ns = now.looked_ns - before->looked_ns;
    bool comparable = before->looked_ns != 0 && passed_ns > 0 && now.spent_ns >= before->spent_ns;
    uint64_t own_ns = now.spent_ns - before->spent_ns;
    if (comparable) {
        stats_set(STATS_machine_processors_used, share(own_ns, passed_ns));
    }
    if (comparable && now.has_ticks && before->has_ticks && now.ticks.busy >= before->ticks.busy &&
        now.ticks.stolen >= before->ticks.stolen) {
        uint64_t tick_ns = 1000000000U / (uint64_t)sysconf(_SC_CLK_TCK);
        uint64_t busy_ns = (now.ticks.busy - before->ticks.busy) * tick_ns;
        uint64_t others = busy_ns > own_ns ? share(busy_ns - own_ns, passed_ns) : 0;
        stats_set(STATS_machine_processors_others, others);
        show_programs(supervisor, &mine, others);
        stats_set(STATS_machine_processors_stolen,
                  share((now.ticks.stolen - before->ticks.stolen) * tick_ns, passed_ns));
    }
    *before = now;
}

static void show_pressure(void)
{
    stats_set(STATS_machine_pressure_cpu_us,
              proc_pressure_parse(proc_file("/proc/pressure/cpu", text, sizeof text)));
    stats_set(STATS_machine_pressure_io_us,
              proc_pressure_parse(proc_file("/proc/pressure/io", text, sizeof text)));
}

static void show_disk(const struct supervisor *supervisor)
{
    struct statvfs disk;
    if (fstatvfs(supervisor->folders.data, &disk) == 0) {
        stats_set(STATS_disk_free_bytes, (uint64_t)disk.f_bavail * disk.f_frsize);
        stats_set(STATS_disk_size_bytes, (uint64_t)disk.f_blocks * disk.f_frsize);
    }
}

static void on_machine(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct supervisor *supervisor = timer->data;
    (void)loop;
    (void)revents;
    show_processors(supervisor);
    show_pressure();
    show_disk(supervisor);
    stats_set(STATS_wall_minus_mono_ms, clock_wall_ms() - clock_mono_ns() / 1000000U);
}

// ---- children ----

static void set_in(struct stats_page *page, enum stats_counter gauge, uint64_t value)
{
    atomic_store_explicit(&page->counter[gauge], value, memory_order_relaxed);
}

static struct view of_process(int pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return proc_file(path, text, sizeof text);
}

static void show_child(struct process *process)
{
    struct proc_status status;
    struct stats_page *page = process->page;
    if (!proc_status_parse(of_process(process->pid, "status"), &status)) {
        return;
    }
    set_in(page, STATS_process_memory_bytes, status.memory_bytes);
    set_in(page, STATS_process_threads, status.threads);
    set_in(page, STATS_process_descriptors, proc_descriptors(process->pid));
    set_in(page, STATS_process_descriptors_max,
           proc_descriptors_limit_parse(of_process(process->pid, "limits")));
    uint64_t spent_us = proc_processor_ns(process->pid) / 1000;
    if (spent_us > process->processor_us) {
        set_in(page, STATS_process_processor_us,
               stats_read(page, STATS_process_processor_us) + spent_us - process->processor_us);
        process->processor_us = spent_us;
    }
}

static void on_children(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct supervisor *supervisor = timer->data;
    (void)loop;
    (void)revents;
    for (unsigned i = 0; i < supervisor->processes; i++) {
        if (process_alive(&supervisor->process[i])) {
            show_child(&supervisor->process[i]);
        }
    }
}

void gauges_forget(struct process *process)
{
    static const enum stats_counter held[] = {STATS_process_memory_bytes, STATS_process_threads,
                                              STATS_process_descriptors, STATS_process_descriptors_max};
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        set_in(process->page, held[i], 0);
    }
    process->processor_us = 0;
}

static void timer_begin(struct supervisor *supervisor, ev_timer *timer, unsigned every_ms,
                        void (*callback)(struct ev_loop *, ev_timer *, int))
{
    ev_timer_init(timer, callback, 0, every_ms / 1000.0);
    timer->data = supervisor;
    ev_timer_start(supervisor->loop, timer);
}

void gauges_begin(struct supervisor *supervisor)
{
    timer_begin(supervisor, &supervisor->gauges_machine, GAUGES_MACHINE_MS, on_machine);
    timer_begin(supervisor, &supervisor->gauges_children, GAUGES_CHILDREN_MS, on_children);
}
