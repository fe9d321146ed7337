// SPDX-License-Identifier: ISC
// The queueing model. Used by tests only.
// 1. Time goes by tenths of a second; what does not fit into one waits (a fluid queue) up to a bound, and
// beyond
//    it is refused, as the real gates do.
// 2. A fault changes what a server, a network or a source would change; nothing is told to the diagnosis but
// what
//    the real processes would tell.
#include "watch/testing/model.h"

#include "watch/testing/model_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { TICK_MS = 100, DAY_MS = 86400000 };

static const unsigned operations[MODEL_OPERATIONS] = {
    STATS_statement_account_by_name - STATS_statement_account_by_name,
    STATS_statement_session_grant - STATS_statement_account_by_name,
    STATS_statement_audit_add - STATS_statement_account_by_name,
    STATS_statement_session_list - STATS_statement_account_by_name,
    STATS_statement_session_end - STATS_statement_account_by_name,
    STATS_statement_session_by_selector - STATS_statement_account_by_name,
    STATS_statement_session_seen - STATS_statement_account_by_name,
};
static const double usual_hold_ms[MODEL_OPERATIONS] = {0.4, 1.6, 1.2, 0.7, 1.4, 0.4, 0.9};
static const double round_trips[MODEL_OPERATIONS] = {1, 3, 1, 1, 3, 1, 1};
static const bool writes[MODEL_OPERATIONS] = {false, true, true, false, true, false, true};

// ---- chance ----------------------------------------------------------------------------------------------

static uint64_t next(struct model *model)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random;
}

double model_uniform(struct model *model, double from, double to)
{
    return from + (to - from) * (double)(next(model) >> 11) / 9007199254740992.0;
}

static double poisson(struct model *model, double mean)
{
    if (mean > 40) {
        double z = 0;
        for (unsigned i = 0; i < 12; i++) {
            z += model_uniform(model, 0, 1);
        }
        return fmax(0, round(mean + (z - 6) * sqrt(mean)));
    }
    double product = 1, limit = exp(-mean);
    int count = -1;
    do {
        product *= model_uniform(model, 0, 1);
        count++;
    } while (product > limit);
    return count;
}

// ---- pages -----------------------------------------------------------------------------------------------

static struct stats_page *page(struct model *model, enum stats_role role, uint16_t index)
{
    struct stats_page *made = calloc(1, STATS_PAGE_SIZE);
    if (made == NULL) {
        abort();
    }
    made->magic = STATS_MAGIC;
    made->format = STATS_FORMAT;
    made->pid = 100u + role * 10u + index;
    made->started_ns = 1;
    watched_add(&model->watched, role, index, made);
    return made;
}

void model_add(struct stats_page *to, enum stats_counter counter, double by)
{
    to->counter[counter] += (uint64_t)fmax(0, by + 0.5);
}

void model_put(struct stats_page *to, enum stats_counter gauge, double value)
{
    to->counter[gauge] = (uint64_t)fmax(0, value);
}

static void spend(struct stats_page *to, enum stats_histogram which, double count, double ms)
{
    static const double spread[] = {0.7, 1.0, 1.3};
    for (unsigned i = 0; i < (unsigned)count; i++) {
        uint64_t ns = (uint64_t)fmax(1000, ms * spread[i % 3] * 1e6);
        to->times[which].bucket[stats_bucket(ns)]++;
        to->times[which].sum_ns += ns;
    }
}

void model_answer(struct model *model, enum stats_class class, enum stats_answer how, double count)
{
    model->front[next(model) % MODEL_FRONTS]->request[class][how] += (uint64_t)(count + 0.5);
}

// ---- life ------------------------------------------------------------------------------------------------

