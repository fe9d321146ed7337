// SPDX-License-Identifier: ISC
// Every verb of the writer, seen by the writer and by a reader.
#include "sessions/write.h"
#include "sessions/testing/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct tables tables;
static struct sessions_identity identity;

static int open_tables(void **state)
{
    (void)state;
    tables_init(&tables, 4096);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_NEW);
    return 0;
}

static int close_tables(void **state)
{
    (void)state;
    assert_null(sessions_verify(&tables.writer));
    tables_release(&tables);
    return 0;
}

static struct sessions_account_ref put(uint64_t account, uint32_t length, uint32_t epoch)
{
    struct account_made made;
    struct sessions_account_ref ref;
    account_make(&made, account, length, epoch);
    assert_int_equal(sessions_account_put(&tables.writer, &made.account, &ref), SESSIONS_ACCOUNT_STORED);
    return ref;
}

static void insert(uint64_t number, const struct sessions_account_ref *ref)
{
    struct sessions_row row = row_make(number, ref);
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERTED);
}

static void expect(uint64_t number, enum sessions_reason reason)
{
    enum sessions_check check = tables_check(&tables, number, &identity);
    assert_string_equal(sessions_reason_text(identity.reason), sessions_reason_text(reason));
    assert_int_equal(check == SESSIONS_VALID, reason == SESSIONS_REASON_NONE);
}

static void a_new_file_answers_miss(void **state)
{
    (void)state;
    struct tables fresh;
    tables_init(&fresh, 4096);
    assert_int_equal(tables_check(&fresh, 1, &identity), SESSIONS_MISS);
    assert_int_equal(identity.reason, SESSIONS_REASON_UNFORMATTED);
    tables_release(&fresh);
    struct sessions_reader reader;
    assert_false(sessions_reader_init(&reader, tables.sessions_map, 4096, tables.accounts_map, 4096));
}

static void a_session_is_found_with_its_account(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 20, 3);
    insert(1, &ref);
    expect(1, SESSIONS_REASON_NONE);
    assert_true(identity_is(&identity, 7));
    assert_int_equal(identity.groups.size, 20);
    assert_int_equal(identity.level, 1);
    assert_int_equal(identity.epoch, 3);
    expect(2, SESSIONS_REASON_ABSENT);
    struct sessions_row row;
    uint8_t selector[16], other[16];
    number_selector(1, selector);
    assert_true(sessions_find(&tables.writer, selector, &row));
    assert_int_equal(row.state, SESSION_LIVE);
    number_verifier(2, other);
    assert_int_equal(sessions_check(&tables.reader, selector, other, 2000, &identity), SESSIONS_INVALID);
    assert_int_equal(identity.reason, SESSIONS_REASON_WRONG_VERIFIER);
}

static void insert_is_idempotent_and_never_revives(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 0, 1);
    insert(1, &ref);
    struct sessions_row row = row_make(1, &ref);
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_PRESENT);
    assert_true(sessions_mark_ending(&tables.writer, row.selector));
    expect(1, SESSIONS_REASON_ENDING);
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERT_OVER);
    assert_false(sessions_extend_idle(&tables.writer, row.selector, 99999));
    assert_false(sessions_restamp(&tables.writer, row.selector, 9));
    expect(1, SESSIONS_REASON_ENDING);
    assert_true(sessions_remove(&tables.writer, row.selector));
    assert_false(sessions_remove(&tables.writer, row.selector));
    assert_false(sessions_mark_ending(&tables.writer, row.selector));
    expect(1, SESSIONS_REASON_ABSENT);
    // Another verifier under the same selector is nobody's session.
    insert(2, &ref);
    row = row_make(2, &ref);
    row.verifier_hash[3] ^= 1;
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERT_OVER);
    expect(2, SESSIONS_REASON_NONE);
}

