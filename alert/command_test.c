// SPDX-License-Identifier: ISC
// The alert command: its words, what it is given, what becomes of one that fails or stays.
#include "alert/command.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static void words_are_parted_by_spaces(void **unused)
{
    char room[64];
    char *words[COMMAND_WORDS_MAX + 1];
    char many[2 * COMMAND_WORDS_MAX + 3];
    (void)unused;
    assert_true(command_split(VIEW("/bin/a  b \"c"), room, sizeof(room), words));
    assert_string_equal(words[0], "/bin/a");
    assert_string_equal(words[1], "b");
    assert_string_equal(words[2], "\"c");
    assert_null(words[3]);
    assert_false(command_split(VIEW("  "), room, sizeof(room), words));
    assert_false(command_split(VIEW("/a"), room, 2, words));
    for (size_t i = 0; i < sizeof(many) - 1; i++) {
        many[i] = i % 2 == 0 ? 'a' : ' ';
    }
    assert_false(command_split(view_of(many, sizeof(many) - 1), (char[128]){0}, 128, words));
}

static char folder[] = "/tmp/stayd-command-XXXXXX";

static bool run(const char *script, unsigned limit_ms, struct command *command)
{
    char path[64], line[128];
    snprintf(path, sizeof(path), "%s/script", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_int_equal(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    snprintf(line, sizeof(line), "/bin/sh %s %s/out", path, folder);
    *command = (struct command){.line = view_of_cstr(line),
                                .event = VIEW("incident_opened"),
                                .incident = VIEW("20261121-050000"),
                                .sentence = VIEW("all is slow"),
                                .input = VIEW("{\"a\":1}"),
                                .limit_ms = limit_ms};
    return command_run(command);
}

static void it_is_told_everything(void **unused)
{
    struct command command;
    char path[64], text[256];
    (void)unused;
    assert_true(
        run("echo \"$STAYD_EVENT $STAYD_INCIDENT $STAYD_SENTENCE $HOME$(cat)\" > $1\n", 5000, &command));
    snprintf(path, sizeof(path), "%s/out", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    assert_string_equal(text, "incident_opened 20261121-050000 all is slow {\"a\":1}\n");
}

static void one_that_fails_or_stays(void **unused)
{
    struct command command;
    (void)unused;
    assert_false(run("exit 3\n", 5000, &command));
    assert_string_equal(command.why, "it ended with status 3");
    assert_false(run("sleep 60 & sleep 60\n", 100, &command));
    assert_non_null(strstr(command.why, "was killed"));
    command = (struct command){.line = VIEW("/nowhere/at/all"), .limit_ms = 5000};
    assert_false(command_run(&command));
    assert_string_equal(command.why, "it ended with status 127 (not found, or not executable)");
}

static int set_up(void **unused)
{
    (void)unused;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **unused)
{
    char path[64];
    (void)unused;
    snprintf(path, sizeof(path), "%s/script", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/out", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_are_parted_by_spaces),
                                       cmocka_unit_test(it_is_told_everything),
                                       cmocka_unit_test(one_that_fails_or_stays)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
