// SPDX-License-Identifier: ISC
// Symptoms, and what opens and closes an episode. Runs in stayd-watch.
// 1. An episode opens at the first look that sees any symptom, and closes when none was seen for
// CLOSE_AFTER_MS.
// 2. Its onset is the earliest moment at which one of its signs began, and is only ever made earlier.
// 3. What is usual is not learned while an episode is open.
#include "watch/detect.h"

#include "watch/bounds.h"

#include <math.h>
#include <stdlib.h>

static const char *const ids[SYMPTOM_COUNT] = {
#define SYMPTOM(id, text) [SYMPTOM_##id] = #id,
#include "watch/symptoms.def"
#undef SYMPTOM
};
static const char *const texts[SYMPTOM_COUNT] = {
#define SYMPTOM(id, text) [SYMPTOM_##id] = text,
#include "watch/symptoms.def"
#undef SYMPTOM
};

const char *symptom_id(enum symptom symptom)
{
    return ids[symptom];
}

const char *symptom_text(enum symptom symptom)
{
    return texts[symptom];
}

struct detect {
    struct detected seen;
    struct changes changes;
    uint64_t fact;                    // the last one taken note of
    uint64_t until_ms[SYMPTOM_COUNT]; // an event counts for a while
    uint64_t event_ms;                // when the newest of those happened
    bool available;                   // the database was there
    uint64_t learned_ms;
    uint64_t taken_ms; // since when others take the processors; 0: they do not
};

struct detect *detect_new(void)
{
    struct detect *detect = calloc(1, sizeof(struct detect));
    for (unsigned i = 0; detect != NULL && i < SERIES_OPERATIONS; i++) {
        detect->seen.hold_before_ms[i] = SERIES_UNKNOWN;
    }
    return detect;
}

void detect_free(struct detect **detect)
{
    free(*detect);
    *detect = NULL;
}

const struct detected *detect_seen(const struct detect *detect)
{
    return &detect->seen;
}

static const struct window second = {1000, 0};

// ---- broken invariants ---------------------------------------------------------------------------------

// An event is a symptom for a while, from the moment it happened.
static void note_event(struct detect *detect, const struct fact *fact, uint64_t now_ms)
{
    enum symptom symptom = SYMPTOM_COUNT;
    switch (fact->kind) {
    case WIRE_EVENT_PROCESS_DIED:
        symptom = fact->a == WIRE_EVENT_CRASHED || (fact->a == WIRE_EVENT_LEFT && fact->b != 0)
                      ? SYMPTOM_death
                  : fact->a == WIRE_EVENT_WAS_HUNG ? SYMPTOM_hung
                                                   : SYMPTOM_COUNT;
        break;
    case WIRE_EVENT_PROCESS_HUNG:
        symptom = SYMPTOM_hung;
        break;
    case WIRE_EVENT_DATABASE_DOWN:
        symptom = SYMPTOM_database_gone;
        break;
    case WIRE_EVENT_DATABASE_MOVED:
        symptom = SYMPTOM_moved;
        break;
    case WIRE_EVENT_DISK_FULL:
        symptom = SYMPTOM_disk_full;
        break;
    case WIRE_EVENT_MISMATCH:
        symptom = SYMPTOM_mismatch;
        break;
    case WIRE_EVENT_STATEMENT_SLOW:
        symptom = SYMPTOM_statement;
        break;
    default:
        break;
    }
    if (symptom != SYMPTOM_COUNT) {
        detect->until_ms[symptom] = now_ms + EVENT_LASTS_MS;
        detect->event_ms = fact->mono_ms;
    }
}

static void note_events(struct detect *detect, const struct facts *facts, uint64_t now_ms)
{
    uint64_t count = facts_count(facts);
    uint64_t from = count > FACTS_MAX && detect->fact < count - FACTS_MAX ? count - FACTS_MAX : detect->fact;
    for (uint64_t number = from + 1; number <= count; number++) {
        const struct fact *fact = facts_get(facts, number);
        if (fact != NULL && fact->mono_ms + EVENT_NEW_MS >= now_ms) { // not what is told again to a new watch
            note_event(detect, fact, now_ms);
        }
    }
    detect->fact = count;
}

static bool died_since(const struct facts *facts, const struct series_process *process, uint64_t since_ms)
{
    const struct fact *fact = facts_last(facts, WIRE_EVENT_PROCESS_DIED, since_ms);
    return fact != NULL && fact->role == process->role && fact->index == process->index;
}

