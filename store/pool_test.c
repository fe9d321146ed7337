// SPDX-License-Identifier: ISC
// The pool's decisions, with time and randomness driven.
#include "store/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static uint64_t now_ms;

static struct pool fresh(void)
{
    struct pool pool;
    pool_init(&pool, 4, 1, 4, 16);
    return pool;
}

static void run(struct pool *pool, uint32_t kind, uint64_t run_us, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        pool_started(pool, kind);
        pool_ended(pool, kind, POOL_IN_TIME, run_us, now_ms += 10);
    }
}

// As many at once as may, on one processor.
static void run_all(struct pool *pool, uint32_t kind, uint64_t run_us, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        uint32_t share = pool_share(pool, kind);
        now_ms += share * run_us / 1000;
        for (uint32_t j = 0; j < share; j++) {
            pool_started(pool, kind);
        }
        for (uint32_t j = 0; j < share; j++) {
            pool_ended(pool, kind, POOL_IN_TIME, share * run_us, now_ms);
        }
    }
}

static void connect_one(struct pool *pool)
{
    pool_connecting(pool);
    pool_connected(pool);
}

static void one_attempt_at_a_time_and_no_more_than_run(void **state)
{
    (void)state;
    struct pool pool = fresh();
    assert_true(pool_may_connect(&pool, 0, false)); // the least is kept open
    pool_connecting(&pool);
    assert_false(pool_may_connect(&pool, 0, true));
    pool_connected(&pool);
    assert_false(pool_may_connect(&pool, 0, false));
    assert_false(pool_may_connect(&pool, 0, true)); // it is idle
    for (uint32_t i = 1; i < 4; i++) {
        pool_started(&pool, 0);
        assert_true(pool_may_connect(&pool, 0, true));
        connect_one(&pool);
    }
    pool_started(&pool, 1);
    assert_false(pool_may_connect(&pool, 0, true)); // as many as the limit
    assert_int_equal(pool.open, 4);
}

static void no_kind_takes_all_and_a_slow_one_takes_one(void **state)
{
    (void)state;
    struct pool pool = fresh();
    assert_int_equal(pool_share(&pool, 0), 3);
    run(&pool, 0, 800, 50);
    run(&pool, 0, 150000, 3); // its index is gone
    assert_true(pool.kind[0].slow);
    assert_in_range(pool_share(&pool, 0), 1, 2);
    assert_int_equal(pool_share(&pool, 1), 3);   // the others are as they were
    run_all(&pool, 0, 150000, 400);              // a minute of it
    assert_in_range(pool_share(&pool, 0), 1, 2); // two, while it is tried whether that helps
    assert_int_equal(pool.kind[0].climb.proven, 1);
    run(&pool, 0, 800, 30); // it is back
    assert_int_equal(pool_share(&pool, 0), 3);
}

static void what_is_overdue_holds_its_kind_back_and_not_the_others(void **state)
{
    (void)state;
    struct pool pool = fresh();
    for (uint32_t i = 0; i < 4; i++) {
        connect_one(&pool);
    }
    assert_int_equal(pool_patience(&pool, 2, 2000, 0).overdue_us, 18000); // 8 × 1 ms + 10 ms
    for (uint32_t i = 0; i < 3; i++) {
        pool_started(&pool, 2);
    }
    pool_became(&pool, 2, POOL_OVERDUE);
    assert_int_equal(pool_share(&pool, 2), 1);
    assert_int_equal(pool_waiting_max(&pool, 2), POOL_WAITING_MAX); // it may still be a hiccup
    pool_started(&pool, 1);
    assert_true(pool_may_connect(&pool, 0, true)); // a connection beyond the limit stands in
    pool_ended(&pool, 2, POOL_OVERDUE, 0, 0);
    assert_int_equal(pool.overdue, 0);
    assert_int_equal(pool_share(&pool, 2), 3);
}

static void nobody_waits_behind_what_is_stalled(void **state)
{
    (void)state;
    struct pool pool = fresh();
    pool.kind[3].finishes = true;
    assert_int_equal(pool_patience(&pool, 2, 2000, 0).stalled_us, POOL_STALL_MS * 1000);
    assert_int_equal(pool_patience(&pool, 3, 2000, 0).stalled_us, 2000000); // its deadline
    pool_started(&pool, 2);
    pool_became(&pool, 2, POOL_OVERDUE);
    pool_became(&pool, 2, POOL_STALLED);
    assert_int_equal(pool_waiting_max(&pool, 2), 0);
    assert_int_equal(pool_waiting_max(&pool, 1), POOL_WAITING_MAX);
    pool_ended(&pool, 2, POOL_STALLED, 0, 0);
    assert_int_equal(pool_waiting_max(&pool, 2), POOL_WAITING_MAX);
    for (int i = 0; i < 20; i++) {
        pool_answered(&pool, 2, 100000);
    }
    assert_in_range(pool_patience(&pool, 2, 2000, 0).stalled_us, 270000, 300000); // it takes its time
}

