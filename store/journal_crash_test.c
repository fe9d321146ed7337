// SPDX-License-Identifier: ISC
// The journal on a real disk: what was said to be durable is there after any end of the process, whatever was
// torn, damaged or refused.
#include "store/testing_journal.h"

#include "base/fault.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

// ---- what a crash leaves ---------------------------------------------------------------------------------

static int first_file(const struct fixture *f, int flags)
{
    char name[JOURNAL_NAME_MAX];
    journal_name(1, name);
    int fd = openat(f->fd, name, flags);
    assert_true(fd >= 0);
    return fd;
}

static void cut(const struct fixture *f, size_t size, bool claimed)
{
    int fd = first_file(f, O_RDWR);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(!claimed || ftruncate(fd, JOURNAL_SEGMENT_BYTES) == 0, 1);
    close(fd);
}

// Two ends are there; of what follows every part may be. Whatever was torn, what comes next is kept.
static void a_torn_end_is_written_over(void **state)
{
    struct fixture *f = *state;
    uint8_t whole[5 * JOURNAL_RECORD_BYTES];
    begin(f); // a mark
    (void)end_one(f, 1);
    (void)end_one(f, 2);
    (void)end_one(f, 3);
    settle(f, end_one(f, 4));
    journal_close(&f->journal);
    int fd = first_file(f, O_RDONLY);
    assert_int_equal(read(fd, whole, sizeof(whole)), sizeof(whole));
    close(fd);
    for (size_t size = 3 * JOURNAL_RECORD_BYTES; size < sizeof(whole); size++) {
        fd = first_file(f, O_RDWR | O_TRUNC);
        assert_int_equal(write(fd, whole, size), size);
        close(fd);
        cut(f, size, size % 2 == 0);
        begin(f);
        assert_true(has_ended(f, 1) && has_ended(f, 2));
        if (size <= 3 * JOURNAL_RECORD_BYTES + 50) { // the last bytes may be zeros anyway
            assert_false(has_ended(f, 3));
        }
        settle(f, end_one(f, 100));
        again(f);
        assert_true(has_ended(f, 1) && has_ended(f, 2) && has_ended(f, 100));
        assert_int_equal(files(f), 1);
        journal_close(&f->journal);
    }
}

static void a_damaged_middle_costs_itself(void **state)
{
    struct fixture *f = *state;
    begin(f);
    for (uint32_t i = 1; i < 100; i++) {
        (void)end_one(f, i);
    }
    settle(f, end_one(f, 100));
    journal_close(&f->journal);
    int fd = first_file(f, O_RDWR);
    uint8_t noise[JOURNAL_RECORD_BYTES + 2];
    assert_int_equal(pread(fd, noise, sizeof(noise), 50 * JOURNAL_RECORD_BYTES - 1), sizeof(noise));
    for (size_t i = 0; i < sizeof(noise); i++) {
        noise[i] ^= 0x5a; // each is another one, whatever it was
    }
    assert_int_equal(pwrite(fd, noise, sizeof(noise), 50 * JOURNAL_RECORD_BYTES - 1), sizeof(noise));
    close(fd);
    begin(f);
    for (uint32_t i = 1; i <= 100; i++) {
        assert_int_equal(has_ended(f, i), i < 49 || i > 51);
    }
    assert_int_equal(journal_count(f->journal).waiting, 97);
}

// Ends as fast as it can, telling its parent of each durable number; number N is session N's.
static _Noreturn void child(struct fixture *f, int out, uint32_t from)
{
    char why[JOURNAL_WHY_MAX] = "";
    f->pipe = out;
    if (open_journal(f, why) != JOURNAL_OPENED || !journal_start(f->journal)) {
        _exit(1);
    }
    for (uint32_t number = from;; number++) {
        // One of these numbers is the journal's own: a mark.
        uint64_t sequence = journal_end_session(f->journal, testing_id('s', (uint32_t)f->journal->next));
        if (sequence == 0) {
            _exit(2);
        }
        if (number % 7 == 0) {
            ev_run(f->loop, EVRUN_NOWAIT);
        }
        if (sequence > f->settled + 1000) {
            ev_run(f->loop, EVRUN_ONCE);
        }
    }
}

