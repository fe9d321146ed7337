// SPDX-License-Identifier: ISC
// Two at once on PostgreSQL: each case holds what both need, waits until both stand at it, lets go, and looks
// at what came out. Whatever the order, the answers are those of one after the other.
#include "store/testing.h"

#include <time.h>

#define PARTIES 4

struct party {
    PGconn *connection;
    struct postgres_call call;
    struct bytes packet;
    struct store_answer answer;
};

struct race {
    struct backend backend;
    PGconn *holder;
    struct party party[PARTIES];
};

static int setup(void **state)
{
    struct race *race = calloc(1, sizeof(*race));
    backend_init_postgres(&race->backend);
    race->holder = testing_postgres_connect(&testing_server, "postgres");
    assert_non_null(race->holder);
    for (size_t i = 0; i < PARTIES; i++) {
        race->party[i].connection = testing_postgres_connect(&testing_server, "postgres");
        assert_non_null(race->party[i].connection);
        assert_true(testing_postgres_prepare(race->party[i].connection));
        bytes_init(&race->party[i].packet, WIRE_PACKET_MAX);
        store_answer_init(&race->party[i].answer);
    }
    *state = race;
    return 0;
}

static int teardown(void **state)
{
    struct race *race = *state;
    for (size_t i = 0; i < PARTIES; i++) {
        PQfinish(race->party[i].connection);
        bytes_release(&race->party[i].packet);
        store_answer_release(&race->party[i].answer);
    }
    PQfinish(race->holder);
    backend_release(&race->backend);
    free(race);
    return 0;
}

static void execute(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(connection));
    }
    PQclear(result);
}

static int number(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
    uint64_t value = 0;
    assert_true(view_to_u64(view_of_cstr(PQgetvalue(result, 0, 0)), &value));
    PQclear(result);
    return (int)value;
}

static void hold(struct race *race, const char *sql)
{
    execute(race->holder, "BEGIN");
    execute(race->holder, sql);
}

