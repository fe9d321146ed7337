// SPDX-License-Identifier: ISC
// The real stayd-store under a supervisor and a core played by the test: start, answers, a new core, kill -9
// between acknowledgements, a full disk, a damaged file, a newer schema.
#include "store/store.h"

#include "store/testing.h"
#include "wire/channel.h"

#include <sqlite3.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct process {
    char folder[64], log[96];
    pid_t pid;
    int control, core;
    uint8_t *buffer;
    struct channel_parts parts; // of what came last
    struct view message;
    struct wire_store_state state;
    struct wire_store_reply reply; // borrows buffer
};

static void say(int socket, const struct bytes *packet, int fd)
{
    assert_true(channel_send_blocking(socket, bytes_view(packet), fd));
}

#define SAY(socket_, fd_, name_, ...)                                                                        \
    do {                                                                                                     \
        struct bytes packet_;                                                                                \
        bytes_init(&packet_, WIRE_PACKET_MAX);                                                               \
        assert_true(wire_##name_##_encode(&packet_, &(struct wire_##name_){__VA_ARGS__}));                   \
        say((socket_), &packet_, (fd_));                                                                     \
        bytes_release(&packet_);                                                                             \
    } while (0)

static int setup(void **state)
{
    struct process *p = calloc(1, sizeof(*p));
    p->buffer = malloc(WIRE_PACKET_MAX);
    p->control = -1;
    p->core = -1;
    testing_folder(p->folder);
    (void)snprintf(p->log, sizeof(p->log), "%s.log", p->folder);
    *state = p;
    return 0;
}

static void close_ends(struct process *p)
{
    if (p->control >= 0) {
        close(p->control);
        close(p->core);
    }
    p->control = -1;
    p->core = -1;
}

static int wait_for_end(struct process *p)
{
    int status = -1;
    assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
    p->pid = 0;
    close_ends(p);
    return status;
}

static int teardown(void **state)
{
    struct process *p = *state;
    if (p->pid > 0) {
        (void)kill(p->pid, SIGKILL);
        (void)wait_for_end(p);
    }
    close_ends(p);
    testing_remove(p->folder);
    (void)unlink(p->log);
    free(p->buffer);
    free(p);
    return 0;
}

static void run_child(const struct process *p, int control)
{
    int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log < 0 || dup2(log, 2) < 0 || dup2(control, 3) < 0 || chdir(p->folder) != 0) {
        _exit(99);
    }
    (void)fcntl(3, F_SETFD, 0);
    // A sanitizer build looks for leaks by ptrace, which the sandbox forbids.
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    execl(getenv("STAYD_STORE"), "stayd-store", "--index", "0", NULL);
    _exit(98);
}

static void new_core(struct process *p)
{
    int pair[2];
    if (p->core >= 0) {
        close(p->core);
    }
    p->parts = (struct channel_parts){0};
    assert_true(channel_pair(pair));
    SAY(p->control, pair[1], peer, .role = WIRE_CORE);
    close(pair[1]);
    p->core = pair[0];
}

static void start(struct process *p)
{
    int pair[2];
    assert_non_null(getenv("STAYD_STORE"));
    assert_true(channel_pair(pair));
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        run_child(p, pair[1]);
    }
    close(pair[1]);
    p->control = pair[0];
    SAY(p->control, -1, store_config, .database = VIEW("sqlite"));
    new_core(p);
    SAY(p->control, -1, start, .started_ns = 1);
}

// The next message of core's channel; false when the process is gone.
static bool receive(struct process *p)
{
    int fd;
    if (!channel_next(&p->parts, &p->message)) {
        size_t size = channel_receive_blocking(p->core, p->buffer, WIRE_PACKET_MAX, &fd);
        p->parts = channel_parts_of(view_of(p->buffer, size));
        if (!channel_next(&p->parts, &p->message)) {
            return false;
        }
    }
    if (wire_peek(p->message) == WIRE_MESSAGE_store_state) {
        assert_true(wire_store_state_decode(p->message, &p->state));
    } else {
        assert_true(wire_store_reply_decode(p->message, &p->reply));
    }
    return true;
}

