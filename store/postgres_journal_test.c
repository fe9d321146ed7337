// SPDX-License-Identifier: ISC
// Ends through the PostgreSQL service and a real server that goes away, hangs, comes back as it was or as an
// older copy of itself: what was acknowledged has ended, also for the next process, and also before the
// database heard of it.
#include "store/postgres_service.h"

#include "store/testing_service.h"

#include <signal.h>
#include <sys/resource.h>

#define MANY 10000u

// ---- a service and its server ----------------------------------------------------------------------------

#define OUTCOME(seen, name_, ...)                                                                            \
    ({                                                                                                       \
        size_t answers_ = (seen)->answers;                                                                   \
        SUBMIT(seen, 7, name_, __VA_ARGS__);                                                                 \
        UNTIL(seen, (seen)->answers > answers_);                                                             \
        (seen)->reply.outcome;                                                                               \
    })
#define FINE(seen, name_, ...) assert_int_equal(OUTCOME(seen, name_, __VA_ARGS__), WIRE_STORE_OK)

static void open_it(struct seen *seen)
{
    open_postgres(seen, 8);
    seen->states = 0;
    seen->state.up = false;
    service_begin(seen->service);
}

static void serve(struct seen *seen)
{
    UNTIL(seen, seen->states > 0 && seen->state.up);
}

static void go_away(struct seen *seen)
{
    PQfinish(seen->other);
    seen->other = NULL;
    testing_postgres_halt(&testing_server);
    UNTIL(seen, seen->states > 0 && !seen->state.up);
}

static void come_back(struct seen *seen)
{
    assert_true(testing_postgres_again(&testing_server));
    seen->other = testing_postgres_connect(&testing_server, "postgres");
    assert_non_null(seen->other);
}

// The process is gone without a word, and there is a new one.
static void another_process(struct seen *seen)
{
    service_free(&seen->service);
    open_it(seen);
}

static int setup(void **state)
{
    struct seen *seen = seen_on_postgres("stayd");
    open_it(seen);
    serve(seen);
    *state = seen;
    return 0;
}

static void populate(struct seen *seen, uint32_t sessions)
{
    FINE(seen, account_add, ACCOUNT(1), .name = VIEW("alice"));
    FINE(seen, account_add, ACCOUNT(2), .name = VIEW("bob"));
    for (uint32_t i = 1; i <= sessions; i++) {
        FINE(seen, session_grant, SESSION(1 + i % 2, i));
    }
}

static uint8_t look_up(struct seen *seen, uint32_t session)
{
    return OUTCOME(seen, session_by_selector, .selector = testing_id('s', session));
}

// ---- what it must do -------------------------------------------------------------------------------------

static void an_end_while_it_is_away(void **state)
{
    struct seen *seen = *state;
    populate(seen, 4);
    go_away(seen);
    FINE(seen, session_end, .selector = testing_id('s', 1));
    assert_int_equal(look_up(seen, 1), WIRE_STORE_NOT_FOUND);
    assert_int_equal(look_up(seen, 3), WIRE_STORE_UNAVAILABLE);
    another_process(seen);
    assert_int_equal(look_up(seen, 1), WIRE_STORE_NOT_FOUND); // before any state was said
    come_back(seen);
    serve(seen);
    assert_int_equal(look_up(seen, 1), WIRE_STORE_NOT_FOUND);
    assert_int_equal(look_up(seen, 3), WIRE_STORE_OK);
    UNTIL(seen, number(seen, "SELECT count(*) FROM sessions") == 3);
}

