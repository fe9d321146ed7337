// SPDX-License-Identifier: ISC
// From raw series and facts to the figures that causes are judged by. Runs in stayd-watch.
// 1. A figure that is not known is NAN; no predicate holds by it that asks for at least something.
// 2. "Before" is the baseline taken at the onset; it does not move while the episode lasts.
#include "watch/scene.h"

#include "watch/bounds.h"

#include <math.h>
#include <stdio.h>

static const struct figure_row {
    const char *unit;
    enum signal signal; // SIGNAL_COUNT: worked out below
} figure_rows[FIGURE_COUNT] = {
#define SIGNAL_NONE              SIGNAL_COUNT
#define FIGURE(id, unit, signal) [FIGURE_##id] = {unit, SIGNAL_##signal},
#include "watch/figures.def"
#undef FIGURE
};

const char *figure_unit(enum figure_id figure)
{
    return figure_rows[figure].unit;
}

// ---- what was usual --------------------------------------------------------------------------------------

void baseline_take(struct baseline *baseline, const struct series *series, uint64_t onset_ms)
{
    uint32_t ago = (uint32_t)(series_now(series).mono_ns / 1000000u - onset_ms);
    const struct window usual = {ago + BEFORE_MS, ago + BEFORE_GAP_MS};
    const struct window shortly = {ago + SHORTLY_MS, ago + BEFORE_GAP_MS};
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        baseline->signal[i] = series_value(series, (enum signal)i, usual);
        baseline->arrivals[i] = series_value(series, (enum signal)i, shortly);
    }
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++) {
        baseline->stage_ms[i] = series_stage_ms(series, (enum stats_histogram)i, usual);
    }
    baseline->onset_ms = onset_ms;
    baseline->taken = true;
}

// ---- the simple ones -------------------------------------------------------------------------------------

static double now_of(const struct scene *scene, enum signal signal)
{
    struct window window = scene->now;
    bool rate = signal_rows[signal].kind == SIGNAL_RATE || signal_rows[signal].kind == SIGNAL_REQUESTS;
    if (rate && window.from_ms_ago < NOW_RATES_MIN_MS) {
        window.from_ms_ago = NOW_RATES_MIN_MS;
    }
    return series_value(scene->series, signal, window);
}

static double known_or(double value, double otherwise)
{
    return isnan(value) ? otherwise : value;
}

static void set(struct scene *scene, enum figure_id figure, double now, double before)
{
    scene->figure[figure] = (struct figure){now, before};
}

// A signal as it is, times a factor.
static void set_signal(struct scene *scene, enum figure_id figure, enum signal signal, double factor)
{
    set(scene, figure, now_of(scene, signal) * factor, scene->baseline->signal[signal] * factor);
}

static void take_signals(struct scene *scene)
{
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        if (figure_rows[i].signal != SIGNAL_COUNT) {
            set_signal(scene, (enum figure_id)i, figure_rows[i].signal, 1);
        } else {
            set(scene, (enum figure_id)i, SERIES_UNKNOWN, SERIES_UNKNOWN);
        }
    }
    scene->figure[FIGURE_logins].before = scene->baseline->arrivals[SIGNAL_logins_arrived];
    set_signal(scene, FIGURE_pool_full, SIGNAL_pool_full, 100);
    set_signal(scene, FIGURE_pool_of_max, SIGNAL_pool_open_of_max, 100);
    set_signal(scene, FIGURE_table_full, SIGNAL_sessions_full, 100);
}

// ---- load ------------------------------------------------------------------------------------------------

// The most log-ins that can be such as were sent away before and come again.
static double logins_again(const struct series *series, uint32_t ago)
{
    const uint32_t step = 300;
    double again = 0;
    for (uint32_t back = ago + 800; back <= ago + 3200; back += step) {
        const struct window window = {back + step, back};
        double refused = known_or(series_value(series, SIGNAL_logins_short, window), 0) +
                         known_or(series_value(series, SIGNAL_logins_told_to_wait, window), 0);
        again = fmax(again, refused);
    }
    return again;
}

// Log-ins that arrive in the short time from `ago` on, less those who may have come again.
static double novel_logins(const struct series *series, uint32_t ago)
{
    double again = logins_again(series, ago);
    double arrived = series_value(series, SIGNAL_logins_arrived, (struct window){ago, ago - JUMP_MS});
    return fmax(0, known_or(arrived, 0) - again);
}