// Until that many statements stand at a lock.
static void wait_for_standing(struct race *race, int count)
{
    for (int i = 0; i < 2000; i++) {
        if (number(race->backend.postgres,
                   "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") >= count) {
            return;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    fail_msg("%d statements were to wait for a lock", count);
}

static void let_go(struct race *race)
{
    execute(race->holder, "ROLLBACK");
}

// SEND(race, which, session_grant, …): the call is on its way.
#define SEND(race_, which_, name_, ...)                                                                      \
    do {                                                                                                     \
        struct party *party_ = &(race_)->party[which_];                                                      \
        bytes_reset(&party_->packet);                                                                        \
        assert_true(wire_store_##name_##_encode(&party_->packet,                                             \
                                                &(struct wire_store_##name_){.op = 1, __VA_ARGS__}));        \
        assert_true(postgres_call_make(&party_->call, bytes_view(&party_->packet)));                         \
        testing_postgres_send(party_->connection, &party_->call);                                            \
    } while (0)

// The answer; a call that was overtaken is sent again.
static enum wire_store_outcome receive(struct race *race, size_t which)
{
    struct party *party = &race->party[which];
    char state[6];
    enum postgres_taken taken;
    int tries = 0;
    while ((taken = testing_postgres_receive(party->connection, &party->call, &party->answer, state)) ==
           POSTGRES_AGAIN) {
        assert_true(++tries < 10);
        testing_postgres_send(party->connection, &party->call);
    }
    assert_int_equal(taken, POSTGRES_TAKEN);
    assert_true(state[0] == '\0' || party->answer.outcome == WIRE_STORE_UNAVAILABLE);
    postgres_call_release(&party->call);
    return party->answer.outcome;
}

static enum wire_conflict conflict(const struct race *race, size_t which)
{
    return race->party[which].answer.conflict;
}

// Of both, exactly one is OK and the other refused for this.
static void assert_one_wins(struct race *race, enum wire_conflict refused)
{
    enum wire_store_outcome first = receive(race, 0), second = receive(race, 1);
    assert_true((first == WIRE_STORE_OK) != (second == WIRE_STORE_OK));
    size_t loser = first == WIRE_STORE_OK ? 1 : 0;
    assert_int_equal(race->party[loser].answer.outcome, WIRE_STORE_CONFLICT);
    assert_int_equal(conflict(race, loser), refused);
}

#define HOLD_ALICE "SELECT 1 FROM accounts WHERE name = 'alice' FOR UPDATE"
#define HOLD_GUARD "SELECT 1 FROM meta WHERE name = 'administrators' FOR UPDATE"

// ---- accounts --------------------------------------------------------------------------------------------

static void an_invitation_is_taken_by_one_of_two(void **state)
{
    struct race *race = *state;
    OK(&race->backend, once_put, .space = VIEW("invite"), .hash = testing_hash(1), .expires = 5000);
    hold(race, "SELECT 1 FROM once FOR UPDATE");
    SEND(race, 0, account_add, ACCOUNT(1), .name = VIEW("bob"), .has_invite = 1,
         .invite_hash = testing_hash(1));
    SEND(race, 1, account_add, ACCOUNT(2), .name = VIEW("carol"), .has_invite = 1,
         .invite_hash = testing_hash(1));
    wait_for_standing(race, 2);
    let_go(race);
    assert_one_wins(race, WIRE_CONFLICT_INVITE);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM accounts"), 1);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM once"), 0);
}

static void a_name_is_given_to_one_of_two(void **state)
{
    struct race *race = *state;
    hold(
        race,
        "INSERT INTO accounts VALUES ('\\x09090909090909090909090909090909', 'bob', '', '', '', 0, '', 0, 0, "
        "0, 0)");
    SEND(race, 0, account_add, ACCOUNT(1), .name = VIEW("bob"));
    SEND(race, 1, account_add, ACCOUNT(2), .name = VIEW("bob"));
    wait_for_standing(race, 2);
    let_go(race);
    assert_one_wins(race, WIRE_CONFLICT_NAME);
}

static void the_same_account_is_added_once_by_two(void **state)
{
    struct race *race = *state;
    hold(
        race,
        "INSERT INTO accounts VALUES ('\\x09090909090909090909090909090909', 'bob', '', '', '', 0, '', 0, 0, "
        "0, 0)");
    SEND(race, 0, account_add, ACCOUNT(1), .name = VIEW("bob"));
    SEND(race, 1, account_add, ACCOUNT(1), .name = VIEW("bob"));
    wait_for_standing(race, 2);
    let_go(race);
    assert_int_equal(receive(race, 0), WIRE_STORE_OK);
    assert_int_equal(receive(race, 1), WIRE_STORE_OK);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM accounts"), 1);
}

static void there_is_one_first_account(void **state)
{
    struct race *race = *state;
    hold(race, HOLD_GUARD);
    SEND(race, 0, account_add, ACCOUNT(1), .name = VIEW("bob"), .first = 1);
    SEND(race, 1, account_add, ACCOUNT(2), .name = VIEW("carol"), .first = 1);
    wait_for_standing(race, 2);
    let_go(race);
    assert_one_wins(race, WIRE_CONFLICT_FIRST);
}

static void two_administrators_cant_remove_each_other(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    OK(&race->backend, account_add, ACCOUNT(2), .name = VIEW("bob"), .groups = VIEW("admins"));
    hold(race, HOLD_GUARD);
    SEND(race, 0, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_DISABLED, .disabled = 1,
         .keep_administrator = 1);
    SEND(race, 1, account_delete, .id = testing_id('a', 2), .keep_administrator = 1);
    wait_for_standing(race, 2);
    let_go(race);
    assert_one_wins(race, WIRE_CONFLICT_LAST_ADMINISTRATOR);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM accounts WHERE flags = 0"), 1);
}

static void one_of_two_password_changes_holds(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    hold(race, HOLD_ALICE);
    SEND(race, 0, account_password, SESSION(1, 1), .phc = VIEW("two"), .epoch = 1, .with_session = 1,
         .phc_before = VIEW("$argon2id$one"));
    SEND(race, 1, account_password, SESSION(1, 2), .phc = VIEW("three"), .epoch = 1, .with_session = 1,
         .phc_before = VIEW("$argon2id$one"));
    wait_for_standing(race, 2);
    let_go(race);
    assert_one_wins(race, WIRE_CONFLICT_PASSWORD);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM sessions"), 1);
}

static void the_same_password_change_twice_is_one(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    hold(race, HOLD_ALICE);
    for (size_t i = 0; i < 2; i++) {
        SEND(race, i, account_password, SESSION(1, 1), .phc = VIEW("two"), .epoch = 1, .with_session = 1,
             .phc_before = VIEW("$argon2id$one"));
    }
    wait_for_standing(race, 2);
    let_go(race);
    assert_int_equal(receive(race, 0), WIRE_STORE_OK);
    assert_int_equal(receive(race, 1), WIRE_STORE_OK);
    assert_true(testing_session_is_there(&race->backend, 1));
}

static void a_rehash_that_is_overtaken_loses(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    hold(race, HOLD_ALICE);
    SEND(race, 0, account_password, .account_id = testing_id('a', 1), .phc = VIEW("two"), .epoch = 1);
    wait_for_standing(race, 1);
    SEND(race, 1, account_rehash, .id = testing_id('a', 1), .phc_before = VIEW("$argon2id$one"),
         .phc = VIEW("stronger"));
    wait_for_standing(race, 2);
    let_go(race);
    assert_int_equal(receive(race, 0), WIRE_STORE_OK);
    assert_int_equal(receive(race, 1), WIRE_STORE_CONFLICT);
    assert_int_equal(conflict(race, 1), WIRE_CONFLICT_PASSWORD);
    assert_true(view_equal(testing_account(&race->backend, 1).phc, VIEW("two")));
}

// ---- sessions --------------------------------------------------------------------------------------------

static void the_same_grant_twice_is_one_session(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    hold(race, HOLD_ALICE);
    SEND(race, 0, session_grant, SESSION(1, 1));
    SEND(race, 1, session_grant, SESSION(1, 1));
    wait_for_standing(race, 2);
    let_go(race);
    assert_int_equal(receive(race, 0), WIRE_STORE_OK);
    assert_int_equal(receive(race, 1), WIRE_STORE_OK);
    assert_int_equal(testing_session_count(&race->backend, 1, 0), 1);
}

static void two_grants_with_one_selector_are_one(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    OK(&race->backend, account_add, ACCOUNT(2), .name = VIEW("bob"));
    hold(race, "SELECT 1 FROM accounts FOR UPDATE");
    SEND(race, 0, session_grant, SESSION(1, 1));
    SEND(race, 1, session_grant, SESSION(2, 1));
    wait_for_standing(race, 2);
    let_go(race);
    assert_one_wins(race, WIRE_CONFLICT_NONE);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM sessions"), 1);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM accounts WHERE last_login > 0"), 1);
}

