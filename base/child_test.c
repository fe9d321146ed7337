// SPDX-License-Identifier: ISC
// A child that ends is seen, whatever signals come meanwhile; one that does not is not waited for any longer.
#include "base/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static pid_t child_that_lives(unsigned ms)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        usleep(ms * 1000);
        _exit(0);
    }
    return child;
}

static void reap(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void an_end_is_seen(void **unused)
{
    (void)unused;
    pid_t child = child_that_lives(50);
    assert_true(child_ends_within(child, 60000));
    assert_true(child_ends_within(child, 60000)); // until it is waited for
    reap(child);
    assert_false(child_ends_within(child, 60000)); // no child any more
}

static volatile sig_atomic_t alarms;

static void count_alarm(int signal)
{
    (void)signal;
    alarms = alarms + 1;
}

static void signals_are_no_answer(void **unused)
{
    (void)unused;
    struct sigaction action = {.sa_handler = count_alarm}; // no SA_RESTART
    struct itimerval often = {.it_interval = {.tv_usec = 3000}, .it_value = {.tv_usec = 3000}};
    struct itimerval never = {0};
    pid_t child = child_that_lives(100);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    bool ended = child_ends_within(child, 60000);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_true(ended && alarms > 0);
    reap(child);
}

static void who_does_not_end_is_not_waited_for(void **unused)
{
    (void)unused;
    pid_t child = child_that_lives(600000);
    assert_false(child_ends_within(child, 20));
    assert_false(child_ends_within(child, 0));
    reap(child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_seen),
        cmocka_unit_test(signals_are_no_answer),
        cmocka_unit_test(who_does_not_end_is_not_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