static double login_jump(struct scene *scene)
{
    double usual = scene->baseline->arrivals[SIGNAL_logins_arrived], largest = SERIES_UNKNOWN;
    uint64_t since = scene->now_ms - scene->detected->onset_ms + JUMP_BEFORE_MS;
    uint32_t oldest = since < JUMP_BACK_MS ? (uint32_t)since : JUMP_BACK_MS;
    for (uint32_t ago = JUMP_MS; ago <= oldest && usual > 0; ago += 200) {
        double novel = novel_logins(scene->series, ago);
        double just_before = known_or(
            series_value(scene->series, SIGNAL_logins_arrived, (struct window){ago + 2000, ago + 200}),
            usual);
        double from = fmax(usual, just_before); // a slow rise is no step
        double noise = JUMP_SIGMAS * sqrt(fmax(from, 1) * JUMP_MS / 1000) * 1000 / JUMP_MS;
        double jump = novel > from + noise ? novel / from : fmin(novel / from, 1.4);
        if (isnan(largest) || jump > largest) {
            largest = jump;
            scene->jumped_ms_ago = jump >= 1.5 ? ago : scene->jumped_ms_ago;
        }
    }
    return largest;
}

static double arrivals_of(const double *value)
{
    static const enum signal parts[] = {SIGNAL_logins_arrived,        SIGNAL_changes_arrived,
                                        SIGNAL_registrations_arrived, SIGNAL_lookups_arrived,
                                        SIGNAL_refused_source,        SIGNAL_connections_source_full};
    double sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        sum += known_or(value[parts[i]], 0);
    }
    return sum;
}

// In %: what the busiest sources send, where that is more than people would; all of it where sources have
// been shut out for sending too much.
static double heavy_of(const double *value, double arrivals)
{
    double shut_out =
        known_or(value[SIGNAL_refused_source], 0) + known_or(value[SIGNAL_connections_source_full], 0);
    double share = known_or(value[SIGNAL_sources_heaviest], 0) / 1000;
    if (arrivals > 0 && shut_out > arrivals / 2) {
        return 100;
    }
    return share * arrivals / 8 >= HEAVY_SOURCE_RATE ? share * 100 : 0;
}

// Log-ins that are wrong. Where few are decided, as the database or hashing is slow, those sent away are
// taken to be like them.
static double guesses_of(const double *value, double window_s)
{
    double wrong = value[SIGNAL_guesses_refused] + value[SIGNAL_guesses_throttled];
    double decided = wrong + known_or(value[SIGNAL_logins_granted], 0);
    double arrived = known_or(value[SIGNAL_logins_arrived], 0);
    bool sample = decided * window_s >= GUESSES_DECIDED_MIN;
    return sample && arrived > decided ? arrived * wrong / decided : wrong;
}

static void take_load(struct scene *scene)
{
    double now[SIGNAL_COUNT];
    const double *before = scene->baseline->arrivals;
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        now[i] = signal_rows[i].kind == SIGNAL_RATE ? now_of(scene, (enum signal)i) : SERIES_UNKNOWN;
    }
    now[SIGNAL_sources_heaviest] =
        series_value(scene->series, SIGNAL_sources_heaviest, (struct window){SERIES_SAMPLE_MS, 0});
    double arrive = arrivals_of(now), arrived = arrivals_of(before);
    double heavy = heavy_of(now, arrive), was_heavy = heavy_of(before, arrived);
    set(scene, FIGURE_login_jump, login_jump(scene), 1);
    set(scene, FIGURE_arrivals, arrive, arrived);
    set(scene, FIGURE_newcomers, fmax(0, arrive - logins_again(scene->series, 0)), arrived);
    // Fronts count sources by the second: just after a step they still speak of before.
    bool stale =
        scene->now_ms - scene->detected->onset_ms < SOURCES_LATE_MS || scene->jumped_ms_ago < SOURCES_LATE_MS;
    set(scene, FIGURE_heavy, stale ? SERIES_UNKNOWN : heavy, was_heavy);
    set(scene, FIGURE_heavy_rate, heavy * arrive / 100, was_heavy * arrived / 100);
    double window_s = fmax(NOW_RATES_MIN_MS, scene->now.from_ms_ago) / 1000;
    double wrong = guesses_of(now, window_s), was_wrong = guesses_of(before, (double)SHORTLY_MS / 1000);
    double more = known_or(now[SIGNAL_logins_arrived], 0) - known_or(before[SIGNAL_logins_arrived], 0);
    double more_wrong = wrong - known_or(was_wrong, 0);
    set(scene, FIGURE_guesses, wrong, was_wrong);
    set(scene, FIGURE_guess_share, more_wrong > 0 ? 100 * more_wrong / fmax(more, more_wrong) : 0,
        SERIES_UNKNOWN);
}

