// SPDX-License-Identifier: ISC
// What the service on PostgreSQL tells of a real server: a lock and who holds it, an index that was dropped,
// a server that went away and came back, and what of it a role without rights sees.
#include "store/postgres_service.h"

#include "store/testing_service.h"

static void ask(struct seen *seen)
{
    SUBMIT_FOR(seen, 1500, seen->answers + 1, account_by_name, .name = VIEW("u7"));
}

static uint64_t counter(enum stats_counter at)
{
    return atomic_load_explicit(&stats_here->counter[at], memory_order_relaxed);
}

static void open_it(struct seen *seen)
{
    seen->state.up = false;
    open_postgres(seen, 8);
    service_begin(seen->service);
    UNTIL(seen, seen->state.up);
}

static int setup_as(void **state, const char *role)
{
    struct seen *seen = seen_on_postgres(role);
    sql(seen, "SET application_name = 'somebody''s psql'");
    if (strcmp(role, "limited") == 0) {
        sql(seen,
            "DROP ROLE IF EXISTS limited; CREATE ROLE limited LOGIN; GRANT ALL ON SCHEMA public TO limited");
    }
    open_it(seen);
    *state = seen;
    return 0;
}

static int setup(void **state)
{
    return setup_as(state, "stayd");
}

static int setup_limited(void **state)
{
    return setup_as(state, "limited");
}

static void the_server_says_what_of_the_heartbeat_is_its_own(void **state)
{
    struct seen *seen = *state;
    uint64_t probes = counter(STATS_database_probes), took = counter(STATS_database_probe_us),
             own = counter(STATS_database_server_us);
    UNTIL(seen, counter(STATS_database_probes) >= probes + 3);
    assert_true(counter(STATS_database_server_us) > own);
    assert_true(counter(STATS_database_probe_us) - took > counter(STATS_database_server_us) - own);
}

static void who_holds_a_lock_is_named(void **state)
{
    struct seen *seen = *state;
    ASK_UNTIL(seen, ask, seen->answers >= 20);
    sql(seen, "BEGIN; SET LOCAL application_name = 'somebody''s psql'; LOCK TABLE accounts /* for 'eve' */");
    ask(seen);
    UNTIL(seen, counter(STATS_database_waiting_lock) == 1);
    assert_int_equal(counter(STATS_database_active), 1);
    UNTIL(seen, was(seen, WIRE_EVENT_LOCK_HELD));
    const struct heard *held = last(seen, WIRE_EVENT_LOCK_HELD);
    assert_string_equal(held->name, "accounts");
    assert_int_equal(held->b, PQbackendPID(seen->other));
    assert_in_range(held->a, 200, 2000);
    assert_non_null(strstr(held->text, "somebody's psql of "));
    assert_non_null(strstr(held->text, "idle in transaction"));
    assert_non_null(strstr(held->text, "LOCK TABLE accounts"));
    assert_null(strstr(held->text, "eve"));
    UNTIL(seen, was(seen, WIRE_EVENT_STATEMENT_CANCELLED)); // at its deadline
    assert_string_equal(last(seen, WIRE_EVENT_STATEMENT_CANCELLED)->name, "account_by_name");
    assert_true(WITHIN(seen, 1000, was(seen, WIRE_EVENT_SHARE_SHRUNK)));
    assert_false(was(seen, WIRE_EVENT_LOCK_GONE)); // held, though nobody waits
    sql(seen, "COMMIT");
    assert_true(WITHIN(seen, 1000, was(seen, WIRE_EVENT_LOCK_GONE)));
    assert_string_equal(last(seen, WIRE_EVENT_LOCK_GONE)->name, "accounts");
    ASK_UNTIL(seen, ask, was(seen, WIRE_EVENT_SHARE_RESTORED));
    assert_false(was(seen, WIRE_EVENT_STATEMENT_SLOW));
}

static void a_role_without_rights_is_told_what_it_may_know(void **state)
{
    struct seen *seen = *state;
    sql(seen, "BEGIN; LOCK TABLE accounts");
    ask(seen);
    UNTIL(seen, was(seen, WIRE_EVENT_LOCK_HELD));
    const struct heard *held = last(seen, WIRE_EVENT_LOCK_HELD);
    assert_string_equal(held->name, "accounts");
    assert_int_equal(held->b, PQbackendPID(seen->other));
    assert_non_null(strstr(held->text, "GRANT pg_read_all_stats TO limited"));
    assert_null(strstr(held->text, "LOCK TABLE"));
    sql(seen, "COMMIT");
    UNTIL(seen, was(seen, WIRE_EVENT_LOCK_GONE));
}

