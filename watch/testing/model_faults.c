// SPDX-License-Identifier: ISC
// The faults of the model, each from mild (0) to hard (1).
#include "watch/testing/model_parts.h"

#include <math.h>

static double mixed(double mild, double hard, double strength) // geometric
{
    return mild * pow(hard / mild, strength);
}

static void apply_database(struct model *model, struct moment *moment, struct model_strike *strike,
                           double at_s)
{
    double s = strike->strength;
    switch ((unsigned)strike->fault) {
    case MODEL_slow_statement:
        moment->hold_ms[0] *= mixed(25, 400, s);
        moment->others += 300 + 600 * s;
        moment->others_database += 300 + 600 * s;
        if (at_s > 1.5 && strike->said++ == 0) {
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_STATEMENT_SLOW, .a = 80000, .b = 400},
                       "account_by_name", "Seq Scan on accounts",
                       "CREATE UNIQUE INDEX CONCURRENTLY accounts_name ON accounts (name)");
        }
        break;
    case MODEL_lock_held:
        moment->locked = true;
        if (at_s > 0.4 && model->mono_ms >= strike->next_ms) {
            strike->next_ms = model->mono_ms + 1500;
            model_tell(
                model,
                (struct wire_event){.kind = WIRE_EVENT_LOCK_HELD, .a = (uint64_t)(at_s * 1000), .b = 4711},
                "accounts", "psql: LOCK TABLE accounts", "");
        }
        break;
    case MODEL_database_down:
        moment->gone = true;
        if (at_s > 0.2 && strike->said++ == 0) {
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_DATABASE_DOWN}, "", "connection refused",
                       "");
        }
        break;
    case MODEL_failover:
        moment->gone = at_s < 1.5 + 3 * s;
        if (at_s > 0.2 && strike->said == 0) {
            strike->said++;
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_DATABASE_DOWN}, "",
                       "terminating connection", "");
        }
        if (!moment->gone && strike->said == 1) {
            strike->said++;
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_DATABASE_UP, .a = 3000}, "", "", "");
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_DATABASE_MOVED}, "db2",
                       "another server answers: db2:5432", "");
        }
        break;
    case MODEL_database_slow:
        for (unsigned i = 0; i < MODEL_OPERATIONS; i++) {
            moment->hold_ms[i] *= mixed(8, 60, s) * model_uniform(model, 0.8, 1.25);
        }
        moment->server_ms *= mixed(8, 60, s);
        moment->stall_ms = mixed(3, 30, s);
        break;
    case MODEL_database_network:
        moment->way_ms += mixed(12, 150, s) * model_uniform(model, 0.8, 1.2);
        break;
    case MODEL_disk_slow:
        moment->sync_ms += mixed(30, 300, s);
        break;
    case MODEL_pool_small:
        moment->connections = 1;
        break;
    default:
        break;
    }
}

static void apply_load(struct model *model, struct moment *moment, struct model_strike *strike, double at_s)
{
    double s = strike->strength, more;
    switch ((unsigned)strike->fault) {
    case MODEL_login_spike:
        more = mixed(3, 10, s);
        moment->load.logins *= more;
        moment->load.sources *= more;
        break;
    case MODEL_flood:
        more = mixed(60, 800, s) + 2 * moment->load.logins;
        moment->load.logins += more;
        moment->wrong += more;
        moment->heavy = more / (more + moment->load.logins + moment->load.changes);
        moment->heavy = fmax(moment->heavy, 0.6);
        break;
    case MODEL_credential_stuffing:
        more = fmax(12, mixed(0.4, 4, s) * moment->load.logins);
        moment->load.logins += more;
        moment->wrong += more;
        moment->load.sources += 20 * more;
        break;
    case MODEL_hashing_saturated:
        moment->load.logins *= 1 + at_s * (0.010 + 0.012 * s);
        break;
    case MODEL_cpu_taken:
        if (at_s > 1 && model->mono_ms >= strike->next_ms) {
            strike->next_ms = model->mono_ms + 5000;
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_PROGRAM_BUSY, .a = 1200, .b = 4711},
                       "burner", "", "");
        }
        moment->hash_ms *= mixed(1.8, 4, s);
        moment->check_ms *= mixed(1.5, 6, s);
        moment->others = fmin(2000, 1200 + 800 * s + moment->others_database);
        moment->pressure = 0.6;
        for (unsigned i = 0; i < MODEL_OPERATIONS; i++) {
            moment->hold_ms[i] *= mixed(1.2, 3, s);
        }
        moment->workers *= 0.7;
        break;
    case MODEL_own_change:
        if (strike->said++ == 0) {
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_CONFIG_CHANGED}, "", "password_time",
                       "");
        }
        moment->hash_ms *= at_s > 1 ? mixed(5, 12, s) : 1;
        break;
    default:
        break;
    }
}

