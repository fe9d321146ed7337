// SPDX-License-Identifier: ISC
// What a run measured, and whether that is good enough. Runs in stayctl drill.
#include "drill/drill_parts.h"

#include "drill/ask.h"

#include <math.h>
#include <stdarg.h>
#include <unistd.h>

enum { POSTMORTEM_MAX = 1 << 18, ASK_MS = 2000, REFUSED_P99_MS = 100 };
#define SETTLE_S      2.0  // of the slow class, before what it does is counted
#define IN_FLIGHT_S   0.02 // what can be under way at a moment: arrivals of so long a time
#define IN_FLIGHT_MIN 3.0

static void measure_people(struct play *play)
{
    struct drill_measured *measured = &play->result->measured;
    double from_s = play->begun_s;
    double to_s = play->ended_s;
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        enum storm_class class = (enum storm_class)i;
        struct score_class all;
        score_people(&play->score, class, from_s, to_s, &measured->people[i]);
        score_people(&play->score, class, 0, 1e9, &all);
        score_answers(&play->score, class, from_s, play->asked_to_end_s, &measured->answers[i]);
        score_answers(&play->score, class, 0, from_s, &measured->calm[i]);
        measured->percent[i] = score_percent(&measured->people[i]);
        measured->wrong_identity += all.wrong;
    }
}

// What could be done once, by what the machine is like now. What the load itself takes of it is not stayd's
// to use.
static double now_left(const struct drill_machine *once, const struct drill_machine *now)
{
    double processors = (double)sysconf(_SC_NPROCESSORS_ONLN);
    return fmin(1, (processors - now->load_processors) / (processors - once->load_processors));
}

static double now_as_fast(double once_ms, double now_ms)
{
    return once_ms > 0 && now_ms > 0 ? once_ms / now_ms : 1;
}

static double able_to_hash(const struct drill_machine *once, const struct drill_machine *now)
{
    return now_left(once, now) * now_as_fast(once->yardstick_ms, now->yardstick_ms);
}

static double able_to_scan(const struct drill_machine *once, const struct drill_machine *now)
{
    return now_left(once, now) * now_as_fast(once->scan_ms, now->scan_ms);
}

// The share of what the database can do so that was done, once the bulkhead had closed.
static void measure_use(struct play *play)
{
    struct drill_measured *measured = &play->result->measured;
    enum storm_class slow = play->row->slow;
    bool of_degraded = (play->row->bars & DRILL_OF_DEGRADED_PEAK) != 0;
    double from_s = play->begun_s + (of_degraded ? PLAY_DEGRADED_SETTLED_S : SETTLE_S);
    uint64_t begin_ns = play->score.begin_mono_ns;
    measured->in_fault.yardstick_ms = yardstick_ms(&play->yardstick, begin_ns + (uint64_t)(from_s * 1e9),
                                                   begin_ns + (uint64_t)(play->asked_to_end_s * 1e9));
    double peak = measured->login_peak * able_to_hash(&measured->at_peak, &measured->in_fault);
    double degraded =
        measured->degraded_peak * able_to_scan(&measured->at_degraded_peak, &measured->in_fault);
    double rates = able_to_scan(&measured->alone, &measured->in_fault);
    double each_s = slow == STORM_login && peak > 0 ? 1 / peak : 0;
    for (unsigned i = 0; i < play->injections; i++) {
        each_s += play->injecting[i].rate > 0 ? 1 / (play->injecting[i].rate * rates) : 0;
    }
    double offered = slow == STORM_CLASSES
                         ? 0
                         : play->result->rates[slow] * (slow == STORM_login ? play->result->factor : 1);
    if (offered <= 0 || from_s >= play->asked_to_end_s) {
        return;
    }
    double able = degraded > 0 ? degraded : each_s > 0 ? 1 / each_s : offered;
    struct score_answers answers;
    score_answers(&play->score, slow, from_s, play->asked_to_end_s, &answers);
    measured->able = fmin(able, offered);
    measured->used_percent = 100 * (double)answers.ok / (play->asked_to_end_s - from_s) / measured->able;
}