static void both_orders(struct race *race, bool grant_first)
{
    if (grant_first) {
        SEND(race, 0, session_grant, SESSION(1, 1));
        wait_for_standing(race, 1);
    }
}

// An end of all that comes before leaves nothing to be granted, one that comes after ends what was.
static void a_grant_and_an_end_of_all_leave_no_session(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    for (uint32_t round = 0; round < 2; round++) {
        hold(race, HOLD_ALICE);
        both_orders(race, round == 0);
        SEND(race, 1, account_epoch, .id = testing_id('a', 1), .epoch = round + 1);
        wait_for_standing(race, round == 0 ? 2 : 1);
        if (round == 1) {
            SEND(race, 0, session_grant, SESSION(1, 1), .epoch = round);
            wait_for_standing(race, 2);
        }
        let_go(race);
        enum wire_store_outcome granted = receive(race, 0);
        assert_int_equal(receive(race, 1), WIRE_STORE_OK);
        assert_true(granted == WIRE_STORE_OK || conflict(race, 0) == WIRE_CONFLICT_EPOCH);
        assert_int_equal(number(race->holder, "SELECT count(*) FROM sessions"), 0);
    }
}

static void a_grant_and_a_disabling_leave_no_session(void **state)
{
    struct race *race = *state;
    for (uint32_t round = 0; round < 2; round++) {
        OK(&race->backend, account_add, ACCOUNT(round), .name = round == 0 ? VIEW("alice") : VIEW("bob"));
        hold(race, "SELECT 1 FROM accounts FOR UPDATE");
        for (size_t i = 0; i < 2; i++) {
            if (i == round) {
                SEND(race, 0, session_grant, SESSION(round, 1));
            } else {
                SEND(race, 1, account_set, .id = testing_id('a', round), .fields = WIRE_SET_DISABLED,
                     .disabled = 1);
            }
            wait_for_standing(race, (int)i + 1);
        }
        let_go(race);
        enum wire_store_outcome granted = receive(race, 0);
        assert_int_equal(receive(race, 1), WIRE_STORE_OK);
        assert_true(granted == WIRE_STORE_OK || conflict(race, 0) == WIRE_CONFLICT_DISABLED);
        assert_int_equal(number(race->holder, "SELECT count(*) FROM sessions"), 0);
    }
}

