// SPDX-License-Identifier: ISC
// The journal on a real disk: what was said to be durable is there after any end of the process, it is
// replayed in order and once, and its bounds hold.
#include "store/testing.h"

#include "store/journal_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

struct fixture {
    char folder[64];
    int fd;
    struct ev_loop *loop;
    struct journal *journal;
    uint64_t settled, durable, failed; // the last sequence number said, the last durable one, failures said
    int pipe;                          // told of every durable number
};

static const struct id16 server = {{'d', 1}}, other_server = {{'d', 2}};

static void on_settled(void *owner, uint64_t sequence, bool durable)
{
    struct fixture *f = owner;
    assert_true(sequence > f->settled);
    f->settled = sequence;
    f->durable = durable ? sequence : f->durable;
    f->failed += !durable;
    if (durable && f->pipe > 0) {
        assert_int_equal(write(f->pipe, &sequence, sizeof(sequence)), sizeof(sequence));
    }
}

static enum journal_opened open_journal(struct fixture *f, char why[static JOURNAL_WHY_MAX])
{
    f->settled = f->durable = f->failed = 0;
    return journal_open(&f->journal, f->fd, f->loop, on_settled, f, why);
}

static void begin(struct fixture *f)
{
    char why[JOURNAL_WHY_MAX] = "";
    assert_int_equal(open_journal(f, why), JOURNAL_OPENED);
    assert_true(journal_start(f->journal));
}

static void again(struct fixture *f)
{
    journal_close(&f->journal);
    begin(f);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    testing_folder(f->folder);
    f->fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->loop = ev_loop_new(EVFLAG_AUTO);
    *state = f;
    return f->fd < 0 || f->loop == NULL;
}

