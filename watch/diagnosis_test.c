// SPDX-License-Identifier: ISC
// Every cause, over many loads, strengths and seeds, on a stayd made of queues (watch/testing/model.h): the
// right one is named first, pairs are both named, and nothing is said of healthy days. MODEL_SEEDS sets how
// many seeds.
#include "watch/testing/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned seeds(unsigned usual)
{
    const char *wanted = getenv("MODEL_SEEDS");
    return wanted == NULL ? usual : (unsigned)strtoul(wanted, NULL, 10);
}

static bool loud(void)
{
    return getenv("MODEL_LOUD") != NULL;
}

struct result {
    bool noticed, harmless, first_right, both_named;
    double noticed_s, named_s; // after the fault
};

static bool names(const struct verdict *verdict, enum cause cause)
{
    for (unsigned i = 0; i < verdict->causes; i++) {
        if (verdict->cause[i].cause == cause) {
            return true;
        }
    }
    return false;
}

static void show(const struct verdict *verdict)
{
    printf("    %s\n    first seen: %s\n", verdict->sentence, verdict->symptom);
    for (unsigned i = 0; i < verdict->causes; i++) {
        printf("    cause %s %.2f\n", cause_id(verdict->cause[i].cause), verdict->cause[i].share);
    }
    for (unsigned i = 0; i < verdict->evidences; i++) {
        printf("      %s\n", verdict->evidence[i]);
    }
    for (unsigned i = 0; i < verdict->ruled_outs; i++) {
        printf("      not %s: %s\n", cause_id(verdict->ruled_out[i].cause), verdict->ruled_out[i].because);
    }
}

// How long a fault needs until anybody could see it.
static double slow_burn_s(enum cause cause)
{
    return cause == CAUSE_hashing_saturated ? 45 : cause == CAUSE_process_leaking ? 30 : 0;
}

static void measure(struct model *model, struct result *result, enum cause first, int second, double lasts_s)
{
    uint64_t from_ms = model->strike[0].from_ms;
    double named_s = -1;
    while (model->mono_ms < from_ms + (uint64_t)(lasts_s * 1000)) {
        model_tick(model);
        double at_s = (double)(model->mono_ms - from_ms) / 1000;
        bool right = model->verdict->causes > 0 && (model->verdict->cause[0].cause == first ||
                                                    (int)model->verdict->cause[0].cause == second);
        if (model->verdict->open && !result->noticed) {
            result->noticed = true;
            result->noticed_s = at_s;
        }
        named_s = !right ? -1 : named_s < 0 ? at_s : named_s;
    }
    result->named_s = named_s;
    result->first_right = named_s >= 0;
    result->both_named =
        names(model->verdict, first) && (second < 0 || names(model->verdict, (enum cause)second));
}

// Some faults need a load that they can hurt.
static void make_room(struct model *model, enum cause cause)
{
    if (cause == CAUSE_hashing_saturated) {
        model->load.logins = 0.7 * model->workers * 1000 / model->hash_ms;
        model->load.wave = 0;
    } else if (cause == CAUSE_pool_small) {
        model->load.changes = model_uniform(model, 1100, 1600) / (model->hold_ms[3] + model->hold_ms[4] / 3);
    }
}

