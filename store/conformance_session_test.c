// SPDX-License-Identifier: ISC
// One suite for every backend, sessions, one-time things and audit: each operation, its guards, the same
// operation sent again, paging, bounds.
#include "store/testing.h"

static void a_granted_session_is_found_with_its_account(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    OK(b, session_grant, SESSION(1, 1));
    for (int by_public = 0; by_public < 2; by_public++) {
        if (by_public) {
            OK(b, session_by_public_id, .public_id = testing_id('p', 1));
        } else {
            OK(b, session_by_selector, .selector = testing_id('s', 1));
        }
        struct view rows = bytes_view(&b->answer.rows);
        struct wire_session_row session;
        struct wire_account_row account;
        assert_true(wire_session_row_next(&rows, &session));
        assert_true(wire_account_row_next(&rows, &account));
        assert_int_equal(rows.size, 0);
        assert_memory_equal(session.verifier_hash.byte, testing_id('v', 1).byte, 16);
        assert_memory_equal(session.account_id.byte, account.id.byte, 16);
        assert_int_equal(session.created, 2000);
        assert_int_equal(session.expires, 9000);
        assert_int_equal(session.level, 1);
        assert_true(view_equal(session.agent, VIEW("Firefox")));
        assert_int_equal(account.last_login, 2000);
    }
    MISSING(b, session_by_selector, .selector = testing_id('s', 2));
    MISSING(b, session_by_public_id, .public_id = testing_id('s', 1));
}

static void a_grant_ends_the_session_it_replaces(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, account_add, ACCOUNT(2), .name = VIEW("bob"));
    OK(b, session_grant, SESSION(2, 1));
    for (int again = 0; again < 2; again++) {
        OK(b, session_grant, SESSION(1, 2), .has_replaced = 1, .replaced = testing_id('s', 1));
    }
    assert_false(testing_session_is_there(b, 1));
    assert_true(testing_session_is_there(b, 2));
}

static void a_refused_grant_replaces_nothing(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    OK(b, session_grant, SESSION(1, 2));
    CONFLICT(b, WIRE_CONFLICT_EPOCH, session_grant, SESSION(1, 3), .epoch = 5, .has_replaced = 1,
             .replaced = testing_id('s', 1));
    CONFLICT(b, WIRE_CONFLICT_NONE, session_grant, .selector = testing_id('s', 9),
             .public_id = testing_id('p', 2), .account_id = testing_id('a', 1), .has_replaced = 1,
             .replaced = testing_id('s', 1));
    CONFLICT(b, WIRE_CONFLICT_NONE, session_grant, .selector = testing_id('s', 2),
             .public_id = testing_id('p', 3), .account_id = testing_id('a', 1), .has_replaced = 1,
             .replaced = testing_id('s', 1));
    assert_true(testing_session_is_there(b, 1));
    assert_true(testing_session_is_there(b, 2));
    assert_int_equal(testing_session_count(b, 1, 0), 2);
}

static void an_ended_session_is_gone_and_ends_again(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    OK(b, session_end, .selector = testing_id('s', 1));
    OK(b, session_end, .selector = testing_id('s', 1));
    OK(b, session_end, .selector = testing_id('s', 5));
    assert_false(testing_session_is_there(b, 1));
}

static void live_sessions_are_listed_newest_first(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    for (uint32_t i = 0; i < 5; i++) {
        OK(b, session_grant, .selector = testing_id('s', i), .public_id = testing_id('p', i),
           .account_id = testing_id('a', 1), .created = 100 + (i * 3) % 5, .expires = 500 + i);
    }
    assert_int_equal(testing_session_count(b, 1, 502), 2); // past its expiry at 502 already
    assert_int_equal(testing_session_count(b, 2, 0), 0);
    OK(b, session_list, .account_id = testing_id('a', 1), .now = 1, .limit = 3);
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_session_row row;
    uint64_t last = UINT64_MAX;
    size_t count = 0;
    while (wire_session_row_next(&rows, &row)) {
        assert_true(row.created < last);
        last = row.created;
        count++;
    }
    assert_int_equal(count, 3);
}

