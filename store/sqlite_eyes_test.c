// SPDX-License-Identifier: ISC
// What the service on SQLite tells: an index that another program dropped, and a file that it has locked.
#include "store/sqlite_service.h"

#include "base/clock.h"
#include "base/stats.h"
#include "store/testing.h"

#include <sqlite3.h>
#include <stdio.h>

struct seen {
    struct service *service;
    struct ev_loop *loop;
    sqlite3 *other;
    char folder[64], path[96];
    size_t answers;
    bool said;
    unsigned count[WIRE_EVENT_END];
    char name[80], text[2048], more[1024]; // of the last STATEMENT_SLOW or LOCK_HELD
};

static void on_answer(void *owner, struct view packet)
{
    (void)packet;
    ((struct seen *)owner)->answers++;
}

static void on_state(void *owner, const struct wire_store_state *state)
{
    (void)state;
    ((struct seen *)owner)->said = true;
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static void copy(char *out, size_t size, struct view view)
{
    (void)snprintf(out, size, "%.*s", (int)view.size, view.size == 0 ? "" : (const char *)view.data);
}

static void on_event(void *owner, const struct wire_event *event)
{
    struct seen *seen = owner;
    seen->count[event->kind]++;
    if (event->kind == WIRE_EVENT_STATEMENT_SLOW || event->kind == WIRE_EVENT_LOCK_HELD) {
        copy(seen->name, sizeof(seen->name), event->name);
        copy(seen->text, sizeof(seen->text), event->text);
        copy(seen->more, sizeof(seen->more), event->more);
    }
}

static const struct service_events events = {on_answer, on_state, on_nothing, on_nothing, on_event};

static void sql(struct seen *seen, const char *text)
{
    if (sqlite3_exec(seen->other, text, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", text, sqlite3_errmsg(seen->other));
    }
}

static int setup(void **state)
{
    struct seen *seen = calloc(1, sizeof(*seen));
    char why[STORE_WHY_MAX];
    seen->loop = ev_loop_new(EVFLAG_AUTO);
    testing_folder(seen->folder);
    (void)snprintf(seen->path, sizeof(seen->path), "%s/stayd.db", seen->folder);
    assert_int_equal(sqlite_service_open(&seen->service, seen->path, seen->loop, &events, seen, why),
                     STORE_OPENED);
    assert_true(service_start(seen->service));
    assert_int_equal(sqlite3_open(seen->path, &seen->other), SQLITE_OK);
    service_begin(seen->service);
    while (!seen->said) {
        ev_run(seen->loop, EVRUN_ONCE);
    }
    *state = seen;
    return 0;
}

static int teardown(void **state)
{
    struct seen *seen = *state;
    (void)sqlite3_close(seen->other);
    service_free(&seen->service);
    ev_loop_destroy(seen->loop);
    testing_remove(seen->folder);
    free(seen);
    return 0;
}

// For a name that nobody has: without its index all rows are read, wherever they lie.
static void ask(struct seen *seen)
{
    struct bytes packet;
    bytes_init(&packet, 256);
    assert_true(wire_store_account_by_name_encode(
        &packet, &(struct wire_store_account_by_name){.op = 1, .deadline_ms = 2000, .name = VIEW("u0")}));
    assert_true(service_submit(seen->service, bytes_view(&packet)));
    bytes_release(&packet);
}

static void end_it(struct seen *seen, uint64_t op)
{
    struct bytes packet;
    bytes_init(&packet, 256);
    assert_true(wire_store_session_end_encode(&packet, &(struct wire_store_session_end){.op = op}));
    assert_true(service_submit(seen->service, bytes_view(&packet)));
    bytes_release(&packet);
}

#define PATIENCE_MS 60000 // what should come comes in a second; a busy machine takes longer

// Asks one after the other until then, for so long at most.
#define ASK_UNTIL(seen, ms, condition)                                                                       \
    do {                                                                                                     \
        uint64_t end_ns_ = clock_mono_ns() + (uint64_t)(ms)*1000000u;                                        \
        size_t asked_ = (seen)->answers;                                                                     \
        while (!(condition) && clock_mono_ns() < end_ns_) {                                                  \
            if ((seen)->answers >= asked_) {                                                                 \
                asked_ = (seen)->answers + 1;                                                                \
                ask(seen);                                                                                   \
            }                                                                                                \
            ev_run((seen)->loop, EVRUN_ONCE);                                                                \
        }                                                                                                    \
        assert_true(condition);                                                                              \
    } while (0)

#define UNTIL(seen, ms, condition)                                                                           \
    do {                                                                                                     \
        uint64_t end_ns_ = clock_mono_ns() + (uint64_t)(ms)*1000000u;                                        \
        while (!(condition) && clock_mono_ns() < end_ns_) {                                                  \
            ev_run((seen)->loop, EVRUN_ONCE);                                                                \
        }                                                                                                    \
        assert_true(condition);                                                                              \
    } while (0)

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
    sql(seen, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
              " INSERT INTO accounts (id, name, display_name, email, groups, flags, phc, epoch, created,"
              " password_changed, last_login) SELECT randomblob(16), 'u' || i, '', '', '', 0, 'x', 0, 0, 0, "
              "0 FROM n");
    ASK_UNTIL(seen, PATIENCE_MS, is_known(seen));
    assert_int_equal(seen->count[WIRE_EVENT_STATEMENT_SLOW], 0);
    sql(seen, "DROP INDEX accounts_name");
    ASK_UNTIL(seen, PATIENCE_MS, seen->count[WIRE_EVENT_STATEMENT_SLOW] > 0);
    assert_string_equal(seen->name, "account_by_name");
    assert_non_null(strstr(seen->text, "SCAN accounts"));
    assert_non_null(strstr(seen->more, "CREATE UNIQUE INDEX accounts_name ON accounts"));
    assert_int_equal(seen->count[WIRE_EVENT_STATEMENT_PLAN], 1);
    sql(seen, seen->more);
}

static void a_file_that_another_program_has_locked_is_said_so(void **state)
{
    struct seen *seen = *state;
    end_it(seen, 1);
    UNTIL(seen, PATIENCE_MS, seen->answers == 1);
    sql(seen, "BEGIN IMMEDIATE");
    end_it(seen, 2);
    UNTIL(seen, PATIENCE_MS, seen->count[WIRE_EVENT_LOCK_HELD] > 0);
    assert_string_equal(seen->name, seen->path);
    assert_non_null(strstr(seen->text, "fuser -v"));
    UNTIL(seen, PATIENCE_MS, seen->answers == 2); // given up
    assert_int_equal(seen->count[WIRE_EVENT_LOCK_GONE], 0);
    sql(seen, "COMMIT");
    UNTIL(seen, PATIENCE_MS, seen->count[WIRE_EVENT_LOCK_GONE] > 0); // without anybody asking
    assert_int_equal(seen->count[WIRE_EVENT_DATABASE_DOWN], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_dropped_index_is_named_with_the_statement_that_makes_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_file_that_another_program_has_locked_is_said_so, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