// Someone does not answer while a front does: when all have gone quiet, stayd is being stopped.
int detect_silent(const struct series *series, const struct facts *facts)
{
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    int silent = -1;
    bool serving = false;
    for (unsigned i = 0; i < series_processes(series); i++) {
        struct series_process process = series_process(series, i);
        bool old = process.heartbeat_age_ms >= HEARTBEAT_OLD_MS && process.uptime_s >= HEARTBEAT_UPTIME_S;
        serving |= process.role == STATS_ROLE_front && process.heartbeat_age_ms < HEARTBEAT_OLD_MS;
        if (old && !died_since(facts, &process, now_ms - (uint64_t)process.heartbeat_age_ms)) {
            silent = silent < 0 ? (int)i : silent;
        }
    }
    bool slept = series_gap_ms_ago(series) < AFTER_GAP_MS;
    bool front = silent >= 0 && series_process(series, (unsigned)silent).role == STATS_ROLE_front;
    return slept || (!serving && !front) ? -1 : silent;
}

static bool is_stuck(const struct series *series)
{
    static const enum signal coming[] = {SIGNAL_logins_arrived, SIGNAL_changes_arrived,
                                         SIGNAL_registrations_arrived, SIGNAL_lookups_arrived};
    const struct window window = {STUCK_MS, 0};
    double arrived = 0;
    for (size_t i = 0; i < sizeof coming / sizeof coming[0]; i++) {
        arrived += series_total(series, coming[i], window);
    }
    double answered = series_total(series, SIGNAL_logins_answered_all, window) +
                      series_total(series, SIGNAL_changes_answered_all, window);
    return arrived >= STUCK_ARRIVALS_MIN && answered <= 0 &&
           series_value(series, SIGNAL_core_waiting, window) >= 1 &&
           series_gap_ms_ago(series) > AFTER_GAP_MS && series_span_ms(series) >= STUCK_SPAN_MS;
}

static bool is_locked(const struct series *series, const struct facts *facts, uint64_t now_ms)
{
    uint64_t since = now_ms > 60000 ? now_ms - 60000 : 0;
    const struct fact *held = facts_standing(facts, WIRE_EVENT_LOCK_HELD, WIRE_EVENT_LOCK_GONE, since);
    bool told = held != NULL && held->a >= LOCK_HELD_MS && held->mono_ms + 5000 > now_ms;
    return told || series_value(series, SIGNAL_database_waiting_lock, (struct window){LOCK_WAITING_MS, 0}) >=
                       LOCK_WAITING;
}

// The database was there and is not.
static bool is_gone(struct detect *detect, const struct series *series)
{
    double available = series_value(series, SIGNAL_store_available, (struct window){300, 0});
    detect->available |= available >= 1;
    return detect->available && available <= 0;
}

static bool is_full(const struct series *series)
{
    double free_bytes = series_value(series, SIGNAL_disk_free, second);
    double size_bytes = series_value(series, SIGNAL_disk_size, second);
    return size_bytes > 0 && free_bytes < DISK_FREE_MIN && free_bytes < size_bytes / 50;
}

static bool table_is_small(const struct series *series)
{
    const struct window window = {CACHE_MS, 0};
    double checks = series_total(series, SIGNAL_checks_arrived_all, window);
    return series_value(series, SIGNAL_sessions_full, (struct window){CACHE_FULL_MS, 0}) >= CACHE_FULL &&
           series_value(series, SIGNAL_sessions_no_room, window) >= CACHE_NO_ROOM && checks >= 20 &&
           series_total(series, SIGNAL_misses, window) >= CACHE_MISSED * checks;
}

// Little by little over a while, or much at once: both without pause.
static bool grows(const struct series *series, unsigned process, enum series_resource resource,
                  struct series_growth *growth)
{
    static const struct {
        uint32_t seconds;
        double least[2], share, rising; // least: by resource
    } ways[] = {
        {LEAK_SECONDS, {LEAK_BYTES_MIN, LEAK_DESCRIPTORS_MIN}, LEAK_SHARE_MIN, LEAK_RISING_MIN},
        {LEAK_FAST_SECONDS, {LEAK_FAST_BYTES_MIN, LEAK_FAST_DESCRIPTORS_MIN}, LEAK_FAST_SHARE_MIN, 0.99},
    };
    // A front's connections are descriptors of it, and no leak.
    bool counts_connections =
        resource == SERIES_DESCRIPTORS && series_process(series, process).role == STATS_ROLE_front;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        *growth = series_growth(series, process, resource, ways[i].seconds);
        double grown = growth->last - growth->first;
        if (counts_connections && grown >= ways[i].least[resource]) {
            // Both are lines through the same seconds, but not read at the same moment of them.
            double connections = fmax(0, series_rise(series, SIGNAL_connections_open, growth->points));
            grown -= connections + connections / 2;
        }
        if (growth->points >= ways[i].seconds * 3 / 4 && growth->rising >= ways[i].rising &&
            grown >= ways[i].least[resource] && grown >= ways[i].share * growth->first) {
            return true;
        }
    }
    return false;
}