static void seen_never_moves_back(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    struct bytes rows;
    bytes_init(&rows, 32768);
    wire_seen_row_append(&rows, &(struct wire_seen_row){testing_id('s', 1), 3000});
    wire_seen_row_append(&rows, &(struct wire_seen_row){testing_id('s', 99), 3000});
    wire_seen_row_append(&rows, &(struct wire_seen_row){testing_id('s', 1), 2500});
    OK(b, session_seen, .rows = bytes_view(&rows), .alive = 3100);
    OK(b, session_seen, .alive = 3050);
    OK(b, session_by_selector, .selector = testing_id('s', 1));
    struct view found = bytes_view(&b->answer.rows);
    struct wire_session_row row;
    assert_true(wire_session_row_next(&found, &row));
    assert_int_equal(row.last_seen, 3000);
    uint64_t alive = b->memory.last_alive;
    bool empty = false;
    if (b->kind == BACKEND_SQLITE) {
        assert_int_equal(store_sqlite_state(b->sqlite, &empty, &alive), STORE_FINE);
    } else if (b->kind == BACKEND_POSTGRES) {
        PGresult *result = PQexecPrepared(b->postgres, "META_STATE", 0, NULL, NULL, NULL, 1);
        assert_true(postgres_state_take(result, &empty, &alive));
        PQclear(result);
    }
    assert_false(empty);
    assert_int_equal(alive, 3100);
    bytes_release(&rows);
}

static void malformed_rows_are_refused_before_the_first(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    struct bytes rows, packet;
    bytes_init(&rows, 32768);
    bytes_init(&packet, WIRE_PACKET_MAX);
    wire_seen_row_append(&rows, &(struct wire_seen_row){testing_id('s', 1), 3000});
    bytes_append_byte(&rows, 3);
    assert_true(wire_store_session_seen_encode(&packet,
                                               &(struct wire_store_session_seen){.rows = bytes_view(&rows)}));
    assert_false(backend_apply(b, bytes_view(&packet)));
    assert_false(backend_apply(b, view_first(bytes_view(&packet), 5)));
    OK(b, session_by_selector, .selector = testing_id('s', 1));
    struct view found = bytes_view(&b->answer.rows);
    struct wire_session_row row;
    assert_true(wire_session_row_next(&found, &row));
    assert_int_equal(row.last_seen, 2000);
    bytes_release(&rows);
    bytes_release(&packet);
}

static void fill(struct backend *b, uint32_t accounts, uint32_t each)
{
    for (uint32_t a = 0; a < accounts; a++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "u%u", a);
        OK(b, account_add, ACCOUNT(a), .name = view_of_cstr(name));
        for (uint32_t s = 0; s < each; s++) {
            OK(b, session_grant, SESSION(a, a * each + (s * 5) % each));
        }
    }
}

static void pages_go_through_all_live_sessions_once(void **state)
{
    struct backend *b = *state;
    fill(b, 7, 7);
    OK(b, account_set, .id = testing_id('a', 3), .fields = WIRE_SET_DISABLED, .disabled = 1);
    OK(b, account_add, ACCOUNT(8), .name = VIEW("none"));
    struct id16 account = {0}, selector = {0};
    size_t found = 0;
    for (uint32_t limit = 1;; limit = limit % 5 + 1) {
        OK(b, session_page, .after_account = account, .after_selector = selector, .now = 0, .limit = limit);
        struct view rows = bytes_view(&b->answer.rows);
        if (rows.size == 0) {
            break;
        }
        struct wire_account_row owner = {0};
        struct wire_session_row row;
        uint32_t count = 0;
        while (rows.size > 0) {
            if (wire_record_peek(rows) == WIRE_RECORD_account_row) {
                assert_true(wire_account_row_next(&rows, &owner));
                continue;
            }
            assert_true(wire_session_row_next(&rows, &row));
            assert_memory_equal(row.account_id.byte, owner.id.byte, 16);
            int order = memcmp(row.account_id.byte, account.byte, 16);
            assert_true(order > 0 || (order == 0 && memcmp(row.selector.byte, selector.byte, 16) > 0));
            account = row.account_id;
            selector = row.selector;
            count++;
        }
        assert_true(count >= 1 && count <= limit);
        found += count;
    }
    assert_int_equal(found, 6 * 7);
    OK(b, session_page, .now = 9000, .limit = 10); // all past their expiry
    assert_int_equal(b->answer.rows.size, 0);
}

