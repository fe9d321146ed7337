// SPDX-License-Identifier: ISC
// Figures of the machine and of the children. Runs in the supervisor. A figure that can't be read is left out
// (0), never guessed.
#include "supervisor/gauges.h"

#include "base/clock.h"
#include "supervisor/supervisor.h"

#include <sys/statvfs.h>
#include <unistd.h>

enum { TEXT_SIZE = 32 * 1024 };

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
        stats_set(STATS_machine_processors_others, busy_ns > own_ns ? share(busy_ns - own_ns, passed_ns) : 0);
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
