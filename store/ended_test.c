// SPDX-License-Identifier: ISC
// What has ended, held against a store that did not hear of it: every answer must be the one of a store that
// did. The reference is store/memory.c.
#include "store/testing.h"

#include "store/ended.h"

#define ACCOUNTS 3u
#define SESSIONS 6u

// A store that knows the ends, one that does not, and the memory of ends.
struct pair {
    struct backend knows, lags;
    struct ended ended;
    uint64_t sequence;
};

static int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    backend_init(&pair->knows, true);
    backend_init(&pair->lags, true);
    ended_init(&pair->ended);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    backend_release(&pair->knows);
    backend_release(&pair->lags);
    ended_release(&pair->ended);
    free(pair);
    return 0;
}

static void fill(struct backend *backend)
{
    static const struct view names[ACCOUNTS] = {VIEW("alice"), VIEW("bob"), VIEW("carol")};
    for (uint32_t a = 0; a < ACCOUNTS; a++) {
        OK(backend, account_add, ACCOUNT(a), .name = names[a]);
    }
    for (uint32_t s = 0; s < SESSIONS; s++) {
        OK(backend, session_grant, SESSION(s % ACCOUNTS, s));
    }
}

static void end_session(struct pair *pair, uint32_t number)
{
    OK(&pair->knows, session_end, .selector = testing_id('s', number));
    assert_true(ended_add_session(&pair->ended, testing_id('s', number), ++pair->sequence));
}

static void end_account(struct pair *pair, uint32_t account, uint32_t epoch, bool has_keep, uint32_t keep)
{
    struct id16 kept = testing_id('s', keep);
    OK(&pair->knows, account_epoch, .id = testing_id('a', account), .epoch = epoch, .has_keep = has_keep,
       .keep = has_keep ? kept : (struct id16){{0}});
    assert_true(ended_add_account(&pair->ended, testing_id('a', account), epoch, has_keep ? &kept : NULL,
                                  ++pair->sequence));
}

// The lagging store's last answer, corrected, is the other one's.
static void agree(struct pair *pair, uint16_t number)
{
    struct ended_cursor cursor;
    struct store_answer *corrected = &pair->lags.answer, *expected = &pair->knows.answer;
    assert_int_equal(ended_apply(&pair->ended, store_operation_find(number), corrected, &cursor),
                     ENDED_ANSWER);
    assert_int_equal(corrected->outcome, expected->outcome);
    assert_int_equal(corrected->rows.size, expected->rows.size);
    if (expected->rows.size > 0) {
        assert_memory_equal(corrected->rows.data, expected->rows.data, expected->rows.size);
    }
}