static void what_a_lock_keeps_from_the_database_is_not_shown(void **state)
{
    struct seen *seen = *state;
    populate(seen, 8);
    go_away(seen);
    FINE(seen, session_end, .selector = testing_id('s', 2));
    FINE(seen, account_epoch, .id = testing_id('a', 2), .epoch = 5, .has_keep = true,
         .keep = testing_id('s', 3));
    come_back(seen);
    sql(seen, "BEGIN");
    sql(seen, "LOCK TABLE sessions, accounts IN SHARE MODE"); // reading goes on
    serve(seen);
    assert_int_equal(number(seen, "SELECT count(*) FROM sessions"), 8);
    static const bool stands[] = {[3] = true, [4] = true, [6] = true, [8] = true};
    for (uint32_t i = 1; i <= 8; i++) {
        assert_int_equal(look_up(seen, i), stands[i] ? WIRE_STORE_OK : WIRE_STORE_NOT_FOUND);
    }
    struct wire_session_row session;
    struct wire_account_row account;
    assert_int_equal(look_up(seen, 3), WIRE_STORE_OK);
    struct view rows = bytes_view(&seen->rows);
    assert_true(wire_session_row_next(&rows, &session) && wire_account_row_next(&rows, &account));
    assert_int_equal(session.epoch, 5);
    assert_int_equal(account.epoch, 5);
    FINE(seen, session_page, .limit = 1, .after_account = testing_id('a', 2), .now = 3000);
    rows = bytes_view(&seen->rows); // the sessions before it have ended
    assert_true(wire_account_row_next(&rows, &account) && wire_session_row_next(&rows, &session));
    assert_memory_equal(session.selector.byte, testing_id('s', 3).byte, 16);
    // Ends go on: written down, though the database can't be changed.
    FINE(seen, session_end, .selector = testing_id('s', 4));
    assert_int_equal(look_up(seen, 4), WIRE_STORE_NOT_FOUND);
    sql(seen, "COMMIT");
    UNTIL(seen, number(seen, "SELECT count(*) FROM sessions") == 3);
    assert_int_equal(number(seen, "SELECT count(*) FROM accounts WHERE epoch = 5"), 1);
}

// The server starts anew as it was before the ends: what a failover to a standby that lost its tail is.
static void an_older_copy_is_told_again(void **state)
{
    struct seen *seen = *state;
    populate(seen, 8);
    sql(seen,
        "CREATE TABLE old_sessions AS SELECT * FROM sessions; CREATE TABLE old_accounts AS SELECT * FROM"
        " accounts");
    FINE(seen, session_end, .selector = testing_id('s', 1));
    FINE(seen, account_password, .account_id = testing_id('a', 1), .phc = VIEW("$argon2id$two"), .epoch = 1,
         .changed = 2500);
    assert_int_equal(number(seen, "SELECT count(*) FROM sessions"), 3);
    go_away(seen);
    service_free(&seen->service);
    come_back(seen);
    sql(seen, "DELETE FROM sessions; DELETE FROM accounts; INSERT INTO accounts SELECT * FROM old_accounts;"
              " INSERT INTO sessions SELECT * FROM old_sessions");
    sql(seen, "BEGIN; LOCK TABLE sessions IN SHARE MODE");
    open_it(seen);
    serve(seen);
    assert_int_equal(number(seen, "SELECT count(*) FROM sessions"), 8);
    for (uint32_t i = 1; i <= 8; i++) {
        bool stands = i % 2 == 1 && i != 1; // account 1 has the even ones
        assert_int_equal(look_up(seen, i), stands ? WIRE_STORE_OK : WIRE_STORE_NOT_FOUND);
    }
    sql(seen, "COMMIT");
    UNTIL(seen, number(seen, "SELECT count(*) FROM sessions") == 3);
    UNTIL(seen, number(seen, "SELECT epoch FROM accounts WHERE name = 'alice'") == 1);
}

static void a_lock_costs_an_end_half_its_deadline_at_most(void **state)
{
    struct seen *seen = *state;
    populate(seen, 2);
    sql(seen, "BEGIN; LOCK TABLE sessions IN SHARE MODE");
    uint64_t begun_ns = clock_mono_ns();
    FINE(seen, session_end, .selector = testing_id('s', 1));
    assert_true(clock_mono_ns() - begun_ns < 3500000000u);
    sql(seen, "COMMIT");
    UNTIL(seen, seen->state.up && number(seen, "SELECT count(*) FROM sessions") == 1);
}