// Its plan when all is well is remembered, and how long it takes then, whatever else this machine does.
static bool is_known(const struct seen *seen)
{
    const struct postgres_service *service = (const struct postgres_service *)seen->service;
    const struct eyes_operation *operation =
        &service->eyes.eyes.operation[eyes_operation(WIRE_MESSAGE_store_account_by_name)];
    return operation->good.known && operation->known >= 100;
}

static void a_dropped_index_is_named_with_the_statement_that_makes_it(void **state)
{
    struct seen *seen = *state;
    sql(seen, "INSERT INTO accounts (id, name, display_name, email, groups, flags, phc, epoch, created,"
              " password_changed, last_login) SELECT decode(md5(i::text), 'hex'), 'u' || i, '', '', '', 0,"
              " repeat('x', 100), 0, 0, 0, 0 FROM generate_series(1, 300000) AS i; ANALYZE accounts");
    service_free(&seen->service);
    open_it(seen);
    ASK_UNTIL(seen, ask, is_known(seen));
    assert_false(was(seen, WIRE_EVENT_STATEMENT_SLOW));
    sql(seen, "DROP INDEX accounts_name");
    uint64_t onset_ns = clock_mono_ns();
    ASK_UNTIL(seen, ask, was(seen, WIRE_EVENT_STATEMENT_SLOW));
    print_message("named after %llu ms\n", (unsigned long long)((clock_mono_ns() - onset_ns) / 1000000u));
    const struct heard *slow = last(seen, WIRE_EVENT_STATEMENT_SLOW);
    assert_string_equal(slow->name, "account_by_name");
    assert_true(slow->a > 4 * slow->b);
    assert_non_null(strstr(slow->text, "Seq Scan on accounts"));
    assert_non_null(strstr(slow->text, "there is no index accounts_name"));
    assert_non_null(strstr(slow->more, "INDEX CONCURRENTLY"));
    assert_non_null(strstr(slow->more, "accounts_name"));
    const struct heard *plan = last(seen, WIRE_EVENT_STATEMENT_PLAN);
    assert_true(was(seen, WIRE_EVENT_STATEMENT_PLAN));
    assert_string_equal(plan->text, "Index Scan using accounts_name on accounts");
    assert_non_null(strstr(plan->more, "Seq Scan on accounts"));
    sql(seen, slow->more);
}

static void a_server_that_went_away_and_came_back_is_said_so(void **state)
{
    struct seen *seen = *state;
    uint64_t probes =
        counter(STATS_database_probes); // a connection being made would keep the server from ending
    UNTIL(seen, counter(STATS_database_probes) >= probes + 4);
    testing_postgres_halt(&testing_server);
    UNTIL(seen, was(seen, WIRE_EVENT_DATABASE_DOWN));
    assert_true(last(seen, WIRE_EVENT_DATABASE_DOWN)->text[0] != '\0');
    uint64_t failed = counter(STATS_database_connect_failed), moved = counter(STATS_database_moved);
    UNTIL(seen, counter(STATS_database_connect_failed) > failed);
    PQfinish(seen->other);
    assert_true(testing_postgres_again(&testing_server));
    seen->other = testing_postgres_connect(&testing_server, "postgres");
    UNTIL(seen, was(seen, WIRE_EVENT_DATABASE_UP));
    assert_true(last(seen, WIRE_EVENT_DATABASE_UP)->a > 0);
    assert_true(was(seen, WIRE_EVENT_DATABASE_MOVED));
    assert_string_equal(last(seen, WIRE_EVENT_DATABASE_MOVED)->text, "the server was started anew");
    assert_int_equal(counter(STATS_database_moved), moved + 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_server_says_what_of_the_heartbeat_is_its_own),
        TEST(who_holds_a_lock_is_named),
        cmocka_unit_test_setup_teardown(a_role_without_rights_is_told_what_it_may_know, setup_limited,
                                        teardown),
        TEST(a_dropped_index_is_named_with_the_statement_that_makes_it),
        TEST(a_server_that_went_away_and_came_back_is_said_so),
    };
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