void model_init(struct model *model, uint64_t seed)
{
    *model = (struct model){.random = seed * 0x9e3779b97f4a7c15u + 0x1234567};
    for (unsigned i = 0; i < 20; i++) {
        next(model);
    }
    model->mono_ms = DAY_MS;
    model->wall_ms = 1795215600000u;
    for (uint16_t i = 0; i < MODEL_FRONTS; i++) {
        model->front[i] = page(model, STATS_ROLE_front, i);
    }
    model->core = page(model, STATS_ROLE_core, 0);
    model->store = page(model, STATS_ROLE_store, 0);
    model->hash = page(model, STATS_ROLE_hash, 0);
    model->supervisor = page(model, STATS_ROLE_supervisor, 0);
    model->workers = floor(model_uniform(model, 2, 5));
    model->hash_ms = model_uniform(model, 18, 45);
    double capacity = model->workers * 1000 / model->hash_ms;
    model->load = (struct model_load){.logins = capacity * model_uniform(model, 0.15, 0.5),
                                      .checks = model_uniform(model, 100, 1500),
                                      .changes = model_uniform(model, 4, 25),
                                      .misses = model_uniform(model, 0, 4),
                                      .guesses = model_uniform(model, 0, 0.6),
                                      .wave = model_uniform(model, 0, 0.3),
                                      .wave_period_s = model_uniform(model, 90, 400),
                                      .sources = model_uniform(model, 80, 2000)};
    model->connections_max = floor(model_uniform(model, 4, 9));
    model->connections = model->connections_max;
    model->way_ms = model_uniform(model, 0.05, 0.6);
    model->server_ms = model_uniform(model, 0.05, 0.2);
    model->sync_ms = model_uniform(model, 0.4, 3);
    model->machine_others = model_uniform(model, 100, 600);
    model->sessions = 20000;
    model->sessions_room = 100000;
    model->memory_front = 40;
    double scale = model_uniform(model, 0.7, 1.8);
    for (unsigned i = 0; i < MODEL_OPERATIONS; i++) {
        model->hold_ms[i] = usual_hold_ms[i] * scale;
    }
    model->series = series_new();
    model->facts = facts_new();
    model->detect = detect_new();
    model->diagnosis = diagnosis_new();
}

void model_release(struct model *model)
{
    for (unsigned i = 0; i < MODEL_FRONTS; i++) {
        free(model->front[i]);
    }
    free(model->core);
    free(model->store);
    free(model->hash);
    free(model->supervisor);
    series_free(&model->series);
    facts_free(&model->facts);
    detect_free(&model->detect);
    diagnosis_free(&model->diagnosis);
}

void model_strike(struct model *model, enum model_fault fault, double strength, double after_s,
                  double lasts_s)
{
    uint64_t from = model->mono_ms + (uint64_t)(after_s * 1000);
    model->strike[model->strikes++] = (struct model_strike){
        .fault = fault, .strength = strength, .from_ms = from, .until_ms = from + (uint64_t)(lasts_s * 1000)};
}

void model_tell(struct model *model, struct wire_event event, const char *name, const char *text,
                const char *more)
{
    event.mono_ns = model->mono_ms * 1000000u;
    event.name = view_of_cstr(name);
    event.text = view_of_cstr(text);
    event.more = view_of_cstr(more);
    facts_add(model->facts, &event,
              (struct watched_now){.mono_ns = model->mono_ms * 1000000u, .wall_ms = model->wall_ms});
}

// ---- one tenth of a second -------------------------------------------------------------------------------

static void before_faults(struct model *model, struct moment *moment)
{
    double wave =
        1 + model->load.wave * sin(6.2832 * (double)model->mono_ms / 1000 / model->load.wave_period_s);
    *moment = (struct moment){.load = model->load,
                              .hash_ms = model->hash_ms * model_uniform(model, 0.92, 1.08),
                              .workers = model->workers,
                              .connections = model->connections_max,
                              .way_ms = model->way_ms * model_uniform(model, 0.8, 1.25),
                              .server_ms = model->server_ms * model_uniform(model, 0.8, 1.25),
                              .sync_ms = model->sync_ms * model_uniform(model, 0.7, 1.4),
                              .others = model->machine_others * model_uniform(model, 0.8, 1.2),
                              .check_ms = 0.06 * model_uniform(model, 0.8, 1.3),
                              .pressure = 0.05,
                              .miss_share = 0.002};
    moment->load.logins *= wave;
    moment->load.checks *= wave;
    moment->load.changes *= wave;
    moment->wrong = model->load.guesses;
    for (unsigned i = 0; i < MODEL_OPERATIONS; i++) {
        moment->hold_ms[i] = model->hold_ms[i] * model_uniform(model, 0.85, 1.2);
    }
}

