// SPDX-License-Identifier: ISC
// The crash handler. Runs in every process.
// Invariants:
//  1. The record's state goes none → writing → written once; a second crashing thread finds it taken and
//  waits for
//     death without touching it.
//  2. The handler is one-shot: raising the signal again inside it ends the process with the default action
//  (or runs a
//     sanitizer's own report, which was there first).
// backtrace() may allocate the first time it is called, so it is called once at start.
#include "base/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { CRASH_STACK_SIZE = 64 * 1024, CRASH_NULL_SIZE = 64 * 1024, CRASH_STACK_NEAR = 256 * 1024 };

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS};
enum { CRASH_SIGNALS = sizeof crash_signals / sizeof crash_signals[0] };

static struct sigaction crash_before[CRASH_SIGNALS];

static uint64_t stack_pointer(const void *context)
{
#if defined(__x86_64__)
    const ucontext_t *user = context;
    return (uint64_t)user->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    const ucontext_t *user = context;
    return user->uc_mcontext.sp;
#else
    return 0 * (uintptr_t)context;
#endif
}

static uint64_t instruction_pointer(const void *context)
{
#if defined(__x86_64__)
    const ucontext_t *user = context;
    return (uint64_t)user->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    const ucontext_t *user = context;
    return user->uc_mcontext.pc;
#else
    return 0 * (uintptr_t)context;
#endif
}

static enum stats_address address_class(const siginfo_t *info, const void *context)
{
    if (info->si_signo != SIGSEGV && info->si_signo != SIGBUS) {
        return STATS_ADDRESS_none;
    }
    uint64_t address = (uint64_t)(uintptr_t)info->si_addr;
    if (info->si_code <= 0) {
        return STATS_ADDRESS_none;
    }
    if (address < CRASH_NULL_SIZE) {
        return STATS_ADDRESS_null;
    }
    uint64_t stack = stack_pointer(context);
    if (address + CRASH_STACK_NEAR > stack && address < stack + CRASH_STACK_NEAR) {
        return STATS_ADDRESS_stack;
    }
    for (uint32_t i = 0; i < stats_here->modules; i++) {
        const struct stats_module *module = &stats_here->module[i];
        if (address >= module->base && address - module->base < module->size) {
            return STATS_ADDRESS_code;
        }
    }
    return STATS_ADDRESS_other;
}

// The frames from where it happened: those of the handler itself tell nothing.
static void frames_record(struct stats_crash *crash, uint64_t where)
{
    enum { HANDLER_FRAMES = 4 };
    void *frame[STATS_BACKTRACE_MAX + HANDLER_FRAMES];
    int depth = backtrace(frame, STATS_BACKTRACE_MAX + HANDLER_FRAMES);
    int first = 0;
    while (first < depth && (uint64_t)(uintptr_t)frame[first] != where) {
        first++;
    }
    first = first < depth ? first : 0;
    crash->depth = 0;
    for (int i = first; i < depth && crash->depth < STATS_BACKTRACE_MAX; i++) {
        crash->frame[crash->depth++] = (uint64_t)(uintptr_t)frame[i];
    }
}

static void crash_record(const siginfo_t *info, const void *context)
{
    struct stats_crash *crash = &stats_here->crash;
    uint32_t none = STATS_CRASH_none;
    if (!atomic_compare_exchange_strong(&crash->state, &none, STATS_CRASH_writing)) {
        return;
    }
    crash->signal = info->si_signo;
    crash->code = info->si_code;
    crash->address = (uint32_t)address_class(info, context);
    crash->thread = (int32_t)syscall(SYS_gettid);
    frames_record(crash, instruction_pointer(context));
    atomic_store_explicit(&crash->state, STATS_CRASH_written, memory_order_release);
}

static void crash_handle(int signal, siginfo_t *info, void *context)
{
    crash_record(info, context);
    for (int i = 0; i < CRASH_SIGNALS; i++) {
        if (crash_signals[i] == signal && crash_before[i].sa_handler != SIG_DFL) {
            sigaction(signal, &crash_before[i], NULL);
        }
    }
    // Pending until the handler returns; then the default action ends the process.
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
}

bool crash_watch_thread(void)
{
    void *memory = mmap(NULL, CRASH_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    stack_t stack = {.ss_sp = memory, .ss_size = CRASH_STACK_SIZE};
    return sigaltstack(&stack, NULL) == 0;
}

bool crash_watch(void)
{
    void *frame[4];
    backtrace(frame, 4);
    if (!crash_watch_thread()) {
        return false;
    }
    struct sigaction action = {.sa_sigaction = crash_handle};
    action.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < CRASH_SIGNALS; i++) {
        if (sigaction(crash_signals[i], &action, &crash_before[i]) != 0) {
            return false;
        }
    }
    return true;
}