static bool ready_or_gone(struct process *p)
{
    int fd;
    size_t size = channel_receive_blocking(p->control, p->buffer, WIRE_PACKET_MAX, &fd);
    struct wire_ready ready;
    return wire_ready_decode(view_of(p->buffer, size), &ready) && receive(p);
}

static void wait_until_ready(struct process *p)
{
    assert_true(ready_or_gone(p));
    assert_int_equal(wire_peek(p->message), WIRE_MESSAGE_store_state);
}

#define ASK_PROCESS(p_, name_, ...)                                                                          \
    ({                                                                                                       \
        SAY((p_)->core, -1, store_##name_, .op = 1, .deadline_ms = 20000, __VA_ARGS__);                      \
        assert_true(receive(p_));                                                                            \
        (p_)->reply.outcome;                                                                                 \
    })

static bool log_says(const struct process *p, const char *text)
{
    static char content[65536];
    int fd = open(p->log, O_RDONLY);
    ssize_t size = fd < 0 ? 0 : read(fd, content, sizeof(content) - 1);
    content[size < 0 ? 0 : size] = '\0';
    if (fd >= 0) {
        close(fd);
    }
    return strstr(content, text) != NULL;
}

static void it_starts_answers_and_drains(void **state)
{
    struct process *p = *state;
    start(p);
    wait_until_ready(p);
    assert_true(p->state.up && p->state.empty);
    assert_int_equal(ASK_PROCESS(p, account_add, ACCOUNT(1), .name = VIEW("alice")), WIRE_STORE_OK);
    assert_int_equal(ASK_PROCESS(p, session_grant, SESSION(1, 1)), WIRE_STORE_OK);
    assert_true(p->reply.run_us > 0);
    new_core(p);
    assert_true(receive(p));
    assert_false(p->state.empty);
    assert_int_equal(ASK_PROCESS(p, session_by_selector, .selector = testing_id('s', 1)), WIRE_STORE_OK);
    SAY(p->control, -1, drain, .deadline_ms = 1000);
    int status = wait_for_end(p);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void what_was_acknowledged_is_there_after_kill_9(void **state)
{
    struct process *p = *state;
    start(p);
    wait_until_ready(p);
    assert_int_equal(ASK_PROCESS(p, account_add, ACCOUNT(1), .name = VIEW("alice")), WIRE_STORE_OK);
    uint32_t next = 0;
    for (int round = 0; round < 3; round++) {
        uint32_t sent = next, acknowledged = next;
        for (; sent < next + 400; sent++) { // more than it can have answered when it dies
            SAY(p->core, -1, store_session_grant, .op = sent, .deadline_ms = 20000, SESSION(1, sent));
        }
        while (acknowledged < next + 60 + (uint32_t)round * 90) {
            assert_true(receive(p));
            assert_int_equal(p->reply.outcome, WIRE_STORE_OK);
            assert_true(p->reply.op == acknowledged);
            acknowledged++;
        }
        assert_int_equal(kill(p->pid, SIGKILL), 0);
        (void)wait_for_end(p);
        start(p);
        wait_until_ready(p);
        for (uint32_t i = 0; i < acknowledged; i++) {
            assert_int_equal(ASK_PROCESS(p, session_by_selector, .selector = testing_id('s', i)),
                             WIRE_STORE_OK);
        }
        next = sent;
        // The rest was done or not; sent again it is done.
        for (uint32_t i = acknowledged; i < sent; i++) {
            assert_int_equal(ASK_PROCESS(p, session_grant, SESSION(1, i)), WIRE_STORE_OK);
        }
    }
}

// Grants sessions from `from` on until one is refused for want of space; returns how many were acknowledged.
static uint32_t grant_until_full(struct process *p, uint32_t from)
{
    for (uint32_t i = from; i < from + 200000; i++) {
        uint8_t outcome = ASK_PROCESS(p, session_grant, SESSION(1, i));
        if (outcome != WIRE_STORE_OK) {
            assert_int_equal(outcome, WIRE_STORE_NO_SPACE);
            return i;
        }
    }
    fail_msg("the disk was never full");
    return 0;
}

static void all_there(struct process *p, uint32_t end)
{
    for (uint32_t i = 0; i < end; i += end / 50 + 1) {
        assert_int_equal(ASK_PROCESS(p, session_by_selector, .selector = testing_id('s', i)), WIRE_STORE_OK);
    }
    assert_int_equal(ASK_PROCESS(p, session_by_selector, .selector = testing_id('s', end - 1)),
                     WIRE_STORE_OK);
}

static void a_limit_on_file_sizes_is_a_full_disk_that_passes(void **state)
{
    struct process *p = *state;
    start(p);
    wait_until_ready(p);
    assert_int_equal(ASK_PROCESS(p, account_add, ACCOUNT(1), .name = VIEW("alice")), WIRE_STORE_OK);
    struct rlimit before, small;
    assert_int_equal(prlimit(p->pid, RLIMIT_FSIZE, NULL, &before), 0);
    small = before;
    small.rlim_cur = 600000;
    assert_int_equal(prlimit(p->pid, RLIMIT_FSIZE, &small, NULL), 0);
    uint32_t end = grant_until_full(p, 0);
    assert_true(end > 10);
    all_there(p, end);
    assert_true(log_says(p, "event=disk_full"));
    assert_int_equal(prlimit(p->pid, RLIMIT_FSIZE, &before, NULL), 0);
    for (uint32_t i = end; i < end + 100; i++) {
        assert_int_equal(ASK_PROCESS(p, session_grant, SESSION(1, i)), WIRE_STORE_OK);
    }
    all_there(p, end + 100);
    assert_true(log_says(p, "event=disk_has_space"));
}

static void a_full_file_system_refuses_changes_and_recovers(void **state)
{
    struct process *p = *state;
    if (mount("stayd-test", p->folder, "tmpfs", 0, "size=2m") != 0) {
        skip(); // not root
    }
    start(p);
    wait_until_ready(p);
    assert_int_equal(ASK_PROCESS(p, account_add, ACCOUNT(1), .name = VIEW("alice")), WIRE_STORE_OK);
    char filler[128];
    static uint8_t zeros[1200000];
    (void)snprintf(filler, sizeof(filler), "%s/filler", p->folder);
    int fd = open(filler, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
    close(fd);
    uint32_t end = grant_until_full(p, 0);
    all_there(p, end);
    // Killed while full: it says what is missing, and once there is space what was acknowledged is there.
    assert_int_equal(kill(p->pid, SIGKILL), 0);
    (void)wait_for_end(p);
    start(p);
    if (!ready_or_gone(p)) {
        int status = wait_for_end(p);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        assert_true(log_says(p, "no space left on the disk"));
    } else {
        all_there(p, end);
        assert_int_equal(kill(p->pid, SIGKILL), 0);
        (void)wait_for_end(p);
    }
    assert_int_equal(unlink(filler), 0);
    start(p);
    wait_until_ready(p);
    all_there(p, end);
    fd = open(filler, O_WRONLY | O_CREAT, 0600);
    while (write(fd, zeros, 65536) > 0) {
    }
    close(fd);
    uint32_t more = grant_until_full(p, end);
    assert_int_equal(unlink(filler), 0);
    assert_int_equal(ASK_PROCESS(p, session_grant, SESSION(1, more)), WIRE_STORE_OK);
    all_there(p, more + 1);
    SAY(p->control, -1, drain, .deadline_ms = 1000);
    (void)wait_for_end(p);
    (void)umount2(p->folder, MNT_DETACH);
}

static void a_core_that_makes_no_sense_is_left(void **state)
{
    struct process *p = *state;
    start(p);
    wait_until_ready(p);
    assert_int_equal(ASK_PROCESS(p, account_add, ACCOUNT(1), .name = VIEW("alice")), WIRE_STORE_OK);
    struct bytes packet;
    bytes_init(&packet, 256);
    wire_store_session_end_encode(&packet, &(struct wire_store_session_end){.op = 1});
    assert_true(channel_send_blocking(p->core, view_first(bytes_view(&packet), packet.size - 1), -1));
    bytes_release(&packet);
    int status = wait_for_end(p);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    start(p);
    wait_until_ready(p);
    assert_false(p->state.empty);
}

static void write_at(const struct process *p, off_t offset, const char *text, size_t size)
{
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/stayd.db", p->folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, size, offset), size);
    close(fd);
}

static void a_damaged_file_is_named_and_never_started_on_again(void **state)
{
    struct process *p = *state;
    static char garbage[16384];
    memset(garbage, 'z', sizeof(garbage));
    write_at(p, 0, garbage, sizeof(garbage));
    start(p);
    int status = wait_for_end(p);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), WIRE_EXIT_DATA);
    assert_true(log_says(p, "stayd.db is damaged"));
    assert_true(log_says(p, "stayctl restore"));
}

static void a_schema_page_of_garbage_is_damage(void **state)
{
    struct process *p = *state;
    start(p);
    wait_until_ready(p);
    SAY(p->control, -1, drain, .deadline_ms = 1000);
    (void)wait_for_end(p);
    static char garbage[2000];
    memset(garbage, 0xee, sizeof(garbage));
    write_at(p, 100, garbage, sizeof(garbage));
    start(p);
    int status = wait_for_end(p);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), WIRE_EXIT_DATA);
    assert_true(log_says(p, "stayctl restore"));
}

