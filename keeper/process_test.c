// SPDX-License-Identifier: ISC
// stayd-hash and stayd-key as processes, in their sandboxes, with the test as their supervisor and as their
// core. STAYD_HASH, STAYD_KEY: the executables; STAYD_COMMON_PASSWORDS: the list that is built.
#include "keeper/key_file.h"
#include "keeper/phc.h"
#include "wire/channel.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define ANSWER_TIMEOUT_MS 20000

static char folder[] = "/tmp/stayd-keeper-test-XXXXXX";
static struct wire_hash_config config = {.workers = 2, .memory_kib = 8194, .time = 1};

struct child {
    pid_t pid;
    int control;
    int core;
};

#define TELL(socket_, fd_, name_, ...)                                                                       \
    do {                                                                                                     \
        struct bytes tell_;                                                                                  \
        bytes_init(&tell_, WIRE_PACKET_MAX);                                                                 \
        assert_true(wire_##name_##_encode(&tell_, &(struct wire_##name_){__VA_ARGS__}));                     \
        assert_true(channel_send_blocking((socket_), bytes_view(&tell_), (fd_)));                            \
        bytes_release(&tell_);                                                                               \
    } while (0)

static const char *path_of(const char *variable)
{
    const char *path = getenv(variable);
    if (path == NULL) {
        skip();
    }
    return path;
}

// The child's working folder is the test's; its standard error too.
static struct child spawn(const char *path)
{
    int control[2];
    assert_true(channel_pair(control));
    struct child child = {.pid = fork(), .control = control[0], .core = -1};
    assert_true(child.pid >= 0);
    if (child.pid == 0) {
        if (control[1] != 3) {
            dup2(control[1], 3);
        } else {
            fcntl(3, F_SETFD, 0);
        }
        // A sanitizer build looks for leaks by ptrace, which the sandbox forbids.
        setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
        execl(path, path, "--index", "0", (char *)NULL);
        _exit(127);
    }
    close(control[1]);
    return child;
}

static void give_core(struct child *child)
{
    int sockets[2];
    assert_true(channel_pair(sockets));
    TELL(child->control, sockets[1], peer, .role = WIRE_CORE);
    close(sockets[1]);
    if (child->core >= 0) {
        close(child->core);
    }
    child->core = sockets[0];
}

static size_t receive(int socket, uint8_t *buffer)
{
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    int fd = -1;
    assert_int_equal(poll(&ready, 1, ANSWER_TIMEOUT_MS), 1);
    return channel_receive_blocking(socket, buffer, WIRE_PACKET_MAX, &fd);
}

static void start(struct child *child)
{
    static uint8_t buffer[WIRE_PACKET_MAX];
    struct wire_ready ready;
    TELL(child->control, -1, start, .started_ns = 1);
    size_t size = receive(child->control, buffer);
    assert_true(wire_ready_decode(view_of(buffer, size), &ready));
    assert_int_equal(ready.pid, child->pid);
}

static int status_of(struct child *child)
{
    int status = 0;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->control);
    if (child->core >= 0) {
        close(child->core);
    }
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void drain(struct child *child)
{
    static uint8_t buffer[WIRE_PACKET_MAX];
    struct wire_drained drained;
    TELL(child->control, -1, drain, .deadline_ms = 1000);
    size_t size = receive(child->control, buffer);
    assert_true(wire_drained_decode(view_of(buffer, size), &drained));
    assert_int_equal(status_of(child), 0);
}

static struct view seal(const char *password, uint8_t out[WIRE_SEALED_MAX])
{
    size_t size = strlen(password);
    assert_int_equal(crypto_box_seal(out, (const uint8_t *)password, size, config.public_key.byte), 0);
    return view_of(out, size + crypto_box_SEALBYTES);
}

static struct wire_hash_reply hash_reply(struct child *child)
{
    static uint8_t buffer[WIRE_PACKET_MAX];
    struct wire_hash_reply reply;
    size_t size = receive(child->core, buffer);
    assert_true(wire_hash_reply_decode(view_of(buffer, size), &reply));
    return reply;
}

// Pages of address space, first field of statm.
static uint64_t address_space(pid_t pid)
{
    char path[64], text[128] = "";
    uint64_t pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_true(view_to_u64(view_first(view_of_cstr(text), strcspn(text, " ")), &pages));
    return pages;
}

// Every thread but the first, whose number is the process's, gives way to the other processes.
static void assert_workers_give_way(pid_t pid)
{
    char path[64];
    unsigned workers = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        uint64_t thread;
        if (!view_to_u64(view_of_cstr(entry->d_name), &thread) || thread == (uint64_t)pid) {
            continue;
        }
        if (getpriority(PRIO_PROCESS, (id_t)thread) >= 10 &&
            sched_getscheduler((pid_t)thread) == SCHED_BATCH) {
            workers++;
        }
    }
    closedir(tasks);
    assert_int_equal(workers, config.workers);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)pid), getpriority(PRIO_PROCESS, 0));
    assert_int_equal(getsid(pid), pid); // also where the kernel groups by session
}