static void take_others(struct model *model, const struct moment *moment)
{
    bool second = model->mono_ms % 1000 < TICK_MS;
    for (unsigned i = 0; i < MODEL_FRONTS; i++) {
        model_put(model->front[i], STATS_heartbeat_ms, (double)(model->mono_ms - model->mono_ms % 250));
        model_put(model->front[i], STATS_connections_open, 400);
        if (second) {
            double all =
                (moment->load.logins + moment->load.changes + moment->miss_share * moment->load.checks) /
                MODEL_FRONTS;
            model_put(model->front[i], STATS_sources_distinct, fmin(all, moment->load.sources));
            double busiest = fmax(8 / fmax(8, fmin(all * MODEL_FRONTS, moment->load.sources)), moment->heavy);
            struct stats_crowd *crowd = &model->front[i]->crowd[0]; // the busiest, as one; in thousandths
            crowd->total = (uint64_t)(1000 * all);
            crowd->heaviest[0].hash = 1;
            crowd->heaviest[0].count = (uint64_t)(1000 * all * busiest);
            model_put(model->front[i], STATS_process_memory_bytes,
                      (i == 0 ? model->memory_front : 40) * 1048576);
        }
    }
    if (!moment->hung) {
        model_put(model->core, STATS_heartbeat_ms, (double)(model->mono_ms - model->mono_ms % 250));
    }
    model_put(model->store, STATS_heartbeat_ms, (double)(model->mono_ms - model->mono_ms % 250));
    model_put(model->hash, STATS_heartbeat_ms, (double)(model->mono_ms - model->mono_ms % 250));
    model_put(model->core, STATS_process_memory_bytes, 90e6 + model->sessions * 64);
    model_put(model->core, STATS_cache_sessions_entries, model->sessions);
    model_put(model->core, STATS_cache_sessions_capacity, model->sessions_room);
    model_add(model->core, STATS_sessions_no_room, moment->no_room / 10);
    if (second) {
        model_put(model->supervisor, STATS_machine_processors_limit, 2000);
        model_put(model->supervisor, STATS_machine_processors_others, moment->others);
        model_put(model->supervisor, STATS_machine_processors_database,
                  moment->others > 600 ? moment->others_database : 0);
        model_add(model->supervisor, STATS_machine_pressure_cpu_us, moment->pressure * 1e6);
    }
    model_put(model->supervisor, STATS_disk_size_bytes, 1e11);
}

// Through a queue: how many of those who come are served, and what each waits.
static double serve(double *backlog_ms, double come, double work_ms, double places, double wait_max_ms,
                    double *wait_ms)
{
    double capacity = places * TICK_MS;
    double room = fmax(0, places * wait_max_ms + capacity - *backlog_ms);
    double taken = work_ms > 0 ? fmin(come, floor(room / work_ms)) : come;
    *wait_ms = fmax(0, *backlog_ms - capacity) / places;
    *backlog_ms = fmax(0, *backlog_ms + taken * work_ms - capacity);
    return taken;
}

struct asked { // operations in this tenth, by place in `operations`
    double count[MODEL_OPERATIONS];
};

