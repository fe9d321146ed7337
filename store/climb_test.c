// SPDX-License-Identifier: ISC
// The climb, against databases of so many processors, near and far.
#include "store/climb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <cmocka.h>

struct database {
    double processors;
    double work_ms;    // of one statement, on a processor
    double crowded_ms; // more for each beyond the processors
    double way_ms;
    struct climb climb;
    uint32_t most;
    double now_ms;
    double left_ms[16], began_ms[16];
    uint32_t running;
    double done, beyond_ms; // statements; time with more at work than `processors`
};

static void fill(struct database *database)
{
    while (database->running < climb_level(&database->climb)) {
        database->left_ms[database->running] = database->work_ms;
        database->began_ms[database->running++] = database->now_ms;
    }
}

// All who may are at work: processors shared, the way with nobody.
static void turn(struct database *database)
{
    const double step_ms = 1;
    fill(database);
    double share = database->running > database->processors ? database->processors / database->running : 1;
    double beyond = database->running > database->processors ? database->running - database->processors : 0;
    share *= database->work_ms / (database->work_ms + beyond * database->crowded_ms);
    database->now_ms += step_ms;
    database->beyond_ms += database->running > database->processors ? step_ms : 0;
    for (uint32_t i = 0; i < database->running; i++) {
        database->left_ms[i] -= step_ms * share;
        if (database->left_ms[i] > -database->way_ms * share) {
            continue;
        }
        bool all = database->running >= climb_level(&database->climb);
        double took_ms = database->now_ms - database->began_ms[i];
        database->running--;
        database->left_ms[i] = database->left_ms[database->running];
        database->began_ms[i] = database->began_ms[database->running];
        database->done++;
        if (all) {
            climb_take(&database->climb, (uint64_t)(took_ms * 1000), database->most,
                       (uint64_t)database->now_ms);
        }
        i--;
        fill(database);
    }
}

static void pass(struct database *database, double seconds)
{
    double end_ms = database->now_ms + seconds * 1000;
    database->done = database->beyond_ms = 0;
    while (database->now_ms < end_ms) {
        turn(database);
    }
}

static void on_one_processor_it_stays_one(void **state)
{
    (void)state;
    struct database database = {.processors = 1, .work_ms = 110, .most = 6, .now_ms = 5000};
    pass(&database, 60);
    assert_in_range((uint64_t)database.done, 530, 556);
    assert_in_range((uint64_t)database.beyond_ms, 0, 8000); // of the tries
    pass(&database, 240);
    assert_in_range((uint64_t)database.beyond_ms, 0, 9000);
}

static void two_processors_are_used_soon(void **state)
{
    (void)state;
    struct database database = {.processors = 2, .work_ms = 90, .most = 6, .now_ms = 5000};
    pass(&database, 1.2);
    assert_in_range(climb_level(&database.climb), 2, 3);
    pass(&database, 60);
    assert_in_range((uint64_t)database.done, 1290, 1360);
}

static void a_try_at_a_busy_moment_is_made_again_soon(void **state)
{
    (void)state;
    struct database database = {.processors = 1, .work_ms = 90, .most = 6, .now_ms = 5000};
    pass(&database, 1.5); // one of the two has other work
    assert_int_equal(climb_level(&database.climb), 1);
    database.processors = 2;
    pass(&database, 2.5);
    assert_in_range(climb_level(&database.climb), 2, 3);
}

// Processors that were free are taken by others: what was worth while is so no longer.
static void a_level_that_is_not_worth_while_is_left(void **state)
{
    (void)state;
    struct database database = {.processors = 4, .work_ms = 90, .crowded_ms = 12, .most = 6, .now_ms = 5000};
    pass(&database, 4);
    assert_in_range(climb_level(&database.climb), 4, 5);
    database.processors = 2.4;
    pass(&database, 8);
    assert_in_range(climb_proven(&database.climb), 2, 3);
}

static void eight_processors_are_used(void **state)
{
    (void)state;
    struct database database = {.processors = 8, .work_ms = 90, .most = 12, .now_ms = 5000};
    pass(&database, 30);
    assert_in_range(climb_level(&database.climb), 5, 10); // the last ones add less than a fifth each
    database.most = 3;
    pass(&database, 1);
    assert_int_equal(climb_level(&database.climb), 3);
    pass(&database, 20);
    assert_int_equal(climb_level(&database.climb), 3);
}

static void over_a_long_way_all_may_go(void **state)
{
    (void)state;
    struct database database = {.processors = 1, .work_ms = 1, .way_ms = 60, .most = 5, .now_ms = 5000};
    pass(&database, 10);
    assert_int_equal(climb_level(&database.climb), 5);
}

static void another_fault_begins_anew(void **state)
{
    (void)state;
    struct database database = {.processors = 1, .work_ms = 1, .way_ms = 60, .most = 5, .now_ms = 5000};
    pass(&database, 10);
    database.work_ms = 300;
    pass(&database, 15);
    assert_in_range(climb_level(&database.climb), 1, 2);
    climb_leave(&database.climb);
    assert_int_equal(climb_level(&database.climb), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_one_processor_it_stays_one),
        cmocka_unit_test(two_processors_are_used_soon),
        cmocka_unit_test(a_try_at_a_busy_moment_is_made_again_soon),
        cmocka_unit_test(a_level_that_is_not_worth_while_is_left),
        cmocka_unit_test(eight_processors_are_used),
        cmocka_unit_test(over_a_long_way_all_may_go),
        cmocka_unit_test(another_fault_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
