// SPDX-License-Identifier: ISC
#include "base/shared.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file_new(uint64_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void large_files_lie_on_whole_huge_pages(void **state)
{
    (void)state;
    uint64_t size = 3 * SHARED_HUGE_BYTES + 12288;
    int fd = file_new(size);
    uint8_t *map = shared_map(fd, size, PROT_READ | PROT_WRITE);
    assert_non_null(map);
    assert_int_equal((uintptr_t)map % SHARED_HUGE_BYTES, 0);
    map[size - 1] = 7;
    assert_int_equal(munmap(map, size), 0);
    close(fd);
}

static void joining_keeps_the_content_for_both_sides(void **state)
{
    (void)state;
    uint64_t size = 4 * SHARED_HUGE_BYTES;
    int fd = file_new(size);
    uint8_t *writer = shared_map(fd, size, PROT_READ | PROT_WRITE);
    const uint8_t *reader = shared_map(fd, size, PROT_READ);
    assert_true(writer != NULL && reader != NULL);
    for (uint64_t at = 0; at < size; at += 4096) {
        writer[at] = (uint8_t)(at >> 12 | 1);
    }
    (void)!shared_join(writer, 4096, 3 * SHARED_HUGE_BYTES + 4096);
    writer[1] = 9;
    for (uint64_t at = 0; at < size; at += 4096) {
        assert_int_equal(reader[at], (uint8_t)(at >> 12 | 1));
    }
    assert_int_equal(reader[1], 9);
    assert_int_equal(munmap(writer, size), 0);
    close(fd);
}

static void small_and_impossible_files(void **state)
{
    (void)state;
    int fd = file_new(4096);
    void *map = shared_map(fd, 4096, PROT_READ);
    assert_non_null(map);
    assert_int_equal(munmap(map, 4096), 0);
    close(fd);
    assert_null(shared_map(-1, 4 * SHARED_HUGE_BYTES, PROT_READ));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_files_lie_on_whole_huge_pages),
        cmocka_unit_test(joining_keeps_the_content_for_both_sides),
        cmocka_unit_test(small_and_impossible_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
