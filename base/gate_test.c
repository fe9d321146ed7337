// SPDX-License-Identifier: ISC
// Unit tests of base/gate. A small machine (arrivals by rate, workers behind the gate) drives it; its time is
// the test's.
#include "base/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S_US      1000000ull
#define NEVER     UINT64_MAX
#define TARGET_US 40000
#define WINDOW_US (2 * S_US)

// ---- single steps

static void places_first_then_the_queue_then_no(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[4] = {0};
    gate_init(&gate, 1, 1, 2, 100000, TARGET_US, WINDOW_US);
    assert_int_equal(gate_enter(&gate, &t[0], 0, NEVER, 0), GATE_ENTERED);
    assert_int_equal(gate_enter(&gate, &t[1], 0, NEVER, 0), GATE_WAITING);
    assert_int_equal(gate_enter(&gate, &t[2], 0, NEVER, 0), GATE_WAITING);
    assert_true(gate_would_refuse(&gate, 0, NEVER, 0));
    assert_int_equal(gate_enter(&gate, &t[3], 0, NEVER, 0), GATE_REFUSED);
    assert_null(gate_next(&gate, 0));
    gate_leave(&gate, &t[0], true, 100000);
    assert_ptr_equal(gate_next(&gate, 100000), &t[1]);
    assert_null(gate_next(&gate, 100000));
    gate_forget(&gate, &t[2]);
    gate_forget(&gate, &t[2]);
    assert_int_equal(gate.waiting, 0);
    assert_int_equal(gate.working, 1);
}

static void what_cannot_make_its_deadline_is_refused_at_once(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[8] = {0};
    gate_init(&gate, 1, 2, 100, 200000, TARGET_US, WINDOW_US); // 200 ms each, two at once
    int waiting = 0, refused = 0;
    for (int i = 0; i < 8; i++) {
        enum gate_answer answer = gate_enter(&gate, &t[i], 0, 500000, 0);
        waiting += answer == GATE_WAITING;
        refused += answer == GATE_REFUSED;
    }
    assert_int_equal(waiting, 5);
    assert_int_equal(refused, 1);
    assert_int_equal(gate_enter(&gate, &t[7], 0, 800000, 0), GATE_WAITING); // a more patient one
}

static void a_late_ticket_is_dropped_and_never_served(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[4] = {0};
    gate_init(&gate, 1, 1, 100, 10000, TARGET_US, WINDOW_US);
    assert_int_equal(gate_enter(&gate, &t[0], 0, NEVER, 0), GATE_ENTERED);
    assert_int_equal(gate_enter(&gate, &t[1], 0, 300000, 0), GATE_WAITING);
    assert_int_equal(gate_enter(&gate, &t[2], 0, 100000, 0), GATE_WAITING);
    assert_int_equal(gate_enter(&gate, &t[3], 0, 400000, 0), GATE_WAITING);
    assert_int_equal(gate_drop_due_us(&gate), 100000);
    assert_null(gate_drop(&gate, 99999));
    gate_leave(&gate, &t[0], true, 350000);
    assert_ptr_equal(gate_next(&gate, 350000), &t[3]); // the other two are late
    assert_ptr_equal(gate_drop(&gate, 350000), &t[1]);
    assert_ptr_equal(gate_drop(&gate, 350000), &t[2]);
    assert_null(gate_drop(&gate, 350000));
    assert_int_equal(gate_drop_due_us(&gate), NEVER);
    assert_int_equal(gate.class[0].dropped_total, 2);
}

static void a_higher_class_goes_first_and_a_lower_one_does_not_starve(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket high[40] = {0}, middle[40] = {0}, low[40] = {0};
    gate_init(&gate, 3, 0, 100, 1, TARGET_US, WINDOW_US);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(gate_enter(&gate, &low[i], 2, NEVER, 0), GATE_WAITING);
        assert_int_equal(gate_enter(&gate, &middle[i], 1, NEVER, 0), GATE_WAITING);
        assert_int_equal(gate_enter(&gate, &high[i], 0, NEVER, 0), GATE_WAITING);
    }
    int served[3] = {0};
    gate_set_workers(&gate, 1);
    for (int i = 0; i < 40; i++) {
        struct gate_ticket *ticket = gate_next(&gate, 1);
        assert_non_null(ticket);
        assert_true(i > 0 || ticket == &high[0]);
        served[ticket->class]++;
        gate_leave(&gate, ticket, true, 1);
    }
    assert_in_range(served[0], 30, 36);
    assert_in_range(served[1], 2, 5);
    assert_in_range(served[2], 2, 5);
}