static struct result run_single(enum cause cause, uint64_t seed)
{
    static struct model model;
    struct result result = {0};
    model_init(&model, seed * 100 + cause);
    if (cause == CAUSE_cold_start) { // from the first moment on
        for (unsigned i = 0; i < model.watched.pages; i++) {
            ((struct stats_page *)(uintptr_t)model.watched.page[i].page)->started_ns =
                model.mono_ms * 1000000u;
        }
        model.load.checks += 2500;
        model.hold_ms[5] *= 12;
    } else {
        make_room(&model, cause);
        model_run(&model, model_uniform(&model, 25, 70));
    }
    if (model.verdict != NULL && model.verdict->episode != 0 && loud()) {
        printf("  %s seed %u: something before the fault\n", cause_id(cause), (unsigned)seed);
        show(model.verdict);
    }
    double lasts_s = (cause == CAUSE_cold_start ? 20 : 12) + slow_burn_s(cause);
    model_strike(&model, (enum model_fault)(1 + cause), model_uniform(&model, 0, 1), 0, lasts_s + 1);
    measure(&model, &result, cause, -1, lasts_s);
    const struct verdict_affected *affected = &model.verdict->affected;
    result.harmless = !result.noticed && affected->check < 1 && affected->login < 1 && affected->change < 1;
    if (loud() && (!result.first_right || model.verdict->causes != 1)) {
        printf("  %s seed %u strength %.2f: noticed %.1f s\n", cause_id(cause), (unsigned)seed,
               model.strike[0].strength, result.noticed ? result.noticed_s : -1);
        show(model.verdict);
    }
    model_release(&model);
    return result;
}

static void each_cause_is_named(void **state)
{
    unsigned runs = 0, right = 0, count = seeds(4);
    (void)state;
    for (unsigned cause = 0; cause < CAUSE_unknown; cause++) {
        unsigned good = 0;
        double slowest = 0, noticed = 0;
        for (unsigned seed = 1; seed <= count; seed++) {
            struct result result = run_single((enum cause)cause, seed);
            good += result.first_right || result.harmless; // what harms nobody need not be noticed
            slowest = result.named_s > slowest ? result.named_s : slowest;
            noticed = result.noticed_s > noticed ? result.noticed_s : noticed;
        }
        printf("%-22s %3u of %3u, noticed within %5.1f s, named within %5.1f s\n",
               cause_id((enum cause)cause), good, count, noticed, slowest);
        runs += count;
        right += good;
    }
    printf("all: %u of %u\n", right, runs);
    assert_true(right * 100 >= runs * 99);
}

// Pairs that come together, none of which is the other's consequence.
static const struct {
    enum cause first, second;
} pairs[] = {
    {CAUSE_login_spike, CAUSE_slow_statement},
    {CAUSE_login_spike, CAUSE_lock_held},
    {CAUSE_login_spike, CAUSE_process_crashing},
    {CAUSE_login_spike, CAUSE_database_network},
    {CAUSE_slow_statement, CAUSE_process_crashing},
    {CAUSE_flood, CAUSE_slow_statement},
    {CAUSE_flood, CAUSE_process_crashing},
    {CAUSE_process_crashing, CAUSE_lock_held},
    {CAUSE_session_mismatch, CAUSE_slow_statement},
    {CAUSE_credential_stuffing, CAUSE_slow_statement},
    {CAUSE_login_spike, CAUSE_database_down},
    {CAUSE_session_mismatch, CAUSE_login_spike},
    {CAUSE_process_crashing, CAUSE_database_down},
    {CAUSE_own_change, CAUSE_process_crashing},
    {CAUSE_credential_stuffing, CAUSE_database_network},
    {CAUSE_slow_statement, CAUSE_cpu_taken},
};

static struct result run_pair(unsigned pair, uint64_t seed)
{
    static struct model model;
    struct result result = {0};
    enum cause first = pairs[pair].first, second = pairs[pair].second;
    model_init(&model, seed * 1000 + pair);
    model_run(&model, model_uniform(&model, 25, 70));
    double gap_s = seed % 2 == 0 ? 0.0 : model_uniform(&model, 0, 4);
    model_strike(&model, (enum model_fault)(1 + first), model_uniform(&model, 0, 1), 0, 30);
    model_strike(&model, (enum model_fault)(1 + second), model_uniform(&model, 0, 1), gap_s, 30);
    measure(&model, &result, first, (int)second, 14);
    if (loud() && !result.both_named) {
        printf("  %s + %s seed %u strengths %.2f %.2f gap %.1f\n", cause_id(first), cause_id(second),
               (unsigned)seed, model.strike[0].strength, model.strike[1].strength, gap_s);
        show(model.verdict);
    }
    model_release(&model);
    return result;
}