// ---- hashing and processors ------------------------------------------------------------------------------

static double felt(const struct scene *scene)
{
    const struct figure *hash = &scene->figure[FIGURE_hash_time];
    double check = now_of(scene, SIGNAL_check_ms) / scene->baseline->signal[SIGNAL_check_ms];
    double pressed = now_of(scene, SIGNAL_pressure_cpu) - scene->baseline->signal[SIGNAL_pressure_cpu];
    double rates = now_of(scene, SIGNAL_checks_arrived_all);
    if (!isnan(hash->now / hash->before)) {
        return hash->now / hash->before;
    }
    return !isnan(check) && rates > 50 ? check : 1 + fmax(0, known_or(pressed, 0)) * 2;
}

static void take_processors(struct scene *scene)
{
    double limit = now_of(scene, SIGNAL_processors_limit);
    // It becomes known a second after much is used: the newest look counts.
    double database =
        known_or(series_value(scene->series, SIGNAL_processors_database, (struct window){600, 0}), 0);
    double others = now_of(scene, SIGNAL_processors_others);
    double now = fmax(0, others - database) + now_of(scene, SIGNAL_processors_stolen);
    double before =
        scene->baseline->signal[SIGNAL_processors_others] + scene->baseline->signal[SIGNAL_processors_stolen];
    scene->others_more = (now - before) / 1000;
    double full = known_or(now_of(scene, SIGNAL_hash_full), 0);
    double busy = known_or(now_of(scene, SIGNAL_hash_busy) / now_of(scene, SIGNAL_hash_workers), 0);
    set(scene, FIGURE_others_cpu, limit > 0 ? 100 * now / limit : SERIES_UNKNOWN,
        limit > 0 ? 100 * before / limit : SERIES_UNKNOWN);
    set(scene, FIGURE_cpu_felt, felt(scene), 1);
    set(scene, FIGURE_hash_full, 100 * fmin(1, fmax(full, busy)),
        100 * scene->baseline->signal[SIGNAL_hash_full]);
}

// ---- the database ----------------------------------------------------------------------------------------

struct held { // time that operations held connections: as it is, and as it would be at what was usual
    double now, usual, calls;
};

static struct held held_by(const struct scene *scene, unsigned operation)
{
    struct series_operation seen = series_operation(scene->series, operation, scene->now);
    double before_ms = scene->detected->hold_before_ms[operation];
    double calls = known_or(seen.rate, 0) * (scene->now.from_ms_ago - scene->now.to_ms_ago) / 1000;
    if (calls < 0.9 || isnan(before_ms) || before_ms <= 0) {
        return (struct held){0};
    }
    return (struct held){.now = calls * seen.hold_ms, .usual = calls * before_ms, .calls = calls};
}

static void take_worst_statement(struct scene *scene)
{
    struct held all = {0}, worst = {0};
    double added = 0;
    for (unsigned i = 0; i < SERIES_OPERATIONS; i++) {
        struct held held = held_by(scene, i);
        all.now += held.now;
        all.usual += held.usual;
        added += fmax(0, held.now - held.usual);
        if (held.calls >= STATEMENT_FEW && held.now - held.usual > worst.now - worst.usual) {
            worst = held;
            scene->operation = (int)i;
        }
    }
    double others =
        all.usual > worst.usual ? (all.now - worst.now) / (all.usual - worst.usual) : SERIES_UNKNOWN;
    set(scene, FIGURE_all_statements, others, 1);
    if (scene->operation >= 0) {
        double grown = worst.now / worst.usual;
        scene->at_work = worst.now / (scene->now.from_ms_ago - scene->now.to_ms_ago);
        set(scene, FIGURE_statement, worst.now / worst.calls, worst.usual / worst.calls);
        set(scene, FIGURE_statement_apart, grown / fmax(1, known_or(others, 1)), SERIES_UNKNOWN);
        set(scene, FIGURE_statement_share, 100 * (worst.now - worst.usual) / added, SERIES_UNKNOWN);
    }
}