static int64_t after_injection(const struct drill_measured *measured, uint64_t at_ms)
{
    return at_ms == 0                         ? -1
           : at_ms < measured->injected_at_ms ? 0
                                              : (int64_t)(at_ms - measured->injected_at_ms);
}

// A fault that lies in wait begins with the first harm it does.
static void move_onset(struct play *play)
{
    const struct injection *injection = play->injection[0];
    uint64_t onset_ns = injection->onset == NULL ? 0 : injection->onset(&play->injecting[0]);
    if (onset_ns > 0) {
        double after_s = ((double)onset_ns - (double)play->score.begin_mono_ns) / 1e9 - play->begun_s;
        play->result->measured.injected_at_ms += after_s > 0 ? (uint64_t)(after_s * 1000) : 0;
    }
}

static void measure_verdict(struct play *play)
{
    struct drill_result *result = play->result;
    const struct verdict_watch *watch = &play->watch;
    const struct verdict_seen *seen = watch->right.at_ms != 0 ? &watch->right : &watch->first;
    result->right = watch->right.at_ms != 0;
    result->measured.detected_ms = after_injection(&result->measured, watch->detected_ms);
    result->measured.diagnosed_ms =
        result->right ? after_injection(&result->measured, watch->right.at_ms) : -1;
    for (unsigned i = 0; i < seen->causes; i++) {
        size_t size = strlen(result->cause);
        snprintf(result->cause + size, sizeof(result->cause) - size, "%s%s", size > 0 ? "+" : "",
                 seen->cause[i]);
    }
    result->verdict = json_incref(watch->last);
}

static void measure_recovery(struct play *play)
{
    double from_s = play->ended_s;
    double limit_s = play->options->after_s;
    double worst_s = 0;
    for (unsigned i = 0; i < play->injections; i++) {
        const struct injecting *one = &play->injecting[i];
        play->result->measured.times += one->count;
        if (one->count > 0 && play->injections == 1) {
            from_s = play->begun_s + one->last_s; // the last time is the end of such a cause
        }
    }
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        if (play->result->rates[i] > 0) {
            worst_s = fmax(worst_s, score_well_after(&play->score, (enum storm_class)i, from_s, limit_s));
        }
    }
    play->result->measured.recovered_ms = worst_s < limit_s ? (int64_t)(worst_s * 1000) : -1;
}

void play_measure(struct play *play)
{
    measure_people(play);
    measure_use(play);
    move_onset(play);
    measure_verdict(play);
    measure_recovery(play);
}

// ---- what is kept

static void keep_file(const struct play *play, const char *name)
{
    char from[PROGRAM_PATH_MAX];
    snprintf(from, sizeof(from), "%s/%s", play->stage.folder, name);
    const char *words[] = {"/bin/cp", "-r", from, play->result->folder, NULL};
    (void)program_run(&(struct program_options){.words = words}, 10000);
}

void play_keep(struct play *play)
{
    static char text[POSTMORTEM_MAX];
    char path[160];
    struct drill_result *result = play->result;
    keep_file(play, "stayd.log");
    keep_file(play, "stayd/incidents");
    if (play->watch.incident[0] == '\0') {
        return;
    }
    snprintf(path, sizeof(path), "/incidents/%s.md", play->watch.incident);
    const struct ask ask = {.socket = play->stage.watch, .path = path, .timeout_ms = ASK_MS};
    if (ask_get(&ask, text, sizeof(text)) == 200) {
        snprintf(result->postmortem, sizeof(result->postmortem), "%.1000s/postmortem.md", result->folder);
        if (!program_write_file(result->postmortem, view_of_cstr(text), 0644)) {
            result->postmortem[0] = '\0';
        }
    }
}

// ---- the bars

// Adds to what missed its bar.
[[gnu::format(printf, 3, 4)]] static void expect(struct drill_result *result, bool met, const char *format,
                                                 ...)
{
    size_t size = strlen(result->why);
    if (met || size + 4 >= sizeof(result->why)) {
        return;
    }
    va_list list;
    if (size > 0) {
        size += (size_t)snprintf(result->why + size, sizeof(result->why) - size, "; ");
    }
    va_start(list, format);
    vsnprintf(result->why + size, sizeof(result->why) - size, format, list);
    va_end(list);
}