int detect_leaking(const struct series *series, enum series_resource *resource, struct series_growth *growth)
{
    for (unsigned i = 0; i < 2 * series_processes(series); i++) {
        enum series_resource which = i % 2 == 0 ? SERIES_MEMORY : SERIES_DESCRIPTORS;
        struct series_process process = series_process(series, i / 2);
        struct series_growth seen;
        bool full =
            which == SERIES_DESCRIPTORS && process.descriptors >= DESCRIPTORS_FULL * process.descriptors_max;
        if (process.uptime_s >= LEAK_UPTIME_S && (grows(series, i / 2, which, &seen) || full)) {
            *resource = which;
            *growth = seen;
            return (int)(i / 2);
        }
    }
    return -1;
}

static void look_at_invariants(struct detect *detect, const struct series *series, const struct facts *facts,
                               uint64_t now_ms)
{
    enum series_resource resource;
    struct series_growth growth;
    bool *now = detect->seen.now;
    note_events(detect, facts, now_ms);
    for (unsigned i = 0; i < SYMPTOM_COUNT; i++) {
        now[i] = detect->until_ms[i] > now_ms;
    }
    now[SYMPTOM_mismatch] |= series_total(series, SIGNAL_mismatches, (struct window){500, 0}) > 0;
    now[SYMPTOM_hung] |= detect_silent(series, facts) >= 0;
    now[SYMPTOM_database_gone] |= is_gone(detect, series);
    now[SYMPTOM_disk_full] |= is_full(series);
    now[SYMPTOM_clock] |= fabs(series_clock_step_ms(series, second)) >= CLOCK_STEP_MS;
    now[SYMPTOM_stuck] |= is_stuck(series);
    now[SYMPTOM_lock] |= is_locked(series, facts, now_ms);
    now[SYMPTOM_cache] |= table_is_small(series);
    now[SYMPTOM_leak] |= detect_leaking(series, &resource, &growth) >= 0;
}

// ---- change-points -------------------------------------------------------------------------------------

static bool any_statement_is_slow(const struct detect *detect, const struct series *series)
{
    for (unsigned i = 0; i < SERIES_OPERATIONS; i++) {
        double before_ms = detect->seen.hold_before_ms[i];
        struct series_operation now = series_operation(series, i, second);
        if (now.rate >= STATEMENT_CALLS_MIN && now.hold_ms >= before_ms * STATEMENT_FACTOR &&
            now.hold_ms >= before_ms + STATEMENT_RISE_MS) {
            return true;
        }
    }
    return false;
}

static void learn_statements(struct detect *detect, const struct series *series, uint64_t now_ms)
{
    if (now_ms - detect->learned_ms < 1000) {
        return;
    }
    detect->learned_ms = now_ms;
    for (unsigned i = 0; i < SERIES_OPERATIONS; i++) {
        struct series_operation before =
            series_operation(series, i, (struct window){CHANGE_BASELINE_MS, CHANGE_RECENT_MS});
        if (!isnan(before.hold_ms)) {
            detect->seen.hold_before_ms[i] = before.hold_ms;
        }
    }
}

// Of all that arrives, the share that is sent away for want of room or for sending too much.
static bool many_are_sent_away(const struct series *series)
{
    double away = series_total(series, SIGNAL_requests_refused, second) +
                  series_total(series, SIGNAL_requests_failed, second) +
                  series_total(series, SIGNAL_requests_told_to_wait, second) +
                  series_total(series, SIGNAL_refused_source, second) +
                  series_total(series, SIGNAL_connections_source_full, second);
    double all = series_total(series, SIGNAL_logins_arrived, second) +
                 series_total(series, SIGNAL_changes_arrived, second) +
                 series_total(series, SIGNAL_lookups_arrived, second) +
                 series_total(series, SIGNAL_connections_made, second);
    return away >= BURN_FAST_MIN && away >= REFUSED_SHARE * all;
}