static void a_short_queue_is_served_in_order_whatever_its_age(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[6] = {0};
    gate_init(&gate, 1, 1, 100, 1000, TARGET_US, WINDOW_US);
    gate_set_queue(&gate, 0, 2, true);
    for (int i = 0; i < 4; i++) {
        enum gate_answer expected = i == 0 ? GATE_ENTERED : i < 3 ? GATE_WAITING : GATE_REFUSED;
        assert_int_equal(gate_enter(&gate, &t[i], 0, NEVER, 0), expected);
    }
    for (uint64_t now_us = 0; now_us < 10 * S_US; now_us += TARGET_US) { // many come, none is served
        assert_int_equal(gate_enter(&gate, &t[4], 0, NEVER, now_us), GATE_REFUSED);
        assert_null(gate_drop(&gate, now_us));
    }
    assert_false(gate.class[0].overloaded);
    gate_leave(&gate, &t[0], true, 10 * S_US);
    assert_ptr_equal(gate_next(&gate, 10 * S_US), &t[1]);
    assert_int_equal(gate_enter(&gate, &t[4], 0, NEVER, 10 * S_US), GATE_WAITING);
    gate_leave(&gate, &t[1], true, 11 * S_US);
    assert_ptr_equal(gate_next(&gate, 11 * S_US), &t[2]);
}

static void a_queue_that_is_cut_hands_out_the_newest(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[6] = {0};
    gate_init(&gate, 1, 0, 100, 1000, TARGET_US, WINDOW_US);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(gate_enter(&gate, &t[i], 0, NEVER, (uint64_t)i), GATE_WAITING);
    }
    gate_set_queue(&gate, 0, 4, true);
    assert_int_equal(gate_drop_due_us(&gate), 0);
    assert_ptr_equal(gate_drop(&gate, 10), &t[5]);
    assert_ptr_equal(gate_drop(&gate, 10), &t[4]);
    assert_null(gate_drop(&gate, 10));
    gate_set_queue(&gate, 0, 0, true);
    for (int i = 3; i >= 0; i--) {
        assert_ptr_equal(gate_drop(&gate, 20), &t[i]);
    }
    assert_int_equal(gate.waiting, 0);
    gate_set_workers(&gate, 1);
    assert_int_equal(gate_enter(&gate, &t[0], 0, NEVER, 30), GATE_ENTERED); // a free place is no queue
    assert_int_equal(gate_enter(&gate, &t[1], 0, NEVER, 30), GATE_REFUSED);
    gate_set_queue(&gate, 0, 100, false);
    assert_int_equal(gate_enter(&gate, &t[1], 0, NEVER, 40), GATE_WAITING);
}

static void a_share_holds_and_can_be_changed(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket slow[8] = {0}, quick[8] = {0};
    gate_init(&gate, 2, 4, 100, 1000, TARGET_US, WINDOW_US);
    gate_set_share(&gate, 0, 2);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(gate_enter(&gate, &slow[i], 0, NEVER, 0), i < 2 ? GATE_ENTERED : GATE_WAITING);
    }
    assert_int_equal(gate_enter(&gate, &quick[0], 1, NEVER, 0), GATE_ENTERED);
    assert_int_equal(gate_enter(&gate, &quick[1], 1, NEVER, 0), GATE_ENTERED);
    assert_int_equal(gate_enter(&gate, &quick[2], 1, NEVER, 0), GATE_WAITING);
    gate_leave(&gate, &quick[0], true, 1);
    assert_ptr_equal(gate_next(&gate, 1), &quick[2]); // not one of the higher class, which has its share
    gate_set_share(&gate, 0, 1);
    gate_leave(&gate, &slow[0], true, 2);
    assert_null(gate_next(&gate, 2));
    gate_leave(&gate, &slow[1], true, 3);
    assert_ptr_equal(gate_next(&gate, 3), &slow[2]);
    assert_null(gate_next(&gate, 3));
    gate_set_share(&gate, 0, GATE_SHARE_ALL);
    assert_ptr_equal(gate_next(&gate, 3), &slow[3]);
    gate_set_workers(&gate, 3);
    assert_null(gate_next(&gate, 3));
    assert_int_equal(gate.working, 4);
    gate_leave(&gate, &quick[1], true, 4);
    assert_null(gate_next(&gate, 4)); // three at work are as many as may be
    gate_leave(&gate, &quick[2], true, 4);
    assert_ptr_equal(gate_next(&gate, 4), &slow[4]);
}