static void remove_segments(struct fixture *f)
{
    char command[128];
    (void)snprintf(command, sizeof(command), "rm -f %s/journal-*", f->folder);
    assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    journal_close(&f->journal);
    remove_segments(f);
    close(f->fd);
    ev_loop_destroy(f->loop);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static void settle(struct fixture *f, uint64_t sequence)
{
    while (f->settled < sequence) {
        ev_run(f->loop, EVRUN_ONCE);
    }
}

static uint64_t end_one(struct fixture *f, uint32_t number)
{
    uint64_t sequence = journal_end_session(f->journal, testing_id('s', number));
    assert_true(sequence > 0);
    return sequence;
}

static bool has_ended(const struct fixture *f, uint32_t number)
{
    return ended_session(journal_ended(f->journal), testing_id('s', number));
}

static uint32_t number_of(struct id16 id)
{
    return (uint32_t)id.byte[12] << 24 | (uint32_t)id.byte[13] << 16 | (uint32_t)id.byte[14] << 8 |
           id.byte[15];
}

static size_t files(const struct fixture *f)
{
    char command[128];
    size_t count = 0;
    (void)snprintf(command, sizeof(command), "ls %s | grep -c journal-", f->folder);
    FILE *out = popen(command, "r");
    assert_int_equal(fscanf(out, "%zu", &count), 1);
    (void)pclose(out);
    return count;
}

static void an_end_outlives_the_process(void **state)
{
    struct fixture *f = *state;
    uint32_t epoch;
    struct id16 keep = testing_id('s', 9);
    begin(f);
    (void)end_one(f, 1);
    uint64_t last = journal_end_account(f->journal, testing_id('a', 1), 7, &keep);
    assert_true(has_ended(f, 1)); // at once
    settle(f, last);
    assert_int_equal(f->durable, last);
    again(f);
    assert_true(has_ended(f, 1));
    assert_false(has_ended(f, 2));
    assert_true(ended_epoch(journal_ended(f->journal), testing_id('a', 1), &epoch));
    assert_int_equal(epoch, 7);
    assert_int_equal(journal_count(f->journal).waiting, 2);
}

static void replay_is_in_order_and_once(void **state)
{
    struct fixture *f = *state;
    struct journal_entry entry;
    struct id16 keep = testing_id('s', 9);
    begin(f);
    assert_false(journal_server(f->journal, server));
    uint64_t first = end_one(f, 1);
    uint64_t second = journal_end_account(f->journal, testing_id('a', 1), 7, &keep);
    uint64_t third = end_one(f, 3);
    assert_false(journal_next(f->journal, &entry)); // their makers are trying
    journal_postponed(f->journal, first);
    assert_false(journal_next(f->journal, &entry)); // not on the disk yet
    settle(f, third);
    journal_postponed(f->journal, third);
    journal_postponed(f->journal, second);
    assert_true(journal_next(f->journal, &entry));
    assert_int_equal(entry.sequence, first);
    assert_int_equal(entry.kind, JOURNAL_SESSION);
    assert_memory_equal(entry.id.byte, testing_id('s', 1).byte, 16);
    assert_true(journal_next(f->journal, &entry));
    assert_int_equal(entry.sequence, second);
    assert_int_equal(entry.kind, JOURNAL_ACCOUNT);
    assert_int_equal(entry.epoch, 7);
    assert_true(entry.has_keep);
    assert_memory_equal(entry.keep.byte, keep.byte, 16);
    assert_true(journal_next(f->journal, &entry));
    assert_int_equal(entry.sequence, third);
    assert_false(journal_next(f->journal, &entry));
    journal_acknowledged(f->journal, first, server);
    journal_acknowledged(f->journal, third, server);
    journal_postponed(f->journal, second);
    journal_postponed(f->journal, third); // too late
    assert_true(journal_next(f->journal, &entry));
    assert_int_equal(entry.sequence, second);
    journal_acknowledged(f->journal, second, server);
    journal_acknowledged(f->journal, second, server);
    assert_false(journal_next(f->journal, &entry));
    assert_int_equal(journal_count(f->journal).unacknowledged, 0);
    assert_int_equal(journal_count(f->journal).kept, 3);
}

static void a_mark_tells_the_next_process(void **state)
{
    struct fixture *f = *state;
    struct journal_entry entry;
    begin(f);
    (void)journal_server(f->journal, server);
    uint64_t sequence[4];
    for (uint32_t i = 0; i < 4; i++) {
        sequence[i] = end_one(f, i);
    }
    settle(f, sequence[3]);
    journal_acknowledged(f->journal, sequence[0], server);
    journal_acknowledged(f->journal, sequence[1], server);
    journal_acknowledged(f->journal, sequence[3], server);
    journal_turn(f->journal, 1);
    again(f);
    assert_false(journal_server(f->journal, server)); // it is known
    assert_true(journal_next(f->journal, &entry));
    assert_int_equal(entry.sequence, sequence[2]);
    assert_true(journal_next(f->journal, &entry)); // acknowledged out of order: replayed once more
    assert_int_equal(entry.sequence, sequence[3]);
    assert_false(journal_next(f->journal, &entry));
    assert_true(has_ended(f, 0)); // kept
    journal_acknowledged(f->journal, sequence[2], server);
    journal_acknowledged(f->journal, sequence[3], server);
    journal_turn(f->journal, 2);
    uint64_t next = f->journal->next;
    journal_turn(f->journal, 3);
    journal_turn(f->journal, 4);
    assert_int_equal(f->journal->next, next); // nothing new, nothing written
    again(f);
    assert_int_equal(journal_count(f->journal).unacknowledged, 0);
}

static void another_server_is_told_everything(void **state)
{
    struct fixture *f = *state;
    struct journal_entry entry;
    begin(f);
    (void)journal_server(f->journal, server);
    uint64_t first = end_one(f, 1), second = end_one(f, 2), third = end_one(f, 3);
    settle(f, third);
    journal_acknowledged(f->journal, first, server);
    journal_acknowledged(f->journal, second, server);
    assert_false(journal_server(f->journal, server));
    assert_true(journal_server(f->journal, other_server));
    assert_int_equal(journal_count(f->journal).unacknowledged, 3);
    journal_acknowledged(f->journal, third, server); // the old one's word does not count
    for (uint64_t expected = first; expected <= third; expected++) {
        assert_true(journal_next(f->journal, &entry));
        assert_int_equal(entry.sequence, expected);
    }
    journal_acknowledged(f->journal, first, other_server);
    again(f); // in the middle of it
    assert_false(journal_server(f->journal, other_server));
    assert_true(journal_next(f->journal, &entry));
    assert_true(entry.sequence == first || entry.sequence == second);
    again(f);
    assert_true(journal_server(f->journal, server));
}

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
    memset(noise, 0x5a, sizeof(noise));
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

// ---- bounds ----------------------------------------------------------------------------------------------

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

static void many_share_a_sync(void **state)
{
    struct fixture *f = *state;
    uint64_t last = 0;
    begin(f);
    for (uint32_t burst = 0; burst < 40; burst++) {
        for (uint32_t i = 0; i < 250; i++) {
            last = end_one(f, burst * 250 + i);
        }
        settle(f, last);
    }
    assert_int_equal(f->durable, last);
    pthread_mutex_lock(&f->journal->writer.lock);
    uint64_t syncs = f->journal->writer.syncs;
    pthread_mutex_unlock(&f->journal->writer.lock);
    assert_in_range(syncs, 1, 200); // 10,000 ends
}

static void fill_up(struct fixture *f, uint64_t until)
{
    while (f->journal->next < until) {
        uint64_t sequence = journal_end_session(f->journal, testing_id('s', (uint32_t)f->journal->next));
        if (sequence == 0) {
            settle(f, f->journal->next - 1);
            return;
        }
        if (sequence % 8192 == 0) {
            settle(f, sequence);
        }
    }
    settle(f, f->journal->next - 1);
}

static void old_files_go_when_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct journal_entry entry;
    begin(f);
    (void)journal_server(f->journal, server);
    fill_up(f, 3 * JOURNAL_SLOTS + 10);
    assert_int_equal(files(f), 4);
    uint64_t last = f->journal->next - 1, now = 1000000;
    journal_turn(f->journal, now);
    for (uint64_t sequence = 1; sequence <= last; sequence++) {
        if (sequence != JOURNAL_SLOTS + 100) {
            journal_acknowledged(f->journal, sequence, server);
        }
    }
    journal_turn(f->journal, now + JOURNAL_KEPT_S - 1);
    assert_int_equal(journal_count(f->journal).segments, 4);
    assert_true(has_ended(f, 100));
    journal_turn(f->journal, now + JOURNAL_KEPT_S);
    assert_int_equal(journal_count(f->journal).segments, 3); // one waits in the second
    assert_false(has_ended(f, 100));
    assert_true(has_ended(f, JOURNAL_SLOTS + 100));
    assert_true(has_ended(f, 2 * JOURNAL_SLOTS + 100));
    journal_postponed(f->journal, JOURNAL_SLOTS + 100);
    assert_true(journal_next(f->journal, &entry));
    assert_int_equal(entry.sequence, JOURNAL_SLOTS + 100);
    journal_acknowledged(f->journal, JOURNAL_SLOTS + 100, server);
    now += JOURNAL_KEPT_S;
    settle(f, f->journal->next - 1);
    journal_turn(f->journal, now + JOURNAL_KEPT_S); // the last one is quiet too: a new one takes its place
    settle(f, f->journal->next - 1);
    journal_turn(f->journal, now + JOURNAL_KEPT_S + 1);
    assert_int_equal(journal_count(f->journal).kept, 0);
    again(f);
    assert_int_equal(files(f), 1);
    assert_int_equal(journal_count(f->journal).kept, 0);
    assert_false(journal_server(f->journal, server)); // the new file's mark says so
    assert_true(f->journal->next > last);
}

