// SPDX-License-Identifier: ISC
// Unit tests of base/gate.
#include "base/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void workers_first_then_the_queue_then_no(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[4] = {0};
    gate_init(&gate, 1, 2, 1000, 100000);
    assert_int_equal(gate_enter(&gate, &t[0], 0), GATE_ENTERED);
    assert_int_equal(gate_enter(&gate, &t[1], 0), GATE_WAITING);
    assert_int_equal(gate_enter(&gate, &t[2], 0), GATE_WAITING);
    assert_int_equal(gate_enter(&gate, &t[3], 0), GATE_REFUSED);
    assert_null(gate_next(&gate));
    gate_leave(&gate, 100000);
    assert_ptr_equal(gate_next(&gate), &t[1]);
    assert_null(gate_next(&gate));
    gate_forget(&gate, &t[2]);
    gate_forget(&gate, &t[2]);
    assert_int_equal(gate.waiting, 0);
}

static void a_wait_that_is_too_long_is_refused(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[8] = {0};
    gate_init(&gate, 2, 100, 500, 200000); // 200 ms each, two at once: 5 waiting take 500 ms
    int waiting = 0, refused = 0;
    for (int i = 0; i < 8; i++) {
        enum gate_answer answer = gate_enter(&gate, &t[i], 0);
        waiting += answer == GATE_WAITING;
        refused += answer == GATE_REFUSED;
    }
    assert_int_equal(waiting, 5);
    assert_int_equal(refused, 1);
    assert_int_equal(gate_retry_after_s(&gate), 1);
}

static void it_learns_how_long_work_takes(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket ticket = {0};
    gate_init(&gate, 1, 10, 1000, 1000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(gate_enter(&gate, &ticket, 0), GATE_ENTERED);
        gate_leave(&gate, 80000);
    }
    assert_in_range(gate.service_us, 70000, 80000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_first_then_the_queue_then_no),
        cmocka_unit_test(a_wait_that_is_too_long_is_refused),
        cmocka_unit_test(it_learns_how_long_work_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