static void expect_time(struct drill_result *result, const char *what, int64_t ms, unsigned bar_ms)
{
    if (ms < 0) {
        expect(result, false, "never %s", what);
    } else {
        expect(result, ms <= (int64_t)bar_ms, "%s after %lld ms, the bar is %u ms", what, (long long)ms,
               bar_ms);
    }
}

static void expect_people(struct play *play)
{
    struct drill_result *result = play->result;
    const struct drill_measured *measured = &result->measured;
    unsigned bars = play->row->bars & (play->options->second == NULL ? ~0u : play->options->second->bars);
    uint64_t affected = 0;
    double rate = 0;
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        bool checked = (i == STORM_check && (bars & DRILL_CHECKS_UNHARMED) != 0) ||
                       (i != play->row->slow && i != STORM_check && (bars & DRILL_OTHERS_UNHARMED) != 0);
        expect(result, !checked || measured->people[i].affected == 0, "%llu of %llu %ss affected",
               (unsigned long long)measured->people[i].affected,
               (unsigned long long)measured->people[i].offered, storm_class_name((enum storm_class)i));
        affected += measured->people[i].affected;
        rate += result->rates[i];
    }
    double under_way = measured->times * fmax(rate * IN_FLIGHT_S, IN_FLIGHT_MIN);
    expect(result, (bars & DRILL_IN_FLIGHT_ONLY) == 0 || (double)affected <= under_way,
           "%llu affected, more than can have been under way (%.0f)", (unsigned long long)affected,
           under_way);
}

static void expect_slow(struct play *play)
{
    const struct drill_row *row = play->row;
    const struct drill_measured *measured = &play->result->measured;
    if (row->slow == STORM_CLASSES || play->options->second != NULL) {
        return;
    }
    const struct score_answers *slow = &measured->answers[row->slow];
    expect(play->result,
           (row->bars & DRILL_SLOW_IS_USED) == 0 || measured->used_percent >= row->used_least_percent,
           "%.0f %% of %.1f %ss/s done, the bar is %u %%", measured->used_percent, measured->able,
           storm_class_name(row->slow), row->used_least_percent);
    expect(play->result, (row->bars & DRILL_REFUSED_SOON) == 0 || slow->refused_p99_ms <= REFUSED_P99_MS,
           "refusals took %.0f ms (p99), the bar is %d ms", slow->refused_p99_ms, REFUSED_P99_MS);
}

bool play_judge(struct play *play)
{
    struct drill_result *result = play->result;
    const struct drill_row *row = play->row;
    const struct drill_row *second = play->options->second;
    const struct drill_measured *measured = &result->measured;
    result->why[0] = '\0';
    expect(result, measured->wrong_identity == 0, "%llu WRONG IDENTITIES",
           (unsigned long long)measured->wrong_identity);
    expect(result, !play->unwell_before, "stayd saw something wrong before the fault");
    expect_people(play);
    expect_slow(play);
    if (row->calm) {
        expect(result, measured->detected_ms < 0, "a false incident after %lld ms (%s)",
               (long long)measured->detected_ms, result->cause[0] == '\0' ? "no cause" : result->cause);
        return result->why[0] == '\0';
    }
    expect_time(result, "detected", measured->detected_ms,
                second == NULL || row->detected_ms > second->detected_ms ? row->detected_ms
                                                                         : second->detected_ms);
    if (measured->detected_ms >= 0 && !result->right) {
        expect(result, false, "the cause was not named (stayd said: %s)",
               result->cause[0] == '\0' ? "nothing" : result->cause);
    } else {
        expect_time(result, "diagnosed", measured->diagnosed_ms,
                    second == NULL || row->diagnosed_ms > second->diagnosed_ms ? row->diagnosed_ms
                                                                               : second->diagnosed_ms);
    }
    if (row->recovered_ms > 0 && second == NULL) {
        expect_time(result, "well again", measured->recovered_ms, row->recovered_ms);
    }
    return result->why[0] == '\0';
}