// More work makes everything on the machine busier: that is not somebody else's doing.
static bool load_is_usual(const struct detect *detect, const struct series *series)
{
    double usual = changes_find(&detect->changes, SIGNAL_logins_arrived)->median;
    double now = series_value(series, SIGNAL_logins_arrived, (struct window){2000, 0});
    return !(now > PROCESSORS_LOAD * usual);
}

static bool processors_are_taken(struct detect *detect, const struct series *series)
{
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    bool taken = change_raised(&detect->changes, SIGNAL_hash_ms) &&
                 change_raised(&detect->changes, SIGNAL_processors_others) && load_is_usual(detect, series);
    detect->taken_ms = !taken ? 0 : detect->taken_ms == 0 ? now_ms : detect->taken_ms;
    return taken && now_ms - detect->taken_ms >= PROCESSORS_MS;
}

static void look_at_changes(struct detect *detect, const struct series *series)
{
    const struct changes *changes = &detect->changes;
    bool *now = detect->seen.now;
    bool more =
        change_raised(changes, SIGNAL_logins_arrived) || change_raised(changes, SIGNAL_lookups_arrived) ||
        change_raised(changes, SIGNAL_changes_arrived) || change_raised(changes, SIGNAL_connections_made) ||
        change_raised(changes, SIGNAL_checks_arrived_all);
    now[SYMPTOM_statement] |= any_statement_is_slow(detect, series);
    now[SYMPTOM_arrivals] |= more && many_are_sent_away(series);
    now[SYMPTOM_guesses] |= change_raised(changes, SIGNAL_guesses_refused);
    now[SYMPTOM_waits] |= change_raised(changes, SIGNAL_pool_wait_ms) ||
                          change_raised(changes, SIGNAL_hash_wait_ms) ||
                          change_raised(changes, SIGNAL_gate_wait_ms);
    now[SYMPTOM_latency] |= change_raised(changes, SIGNAL_login_ms) ||
                            change_raised(changes, SIGNAL_check_ms) ||
                            change_raised(changes, SIGNAL_change_ms);
    now[SYMPTOM_processors] |= processors_are_taken(detect, series);
    now[SYMPTOM_sync] |= change_raised(changes, SIGNAL_sync_ms);
    now[SYMPTOM_network] |= change_raised(changes, SIGNAL_probe_ms);
}

// ---- the objective -------------------------------------------------------------------------------------

struct class_signals {
    enum signal arrived, refused, failed, slow;
};
static const struct class_signals classes[] = {
    {SIGNAL_checks_arrived_all, SIGNAL_checks_refused, SIGNAL_checks_failed, SIGNAL_check_slow},
    {SIGNAL_logins_answered_all, SIGNAL_logins_short, SIGNAL_logins_failed, SIGNAL_login_slow},
    {SIGNAL_changes_answered_all, SIGNAL_changes_short, SIGNAL_changes_failed, SIGNAL_change_slow},
};

static double bad_of(const struct series *series, const struct class_signals *class, struct window window)
{
    return series_total(series, class->refused, window) + series_total(series, class->failed, window) +
           series_total(series, class->slow, window);
}

static bool burns_fast(const struct series *series, const struct class_signals *class)
{
    const struct window fast = {BURN_FAST_MS, 0}, longer = {BURN_CONFIRM_MS, 0};
    double bad = bad_of(series, class, fast), all = series_total(series, class->arrived, fast);
    double bad_longer = bad_of(series, class, longer);
    double all_longer = series_total(series, class->arrived, longer);
    bool now =
        bad >= BURN_FAST_MIN && bad >= BURN_FAST_SHARE * all && bad_longer >= BURN_CONFIRM_SHARE * all_longer;
    bool thin = bad > 0 && bad_longer >= BURN_THIN_MIN && bad_longer >= BURN_THIN_SHARE * all_longer;
    return now || thin;
}