static void a_grant_and_a_deletion_leave_no_session(void **state)
{
    struct race *race = *state;
    for (uint32_t round = 0; round < 2; round++) {
        OK(&race->backend, account_add, ACCOUNT(round), .name = VIEW("alice"));
        hold(race, HOLD_ALICE);
        for (size_t i = 0; i < 2; i++) {
            if (i == round) {
                SEND(race, 0, session_grant, SESSION(round, 1));
            } else {
                SEND(race, 1, account_delete, .id = testing_id('a', round));
            }
            wait_for_standing(race, (int)i + 1);
        }
        let_go(race);
        enum wire_store_outcome granted = receive(race, 0);
        assert_int_equal(receive(race, 1), WIRE_STORE_OK);
        assert_true(granted == WIRE_STORE_OK || granted == WIRE_STORE_NOT_FOUND);
        assert_int_equal(number(race->holder, "SELECT count(*) FROM sessions"), 0);
    }
}

static void a_session_that_is_ended_while_seen_stays_ended(void **state)
{
    struct race *race = *state;
    struct bytes rows;
    testing_alice(&race->backend);
    OK(&race->backend, session_grant, SESSION(1, 1));
    bytes_init(&rows, 32768);
    wire_seen_row_append(&rows, &(struct wire_seen_row){testing_id('s', 1), 3000});
    hold(race, "SELECT 1 FROM sessions FOR UPDATE");
    SEND(race, 0, session_end, .selector = testing_id('s', 1));
    wait_for_standing(race, 1);
    SEND(race, 1, session_seen, .rows = bytes_view(&rows), .alive = 3000);
    wait_for_standing(race, 2);
    let_go(race);
    assert_int_equal(receive(race, 0), WIRE_STORE_OK);
    assert_int_equal(receive(race, 1), WIRE_STORE_OK);
    assert_false(testing_session_is_there(&race->backend, 1));
    bytes_release(&rows);
}

// It was idle when the walk looked; it is seen before the walk gets to delete it.
static void a_session_in_use_is_not_waited_for_by_the_walk(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    OK(&race->backend, session_grant, SESSION(1, 1));
    OK(&race->backend, session_grant, SESSION(1, 2));
    hold(race,
         "UPDATE sessions SET last_seen = 8000 WHERE selector = (SELECT min(selector::text)::bytea FROM "
         "sessions)");
    OK(&race->backend, expired_delete, .now = 3000, .idle_before = 3000, .limit = 100);
    execute(race->holder, "COMMIT");
    assert_int_equal(testing_session_count(&race->backend, 1, 0), 1);
    OK(&race->backend, expired_delete, .now = 3000, .idle_before = 3000, .limit = 100);
    assert_int_equal(testing_session_count(&race->backend, 1, 0), 1);
}

static void two_walks_do_not_wait_for_each_other(void **state)
{
    struct race *race = *state;
    testing_alice(&race->backend);
    OK(&race->backend, session_grant, SESSION(1, 1));
    hold(race, "SELECT 1 FROM meta WHERE name = 'swept' FOR UPDATE");
    OK(&race->backend, expired_delete, .now = 90000, .idle_before = 0, .limit = 100);
    assert_int_equal(testing_session_count(&race->backend, 1, 0), 1);
    let_go(race);
    OK(&race->backend, expired_delete, .now = 90000, .idle_before = 0, .limit = 100);
    assert_int_equal(testing_session_count(&race->backend, 1, 0), 0);
}

// ---- once, audit -----------------------------------------------------------------------------------------

static void a_code_that_is_put_twice_is_one(void **state)
{
    struct race *race = *state;
    hold(race, "INSERT INTO once SELECT 'x', decode(repeat('00', 32), 'hex'), '', 0");
    for (size_t i = 0; i < 2; i++) {
        SEND(race, i, once_put, .space = VIEW("x"), .hash = {{0}}, .payload = i == 0 ? VIEW("a") : VIEW("b"),
             .expires = 100 + i);
    }
    wait_for_standing(race, 2);
    let_go(race);
    assert_int_equal(receive(race, 0), WIRE_STORE_OK);
    assert_int_equal(receive(race, 1), WIRE_STORE_OK);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM once"), 1);
}