static void both_of_two_are_named(void **state)
{
    unsigned runs = 0, right = 0, count = seeds(4);
    (void)state;
    for (unsigned pair = 0; pair < sizeof pairs / sizeof pairs[0]; pair++) {
        unsigned good = 0;
        for (unsigned seed = 1; seed <= count; seed++) {
            good += run_pair(pair, seed).both_named;
        }
        printf("%-22s + %-22s %3u of %3u\n", cause_id(pairs[pair].first), cause_id(pairs[pair].second), good,
               count);
        runs += count;
        right += good;
    }
    printf("all: %u of %u\n", right, runs);
    assert_true(right * 100 >= runs * 90);
}

// ---- healthy days ----------------------------------------------------------------------------------------

static void assert_quiet(struct model *model, const char *what)
{
    if (model->verdict->episode != 0) {
        printf("  a false incident: %s\n", what);
        show(model->verdict);
    }
    assert_int_equal(model->verdict->episode, 0);
    assert_int_equal(model->verdict->state, VERDICT_HEALTHY);
}

static void waves_are_no_incident(void **state)
{
    static struct model model;
    (void)state;
    for (unsigned seed = 1; seed <= seeds(3); seed++) {
        model_init(&model, 7000 + seed);
        model.load.wave = 0.5; // from half to one and a half: three times
        model.load.wave_period_s = model_uniform(&model, 60, 300);
        model.load.logins = model_uniform(&model, 0.2, 0.45) * model.workers * 1000 / model.hash_ms;
        model_run(&model, 600);
        assert_quiet(&model, "waves");
        model_release(&model);
    }
}

static void reloads_and_restarts_are_no_incident(void **state)
{
    static struct model model;
    (void)state;
    for (unsigned seed = 1; seed <= seeds(3); seed++) {
        model_init(&model, 8000 + seed);
        for (unsigned i = 0; i < 6; i++) {
            model_run(&model, 30);
            model_tell(&model, (struct wire_event){.kind = WIRE_EVENT_RELOADED, .a = 1}, "",
                       i % 2 == 0 ? "" : "log_level", "");
            model_run(&model, 20);
            struct wire_event left = {
                .kind = WIRE_EVENT_PROCESS_DIED, .role = STATS_ROLE_front, .a = WIRE_EVENT_LEFT};
            model_tell(&model, left, "", "it was asked to", "");
            model.front[0]->pid++;
            model.front[0]->started_ns = model.mono_ms * 1000000u;
            model_tell(&model,
                       (struct wire_event){.kind = WIRE_EVENT_PROCESS_STARTED, .role = STATS_ROLE_front}, "",
                       "", "");
        }
        assert_quiet(&model, "reloads and restarts");
        model_release(&model);
    }
}

static void a_quiet_night_is_no_incident(void **state)
{
    static struct model model;
    (void)state;
    model_init(&model, 9001);
    model.load = (struct model_load){.logins = 1.0 / 60, .checks = 0.1, .changes = 0.02, .sources = 3};
    model_run(&model, 900);
    model.load.logins = 8; // the first ones in the morning
    model.load.sources = 50;
    model_run(&model, 60);
    assert_quiet(&model, "a quiet night");
    model_release(&model);
}

static void one_slow_request_is_no_incident(void **state)
{
    static struct model model;
    (void)state;
    model_init(&model, 9101);
    model_run(&model, 60);
    for (unsigned i = 0; i < 5; i++) {
        struct stats_times *times = &model.front[0]->times[STATS_TIME_login];
        times->bucket[stats_bucket(4000000000u)]++;
        times->sum_ns += 4000000000u;
        model.front[0]->request[STATS_CLASS_login][STATS_ANSWER_503]++;
        model_run(&model, 20);
    }
    assert_quiet(&model, "one slow request");
    model_release(&model);
}

static void a_machine_that_slept_is_no_incident_but_for_its_clock(void **state)
{
    static struct model model;
    (void)state;
    model_init(&model, 9201);
    model_run(&model, 40);
    model.mono_ms += 60000; // a late tick: everybody stood still, the clocks agree
    model.wall_ms += 60000;
    model_run(&model, 40);
    assert_quiet(&model, "a late tick");
    model_release(&model);
}

