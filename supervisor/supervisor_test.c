// SPDX-License-Identifier: ISC
// The real stayd with children that do nothing (testing/child_main.c): started, killed, hung, crashed,
// reloaded, drained. Real processes and real time; waits end as soon as what is waited for is in the output.
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_MAX = 1 << 20, WAIT_S = 15 };

static const char *stayd_path;
static const char *child_path;
static char folder[64];
static char output[OUTPUT_MAX];
static size_t output_size;
static int output_fd = -1;
static pid_t stayd_pid;

static void copy(const char *from, const char *name)
{
    char to[256];
    char buffer[65536];
    ssize_t got;
    snprintf(to, sizeof to, "%s/%s", folder, name);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_true(in >= 0 && out >= 0);
    while ((got = read(in, buffer, sizeof buffer)) > 0) {
        assert_int_equal(write(out, buffer, (size_t)got), got);
    }
    close(in);
    close(out);
}

static void configure(const char *more)
{
    char path[128];
    snprintf(path, sizeof path, "%s/stayd.conf", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "listen = 127.0.0.1:0\nops_listen = off\ndata_dir = data\nfronts = 2\n%s", more);
    fclose(file);
}

static int folder_make(void **state)
{
    static const char *const names[] = {"stayd-front", "stayd-core",  "stayd-store", "stayd-hash",
                                        "stayd-key",   "stayd-watch", "stayd-alert"};
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/stayd-supervisor-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    copy(stayd_path, "stayd");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        copy(child_path, names[i]);
    }
    return 0;
}