static void expired_and_idle_sessions_are_deleted_in_small_steps(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    for (uint32_t i = 0; i < 60; i++) {
        OK(b, session_grant, .selector = testing_id('s', i), .public_id = testing_id('p', i),
           .account_id = testing_id('a', 1), .expires = i % 3 == 0 ? 100 : 900,
           .last_seen = i % 3 == 1 ? 10 : 50);
    }
    OK(b, once_put, .space = VIEW("x"), .hash = testing_hash(1), .expires = 100);
    OK(b, once_put, .space = VIEW("x"), .hash = testing_hash(2), .expires = 101);
    assert_int_equal(testing_session_count(b, 1, 100), 40); // not deleted, but not live
    OK(b, expired_delete, .now = 100, .idle_before = 50, .limit = 7);
    assert_int_equal(testing_session_count(b, 1, 0), 53);
    for (int i = 0; i < 20; i++) {
        OK(b, expired_delete, .now = 100, .idle_before = 50, .limit = 7);
    }
    assert_int_equal(testing_session_count(b, 1, 0), 20);
    MISSING(b, once_get, .space = VIEW("x"), .hash = testing_hash(1), .now = 0);
    OK(b, once_get, .space = VIEW("x"), .hash = testing_hash(2), .now = 0);
}

static void once_rows_have_spaces_and_an_expiry(void **state)
{
    struct backend *b = *state;
    OK(b, once_put, .space = VIEW("reset"), .hash = testing_hash(1), .payload = VIEW("for\0alice"),
       .expires = 100);
    MISSING(b, once_get, .space = VIEW("invite"), .hash = testing_hash(1), .now = 50);
    MISSING(b, once_get, .space = VIEW("reset"), .hash = testing_hash(1), .now = 100);
    OK(b, once_get, .space = VIEW("reset"), .hash = testing_hash(1), .now = 99);
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_once_row row;
    assert_true(wire_once_row_next(&rows, &row));
    assert_true(view_equal(row.payload, VIEW("for\0alice")));
    assert_int_equal(row.expires, 100);
    OK(b, once_put, .space = VIEW("reset"), .hash = testing_hash(1), .payload = VIEW(""), .expires = 200);
    OK(b, once_get, .space = VIEW("reset"), .hash = testing_hash(1), .now = 100);
}

static void audit(struct backend *b, uint64_t time, struct view event, struct view username)
{
    struct bytes rows;
    bytes_init(&rows, 32768);
    wire_audit_row_append(&rows, &(struct wire_audit_row){.time = time,
                                                          .trace = UINT64_MAX - time,
                                                          .event = event,
                                                          .username = username,
                                                          .outcome = VIEW("granted"),
                                                          .detail = VIEW("")});
    OK(b, audit_add, .rows = bytes_view(&rows));
    OK(b, audit_add, .rows = bytes_view(&rows)); // the same operation again
    bytes_release(&rows);
}

static size_t audited(struct backend *b, struct view username, struct view event, uint64_t since,
                      uint64_t before, uint32_t limit, uint64_t *last)
{
    OK(b, audit_list, .username = username, .event = event, .since = since, .before_id = before,
       .limit = limit);
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_audit_row row;
    size_t count = 0;
    uint64_t id = UINT64_MAX;
    while (wire_audit_row_next(&rows, &row)) {
        assert_true(row.id < id);
        assert_true(row.trace == UINT64_MAX - row.time);
        id = row.id;
        count++;
    }
    assert_int_equal(rows.size, 0);
    *last = id;
    return count;
}

