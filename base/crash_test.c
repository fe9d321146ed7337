// SPDX-License-Identifier: ISC
// Forks processes that die in several ways and reads their records.
#include "base/crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int page_fd;
static const struct stats_page *page;

static int page_make(void **state)
{
    (void)state;
    page_fd = memfd_create("stats", MFD_CLOEXEC);
    if (page_fd < 0 || ftruncate(page_fd, STATS_PAGE_SIZE) != 0) {
        return -1;
    }
    page = stats_map(page_fd);
    return page == NULL;
}

static int die(void (*how)(void))
{
    pid_t child = fork();
    if (child == 0) {
        // cmocka's own handlers are inherited; a process of stayd has none.
        static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGSYS};
        for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
            signal(signals[i], SIG_DFL);
        }
        if (!stats_attach(page_fd, STATS_ROLE_front, 0) || !crash_watch()) {
            _exit(99);
        }
        // A sanitizer's report would follow; it is not what this test is about.
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(98);
        }
        stats_flight_begin(STATS_CLASS_login, NULL);
        how();
        _exit(97);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

[[gnu::noinline]] static void by_null(void)
{
    volatile uintptr_t address = 16; // volatile, so that the compiler does not see through it
    *(volatile int *)address = 1;
}

static void by_abort(void)
{
    abort();
}

static volatile int deepest;
[[gnu::noinline]] static int deeper(int depth)
{
    volatile char room[4096];
    room[0] = (char)depth;
    deepest = depth;
    return depth < 100000000 ? deeper(depth + 1) + room[0] : 0;
}

static void by_stack(void)
{
    deeper(1);
}

static void died_by(int status, int signal)
{
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), signal);
    } else {
        assert_true(WEXITSTATUS(status) < 97); // a sanitizer's report ends with an exit code of its own
    }
    assert_int_equal(atomic_load(&page->crash.state), STATS_CRASH_written);
    assert_int_equal(page->crash.signal, signal);
    assert_true(page->crash.depth > 1);
    assert_int_equal(atomic_load(&page->flight.class), STATS_CLASS_login);
}

static void null_is_recorded(void **state)
{
    (void)state;
    died_by(die(by_null), SIGSEGV);
    assert_int_equal(page->crash.address, STATS_ADDRESS_null);
}

static void abort_is_recorded(void **state)
{
    (void)state;
    died_by(die(by_abort), SIGABRT);
    assert_int_equal(page->crash.address, STATS_ADDRESS_none);
}

static void stack_overflow_is_recorded(void **state)
{
    (void)state;
    died_by(die(by_stack), SIGSEGV);
    assert_int_equal(page->crash.address, STATS_ADDRESS_stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_is_recorded),
        cmocka_unit_test(abort_is_recorded),
        cmocka_unit_test(stack_overflow_is_recorded),
    };
    return cmocka_run_group_tests(tests, page_make, NULL);
}