// A million ends and no database.
static void no_more_than_the_bound(void **state)
{
    struct fixture *f = *state;
    begin(f);
    (void)journal_server(f->journal, server);
    fill_up(f, UINT64_MAX);
    uint64_t last = f->journal->next - 1;
    assert_int_equal(last, (uint64_t)JOURNAL_SEGMENTS_MAX * JOURNAL_SLOTS);
    assert_int_equal(journal_end_session(f->journal, testing_id('t', 1)), 0);
    assert_int_equal(files(f), JOURNAL_SEGMENTS_MAX);
    for (uint64_t sequence = 1; sequence <= JOURNAL_SLOTS; sequence++) {
        journal_acknowledged(f->journal, sequence, server);
    }
    assert_true(has_ended(f, 100));
    uint64_t sequence = journal_end_session(f->journal, testing_id('t', 1));
    assert_true(sequence > last); // the oldest file has made room
    assert_false(has_ended(f, 100));
    settle(f, sequence);
    assert_int_equal(f->durable, sequence);
    again(f);
    assert_int_equal(files(f), JOURNAL_SEGMENTS_MAX);
    assert_true(ended_session(journal_ended(f->journal), testing_id('t', 1)));
    assert_true(has_ended(f, JOURNAL_SLOTS + 100));
    assert_true(has_ended(f, (uint32_t)last));
}

// ---- what is refused -------------------------------------------------------------------------------------

static void one_process_a_folder(void **state)
{
    struct fixture *f = *state;
    char why[JOURNAL_WHY_MAX] = "";
    struct journal *second;
    begin(f);
    assert_int_equal(journal_open(&second, f->fd, f->loop, on_settled, f, why), JOURNAL_OPEN_FAILED);
    assert_null(second);
    assert_non_null(strstr(why, "another stayd"));
}

static void put_file(const struct fixture *f, uint64_t first, const void *data, size_t size)
{
    char name[JOURNAL_NAME_MAX];
    journal_name(first, name);
    int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}

