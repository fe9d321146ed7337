// SPDX-License-Identifier: ISC
// The journal's entries: replayed in order and once, to a server that is another one again, kept within
// bounds.
#include "store/testing_journal.h"

static const struct id16 server = {{'d', 1}}, other_server = {{'d', 2}};

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

// ---- bounds
// --------------------------------------------------------------------------------------------------

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
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_end_outlives_the_process),
        TEST(replay_is_in_order_and_once),
        TEST(a_mark_tells_the_next_process),
        TEST(another_server_is_told_everything),
        TEST(many_share_a_sync),
        TEST(old_files_go_when_acknowledged),
        TEST(no_more_than_the_bound),
        TEST(one_process_a_folder),
        TEST(files_that_are_refused),
        TEST(replaying_twice_is_replaying_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
