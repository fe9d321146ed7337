// SPDX-License-Identifier: ISC
// What the service on SQLite tells: an index that another program dropped, and a file that it has locked.
#include "store/sqlite_service.h"

#include "store/testing_service.h"

#include <sqlite3.h>

static sqlite3 *other; // another program

static void execute(const char *text)
{
    if (sqlite3_exec(other, text, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(other));
    }
}

static int setup(void **state)
{
    struct seen *seen = seen_on_sqlite();
    assert_int_equal(sqlite3_open(seen->place, &other), SQLITE_OK);
    service_begin(seen->service);
    UNTIL(seen, seen->states > 0);
    *state = seen;
    return 0;
}

static int close_and_teardown(void **state)
{
    (void)sqlite3_close(other);
    return teardown(state);
}

// For a name that nobody has: without its index all rows are read, wherever they lie.
static void ask(struct seen *seen)
{
    SUBMIT_FOR(seen, 2000, 1, account_by_name, .name = VIEW("u0"));
}

// Its plan when all is well is remembered, and that it is quick then, whatever else this machine does.
static bool is_known(const struct seen *seen)
{
    const struct sqlite_service *service = (const struct sqlite_service *)seen->service;
    const struct eyes_operation *operation =
        &service->eyes.operation[eyes_operation(WIRE_MESSAGE_store_account_by_name)];
    return operation->good.known && operation->known >= 100 && operation->before_us < 1000;
}

static void a_dropped_index_is_named_with_the_statement_that_makes_it(void **state)
{
    struct seen *seen = *state;
    execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
            " INSERT INTO accounts (id, name, display_name, email, groups, flags, phc, epoch, created,"
            " password_changed, last_login) SELECT randomblob(16), 'u' || i, '', '', '', 0, 'x', 0, 0, 0, "
            "0 FROM n");
    ASK_UNTIL(seen, ask, is_known(seen));
    assert_int_equal(seen->count[WIRE_EVENT_STATEMENT_SLOW], 0);
    execute("DROP INDEX accounts_name");
    ASK_UNTIL(seen, ask, seen->count[WIRE_EVENT_STATEMENT_SLOW] > 0);
    const struct heard *slow = last(seen, WIRE_EVENT_STATEMENT_SLOW);
    assert_string_equal(slow->name, "account_by_name");
    assert_non_null(strstr(slow->text, "SCAN accounts"));
    assert_non_null(strstr(slow->more, "CREATE UNIQUE INDEX accounts_name ON accounts"));
    assert_int_equal(seen->count[WIRE_EVENT_STATEMENT_PLAN], 1);
    execute(slow->more);
}

static void a_file_that_another_program_has_locked_is_said_so(void **state)
{
    struct seen *seen = *state;
    SUBMIT(seen, 1, session_end);
    UNTIL(seen, seen->answers == 1);
    execute("BEGIN IMMEDIATE");
    SUBMIT(seen, 2, session_end);
    UNTIL(seen, seen->count[WIRE_EVENT_LOCK_HELD] > 0);
    const struct heard *held = last(seen, WIRE_EVENT_LOCK_HELD);
    assert_string_equal(held->name, seen->place);
    assert_non_null(strstr(held->text, "fuser -v"));
    UNTIL(seen, seen->answers == 2); // given up
    assert_int_equal(seen->count[WIRE_EVENT_LOCK_GONE], 0);
    execute("COMMIT");
    UNTIL(seen, seen->count[WIRE_EVENT_LOCK_GONE] > 0); // without anybody asking
    assert_int_equal(seen->count[WIRE_EVENT_DATABASE_DOWN], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dropped_index_is_named_with_the_statement_that_makes_it, setup,
                                        close_and_teardown),
        cmocka_unit_test_setup_teardown(a_file_that_another_program_has_locked_is_said_so, setup,
                                        close_and_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
