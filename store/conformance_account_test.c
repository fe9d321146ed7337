// SPDX-License-Identifier: ISC
// One suite for every backend, accounts: each operation, its guards, the same operation sent again, paging,
// bounds.
#include "store/testing.h"

static void an_account_is_found_as_it_was_added(void **state)
{
    struct backend *b = *state;
    MISSING(b, account_by_name, .name = VIEW("alice"));
    testing_alice(b);
    struct wire_account_row row = testing_account(b, 1);
    assert_true(view_equal(row.name, VIEW("alice")));
    assert_true(view_equal(row.display_name, VIEW("Alice")));
    assert_true(view_equal(row.email, VIEW("alice@example.org")));
    assert_true(view_equal(row.groups, VIEW("staff,admins")));
    assert_true(view_equal(row.phc, VIEW("$argon2id$one")));
    assert_int_equal(row.created, 1000);
    assert_int_equal(row.password_changed, 1000);
    assert_int_equal(row.epoch, 0);
    assert_int_equal(row.flags, 0);
    assert_int_equal(row.last_login, 0);
    OK(b, account_by_name, .name = VIEW("alice"));
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_account_row found;
    assert_true(wire_account_row_next(&rows, &found));
    assert_memory_equal(found.id.byte, row.id.byte, sizeof(row.id.byte));
    assert_true(view_equal(found.name, VIEW("alice")));
    assert_true(view_equal(found.groups, VIEW("staff,admins")));
    assert_true(view_equal(found.phc, VIEW("$argon2id$one")));
    assert_int_equal(found.created, 0);
    assert_int_equal(found.last_login, 0);
    MISSING(b, account_by_name, .name = VIEW("Alice"));
    MISSING(b, account_by_id, .id = testing_id('a', 2));
}

static void adding_again_is_the_same_and_a_name_is_taken_once(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    testing_alice(b);
    CONFLICT(b, WIRE_CONFLICT_NAME, account_add, ACCOUNT(2), .name = VIEW("alice"));
    CONFLICT(b, WIRE_CONFLICT_NAME, account_add, ACCOUNT(1), .name = VIEW("bob"));
    MISSING(b, account_by_id, .id = testing_id('a', 2));
}

static void only_one_account_is_the_first(void **state)
{
    struct backend *b = *state;
    OK(b, account_add, ACCOUNT(1), .name = VIEW("alice"), .first = 1);
    OK(b, account_add, ACCOUNT(1), .name = VIEW("alice"), .first = 1);
    CONFLICT(b, WIRE_CONFLICT_FIRST, account_add, ACCOUNT(2), .name = VIEW("bob"), .first = 1);
}

static void an_invitation_is_taken_once_and_only_by_an_account_that_came_to_be(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, once_put, .space = VIEW("invite"), .hash = testing_hash(1), .payload = VIEW("staff"),
       .expires = 1500);
    CONFLICT(b, WIRE_CONFLICT_INVITE, account_add, ACCOUNT(2), .name = VIEW("bob"), .has_invite = 1,
             .invite_hash = testing_hash(2));
    CONFLICT(b, WIRE_CONFLICT_NAME, account_add, ACCOUNT(2), .name = VIEW("alice"), .has_invite = 1,
             .invite_hash = testing_hash(1));
    OK(b, once_get, .space = VIEW("invite"), .hash = testing_hash(1), .now = 1000);
    OK(b, account_add, ACCOUNT(2), .name = VIEW("bob"), .has_invite = 1, .invite_hash = testing_hash(1));
    OK(b, account_add, ACCOUNT(2), .name = VIEW("bob"), .has_invite = 1, .invite_hash = testing_hash(1));
    CONFLICT(b, WIRE_CONFLICT_INVITE, account_add, ACCOUNT(3), .name = VIEW("carol"), .has_invite = 1,
             .invite_hash = testing_hash(1));
    OK(b, once_put, .space = VIEW("invite"), .hash = testing_hash(3), .expires = 1000);
    CONFLICT(b, WIRE_CONFLICT_INVITE, account_add, ACCOUNT(3), .name = VIEW("carol"), .has_invite = 1,
             .invite_hash = testing_hash(3));
}

