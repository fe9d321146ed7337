// SPDX-License-Identifier: ISC
// Unit tests of keeper/key and keeper/key_file.
#include "keeper/key_file.h"
#include "wire/types.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/stayd-key-test-XXXXXX";

static void codes_depend_on_everything(void **state)
{
    (void)state;
    uint8_t data_key[KEY_SIZE] = {1};
    struct key key, other;
    struct hash32 a, b;
    key_init(&key, data_key);
    data_key[31] = 1;
    key_init(&other, data_key);
    assert_true(key_mac(&key, WIRE_KEY_DEVICE, VIEW("x"), &a));
    assert_true(key_mac(&key, WIRE_KEY_DEVICE, VIEW("x"), &b));
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(key_mac(&key, WIRE_KEY_DEVICE, VIEW("y"), &b));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_true(key_mac(&other, WIRE_KEY_DEVICE, VIEW("x"), &b));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(key.purpose[1], key.purpose[2], KEY_SIZE);
    key_release(&key);
    key_release(&other);
    assert_int_equal(sodium_is_zero((const uint8_t *)&key, sizeof key), 1);
}

// What was signed stays valid over versions of stayd: this value never changes.
static void the_construction_is_fixed(void **state)
{
    (void)state;
    uint8_t data_key[KEY_SIZE] = {0};
    struct key key;
    struct hash32 mac;
    char hex[65];
    key_init(&key, data_key);
    assert_true(key_mac(&key, WIRE_KEY_DEVICE, VIEW("stayd"), &mac));
    hex_encode(mac.byte, sizeof mac.byte, hex);
    assert_string_equal(hex, "46581d5ab509c4e1d31cdf04f228c27208581a5fe7d8c03355656fd5da1b0946");
}

static void other_purposes_and_too_much_are_refused(void **state)
{
    (void)state;
    static uint8_t data[KEY_DATA_SIZE_MAX + 1];
    uint8_t data_key[KEY_SIZE] = {0};
    struct key key;
    struct hash32 mac;
    key_init(&key, data_key);
    assert_false(key_mac(&key, 0, VIEW("x"), &mac));
    assert_false(key_mac(&key, 200, VIEW("x"), &mac));
    assert_false(key_mac(&key, WIRE_KEY_DEVICE, view_of(data, sizeof data), &mac));
    assert_true(key_mac(&key, WIRE_KEY_DEVICE, view_of(data, KEY_DATA_SIZE_MAX), &mac));
    assert_true(key_mac(&key, WIRE_KEY_DEVICE, VIEW(""), &mac));
}

static void a_key_is_made_once_and_kept(void **state)
{
    (void)state;
    uint8_t made[KEY_SIZE] = {0}, loaded[KEY_SIZE] = {0};
    struct stat status;
    assert_int_equal(key_file_load(made), KEY_FILE_CREATED);
    assert_int_equal(stat(KEY_FILE_NAME, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, KEY_SIZE);
    assert_int_equal(access(KEY_FILE_NAME ".new", F_OK), -1);
    assert_int_equal(key_file_load(loaded), KEY_FILE_LOADED);
    assert_memory_equal(made, loaded, KEY_SIZE);
    assert_int_equal(sodium_is_zero(made, sizeof made), 0);
}

static void leave(const char *content, size_t size, mode_t mode)
{
    int fd = open(KEY_FILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, content, size), (ssize_t)size);
    close(fd);
}

static void assert_kept_and_refused(enum key_file_result expected)
{
    uint8_t key[KEY_SIZE];
    struct stat before, after;
    assert_int_equal(lstat(KEY_FILE_NAME, &before), 0);
    assert_int_equal(key_file_load(key), expected);
    assert_int_equal(lstat(KEY_FILE_NAME, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
    assert_non_null(strstr(key_file_result_text(expected), KEY_FILE_NAME));
}

static void a_damaged_key_is_never_replaced(void **state)
{
    (void)state;
    const char content[KEY_SIZE + 1] = "0123456789abcdef0123456789abcdef";
    leave(content, 31, 0600);
    assert_kept_and_refused(KEY_FILE_WRONG_SIZE);
    unlink(KEY_FILE_NAME);
    leave(content, 0, 0600);
    assert_kept_and_refused(KEY_FILE_WRONG_SIZE);
    unlink(KEY_FILE_NAME);
    leave(content, 33, 0600);
    assert_kept_and_refused(KEY_FILE_WRONG_SIZE);
    unlink(KEY_FILE_NAME);
    leave(content, 32, 0640);
    assert_kept_and_refused(KEY_FILE_TOO_OPEN);
}

static void only_a_plain_file_is_a_key(void **state)
{
    (void)state;
    assert_int_equal(mkdir(KEY_FILE_NAME, 0700), 0);
    assert_kept_and_refused(KEY_FILE_NOT_A_FILE);
    rmdir(KEY_FILE_NAME);
    assert_int_equal(symlink("/dev/zero", KEY_FILE_NAME), 0);
    assert_kept_and_refused(KEY_FILE_NOT_A_FILE);
    unlink(KEY_FILE_NAME);
    assert_int_equal(mkfifo(KEY_FILE_NAME, 0600), 0);
    assert_kept_and_refused(KEY_FILE_NOT_A_FILE);
}

static void what_a_crash_left_is_cleaned_up(void **state)
{
    (void)state;
    uint8_t key[KEY_SIZE];
    int fd = open(KEY_FILE_NAME ".new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    assert_int_equal(key_file_load(key), KEY_FILE_CREATED);
    assert_int_equal(key_file_load(key), KEY_FILE_LOADED);
}

static void a_folder_that_can_not_be_written_is_said(void **state)
{
    (void)state;
    uint8_t key[KEY_SIZE];
    assert_int_equal(mkdir(KEY_FILE_NAME ".new", 0700), 0); // also for root
    assert_int_equal(key_file_load(key), KEY_FILE_CAN_NOT_MAKE);
    assert_int_not_equal(errno, 0);
    assert_int_equal(access(KEY_FILE_NAME, F_OK), -1);
}

static int clean(void **state)
{
    (void)state;
    (void)remove(KEY_FILE_NAME);
    (void)remove(KEY_FILE_NAME ".new");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_depend_on_everything),
        cmocka_unit_test(the_construction_is_fixed),
        cmocka_unit_test(other_purposes_and_too_much_are_refused),
        cmocka_unit_test_teardown(a_key_is_made_once_and_kept, clean),
        cmocka_unit_test_teardown(a_damaged_key_is_never_replaced, clean),
        cmocka_unit_test_teardown(only_a_plain_file_is_a_key, clean),
        cmocka_unit_test_teardown(what_a_crash_left_is_cleaned_up, clean),
        cmocka_unit_test_teardown(a_folder_that_can_not_be_written_is_said, clean),
    };
    if (sodium_init() < 0 || mkdtemp(folder) == NULL || chdir(folder) != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