static void expiries_are_judged_by_their_clocks(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 0, 1);
    struct sessions_row row = row_make(1, &ref);
    row.expires = 3000;
    row.idle_expires = 2600;
    row.idle_s = 1600;
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERTED);
    uint8_t verifier[16];
    number_verifier(1, verifier);
    assert_int_equal(sessions_check(&tables.reader, row.selector, verifier, 1099, &identity), SESSIONS_VALID);
    assert_false(identity.note_seen);
    assert_int_equal(sessions_check(&tables.reader, row.selector, verifier, 1100, &identity), SESSIONS_VALID);
    assert_true(identity.note_seen);
    assert_int_equal(sessions_check(&tables.reader, row.selector, verifier, 2999, &identity), SESSIONS_VALID);
    assert_int_equal(sessions_check(&tables.reader, row.selector, verifier, 3000, &identity),
                     SESSIONS_INVALID);
    assert_int_equal(identity.reason, SESSIONS_REASON_EXPIRED);
    sessions_idle_clock_set(&tables.writer, 2599);
    expect(1, SESSIONS_REASON_NONE);
    sessions_idle_clock_set(&tables.writer, 2600);
    expect(1, SESSIONS_REASON_IDLE);
    assert_true(sessions_extend_idle(&tables.writer, row.selector, 2700));
    assert_true(sessions_extend_idle(&tables.writer, row.selector, 2650));
    sessions_idle_clock_set(&tables.writer, 2699);
    expect(1, SESSIONS_REASON_NONE);
}

static void a_raised_epoch_ends_all_but_the_kept(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 0, 1);
    struct sessions_account_ref other = put(8, 0, 1);
    insert(1, &ref);
    insert(2, &ref);
    insert(3, &other);
    uint8_t keep[16], foreign[16];
    number_selector(2, keep);
    number_selector(3, foreign);
    struct id16 id = number_account(7);
    assert_true(sessions_end_all(&tables.writer, &id, 2, keep));
    expect(1, SESSIONS_REASON_EPOCH);
    expect(2, SESSIONS_REASON_NONE);
    expect(3, SESSIONS_REASON_NONE);
    // One that was ended is not kept; another's session is not touched.
    number_selector(1, keep);
    assert_true(sessions_end_all(&tables.writer, &id, 3, keep));
    assert_true(sessions_end_all(&tables.writer, &id, 3, foreign));
    expect(1, SESSIONS_REASON_EPOCH);
    expect(2, SESSIONS_REASON_EPOCH);
    struct sessions_row row;
    assert_true(sessions_find(&tables.writer, foreign, &row));
    assert_int_equal(row.epoch, 1);
    // Never lowered.
    assert_true(sessions_account_raise(&tables.writer, &id, 2));
    assert_true(sessions_account_find(&tables.writer, &id, &ref));
    assert_int_equal(ref.epoch, 3);
    row = row_make(9, &ref);
    row.epoch = 2;
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERT_OVER);
    id = number_account(99);
    assert_false(sessions_end_all(&tables.writer, &id, 3, NULL));
}

static void a_disabled_account_is_refused(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 0, 1);
    insert(1, &ref);
    struct id16 id = number_account(7);
    assert_true(sessions_account_disable(&tables.writer, &id, 1));
    expect(1, SESSIONS_REASON_DISABLED);
    assert_true(sessions_account_disable(&tables.writer, &id, 2));
    expect(1, SESSIONS_REASON_EPOCH);
    // A look-up that began before comes too late.
    struct account_made made;
    account_make(&made, 7, 0, 1);
    assert_int_equal(sessions_account_put(&tables.writer, &made.account, &ref), SESSIONS_ACCOUNT_STALE);
    assert_int_equal(ref.epoch, 2);
    assert_true((ref.flags & ACCOUNT_DISABLED) != 0);
    ref = put(7, 0, 2);
    assert_int_equal(ref.flags, 0);
}