// Store says it when a statement's plan has changed, or when it alone is slow for a while.
static void take_slow_fact(struct scene *scene)
{
    const struct fact *fact = scene->slow;
    if (fact == NULL || fact->mono_ms + FACT_FRESH_MS < scene->now_ms) {
        return;
    }
    for (unsigned i = 0; i < SERIES_OPERATIONS; i++) {
        if (view_equal(view_of_cstr(fact->name), view_of_cstr(series_operation_name(i)))) {
            scene->operation = (int)i;
        }
    }
    double now_ms = (double)fact->a / 1000, before_ms = fact->b == 0 ? 1 : (double)fact->b / 1000;
    set(scene, FIGURE_statement, now_ms, before_ms);
    set(scene, FIGURE_statement_apart, fmax(5, known_or(scene->figure[FIGURE_statement_apart].now, 0)),
        SERIES_UNKNOWN);
    set(scene, FIGURE_statement_share, fmax(60, known_or(scene->figure[FIGURE_statement_share].now, 0)),
        SERIES_UNKNOWN);
}

// What of a trivial statement's time is the network's. Half of what the network adds is added to the answers'
// way back; a server that does not get to work is slow to hear, not slow to answer.
static void take_way(struct scene *scene)
{
    const double *before = scene->baseline->signal;
    uint64_t lasted_ms = scene->now_ms - scene->detected->onset_ms;
    struct window window = scene->now; // few are asked, and of a network that loses some only some are late
    window.from_ms_ago = lasted_ms > WAY_MAX_MS           ? WAY_MAX_MS
                         : lasted_ms > window.from_ms_ago ? (uint32_t)lasted_ms
                                                          : window.from_ms_ago;
    double probe = series_value(scene->series, SIGNAL_probe_ms, window);
    double server = series_value(scene->series, SIGNAL_probe_server_ms, window);
    double back = series_value(scene->series, SIGNAL_probe_back_ms, window) - before[SIGNAL_probe_back_ms];
    double usual = before[SIGNAL_probe_ms] - before[SIGNAL_probe_server_ms];
    double added = probe - before[SIGNAL_probe_ms];
    bool unheard = isnan(probe) && lasted_ms < UNHEARD_MS;
    set(scene, FIGURE_unheard, isnan(before[SIGNAL_probe_ms]) ? SERIES_UNKNOWN : unheard, SERIES_UNKNOWN);
    double way = fmin(usual + 2 * fmax(0, back), probe - server);
    set(scene, FIGURE_way, way, fmax(usual, 0.05));
    set(scene, FIGURE_way_share, added > 1 ? 100 * fmax(0, fmin(1, (way - usual) / added)) : SERIES_UNKNOWN,
        SERIES_UNKNOWN);
}

static void take_database(struct scene *scene)
{
    uint64_t since = scene->detected->onset_ms > 60000 ? scene->detected->onset_ms - 60000 : 0;
    double available = series_value(scene->series, SIGNAL_store_available, (struct window){300, 0});
    const struct fact *down =
        facts_standing(scene->facts, WIRE_EVENT_DATABASE_DOWN, WIRE_EVENT_DATABASE_UP, since);
    // A store that crashed after it said so, and whose successor found all well, never says that it is back.
    if (down != NULL && available >= 1 && scene->now_ms - down->mono_ms >= DOWN_SHOWS_MS) {
        down = NULL;
    }
    bool gone = available <= 0 || down != NULL;
    scene->down = down;
    uint64_t from = down != NULL ? down->mono_ms : scene->detected->onset_ms;
    double waiting = known_or(now_of(scene, SIGNAL_database_waiting_lock), 0);
    set(scene, FIGURE_away, gone ? fmax(200, (double)(scene->now_ms - from)) : 0, SERIES_UNKNOWN);
    set(scene, FIGURE_moved, scene->moved != NULL, SERIES_UNKNOWN);
    set(scene, FIGURE_locked, fmax(waiting, scene->lock != NULL ? 1 : 0), SERIES_UNKNOWN);
    take_worst_statement(scene);
    if (isnan(scene->figure[FIGURE_all_statements].now) && scene->operation < 0) {
        const struct figure *hold = &scene->figure[FIGURE_hold]; // a store that does not count by operation
        set(scene, FIGURE_all_statements, hold->now / hold->before, 1);
    }
    take_slow_fact(scene);
    take_way(scene);
}

