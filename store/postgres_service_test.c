// SPDX-License-Identifier: ISC
// The PostgreSQL service against a real server: answers, a lock, broken connections, a server that hangs, is
// full, only reads or never answers, a new core, a new process, a pooler's mode.
#include "store/postgres_service.h"

#include "store/testing_service.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#define CONNECTIONS 12

static int setup_closed(void **state)
{
    *state = seen_on_postgres("stayd");
    return 0;
}

static int setup(void **state)
{
    (void)setup_closed(state);
    open_postgres(*state, CONNECTIONS);
    return 0;
}

static void serve(struct seen *seen)
{
    service_begin(seen->service);
    UNTIL(seen, seen->states > 0 && seen->state.up);
}

// ---- what it does when all is well -----------------------------------------------------------------------

static void the_state_comes_before_any_answer(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->states == 1);
    assert_true(seen->state.up);
    assert_true(seen->state.empty);
    UNTIL(seen, seen->answers == 1);
    assert_int_equal(seen->outcomes[0], WIRE_STORE_OK);
}

static void many_at_once_are_each_answered_for_themselves(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    for (uint32_t i = 0; i < 600; i++) {
        add_account(seen, i, i % 300); // the second half repeats the first
    }
    SUBMIT(seen, 5000, account_by_name, .name = VIEW("nobody"));
    UNTIL(seen, seen->answers == 601);
    assert_int_equal(count_of(seen, WIRE_STORE_OK), 600);
    assert_int_equal(outcome_of(seen, 5000), WIRE_STORE_NOT_FOUND);
    assert_int_equal(number(seen, "SELECT count(*) FROM accounts"), 300);
}

static void a_malformed_operation_is_reported(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    struct bytes packet;
    bytes_init(&packet, 256);
    assert_true(wire_store_session_list_encode(&packet, &(struct wire_store_session_list){.op = 1}));
    assert_true(service_submit(seen->service, view_first(bytes_view(&packet), packet.size - 1)));
    assert_false(service_submit(seen->service, VIEW("\1\0 a log-in, which is not for the store")));
    UNTIL(seen, seen->malformed == 1);
    bytes_release(&packet);
}

static void what_waits_is_finished_before_the_end(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    for (uint32_t i = 0; i < 100; i++) {
        add_account(seen, i, i);
    }
    service_stop(seen->service);
    UNTIL(seen, seen->stopped);
    assert_int_equal(count_of(seen, WIRE_STORE_OK), 100);
}

static void without_prepared_statements_it_is_the_same(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    for (uint32_t i = 0; i < 50; i++) {
        add_account(seen, i, i);
        SUBMIT(seen, 100 + i, account_by_id, .id = testing_id('a', i));
    }
    UNTIL(seen, seen->answers == 100);
    assert_int_equal(number(seen, "SELECT count(*) FROM accounts"), 50);
    sql(seen, "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    SUBMIT_FOR(seen, 300, 900, account_by_id, .id = testing_id('a', 1));
    UNTIL(seen, outcome_of(seen, 900) == WIRE_STORE_UNAVAILABLE);
    UNTIL(seen, number(seen, "SELECT pg_stat_clear_snapshot(); SELECT count(*) FROM pg_stat_activity"
                             " WHERE application_name LIKE 'stayd %' AND state = 'active'") ==
                    0); // the server has the limit, too
    sql(seen, "ROLLBACK");
}

// ---- slow and locked -------------------------------------------------------------------------------------

static void a_lock_holds_up_only_what_needs_it(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->answers == 1);
    sql(seen, "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    for (uint32_t i = 0; i < 40; i++) {
        SUBMIT_FOR(seen, 700, 100 + i, account_by_name, .name = VIEW("u1"));
    }
    uint64_t before_ns = clock_mono_ns();
    for (uint32_t i = 0; i < 20; i++) {
        SUBMIT(seen, 200 + i, once_get, .space = VIEW("invite"), .hash = testing_hash(1));
    }
    UNTIL(seen, count_of(seen, WIRE_STORE_NOT_FOUND) == 20);
    assert_true(clock_mono_ns() - before_ns < 500000000u); // while the others' statements still wait
    UNTIL(seen, seen->answers == 61);
    assert_int_equal(count_of(seen, WIRE_STORE_UNAVAILABLE) + count_of(seen, WIRE_STORE_REFUSED), 40);
    size_t at_deadline = 0; // whose statement runs; who waits behind it is told when it is stalled
    for (size_t i = 1; i < seen->answers; i++) {
        at_deadline += seen->done_ns[i] - before_ns > 500000000u;
    }
    assert_in_range(at_deadline, 1, 4);
    assert_true(seen->states == 1 && seen->state.up); // one statement is no outage
    // What is stuck is tried without its asker, so that it is known when the lock is gone.
    uint64_t op = 1000;
    for (; outcome_of(seen, op - 1) != WIRE_STORE_UNAVAILABLE; op++) {
        assert_true(op < 1100);
        before_ns = clock_mono_ns();
        SUBMIT(seen, op, account_by_name, .name = VIEW("u1"));
        UNTIL(seen, outcome_of(seen, op) != 0);
        (void)WITHIN(seen, 20, false);
    }
    assert_true(clock_mono_ns() - before_ns < 500000000u);
    SUBMIT(seen, op, account_by_name, .name = VIEW("u1"));
    assert_int_equal(outcome_of(seen, op), WIRE_STORE_REFUSED); // at once
    sql(seen, "ROLLBACK");
    (void)WITHIN(seen, 200, false);
    SUBMIT(seen, ++op, account_by_name, .name = VIEW("u1"));
    UNTIL(seen, outcome_of(seen, op) == WIRE_STORE_OK);
    assert_int_equal(number(seen, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), 0);
}

