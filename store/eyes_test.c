// SPDX-License-Identifier: ISC
// What is worth an event, with time driven.
#include "store/eyes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define NAME  (eyes_operation(WIRE_MESSAGE_store_account_by_name))
#define GRANT (eyes_operation(WIRE_MESSAGE_store_session_grant))
#define CHECK (eyes_operation(WIRE_MESSAGE_store_session_by_selector))

struct heard {
    struct eyes eyes;
    struct eyes_look look;
    uint64_t now_ms;
    unsigned count[WIRE_EVENT_END];
    uint64_t a, b; // of the last
    char name[80], text[2048], more[1024];
};

static void copy(char *out, size_t size, struct view view)
{
    (void)snprintf(out, size, "%.*s", (int)view.size, view.size == 0 ? "" : (const char *)view.data);
}

static void hear(void *owner, const struct wire_event *event)
{
    struct heard *heard = owner;
    heard->count[event->kind]++;
    heard->a = event->a;
    heard->b = event->b;
    copy(heard->name, sizeof(heard->name), event->name);
    copy(heard->text, sizeof(heard->text), event->text);
    copy(heard->more, sizeof(heard->more), event->more);
}

static struct heard *fresh(void)
{
    static struct heard heard;
    heard = (struct heard){.now_ms = 10000, .look = {.network_us = 200}};
    eyes_init(&heard.eyes, hear, &heard);
    eyes_database(&heard.eyes, true, "", heard.now_ms);
    return &heard;
}

static void tick(struct heard *heard)
{
    heard->now_ms += EYES_TICK_MS;
    eyes_tick(&heard->eyes, &heard->look, heard->now_ms);
}

static void run(struct heard *heard, unsigned operation, unsigned times, uint64_t each_us)
{
    heard->look.operation[operation].runs += times;
    heard->look.operation[operation].run_us += times * each_us;
}

// So many seconds of three operations at their usual pace.
static void healthy(struct heard *heard, unsigned seconds)
{
    for (unsigned i = 0; i < seconds * 10; i++) {
        run(heard, NAME, 5, 900);
        run(heard, GRANT, 5, 1500);
        run(heard, CHECK, 20, 700);
        tick(heard);
    }
}

static struct eyes_plan good_plan(void)
{
    return (struct eyes_plan){
        .known = true, .holds = true, .text = "Index Scan using accounts_name on accounts"};
}

static struct eyes_plan bad_plan(void)
{
    return (struct eyes_plan){.known = true,
                              .text = "Seq Scan on accounts for (name = $1)",
                              .why = "there is no index accounts_name",
                              .remedy = "CREATE UNIQUE INDEX CONCURRENTLY accounts_name ON accounts (name);"};
}

static void answer_plans(struct heard *heard, struct eyes_plan plan)
{
    struct eyes_plan plans[EYES_OPERATIONS] = {0};
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        plans[i] = good_plan();
    }
    plans[NAME] = plan;
    eyes_take_plans(&heard->eyes, plans, heard->now_ms);
}

static void look_at_all(struct heard *heard)
{
    healthy(heard, 2);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), EYES_LOOK_EVERY);
    answer_plans(heard, good_plan());
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms + 1000), 0);
}

static void health_is_not_worth_a_word(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    for (unsigned minute = 0; minute < 5; minute++) {
        healthy(heard, 58);
        run(heard, GRANT, 1, 40000); // one that took long
        healthy(heard, 2);
        if (eyes_wants_plans(&heard->eyes, heard->now_ms) != 0) {
            answer_plans(heard, good_plan());
        }
    }
    for (unsigned kind = 0; kind < WIRE_EVENT_END; kind++) {
        assert_int_equal(heard->count[kind], 0);
    }
}

static void a_lost_index_is_named_within_a_second(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    look_at_all(heard);
    healthy(heard, 1);
    uint64_t onset_ms = heard->now_ms;
    heard->look.operation[NAME].running_us = 90000; // under way, far beyond what is usual
    run(heard, GRANT, 5, 1500);
    tick(heard);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), UINT32_C(1) << NAME);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms + 500), 0); // never two at once
    answer_plans(heard, bad_plan());
    assert_true(heard->now_ms - onset_ms <= 1000);
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_PLAN], 1);
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 1);
    assert_string_equal(heard->name, "account_by_name");
    assert_string_equal(heard->text,
                        "Seq Scan on accounts for (name = $1) (there is no index accounts_name)");
    assert_string_equal(heard->more, "CREATE UNIQUE INDEX CONCURRENTLY accounts_name ON accounts (name);");
    assert_int_equal(heard->a, 90000);
    assert_in_range(heard->b, 800, 1000);
    for (unsigned i = 0; i < 40; i++) { // it goes on
        heard->look.operation[NAME].running_us = 10000;
        run(heard, NAME, 1, 300000);
        run(heard, GRANT, 5, 1500);
        tick(heard);
    }
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 1); // not every tick
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_PLAN], 1);
    heard->look.operation[NAME].running_us = 0;
    healthy(heard, 3);
    assert_false(eyes_is_slow(&heard->eyes));
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 1);
}