static void apply_process(struct model *model, struct moment *moment, struct model_strike *strike,
                          double at_s)
{
    double s = strike->strength;
    bool due = model->mono_ms >= strike->next_ms;
    switch ((unsigned)strike->fault) {
    case MODEL_process_crashing:
        if (due) {
            strike->next_ms = model->mono_ms + (uint64_t)mixed(2500, 600, s);
            model_answer(model, STATS_CLASS_check, STATS_ANSWER_closed, 3);
            model_tell(model,
                       (struct wire_event){.kind = WIRE_EVENT_PROCESS_DIED,
                                           .role = STATS_ROLE_front,
                                           .a = WIRE_EVENT_CRASHED,
                                           .b = 11},
                       "login", "SIGSEGV", "");
            model_tell(model,
                       (struct wire_event){.kind = WIRE_EVENT_PROCESS_STARTED, .role = STATS_ROLE_front}, "",
                       "", "");
        }
        break;
    case MODEL_process_leaking:
        model->memory_front += mixed(2, 12, s) / 10;
        break;
    case MODEL_process_hung:
        moment->hung = at_s < 3.4;
        if (at_s >= 3 && strike->said++ == 0) {
            model_tell(
                model,
                (struct wire_event){.kind = WIRE_EVENT_PROCESS_HUNG, .role = STATS_ROLE_core, .a = 3000}, "",
                "", "");
            model_tell(model,
                       (struct wire_event){.kind = WIRE_EVENT_PROCESS_DIED,
                                           .role = STATS_ROLE_core,
                                           .a = WIRE_EVENT_WAS_HUNG,
                                           .b = 6},
                       "", "", "");
        }
        break;
    case MODEL_session_mismatch:
        if (due) {
            strike->next_ms = model->mono_ms + (uint64_t)mixed(1500, 150, s);
            model_add(model->front[0], STATS_table_mismatches, 1);
        }
        break;
    case MODEL_clock_jump:
        if (strike->said++ == 0) {
            model->wall_ms +=
                (uint64_t)(int64_t)(mixed(5, 90000, s) * (model_uniform(model, -1, 1) < 0 ? 1000 : -1000));
        }
        moment->miss_share = fmax(moment->miss_share, 0.3 * s * fmax(0, 1 - at_s / 20));
        break;
    case MODEL_disk_full:
        if (due) {
            strike->next_ms = model->mono_ms + 2000;
            model_tell(model, (struct wire_event){.kind = WIRE_EVENT_DISK_FULL}, "", "no space left", "");
        }
        model_put(model->supervisor, STATS_disk_free_bytes, 100000);
        moment->silent_database = true; // changes are refused
        break;
    case MODEL_cache_small:
        moment->miss_share = fmax(moment->miss_share, mixed(0.25, 0.7, s));
        moment->no_room = moment->load.checks * moment->miss_share;
        model->sessions = model->sessions_room;
        break;
    case MODEL_cold_start:
        moment->miss_share = fmax(moment->miss_share, fmax(0.2, (0.6 + 0.4 * s) * fmax(0, 1 - at_s / 60)));
        break;
    default:
        break;
    }
}

void model_apply(struct model *model, struct moment *moment, struct model_strike *strike)
{
    double at_s = (double)(model->mono_ms - strike->from_ms) / 1000;
    apply_database(model, moment, strike, at_s);
    apply_load(model, moment, strike, at_s);
    apply_process(model, moment, strike, at_s);
}