static void for_a_slow_kind_a_few_wait_who_will_be_served(void **state)
{
    (void)state;
    struct pool pool = fresh();
    assert_int_equal(pool_takes_us(&pool, 0), 0);
    run(&pool, 0, 15000, 40);
    assert_true(pool.kind[0].slow);
    assert_int_equal(pool_waiting_max(&pool, 0), POOL_WAITING_MAX); // their age tells what waits too long
    run(&pool, 0, 100000, 40);                                      // its index is gone
    assert_int_equal(pool_waiting_max(&pool, 0), 4);                // in 0.4 s, one after the other
    assert_in_range(pool_takes_us(&pool, 0), 95000, 100000);
    run(&pool, 0, 1500000, 40);
    assert_int_equal(pool_waiting_max(&pool, 0), 1); // always one, or the place would idle
    pool.kind[0].finishes = true;
    assert_int_equal(pool_waiting_max(&pool, 0), POOL_WAITING_MAX); // their hashes are not to be thrown away
    pool.kind[0].finishes = false;
    run(&pool, 0, 900, 60); // it is back
    assert_int_equal(pool_waiting_max(&pool, 0), POOL_WAITING_MAX);
}

static void the_limit_falls_when_everything_slows_down_and_rises_again(void **state)
{
    (void)state;
    struct pool pool = fresh();
    run(&pool, 0, 1000, 100);
    uint32_t before = pool_limit(&pool);
    for (unsigned i = 0; i < 300; i++) { // three at work: four times as slow, but not above what is "slow"
        pool_started(&pool, 0);
        pool_started(&pool, 1);
        pool_started(&pool, 2);
        pool_ended(&pool, 0, POOL_IN_TIME, 5500, now_ms += 1);
        pool_ended(&pool, 1, POOL_IN_TIME, 5500, now_ms += 1);
        pool_ended(&pool, 2, POOL_IN_TIME, 5500, now_ms += 1);
    }
    uint32_t low = pool_limit(&pool);
    assert_true(low < before);
    for (unsigned i = 0; i < 600; i++) {
        for (uint32_t k = 0; k < 4; k++) {
            pool_started(&pool, k);
            pool_started(&pool, k);
        }
        for (uint32_t k = 0; k < 4; k++) {
            pool_ended(&pool, k, POOL_IN_TIME, 900, now_ms += 1);
            pool_ended(&pool, k, POOL_IN_TIME, 900, now_ms += 1);
        }
    }
    assert_true(pool_limit(&pool) > low);
    assert_true(pool_limit(&pool) <= pool.limit_max);
}

static void a_limit_that_is_not_used_stays(void **state)
{
    (void)state;
    struct pool pool = fresh();
    run(&pool, 0, 1000, 1000); // one at a time
    assert_int_equal(pool_limit(&pool), 4);
}

static void three_failures_open_the_breaker_and_one_probe_closes_it(void **state)
{
    (void)state;
    struct pool pool = fresh();
    pool_failed(&pool, 100, 0);
    pool_failed(&pool, 200, 0);
    assert_true(pool_is_up(&pool));
    pool_worked(&pool); // in a row only
    pool_failed(&pool, 300, 0);
    for (unsigned i = 0; i < 10; i++) {
        pool_failed(&pool, 400, 0); // ten connections that end together are one failure
    }
    assert_true(pool_is_up(&pool));
    pool_failed(&pool, 1000, UINT32_MAX);
    assert_false(pool_is_up(&pool));
    assert_false(pool_may_connect(&pool, 1000, true));
    assert_false(pool_may_probe(&pool, 1000));
    assert_true(pool_may_probe(&pool, 1000 + POOL_BACKOFF_MIN_MS));
    assert_false(pool_may_probe(&pool, 9000)); // one
    pool_connecting(&pool);
    pool_connect_failed(&pool, 1100, UINT32_MAX);
    assert_false(pool_may_probe(&pool, 1100 + 2 * POOL_BACKOFF_MIN_MS - 1));
    assert_true(pool_may_probe(&pool, 1100 + 2 * POOL_BACKOFF_MIN_MS));
    pool_worked(&pool);
    assert_true(pool_is_up(&pool));
    assert_true(pool_may_connect(&pool, 1200, false)); // at once
}