static void retry_after_is_the_drain_rates_with_jitter(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket t[41] = {0};
    gate_init(&gate, 2, 2, 100, 500000, TARGET_US, WINDOW_US); // 4 a second
    assert_int_equal(gate_drain_rate_milli(&gate, 0), 4000);
    for (int i = 0; i < 41; i++) {
        (void)gate_enter(&gate, &t[i], 0, NEVER, 0);
    }
    assert_int_equal(gate_retry_after_s(&gate, 0, 0), 10); // 39 before it and itself, at 4 a second
    assert_in_range(gate_retry_after_s(&gate, 0, UINT32_MAX), 14, 15);
    assert_int_equal(gate_retry_after_s(&gate, 1, 0), 10); // a lower class waits behind them
    gate_owe(&gate, 0, 40);
    assert_int_equal(gate_retry_after_s(&gate, 0, 0), 20); // those who were sent away come as well
    assert_int_equal(gate_retry_after_s(&gate, 1, 0), 10);
    gate_owe(&gate, 0, UINT32_MAX);
    assert_int_equal(gate_retry_after_s(&gate, 0, 0), GATE_RETRY_AFTER_MAX_S);
    gate_init(&gate, 1, 2, 100, 10, TARGET_US, WINDOW_US);
    assert_int_equal(gate_retry_after_s(&gate, 0, 0), 1);
    gate_init(&gate, 1, 0, 100, 10, TARGET_US, WINDOW_US); // no place at all, yet
    assert_int_equal(gate_retry_after_s(&gate, 0, 0), 1);
}

static void what_never_ran_teaches_nothing(void **state)
{
    (void)state;
    struct gate gate;
    struct gate_ticket ticket = {0};
    gate_init(&gate, 1, 1, 10, 1000, TARGET_US, WINDOW_US);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(gate_enter(&gate, &ticket, 0, NEVER, 0), GATE_ENTERED);
        gate_leave(&gate, &ticket, false, 5000000);
    }
    assert_int_equal(gate.hold_us, 1000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(gate_enter(&gate, &ticket, 0, NEVER, 0), GATE_ENTERED);
        gate_leave(&gate, &ticket, true, 80000);
    }
    assert_in_range(gate.hold_us, 70000, 80000);
}

// ---- the machine

enum { JOBS_MAX = 65536, SERVERS_MAX = 8 };

struct job {
    struct gate_ticket ticket;
    uint64_t arrived_us, began_us, done_us, refused_us;
};

struct source {
    double rate; // a second
    uint64_t patience_us, from_us, until_us;
    uint64_t service_us;
    uint64_t next_us;
};

// Places at the gate may be more than servers: the rest waits behind the gate, in order.
struct machine {
    struct gate gate;
    struct source source[3];
    struct job *job[JOBS_MAX]; // all, as they came
    uint32_t jobs;
    struct job *behind[JOBS_MAX];
    uint32_t behind_first, behind_end;
    struct {
        struct job *job;
        uint64_t end_us;
    } server[SERVERS_MAX];
    uint32_t servers;
    uint64_t now_us, busy_us, random;
};

static double uniform(struct machine *machine)
{
    machine->random = machine->random * 6364136223846793005u + 1442695040888963407u;
    return (double)(machine->random >> 11) / 9007199254740992.0;
}

