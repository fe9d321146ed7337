// SPDX-License-Identifier: ISC
// Unit tests of supervisor/programs, on a folder like /proc, and on this machine's own.
#include "supervisor/programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND_NS 1000000000u

static struct test {
    char folder[64];
    cpu_set_t processors;
    int own[2];
    struct programs programs;
    uint64_t now_ns;
    struct programs_use use;
    bool database_here;
} t;

static int setup(void **state)
{
    (void)state;
    t = (struct test){.folder = "/tmp/stayd-programs-XXXXXX", .own = {100, 0}, .database_here = true};
    CPU_SET(0, &t.processors);
    CPU_SET(1, &t.processors);
    assert_non_null(mkdtemp(t.folder));
    return 0;
}

static void path_of(int pid, const char *file, char path[static 128])
{
    (void)snprintf(path, 128, "%s/%d%s", t.folder, pid, file);
}

static void gone(int pid)
{
    char path[128];
    path_of(pid, "/stat", path);
    (void)unlink(path);
    path_of(pid, "", path);
    (void)rmdir(path);
}

static int teardown(void **state)
{
    (void)state;
    for (int pid = 100; pid < 120; pid++) {
        gone(pid);
    }
    (void)rmdir(t.folder);
    programs_release(&t.programs);
    return 0;
}

static void process(int pid, const char *name, unsigned ticks, unsigned started, unsigned processor)
{
    char path[128];
    path_of(pid, "", path);
    (void)mkdir(path, 0700);
    path_of(pid, "/stat", path);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    fprintf(out,
            "%d (%s) R 1 1 1 0 -1 4194560 77 0 0 0 %u %u 0 0 20 -5 3 0 %u 1 2 3 4 5 6 7 8 9 10 11 12 13 14 "
            "15 16 %u "
            "0 0 0\n",
            pid, name, ticks - ticks / 3, ticks / 3, started, processor);
    assert_int_equal(fclose(out), 0);
}

static bool look(void)
{
    t.now_ns += SECOND_NS;
    const struct programs_ask ask = {.folder = t.folder,
                                     .processors = &t.processors,
                                     .own = t.own,
                                     .database_here = t.database_here,
                                     .now_ns = t.now_ns};
    return programs_look(&t.programs, &ask, &t.use);
}

static void the_busiest_is_named(void **state)
{
    (void)state;
    long a_second = sysconf(_SC_CLK_TCK);
    unsigned whole = (unsigned)a_second;
    process(100, "stayd", 500, 10, 0);
    process(101, "postgres", 700, 11, 0);
    process(102, "a) b (c", 90000, 12, 1);
    process(103, "idle", 5, 13, 1);
    assert_false(look()); // nothing to compare with
    process(100, "stayd", 500 + whole, 10, 0);
    process(101, "postgres", 700 + whole / 2, 11, 0);
    process(102, "a) b (c", 90000 + whole / 4, 12, 1);
    process(104, "a) b (c", whole / 2, 200, 0); // new
    assert_true(look());
    assert_int_equal(t.use.database, 500);
    assert_int_equal(t.use.busiest, 750);
    assert_int_equal(t.use.processes, 2);
    assert_int_equal(t.use.pid, 104);
    assert_string_equal(t.use.name, "a) b (c");
    gone(102);
    gone(104);
    t.database_here = false; // then it is another program
    process(101, "postgres", 700 + whole, 11, 0);
    assert_true(look());
    assert_int_equal(t.use.database, 0);
    assert_int_equal(t.use.busiest, 500);
    assert_string_equal(t.use.name, "postgres");
    programs_forget(&t.programs);
    assert_false(look());
}

static void others_processors_and_reused_numbers(void **state)
{
    (void)state;
    unsigned whole = (unsigned)sysconf(_SC_CLK_TCK);
    process(105, "elsewhere", 100, 10, 7);
    process(106, "first", 8 * whole, 10, 0);
    assert_false(look());
    process(105, "elsewhere", 100 + whole, 10, 7);
    process(106, "second", whole / 10, 300, 0);
    assert_true(look());
    assert_string_equal(t.use.name, "second");
    assert_int_equal(t.use.busiest, 100);
}

static void what_is_no_process_is_passed_over(void **state)
{
    char path[128];
    (void)state;
    process(107, "fine", 10, 10, 0);
    process(108, "bad", 10, 10, 0);
    path_of(108, "/stat", path);
    static const char *const bad[] = {"",      "108", "108 (bad", "108 bad) R", "0 (bad) R 1", "x (bad) R 1",
                                      "108 ()"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        FILE *out = fopen(path, "we");
        assert_non_null(out);
        fputs(bad[i], out);
        assert_int_equal(fclose(out), 0);
        (void)look();
        assert_int_equal(t.programs.count, 1);
    }
}

static void this_machine(void **state)
{
    (void)state;
    const struct programs_ask ask = {
        .folder = "/proc", .processors = &t.processors, .own = t.own, .now_ns = SECOND_NS};
    assert_false(programs_look(&t.programs, &ask, &t.use));
    assert_true(t.programs.count > 0);
    assert_true(t.programs.spent[0].pid > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_busiest_is_named),
        TEST(others_processors_and_reused_numbers),
        TEST(what_is_no_process_is_passed_over),
        TEST(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
