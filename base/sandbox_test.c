// SPDX-License-Identifier: ISC
// Every profile proves itself from inside, by the same probe that the children run.
#include "base/sandbox_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/stayd-sandbox-XXXXXX";

static int folder_make(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int folder_remove(void **state)
{
    (void)state;
    return rmdir(folder);
}

// The probe's lines, read back as text.
static int probe(enum sandbox_profile profile, char *text, size_t size)
{
    struct sandbox_options options = {.descriptors_max = 64};
    if (profile == SANDBOX_STORE || profile == SANDBOX_STORE_NETWORK || profile == SANDBOX_WATCH) {
        options.dirs = 1;
        options.dir[0] = (struct sandbox_dir){folder, SANDBOX_READ | SANDBOX_WRITE};
    }
    if (profile == SANDBOX_STORE_NETWORK) {
        options.dir[options.dirs++] = (struct sandbox_dir){"/etc/hosts", SANDBOX_READ};
        options.port[options.ports++] = 5432;
    }
    int pipes[2];
    assert_return_code(pipe(pipes), 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        int result = sandbox_probe(profile, &options, -1);
        fflush(stdout);
        _exit(result);
    }
    close(pipes[1]);
    size_t used = 0;
    ssize_t got;
    while ((got = read(pipes[0], text + used, size - 1 - used)) > 0) {
        used += (size_t)got;
    }
    text[used] = '\0';
    close(pipes[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void every_profile_holds(void **state)
{
    (void)state;
    char text[8192];
    for (int profile = 0; profile < SANDBOX_PROFILE_COUNT; profile++) {
        int result = probe((enum sandbox_profile)profile, text, sizeof text);
        if (result != 0 || profile == SANDBOX_FRONT) {
            fputs(text, stderr);
        }
        assert_int_equal(result, 0);
    }
}

static void front_is_denied(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(probe(SANDBOX_FRONT, text, sizeof text), 0);
    if (strstr(text, "calls=filtered") == NULL) {
        skip();
    }
    assert_null(strstr(text, "result=allowed"));
    assert_non_null(strstr(text, "act=open_read result=denied errno=EPERM"));
    assert_non_null(strstr(text, "act=connect result=denied errno=EPERM"));
    assert_non_null(strstr(text, "act=exec result=killed signal=SIGSYS"));
    assert_non_null(strstr(text, "act=table_reopen result=denied"));
}

static void store_has_its_folder_only(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(probe(SANDBOX_STORE, text, sizeof text), 0);
    assert_non_null(strstr(text, "act=open_own_folder result=allowed"));
    if (strstr(text, "(files") != NULL) {
        assert_non_null(strstr(text, "act=open_read result=denied errno=EACCES"));
    }
}

static void store_has_no_network(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(probe(SANDBOX_STORE, text, sizeof text), 0);
    if (strstr(text, "calls=filtered") == NULL) {
        skip();
    }
    static const char *const denied[] = {"socket", "connect", "connect_local", "datagram", "bind"};
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++) {
        char line[80];
        snprintf(line, sizeof line, "act=%s result=denied errno=EPERM", denied[i]);
        assert_non_null(strstr(text, line));
    }
}

static void store_with_a_server_reaches_it_only(void **state)
{
    (void)state;
    char text[8192];
    assert_int_equal(probe(SANDBOX_STORE_NETWORK, text, sizeof text), 0);
    assert_non_null(strstr(text, "act=connect result=allowed"));
    assert_non_null(strstr(text, "act=connect_local result=allowed"));
    assert_non_null(strstr(text, "act=datagram result=allowed"));
    assert_non_null(strstr(text, "act=read_names result=allowed"));
    if (strstr(text, "calls=filtered") != NULL) {
        assert_non_null(strstr(text, "act=socket_raw result=denied errno=EPERM"));
        assert_non_null(strstr(text, "act=socket_packet result=denied errno=EPERM"));
        assert_non_null(strstr(text, "act=socket_audit result=denied errno=EPERM"));
    }
    if (strstr(text, ",tcp") != NULL) {
        assert_non_null(strstr(text, "act=connect_other_port result=denied errno=EACCES"));
        assert_non_null(strstr(text, "act=bind result=denied errno=EACCES"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_profile_holds),
        cmocka_unit_test(front_is_denied),
        cmocka_unit_test(store_has_its_folder_only),
        cmocka_unit_test(store_has_no_network),
        cmocka_unit_test(store_with_a_server_reaches_it_only),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
