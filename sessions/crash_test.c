// SPDX-License-Identifier: ISC
// A core that dies at any store. A hook before every store takes an image of both files; the image is opened
// in other memory, as the next core would, and compared with a model. Some openings are cut short in the same
// way.
//   - nobody's session answers with another's identity;
//   - what had ended, or is pending its end, is never valid;
//   - what was there and was not being changed is valid, or a miss when its account was being written;
//   - the tables are consistent.
#include "sessions/write.h"
#include "sessions/testing/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SESSIONS = 600, ACCOUNTS = 24, TABLE_MAX = 4096 };

enum modelled { ABSENT, LIVE, OVER };

static struct tables tables; // of the core that lives, and dies
static struct tables next;   // of the core after
static struct tables_image image;
static struct sessions_identity identity;

static struct model {
    enum modelled session[SESSIONS];
    uint64_t incarnation[SESSIONS]; // a selector is used once
    uint32_t session_epoch[SESSIONS];
    uint32_t epoch[ACCOUNTS];
    bool disabled[ACCOUNTS];
    uint32_t pending;
} model;

// When the image is taken: before the store that many stores from now.
struct crash {
    int64_t steps_left;
    bool taken;
};

static void step(void *context)
{
    struct crash *crash = context;
    if (crash->steps_left-- != 0)
        return;
    image_take(&tables, &image);
    crash->taken = true;
}

static uint64_t session_number(int session)
{
    return (uint64_t)session + model.incarnation[session] * SESSIONS;
}

static unsigned account_of(int session)
{
    return (unsigned)session % ACCOUNTS;
}

static bool model_valid(int session)
{
    unsigned account = account_of(session);
    return model.session[session] == LIVE && model.session_epoch[session] >= model.epoch[account] &&
           !model.disabled[account];
}

enum deed { INSERT, END, REMOVE, PUT, END_ALL, DISABLE, SWEEP, GROW };

struct change {
    enum deed deed;
    int session;
    unsigned account;
    uint32_t length;
};

static struct change change_draw(uint64_t *random)
{
    static const enum deed weighted[] = {INSERT, INSERT, INSERT, INSERT, INSERT,  INSERT, END,  REMOVE,
                                         REMOVE, PUT,    PUT,    PUT,    END_ALL, SWEEP,  GROW, DISABLE};
    struct change change = {
        .deed = weighted[random_next(random) % (sizeof weighted / sizeof weighted[0])],
        .session = (int)(random_next(random) % SESSIONS),
        .length = random_next(random) % 3 == 0 ? (uint32_t)(random_next(random) % 600) : 10,
    };
    change.account = account_of(change.session);
    if (change.deed == INSERT && model.session[change.session] == OVER) {
        model.incarnation[change.session]++;
        model.session[change.session] = ABSENT;
    }
    return change;
}

static void do_put(const struct change *change)
{
    struct account_made made;
    struct sessions_account_ref ref;
    account_make(&made, change->account, change->length, model.epoch[change->account]);
    enum sessions_account_put_result result = sessions_account_put(&tables.writer, &made.account, &ref);
    assert_int_equal(result, SESSIONS_ACCOUNT_STORED);
    model.disabled[change->account] = false;
}

static void do_insert(const struct change *change)
{
    struct id16 id = number_account(change->account);
    struct sessions_account_ref ref;
    if (!sessions_account_find(&tables.writer, &id, &ref)) {
        do_put(change);
        assert_true(sessions_account_find(&tables.writer, &id, &ref));
    }
    struct sessions_row row = row_make(session_number(change->session), &ref);
    if (model.session[change->session] == LIVE)
        row.epoch = model.session_epoch[change->session];
    enum sessions_inserted result = sessions_insert(&tables.writer, &row);
    if (result == SESSIONS_INSERTED || result == SESSIONS_PRESENT) {
        model.session[change->session] = LIVE;
        model.session_epoch[change->session] = row.epoch;
    } else {
        assert_int_equal(result, SESSIONS_INSERT_OVER);
    }
}

static void do_end(const struct change *change)
{
    struct sessions_pending end = {.kind = SESSIONS_PENDING_END};
    uint32_t place;
    number_selector(session_number(change->session), end.selector);
    assert_true(sessions_pending_add(&tables.writer, &end, &place));
    sessions_mark_ending(&tables.writer, end.selector);
    model.session[change->session] = OVER;
    if (change->length % 4 != 0)
        sessions_pending_remove(&tables.writer, place);
    model.pending = sessions_pending_count(&tables.writer);
}

static void do_remove(const struct change *change)
{
    uint8_t selector[16];
    number_selector(session_number(change->session), selector);
    if (sessions_remove(&tables.writer, selector))
        model.session[change->session] = OVER;
}

