// SPDX-License-Identifier: ISC
// Unit tests of keeper/common: written and read back, damaged in every way, and the list that is built with
// stayd.
#include "keeper/common.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int new_file(void)
{
    int fd = memfd_create("list", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

// A list of the numbers below count, some of them twice.
static int write_numbers(size_t count)
{
    uint8_t(*keys)[COMMON_KEY_SIZE] = calloc(count + 1, COMMON_KEY_SIZE);
    assert_non_null(keys);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "%zu", i % 7 == 6 ? i - 6 : i);
        common_key(view_of_cstr(text), keys[i]);
    }
    int fd = new_file();
    assert_true(common_write(fd, keys, count));
    free(keys);
    return fd;
}

static enum common_answer find(const struct common *list, const char *text)
{
    return common_find(list, view_of_cstr(text), view_of_cstr(text));
}

static void what_was_written_is_found(void **state)
{
    (void)state;
    struct common list;
    assert_int_equal(common_init(&list, write_numbers(300000)), COMMON_OK);
    for (size_t i = 0; i < 300000; i += i < 1000 ? 1 : 997) {
        char text[32];
        snprintf(text, sizeof text, "%zu", i);
        assert_int_equal(find(&list, text), i % 7 == 6 ? COMMON_ABSENT : COMMON_PRESENT);
    }
    assert_int_equal(find(&list, "300000"), COMMON_ABSENT);
    assert_int_equal(find(&list, ""), COMMON_ABSENT);
    common_release(&list);
}

static void both_spellings_are_looked_up(void **state)
{
    (void)state;
    struct common list;
    assert_int_equal(common_init(&list, write_numbers(10)), COMMON_OK);
    assert_int_equal(common_find(&list, VIEW("3"), VIEW("x")), COMMON_PRESENT);
    assert_int_equal(common_find(&list, VIEW("x"), VIEW("3")), COMMON_PRESENT);
    assert_int_equal(common_find(&list, VIEW("x"), VIEW("y")), COMMON_ABSENT);
    common_release(&list);
}

static void an_empty_list_has_nothing(void **state)
{
    (void)state;
    struct common list;
    assert_int_equal(common_init(&list, write_numbers(0)), COMMON_OK);
    assert_int_equal(find(&list, "1"), COMMON_ABSENT);
    common_release(&list);
}

static void other_files_are_not_lists(void **state)
{
    (void)state;
    struct common list;
    int fd = new_file();
    assert_int_equal(write(fd, "123456\npassword\n", 16), 16);
    assert_int_equal(common_init(&list, fd), COMMON_NOT_A_LIST);
    assert_int_equal(common_init(&list, new_file()), COMMON_NOT_A_LIST);
    fd = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_equal(common_init(&list, fd), COMMON_NOT_A_LIST);
    assert_int_equal(common_init(&list, -1), COMMON_UNREADABLE);
    assert_non_null(common_result_text(COMMON_NOT_A_LIST));
}

static void a_damaged_list_is_refused(void **state)
{
    (void)state;
    struct common list;
    int fd = write_numbers(1000);
    off_t size = lseek(fd, 0, SEEK_END);
    assert_int_equal(ftruncate(fd, size - 1), 0);
    assert_int_equal(common_init(&list, fd), COMMON_DAMAGED);

    fd = write_numbers(1000);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(common_init(&list, fd), COMMON_DAMAGED);

    fd = write_numbers(1000);
    assert_int_equal(pwrite(fd, "\xff\xff\xff", 3, 16 + 8 * 40), 3);
    assert_int_equal(common_init(&list, fd), COMMON_DAMAGED);

    // A count whose size in bytes would overflow.
    fd = write_numbers(1000);
    assert_int_equal(pwrite(fd, "\0\0\0\0\0\0\0\x20", 8, 8), 8);
    assert_int_equal(pwrite(fd, "\0\0\0\0\0\0\0\x20", 8, 16 + 8 * 255), 8);
    assert_int_equal(common_init(&list, fd), COMMON_DAMAGED);
}

static void a_list_cut_short_while_open_is_no_answer(void **state)
{
    (void)state;
    struct common list;
    assert_int_equal(common_init(&list, write_numbers(1000)), COMMON_OK);
    assert_int_equal(ftruncate(list.fd, COMMON_HEADER_SIZE), 0);
    assert_int_equal(find(&list, "1"), COMMON_UNKNOWN);
    common_release(&list);
}

static void the_built_list_has_what_attackers_try(void **state)
{
    (void)state;
    struct common list;
    const char *path = getenv("STAYD_COMMON_PASSWORDS");
    if (path == NULL) {
        skip();
    }
    assert_int_equal(common_init(&list, open(path, O_RDONLY | O_CLOEXEC)), COMMON_OK);
    assert_in_range(list.count, 30000, 100000);
    assert_int_equal(find(&list, "password"), COMMON_PRESENT);
    assert_int_equal(find(&list, "12345678"), COMMON_PRESENT);
    assert_int_equal(find(&list, "baseball"), COMMON_PRESENT);
    assert_int_equal(find(&list, "xq7vkp2m9z"), COMMON_ABSENT);
    common_release(&list);
}

// Runs make-common-passwords on a text; its status.
static int make(const char *option, const char *text, const char *output)
{
    const char *tool = getenv("STAYD_MAKE_COMMON_PASSWORDS");
    if (tool == NULL) {
        skip();
    }
    int input = new_file();
    assert_int_equal(write(input, text, strlen(text)), (ssize_t)strlen(text));
    lseek(input, 0, SEEK_SET);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        dup2(input, STDIN_FILENO);
        dup2(nothing, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        execl(tool, tool, "-o", output, option, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(input);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void an_administrator_makes_lists_of_both_kinds(void **state)
{
    (void)state;
    struct common list;
    char output[] = "/tmp/stayd-list-XXXXXX";
    int fd = mkstemp(output);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(make(NULL,
                          "Company2024\r\n\nshort\ncompany2024\nGr\xc3\xbc\xc3\x9f"
                          "e aus Bern\n\xff\xff",
                          output),
                     0);
    assert_int_equal(common_init(&list, open(output, O_RDONLY | O_CLOEXEC)), COMMON_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(find(&list, "company2024"), COMMON_PRESENT);
    common_release(&list);

    // SHA-1 of "password" and of "Passw0rd", as they are published.
    assert_int_equal(make("--hashes",
                          "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\nnonsense\n"
                          "ebfc7910077770c8340f63cd2dca2ac1f120444f\n",
                          output),
                     0);
    assert_int_equal(common_init(&list, open(output, O_RDONLY | O_CLOEXEC)), COMMON_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(find(&list, "password"), COMMON_PRESENT);
    assert_int_equal(common_find(&list, VIEW("Passw0rd"), VIEW("passw0rd")), COMMON_PRESENT);
    common_release(&list);

    assert_int_equal(make("--hashes", "plain text\n", output), 1);
    assert_int_equal(make(NULL, "long enough\n", "/nonexistent/list"), 1);
    assert_int_equal(make("--nonsense", "", output), 2);
    unlink(output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_found),
        cmocka_unit_test(both_spellings_are_looked_up),
        cmocka_unit_test(an_empty_list_has_nothing),
        cmocka_unit_test(other_files_are_not_lists),
        cmocka_unit_test(a_damaged_list_is_refused),
        cmocka_unit_test(a_list_cut_short_while_open_is_no_answer),
        cmocka_unit_test(an_administrator_makes_lists_of_both_kinds),
        cmocka_unit_test(the_built_list_has_what_attackers_try),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