// ---- broken ----------------------------------------------------------------------------------------------

static void what_a_broken_connection_had_is_asked_again(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->answers == 1);
    sql(seen, "BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE");
    for (uint32_t i = 0; i < 4; i++) {
        SUBMIT(seen, 10 + i, account_by_name, .name = VIEW("u1"));
    }
    UNTIL(seen, number(seen, "SELECT pg_stat_clear_snapshot();"
                             " SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") >= 1);
    sql(seen, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stayd %'");
    sql(seen, "ROLLBACK");
    UNTIL(seen, seen->answers == 5);
    assert_int_equal(count_of(seen, WIRE_STORE_OK), 5);
}

static void broken_ones_are_found_before_they_are_used(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    for (uint32_t i = 0; i < 50; i++) {
        add_account(seen, i, i);
    }
    UNTIL(seen, seen->answers == 50);
    sql(seen, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'stayd %'");
    (void)WITHIN(seen, 100, false);
    for (uint32_t i = 0; i < 50; i++) {
        SUBMIT(seen, 100 + i, account_by_id, .id = testing_id('a', i));
    }
    UNTIL(seen, seen->answers == 100);
    assert_int_equal(count_of(seen, WIRE_STORE_OK), 100);
}

static void signal_all(struct seen *seen, const char *pids, int signal)
{
    (void)seen;
    for (const char *at = pids; *at != '\0';) {
        char *end;
        long pid = strtol(at, &end, 10);
        assert_true(pid > 1);
        (void)kill((pid_t)pid, signal);
        at = *end == ',' ? end + 1 : end;
    }
    (void)kill(testing_server.server, signal);
}

static void a_server_that_hangs_is_away_until_it_answers(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->answers == 1);
    PGresult *result = PQexec(seen->other, "SELECT string_agg(pid::text, ',') FROM pg_stat_activity"
                                           " WHERE application_name LIKE 'stayd %'");
    char pids[512];
    (void)snprintf(pids, sizeof(pids), "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    signal_all(seen, pids, SIGSTOP);
    SUBMIT(seen, 2, account_by_name, .name = VIEW("u1"));
    bool down = WITHIN(seen, 3000, !seen->state.up);
    uint64_t before_ns = clock_mono_ns();
    SUBMIT(seen, 3, account_by_name, .name = VIEW("u1"));
    uint64_t took_ns = clock_mono_ns() - before_ns;
    signal_all(seen, pids, SIGCONT);
    assert_true(down);
    assert_int_equal(outcome_of(seen, 2), WIRE_STORE_UNAVAILABLE);
    assert_int_equal(outcome_of(seen, 3), WIRE_STORE_UNAVAILABLE); // at once
    assert_true(took_ns < 10000000);
    assert_true(WITHIN(seen, 3000, seen->state.up));
    SUBMIT(seen, 4, account_by_name, .name = VIEW("u1"));
    UNTIL(seen, outcome_of(seen, 4) == WIRE_STORE_OK);
}

static void a_silent_connection_beside_the_pool_is_no_outage(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->answers == 1);
    const struct postgres_service *service = (const struct postgres_service *)seen->service;
    int stuck = service->reserved.connection.backend;
    assert_true(stuck > 1);
    (void)kill(stuck, SIGSTOP);
    for (uint32_t i = 0; i < 30; i++) { // the others answer
        SUBMIT(seen, 10 + i, account_by_name, .name = VIEW("u1"));
        (void)WITHIN(seen, 100, false);
    }
    bool another =
        WITHIN(seen, 3000,
               service->reserved.stage == POSTGRES_READY && service->reserved.connection.backend != stuck);
    (void)kill(stuck, SIGCONT);
    assert_true(another);
    assert_true(seen->states == 1 && seen->state.up);
    assert_int_equal(count_of(seen, WIRE_STORE_OK), 31);
}