static void do_end_all(const struct change *change)
{
    struct sessions_pending all = {
        .kind = SESSIONS_PENDING_END_ALL,
        .account = number_account(change->account),
        .epoch = model.epoch[change->account] + 1,
    };
    uint32_t place;
    number_selector(session_number(change->session), all.selector);
    bool kept = model.session[change->session] == LIVE &&
                model.session_epoch[change->session] == model.epoch[change->account];
    assert_true(sessions_pending_add(&tables.writer, &all, &place));
    sessions_end_all(&tables.writer, &all.account, all.epoch, all.selector);
    sessions_pending_remove(&tables.writer, place);
    model.epoch[change->account]++;
    model.session_epoch[change->session] += kept;
}

static void do_disable(const struct change *change)
{
    struct id16 id = number_account(change->account);
    if (sessions_account_disable(&tables.writer, &id, model.epoch[change->account]))
        model.disabled[change->account] = true;
}

static void do_sweep(const struct change *change)
{
    (void)change;
    struct sessions_swept swept;
    sessions_sweep(&tables.writer, 40, 2000, &swept);
}

static void do_grow(const struct change *change)
{
    (void)change;
    table_grow(&tables.writer);
}

static void change_do(const struct change *change)
{
    static void (*const deeds[])(const struct change *) = {
        [INSERT] = do_insert,   [END] = do_end,         [REMOVE] = do_remove, [PUT] = do_put,
        [END_ALL] = do_end_all, [DISABLE] = do_disable, [SWEEP] = do_sweep,   [GROW] = do_grow,
    };
    deeds[change->deed](change);
}

// ---- the next core

static void session_verify(const struct tables *of, int session, const struct change *change)
{
    enum sessions_check check = tables_check(of, session_number(session), &identity);
    unsigned account = account_of(session);
    assert_true(identity.reason != SESSIONS_REASON_CONTENDED && identity.reason != SESSIONS_REASON_CORRUPT);
    if (check == SESSIONS_VALID)
        assert_true(identity_is(&identity, account));
    bool wide = change->deed == PUT || change->deed == END_ALL || change->deed == DISABLE;
    if (session == change->session || (wide && account == change->account))
        return;
    if (!model_valid(session))
        assert_int_not_equal(check, SESSIONS_VALID);
    else if (check != SESSIONS_MISS || account != change->account)
        assert_int_equal(check, SESSIONS_VALID);
}

static void pending_verify(const struct tables *of, const struct change *change)
{
    uint32_t count = sessions_pending_count(&of->writer);
    bool one_more = change->deed == END || change->deed == END_ALL;
    assert_in_range(count, model.pending, model.pending + one_more);
    struct sessions_pending pending;
    for (uint32_t place = 0; sessions_pending_next(&of->writer, &place, &pending); place++) {
        struct sessions_row row;
        if (pending.kind == SESSIONS_PENDING_END && sessions_find(&of->writer, pending.selector, &row))
            assert_int_equal(row.state, SESSION_ENDING);
    }
}

static void next_verify(const struct change *change)
{
    const char *wrong = sessions_verify(&next.writer);
    if (wrong != NULL)
        fail_msg("%s (deed %d)", wrong, (int)change->deed);
    pending_verify(&next, change);
    for (int session = 0; session < SESSIONS; session++)
        session_verify(&next, session, change);
}

// Opens the image; the opening dies too, before its n-th store, and is taken up by another.
struct reopening {
    int64_t steps_left;
    struct tables_image image;
};

static void reopening_step(void *context)
{
    struct reopening *reopening = context;
    if (reopening->steps_left-- == 0)
        image_take(&next, &reopening->image);
}

static void next_open(int64_t dies_before)
{
    static struct reopening reopening;
    image_put(&next, &image);
    reopening.steps_left = dies_before;
    assert_int_equal(tables_open(&next, reopening_step, &reopening), SESSIONS_OPENED_EXISTING);
    if (reopening.steps_left < 0) {
        image_put(&next, &reopening.image);
        assert_int_equal(tables_open(&next, NULL, NULL), SESSIONS_OPENED_EXISTING);
    }
}

// ---- the tests

static struct crash crash;

static int open_both(void **state)
{
    (void)state;
    model = (struct model){0};
    crash = (struct crash){.steps_left = -1};
    tables_init(&tables, TABLE_MAX);
    assert_int_equal(tables_open(&tables, step, &crash), SESSIONS_OPENED_NEW);
    tables_init(&next, TABLE_MAX);
    tables_allocate_all(&next);
    assert_int_equal(tables_open(&next, NULL, NULL), SESSIONS_OPENED_NEW);
    return 0;
}