// Exponential, without the mathematics library: -ln(u) by halving.
static double exponential(struct machine *machine)
{
    double u = uniform(machine), sum = 0;
    u = u < 1e-9 ? 1e-9 : u;
    while (u < 0.5) {
        u *= 2;
        sum += 0.6931471805599453;
    }
    double y = (1 - u) / (1 + u), y2 = y * y, term = y;
    for (int k = 1; k < 40; k += 2) {
        sum += 2 * term / k;
        term *= y2;
    }
    return sum;
}

static void machine_init(struct machine *machine, uint32_t servers, uint32_t places)
{
    memset(machine, 0, sizeof(*machine));
    machine->random = 7;
    machine->servers = servers;
    gate_init(&machine->gate, 3, places, 4096, 40000, TARGET_US, WINDOW_US);
}

static void machine_release(struct machine *machine)
{
    for (uint32_t i = 0; i < machine->jobs; i++) {
        free(machine->job[i]);
    }
}

static void serve(struct machine *machine)
{
    for (uint32_t i = 0; i < machine->servers; i++) {
        if (machine->server[i].job == NULL && machine->behind_first < machine->behind_end) {
            struct job *job = machine->behind[machine->behind_first++];
            job->began_us = machine->now_us;
            machine->server[i].job = job;
            machine->server[i].end_us = machine->now_us + machine->source[job->ticket.class].service_us;
        }
    }
}

static void turn(struct machine *machine)
{
    struct gate_ticket *ticket;
    while ((ticket = gate_drop(&machine->gate, machine->now_us)) != NULL) {
        ((struct job *)ticket)->refused_us = machine->now_us;
    }
    while ((ticket = gate_next(&machine->gate, machine->now_us)) != NULL) {
        machine->behind[machine->behind_end++] = (struct job *)ticket;
    }
    serve(machine);
}

static void arrive(struct machine *machine, unsigned class)
{
    struct source *source = &machine->source[class];
    struct job *job = calloc(1, sizeof(*job));
    assert_non_null(job);
    assert_true(machine->jobs < JOBS_MAX);
    machine->job[machine->jobs++] = job;
    job->arrived_us = machine->now_us;
    source->next_us += (uint64_t)(exponential(machine) / source->rate * 1e6) + 1;
    switch (gate_enter(&machine->gate, &job->ticket, class, machine->now_us + source->patience_us,
                       machine->now_us)) {
    case GATE_ENTERED:
        machine->behind[machine->behind_end++] = job;
        break;
    case GATE_REFUSED:
        job->refused_us = machine->now_us;
        break;
    case GATE_WAITING:
        break;
    }
}

static void machine_run(struct machine *machine, uint64_t until_us)
{
    uint64_t tick_us = machine->now_us;
    while (machine->now_us < until_us) {
        uint64_t next_us = tick_us;
        for (unsigned i = 0; i < 3; i++) {
            struct source *source = &machine->source[i];
            source->next_us = source->next_us < source->from_us ? source->from_us : source->next_us;
            bool comes = source->rate > 0 && source->next_us < source->until_us;
            next_us = comes && source->next_us < next_us ? source->next_us : next_us;
        }
        uint32_t busy = 0;
        for (uint32_t i = 0; i < machine->servers; i++) {
            bool works = machine->server[i].job != NULL;
            busy += works;
            next_us = works && machine->server[i].end_us < next_us ? machine->server[i].end_us : next_us;
        }
        machine->busy_us += busy * (next_us - machine->now_us);
        machine->now_us = next_us;
        for (uint32_t i = 0; i < machine->servers; i++) {
            struct job *job = machine->server[i].job;
            if (job != NULL && machine->server[i].end_us <= next_us) {
                job->done_us = next_us;
                machine->server[i].job = NULL;
                gate_leave(&machine->gate, &job->ticket, true, next_us);
            }
        }
        for (unsigned i = 0; i < 3; i++) {
            struct source *source = &machine->source[i];
            if (source->rate > 0 && source->next_us <= next_us && source->next_us < source->until_us) {
                arrive(machine, i);
            }
        }
        tick_us = next_us >= tick_us ? tick_us + 50000 : tick_us;
        turn(machine);
    }
}