static void a_server_that_only_reads_is_away(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    sql(seen, "ALTER SYSTEM SET default_transaction_read_only = on");
    sql(seen, "SELECT pg_reload_conf()");
    bool down = WITHIN(seen, 3000, !seen->state.up);
    sql(seen, "SET default_transaction_read_only = off");
    sql(seen, "ALTER SYSTEM RESET default_transaction_read_only");
    sql(seen, "SELECT pg_reload_conf()");
    assert_true(down);
    UNTIL(seen, seen->state.up);
    add_account(seen, 1, 1);
    UNTIL(seen, outcome_of(seen, 1) == WIRE_STORE_OK);
}

static void a_full_server_is_used_with_what_it_gives(void **state)
{
    struct seen *seen = *state;
    PGconn *others[40] = {NULL};
    serve(seen);
    add_account(seen, 0, 0);
    UNTIL(seen, seen->answers == 1);
    for (size_t i = 0; i < 40; i++) { // until there is no room
        char target[128];
        (void)snprintf(target, sizeof(target), "host=%s user=stayd dbname=postgres", testing_server.folder);
        others[i] = PQconnectdb(target);
        if (PQstatus(others[i]) != CONNECTION_OK) {
            break;
        }
    }
    for (uint32_t i = 1; i < 200; i++) {
        add_account(seen, i, i);
    }
    UNTIL(seen, seen->answers == 200);
    for (size_t i = 0; i < 40; i++) {
        PQfinish(others[i]);
    }
    assert_int_equal(count_of(seen, WIRE_STORE_OK), 200);
    assert_int_equal(seen->states, 1);
}

// ---- away at the start -----------------------------------------------------------------------------------

static void it_starts_without_a_database_and_says_so(void **state)
{
    struct seen *seen = *state;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0); // accepts and never answers
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(seen->place, sizeof(seen->place), "postgres://stayd@127.0.0.1:%d/postgres",
                   ntohs(address.sin_port));
    open_postgres(seen, CONNECTIONS);
    service_begin(seen->service);
    add_account(seen, 1, 1);
    assert_true(WITHIN(seen, 1500, seen->states == 1));
    assert_false(seen->state.up);
    assert_int_equal(outcome_of(seen, 1), WIRE_STORE_UNAVAILABLE);
    add_account(seen, 2, 2);
    assert_int_equal(outcome_of(seen, 2), WIRE_STORE_UNAVAILABLE);
    close(listener);
    service_stop(seen->service);
    UNTIL(seen, seen->stopped);
}

static void the_second_host_serves_when_the_first_does_not(void **state)
{
    struct seen *seen = *state;
    (void)snprintf(seen->place, sizeof(seen->place), "postgres:///postgres?host=/nonexistent,%s&user=stayd",
                   testing_server.folder);
    open_postgres(seen, CONNECTIONS);
    serve(seen);
    add_account(seen, 1, 1);
    UNTIL(seen, outcome_of(seen, 1) == WIRE_STORE_OK);
}