static void fields_are_set_one_by_one(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_EMAIL, .email = VIEW("a@b.c"),
       .email_verified = 1, .groups = VIEW("ignored"));
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_account_row row;
    assert_true(wire_account_row_next(&rows, &row));
    assert_true(view_equal(row.email, VIEW("a@b.c")));
    assert_true(view_equal(row.groups, VIEW("staff,admins")));
    assert_int_equal(row.flags, WIRE_ACCOUNT_EMAIL_VERIFIED);
    OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_DISPLAY_NAME | WIRE_SET_GROUPS,
       .display_name = VIEW("A"), .groups = VIEW(""));
    row = testing_account(b, 1);
    assert_true(view_equal(row.display_name, VIEW("A")));
    assert_int_equal(row.groups.size, 0);
    assert_int_equal(row.flags, WIRE_ACCOUNT_EMAIL_VERIFIED);
    OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_EMAIL, .email = VIEW("d@e.f"));
    assert_int_equal(testing_account(b, 1).flags, 0);
    MISSING(b, account_set, .id = testing_id('a', 9), .fields = WIRE_SET_EMAIL);
}

static void disabling_ends_all_sessions_and_refuses_new_ones(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    for (int again = 0; again < 2; again++) {
        OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_DISABLED, .disabled = 1);
        struct wire_account_row row = testing_account(b, 1);
        assert_int_equal(row.flags, WIRE_ACCOUNT_DISABLED_FLAG);
        assert_int_equal(row.epoch, 1);
    }
    assert_false(testing_session_is_there(b, 1));
    CONFLICT(b, WIRE_CONFLICT_DISABLED, session_grant, SESSION(1, 2), .epoch = 1);
    OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_DISABLED, .disabled = 0);
    assert_false(testing_session_is_there(b, 1));
    CONFLICT(b, WIRE_CONFLICT_EPOCH, session_grant, SESSION(1, 1));
    OK(b, session_grant, SESSION(1, 2), .epoch = 1);
    // Core says how high; the one of two that comes second raises too.
    for (uint32_t epoch = 5; epoch < 7; epoch++) {
        OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_DISABLED, .disabled = 1,
           .epoch = epoch);
        assert_int_equal(testing_account(b, 1).epoch, epoch);
        assert_false(testing_session_is_there(b, 2));
    }
}

static void the_last_administrator_can_be_kept(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    CONFLICT(b, WIRE_CONFLICT_LAST_ADMINISTRATOR, account_set, .id = testing_id('a', 1),
             .fields = WIRE_SET_GROUPS, .groups = VIEW("staff,admins2,xadmins"), .keep_administrator = 1);
    CONFLICT(b, WIRE_CONFLICT_LAST_ADMINISTRATOR, account_set, .id = testing_id('a', 1),
             .fields = WIRE_SET_DISABLED, .disabled = 1, .keep_administrator = 1);
    CONFLICT(b, WIRE_CONFLICT_LAST_ADMINISTRATOR, account_delete, .id = testing_id('a', 1),
             .keep_administrator = 1);
    OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_GROUPS, .groups = VIEW("admins"),
       .keep_administrator = 1);
    OK(b, account_add, ACCOUNT(2), .name = VIEW("bob"), .groups = VIEW("admins"),
       .flags = WIRE_ACCOUNT_DISABLED_FLAG);
    CONFLICT(b, WIRE_CONFLICT_LAST_ADMINISTRATOR, account_delete, .id = testing_id('a', 1),
             .keep_administrator = 1);
    OK(b, account_set, .id = testing_id('a', 2), .fields = WIRE_SET_DISABLED, .disabled = 0);
    OK(b, account_delete, .id = testing_id('a', 1), .keep_administrator = 1);
    OK(b, account_delete, .id = testing_id('a', 2));
}

static void a_password_change_ends_all_sessions_but_the_new_one(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    CONFLICT(b, WIRE_CONFLICT_PASSWORD, account_password, SESSION(1, 2), .phc = VIEW("two"), .epoch = 1,
             .phc_before = VIEW("zero"), .with_session = 1);
    CONFLICT(b, WIRE_CONFLICT_EPOCH, account_password, SESSION(1, 2), .phc = VIEW("two"), .epoch = 0,
             .phc_before = VIEW("$argon2id$one"), .with_session = 1);
    assert_true(testing_session_is_there(b, 1));
    for (int again = 0; again < 2; again++) {
        OK(b, account_password, SESSION(1, 2), .phc = VIEW("two"), .changed = 3000, .epoch = 1,
           .phc_before = VIEW("$argon2id$one"), .with_session = 1);
    }
    assert_false(testing_session_is_there(b, 1));
    assert_true(testing_session_is_there(b, 2));
    struct wire_account_row row = testing_account(b, 1);
    assert_true(view_equal(row.phc, VIEW("two")));
    assert_int_equal(row.password_changed, 3000);
    assert_int_equal(row.epoch, 1);
    // by an administrator: no guard, no session
    OK(b, account_password, .account_id = testing_id('a', 1), .phc = VIEW("three"), .changed = 4000,
       .epoch = 2);
    assert_int_equal(testing_session_count(b, 1, 0), 0);
    MISSING(b, account_password, .account_id = testing_id('a', 9), .phc = VIEW("three"), .epoch = 2);
    OK(b, account_set, .id = testing_id('a', 1), .fields = WIRE_SET_DISABLED, .disabled = 1);
    CONFLICT(b, WIRE_CONFLICT_DISABLED, account_password, SESSION(1, 3), .phc = VIEW("four"), .epoch = 9,
             .with_session = 1);
}

