// SPDX-License-Identifier: ISC
// Reader and writer take turns at every single load and store, as a random schedule has it. The reader is
// compiled in here with a hook before each load; the writer runs on a stack of its own and gives way before
// each store. So a reader is stopped between any two loads while the writer does a part of a change, or
// several whole ones. Small tables that are nearly full: most grants move others; splits come with every new
// table.
static void before_load(void);
#define LOAD(word) (before_load(), atomic_load_explicit(&(word), memory_order_acquire))
#include "sessions/read.c"

#include "sessions/write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <ucontext.h>
#include <cmocka.h>

#include "sessions/testing/tables.h"

enum { SESSIONS = 230, ACCOUNTS = 9, ROUNDS = 160 / SLOW_DOWN, CHECKS = 1500 };

#include "sessions/testing/deeds.h"

static ucontext_t reader_context, writer_context;
static uint8_t *writer_stack;
static uint64_t schedule;
static uint64_t turn_left; // loads until the writer's turn, or stores until the reader's
static bool writing;
static uint64_t replaced;

static void writer_replace(void);

static void writer_turn(void)
{
    if (random_next(&schedule) % 400 == 0)
        writer_replace();
    static const uint64_t turns[] = {1, 2, 3, 5, 8, 13, 30, 60, 150, 400};
    turn_left = turns[random_next(&schedule) % 10];
    writing = true;
    swapcontext(&reader_context, &writer_context);
    writing = false;
    turn_left = 1 + random_next(&schedule) % 25;
}

static void before_load(void)
{
    // The writer loads through a reader too (sessions_writer_counts): it keeps its turn.
    if (!writing && turn_left-- == 0)
        writer_turn();
}

static void before_store(void *context)
{
    (void)context;
    if (writing && turn_left-- == 0)
        swapcontext(&writer_context, &reader_context);
}

static bool writer_is_next; // the tables are those of a writer that died

static void writer_main(void)
{
    if (writer_is_next) {
        if (tables_open(&tables, before_store, NULL) != SESSIONS_OPENED_EXISTING)
            abort();
        deeds_reconcile();
    }
    for (uint64_t seed = schedule, i = 1;; i++) {
        writer_deed(&seed);
        if (i % 300 == 0)
            clock_tick();
    }
}

static void writer_start(bool is_next)
{
    writer_is_next = is_next;
    enum { STACK_BYTES = 1 << 18 };
    writer_stack = malloc(STACK_BYTES);
    assert_non_null(writer_stack);
    assert_int_equal(getcontext(&writer_context), 0);
    writer_context.uc_stack.ss_sp = writer_stack;
    writer_context.uc_stack.ss_size = STACK_BYTES;
    writer_context.uc_link = NULL;
    makecontext(&writer_context, writer_main, 0);
}

// The writer stops where it is, and another takes over. A reader may be in the middle of a check.
static void writer_replace(void)
{
    replaced++;
    free(writer_stack);
    sessions_writer_release(&tables.writer);
    writer_start(true);
}

// One table from empty to full, and on.
static void round_run(uint64_t seed)
{
    static struct notice empty;
    *notice = empty;
    for (int i = 0; i < ACCOUNTS; i++)
        notice->epoch[i] = 1;
    tables_init(&tables, SESSIONS_MAX_LEAST);
    assert_int_equal(tables_open(&tables, before_store, NULL), SESSIONS_OPENED_NEW);
    schedule = seed;
    turn_left = 0;
    writer_start(false);
    for (int i = 0; i < CHECKS; i++)
        reader_check(&tables.reader, random_next(&schedule) % SESSIONS);
    free(writer_stack);
    sessions_writer_release(&tables.writer);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_EXISTING);
    assert_null(sessions_verify(&tables.writer));
    tables_release(&tables);
}

static void any_schedule_is_right(void **state)
{
    (void)state;
    static struct notice the_notice;
    notice = &the_notice;
    uint64_t valid = 0, misses = 0;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        round_run(seed);
        assert_int_equal(notice->wrong_identity, 0);
        assert_int_equal(notice->over_valid, 0);
        assert_int_equal(notice->live_invalid, 0);
        assert_int_equal(notice->live_absent, 0);
        assert_int_equal(notice->torn, 0);
        valid += notice->valid;
        misses += notice->misses;
    }
    print_message("%lu valid, %lu of live ones missed, %lu writers replaced\n", valid, misses, replaced);
    assert_true(misses * 20 <= valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_schedule_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