static double run_database(struct model *model, const struct moment *moment, const struct asked *asked,
                           double *wait_ms, double *each_ms)
{
    double work = 0, count = 0, hold[MODEL_OPERATIONS];
    for (unsigned i = 0; i < MODEL_OPERATIONS; i++) {
        hold[i] = moment->hold_ms[i] + round_trips[i] * moment->way_ms + (writes[i] ? moment->sync_ms : 0);
        work += asked->count[i] * hold[i];
        count += asked->count[i];
    }
    double taken =
        serve(&model->pool_backlog, count, count > 0 ? work / count : 0, moment->connections, 400, wait_ms);
    double part = count > 0 ? taken / count : 0;
    *each_ms = count > 0 ? work / count : 0;
    for (unsigned i = 0; i < MODEL_OPERATIONS; i++) {
        double done = floor(asked->count[i] * part + model_uniform(model, 0, 1));
        model_add(model->store, STATS_statement_account_by_name + operations[i], done);
        model_add(model->store, STATS_statement_hold_account_by_name + operations[i], done * hold[i] * 1000);
        model_add(model->store, STATS_statement_wait_account_by_name + operations[i], done * *wait_ms * 1000);
        spend(model->store, STATS_TIME_stage_statement, done, hold[i]);
        spend(model->store, STATS_TIME_stage_pool_wait, done, *wait_ms + 0.01);
        if (writes[i]) {
            model_add(model->store, STATS_store_syncs, done);
            model_add(model->store, STATS_store_sync_us, done * moment->sync_ms * 1000);
        }
    }
    model_put(model->store, STATS_pool_busy,
              fmin(moment->connections, ceil((work + model->pool_backlog) / TICK_MS)));
    model_add(model->store, STATS_gate_refused, count - taken);
    return part;
}

static void probe(struct model *model, const struct moment *moment)
{
    if (model->mono_ms % 500 < TICK_MS && !moment->gone) {
        model_add(model->store, STATS_database_probes, 1);
        model_add(model->store, STATS_database_probe_us,
                  1000 * (moment->way_ms + moment->stall_ms + moment->server_ms));
        model_add(model->store, STATS_database_back_us, 500 * (moment->way_ms - model->way_ms));
        model_add(model->store, STATS_database_server_us, 1000 * moment->server_ms);
    }
    model_put(model->store, STATS_store_available, !moment->gone);
    model_put(model->store, STATS_pool_breaker_open, moment->gone);
    model_put(model->store, STATS_pool_open, moment->gone ? 0 : moment->connections);
    model_put(model->store, STATS_capacity_database_connections, moment->connections);
    model_put(model->store, STATS_database_waiting_lock, moment->locked ? fmin(moment->connections, 3) : 0);
}