struct figures {
    uint32_t served, refused, refused_late; // late: more than 100 ms after it came
    uint64_t wait_us;                       // mean of those served, at the gate and behind it
    uint64_t wait_most_us;
};

static struct figures figures(const struct machine *machine, unsigned class, uint64_t from_us,
                              uint64_t until_us)
{
    struct figures figures = {0};
    uint64_t sum_us = 0;
    for (uint32_t i = 0; i < machine->jobs; i++) {
        const struct job *job = machine->job[i];
        if (job->ticket.class != class || job->arrived_us < from_us || job->arrived_us >= until_us) {
            continue;
        }
        if (job->done_us > 0) {
            uint64_t wait_us = job->began_us - job->arrived_us;
            figures.served++;
            sum_us += wait_us;
            figures.wait_most_us = wait_us > figures.wait_most_us ? wait_us : figures.wait_most_us;
        } else if (job->refused_us > 0) {
            figures.refused++;
            figures.refused_late += job->refused_us - job->arrived_us > 100000;
        }
    }
    figures.wait_us = figures.served > 0 ? sum_us / figures.served : 0;
    return figures;
}

static struct machine machine;

static void ten_times_the_load_keeps_the_workers_busy_and_waits_short(void **state)
{
    (void)state;
    static const struct {
        uint32_t servers, places;
        uint64_t service_us;
        double times;
    } cases[] = {
        {1, 3, 40000, 10}, {1, 3, 40000, 1.5}, {4, 6, 30000, 10}, {1, 3, 150000, 10}, {1, 3, 40000, 2}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        machine_init(&machine, cases[i].servers, cases[i].places);
        double peak = cases[i].servers * 1e6 / (double)cases[i].service_us;
        machine.source[0] = (struct source){.rate = peak * cases[i].times,
                                            .patience_us = 3 * S_US,
                                            .until_us = NEVER,
                                            .service_us = cases[i].service_us};
        machine_run(&machine, 10 * S_US);
        uint64_t busy_before_us = machine.busy_us;
        machine_run(&machine, 40 * S_US);
        double busy = (double)(machine.busy_us - busy_before_us) / 30e6 / cases[i].servers;
        struct figures after = figures(&machine, 0, 10 * S_US, 40 * S_US);
        assert_true(busy > 0.97);
        // Places behind the gate are two services long at most.
        assert_true(after.wait_us < TARGET_US + 3 * cases[i].service_us);
        if (cases[i].times == 10) {
            assert_true(machine.gate.class[0].overloaded);
            assert_true(after.refused_late * 50 < after.refused);
        }
        // What the gate thinks it gets done is what it gets done.
        double thinks = (double)gate_drain_rate_milli(&machine.gate, 0) / 1000;
        assert_true(thinks > 0.8 * peak && thinks < 1.25 * peak);
        machine_release(&machine);
    }
}

static void a_burst_is_no_overload(void **state)
{
    (void)state;
    machine_init(&machine, 1, 3);
    machine.source[0] = (struct source){
        .rate = 100000, .patience_us = 3 * S_US, .until_us = 500, .service_us = 40000}; // about fifty at once
    machine_run(&machine, 5 * S_US);
    struct figures all = figures(&machine, 0, 0, NEVER);
    assert_in_range(all.served, 40, 70);
    assert_int_equal(all.refused, 0);
    machine_release(&machine);
}

static void an_overload_ends(void **state)
{
    (void)state;
    machine_init(&machine, 1, 3);
    machine.source[0] =
        (struct source){.rate = 250, .patience_us = 3 * S_US, .until_us = 20 * S_US, .service_us = 40000};
    machine.source[1] = (struct source){.service_us = 40000};
    machine_run(&machine, 20 * S_US);
    assert_true(machine.gate.class[0].overloaded);
    machine.source[0] = (struct source){.rate = 15,
                                        .patience_us = 3 * S_US,
                                        .from_us = 20 * S_US,
                                        .until_us = 60 * S_US,
                                        .service_us = 40000};
    machine_run(&machine, 60 * S_US);
    struct figures soon = figures(&machine, 0, 22 * S_US, 32 * S_US);
    struct figures later = figures(&machine, 0, 32 * S_US, 59 * S_US);
    assert_true(soon.refused * 20 < soon.served);
    assert_int_equal(later.refused, 0);
    assert_false(machine.gate.class[0].overloaded);
    assert_true(gate_retry_after_s(&machine.gate, 0, 0) <= 2);
    machine_release(&machine);
}