static void slow(struct heard *heard, unsigned ticks, unsigned operation)
{
    for (unsigned i = 0; i < ticks; i++) {
        run(heard, NAME, 2, operation == NAME ? 60000 : 900);
        run(heard, GRANT, 2, operation == GRANT ? 60000 : 1500);
        run(heard, CHECK, 20, 700);
        tick(heard);
        if (eyes_wants_plans(&heard->eyes, heard->now_ms) != 0) {
            answer_plans(heard, good_plan());
        }
    }
}

static void with_a_good_plan_it_has_to_last(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    look_at_all(heard);
    slow(heard, 8, NAME);
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 0);
    slow(heard, 8, NAME);
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 1);
    assert_string_equal(heard->more, "");
    slow(heard, 60, NAME);
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 2);
}

static void what_waits_for_a_lock_is_not_slow_by_itself(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    look_at_all(heard);
    heard->look.waiting_lock = 1;
    slow(heard, 30, GRANT);
    heard->look.waiting_lock = 0;
    slow(heard, 8, GRANT); // what the lock held up is still among the latest
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 0);
    slow(heard, 20, GRANT);
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 1);
}

static void all_at_once_are_not_one_statements_matter(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    look_at_all(heard);
    for (unsigned i = 0; i < 30; i++) {
        run(heard, NAME, 2, 30000);
        run(heard, GRANT, 2, 50000);
        run(heard, CHECK, 20, 20000);
        tick(heard);
        if (eyes_wants_plans(&heard->eyes, heard->now_ms) != 0) {
            answer_plans(heard, good_plan());
        }
    }
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 0);
}

static void the_network_is_not_the_statement(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    look_at_all(heard);
    heard->look.network_us = 100200;
    for (unsigned i = 0; i < 30; i++) {
        run(heard, NAME, 2, 100900);
        tick(heard);
    }
    assert_false(eyes_is_slow(&heard->eyes));
}

static void one_never_seen_quick_is_judged_by_its_plan(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    for (unsigned i = 0; i < 5; i++) {
        run(heard, NAME, 1, 250000);
        tick(heard);
    }
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), UINT32_C(1) << NAME);
    answer_plans(heard, bad_plan());
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_SLOW], 1);
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_PLAN], 0); // nothing to compare it with
}

static void a_plan_that_went_bad_is_said_before_anyone_waits(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    look_at_all(heard);
    healthy(heard, 61);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), EYES_LOOK_EVERY);
    answer_plans(heard, bad_plan());
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_PLAN], 1);
    assert_string_equal(heard->text, "Index Scan using accounts_name on accounts");
    assert_string_equal(heard->more, "Seq Scan on accounts for (name = $1)");
    healthy(heard, 61);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), EYES_LOOK_EVERY);
    answer_plans(heard, bad_plan());
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_PLAN], 1);
}

static void plans_that_cannot_be_looked_at_are_asked_for_again(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    healthy(heard, 2);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), EYES_LOOK_EVERY);
    eyes_take_plans(&heard->eyes, NULL, heard->now_ms);
    healthy(heard, 9);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), 0);
    healthy(heard, 2);
    assert_int_equal(eyes_wants_plans(&heard->eyes, heard->now_ms), EYES_LOOK_EVERY);
}

// ---- locks -----------------------------------------------------------------------------------------------

static void a_lock_is_said_to_be_held_and_to_be_gone(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    struct eyes_blocker found = {
        .pid = 4711, .holder = "3/17", .relation = "accounts", .who = "psql of eve", .waited_ms = 60};
    eyes_take_lock(&heard->eyes, &found, false, 20000);
    assert_int_equal(heard->count[WIRE_EVENT_LOCK_HELD], 0); // many are
    found.waited_ms = 210;
    eyes_take_lock(&heard->eyes, &found, true, 20150);
    assert_int_equal(heard->count[WIRE_EVENT_LOCK_HELD], 1);
    assert_string_equal(heard->name, "accounts");
    assert_int_equal(heard->a, 210);
    assert_int_equal(heard->b, 4711);
    for (uint64_t now_ms = 20300; now_ms < 80000; now_ms += 150) { // nobody may be waiting just now
        eyes_take_lock(&heard->eyes, now_ms % 300 == 0 ? &found : NULL, true, now_ms);
    }
    assert_in_range(heard->count[WIRE_EVENT_LOCK_HELD], 14, 20);
    assert_int_equal(heard->count[WIRE_EVENT_LOCK_GONE], 0);
    eyes_take_lock(&heard->eyes, NULL, false, 80000);
    eyes_take_lock(&heard->eyes, NULL, false, 80150);
    assert_int_equal(heard->count[WIRE_EVENT_LOCK_GONE], 1);
    assert_string_equal(heard->name, "accounts");
}