static void texts_of_every_length_are_kept(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0,   1,   40,  41,   42,   43, 44,   45, 80,
                                       140, 141, 500, 1023, 1024, 3,  1024, 90};
    struct sessions_account_ref first = put(7, 0, 1);
    insert(1, &first);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct sessions_account_ref ref = put(7, lengths[i], 1);
        assert_int_equal(ref.generation, first.generation);
        assert_int_equal(ref.slot, first.slot);
        put(100 + i, lengths[i], 1);
        expect(1, SESSIONS_REASON_NONE);
        assert_true(identity_is(&identity, 7));
        assert_int_equal(identity.groups.size, lengths[i]);
        assert_null(sessions_verify(&tables.writer));
    }
    char long_text[ACCOUNT_GROUPS_MAX + 1] = {0};
    struct account_made made;
    account_make(&made, 9, 0, 1);
    made.account.groups = view_of(long_text, sizeof long_text);
    assert_int_equal(sessions_account_put(&tables.writer, &made.account, &first), SESSIONS_ACCOUNT_TOO_LONG);
    account_make(&made, 9, 0, 1);
    made.account.name = view_of(long_text, ACCOUNT_NAME_MAX + 1);
    assert_int_equal(sessions_account_put(&tables.writer, &made.account, &first), SESSIONS_ACCOUNT_TOO_LONG);
    account_make(&made, 9, ACCOUNT_GROUPS_MAX, 1);
    made.account.name = view_of(long_text, ACCOUNT_NAME_MAX);
    made.account.display_name = view_of(long_text, ACCOUNT_DISPLAY_NAME_MAX);
    made.account.email = view_of(long_text, ACCOUNT_EMAIL_MAX);
    assert_int_equal(sessions_account_put(&tables.writer, &made.account, &first), SESSIONS_ACCOUNT_STORED);
    assert_true(sessions_account_read(&tables.writer, &first, &identity));
    assert_int_equal(identity.email.size, ACCOUNT_EMAIL_MAX);
    assert_int_equal(identity.groups.size, ACCOUNT_GROUPS_MAX);
}

static void pending_ends_are_kept_and_hold(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 0, 1);
    struct sessions_pending end = {.kind = SESSIONS_PENDING_END};
    struct sessions_pending all = {
        .kind = SESSIONS_PENDING_END_ALL, .account = number_account(7), .epoch = 2};
    number_selector(1, end.selector);
    number_selector(2, all.selector);
    uint32_t place[3];
    assert_true(sessions_pending_add(&tables.writer, &end, &place[0]));
    assert_true(sessions_pending_add(&tables.writer, &all, &place[1]));
    assert_true(sessions_pending_add(&tables.writer, &end, &place[2]));
    assert_int_equal(place[0], place[2]);
    assert_int_equal(sessions_pending_count(&tables.writer), 2);
    struct sessions_row row = row_make(1, &ref);
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERT_OVER);
    // The account comes back with the pending epoch, the kept session with the epoch before.
    ref = put(7, 0, 1);
    assert_int_equal(ref.epoch, 2);
    row = row_make(2, &ref);
    row.epoch = 1;
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERTED);
    expect(2, SESSIONS_REASON_NONE);
    row = row_make(3, &ref);
    row.epoch = 1;
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERT_OVER);
    struct sessions_pending found;
    uint32_t at = 0;
    assert_true(sessions_pending_next(&tables.writer, &at, &found));
    assert_int_equal(at, place[0]);
    at++;
    assert_true(sessions_pending_next(&tables.writer, &at, &found));
    assert_int_equal(found.epoch, 2);
    assert_memory_equal(&found.account, &all.account, 16);
    at++;
    assert_false(sessions_pending_next(&tables.writer, &at, &found));
    sessions_pending_remove(&tables.writer, place[0]);
    sessions_pending_remove(&tables.writer, place[0]);
    sessions_pending_remove(&tables.writer, 77777);
    assert_int_equal(sessions_pending_count(&tables.writer), 1);
    row = row_make(1, &ref);
    assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERTED);
}

static void pending_places_are_bounded(void **state)
{
    (void)state;
    struct sessions_pending end = {.kind = SESSIONS_PENDING_END};
    uint32_t place;
    for (uint64_t i = 0; i < SESSIONS_PENDING_MAX; i++) {
        number_selector(i, end.selector);
        assert_true(sessions_pending_add(&tables.writer, &end, &place));
    }
    number_selector(SESSIONS_PENDING_MAX, end.selector);
    assert_false(sessions_pending_add(&tables.writer, &end, &place));
    sessions_pending_remove(&tables.writer, 1234);
    assert_true(sessions_pending_add(&tables.writer, &end, &place));
    assert_int_equal(place, 1234);
}