// ---- processes and the rest ------------------------------------------------------------------------------

static uint64_t shortly_before_onset(const struct scene *scene)
{
    return scene->detected->onset_ms > FACT_BEFORE_MS ? scene->detected->onset_ms - FACT_BEFORE_MS : 0;
}

static unsigned deaths(struct scene *scene)
{
    unsigned count = 0;
    const struct fact *fact;
    for (uint64_t number = facts_count(scene->facts); (fact = facts_get(scene->facts, number)) != NULL;
         number--) {
        bool unasked = fact->a == WIRE_EVENT_CRASHED || (fact->a == WIRE_EVENT_LEFT && fact->b != 0);
        if (fact->kind == WIRE_EVENT_PROCESS_DIED && unasked &&
            fact->mono_ms >= shortly_before_onset(scene)) {
            scene->death = scene->death == NULL ? fact : scene->death;
            count++;
        }
    }
    return count;
}

static double silent_ms(struct scene *scene)
{
    double oldest = 0;
    uint64_t since = shortly_before_onset(scene);
    const struct fact *hung = facts_last(scene->facts, WIRE_EVENT_PROCESS_HUNG, since);
    scene->process_hung = detect_silent(scene->series, scene->facts);
    if (scene->process_hung >= 0) {
        return series_process(scene->series, (unsigned)scene->process_hung).heartbeat_age_ms;
    }
    for (unsigned i = 0; i < series_processes(scene->series); i++) {
        struct series_process process = series_process(scene->series, i);
        oldest = fmax(oldest, known_or(process.heartbeat_age_ms, 0));
        if (hung != NULL && process.role == (enum stats_role)hung->role && process.index == hung->index) {
            scene->process_hung = (int)i;
        }
    }
    return hung != NULL ? fmax(HEARTBEAT_OLD_MS, (double)hung->a) : fmin(oldest, HEARTBEAT_OLD_MS - 1);
}

static double grown(struct scene *scene)
{
    enum series_resource resource;
    struct series_growth growth;
    scene->process_leaking = detect_leaking(scene->series, &resource, &growth);
    if (scene->process_leaking < 0) {
        return 0;
    }
    struct series_process process = series_process(scene->series, (unsigned)scene->process_leaking);
    bool memory = resource == SERIES_MEMORY;
    double unit = memory ? 1048576 : 1;
    snprintf(scene->text_leak, sizeof(scene->text_leak),
             "%s %u grew by %.0f %s in %u s without pause, to %.0f", stats_role_name(process.role),
             process.index, (growth.last - growth.first) / unit, memory ? "MiB" : "descriptors",
             growth.points, growth.last / unit);
    return fmax(1, (growth.last - growth.first) / unit);
}

static double mismatched(const struct scene *scene)
{
    uint32_t ago = (uint32_t)(scene->now_ms - scene->detected->onset_ms) + 1000;
    const struct fact *told = facts_last(scene->facts, WIRE_EVENT_MISMATCH, shortly_before_onset(scene));
    double counted = series_total(scene->series, SIGNAL_mismatches, (struct window){ago, 0});
    return fmax(counted, told == NULL ? 0 : fmax(1, (double)told->a));
}

static double uptime_s(const struct scene *scene)
{
    double longest = 0;
    for (unsigned i = 0; i < series_processes(scene->series); i++) {
        longest = fmax(longest, series_process(scene->series, i).uptime_s);
    }
    return longest;
}

// Those that nobody has a session for would find none in a full table either.
static double missed(const struct scene *scene)
{
    double checks = now_of(scene, SIGNAL_checks_arrived_all), none = now_of(scene, SIGNAL_lookups_none);
    double misses = fmax(0, now_of(scene, SIGNAL_misses) - (isnan(none) ? 0 : none));
    return checks >= 5 ? fmin(100, 100 * misses / checks) : SERIES_UNKNOWN;
}