static void an_audit_row_that_comes_twice_at_once_is_one(void **state)
{
    struct race *race = *state;
    struct bytes rows;
    bytes_init(&rows, 32768);
    for (uint64_t i = 0; i < 3; i++) {
        wire_audit_row_append(&rows, &(struct wire_audit_row){.time = 100 + i / 2, .event = VIEW("login")});
    }
    hold(race,
         "INSERT INTO audit (time, trace, event, username, actor, source, outcome, detail) VALUES (100, 0, "
         "'login', '', '', decode(repeat('00', 16), 'hex'), '', '')");
    for (size_t i = 0; i < 2; i++) {
        SEND(race, i, audit_add, .rows = bytes_view(&rows));
    }
    wait_for_standing(race, 2);
    let_go(race);
    assert_int_equal(receive(race, 0), WIRE_STORE_OK);
    assert_int_equal(receive(race, 1), WIRE_STORE_OK);
    assert_int_equal(number(race->holder, "SELECT count(*) FROM audit"), 2);
    bytes_release(&rows);
}

// ---- all at once -----------------------------------------------------------------------------------------

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

// One of the operations that meet on few accounts and sessions.
static void send_any(struct race *race, size_t which, uint32_t *random, uint32_t epoch)
{
    uint32_t account = next_random(random) % 3, session = next_random(random) % 12;
    switch (next_random(random) % 8) {
    case 0:
        SEND(race, which, account_epoch, .id = testing_id('a', account), .epoch = epoch / 8,
             .has_keep = session % 2 == 0, .keep = testing_id('s', session));
        return;
    case 1:
        SEND(race, which, session_end, .selector = testing_id('s', session));
        return;
    case 2:
        SEND(race, which, account_set, .id = testing_id('a', account),
             .fields = WIRE_SET_DISABLED | WIRE_SET_GROUPS, .disabled = session % 3 == 0,
             .groups = session % 2 == 0 ? VIEW("admins") : VIEW(""), .keep_administrator = 1);
        return;
    case 3:
        SEND(race, which, account_delete, .id = testing_id('a', account), .keep_administrator = 1);
        return;
    case 4:
        SEND(race, which, account_add, ACCOUNT(account), .name = session % 2 ? VIEW("alice") : VIEW("bob"),
             .groups = VIEW("admins"));
        return;
    case 5:
        SEND(race, which, expired_delete, .now = session % 2 ? 9999 : 0, .idle_before = 0, .limit = 100);
        return;
    default:
        SEND(race, which, session_grant, SESSION(account, session), .epoch = epoch / 8,
             .has_replaced = session % 2 == 1, .replaced = testing_id('s', (session + 5) % 12));
    }
}

static void whatever_happens_at_once_the_rules_hold(void **state)
{
    struct race *race = *state;
    uint32_t random = 7;
    testing_alice(&race->backend);
    for (uint32_t round = 0; round < 400; round++) {
        for (size_t i = 0; i < PARTIES; i++) {
            send_any(race, i, &random, round);
        }
        for (size_t i = 0; i < PARTIES; i++) {
            assert_int_not_equal(receive(race, i), WIRE_STORE_UNAVAILABLE);
        }
        assert_int_equal(number(race->holder,
                                "SELECT count(*) FROM sessions AS s LEFT JOIN accounts AS a ON a.id "
                                "= s.account_id WHERE a.id IS NULL OR s.epoch < a.epoch"),
                         0);
        assert_true(number(race->holder, "SELECT count(*) FROM accounts WHERE flags & 1 = 0 AND groups LIKE "
                                         "'%admins%'") > 0);
    }
}

#define RACE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RACE(an_invitation_is_taken_by_one_of_two),
        RACE(a_name_is_given_to_one_of_two),
        RACE(the_same_account_is_added_once_by_two),
        RACE(there_is_one_first_account),
        RACE(two_administrators_cant_remove_each_other),
        RACE(one_of_two_password_changes_holds),
        RACE(the_same_password_change_twice_is_one),
        RACE(a_rehash_that_is_overtaken_loses),
        RACE(the_same_grant_twice_is_one_session),
        RACE(two_grants_with_one_selector_are_one),
        RACE(a_grant_and_an_end_of_all_leave_no_session),
        RACE(a_grant_and_a_disabling_leave_no_session),
        RACE(a_grant_and_a_deletion_leave_no_session),
        RACE(a_session_that_is_ended_while_seen_stays_ended),
        RACE(a_session_in_use_is_not_waited_for_by_the_walk),
        RACE(two_walks_do_not_wait_for_each_other),
        RACE(a_code_that_is_put_twice_is_one),
        RACE(an_audit_row_that_comes_twice_at_once_is_one),
        RACE(whatever_happens_at_once_the_rules_hold),
    };
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