static void a_full_table_says_so_and_works_on(void **state)
{
    (void)state;
    struct tables small;
    tables_init(&small, SESSIONS_MAX_LEAST);
    assert_int_equal(tables_open(&small, NULL, NULL), SESSIONS_OPENED_NEW);
    struct account_made made;
    struct sessions_account_ref ref;
    account_make(&made, 1, 0, 1);
    assert_int_equal(sessions_account_put(&small.writer, &made.account, &ref), SESSIONS_ACCOUNT_STORED);
    uint64_t inserted = 0;
    for (uint64_t i = 0; i < 400; i++) {
        struct sessions_row row = row_make(i, &ref);
        enum sessions_inserted result = sessions_insert(&small.writer, &row);
        assert_true(result == SESSIONS_INSERTED || result == SESSIONS_INSERT_FULL);
        inserted += result == SESSIONS_INSERTED;
        assert_int_equal(tables_check(&small, i, &identity),
                         result == SESSIONS_INSERTED ? SESSIONS_VALID : SESSIONS_MISS);
    }
    assert_true(inserted >= SESSIONS_MAX_LEAST);
    assert_null(sessions_verify(&small.writer));
    uint64_t accounts = 1;
    for (uint64_t i = 0; i < 5000; i++) {
        account_make(&made, i, 0, 1);
        accounts += sessions_account_put(&small.writer, &made.account, &ref) == SESSIONS_ACCOUNT_STORED;
    }
    assert_true(accounts >= SESSIONS_MAX_LEAST && accounts < 5000);
    // A text that has no place is not left as it was.
    assert_int_equal(tables_check(&small, 0, &identity), SESSIONS_VALID);
    account_make(&made, 1, 1000, 1);
    assert_int_equal(sessions_account_put(&small.writer, &made.account, &ref), SESSIONS_ACCOUNT_FULL);
    assert_int_equal(tables_check(&small, 0, &identity), SESSIONS_MISS);
    assert_null(sessions_verify(&small.writer));
    tables_release(&small);
}

static void without_pages_nothing_grows_and_nothing_breaks(void **state)
{
    (void)state;
    struct tables poor;
    tables_init(&poor, 100000);
    assert_int_equal(tables_open(&poor, NULL, NULL), SESSIONS_OPENED_NEW);
    struct account_made made;
    struct sessions_account_ref ref;
    account_make(&made, 1, 0, 1);
    assert_int_equal(sessions_account_put(&poor.writer, &made.account, &ref), SESSIONS_ACCOUNT_STORED);
    poor.bytes_left = 0;
    uint64_t inserted = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        struct sessions_row row = row_make(i, &ref);
        inserted += sessions_insert(&poor.writer, &row) == SESSIONS_INSERTED;
    }
    assert_true(inserted > 700 && inserted < 2000);
    poor.bytes_left = UINT64_MAX;
    for (uint64_t i = 0; i < 2000; i++) {
        struct sessions_row row = row_make(i, &ref);
        enum sessions_inserted result = sessions_insert(&poor.writer, &row);
        assert_true(result == SESSIONS_INSERTED || result == SESSIONS_PRESENT);
        assert_int_equal(tables_check(&poor, i, &identity), SESSIONS_VALID);
    }
    assert_null(sessions_verify(&poor.writer));
    tables_release(&poor);
    tables_init(&poor, 4096);
    poor.bytes_left = 100000;
    assert_int_equal(tables_open(&poor, NULL, NULL), SESSIONS_OPEN_FAILED);
    tables_release(&poor);
}

static void sweep_pass(uint32_t now_s, struct sessions_swept *sum)
{
    *sum = (struct sessions_swept){0};
    for (bool done = false; !done;) {
        struct sessions_swept part;
        sessions_sweep(&tables.writer, 5, now_s, &part);
        sum->expired += part.expired;
        sum->idle += part.idle;
        sum->stale += part.stale;
        sum->accounts_freed += part.accounts_freed;
        done = part.pass_done;
    }
}

