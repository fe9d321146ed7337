// SPDX-License-Identifier: ISC
#include "supervisor/topology.h"

#include "wire/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

// Core on one side, or watch and one that has something to tell it.
static bool may_be_linked(enum wire_role a, enum wire_role b)
{
    if (a == WIRE_WATCH || b == WIRE_WATCH) {
        enum wire_role teller = a == WIRE_WATCH ? b : a;
        return teller == WIRE_CORE || teller == WIRE_STORE;
    }
    return (a == WIRE_CORE) != (b == WIRE_CORE);
}

static void the_graph_is_a_star(void **state)
{
    static const enum wire_role roles[] = {WIRE_FRONT, WIRE_CORE, WIRE_STORE,
                                           WIRE_HASH,  WIRE_KEY,  WIRE_WATCH};
    (void)state;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        assert_non_null(topology_role_find(roles[i]));
        for (size_t j = 0; j < sizeof roles / sizeof roles[0]; j++) {
            bool linked = topology_linked(roles[i], roles[j]);
            assert_int_equal(linked, topology_linked(roles[j], roles[i]));
            if (linked) {
                assert_true(may_be_linked(roles[i], roles[j]));
            }
        }
    }
}

// What a process answers to watch could make it wait, or be steered by it.
static void watch_is_told_and_says_nothing(void **state)
{
    (void)state;
    for (uint16_t number = 0; number < WIRE_MESSAGE_END; number++) {
        const struct wire_row *row = wire_row_find(number);
        if (row == NULL) {
            continue;
        }
        if ((row->senders & WIRE_WATCH) != 0) {
            assert_int_equal(row->receivers, WIRE_SUPERVISOR);
        }
        if ((row->receivers & WIRE_WATCH) != 0 && row->senders != WIRE_SUPERVISOR) {
            assert_int_equal(number, WIRE_MESSAGE_event);
        }
    }
}

static void only_core_writes_the_tables(void **state)
{
    (void)state;
    for (const struct topology_grant *grant = topology_grants; grant->to != 0; grant++) {
        bool table = grant->kind == WIRE_MEMORY_SESSIONS || grant->kind == WIRE_MEMORY_ACCOUNTS;
        if (table && grant->access == TOPOLOGY_WRITE) {
            assert_int_equal(grant->to, WIRE_CORE);
        }
        if (grant->access == TOPOLOGY_WRITE && grant->to != WIRE_CORE) {
            assert_int_equal(grant->kind, WIRE_MEMORY_SEEN);
            assert_int_equal(grant->to, WIRE_FRONT);
            assert_true(grant->own);
        }
        if (grant->kind == WIRE_MEMORY_PASSWORDS) {
            assert_int_equal(grant->to, WIRE_HASH);
        }
    }
}

static void fronts_leave_before_core_before_store(void **state)
{
    (void)state;
    unsigned front = topology_role_find(WIRE_FRONT)->drain_stage;
    unsigned core = topology_role_find(WIRE_CORE)->drain_stage;
    unsigned store = topology_role_find(WIRE_STORE)->drain_stage;
    assert_int_equal(front, 1);
    assert_true(front < core && core < store && store < topology_stages());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_graph_is_a_star),
        cmocka_unit_test(watch_is_told_and_says_nothing),
        cmocka_unit_test(only_core_writes_the_tables),
        cmocka_unit_test(fronts_leave_before_core_before_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