static int close_both(void **state)
{
    (void)state;
    assert_null(sessions_verify(&tables.writer));
    tables_release(&tables);
    tables_release(&next);
    return 0;
}

// The core goes on after the image is taken; what was known before the change is what the next core is held
// to.
static void any_store_may_be_the_last(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 12000 / SLOW_DOWN; i++) {
        struct change change = change_draw(&random);
        struct model before = model;
        crash.steps_left = (int64_t)(random_next(&random) % (i % 3 == 0 ? 100 : 25));
        crash.taken = false;
        change_do(&change);
        if (!crash.taken)
            continue;
        struct model after = model;
        model = before;
        next_open((int64_t)(random_next(&random) % 200));
        next_verify(&change);
        model = after;
    }
}

// What the next core finds becomes what it goes on with.
static void model_follow(const struct change *change)
{
    model.pending = sessions_pending_count(&tables.writer);
    struct id16 id = number_account(change->account);
    struct sessions_account_ref ref;
    if (sessions_account_find(&tables.writer, &id, &ref)) {
        model.epoch[change->account] = ref.epoch;
        model.disabled[change->account] = (ref.flags & ACCOUNT_DISABLED) != 0;
    } else {
        model.disabled[change->account] = false;
    }
    struct sessions_row row;
    uint8_t selector[16];
    number_selector(session_number(change->session), selector);
    bool live = sessions_find(&tables.writer, selector, &row) && row.state == SESSION_LIVE;
    assert_true(!live || model.session[change->session] != OVER);
    model.session[change->session] = live ? LIVE : OVER;
    if (live)
        model.session_epoch[change->session] = row.epoch;
}

// An account that was lost comes back from the store with the next look-up, its sessions with it.
static void model_reload(unsigned account)
{
    for (int session = (int)account; session < SESSIONS; session += ACCOUNTS) {
        if (model_valid(session) &&
            tables_check(&tables, session_number(session), &identity) == SESSIONS_MISS)
            do_insert(&(struct change){INSERT, session, account, 10});
    }
}

static void core_after_core(void **state)
{
    (void)state;
    uint64_t random = 3;
    int cores = 0;
    for (int i = 0; i < 12000 / SLOW_DOWN; i++) {
        struct change change = change_draw(&random);
        struct model before = model;
        crash.steps_left = random_next(&random) % 4 == 0 ? (int64_t)(random_next(&random) % 60) : -1;
        crash.taken = false;
        change_do(&change);
        if (!crash.taken)
            continue;
        model = before;
        image_put(&tables, &image);
        crash.steps_left = -1;
        assert_int_equal(tables_open(&tables, step, &crash), SESSIONS_OPENED_EXISTING);
        assert_null(sessions_verify(&tables.writer));
        pending_verify(&tables, &change);
        model_follow(&change);
        model_reload(change.account);
        for (int session = 0; session < SESSIONS; session++)
            session_verify(&tables, session, &change);
        cores++;
    }
    print_message("%d cores died\n", cores);
}

// Every store of a table that grows: all fills, moves and splits are cut at each of their stores.
static void every_store_of_a_growing_table(void **state)
{
    (void)state;
    struct account_made made;
    struct sessions_account_ref ref;
    account_make(&made, 1, 100, 1);
    assert_int_equal(sessions_account_put(&tables.writer, &made.account, &ref), SESSIONS_ACCOUNT_STORED);
    for (uint64_t number = 0; number < 220; number++) {
        struct sessions_row row = row_make(number, &ref);
        struct tables_image start = {0};
        image_take(&tables, &start);
        crash.taken = true;
        for (int64_t last = (int64_t)number % SLOW_DOWN; crash.taken; last += SLOW_DOWN) {
            image_put(&tables, &start);
            assert_int_equal(tables_open(&tables, step, &crash), SESSIONS_OPENED_EXISTING);
            crash = (struct crash){.steps_left = last};
            assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERTED);
            crash.steps_left = crash.taken ? -1 : crash.steps_left;
            if (!crash.taken)
                break;
            next_open(last % 4);
            assert_null(sessions_verify(&next.writer));
            for (uint64_t i = 0; i < number; i++)
                assert_int_equal(tables_check(&next, i, &identity), SESSIONS_VALID);
        }
        crash.steps_left = -1;
        free(start.bytes);
    }
}

#define TABLES_TEST(name) cmocka_unit_test_setup_teardown(name, open_both, close_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TABLES_TEST(any_store_may_be_the_last),
        TABLES_TEST(core_after_core),
        TABLES_TEST(every_store_of_a_growing_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