static void one_class_in_a_storm_does_not_harm_the_others(void **state)
{
    (void)state;
    machine_init(&machine, 2, 4);
    machine.source[0] = (struct source){
        .rate = 500, .patience_us = 3 * S_US, .until_us = 30 * S_US, .service_us = 40000}; // ten times
    machine.source[1] =
        (struct source){.rate = 2, .patience_us = 3 * S_US, .until_us = 30 * S_US, .service_us = 40000};
    machine.source[2] =
        (struct source){.rate = 2, .patience_us = 3 * S_US, .until_us = 30 * S_US, .service_us = 40000};
    machine_run(&machine, 30 * S_US);
    for (unsigned class = 1; class < 3; class ++) { // the lower ones: not starved
        struct figures lower = figures(&machine, class, 5 * S_US, 29 * S_US);
        assert_true(lower.served > 30);
        assert_true(lower.refused * 10 < lower.served);
    }
    machine_release(&machine);
    machine_init(&machine, 2, 4);
    machine.source[0] =
        (struct source){.rate = 10, .patience_us = 3 * S_US, .until_us = 30 * S_US, .service_us = 40000};
    machine.source[2] =
        (struct source){.rate = 500, .patience_us = 3 * S_US, .until_us = 30 * S_US, .service_us = 40000};
    machine_run(&machine, 30 * S_US);
    struct figures higher = figures(&machine, 0, 5 * S_US, 29 * S_US);
    assert_int_equal(higher.refused, 0);
    assert_true(higher.wait_us < 160000); // a place at the gate, and the queue behind it
    machine_release(&machine);
}

static void a_slow_class_leaves_the_rest_its_places(void **state)
{
    (void)state;
    machine_init(&machine, 4, 4);
    gate_set_share(&machine.gate, 0, 1);
    machine.source[0] = (struct source){
        .rate = 100, .patience_us = S_US / 2, .until_us = 30 * S_US, .service_us = 500000}; // fifty times
    machine.source[1] =
        (struct source){.rate = 400, .patience_us = S_US / 2, .until_us = 30 * S_US, .service_us = 5000};
    machine_run(&machine, 30 * S_US);
    struct figures quick = figures(&machine, 1, S_US, 29 * S_US);
    struct figures slow = figures(&machine, 0, 5 * S_US, 29 * S_US);
    assert_int_equal(quick.refused, 0);
    assert_true(quick.wait_us < 5000);
    assert_in_range(slow.served, 45, 48); // two a second: its place never idles
    assert_true(slow.refused_late * 20 < slow.refused);
    machine_release(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_first_then_the_queue_then_no),
        cmocka_unit_test(what_cannot_make_its_deadline_is_refused_at_once),
        cmocka_unit_test(a_late_ticket_is_dropped_and_never_served),
        cmocka_unit_test(a_higher_class_goes_first_and_a_lower_one_does_not_starve),
        cmocka_unit_test(a_short_queue_is_served_in_order_whatever_its_age),
        cmocka_unit_test(a_queue_that_is_cut_hands_out_the_newest),
        cmocka_unit_test(a_share_holds_and_can_be_changed),
        cmocka_unit_test(retry_after_is_the_drain_rates_with_jitter),
        cmocka_unit_test(what_never_ran_teaches_nothing),
        cmocka_unit_test(ten_times_the_load_keeps_the_workers_busy_and_waits_short),
        cmocka_unit_test(a_burst_is_no_overload),
        cmocka_unit_test(an_overload_ends),
        cmocka_unit_test(one_class_in_a_storm_does_not_harm_the_others),
        cmocka_unit_test(a_slow_class_leaves_the_rest_its_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