// ---- the life of a verdict -------------------------------------------------------------------------------

static void an_episode_ends_and_another_begins(void **state)
{
    static struct model model;
    (void)state;
    model_init(&model, 9301);
    model_run(&model, 40);
    model_strike(&model, MODEL_slow_statement, 0.8, 0, 10);
    model_run(&model, 8);
    assert_true(model.verdict->open);
    assert_int_equal(model.verdict->episode, 1);
    assert_true(model.verdict->onset_unix_ms + 2000 > model.wall_ms - 8000);
    assert_true(model.verdict->detected_unix_ms >= model.verdict->onset_unix_ms);
    assert_true(model.verdict->diagnosed_unix_ms >= model.verdict->detected_unix_ms);
    assert_string_equal(model.verdict->cause[0].detail[0].key, "statement");
    assert_true(model.verdict->to_dos > 0 &&
                strstr(model.verdict->to_do[0].command, "CREATE UNIQUE INDEX") != NULL);
    assert_true(model.verdict->ruled_outs >= CAUSE_unknown - 3);
    model_run(&model, 25);
    assert_false(model.verdict->open);
    assert_true(model.verdict->ended_unix_ms > model.verdict->detected_unix_ms);
    assert_int_equal(model.verdict->cause[0].cause, CAUSE_slow_statement);
    model_run(&model, 60);
    model_strike(&model, MODEL_process_crashing, 0.5, 0, 5);
    model_run(&model, 3);
    assert_int_equal(model.verdict->episode, 2);
    assert_int_equal(model.verdict->cause[0].cause, CAUSE_process_crashing);
    model_release(&model);
}

// A store that said so and crashed never says that the database is back: its successor found it there.
static void a_database_that_is_there_again_is_no_cause(void **state)
{
    static struct model model;
    (void)state;
    model_init(&model, 9501);
    model_run(&model, 40);
    model_strike(&model, MODEL_database_down, 0.5, 0, 2);
    model_run(&model, 2);
    assert_int_equal(model.verdict->cause[0].cause, CAUSE_database_down);
    model_run(&model, 20);
    assert_false(model.verdict->open);
    model_strike(&model, MODEL_slow_statement, 0.8, 0, 10);
    model_run(&model, 8);
    assert_int_equal(model.verdict->episode, 2);
    assert_int_equal(model.verdict->cause[0].cause, CAUSE_slow_statement);
    assert_int_equal(model.verdict->causes, 1);
    model_release(&model);
}

// Nothing of it is to be seen any more while those who were sent away are late: stayd, which was started
// shortly before, is not to blame.
static void a_spike_soon_after_a_start_stays_the_spike(void **state)
{
    static struct model model;
    (void)state;
    model_init(&model, 9401);
    model_run(&model, 40);
    model_strike(&model, MODEL_login_spike, 0.9, 0, 8);
    model_run(&model, 7);
    assert_int_equal(model.verdict->cause[0].cause, CAUSE_login_spike);
    for (unsigned i = 0; i < 40; i++) {
        model.front[0]->request[STATS_CLASS_login][STATS_ANSWER_503] += 10;
        model_run(&model, 1);
        assert_int_equal(model.verdict->cause[0].cause, CAUSE_login_spike);
    }
    assert_true(model.verdict->open);
    model_release(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cause_is_named),
        cmocka_unit_test(both_of_two_are_named),
        cmocka_unit_test(waves_are_no_incident),
        cmocka_unit_test(reloads_and_restarts_are_no_incident),
        cmocka_unit_test(a_quiet_night_is_no_incident),
        cmocka_unit_test(one_slow_request_is_no_incident),
        cmocka_unit_test(a_machine_that_slept_is_no_incident_but_for_its_clock),
        cmocka_unit_test(an_episode_ends_and_another_begins),
        cmocka_unit_test(a_database_that_is_there_again_is_no_cause),
        cmocka_unit_test(a_spike_soon_after_a_start_stays_the_spike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
