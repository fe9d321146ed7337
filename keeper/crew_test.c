// SPDX-License-Identifier: ISC
// Unit tests of keeper/crew, with real threads. Nothing is slept for: tasks wait until the test lets them go
// on.
#include "keeper/crew.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <cmocka.h>

#define TASKS 2000

struct task {
    struct crew_task task;
    atomic_uint runs;
    bool dropped;
};

struct bench {
    sem_t started; // posted by a worker that starts, and by a task that begins when held
    sem_t go_on;
    sem_t done;
    atomic_bool held;
    struct task task[TASKS];
};

static void on_start(void *context)
{
    sem_post(&((struct bench *)context)->started);
}

static void on_task(struct crew_task *task, void *context)
{
    struct bench *bench = context;
    atomic_fetch_add(&((struct task *)task)->runs, 1);
    if (atomic_load(&bench->held)) {
        sem_post(&bench->started);
        sem_wait(&bench->go_on);
    }
}

static void on_done(void *context)
{
    sem_post(&((struct bench *)context)->done);
}

static void drop(struct crew_task *task, void *context)
{
    (void)context;
    ((struct task *)task)->dropped = true;
}

static const struct crew_events events = {.on_start = on_start, .on_task = on_task, .on_done = on_done};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL) {
        return 1;
    }
    sem_init(&bench->started, 0, 0);
    sem_init(&bench->go_on, 0, 0);
    sem_init(&bench->done, 0, 0);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static struct crew *start(struct bench *bench, unsigned workers, unsigned waiting_max)
{
    struct crew *crew = crew_new(workers, waiting_max, &events, bench);
    assert_non_null(crew);
    for (unsigned i = 0; i < workers; i++) {
        assert_int_equal(sem_trywait(&bench->started), 0); // on_start was before
    }
    return crew;
}

static void every_task_is_done_once(void **state)
{
    struct bench *bench = *state;
    struct crew *crew = start(bench, 8, 16);
    unsigned offered = 0, collected = 0;
    while (collected < TASKS) {
        while (offered < TASKS && crew_offer(crew, &bench->task[offered].task)) {
            offered++;
        }
        sem_wait(&bench->done);
        assert_non_null(crew_collect(crew));
        collected++;
    }
    assert_null(crew_collect(crew));
    for (unsigned i = 0; i < TASKS; i++) {
        assert_int_equal(atomic_load(&bench->task[i].runs), 1);
    }
    crew_free(&crew, drop);
    assert_null(crew);
}

static void a_full_queue_refuses(void **state)
{
    struct bench *bench = *state;
    atomic_store(&bench->held, true);
    struct crew *crew = start(bench, 2, 3);
    assert_true(crew_offer(crew, &bench->task[0].task));
    assert_true(crew_offer(crew, &bench->task[1].task));
    sem_wait(&bench->started);
    sem_wait(&bench->started);
    for (unsigned i = 2; i < 5; i++) {
        assert_true(crew_offer(crew, &bench->task[i].task));
    }
    assert_false(crew_offer(crew, &bench->task[5].task));
    assert_int_equal(crew_load(crew).waiting, 3);
    assert_int_equal(crew_load(crew).busy, 2);

    atomic_store(&bench->held, false);
    sem_post(&bench->go_on);
    sem_post(&bench->go_on);
    for (unsigned i = 0; i < 5; i++) {
        sem_wait(&bench->done);
        assert_non_null(crew_collect(crew));
    }
    assert_int_equal(crew_load(crew).waiting, 0);
    assert_int_equal(crew_load(crew).busy, 0);
    assert_true(crew_offer(crew, &bench->task[5].task));
    sem_wait(&bench->done);
    assert_ptr_equal(crew_collect(crew), &bench->task[5].task);
    crew_free(&crew, drop);
}

static void the_oldest_goes_first(void **state)
{
    struct bench *bench = *state;
    struct crew *crew = start(bench, 1, 100);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(crew_offer(crew, &bench->task[i].task));
    }
    for (unsigned i = 0; i < 100; i++) {
        sem_wait(&bench->done);
        assert_ptr_equal(crew_collect(crew), &bench->task[i].task);
    }
    crew_free(&crew, drop);
}