static void remove_all(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (list != NULL && (entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unlinkat(dirfd(list), entry->d_name, 0) != 0) {
            remove_all(dirfd(list), entry->d_name);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    (void)unlinkat(at, name, AT_REMOVEDIR);
}

static int folder_remove(void **state)
{
    (void)state;
    remove_all(AT_FDCWD, folder);
    return 0;
}

static void launch(void)
{
    int pipes[2];
    assert_return_code(pipe2(pipes, O_CLOEXEC), errno);
    output_size = 0;
    output[0] = '\0';
    stayd_pid = fork();
    if (stayd_pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        dup2(pipes[1], STDERR_FILENO);
        if (chdir(folder) != 0) {
            _exit(90);
        }
        execl("./stayd", "stayd", "-c", "stayd.conf", (char *)NULL);
        _exit(91);
    }
    close(pipes[1]);
    output_fd = pipes[0];
}

static uint64_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

// Waits until `text` has come at or after `from`; returns where it ends.
static size_t wait_for(const char *text, size_t from)
{
    uint64_t until = seconds() + WAIT_S;
    for (;;) {
        const char *found = strstr(output + from, text);
        if (found != NULL) {
            return (size_t)(found - output) + strlen(text);
        }
        if (seconds() > until) {
            fprintf(stderr, "waited in vain for \"%s\" in:\n%s\n", text, output + from);
            fail();
        }
        if (poll(&(struct pollfd){.fd = output_fd, .events = POLLIN}, 1, 500) <= 0) {
            continue;
        }
        ssize_t got = read(output_fd, output + output_size, OUTPUT_MAX - 1 - output_size);
        output_size += got > 0 ? (size_t)got : 0;
        output[output_size] = '\0';
    }
}

static int wait_for_end(void)
{
    int status = -1;
    char rest[4096];
    while (read(output_fd, rest, sizeof rest) > 0) {
    }
    close(output_fd);
    assert_int_equal(waitpid(stayd_pid, &status, 0), stayd_pid);
    stayd_pid = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static size_t start(void)
{
    configure("");
    launch();
    return wait_for("stayd 0", 0);
}

static void stop(void)
{
    kill(stayd_pid, SIGTERM);
    assert_int_equal(wait_for_end(), 0);
}

static int stop_if_left(void **state)
{
    (void)state;
    if (stayd_pid > 0) {
        kill(stayd_pid, SIGKILL);
        waitpid(stayd_pid, NULL, 0);
        stayd_pid = 0;
        close(output_fd);
    }
    return 0;
}

// From the last "process_ready" line of that name.
static pid_t pid_of(const char *name)
{
    char mark[64];
    uint64_t pid = 0;
    snprintf(mark, sizeof mark, "event=process_ready name=%s ", name);
    const char *last = NULL;
    for (const char *at = strstr(output, mark); at != NULL; at = strstr(at + 1, mark)) {
        last = at;
    }
    assert_non_null(last);
    struct view rest = view_of_cstr(strstr(last, "pid=") + 4);
    assert_true(view_to_u64(view_first(rest, view_index(rest, ' ')), &pid));
    return (pid_t)pid;
}

static void starts_and_drains(void **state)
{
    (void)state;
    start();
    assert_non_null(strstr(output, "calls=filtered"));
    stop();
}

static void a_killed_child_is_replaced(void **state)
{
    (void)state;
    size_t at = start();
    kill(pid_of("stayd-core"), SIGKILL);
    at = wait_for("event=process_died name=stayd-core", at);
    wait_for("signal=SIGKILL", at);
    wait_for("event=process_ready name=stayd-core", at);
    wait_for("event process_died of stayd-core 0: stayd-core 0 crashed by SIGKILL after", 0);
    stop();
}

static void a_crash_is_explained_and_its_source_penalised(void **state)
{
    (void)state;
    size_t at = start();
    for (int i = 0; i < 2; i++) {
        kill(pid_of("stayd-front"), SIGUSR1);
        at = wait_for("event=process_died name=stayd-front", at);
        size_t line = at;
        wait_for("signal=SIGSEGV", line);
        wait_for("class=login source=192.0.2.9", line);
        wait_for("backtrace=", line);
        wait_for("child_main+", line);
        at = wait_for("event=process_ready name=stayd-front", at);
        at = wait_for("\n", at);
    }
    wait_for("event=source_penalised", 0);
    wait_for("test_child penalty .9 for 60", 0);
    stop();
}

static void a_hung_child_is_replaced(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); // its runtime puts signals off until a call that a hung process never makes
#endif
    size_t at = start();
    kill(pid_of("stayd-hash"), SIGUSR2);
    at = wait_for("event=process_died name=stayd-hash", at);
    wait_for("cause=hung", at);
    wait_for("on_hang+", at);
    wait_for("event=process_ready name=stayd-hash", at);
    wait_for("event process_hung of stayd-hash 0", 0);
    stop();
}

// What happened before it lived, its own death included.
static void a_new_watch_is_told_what_was(void **state)
{
    (void)state;
    size_t at = start();
    wait_for("event started of stayd 0: 0", 0);
    kill(pid_of("stayd-key"), SIGKILL);
    at = wait_for("event process_died of stayd-key 0", at);
    kill(pid_of("stayd-watch"), SIGKILL);
    at = wait_for("event=process_died name=stayd-watch", at);
    at = wait_for("event started of stayd 0: 0", at);
    at = wait_for("event process_died of stayd-key 0", at);
    at = wait_for("event process_died of stayd-watch 0", at);
    wait_for("event process_started of stayd-watch 0", at);
    stop();
}

static void a_reload_is_whole_or_not_at_all(void **state)
{
    char unix_listen[160];
    (void)state;
    size_t at = start();
    configure("registration = opne\n");
    kill(stayd_pid, SIGHUP);
    at = wait_for("registration must be open, invite or closed", at);
    at = wait_for("event=reload_failed", at);
    snprintf(unix_listen, sizeof unix_listen, "registration = open\nlisten = unix:%s/front.sock\n", folder);
    configure(unix_listen);
    kill(stayd_pid, SIGHUP);
    wait_for("test_child config again", at); // before or after the next line
    at = wait_for("event=reloaded", at);
    wait_for("event config_changed of stayd 0: listen, registration", 0);
    configure("");
    kill(stayd_pid, SIGHUP);
    wait_for("test_child gone 6", at);
    stop();
}

static void two_on_one_folder_are_refused(void **state)
{
    (void)state;
    start();
    int first_fd = output_fd;
    pid_t first = stayd_pid;
    launch();
    wait_for("another stayd (process", 0);
    assert_int_equal(wait_for_end(), 1);
    stayd_pid = first;
    output_fd = first_fd;
    stop();
}

static void a_port_in_use_is_named(void **state)
{
    char more[128];
    char expected[64];
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(fd, (const struct sockaddr *)&address, size), errno);
    assert_return_code(listen(fd, 1), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
    snprintf(more, sizeof more, "listen = 127.0.0.1:%u\n", ntohs(address.sin_port));
    snprintf(expected, sizeof expected, "ss -ltnp 'sport = :%u'", ntohs(address.sin_port));
    configure(more);
    launch();
    wait_for("the address is in use", 0);
    wait_for(expected, 0);
    assert_int_equal(wait_for_end(), 1);
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 77;
    }
    stayd_path = argv[1];
    child_path = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(starts_and_drains, stop_if_left),
        cmocka_unit_test_teardown(a_killed_child_is_replaced, stop_if_left),
        cmocka_unit_test_teardown(a_crash_is_explained_and_its_source_penalised, stop_if_left),
        cmocka_unit_test_teardown(a_hung_child_is_replaced, stop_if_left),
        cmocka_unit_test_teardown(a_new_watch_is_told_what_was, stop_if_left),
        cmocka_unit_test_teardown(a_reload_is_whole_or_not_at_all, stop_if_left),
        cmocka_unit_test_teardown(two_on_one_folder_are_refused, stop_if_left),
        cmocka_unit_test_teardown(a_port_in_use_is_named, stop_if_left),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
