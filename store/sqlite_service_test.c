// SPDX-License-Identifier: ISC
// The service's threads against a real file: answers, group commit, fencing, the first state, bounds, the
// end.
#include "store/sqlite_service.h"

#include "base/stats.h"
#include "store/queue.h"
#include "store/testing_service.h"

#include <errno.h>
#include <sqlite3.h>

static int setup(void **state)
{
    *state = seen_on_sqlite();
    return 0;
}

static void the_state_comes_before_any_answer(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->states == 1);
    assert_true(seen->state.up);
    assert_true(seen->state.empty); // read before the first operation of this core
    UNTIL(seen, seen->answers == 1);
    assert_int_equal(seen->ops[0], 1);
    assert_int_equal(seen->outcomes[0], WIRE_STORE_OK);
}

static void what_is_made_durable_is_counted(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    UNTIL(seen, seen->states == 1);
    uint64_t before = stats_read(stats_here, STATS_store_syncs);
    for (uint32_t i = 0; i < 3; i++) {
        add_account(seen, i, i);
        UNTIL(seen, seen->answers == i + 1);
    }
    assert_in_range(stats_read(stats_here, STATS_store_syncs) - before, 3, 9); // each had a commit of its own
}

static void many_at_once_are_each_answered_for_themselves(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    UNTIL(seen, seen->states == 1);
    for (uint32_t i = 0; i < 1000; i++) {
        add_account(seen, i, i % 500); // the second half repeats the first
    }
    SUBMIT(seen, 5000, account_add, ACCOUNT(9999), .name = VIEW("u1"));
    UNTIL(seen, seen->answers == 1001);
    size_t ok = 0, conflicts = 0;
    for (size_t i = 0; i < seen->answers; i++) {
        ok += seen->outcomes[i] == WIRE_STORE_OK;
        conflicts += seen->outcomes[i] == WIRE_STORE_CONFLICT;
    }
    assert_int_equal(ok, 1000);
    assert_int_equal(conflicts, 1);
}

static void what_an_old_core_asked_is_over_before_a_new_one_is_told_the_state(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    UNTIL(seen, seen->states == 1);
    for (uint32_t i = 0; i < 600; i++) {
        add_account(seen, i, i);
    }
    service_begin(seen->service); // some of them run, the rest is dropped
    size_t before = seen->answers;
    SUBMIT(seen, 7000, account_list, .limit = 512);
    UNTIL(seen, seen->states == 2);
    UNTIL(seen, seen->answers > before);
    assert_int_equal(seen->answers, before + 1); // nothing of the old core reaches the new one
    assert_int_equal(seen->ops[before], 7000);
}

static void a_late_operation_is_not_run(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service); // fenced until the loop turns
    SUBMIT_FOR(seen, 1, 1, account_add, ACCOUNT(1), .name = VIEW("a"));
    uint64_t until = clock_mono_ns() + 3000000;
    while (clock_mono_ns() < until) {
    }
    SUBMIT_FOR(seen, 60000, 2, account_add, ACCOUNT(2), .name = VIEW("b"));
    UNTIL(seen, seen->answers == 2);
    assert_int_equal(seen->outcomes[0], WIRE_STORE_UNAVAILABLE);
    assert_int_equal(seen->outcomes[1], WIRE_STORE_OK);
    SUBMIT(seen, 3, account_by_name, .name = VIEW("a"));
    UNTIL(seen, seen->answers == 3);
    assert_int_equal(seen->outcomes[2], WIRE_STORE_NOT_FOUND);
}

static void a_full_queue_refuses_at_once_and_leaves_room_for_ends(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    for (uint32_t i = 0; i < SERVICE_JOBS_MAX; i++) {
        add_account(seen, i, i);
    }
    assert_int_equal(seen->answers, SERVICE_JOBS_MAX / 4);
    assert_int_equal(seen->outcomes[0], WIRE_STORE_UNAVAILABLE);
    SUBMIT(seen, 9000, session_end, .selector = testing_id('s', 1));
    assert_int_equal(seen->answers, SERVICE_JOBS_MAX / 4);
    UNTIL(seen, seen->answers == SERVICE_JOBS_MAX + 1);
}