static void the_audit_trail_is_listed_newest_first(void **state)
{
    struct backend *b = *state;
    uint64_t last;
    for (uint64_t i = 0; i < 30; i++) {
        audit(b, 100 + i, i % 2 == 0 ? VIEW("login") : VIEW("logout"),
              i % 3 == 0 ? VIEW("alice") : VIEW("bob"));
    }
    assert_int_equal(audited(b, VIEW(""), VIEW(""), 0, 0, 100, &last), 30);
    assert_int_equal(audited(b, VIEW(""), VIEW(""), 120, 0, 100, &last), 10);
    assert_int_equal(audited(b, VIEW("alice"), VIEW(""), 0, 0, 100, &last), 10);
    assert_int_equal(audited(b, VIEW(""), VIEW("login"), 0, 0, 100, &last), 15);
    assert_int_equal(audited(b, VIEW("alice"), VIEW("login"), 0, 0, 100, &last), 5);
    assert_int_equal(audited(b, VIEW("carol"), VIEW(""), 0, 0, 100, &last), 0);
    size_t found = 0;
    for (uint64_t before = 0; (found += audited(b, VIEW(""), VIEW(""), 0, before, 7, &last)) < 30;
         before = last) {
        assert_true(last != UINT64_MAX);
    }
    assert_int_equal(found, 30);
}

static void values_at_their_bounds_come_back(void **state)
{
    struct backend *b = *state;
    static char text[1024];
    memset(text, 'x', sizeof(text));
    struct id16 ones;
    memset(ones.byte, 0xff, sizeof(ones.byte));
    OK(b, account_add, .id = ones, .name = view_of(text, WIRE_USERNAME_MAX),
       .display_name = view_of(text, WIRE_DISPLAY_NAME_MAX), .email = view_of(text, WIRE_EMAIL_MAX),
       .groups = view_of(text, WIRE_GROUPS_MAX), .phc = view_of(text, WIRE_PHC_MAX));
    OK(b, account_epoch, .id = ones, .epoch = UINT32_MAX);
    OK(b, session_grant, .selector = ones, .verifier_hash = ones, .public_id = ones, .account_id = ones,
       .epoch = UINT32_MAX, .created = INT64_MAX, .expires = INT64_MAX, .last_seen = INT64_MAX, .level = 255,
       .address = ones, .agent = view_of(text, WIRE_AGENT_MAX));
    OK(b, session_by_selector, .selector = ones);
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_session_row session;
    struct wire_account_row account;
    assert_true(wire_session_row_next(&rows, &session));
    assert_true(wire_account_row_next(&rows, &account));
    assert_true(session.expires == INT64_MAX);
    assert_int_equal(session.level, 255);
    assert_true(session.epoch == UINT32_MAX);
    assert_int_equal(session.agent.size, WIRE_AGENT_MAX);
    assert_int_equal(account.groups.size, WIRE_GROUPS_MAX);
    OK(b, session_page, .limit = 1);
    assert_true(b->answer.rows.size > 0);
    OK(b, session_page, .after_account = ones, .after_selector = ones, .limit = 1);
    assert_int_equal(b->answer.rows.size, 0);
    OK(b, once_put, .space = view_of(text, 32), .hash = testing_hash(255), .payload = view_of(text, 1024),
       .expires = 1);
    OK(b, once_get, .space = view_of(text, 32), .hash = testing_hash(255), .now = 0);
}

#define SUITE(setup)                                                                                         \
    ON(setup, a_granted_session_is_found_with_its_account), ON(setup, a_grant_ends_the_session_it_replaces), \
        ON(setup, a_refused_grant_replaces_nothing), ON(setup, an_ended_session_is_gone_and_ends_again),     \
        ON(setup, live_sessions_are_listed_newest_first), ON(setup, seen_never_moves_back),                  \
        ON(setup, malformed_rows_are_refused_before_the_first),                                              \
        ON(setup, pages_go_through_all_live_sessions_once),                                                  \
        ON(setup, expired_and_idle_sessions_are_deleted_in_small_steps),                                     \
        ON(setup, once_rows_have_spaces_and_an_expiry), ON(setup, the_audit_trail_is_listed_newest_first),   \
        ON(setup, values_at_their_bounds_come_back)

int main(void)
{
    const struct CMUnitTest tests[] = {SUITE(testing_memory), SUITE(testing_sqlite),
                                       SUITE(testing_on_postgres)};
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