#define AGREE(pair_, name_, ...)                                                                             \
    do {                                                                                                     \
        (void)ASK(&(pair_)->knows, name_, __VA_ARGS__);                                                      \
        (void)ASK(&(pair_)->lags, name_, __VA_ARGS__);                                                       \
        agree((pair_), WIRE_MESSAGE_store_##name_);                                                          \
    } while (0)

// All pages of the lagging store, corrected, are those of the other.
static void pages_agree(struct pair *pair, uint32_t limit)
{
    const struct store_operation *page = store_operation_find(WIRE_MESSAGE_store_session_page);
    struct ended_cursor at = {{{0}}, {{0}}};
    struct bytes all, expected;
    bytes_init(&all, 1u << 20);
    bytes_init(&expected, 1u << 20);
    OK(&pair->knows, session_page, .now = 3000, .limit = 500);
    struct wire_session_row session;
    struct wire_account_row account;
    struct view rest = bytes_view(&pair->knows.answer.rows);
    while (rest.size > 0) {
        if (!wire_account_row_next(&rest, &account)) {
            assert_true(wire_session_row_next(&rest, &session));
            assert_true(wire_session_row_append(&expected, &session));
        }
    }
    for (size_t pages = 0;; pages++) {
        assert_in_range(pages, 0, 100);
        OK(&pair->lags, session_page, .now = 3000, .limit = limit, .after_account = at.account,
           .after_selector = at.selector);
        if (ended_apply(&pair->ended, page, &pair->lags.answer, &at) == ENDED_AGAIN) {
            assert_int_equal(pair->lags.answer.rows.size, 0);
            continue;
        }
        rest = bytes_view(&pair->lags.answer.rows);
        if (rest.size == 0) {
            break;
        }
        bool after_account = false;
        uint32_t epoch = 0;
        while (rest.size > 0) {
            if (wire_account_row_next(&rest, &account)) {
                assert_false(after_account); // none without a session
                after_account = true;
                epoch = account.epoch;
                continue;
            }
            assert_true(wire_session_row_next(&rest, &session));
            assert_int_equal(session.epoch, epoch);
            after_account = false;
            at = (struct ended_cursor){session.account_id, session.selector};
            assert_true(wire_session_row_append(&all, &session));
        }
        assert_false(after_account);
    }
    assert_int_equal(all.size, expected.size);
    if (all.size > 0) {
        assert_memory_equal(all.data, expected.data, all.size);
    }
    bytes_release(&all);
    bytes_release(&expected);
}

static void all_agree(struct pair *pair)
{
    static const struct view names[ACCOUNTS] = {VIEW("alice"), VIEW("bob"), VIEW("carol")};
    for (uint32_t s = 0; s < SESSIONS; s++) {
        AGREE(pair, session_by_selector, .selector = testing_id('s', s));
        AGREE(pair, session_by_public_id, .public_id = testing_id('p', s));
    }
    for (uint32_t a = 0; a < ACCOUNTS; a++) {
        AGREE(pair, session_list, .account_id = testing_id('a', a), .now = 3000, .limit = 100);
        AGREE(pair, account_by_id, .id = testing_id('a', a));
        AGREE(pair, account_by_name, .name = names[a]);
    }
    AGREE(pair, account_list, .limit = 100);
    AGREE(pair, once_get, .space = VIEW("invite"), .hash = testing_hash(1));
    for (uint32_t limit = 1; limit < SESSIONS; limit++) {
        pages_agree(pair, limit);
    }
}

static void nothing_ended_changes_nothing(void **state)
{
    struct pair *pair = *state;
    fill(&pair->knows);
    fill(&pair->lags);
    all_agree(pair);
}

static void an_ended_session_is_not_found(void **state)
{
    struct pair *pair = *state;
    fill(&pair->knows);
    fill(&pair->lags);
    end_session(pair, 1);
    all_agree(pair);
    end_session(pair, 4);
    all_agree(pair); // bob has none left
    end_session(pair, 4);
    all_agree(pair);
}

static void all_sessions_of_an_account(void **state)
{
    struct pair *pair = *state;
    fill(&pair->knows);
    fill(&pair->lags);
    end_account(pair, 2, 1, false, 0);
    all_agree(pair);
    end_account(pair, 0, 5, true, 3);
    all_agree(pair);
    end_account(pair, 0, 6, true, 3); // kept twice
    all_agree(pair);
    end_account(pair, 0, 7, true, 0); // its turn would have been before: it has ended
    all_agree(pair);
    end_account(pair, 1, 1, true, 4);
    end_account(pair, 1, 2, false, 0);
    all_agree(pair);
    end_account(pair, 1, 3, true, 4);
    all_agree(pair);
}

// The database has heard of some of it, and granted since.
static void a_database_that_lags_less(void **state)
{
    struct pair *pair = *state;
    fill(&pair->knows);
    fill(&pair->lags);
    end_account(pair, 0, 5, true, 3);
    OK(&pair->lags, account_epoch, .id = testing_id('a', 0), .epoch = 5, .has_keep = true,
       .keep = testing_id('s', 3));
    OK(&pair->lags, session_grant, SESSION(0, 50), .epoch = 5);
    OK(&pair->knows, session_grant, SESSION(0, 50), .epoch = 5);
    all_agree(pair);
    AGREE(pair, session_by_selector, .selector = testing_id('s', 50));
    end_account(pair, 0, 6, true, 50);
    AGREE(pair, session_by_selector, .selector = testing_id('s', 50));
    end_account(pair, 0, 7, true, 3); // ended at 6
    AGREE(pair, session_by_selector, .selector = testing_id('s', 50));
    all_agree(pair);
}

// A whole page ended: the walk must not end with it.
static void an_emptied_page_goes_on(void **state)
{
    struct pair *pair = *state;
    fill(&pair->knows);
    fill(&pair->lags);
    end_account(pair, 0, 1, false, 0);
    end_account(pair, 1, 1, false, 0);
    all_agree(pair);
    end_account(pair, 2, 1, false, 0);
    all_agree(pair);
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33) % below;
}