static void a_malformed_operation_is_reported(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    struct bytes packet;
    bytes_init(&packet, 256);
    wire_store_session_end_encode(&packet, &(struct wire_store_session_end){.op = 1});
    assert_true(service_submit(seen->service, view_first(bytes_view(&packet), packet.size - 1)));
    assert_false(service_submit(seen->service, view_first(bytes_view(&packet), 5)));
    assert_false(service_submit(seen->service, VIEW("\1\0 a log-in, which is not for the store")));
    UNTIL(seen, seen->malformed == 1);
    assert_int_equal(seen->answers, 0);
    bytes_release(&packet);
}

static void what_waits_is_finished_before_the_end(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    UNTIL(seen, seen->states == 1);
    for (uint32_t i = 0; i < 300; i++) {
        add_account(seen, i, i);
    }
    service_stop(seen->service);
    UNTIL(seen, seen->stopped);
    assert_int_equal(seen->answers, 300);
    service_free(&seen->service);
    open_sqlite(seen);
    service_begin(seen->service);
    UNTIL(seen, seen->states == 2);
    assert_false(seen->state.empty);
}

static void last_alive_is_told_to_the_next_core(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    SUBMIT(seen, 1, session_seen, .alive = 77777);
    UNTIL(seen, seen->answers == 1);
    assert_int_equal(seen->state.last_alive, 0);
    service_begin(seen->service);
    UNTIL(seen, seen->states == 2);
    assert_int_equal(seen->state.last_alive, 77777);
}

static void one_invitation_makes_one_account(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    SUBMIT(seen, 1, once_put, .space = VIEW("invite"), .hash = testing_hash(1), .expires = 9999);
    UNTIL(seen, seen->answers == 1);
    for (uint32_t i = 0; i < 20; i++) { // all in one transaction
        char name[16];
        (void)snprintf(name, sizeof(name), "guest%u", i);
        SUBMIT(seen, 100 + i, account_add, ACCOUNT(i), .name = view_of_cstr(name), .has_invite = 1,
               .invite_hash = testing_hash(1));
    }
    UNTIL(seen, seen->answers == 21);
    size_t ok = 0;
    for (size_t i = 1; i < seen->answers; i++) {
        ok += seen->outcomes[i] == WIRE_STORE_OK;
    }
    assert_int_equal(ok, 1);
}

static void two_at_once_on_one_account_have_an_order(void **state)
{
    struct seen *seen = *state;
    service_begin(seen->service);
    add_account(seen, 1, 1);
    SUBMIT(seen, 2, account_password, SESSION(1, 1), .phc = VIEW("left"), .epoch = 1, .with_session = 1,
           .phc_before = VIEW("$argon2id$one"));
    SUBMIT(seen, 3, account_password, SESSION(1, 2), .phc = VIEW("right"), .epoch = 1, .with_session = 1,
           .phc_before = VIEW("$argon2id$one"));
    SUBMIT(seen, 4, session_grant, SESSION(1, 3));
    SUBMIT(seen, 5, session_grant, SESSION(1, 4), .epoch = 1);
    UNTIL(seen, seen->answers == 5);
    static const uint8_t expected[] = {WIRE_STORE_OK, WIRE_STORE_OK, WIRE_STORE_CONFLICT, WIRE_STORE_CONFLICT,
                                       WIRE_STORE_OK};
    assert_memory_equal(seen->outcomes, expected, sizeof(expected));
}

static _Atomic bool disk_fails;

static ssize_t failing_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (disk_fails) {
        errno = EIO;
        return -1;
    }
    return pwrite(fd, data, size, offset);
}