static struct wire_hash_reply ask_new(struct child *child, const char *password)
{
    uint8_t sealed[WIRE_SEALED_MAX];
    TELL(child->core, -1, hash_new, .job = 1, .deadline_ms = ANSWER_TIMEOUT_MS,
         .sealed = seal(password, sealed), .username = VIEW("ada"));
    return hash_reply(child);
}

static struct wire_hash_reply ask_verify(struct child *child, const char *password, struct view phc)
{
    uint8_t sealed[WIRE_SEALED_MAX];
    TELL(child->core, -1, hash_verify, .job = 2, .deadline_ms = ANSWER_TIMEOUT_MS,
         .sealed = seal(password, sealed), .phc = phc);
    return hash_reply(child);
}

static void expect_state(struct child *child)
{
    static uint8_t buffer[WIRE_PACKET_MAX];
    struct wire_hash_state told;
    size_t size = receive(child->core, buffer);
    assert_true(wire_hash_state_decode(view_of(buffer, size), &told));
    assert_int_equal(told.workers, config.workers);
}

static void give_list(struct child *child, const char *path, const char *name)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    TELL(child->control, fd, memory, .kind = WIRE_MEMORY_PASSWORDS, .name = view_of_cstr(name));
    close(fd);
}

static struct child start_hash(const char *list)
{
    struct child child = spawn(path_of("STAYD_HASH"));
    TELL(child.control, -1, hash_config, .public_key = config.public_key, .secret_key = config.secret_key,
         .workers = config.workers, .memory_kib = config.memory_kib, .time = config.time,
         .service = VIEW("login.example"));
    give_list(&child, list, "common");
    give_core(&child);
    start(&child);
    expect_state(&child);
    return child;
}

static void passwords_are_set_and_checked_in_the_sandbox(void **state)
{
    (void)state;
    char phc[WIRE_PHC_MAX + 1];
    struct child child = start_hash(path_of("STAYD_COMMON_PASSWORDS"));
    assert_workers_give_way(child.pid);
    struct wire_hash_reply reply = ask_new(&child, "gray wind sings nowhere");
    assert_int_equal(reply.verdict, WIRE_HASH_OK);
    assert_true(view_to_cstr(reply.phc, phc, sizeof phc));
    assert_int_equal(ask_verify(&child, "gray wind sings nowhere", view_of_cstr(phc)).verdict, WIRE_HASH_OK);
    assert_int_equal(ask_verify(&child, "gray wind", view_of_cstr(phc)).verdict, WIRE_HASH_WRONG);
    assert_int_equal(ask_verify(&child, "gray wind", VIEW("")).verdict, WIRE_HASH_WRONG);
    reply = ask_new(&child, "iloveyou");
    assert_int_equal(reply.verdict, WIRE_HASH_WEAK);
    assert_true(reply.advice.size > 0);

    // What a hash needed is given back.
    uint64_t before = address_space(child.pid);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask_verify(&child, "gray wind", VIEW("")).verdict, WIRE_HASH_WRONG);
    }
    assert_true(address_space(child.pid) < before + 16); // a little for the heap

    give_core(&child); // core is a new process
    expect_state(&child);
    assert_int_equal(ask_verify(&child, "gray wind sings nowhere", view_of_cstr(phc)).verdict, WIRE_HASH_OK);
    drain(&child);
}