static void damage_found_while_serving_stops_all_answers(void **state)
{
    struct process *p = *state;
    start(p);
    wait_until_ready(p);
    assert_int_equal(ASK_PROCESS(p, account_add, ACCOUNT(1), .name = VIEW("alice")), WIRE_STORE_OK);
    for (uint32_t i = 0; i < 600; i++) {
        assert_int_equal(ASK_PROCESS(p, session_grant, SESSION(1, i)), WIRE_STORE_OK);
    }
    SAY(p->control, -1, drain, .deadline_ms = 1000);
    (void)wait_for_end(p);
    static char garbage[4096];
    memset(garbage, 0xee, sizeof(garbage));
    for (off_t page = 30; page < 60; page++) { // behind the roots, which are looked at when it starts
        write_at(p, page * 4096, garbage, sizeof(garbage));
    }
    start(p);
    wait_until_ready(p);
    uint32_t i = 0;
    while (i < 600 && ASK_PROCESS(p, session_by_selector, .selector = testing_id('s', i)) == WIRE_STORE_OK) {
        i++;
    }
    assert_true(i < 600);
    assert_int_equal(p->reply.outcome, WIRE_STORE_UNAVAILABLE); // never "not found"
    assert_true(receive(p));
    assert_false(p->state.up);
    assert_int_equal(ASK_PROCESS(p, account_by_name, .name = VIEW("nobody")), WIRE_STORE_UNAVAILABLE);
    assert_true(log_says(p, "event=database_damaged"));
}

static void a_newer_schema_is_refused(void **state)
{
    struct process *p = *state;
    start(p);
    wait_until_ready(p);
    SAY(p->control, -1, drain, .deadline_ms = 1000);
    (void)wait_for_end(p);
    char path[96];
    sqlite3 *database;
    (void)snprintf(path, sizeof(path), "%s/stayd.db", p->folder);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(database, "UPDATE meta SET value = 999 WHERE name = 'schema'", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    start(p);
    int status = wait_for_end(p);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), WIRE_EXIT_DATA);
    assert_true(log_says(p, "newer stayd"));
}

#define IN_PROCESS(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PROCESS(it_starts_answers_and_drains),
        IN_PROCESS(a_core_that_makes_no_sense_is_left),
        IN_PROCESS(what_was_acknowledged_is_there_after_kill_9),
        IN_PROCESS(a_limit_on_file_sizes_is_a_full_disk_that_passes),
        IN_PROCESS(a_full_file_system_refuses_changes_and_recovers),
        IN_PROCESS(a_damaged_file_is_named_and_never_started_on_again),
        IN_PROCESS(a_schema_page_of_garbage_is_damage),
        IN_PROCESS(damage_found_while_serving_stops_all_answers),
        IN_PROCESS(a_newer_schema_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