static void a_password_change_whose_session_is_anothers_changes_nothing(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, account_add, ACCOUNT(2), .name = VIEW("bob"));
    OK(b, session_grant, SESSION(2, 7));
    CONFLICT(b, WIRE_CONFLICT_NONE, account_password, SESSION(1, 7), .phc = VIEW("two"), .epoch = 1,
             .with_session = 1);
    assert_true(view_equal(testing_account(b, 1).phc, VIEW("$argon2id$one")));
    assert_int_equal(testing_session_count(b, 2, 0), 1);
}

static void a_rehash_needs_the_same_password(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    for (int again = 0; again < 2; again++) {
        OK(b, account_rehash, .id = testing_id('a', 1), .phc_before = VIEW("$argon2id$one"),
           .phc = VIEW("new"));
    }
    CONFLICT(b, WIRE_CONFLICT_PASSWORD, account_rehash, .id = testing_id('a', 1),
             .phc_before = VIEW("$argon2id$one"), .phc = VIEW("newer"));
    MISSING(b, account_rehash, .id = testing_id('a', 5), .phc_before = VIEW("x"), .phc = VIEW("y"));
    assert_int_equal(testing_account(b, 1).epoch, 0);
    assert_int_equal(testing_account(b, 1).password_changed, 1000);
}

static void a_deleted_account_takes_its_sessions_along(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    for (int again = 0; again < 2; again++) {
        OK(b, account_delete, .id = testing_id('a', 1));
    }
    assert_false(testing_session_is_there(b, 1));
    MISSING(b, session_grant, SESSION(1, 1));
    testing_alice(b);
    assert_int_equal(testing_session_count(b, 1, 0), 0);
}

static void accounts_are_listed_by_name_in_pages(void **state)
{
    struct backend *b = *state;
    for (uint32_t i = 0; i < 25; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "user%02u", 24 - i);
        OK(b, account_add, ACCOUNT(i), .name = view_of_cstr(name));
    }
    char after[WIRE_USERNAME_MAX + 1] = "";
    size_t found = 0;
    for (;;) {
        OK(b, account_list, .after = view_of_cstr(after), .limit = 10);
        struct view rows = bytes_view(&b->answer.rows);
        struct wire_account_row row;
        if (rows.size == 0) {
            break;
        }
        while (wire_account_row_next(&rows, &row)) {
            char expected[16];
            (void)snprintf(expected, sizeof(expected), "user%02zu", found++);
            assert_true(view_equal(row.name, view_of_cstr(expected)));
            assert_true(view_to_cstr(row.name, after, sizeof(after)));
        }
    }
    assert_int_equal(found, 25);
}

static size_t listed(struct backend *b, struct view query)
{
    OK(b, account_list, .query = query, .limit = 100);
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_account_row row;
    size_t count = 0;
    while (wire_account_row_next(&rows, &row)) {
        count++;
    }
    return count;
}

static void accounts_are_found_by_a_part_of_their_texts(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, account_add, .id = testing_id('a', 2), .name = VIEW("bob"), .display_name = VIEW("Zo\xc3\xab 100%"),
       .email = VIEW("b@x.org"));
    assert_int_equal(listed(b, VIEW("")), 2);
    assert_int_equal(listed(b, VIEW("LIC")), 1);
    assert_int_equal(listed(b, VIEW("example")), 1);
    assert_int_equal(listed(b, VIEW("\xc3\xab")), 1);
    assert_int_equal(listed(b, VIEW("0%")), 1);
    assert_int_equal(listed(b, VIEW("%")), 1); // a character, not a pattern
    assert_int_equal(listed(b, VIEW("_")), 0);
    assert_int_equal(listed(b, VIEW(".org")), 2);
}