// A list that can't be used is said and keeps passwords from being set, not from being checked; a good one,
// given later, mends it, also in the sandbox.
static void a_bad_list_is_mended_by_a_reload(void **state)
{
    (void)state;
    char phc[PHC_SIZE_MAX];
    const struct phc_parameters parameters = {.memory_kib = 64, .passes = 1};
    const char *good = path_of("STAYD_COMMON_PASSWORDS");
    struct child child = start_hash("/proc/self/status");
    assert_true(phc_make(VIEW("gray wind sings nowhere"), &parameters, phc));
    assert_int_equal(ask_new(&child, "gray wind sings nowhere").verdict, WIRE_HASH_UNAVAILABLE);
    struct wire_hash_reply reply = ask_verify(&child, "gray wind sings nowhere", view_of_cstr(phc));
    assert_int_equal(reply.verdict, WIRE_HASH_OK);
    assert_true(reply.phc.size > 0); // the parameters are others now
    give_list(&child, good, "common");
    give_core(&child); // comes after the list, so its first word tells that the list was taken
    expect_state(&child);
    assert_int_equal(ask_new(&child, "gray wind sings nowhere").verdict, WIRE_HASH_OK);
    assert_int_equal(ask_new(&child, "iloveyou").verdict, WIRE_HASH_WEAK);
    drain(&child);
}

static struct hash32 ask_mac(struct child *child)
{
    static uint8_t buffer[WIRE_PACKET_MAX];
    struct wire_key_reply reply;
    TELL(child->core, -1, key_mac, .job = 7, .purpose = WIRE_KEY_DEVICE, .data = VIEW("x"));
    size_t size = receive(child->core, buffer);
    assert_true(wire_key_reply_decode(view_of(buffer, size), &reply));
    assert_true(reply.job == 7);
    return reply.mac;
}

static struct child start_key(void)
{
    struct child child = spawn(path_of("STAYD_KEY"));
    TELL(child.control, -1, key_config, .unused = 0);
    give_core(&child);
    start(&child);
    return child;
}

static void the_data_key_outlives_the_process(void **state)
{
    (void)state;
    struct child child = start_key();
    struct hash32 before = ask_mac(&child);
    drain(&child);
    child = start_key();
    struct hash32 after = ask_mac(&child);
    assert_memory_equal(&before, &after, sizeof before);
    drain(&child);
}

static void an_unknown_purpose_ends_the_channel_and_no_more(void **state)
{
    (void)state;
    uint8_t buffer[WIRE_PACKET_MAX];
    struct child child = start_key();
    TELL(child.core, -1, key_mac, .job = 7, .purpose = 99, .data = VIEW("x"));
    assert_int_equal(receive(child.core, buffer), 0);
    give_core(&child);
    (void)ask_mac(&child);
    drain(&child);
}

static void a_damaged_data_key_stops_the_process(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(truncate(KEY_FILE_NAME, 31), 0);
    struct child child = spawn(path_of("STAYD_KEY"));
    TELL(child.control, -1, key_config, .unused = 0);
    TELL(child.control, -1, start, .started_ns = 1);
    assert_int_equal(status_of(&child), 1);
    assert_int_equal(stat(KEY_FILE_NAME, &status), 0);
    assert_int_equal(status.st_size, 31);
}

static void by_hand_they_only_explain_themselves(void **state)
{
    (void)state;
    const char *const paths[] = {path_of("STAYD_HASH"), path_of("STAYD_KEY")};
    for (size_t i = 0; i < 2; i++) {
        struct child child = {.pid = fork(), .control = -1, .core = -1};
        if (child.pid == 0) {
            close(3);
            execl(paths[i], paths[i], (char *)NULL);
            _exit(127);
        }
        assert_int_equal(status_of(&child), 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_set_and_checked_in_the_sandbox),
        cmocka_unit_test(a_bad_list_is_mended_by_a_reload),
        cmocka_unit_test(the_data_key_outlives_the_process),
        cmocka_unit_test(an_unknown_purpose_ends_the_channel_and_no_more),
        cmocka_unit_test(a_damaged_data_key_stops_the_process),
        cmocka_unit_test(by_hand_they_only_explain_themselves),
    };
    if (sodium_init() < 0 || mkdtemp(folder) == NULL || chdir(folder) != 0) {
        return 1;
    }
    crypto_box_keypair(config.public_key.byte, config.secret_key.byte);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)remove(KEY_FILE_NAME);
    rmdir(folder);
    return failed;
}