static void the_sweep_removes_what_is_over(void **state)
{
    (void)state;
    struct sessions_swept sum;
    struct sessions_account_ref ref[4];
    for (uint32_t i = 0; i < 4; i++) {
        ref[i] = put(i, 200 * i, 1);
        for (uint64_t s = 0; s < 20; s++) {
            struct sessions_row row = row_make(i * 100 + s, &ref[i]);
            row.expires = i == 0 ? 5000 : 9000;
            row.idle_expires = i == 1 ? 4000 : SESSIONS_NEVER;
            assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERTED);
        }
    }
    uint8_t selector[16];
    number_selector(5, selector);
    assert_true(sessions_mark_ending(&tables.writer, selector));
    sweep_pass(2000, &sum);
    assert_int_equal(sum.expired + sum.idle + sum.stale + sum.accounts_freed, 0);
    sessions_idle_clock_set(&tables.writer, 4000);
    struct id16 id = number_account(2);
    assert_true(sessions_account_raise(&tables.writer, &id, 2));
    sweep_pass(4000, &sum);
    assert_int_equal(sum.idle, 20);
    assert_int_equal(sum.stale, 20);
    assert_int_equal(sum.accounts_freed, 2);
    struct sessions_row row;
    assert_true(sessions_find(&tables.writer, selector, &row));
    sweep_pass(5000, &sum);
    assert_int_equal(sum.expired, 20);
    assert_int_equal(sum.accounts_freed, 1);
    expect(305, SESSIONS_REASON_NONE);
    // A slot that was freed is another's now: what still names it is not believed.
    struct sessions_account_ref again = put(2, 0, 1);
    struct sessions_row old = row_make(900, &ref[again.slot < 4 ? again.slot : 0]);
    assert_int_equal(sessions_insert(&tables.writer, &old), SESSIONS_INSERT_STALE_ACCOUNT);
    struct sessions_counts counts;
    sessions_writer_counts(&tables.writer, &counts);
    assert_int_equal(counts.sessions, 20);
    assert_int_equal(counts.accounts, 2);
}

static void an_account_granted_during_a_pass_stays(void **state)
{
    (void)state;
    struct sessions_swept sum;
    for (uint64_t i = 0; i < 10; i++)
        put(i, 0, 1);
    sweep_pass(2000, &sum);
    assert_int_equal(sum.accounts_freed, 0);
    struct id16 id = number_account(3);
    struct sessions_account_ref ref;
    assert_true(sessions_account_find(&tables.writer, &id, &ref));
    put(4, 0, 1);
    sweep_pass(2000, &sum);
    assert_int_equal(sum.accounts_freed, 8);
    assert_true(sessions_account_find(&tables.writer, &id, &ref));
    insert(1, &ref);
    sweep_pass(2000, &sum);
    assert_int_equal(sum.accounts_freed, 1);
    expect(1, SESSIONS_REASON_NONE);
}

// Sessions that move past the sweep take their accounts' use with them.
static void nothing_in_use_is_swept_away(void **state)
{
    (void)state;
    enum { MOVING = 4000 };
    struct sessions_swept swept;
    uint32_t freed = 0;
    for (uint64_t i = 0; i < MOVING; i++) {
        struct sessions_account_ref ref = put(i, 0, 1);
        insert(i, &ref);
        sessions_sweep(&tables.writer, 20, 2000, &swept);
        freed += swept.accounts_freed;
    }
    assert_int_equal(freed, 0);
    for (uint64_t i = 0; i < MOVING; i++)
        expect(i, SESSIONS_REASON_NONE);
}

// A crash took the account, not its sessions; its slot is another's now.
static void a_slot_of_another_is_not_believed(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 0, 1);
    insert(1, &ref);
    atomic_fetch_or(&tables.writer.accounts->slot[ref.slot].sequence, 1);
    atomic_store(&tables.writer.accounts->header.changing, 1);
    expect(1, SESSIONS_REASON_CONTENDED);
    sessions_writer_release(&tables.writer);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_EXISTING);
    expect(1, SESSIONS_REASON_GENERATION);
    struct sessions_account_ref other = put(8, 0, 1);
    assert_int_equal(other.slot, ref.slot);
    expect(1, SESSIONS_REASON_GENERATION);
    // The owner comes back with a look-up; the entry is replaced.
    ref = put(7, 0, 1);
    insert(1, &ref);
    expect(1, SESSIONS_REASON_NONE);
    assert_true(identity_is(&identity, 7));
}