static void files_that_are_refused(void **state)
{
    struct fixture *f = *state;
    char why[JOURNAL_WHY_MAX] = "";
    uint8_t record[JOURNAL_RECORD_BYTES];
    journal_record_write(record, &(struct journal_entry){.sequence = 5, .kind = (enum journal_kind)9});
    put_file(f, 5, record, sizeof(record));
    assert_int_equal(open_journal(f, why), JOURNAL_OPEN_NEWER);
    assert_non_null(strstr(why, "newer stayd"));

    struct journal_entry entry = {.sequence = 5, .kind = JOURNAL_SESSION};
    uint8_t two[2 * JOURNAL_RECORD_BYTES];
    journal_record_write(two, &entry);
    entry.sequence = 6;
    journal_record_write(two + JOURNAL_RECORD_BYTES, &entry);
    put_file(f, 5, two, sizeof(two));
    put_file(f, 6, two + JOURNAL_RECORD_BYTES, JOURNAL_RECORD_BYTES);
    assert_int_equal(open_journal(f, why), JOURNAL_OPEN_FAILED);
    assert_non_null(strstr(why, "overlaps"));

    remove_segments(f);
    assert_int_equal(mkdirat(f->fd, "journal-0000000000000001", 0700), 0);
    assert_int_equal(open_journal(f, why), JOURNAL_OPEN_FAILED);
    assert_non_null(strstr(why, "can't be read"));
    assert_int_equal(unlinkat(f->fd, "journal-0000000000000001", AT_REMOVEDIR), 0);

    for (uint32_t i = 1; i <= JOURNAL_SEGMENTS_MAX + 1; i++) {
        put_file(f, i * JOURNAL_SLOTS, record, 0);
    }
    assert_int_equal(open_journal(f, why), JOURNAL_OPEN_FAILED);
    assert_non_null(strstr(why, "65 journal files"));
    remove_segments(f);
    put_file(f, 7, "noise that is no record at all", 30);
    begin(f);
    settle(f, end_one(f, 1));
    again(f);
    assert_true(has_ended(f, 1));
}

// ---- replayed into a store -------------------------------------------------------------------------------

static void replay_into(struct backend *backend, const struct journal_entry *entry)
{
    if (entry->kind == JOURNAL_SESSION) {
        OK(backend, session_end, .selector = entry->id);
    } else {
        (void)ASK(backend, account_epoch, .id = entry->id, .epoch = entry->epoch, .has_keep = entry->has_keep,
                  .keep = entry->keep);
    }
}

static void replaying_twice_is_replaying_once(void **state)
{
    struct fixture *f = *state;
    struct backend store;
    struct journal_entry entries[3], entry;
    struct id16 keep = testing_id('s', 3);
    backend_init(&store, true);
    testing_alice(&store);
    for (uint32_t i = 1; i <= 4; i++) {
        OK(&store, session_grant, SESSION(1, i));
    }
    begin(f);
    journal_postponed(f->journal, end_one(f, 1));
    journal_postponed(f->journal, journal_end_account(f->journal, testing_id('a', 1), 4, &keep));
    uint64_t last = journal_end_account(f->journal, testing_id('a', 77), 4, NULL); // no such account
    journal_postponed(f->journal, last);
    settle(f, last);
    for (size_t i = 0; i < 3; i++) {
        assert_true(journal_next(f->journal, &entries[i]));
        replay_into(&store, &entries[i]);
    }
    assert_false(journal_next(f->journal, &entry));
    for (size_t turn = 0; turn < 3; turn++) {
        assert_int_equal(testing_account(&store, 1).epoch, 4);
        assert_int_equal(testing_session_count(&store, 1, 3000), 1);
        assert_true(testing_session_is_there(&store, 3));
        for (size_t i = 0; i < 3; i++) { // again, and in another order
            replay_into(&store, &entries[turn == 1 ? 2 - i : i]);
        }
    }
    backend_release(&store);
    assert_int_equal(number_of(entries[0].id), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_end_outlives_the_process),
        TEST(replay_is_in_order_and_once),
        TEST(a_mark_tells_the_next_process),
        TEST(another_server_is_told_everything),
        TEST(a_torn_end_is_written_over),
        TEST(a_damaged_middle_costs_itself),
        TEST(killed_again_and_again),
        TEST(a_full_disk_acknowledges_nothing),
        TEST(many_share_a_sync),
        TEST(old_files_go_when_acknowledged),
        TEST(no_more_than_the_bound),
        TEST(one_process_a_folder),
        TEST(files_that_are_refused),
        TEST(replaying_twice_is_replaying_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