static uint64_t kill_after(struct fixture *f, unsigned ms, uint32_t from)
{
    int ends[2];
    uint64_t sequence, last = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        ev_loop_destroy(f->loop);
        f->loop = ev_loop_new(EVFLAG_AUTO);
        child(f, ends[1], from);
    }
    close(ends[1]);
    struct pollfd there = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&there, 1, 20000), 1); // it has begun
    for (uint64_t until = 0; until < ms; until++) {
        if (read(ends[0], &sequence, sizeof(sequence)) == (ssize_t)sizeof(sequence)) {
            last = sequence;
        }
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (read(ends[0], &sequence, sizeof(sequence)) == (ssize_t)sizeof(sequence)) {
        last = sequence;
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(ends[0]);
    return last;
}

static void killed_again_and_again(void **state)
{
    struct fixture *f = *state;
    bool *durable = calloc(2000000, sizeof(bool));
    uint64_t from = 1;
    for (unsigned round = 0; round < 25; round++) {
        uint64_t last = kill_after(f, 1 + round % 5, (uint32_t)from);
        char why[JOURNAL_WHY_MAX] = "";
        assert_true(last < 2000000);
        assert_int_equal(open_journal(f, why), JOURNAL_OPENED);
        size_t marks = 0;
        for (uint64_t sequence = from; sequence <= last; sequence++) {
            durable[sequence] = has_ended(f, (uint32_t)sequence);
            marks += !durable[sequence];
        }
        assert_true(marks <= 1 + (last - from) / JOURNAL_SLOTS + 1);
        for (uint64_t sequence = 1; sequence < from; sequence++) {
            assert_int_equal(durable[sequence], has_ended(f, (uint32_t)sequence));
        }
        from = f->journal->next;
        for (uint64_t sequence = last + 1; sequence < from; sequence++) {
            durable[sequence] = has_ended(f, (uint32_t)sequence); // more than was promised
        }
        journal_close(&f->journal);
    }
    free(durable);
}

// In a process of its own, for the limit on file sizes stands for a full disk.
static void full_disk(struct fixture *f)
{
    struct rlimit small = {100 * JOURNAL_RECORD_BYTES + 20, RLIM_INFINITY};
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    begin(f);
    for (uint32_t i = 0; i < 300; i++) {
        settle(f, end_one(f, i));
    }
    assert_true(f->failed >= 200);
    assert_int_equal(f->durable, 100); // a mark and 99 ends
    assert_int_equal(journal_count(f->journal).kept, 99);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    uint64_t last = end_one(f, 1000);
    settle(f, last);
    assert_int_equal(f->durable, last);
    again(f);
    for (uint32_t i = 0; i < 300; i++) {
        assert_int_equal(has_ended(f, i), i < 99);
    }
    assert_true(has_ended(f, 1000));
    journal_close(&f->journal);
}

static void a_full_disk_acknowledges_nothing(void **state)
{
    struct fixture *f = *state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        ev_loop_destroy(f->loop);
        f->loop = ev_loop_new(EVFLAG_AUTO);
        full_disk(f);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#ifdef STAYD_FAULTS
// What was in the batch is not acknowledged, and the file is not trusted again; what comes next is durable.
static void a_failed_sync_spoils_the_file(void **state)
{
    struct fixture *f = *state;
    begin(f);
    settle(f, end_one(f, 1));
    assert_true(fault_arm(VIEW("journal_sync"), 1));
    uint64_t lost = end_one(f, 2);
    settle(f, lost);
    assert_int_equal(f->failed, 1);
    assert_int_equal(journal_state(f->journal, lost), JOURNAL_LOST);
    uint64_t next = end_one(f, 3);
    assert_int_equal(journal_state(f->journal, next), JOURNAL_UNSETTLED);
    settle(f, next);
    assert_int_equal(journal_state(f->journal, next), JOURNAL_DURABLE);
    assert_int_equal(f->durable, next);
    assert_int_equal(files(f), 2);
    assert_int_equal(journal_count(f->journal).unacknowledged, 2); // not the one that was refused
    again(f);
    assert_true(has_ended(f, 1) && has_ended(f, 3));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_torn_end_is_written_over),    TEST(a_damaged_middle_costs_itself),
        TEST(killed_again_and_again),        TEST(a_full_disk_acknowledges_nothing),
#ifdef STAYD_FAULTS
        TEST(a_failed_sync_spoils_the_file),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