static void a_newer_schema_is_not_touched(void **state)
{
    struct seen *seen = *state;
    open_postgres(seen, CONNECTIONS);
    serve(seen);
    service_free(&seen->service);
    sql(seen, "UPDATE meta SET number = 999 WHERE name = 'schema'");
    testing_remove_tree(seen->folder);
    testing_folder(seen->folder);
    seen->states = 0;
    open_postgres(seen, CONNECTIONS);
    service_begin(seen->service);
    UNTIL(seen, seen->states == 1);
    assert_false(seen->state.up);
    assert_int_equal(number(seen, "SELECT number FROM meta WHERE name = 'schema'"), 999);
}

// ---- fences ----------------------------------------------------------------------------------------------

static void an_old_cores_statement_is_over_before_a_new_core_is_told_the_state(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->answers == 1);
    sql(seen, "BEGIN; SELECT 1 FROM accounts FOR UPDATE");
    SUBMIT(seen, 2, account_epoch, .id = testing_id('a', 1), .epoch = 7);
    UNTIL(seen, number(seen, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1);
    service_begin(seen->service);
    SUBMIT(seen, 3, account_by_id, .id = testing_id('a', 1));
    assert_true(WITHIN(seen, 4000, seen->states == 2));
    assert_int_equal(number(seen, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), 0);
    sql(seen, "ROLLBACK");
    UNTIL(seen, outcome_of(seen, 3) == WIRE_STORE_OK);
    assert_int_equal(outcome_of(seen, 2), 0); // not the new core's
}

static void what_an_old_process_left_running_is_ended_first(void **state)
{
    struct seen *seen = *state;
    serve(seen);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->answers == 1);
    sql(seen, "BEGIN; SELECT 1 FROM accounts FOR UPDATE");
    SUBMIT(seen, 2, account_rehash, .id = testing_id('a', 1), .phc_before = VIEW("$argon2id$one"),
           .phc = VIEW("$argon2id$two"));
    UNTIL(seen, number(seen, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1);
    service_free(&seen->service); // as kill -9 does, its connections are closed and its statement runs on
    assert_int_equal(number(seen, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), 1);
    seen->states = 0;
    open_postgres(seen, CONNECTIONS);
    serve(seen);
    assert_int_equal(number(seen, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"), 0);
    sql(seen, "ROLLBACK");
    assert_int_equal(number(seen, "SELECT count(*) FROM accounts WHERE phc = '$argon2id$two'"), 0);
}

static int setup_pooler(void **state)
{
    (void)setup_closed(state);
    ((struct seen *)*state)->pooler = true;
    open_postgres(*state, CONNECTIONS);
    return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm(240);
    const struct CMUnitTest tests[] = {
        TEST(the_state_comes_before_any_answer),
        TEST(many_at_once_are_each_answered_for_themselves),
        TEST(a_malformed_operation_is_reported),
        TEST(what_waits_is_finished_before_the_end),
        cmocka_unit_test_setup_teardown(without_prepared_statements_it_is_the_same, setup_pooler, teardown),
        TEST(a_lock_holds_up_only_what_needs_it),
        TEST(what_a_broken_connection_had_is_asked_again),
        TEST(broken_ones_are_found_before_they_are_used),
        TEST(a_server_that_hangs_is_away_until_it_answers),
        TEST(a_silent_connection_beside_the_pool_is_no_outage),
        TEST(a_server_that_only_reads_is_away),
        TEST(a_full_server_is_used_with_what_it_gives),
        cmocka_unit_test_setup_teardown(it_starts_without_a_database_and_says_so, setup_closed, teardown),
        cmocka_unit_test_setup_teardown(the_second_host_serves_when_the_first_does_not, setup_closed,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_newer_schema_is_not_touched, setup_closed, teardown),
        TEST(an_old_cores_statement_is_over_before_a_new_core_is_told_the_state),
        TEST(what_an_old_process_left_running_is_ended_first),
    };
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