// Two windows, both too fast; what an earlier episode burned is not counted again.
static bool burns_long(const struct detect *detect, const struct series *series, uint32_t short_s,
                       uint32_t long_s, double rate, double least)
{
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    uint64_t since_s = detect->seen.ended_ms == 0 ? short_s : (now_ms - detect->seen.ended_ms) / 1000;
    struct series_burn soon = series_burn(series, since_s < short_s ? (uint32_t)since_s : short_s);
    struct series_burn late = series_burn(series, long_s), still = series_burn(series, BURN_STILL_S);
    double bound = rate * BURN_BUDGET;
    return soon.bad >= least && soon.bad >= bound * (soon.good + soon.bad) &&
           late.bad >= bound * (late.good + late.bad) && still.bad >= bound * (still.good + still.bad) / 2 &&
           still.bad >= 1;
}

static void look_at_objectives(struct detect *detect, const struct series *series)
{
    bool *now = detect->seen.now;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        now[SYMPTOM_burn_fast] |= burns_fast(series, &classes[i]);
    }
    now[SYMPTOM_burn_hour] |= burns_long(detect, series, 300, 3600, BURN_HOUR_RATE, BURN_HOUR_MIN);
    now[SYMPTOM_burn_hours] |= burns_long(detect, series, 1800, 21600, BURN_HOURS_RATE, BURN_HOURS_MIN);
}

// ---- episodes ------------------------------------------------------------------------------------------

// More may have come for long without harm to anybody: what harms now began later then.
static uint64_t goes_back_ms(enum signal signal)
{
    bool arrives = signal_rows[signal].kind == SIGNAL_RATE || signal_rows[signal].kind == SIGNAL_REQUESTS;
    return arrives ? ONSET_ARRIVALS_MS : ONSET_BACK_MS;
}

// The earliest that any sign of this began.
static uint64_t earliest(const struct detect *detect, uint64_t now_ms)
{
    uint64_t onset = now_ms - SERIES_SAMPLE_MS;
    for (unsigned i = 0; i < change_row_count; i++) {
        const struct change *change = &detect->changes.change[i];
        bool grown = change->alarm_ms != 0 || change->sum > CHANGE_ALARM;
        bool late = now_ms - change->since_ms <= goes_back_ms(change_rows[i].signal);
        if (grown && late && change->since_ms < onset) {
            onset = change->since_ms;
        }
    }
    bool told = detect->event_ms != 0 && detect->event_ms + 2000 >= now_ms;
    return told && detect->event_ms < onset ? detect->event_ms : onset;
}

static void open_episode(struct detect *detect, uint64_t now_ms)
{
    struct detected *seen = &detect->seen;
    seen->open = true;
    seen->episode++;
    seen->harmful = false;
    seen->detected_ms = now_ms;
    seen->ended_ms = 0;
    seen->onset_ms = earliest(detect, now_ms);
    for (unsigned i = SYMPTOM_COUNT; i-- > 0;) {
        seen->first = seen->now[i] ? (enum symptom)i : seen->first;
    }
}

static double longest_up_s(const struct series *series)
{
    double longest = 0;
    for (unsigned i = 0; i < series_processes(series); i++) {
        longest = fmax(longest, series_process(series, i).uptime_s);
    }
    return longest;
}

void detect_look(struct detect *detect, const struct series *series, const struct facts *facts)
{
    struct detected *seen = &detect->seen;
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    bool any = false;
    changes_look(&detect->changes, series, seen->open);
    look_at_invariants(detect, series, facts, now_ms);
    if (longest_up_s(series) >= START_GRACE_S) {
        look_at_changes(detect, series);
        look_at_objectives(detect, series);
    }
    for (unsigned i = 0; i < SYMPTOM_COUNT; i++) {
        any |= seen->now[i];
    }
    if (any && !seen->open) {
        open_episode(detect, now_ms);
    } else if (seen->open && now_ms - seen->detected_ms <= ONSET_MOVES_MS) {
        uint64_t onset = earliest(detect, now_ms);
        seen->onset_ms = onset < seen->onset_ms ? onset : seen->onset_ms;
    }
    seen->last_symptom_ms = any ? now_ms : seen->last_symptom_ms;
    seen->harmful |= seen->open && (seen->now[SYMPTOM_burn_fast] || seen->now[SYMPTOM_burn_hour] ||
                                    seen->now[SYMPTOM_burn_hours] || seen->now[SYMPTOM_death] ||
                                    seen->now[SYMPTOM_mismatch]);
    if (seen->open && now_ms - seen->last_symptom_ms >= CLOSE_AFTER_MS) {
        seen->open = false;
        seen->ended_ms = now_ms;
    }
    if (!seen->open && !any) {
        learn_statements(detect, series, now_ms);
    }
}