// A limit on file sizes stands for a full disk.
static void a_full_disk_here_and_no_database(void **state)
{
    struct seen *seen = *state;
    struct rlimit before, small = {.rlim_cur = 64, .rlim_max = RLIM_INFINITY};
    populate(seen, 2);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    FINE(seen, session_end, .selector = testing_id('s', 1)); // the database has it
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    go_away(seen);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(OUTCOME(seen, session_end, .selector = testing_id('s', 2)), WIRE_STORE_UNAVAILABLE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    FINE(seen, session_end, .selector = testing_id('s', 2));
    another_process(seen);
    assert_int_equal(look_up(seen, 2), WIRE_STORE_NOT_FOUND);
    come_back(seen);
    serve(seen);
    UNTIL(seen, number(seen, "SELECT count(*) FROM sessions") == 0);
}

// ---- many ------------------------------------------------------------------------------------------------

static void fill_in(struct seen *seen)
{
    size_t before = seen->answers;
    for (uint32_t i = 100; i < 100 + MANY; i++) {
        SUBMIT(seen, 7, session_grant, SESSION(1, i));
        if (i % 200 == 0) {
            UNTIL(seen, seen->answers >= before + i - 100);
        }
    }
}

static uint64_t slowest_look_up_ns(struct seen *seen, int64_t until)
{
    uint64_t slowest_ns = 0;
    for (unsigned i = 0; number(seen, "SELECT count(*) FROM sessions") > until; i++) {
        uint64_t begun_ns = clock_mono_ns();
        assert_int_equal(look_up(seen, 1), WIRE_STORE_OK);
        uint64_t took_ns = clock_mono_ns() - begun_ns;
        slowest_ns = took_ns > slowest_ns ? took_ns : slowest_ns;
        assert_true(i < 100000);
    }
    return slowest_ns;
}

static void ten_thousand_while_it_is_away(void **state)
{
    struct seen *seen = *state;
    populate(seen, 1);
    size_t before = seen->answers;
    fill_in(seen);
    UNTIL(seen, seen->answers >= before + MANY);
    assert_int_equal(number(seen, "SELECT count(*) FROM sessions"), MANY + 1);
    go_away(seen);
    before = seen->fine;
    uint64_t begun_ns = clock_mono_ns();
    for (uint32_t i = 100; i < 100 + MANY; i++) {
        SUBMIT(seen, 7, session_end, .selector = testing_id('s', i));
    }
    UNTIL(seen, seen->fine >= before + MANY);
    uint64_t ended_ns = clock_mono_ns() - begun_ns;
    come_back(seen);
    begun_ns = clock_mono_ns();
    assert_true(WITHIN(seen, 2000, seen->state.up));
    uint64_t up_ns = clock_mono_ns() - begun_ns;
    assert_int_equal(look_up(seen, 100 + MANY - 1), WIRE_STORE_NOT_FOUND);
    uint64_t slowest_ns = slowest_look_up_ns(seen, 1);
    print_message(
        "%u ends: acknowledged in %u ms; up after %u ms, replayed after %u ms, slowest look-up %u ms\n", MANY,
        (unsigned)(ended_ns / 1000000u), (unsigned)(up_ns / 1000000u),
        (unsigned)((clock_mono_ns() - begun_ns) / 1000000u), (unsigned)(slowest_ns / 1000000u));
    assert_true(slowest_ns < 1000000000u);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm(240);
    const struct CMUnitTest tests[] = {
        TEST(an_end_while_it_is_away),          TEST(what_a_lock_keeps_from_the_database_is_not_shown),
        TEST(an_older_copy_is_told_again),      TEST(a_lock_costs_an_end_half_its_deadline_at_most),
        TEST(a_full_disk_here_and_no_database), TEST(ten_thousand_while_it_is_away),
    };
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