static void a_full_page_is_shorter_not_lost(void **state)
{
    struct backend *b = *state;
    static char text[WIRE_GROUPS_MAX];
    memset(text, 'g', sizeof(text));
    for (uint32_t i = 0; i < 90; i++) {
        char name[WIRE_USERNAME_MAX + 1];
        (void)snprintf(name, sizeof(name), "%064u", i);
        OK(b, account_add, .id = testing_id('a', i), .name = view_of_cstr(name),
           .groups = view_of(text, sizeof(text)), .display_name = view_of(text, WIRE_DISPLAY_NAME_MAX),
           .email = view_of(text, WIRE_EMAIL_MAX), .phc = view_of(text, WIRE_PHC_MAX), .created = UINT32_MAX,
           .flags = UINT32_MAX);
    }
    char after[WIRE_USERNAME_MAX + 1] = "";
    size_t found = 0, pages = 0;
    for (;; pages++) {
        OK(b, account_list, .after = view_of_cstr(after), .limit = 100);
        struct view rows = bytes_view(&b->answer.rows);
        struct wire_account_row row;
        if (rows.size == 0) {
            break;
        }
        while (wire_account_row_next(&rows, &row)) {
            found++;
            assert_int_equal(row.groups.size, WIRE_GROUPS_MAX);
            assert_true(view_to_cstr(row.name, after, sizeof(after)));
        }
    }
    assert_int_equal(found, 90);
    assert_true(pages > 1);
}

static void an_epoch_ends_the_sessions_below_it(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, session_grant, SESSION(1, 1));
    OK(b, session_grant, SESSION(1, 2));
    OK(b, account_epoch, .id = testing_id('a', 1), .epoch = 3, .has_keep = 1, .keep = testing_id('s', 2));
    assert_false(testing_session_is_there(b, 1));
    assert_true(testing_session_is_there(b, 2));
    OK(b, session_grant, SESSION(1, 3), .epoch = 3);
    // again, and an older one that comes late: what was granted since stays
    OK(b, account_epoch, .id = testing_id('a', 1), .epoch = 3, .has_keep = 1, .keep = testing_id('s', 2));
    OK(b, account_epoch, .id = testing_id('a', 1), .epoch = 2);
    assert_int_equal(testing_account(b, 1).epoch, 3);
    assert_true(testing_session_is_there(b, 2));
    assert_true(testing_session_is_there(b, 3));
    CONFLICT(b, WIRE_CONFLICT_EPOCH, session_grant, SESSION(1, 4), .epoch = 2);
    OK(b, account_epoch, .id = testing_id('a', 1), .epoch = 4);
    assert_int_equal(testing_session_count(b, 1, 0), 0);
    MISSING(b, account_epoch, .id = testing_id('a', 2), .epoch = 4);
}

static void anothers_session_is_not_kept(void **state)
{
    struct backend *b = *state;
    testing_alice(b);
    OK(b, account_add, ACCOUNT(2), .name = VIEW("bob"));
    OK(b, session_grant, SESSION(2, 1));
    OK(b, account_epoch, .id = testing_id('a', 1), .epoch = 3, .has_keep = 1, .keep = testing_id('s', 1));
    OK(b, session_by_selector, .selector = testing_id('s', 1));
    struct view rows = bytes_view(&b->answer.rows);
    struct wire_session_row row;
    assert_true(wire_session_row_next(&rows, &row));
    assert_int_equal(row.epoch, 0);
}

#define SUITE(setup)                                                                                         \
    ON(setup, an_account_is_found_as_it_was_added),                                                          \
        ON(setup, adding_again_is_the_same_and_a_name_is_taken_once),                                        \
        ON(setup, only_one_account_is_the_first),                                                            \
        ON(setup, an_invitation_is_taken_once_and_only_by_an_account_that_came_to_be),                       \
        ON(setup, fields_are_set_one_by_one), ON(setup, disabling_ends_all_sessions_and_refuses_new_ones),   \
        ON(setup, the_last_administrator_can_be_kept),                                                       \
        ON(setup, a_password_change_ends_all_sessions_but_the_new_one),                                      \
        ON(setup, a_password_change_whose_session_is_anothers_changes_nothing),                              \
        ON(setup, a_rehash_needs_the_same_password), ON(setup, a_deleted_account_takes_its_sessions_along),  \
        ON(setup, accounts_are_listed_by_name_in_pages),                                                     \
        ON(setup, accounts_are_found_by_a_part_of_their_texts), ON(setup, a_full_page_is_shorter_not_lost),  \
        ON(setup, an_epoch_ends_the_sessions_below_it), ON(setup, anothers_session_is_not_kept)

int main(void)
{
    const struct CMUnitTest tests[] = {SUITE(testing_memory), SUITE(testing_sqlite),
                                       SUITE(testing_on_postgres)};
    return cmocka_run_group_tests(tests, testing_postgres_group, testing_postgres_group_end);
}
