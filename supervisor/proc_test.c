// SPDX-License-Identifier: ISC
// Unit tests of supervisor/proc: texts as kernels write them, and this machine's own.
#include "supervisor/proc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

static void time_of_our_processors_only(void **state)
{
    struct view text = VIEW("cpu  600 60 60 6000 600 6 6 60 0 0\n"
                            "cpu0 100 10 20 1000 100 1 2 30 0 0\n"
                            "cpu1 200 20 10 2000 200 2 1 10 7 0\n"
                            "cpu2 300 30 30 3000 300 3 3 20 0 0\n"
                            "intr 12345 0 9\n");
    cpu_set_t set;
    struct proc_ticks ticks;
    (void)state;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    CPU_SET(2, &set);
    assert_true(proc_ticks_parse(text, &set, &ticks));
    assert_int_equal(ticks.busy, 100 + 10 + 20 + 1 + 2 + 300 + 30 + 30 + 3 + 3);
    assert_int_equal(ticks.stolen, 50);
    CPU_ZERO(&set);
    assert_false(proc_ticks_parse(text, &set, &ticks));
    assert_false(proc_ticks_parse(VIEW(""), &set, &ticks));
}

static void pressure(void **state)
{
    (void)state;
    assert_int_equal(proc_pressure_parse(VIEW("some avg10=1.53 avg60=0.87 avg300=0.73 total=137423112\n"
                                              "full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n")),
                     137423112);
    assert_int_equal(proc_pressure_parse(VIEW("")), 0);
    assert_int_equal(proc_pressure_parse(VIEW("full avg10=0.00 total=5\n")), 0);
}

static void status_and_limits(void **state)
{
    struct proc_status status;
    (void)state;
    assert_true(proc_status_parse(VIEW("Name:\tstayd-front\nVmRSS:\t   9000 kB\nRssAnon:\t    1508 kB\n"
                                       "RssShmem:\t  7000 kB\nThreads:\t3\nSigQ:\t0/1\n"),
                                  &status));
    assert_int_equal(status.memory_bytes, 1508 * 1024);
    assert_int_equal(status.threads, 3);
    assert_false(proc_status_parse(VIEW("Name:\tzombie\n"), &status));
    assert_int_equal(proc_descriptors_limit_parse(VIEW(
                         "Limit                     Soft Limit           Hard Limit           Units     \n"
                         "Max cpu time              unlimited            unlimited            seconds   \n"
                         "Max open files            10257                20000                files     \n")),
                     10257);
    assert_int_equal(proc_descriptors_limit_parse(VIEW("")), 0);
}

static void this_process(void **state)
{
    uint64_t before = proc_descriptors(getpid());
    (void)state;
    assert_true(before >= 3);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uint64_t after = proc_descriptors(getpid());
    close(fd);
    assert_int_equal(after, before + 1);
    assert_true(proc_processor_ns(getpid()) > 0);
    char text[4096];
    struct proc_status status;
    assert_true(proc_status_parse(proc_file("/proc/self/status", text, sizeof text), &status));
    assert_true(status.threads == 1 && status.memory_bytes > 0);
    assert_int_equal(proc_file("/proc/self/nothing", text, sizeof text).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_of_our_processors_only),
        cmocka_unit_test(pressure),
        cmocka_unit_test(status_and_limits),
        cmocka_unit_test(this_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