static const struct fact *own_change(const struct scene *scene)
{
    uint64_t onset = scene->detected->onset_ms;
    uint64_t since = onset > OWN_CHANGE_MS ? onset - OWN_CHANGE_MS : 0;
    const struct fact *fact;
    for (uint64_t number = facts_count(scene->facts); (fact = facts_get(scene->facts, number)) != NULL;
         number--) {
        bool reload = fact->kind == WIRE_EVENT_RELOADED && (fact->a == 0 || fact->text[0] != '\0');
        bool start = fact->kind == WIRE_EVENT_STARTED &&
                     scene->now_ms - scene->detected->detected_ms >= OWN_START_AFTER_MS;
        bool change = reload || fact->kind == WIRE_EVENT_CONFIG_CHANGED || start;
        if (change && fact->mono_ms >= since && fact->mono_ms <= onset + OWN_CHANGE_LATE_MS) {
            return fact;
        }
    }
    return NULL;
}

static void take_rest(struct scene *scene)
{
    uint32_t ago = (uint32_t)(scene->now_ms - scene->detected->onset_ms) + 2000;
    double step_ms = series_clock_step_ms(scene->series, (struct window){ago, 0});
    double space = series_value(scene->series, SIGNAL_disk_free, (struct window){2000, 0});
    const struct fact *full = facts_last(scene->facts, WIRE_EVENT_DISK_FULL, shortly_before_onset(scene));
    set(scene, FIGURE_deaths, deaths(scene), SERIES_UNKNOWN);
    set(scene, FIGURE_silent, silent_ms(scene), SERIES_UNKNOWN);
    set(scene, FIGURE_leaking, grown(scene), SERIES_UNKNOWN);
    set(scene, FIGURE_mismatched, mismatched(scene), SERIES_UNKNOWN);
    set(scene, FIGURE_clock, fabs(step_ms) / 1000, SERIES_UNKNOWN);
    set(scene, FIGURE_uptime, uptime_s(scene), SERIES_UNKNOWN);
    set(scene, FIGURE_missed, missed(scene), SERIES_UNKNOWN);
    set(scene, FIGURE_changed, scene->change != NULL, SERIES_UNKNOWN);
    set(scene, FIGURE_full, full != NULL || space < DISK_FREE_MIN, SERIES_UNKNOWN);
}

static const struct fact *moved_elsewhere(const struct scene *scene)
{
    const struct fact *fact =
        facts_last(scene->facts, WIRE_EVENT_DATABASE_MOVED, shortly_before_onset(scene));
    bool same = fact != NULL && strstr(fact->text, "anew") != NULL;
    return same ? NULL : fact;
}

void scene_take(struct scene *scene, const struct series *series, const struct facts *facts,
                const struct detected *detected, const struct baseline *baseline)
{
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    uint64_t since = now_ms > 60000 ? now_ms - 60000 : 0;
    uint64_t lasted = now_ms - detected->onset_ms;
    *scene = (struct scene){.series = series,
                            .facts = facts,
                            .detected = detected,
                            .baseline = baseline,
                            .now_ms = now_ms,
                            .operation = -1,
                            .jumped_ms_ago = UINT32_MAX,
                            .process_hung = -1,
                            .process_leaking = -1};
    scene->now.from_ms_ago = lasted < NOW_MIN_MS   ? NOW_MIN_MS
                             : lasted > NOW_MAX_MS ? NOW_MAX_MS
                                                   : (uint32_t)lasted;
    scene->lock = facts_standing(facts, WIRE_EVENT_LOCK_HELD, WIRE_EVENT_LOCK_GONE, since);
    scene->slow = facts_last(facts, WIRE_EVENT_STATEMENT_SLOW, shortly_before_onset(scene));
    uint64_t fresh_ms = now_ms > PROGRAM_FRESH_MS ? now_ms - PROGRAM_FRESH_MS : 0;
    uint64_t onset_ms = shortly_before_onset(scene);
    scene->program = facts_last(facts, WIRE_EVENT_PROGRAM_BUSY, onset_ms < fresh_ms ? onset_ms : fresh_ms);
    scene->moved = moved_elsewhere(scene);
    scene->change = own_change(scene);
    take_signals(scene);
    take_load(scene);
    take_processors(scene);
    take_database(scene);
    take_rest(scene);
    scene_name(scene);
}
