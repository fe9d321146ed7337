// SPDX-License-Identifier: ISC
// Faults of stayd's own processes and of the machine they run on. Runs in stayctl drill.
#include "drill/inject.h"

#include "base/fault.h"
#include "drill/ask.h"

#include <sys/resource.h>
#include <unistd.h>

enum { REQUEST_MS = 200, HOGS_MAX = 8, RELOADS_A_RESTART = 10 };
#define EVERY_S      1.5   // a fault that is done again and again
#define RACE_US      40.0  // readers meet what they must not believe
#define DISK_MS      150.0 // a sync
#define LEAK_KIB_S   65536.0
#define CLOCK_JUMP_S 7200.0
#define WORSE_PASSES 24
#define RELOAD_S     30.0

// ---- processes that die

static bool kill_one(struct injecting *injecting, const char *name, int signal)
{
    pid_t pids[STAGE_PIDS_MAX];
    unsigned count = stage_pids(injecting->stage, name, pids);
    if (count == 0) {
        return false;
    }
    injecting->held = pids[injecting->seed % count];
    (void)kill(injecting->held, signal);
    injecting->count++;
    return true;
}

static const char *victim(const struct injecting *injecting)
{
    return injecting->seed % 3 == 0 ? "stayd-core" : "stayd-front";
}

static bool crash_begin(struct injecting *injecting)
{
    injecting->next_s = EVERY_S / injecting->strength;
    return kill_one(injecting, victim(injecting), SIGKILL) ||
           inject_fail(injecting, "There is nothing to kill.");
}

static void crash_turn(struct injecting *injecting, double at_s)
{
    if (at_s >= injecting->next_s) {
        injecting->last_s = at_s;
        (void)kill_one(injecting, victim(injecting), SIGKILL);
        injecting->next_s = at_s + EVERY_S / injecting->strength;
    }
}

// A request that is the end of whoever reads it.
static bool deadly_begin(struct injecting *injecting)
{
    char answer[4096];
    const struct ask ask = {.port = injecting->stage->port,
                            .path = "/auth/check",
                            .headers = "X-Stayd-Fault: crash\r\n",
                            .timeout_ms = REQUEST_MS};
    (void)ask_get(&ask, answer, sizeof(answer));
    injecting->count++;
    injecting->next_s = injecting->last_s + EVERY_S / injecting->strength;
    return true;
}

static void deadly_turn(struct injecting *injecting, double at_s)
{
    if (at_s >= injecting->next_s) {
        injecting->last_s = at_s;
        (void)deadly_begin(injecting);
    }
}

// ---- a process that stands still: whoever watches over it may kill it, which is not the end of the fault

static bool hang_begin(struct injecting *injecting)
{
    static const char *const names[] = {"stayd-core", "stayd-store"};
    bool done = kill_one(injecting, names[injecting->seed % 2], SIGSTOP);
    injecting->count = 0;
    return done || inject_fail(injecting, "There is nothing to stop.");
}

static bool hang_end(struct injecting *injecting)
{
    (void)kill(injecting->held, SIGCONT);
    return true;
}

// ---- fault points

static bool race_begin(struct injecting *injecting)
{
    return inject_point("sessions_race", RACE_US * injecting->strength);
}

static bool race_end(struct injecting *injecting)
{
    (void)injecting;
    return inject_point("sessions_race", 0);
}

static uint64_t race_onset(const struct injecting *injecting)
{
    (void)injecting;
    return fault_noted("sessions_mismatch");
}

static bool disk_begin(struct injecting *injecting)
{
    return inject_point("disk_slow_ms", DISK_MS * injecting->strength);
}

static bool disk_end(struct injecting *injecting)
{
    (void)injecting;
    return inject_point("disk_slow_ms", 0);
}

static bool full_begin(struct injecting *injecting)
{
    (void)injecting;
    return inject_point("disk_full", 1);
}

static bool full_end(struct injecting *injecting)
{
    (void)injecting;
    return inject_point("disk_full", 0);
}

static bool leak_begin(struct injecting *injecting)
{
    return inject_point("front_leak_kib_s", LEAK_KIB_S * injecting->strength);
}

static bool leak_end(struct injecting *injecting)
{
    (void)injecting;
    return inject_point("front_leak_kib_s", 0);
}

static bool clock_begin(struct injecting *injecting)
{
    return inject_point("clock_jump_s",
                        CLOCK_JUMP_S * injecting->strength * (injecting->seed % 2 == 0 ? 1 : -1));
}

static bool clock_end(struct injecting *injecting)
{
    (void)injecting;
    return inject_point("clock_jump_s", 0);
}

// ---- the machine

_Noreturn static void burn(void *context)
{
    (void)context;
    (void)setpriority(PRIO_PROCESS, 0, -5); // where that is allowed
    for (volatile unsigned long turn = 0;; turn++) {
    }
}

static bool cpu_begin(struct injecting *injecting)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    long hogs = (long)((double)(processors > 0 ? processors : 1) * 2 * injecting->strength);
    for (long i = 0; i < hogs && i < HOGS_MAX; i++) {
        if (!program_fork(&injecting->program[i], burn, NULL)) {
            return inject_fail(injecting, "A helper could not be started.");
        }
    }
    return true;
}

static bool cpu_end(struct injecting *injecting)
{
    injecting_release(injecting);
    return true;
}

// ---- our own change: passwords that take twelve times as long

static bool change_begin(struct injecting *injecting)
{
    char config[64];
    snprintf(config, sizeof(config), "password_time = %d\n", WORSE_PASSES);
    return stage_reconfigure(injecting->stage, config) ||
           inject_fail(injecting, "stayd could not be reloaded.");
}

static bool change_end(struct injecting *injecting)
{
    return stage_reconfigure(injecting->stage, injecting->stage->options->config) ||
           inject_fail(injecting, "stayd could not be reloaded.");
}

// ---- what an operator does on an ordinary day: now and then a reload, seldom a restart

static bool calm_begin(struct injecting *injecting)
{
    injecting->next_s = RELOAD_S;
    return true;
}

static void calm_turn(struct injecting *injecting, double at_s)
{
    struct stage *stage = injecting->stage;
    if (at_s >= injecting->next_s && at_s + RELOAD_S / 2 < injecting->fault_s) {
        injecting->next_s = at_s + RELOAD_S;
        injecting->held++;
        if (injecting->held % RELOADS_A_RESTART == 0) {
            (void)stage_restart(stage);
        } else {
            (void)stage_reconfigure(stage, stage->options->config);
        }
    }
}

const struct injection inject_process[] = {
    {"crash", 0, NULL, crash_begin, crash_turn, inject_nothing},
    {"deadly-request", INJECT_FAULTS, NULL, deadly_begin, deadly_turn, inject_nothing},
    {"hang", 0, NULL, hang_begin, NULL, hang_end},
    {"race", INJECT_FAULTS, NULL, race_begin, NULL, race_end, race_onset},
    {"slow-disk", INJECT_FAULTS | INJECT_SQLITE, NULL, disk_begin, NULL, disk_end},
    {"disk-full", INJECT_FAULTS | INJECT_SQLITE, NULL, full_begin, NULL, full_end},
    {"leak", INJECT_FAULTS, NULL, leak_begin, NULL, leak_end},
    {"clock-jump", INJECT_FAULTS, NULL, clock_begin, NULL, clock_end},
    {"cpu", 0, NULL, cpu_begin, NULL, cpu_end},
    {"calm", 0, NULL, calm_begin, calm_turn, inject_nothing},
    {"own-change", 0, NULL, change_begin, NULL, change_end},
    {0},
};