static void what_is_left_at_the_end_comes_back(void **state)
{
    struct bench *bench = *state;
    atomic_store(&bench->held, true);
    struct crew *crew = start(bench, 1, 10);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(crew_offer(crew, &bench->task[i].task));
        if (i == 0) {
            sem_wait(&bench->started);
        }
    }
    sem_post(&bench->go_on); // the one that began ends; whether others begin is up to the worker
    sem_post(&bench->go_on);
    sem_post(&bench->go_on);
    sem_post(&bench->go_on);
    crew_free(&crew, drop);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(bench->task[i].dropped);
        assert_true(atomic_load(&bench->task[i].runs) <= 1);
    }
}

// Three tasks that may begin at once by their number, but not by what they cost.
static void no_more_cost_than_the_budget(void **state)
{
    struct bench *bench = *state;
    atomic_store(&bench->held, true);
    struct crew *crew = start(bench, 4, 10);
    crew_set_bounds(crew, 4, 10);
    for (unsigned i = 0; i < 4; i++) {
        bench->task[i].task.cost = i == 3 ? 50 : 5;
        assert_true(crew_offer(crew, &bench->task[i].task));
    }
    sem_wait(&bench->started);
    sem_wait(&bench->started);
    assert_int_equal(crew_load(crew).busy, 2);
    assert_int_equal(crew_load(crew).cost, 10);
    assert_int_equal(crew_load(crew).waiting, 2);
    sem_post(&bench->go_on); // makes room for the third
    sem_wait(&bench->started);
    assert_int_equal(crew_load(crew).cost, 10);
    sem_post(&bench->go_on);
    sem_post(&bench->go_on);
    sem_wait(&bench->started); // dearer than everything: alone
    assert_int_equal(crew_load(crew).busy, 1);
    assert_int_equal(crew_load(crew).cost, 50);
    sem_post(&bench->go_on);
    crew_free(&crew, drop);
}

static void fewer_and_more_workers_at_run_time(void **state)
{
    struct bench *bench = *state;
    atomic_store(&bench->held, true);
    struct crew *crew = start(bench, 4, 10);
    crew_set_bounds(crew, 1, UINT64_MAX);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(crew_offer(crew, &bench->task[i].task));
    }
    sem_wait(&bench->started);
    assert_int_equal(crew_load(crew).busy, 1);
    crew_set_bounds(crew, 3, UINT64_MAX);
    sem_wait(&bench->started);
    sem_wait(&bench->started);
    assert_int_equal(crew_load(crew).busy, 3);
    assert_int_equal(crew_load(crew).waiting, 1);
    crew_set_bounds(crew, 2, UINT64_MAX);
    sem_post(&bench->go_on);
    sem_wait(&bench->done);
    assert_int_equal(crew_load(crew).waiting, 1); // who works goes on, nobody new begins
    assert_int_equal(crew_load(crew).busy, 2);
    for (unsigned i = 0; i < 3; i++) {
        sem_post(&bench->go_on);
    }
    crew_free(&crew, drop);
}

static sem_t idle;

static void on_idle(void *context)
{
    (void)context;
    sem_post(&idle);
}

// Three times each task writes all over its stack; what it left is given back in between.
static void fill_stack(struct crew_task *task, void *context)
{
    volatile uint8_t room[256 * 1024];
    for (size_t i = 0; i < sizeof room; i += 512) {
        room[i] = (uint8_t)i;
    }
    on_task(task, context);
}

static void an_idle_worker_gives_back_and_works_on(void **state)
{
    struct bench *bench = *state;
    const struct crew_events giving = {
        .on_start = on_start, .on_task = fill_stack, .on_idle = on_idle, .idle_ms = 1, .on_done = on_done};
    sem_init(&idle, 0, 0);
    struct crew *crew = crew_new(2, 4, &giving, bench);
    assert_non_null(crew);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(crew_offer(crew, &bench->task[i].task));
        sem_wait(&bench->done);
        assert_non_null(crew_collect(crew));
        sem_wait(&idle); // once: it does not come again by itself
    }
    assert_int_equal(sem_trywait(&idle), -1);
    crew_free(&crew, drop);
    sem_destroy(&idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_task_is_done_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_oldest_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_at_the_end_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_cost_than_the_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fewer_and_more_workers_at_run_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_idle_worker_gives_back_and_works_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