// Ends and grants in any order, over a store that heard of a first part of the ends.
static void any_history(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct pair *pair;
        uint64_t random = seed;
        if (seed > 1) {
            assert_int_equal(teardown(state) + setup(state), 0);
        }
        pair = *state;
        fill(&pair->knows);
        fill(&pair->lags);
        uint32_t heard = draw(&random, 8), epochs[ACCOUNTS] = {0};
        for (uint32_t step = 0; step < 8; step++) {
            uint32_t account = draw(&random, ACCOUNTS), session = draw(&random, SESSIONS);
            if (draw(&random, 2) == 0) {
                end_session(pair, session);
                if (step < heard) {
                    OK(&pair->lags, session_end, .selector = testing_id('s', session));
                }
            } else {
                // Core keeps only a session of that account.
                bool has_keep = session % ACCOUNTS == account && draw(&random, 3) > 0;
                end_account(pair, account, ++epochs[account], has_keep, session);
                if (step < heard) {
                    OK(&pair->lags, account_epoch, .id = testing_id('a', account), .epoch = epochs[account],
                       .has_keep = has_keep, .keep = testing_id('s', session));
                }
            }
            all_agree(pair);
        }
    }
}

// Saying it all again to the store that lagged makes both the same, and saying it twice changes nothing.
static void forgetting(void **state)
{
    struct pair *pair = *state;
    uint32_t epoch;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(ended_add_session(&pair->ended, testing_id('s', i), 2 * i + 1));
        assert_true(ended_add_account(&pair->ended, testing_id('a', i), i + 1, NULL, 2 * i + 2));
    }
    assert_true(ended_add_account(&pair->ended, testing_id('a', 3), 4000, NULL, 2001));
    ended_forget(&pair->ended, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(ended_session(&pair->ended, testing_id('s', i)), 2 * i + 1 > 1000);
        assert_int_equal(ended_epoch(&pair->ended, testing_id('a', i), &epoch), 2 * i + 2 > 1000 || i == 3);
    }
    assert_true(ended_epoch(&pair->ended, testing_id('a', 3), &epoch));
    assert_int_equal(epoch, 4000);
    ended_forget(&pair->ended, 2001);
    assert_int_equal(pair->ended.sessions.count + pair->ended.accounts.count, 0);
    assert_false(ended_session(&pair->ended, testing_id('s', 1)));
}

static void rows_that_do_not_decode_are_not_handed_out(void **state)
{
    struct pair *pair = *state;
    struct ended_cursor cursor;
    fill(&pair->lags);
    assert_true(ended_add_session(&pair->ended, testing_id('s', 1), 1));
    OK(&pair->lags, session_by_selector, .selector = testing_id('s', 2));
    pair->lags.answer.rows.size -= 3;
    assert_int_equal(ended_apply(&pair->ended, store_operation_find(WIRE_MESSAGE_store_session_by_selector),
                                 &pair->lags.answer, &cursor),
                     ENDED_BROKEN);
    assert_int_equal(pair->lags.answer.outcome, WIRE_STORE_UNAVAILABLE);
    assert_int_equal(pair->lags.answer.rows.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_ended_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_ended_session_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(all_sessions_of_an_account, setup, teardown),
        cmocka_unit_test_setup_teardown(a_database_that_lags_less, setup, teardown),
        cmocka_unit_test_setup_teardown(an_emptied_page_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(any_history, setup, teardown),
        cmocka_unit_test_setup_teardown(forgetting, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_that_do_not_decode_are_not_handed_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