static void another_core_takes_over(void **state)
{
    (void)state;
    struct sessions_account_ref ref = put(7, 300, 1);
    for (uint64_t i = 0; i < 500; i++)
        insert(i, &ref);
    struct sessions_pending end = {.kind = SESSIONS_PENDING_END};
    number_selector(42, end.selector);
    uint32_t place;
    assert_true(sessions_pending_add(&tables.writer, &end, &place));
    struct sessions_counts before, after;
    sessions_writer_counts(&tables.writer, &before);
    sessions_writer_release(&tables.writer);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_EXISTING);
    sessions_writer_counts(&tables.writer, &after);
    assert_int_equal(after.sessions, before.sessions);
    assert_int_equal(after.core_generation, before.core_generation + 1);
    expect(42, SESSIONS_REASON_ENDING);
    expect(43, SESSIONS_REASON_NONE);
    assert_int_equal(sessions_pending_count(&tables.writer), 1);
    // Another format: empty, and readers see nothing of the old.
    sessions_writer_release(&tables.writer);
    tables.writer.sessions->header.magic++;
    expect(43, SESSIONS_REASON_UNFORMATTED);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_NEW);
    expect(43, SESSIONS_REASON_ABSENT);
    struct sessions_account_ref again = put(8, 0, 1);
    assert_int_not_equal(again.generation, ref.generation);
}

static void many_sessions_come_and_go(void **state)
{
    (void)state;
    struct sessions_account_ref ref[50];
    for (uint64_t i = 0; i < 50; i++)
        ref[i] = put(i, (uint32_t)i, 1);
    uint64_t random = 1;
    bool present[4096] = {false};
    for (int i = 0; i < 60000; i++) {
        uint64_t number = random_next(&random) % 4096;
        struct sessions_row row = row_make(number, &ref[number % 50]);
        if (random_next(&random) % 8 == 0) {
            assert_int_equal(sessions_remove(&tables.writer, row.selector), present[number]);
            present[number] = false;
        } else {
            assert_int_equal(sessions_insert(&tables.writer, &row),
                             present[number] ? SESSIONS_PRESENT : SESSIONS_INSERTED);
            present[number] = true;
        }
    }
    for (uint64_t number = 0; number < 4096; number++) {
        expect(number, present[number] ? SESSIONS_REASON_NONE : SESSIONS_REASON_ABSENT);
        assert_true(!present[number] || identity_is(&identity, number % 50));
    }
}

#define TABLES_TEST(name) cmocka_unit_test_setup_teardown(name, open_tables, close_tables)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLES_TEST(a_new_file_answers_miss),
        TABLES_TEST(a_session_is_found_with_its_account),
        TABLES_TEST(insert_is_idempotent_and_never_revives),
        TABLES_TEST(expiries_are_judged_by_their_clocks),
        TABLES_TEST(a_raised_epoch_ends_all_but_the_kept),
        TABLES_TEST(a_disabled_account_is_refused),
        TABLES_TEST(texts_of_every_length_are_kept),
        TABLES_TEST(pending_ends_are_kept_and_hold),
        TABLES_TEST(pending_places_are_bounded),
        TABLES_TEST(a_full_table_says_so_and_works_on),
        TABLES_TEST(without_pages_nothing_grows_and_nothing_breaks),
        TABLES_TEST(the_sweep_removes_what_is_over),
        TABLES_TEST(an_account_granted_during_a_pass_stays),
        TABLES_TEST(nothing_in_use_is_swept_away),
        TABLES_TEST(a_slot_of_another_is_not_believed),
        TABLES_TEST(another_core_takes_over),
        TABLES_TEST(many_sessions_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