static void take_logins(struct model *model, const struct moment *moment, double logins, double wrong)
{
    struct stats_page *front = model->front[next(model) % MODEL_FRONTS];
    double wait_ms, pool_wait_ms = 0, each_ms = 0;
    double hashed = serve(&model->hash_backlog, logins, moment->hash_ms, moment->workers, 700, &wait_ms);
    double rest = model->load.changes > 0 ? poisson(model, moment->load.changes / 10) : 0;
    double misses = poisson(model, moment->load.misses / 10 + moment->miss_share * moment->load.checks / 10);
    struct asked asked = {
        {hashed, hashed - wrong * hashed / fmax(1, logins), hashed, rest, rest / 3, misses, 1}};
    bool shut = moment->gone || moment->hung || moment->silent_database;
    double part = shut || moment->locked ? 0 : run_database(model, moment, &asked, &pool_wait_ms, &each_ms);
    double total = wait_ms + moment->hash_ms + 3 * (part > 0 ? pool_wait_ms + each_ms : 0) + 1;
    model_add(front, STATS_logins_arrived, logins);
    model_add(front, STATS_changes_arrived, rest);
    model_add(front, STATS_lookups_arrived, misses);
    model_add(front, STATS_table_misses, misses);
    spend(model->hash, STATS_TIME_stage_hash, moment->hung ? 0 : hashed, moment->hash_ms);
    spend(model->hash, STATS_TIME_stage_hash_wait, moment->hung ? 0 : hashed, wait_ms + 0.02);
    model_put(model->hash, STATS_hash_busy,
              moment->hung
                  ? 0
                  : fmin(moment->workers, ceil((hashed * moment->hash_ms + model->hash_backlog) / TICK_MS)));
    model_put(model->hash, STATS_hash_workers, moment->workers);
    if (moment->hung) {
        model->stuck += logins + rest + misses;
        model_put(front, STATS_core_waiting, model->stuck);
        return;
    }
    model_put(model->front[0], STATS_core_waiting, 0);
    model_put(model->front[1], STATS_core_waiting, 0);
    model->stuck = 0;
    double served = floor(hashed * part + 0.5), guesses = fmin(served, floor(wrong * part + 0.5));
    model_answer(model, STATS_CLASS_login, STATS_ANSWER_2xx, served - guesses);
    model_answer(model, STATS_CLASS_login, STATS_ANSWER_4xx, guesses);
    model_answer(model, STATS_CLASS_login, STATS_ANSWER_503, logins - served);
    model_add(front, STATS_logins_granted, served - guesses);
    model_add(front, STATS_logins_refused, guesses);
    spend(front, STATS_TIME_login, served, total);
    model_answer(model, STATS_CLASS_session, STATS_ANSWER_2xx, floor(rest * part + 0.5));
    model_answer(model, STATS_CLASS_session, STATS_ANSWER_503, rest - floor(rest * part + 0.5));
    spend(front, STATS_TIME_change, floor(rest * part), part > 0 ? pool_wait_ms + each_ms + 1 : 1);
    model_answer(model, STATS_CLASS_check, STATS_ANSWER_503, floor(misses * (1 - part)));
    spend(front, STATS_TIME_check, floor(misses * part), part > 0 ? pool_wait_ms + each_ms : 1);
    spend(front, STATS_TIME_stage_statement, served, part > 0 ? 3 * each_ms : 0);
    spend(front, STATS_TIME_stage_gate_wait, served, part > 0 ? 3 * pool_wait_ms : 0);
    spend(front, STATS_TIME_stage_hash, served, moment->hash_ms);
    spend(front, STATS_TIME_stage_hash_wait, served, wait_ms);
    model_put(model->core, STATS_guess_accounts, moment->wrong * 8);
}

void model_tick(struct model *model)
{
    struct moment moment;
    model->mono_ms += TICK_MS;
    model->wall_ms += TICK_MS;
    before_faults(model, &moment);
    model_put(model->supervisor, STATS_disk_free_bytes, 5e10);
    for (unsigned i = 0; i < model->strikes; i++) {
        struct model_strike *strike = &model->strike[i];
        if (model->mono_ms >= strike->from_ms && model->mono_ms < strike->until_ms) {
            model_apply(model, &moment, strike);
        }
    }
    double wrong = poisson(model, moment.wrong / 10);
    double logins = poisson(model, fmax(0, moment.load.logins - moment.wrong) / 10) + wrong;
    double checks = poisson(model, moment.load.checks / 10);
    take_others(model, &moment);
    probe(model, &moment);
    take_logins(model, &moment, logins, wrong);
    model_answer(model, STATS_CLASS_check, STATS_ANSWER_2xx, checks);
    spend(model->front[0], STATS_TIME_check, fmin(checks, 30), moment.check_ms);
    const struct watched_now now = {.mono_ns = model->mono_ms * 1000000u, .wall_ms = model->wall_ms};
    series_take(model->series, &model->watched, now);
    detect_look(model->detect, model->series, model->facts);
    model->verdict =
        diagnosis_look(model->diagnosis, model->series, model->facts, detect_seen(model->detect));
}

void model_run(struct model *model, double seconds)
{
    for (unsigned i = 0; i < (unsigned)(seconds * 10); i++) {
        model_tick(model);
    }
}