static void a_short_lock_is_nothing(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    for (unsigned i = 0; i < 100; i++) { // each look finds another
        struct eyes_blocker found = {
            .pid = 100 + i, .holder = "3/1", .relation = "accounts", .waited_ms = 30};
        eyes_take_lock(&heard->eyes, &found, false, 20000 + i * 150);
    }
    eyes_take_lock(&heard->eyes, NULL, false, 40000);
    assert_int_equal(heard->count[WIRE_EVENT_LOCK_HELD], 0);
    assert_int_equal(heard->count[WIRE_EVENT_LOCK_GONE], 0);
}

// ---- the rest --------------------------------------------------------------------------------------------

static void the_database_goes_and_comes(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    eyes_database(&heard->eyes, false, "db1:5432: no answer within 1 s", 20000);
    eyes_database(&heard->eyes, false, "", 20010);
    assert_int_equal(heard->count[WIRE_EVENT_DATABASE_DOWN], 1);
    assert_string_equal(heard->text, "db1:5432: no answer within 1 s");
    assert_int_equal(eyes_wants_plans(&heard->eyes, 30000), 0);
    eyes_journal(&heard->eyes, 3);
    eyes_journal(&heard->eyes, 4);
    assert_int_equal(heard->count[WIRE_EVENT_JOURNAL], 1);
    eyes_database(&heard->eyes, true, "", 22500);
    assert_int_equal(heard->count[WIRE_EVENT_DATABASE_UP], 1);
    assert_int_equal(heard->a, 2500);
    eyes_journal(&heard->eyes, 1);
    eyes_journal(&heard->eyes, 0);
    eyes_journal(&heard->eyes, 2); // on their way
    assert_int_equal(heard->count[WIRE_EVENT_JOURNAL], 2);
}

static void a_start_without_a_database_is_said_after_a_while(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    eyes_init(&heard->eyes, hear, heard);
    eyes_database(&heard->eyes, false, "refused", 50000);
    eyes_database(&heard->eyes, false, "refused", 51000);
    assert_int_equal(heard->count[WIRE_EVENT_DATABASE_DOWN], 0);
    eyes_database(&heard->eyes, false, "refused", 52000);
    eyes_database(&heard->eyes, false, "refused", 52100);
    assert_int_equal(heard->count[WIRE_EVENT_DATABASE_DOWN], 1);
    eyes_database(&heard->eyes, true, "", 53000);
    assert_int_equal(heard->count[WIRE_EVENT_DATABASE_UP], 1);
    assert_int_equal(heard->a, 3000);
}

static void shares_cancellations_and_full_disks_are_said_now_and_then(void **state)
{
    (void)state;
    struct heard *heard = fresh();
    heard->look.operation[NAME].shrunk = true;
    heard->look.operation[NAME].share = 250;
    tick(heard);
    assert_int_equal(heard->count[WIRE_EVENT_SHARE_SHRUNK], 0);
    tick(heard);
    tick(heard);
    assert_int_equal(heard->count[WIRE_EVENT_SHARE_SHRUNK], 1);
    assert_int_equal(heard->a, 250);
    heard->look.operation[NAME].shrunk = false;
    healthy(heard, 1);
    assert_int_equal(heard->count[WIRE_EVENT_SHARE_RESTORED], 1);
    for (uint64_t ms = 0; ms < 3000; ms += 100) {
        eyes_cancelled(&heard->eyes, NAME, 2000, 20000 + ms);
        eyes_disk_full(&heard->eyes, "the database's disk", 20000 + ms);
    }
    assert_int_equal(heard->count[WIRE_EVENT_STATEMENT_CANCELLED], 3);
    assert_int_equal(heard->count[WIRE_EVENT_DISK_FULL], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_is_not_worth_a_word),
        cmocka_unit_test(a_lost_index_is_named_within_a_second),
        cmocka_unit_test(with_a_good_plan_it_has_to_last),
        cmocka_unit_test(what_waits_for_a_lock_is_not_slow_by_itself),
        cmocka_unit_test(all_at_once_are_not_one_statements_matter),
        cmocka_unit_test(the_network_is_not_the_statement),
        cmocka_unit_test(one_never_seen_quick_is_judged_by_its_plan),
        cmocka_unit_test(a_plan_that_went_bad_is_said_before_anyone_waits),
        cmocka_unit_test(plans_that_cannot_be_looked_at_are_asked_for_again),
        cmocka_unit_test(a_lock_is_said_to_be_held_and_to_be_gone),
        cmocka_unit_test(a_short_lock_is_nothing),
        cmocka_unit_test(the_database_goes_and_comes),
        cmocka_unit_test(a_start_without_a_database_is_said_after_a_while),
        cmocka_unit_test(shares_cancellations_and_full_disks_are_said_now_and_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
