// SPDX-License-Identifier: ISC
// Sizes on machines that are folders of files.
#include "supervisor/sizing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (1024ULL * 1024)

static char folder[64];
static char own[128], groups[128], meminfo[128];
static struct machine_paths paths = {own, groups, meminfo};
static struct machine machine;

static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder, path);
    for (char *slash = strchr(whole + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stayd-machine-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    snprintf(own, sizeof own, "%s/own", folder);
    snprintf(groups, sizeof groups, "%s/groups", folder);
    snprintf(meminfo, sizeof meminfo, "%s/meminfo", folder);
    put("meminfo", "MemTotal:        8388608 kB\nMemFree:  1 kB\nMemAvailable:    6291456 kB\n");
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void look(unsigned affinity)
{
    machine_read(&machine, &paths, affinity);
}

static void no_groups_no_limits(void **state)
{
    (void)state;
    look(6);
    assert_int_equal(machine.processors, 6);
    assert_true(machine.cpu_milli == MACHINE_NO_LIMIT && machine.memory_limit == MACHINE_NO_LIMIT);
    assert_int_equal(machine.memory, 8192 * MIB);
    assert_int_equal(machine.memory_free, 6144 * MIB);
    put("meminfo", "nonsense");
    look(0); // asks the kernel
    assert_true(machine.processors >= 1);
}

static void version_2_the_least_of_all_levels(void **state)
{
    (void)state;
    put("own", "0::/system.slice/stayd.service\n");
    put("groups/system.slice/stayd.service/cpu.max", "max 100000\n");
    put("groups/system.slice/cpu.max", "150000 100000\n");
    put("groups/system.slice/stayd.service/memory.max", "536870912\n");
    put("groups/system.slice/stayd.service/memory.high", "max\n");
    put("groups/system.slice/stayd.service/memory.current", "268435456\n");
    put("groups/system.slice/stayd.service/memory.stat", "anon 1\ninactive_file 134217728\n");
    put("groups/system.slice/memory.max", "max\n");
    look(8);
    assert_int_equal(machine.cpu_milli, 1500);
    assert_int_equal(machine.processors, 2);
    assert_int_equal(machine.memory_limit, 512 * MIB);
    assert_int_equal(machine.memory, 512 * MIB);
    assert_int_equal(machine.memory_free, 384 * MIB);
}

static void a_container_sees_its_part_as_the_root(void **state)
{
    (void)state;
    put("own", "0::/kubepods/burstable/pod1/abc\n");
    put("groups/cpu.max", "50000 100000\n");
    put("groups/memory.max", "1073741824\n");
    put("groups/memory.high", "805306368\n");
    look(4);
    assert_int_equal(machine.cpu_milli, 500);
    assert_int_equal(machine.processors, 1);
    assert_int_equal(machine.memory_limit, 768 * MIB);
    put("groups/cpu.max", "1000 100000\n");
    look(4);
    assert_int_equal(machine.processors, 1); // never none
    put("groups/cpu.max", "6400000 100000\n");
    look(4);
    assert_int_equal(machine.processors, 4);
}

static void threads_of_the_fullest(void **state)
{
    static char most[128], load[128];
    struct machine_paths more = paths;
    (void)state;
    look(4);
    assert_true(machine.threads_limit == MACHINE_NO_LIMIT);
    snprintf(most, sizeof most, "%s/threads-max", folder);
    snprintf(load, sizeof load, "%s/loadavg", folder);
    more.threads_max = most;
    more.load = load;
    put("threads-max", "30000\n");
    put("loadavg", "0.20 0.18 0.12 1/300 11206\n");
    put("own", "0::/a/b\n");
    put("groups/a/b/pids.max", "max\n");
    put("groups/a/pids.max", "100\n");
    put("groups/a/pids.current", "40\n");
    machine_read(&machine, &more, 4);
    assert_true(machine.threads == 40 && machine.threads_limit == 100);
    put("groups/a/pids.max", "max\n");
    machine_read(&machine, &more, 4);
    assert_true(machine.threads == 300 && machine.threads_limit == 30000);
}

static void version_1(void **state)
{
    (void)state;
    put("own", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n1:name=systemd:/\n0::/\n");
    put("groups/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "300000\n");
    put("groups/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
    put("groups/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("groups/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put("groups/memory/docker/x/memory.limit_in_bytes", "2147483648\n");
    put("groups/memory/docker/x/memory.usage_in_bytes", "1073741824\n");
    put("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
    look(16);
    assert_int_equal(machine.processors, 3);
    assert_int_equal(machine.memory_limit, 2048 * MIB);
    assert_int_equal(machine.memory_free, 1024 * MIB);
}

static void odd_files_are_no_limits(void **state)
{
    (void)state;
    put("own", "0::/a/b/../c\nrubbish\n::::\n0:\n");
    put("groups/cpu.max", "100000\n");
    put("groups/memory.max", "-5\n");
    put("groups/a/cpu.max", "5 0\n");
    look(2);
    assert_int_equal(machine.processors, 2);
    assert_true(machine.memory_limit == MACHINE_NO_LIMIT);
}

static struct sizing chosen(unsigned processors, uint64_t memory_mib, uint64_t free_mib,
                            struct sizing_wish wish)
{
    struct sizing sizing;
    struct machine there = {.affinity = processors,
                            .processors = processors,
                            .cpu_milli = MACHINE_NO_LIMIT,
                            .memory_limit = MACHINE_NO_LIMIT,
                            .memory_total = memory_mib * MIB,
                            .memory = memory_mib * MIB,
                            .memory_free = free_mib * MIB};
    char text[512];
    sizing_choose(&sizing, &wish, &there);
    sizing_text(&sizing, &wish, &there, text, sizeof text);
    assert_non_null(strstr(text, "password workers"));
    return sizing;
}

static void workers_follow_processors_and_memory(void **state)
{
    (void)state;
    const struct sizing_wish wish = {.memory_kib = 19 * 1024}; // a worker costs 20 MiB
    struct sizing sizing = chosen(4, 8192, 8000, wish);
    assert_int_equal(sizing.hash_workers, 4);
    assert_int_equal(sizing.fronts, 4);
    assert_false(sizing.memory_bound || sizing.too_large);
    assert_int_equal(sizing.hash_memory_kib, 2048 * 1024);
    sizing = chosen(16, 512, 512, wish); // 128 MiB: 6 of them
    assert_int_equal(sizing.hash_workers, 6);
    assert_int_equal(sizing.fronts, 16);
    assert_true(sizing.memory_bound);
    sizing = chosen(16, 4096, 100, wish); // half of what is free: 2
    assert_int_equal(sizing.hash_workers, 2);
    sizing = chosen(16, 4096, 100, (struct sizing_wish){.memory_kib = 19 * 1024, .in_use_kib = 200 * 1024});
    assert_int_equal(sizing.hash_workers, 7); // what hashing has taken is not lost to it
    sizing = chosen(2, 64, 10, wish);
    assert_int_equal(sizing.hash_workers, 1);
    assert_true(sizing.too_large);
    assert_int_equal(sizing.hash_memory_kib, 20 * 1024);
    sizing = chosen(500, 1 << 20, 1 << 20, wish);
    assert_int_equal(sizing.hash_workers, SIZING_WORKERS_MAX);
    assert_int_equal(sizing.fronts, SIZING_WORKERS_MAX);
}

static void what_is_set_holds(void **state)
{
    (void)state;
    struct sizing sizing =
        chosen(2, 64, 10, (struct sizing_wish){.memory_kib = 19 * 1024, .hash_workers = 5, .fronts = 3});
    assert_int_equal(sizing.hash_workers, 5);
    assert_int_equal(sizing.fronts, 3);
    assert_int_equal(sizing.hash_memory_kib, 100 * 1024);
    assert_true(sizing.too_large);
}

static void smaller_at_once_larger_when_it_stays(void **state)
{
    (void)state;
    const struct sizing_wish wish = {.memory_kib = 19 * 1024};
    struct sizing_follow follow = {.now = chosen(4, 8192, 8000, wish)};
    struct sizing few = chosen(2, 8192, 8000, wish), many = chosen(4, 8192, 8000, wish);
    assert_false(sizing_follow(&follow, &many));
    assert_true(sizing_follow(&follow, &few));
    assert_int_equal(follow.now.hash_workers, 2);
    assert_int_equal(follow.now.fronts, 4);
    assert_false(sizing_follow(&follow, &many));
    assert_false(sizing_follow(&follow, &few));
    assert_false(sizing_follow(&follow, &many));
    assert_false(sizing_follow(&follow, &many));
    assert_true(sizing_follow(&follow, &many));
    assert_int_equal(follow.now.hash_workers, 4);
    struct sizing tight = chosen(4, 8192, 300, wish); // 150 MiB for hashing
    assert_true(sizing_follow(&follow, &tight));
    assert_int_equal(follow.now.hash_memory_kib, 150 * 1024);
    struct sizing tighter = chosen(4, 8192, 290, wish); // less than a worker's difference
    assert_false(sizing_follow(&follow, &tighter));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_groups_no_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(version_2_the_least_of_all_levels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_container_sees_its_part_as_the_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_of_the_fullest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(version_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(odd_files_are_no_limits, set_up, tear_down),
        cmocka_unit_test(workers_follow_processors_and_memory),
        cmocka_unit_test(what_is_set_holds),
        cmocka_unit_test(smaller_at_once_larger_when_it_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