static void the_backoff_is_jittered_and_bounded(void **state)
{
    (void)state;
    struct pool pool = fresh();
    pool_trip(&pool, 0, 0);
    for (unsigned i = 0; i < 40; i++) {
        assert_true(pool_may_probe(&pool, pool.connect_at_ms));
        pool_connecting(&pool);
        pool_connect_failed(&pool, 1000, UINT32_MAX);
        assert_true(pool.connect_at_ms <= 1001 + POOL_BACKOFF_MAX_MS);
    }
    assert_true(pool.connect_at_ms >= 1000 + POOL_BACKOFF_MAX_MS - 1);
    assert_true(pool_may_probe(&pool, pool.connect_at_ms));
    pool_connecting(&pool);
    pool_connect_failed(&pool, 1000, 0);
    assert_int_equal(pool.connect_at_ms, 1001); // full jitter: from nothing on
}

static void a_server_without_room_is_no_failure(void **state)
{
    (void)state;
    struct pool pool = fresh();
    connect_one(&pool);
    connect_one(&pool);
    pool_started(&pool, 0);
    pool_started(&pool, 1);
    assert_true(pool_may_connect(&pool, 0, true));
    pool_connecting(&pool);
    pool_crowded(&pool, 0);
    assert_true(pool_is_up(&pool));
    assert_false(pool_may_connect(&pool, POOL_CROWDED_MS - 1, true));
    assert_true(pool_may_connect(&pool, POOL_CROWDED_MS, true));
}

static uint32_t patience_ms(struct pool *pool, uint32_t kind, uint32_t deadline_ms, uint64_t at_ms)
{
    struct pool_patience patience = pool_patience(pool, kind, deadline_ms, at_ms);
    assert_true(patience.statement_ms == (pool->kind[kind].reads ? deadline_ms : patience.asker_ms));
    return patience.asker_ms;
}

static void who_writes_what_is_stuck_is_told_soon(void **state)
{
    (void)state;
    struct pool pool = fresh();
    pool_answered(&pool, 0, 800);
    assert_int_equal(patience_ms(&pool, 0, 2000, 0), 2000);
    pool_gave_up(&pool, 0, 1000); // a lock
    uint32_t tried = 0, whole = 0;
    for (uint64_t at = 1000; at < 31000; at += 100) {
        uint32_t patience = patience_ms(&pool, 0, 2000, at);
        assert_true(patience == POOL_TRIAL_MS || patience == 2000);
        whole += patience == 2000;
        tried++;
        pool_gave_up(&pool, 0, at);
    }
    assert_true(whole >= 2 && whole * 100 <= tried);
    assert_int_equal(patience_ms(&pool, 1, 2000, 31000), 2000); // the others don't know
    pool_answered(&pool, 0, 900);
    assert_int_equal(patience_ms(&pool, 0, 2000, 31001), 2000);
}

static void what_reads_is_tried_without_its_asker(void **state)
{
    (void)state;
    struct pool pool = fresh();
    pool.kind[0].reads = true;
    pool_gave_up(&pool, 0, 1000); // a lock
    assert_int_equal(pool_waiting_max(&pool, 0), 0);
    for (uint64_t at = 1000; at < 31000; at += 1900) {
        assert_int_equal(patience_ms(&pool, 0, 2000, at), POOL_TRIAL_MS); // nobody waits longer
        pool_gave_up(&pool, 0, at + 2000);
    }
    pool_answered(&pool, 0, 1500000); // the lock is gone
    assert_int_equal(patience_ms(&pool, 0, 2000, 31001), 2000);
    assert_int_equal(pool_waiting_max(&pool, 0), POOL_WAITING_MAX);
}

static void what_is_slow_and_not_stuck_gets_its_time(void **state)
{
    (void)state;
    struct pool pool = fresh();
    for (int i = 0; i < 20; i++) {
        pool_answered(&pool, 0, 300000); // its index is gone
    }
    pool_gave_up(&pool, 0, 1000);
    uint32_t patience = patience_ms(&pool, 0, 2000, 1001);
    assert_true(patience >= 800 && patience <= 900);
    assert_int_equal(patience_ms(&pool, 0, 500, 1001), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_attempt_at_a_time_and_no_more_than_run),
        cmocka_unit_test(no_kind_takes_all_and_a_slow_one_takes_one),
        cmocka_unit_test(what_is_overdue_holds_its_kind_back_and_not_the_others),
        cmocka_unit_test(the_limit_falls_when_everything_slows_down_and_rises_again),
        cmocka_unit_test(a_limit_that_is_not_used_stays),
        cmocka_unit_test(three_failures_open_the_breaker_and_one_probe_closes_it),
        cmocka_unit_test(the_backoff_is_jittered_and_bounded),
        cmocka_unit_test(a_server_without_room_is_no_failure),
        cmocka_unit_test(nobody_waits_behind_what_is_stalled),
        cmocka_unit_test(for_a_slow_kind_a_few_wait_who_will_be_served),
        cmocka_unit_test(who_writes_what_is_stuck_is_told_soon),
        cmocka_unit_test(what_reads_is_tried_without_its_asker),
        cmocka_unit_test(what_is_slow_and_not_stuck_gets_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