static void a_failing_disk_is_down_until_it_works_again(void **state)
{
    struct seen *seen = *state;
    sqlite3_vfs *vfs = sqlite3_vfs_find("unix");
    (void)vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)failing_pwrite);
    (void)vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite);
    service_begin(seen->service);
    UNTIL(seen, seen->states == 1);
    assert_true(seen->state.up && seen->state.empty);
    add_account(seen, 1, 1);
    UNTIL(seen, seen->answers == 1);
    disk_fails = true;
    add_account(seen, 2, 2);
    UNTIL(seen, seen->states == 2);
    assert_false(seen->state.up);
    assert_int_equal(seen->outcomes[1], WIRE_STORE_UNAVAILABLE);
    add_account(seen, 3, 3); // refused at once
    assert_int_equal(seen->answers, 3);
    disk_fails = false;
    UNTIL(seen, seen->states == 3);
    assert_true(seen->state.up);
    assert_false(seen->state.empty); // as it is now, not as it was
    add_account(seen, 4, 2);
    UNTIL(seen, seen->answers == 4);
    assert_int_equal(seen->outcomes[3], WIRE_STORE_OK);
}

static struct store_job *job(enum store_class class)
{
    struct bytes packet;
    bytes_init(&packet, 256);
    wire_store_session_end_encode(&packet, &(struct wire_store_session_end){.op = 1});
    struct store_job *made = store_job_new(bytes_view(&packet), 0);
    made->class = class;
    bytes_release(&packet);
    return made;
}

static void a_backlog_is_taken_by_class_and_a_batch_in_order(void **state)
{
    (void)state;
    struct store_queue queue;
    store_queue_init(&queue, 100, 1 << 20);
    static const enum store_class classes[] = {STORE_BACKGROUND, STORE_LOGIN, STORE_ENDING, STORE_LOGIN,
                                               STORE_ENDING};
    for (size_t i = 0; i < 5; i++) {
        assert_true(store_queue_push(&queue, job(classes[i])));
    }
    struct store_job *batch = store_queue_take_batch(&queue, 3); // both ends and the older log-in
    static const uint64_t expected[] = {1, 2, 4};
    for (size_t i = 0; i < 3; i++) {
        assert_true(batch->sequence == expected[i]);
        struct store_job *next = batch->next;
        store_job_free(&batch);
        batch = next;
    }
    assert_null(batch);
    assert_false(store_queue_has(&queue, STORE_LOGIN));
    assert_true(store_queue_has(&queue, STORE_BACKGROUND));
    assert_null(store_queue_take(&queue, STORE_LOGIN));
    store_queue_release(&queue);
    assert_int_equal(queue.count, 0);
    assert_int_equal(queue.bytes, 0);
}

static void every_statement_uses_its_index(void **state)
{
    (void)state;
    struct backend backend;
    backend_init(&backend, false);
    assert_true(store_sqlite_plans_hold(backend.sqlite));
    backend_release(&backend);
}

#define ON_FILE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_FILE(the_state_comes_before_any_answer),
        ON_FILE(what_is_made_durable_is_counted),
        ON_FILE(many_at_once_are_each_answered_for_themselves),
        ON_FILE(what_an_old_core_asked_is_over_before_a_new_one_is_told_the_state),
        ON_FILE(a_late_operation_is_not_run),
        ON_FILE(a_full_queue_refuses_at_once_and_leaves_room_for_ends),
        ON_FILE(a_malformed_operation_is_reported),
        ON_FILE(what_waits_is_finished_before_the_end),
        ON_FILE(last_alive_is_told_to_the_next_core),
        ON_FILE(one_invitation_makes_one_account),
        ON_FILE(two_at_once_on_one_account_have_an_order),
        ON_FILE(a_failing_disk_is_down_until_it_works_again),
        cmocka_unit_test(a_backlog_is_taken_by_class_and_a_batch_in_order),
        cmocka_unit_test(every_statement_uses_its_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
