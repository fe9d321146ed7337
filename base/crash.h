// SPDX-License-Identifier: ISC
// What a process says while it dies: signal, kind of address, backtrace, written into its stats page by a
// handler that calls only async-signal-safe functions, then the signal takes its default course. Used by
// every process. Owns: the alternate signal stack of the thread that called crash_watch. Never recorded:
// registers, memory, the faulting address itself.
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include "base/stats.h"

// Handles SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE and SIGSYS from now on. Call once, after stats_attach,
// before the sandbox. False when the handlers could not be set.
[[nodiscard]] bool crash_watch(void);
// Other threads call this for an alternate stack of their own (64 KiB, kept for the life of the thread).
[[nodiscard]] bool crash_watch_thread(void);

#endif
