// SPDX-License-Identifier: ISC
// Verdicts in words. Runs in stayd-watch.
#include "watch/explain.h"

#include "watch/advice.h"
#include "watch/bounds.h"
#include "watch/causes.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

// ---- one cause -------------------------------------------------------------------------------------------

static void say_predicates(const struct scene *scene, const struct cause_row *row, struct verdict_cause *said)
{
    for (const struct cause_need *need = row->need; need->text != NULL; need++) {
        struct verdict_predicate *predicate = &said->predicate[said->predicates++];
        const struct figure *figure = &scene->figure[need->figure];
        scene_text(scene, need->text, need->figure, true, predicate->text, sizeof(predicate->text));
        predicate->value = figure->now;
        predicate->bound = need->test == TEST_TIMES || need->test == TEST_TIMES_AT_MOST
                               ? need->bound * figure->before
                           : need->test == TEST_RISE ? need->bound + figure->before
                                                     : need->bound;
        predicate->unit = figure_unit(need->figure);
    }
}

// The beginning of a text, whole characters only.
struct excerpt {
    char text[160];
};

static struct excerpt excerpt(const char *text)
{
    struct excerpt cut;
    snprintf(cut.text, sizeof(cut.text), "%.*s", (int)sizeof(cut.text) - 1, text);
    scene_mend(cut.text);
    return cut;
}

static void capital(char *text)
{
    text[0] = (char)toupper((unsigned char)text[0]);
}

void explain_cause(const struct scene *scene, enum cause cause, struct verdict_cause *said)
{
    if (cause == CAUSE_unknown) {
        snprintf(said->sentence, sizeof(said->sentence),
                 "The cause is not known: none of the causes that stayd knows fits.");
        return;
    }
    say_predicates(scene, &cause_rows[cause], said);
    struct excerpt first = excerpt(said->predicate[0].text);
    snprintf(said->sentence, sizeof(said->sentence), "%s: %s.", cause_title(cause), first.text);
    capital(said->sentence);
    advice_details(scene, said);
}

// ---- evidence --------------------------------------------------------------------------------------------

[[gnu::format(printf, 2, 3)]] static void evidence(struct verdict *verdict, const char *format, ...)
{
    if (verdict->evidences < VERDICT_EVIDENCE_MAX) {
        va_list list;
        va_start(list, format);
        (void)vsnprintf(verdict->evidence[verdict->evidences], VERDICT_LINE_SIZE, format, list);
        scene_mend(verdict->evidence[verdict->evidences++]);
        va_end(list);
    }
}

static void clock_text(uint64_t unix_ms, char *out, size_t out_size)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    char text[32] = "";
    if (gmtime_r(&seconds, &parts) != NULL) {
        (void)strftime(text, sizeof(text), "%H:%M:%S", &parts);
    }
    snprintf(out, out_size, "%s.%03u UTC", text, (unsigned)(unix_ms % 1000));
}

static void say_onset(const struct scene *scene, struct verdict *verdict)
{
    char at[48], after[32];
    clock_text(verdict->onset_unix_ms, at, sizeof(at));
    scene_number((double)(scene->detected->detected_ms - scene->detected->onset_ms), "ms", after,
                 sizeof(after));
    evidence(verdict, "It began at %s and was noticed %s later: %s.", at, after, verdict->symptom);
}

static void say_what_changed(struct verdict *verdict)
{
    for (unsigned i = 0; i < verdict->causes; i++) {
        for (unsigned p = 0; p < verdict->cause[i].predicates; p++) {
            bool again = p > 0 && strcmp(verdict->cause[i].predicate[p].text,
                                         verdict->cause[i].predicate[p - 1].text) == 0;
            if (!again) {
                evidence(verdict, "%s (%s).", verdict->cause[i].predicate[p].text,
                         cause_id(verdict->cause[i].cause));
                capital(verdict->evidence[verdict->evidences - 1]);
            }
        }
    }
}

// ---- stages and load -------------------------------------------------------------------------------------

static const enum stats_histogram stages[] = {
    STATS_TIME_stage_accept,    STATS_TIME_stage_parse,     STATS_TIME_stage_front_queue,
    STATS_TIME_stage_core,      STATS_TIME_stage_gate_wait, STATS_TIME_stage_pool_wait,
    STATS_TIME_stage_statement, STATS_TIME_stage_commit,    STATS_TIME_stage_hash_wait,
    STATS_TIME_stage_hash,      STATS_TIME_stage_key,       STATS_TIME_stage_transit,
    STATS_TIME_stage_return,    STATS_TIME_stage_write,     STATS_TIME_stage_residual,
};
static_assert(sizeof stages / sizeof stages[0] <= VERDICT_STAGES_MAX);

static void take_stages(const struct scene *scene, struct verdict *verdict)
{
    double added = 0;
    verdict->stages = 0;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        double now = series_stage_ms(scene->series, stages[i], scene->now);
        double before = scene->baseline->stage_ms[stages[i]];
        if (!isnan(now)) {
            struct verdict_stage *stage = &verdict->stage[verdict->stages++];
            stage->stage = stats_histogram_row(stages[i])->id + sizeof("stage_") - 1;
            stage->before_ms = isnan(before) ? 0 : before;
            stage->now_ms = now;
            added += fmax(0, now - stage->before_ms);
        }
    }
    for (unsigned i = 0; i < verdict->stages; i++) {
        struct verdict_stage *stage = &verdict->stage[i];
        stage->added_share = added > 0 ? fmax(0, stage->now_ms - stage->before_ms) / added : 0;
    }
}

static void say_stages(struct verdict *verdict)
{
    const struct verdict_stage *most = NULL;
    for (unsigned i = 0; i < verdict->stages; i++) {
        most = most == NULL || verdict->stage[i].added_share > most->added_share ? &verdict->stage[i] : most;
    }
    if (most != NULL && most->now_ms - most->before_ms >= 1) {
        char now[32], before[32];
        scene_number(most->now_ms, "ms", now, sizeof(now));
        scene_number(most->before_ms, "ms", before, sizeof(before));
        evidence(verdict, "%.0f %% of the time that changes take longer is spent in %s: %s each, %s before.",
                 100 * most->added_share, most->stage, now, before);
    }
}

// A message under way is worked on by nobody.
static bool is_wait(const char *stage)
{
    return strstr(stage, "wait") != NULL || strstr(stage, "queue") != NULL || strcmp(stage, "transit") == 0 ||
           strcmp(stage, "return") == 0;
}

// Little's law (J. D. C. Little, 1961): at work at once = arrivals × time of each, so that a growth is split
// into one of load and one of time.
static void take_load_law(const struct scene *scene, struct verdict *verdict)
{
    struct verdict_load *load = &verdict->load;
    const struct figure *arrivals = &scene->figure[FIGURE_arrivals];
    *load = (struct verdict_load){.arrivals_before = arrivals->before, .arrivals_now = arrivals->now};
    for (unsigned i = 0; i < verdict->stages; i++) {
        bool wait = is_wait(verdict->stage[i].stage);
        load->service_before_ms += wait ? 0 : verdict->stage[i].before_ms;
        load->service_now_ms += wait ? 0 : verdict->stage[i].now_ms;
    }
    double more = load->arrivals_now / load->arrivals_before,
           longer = load->service_now_ms / load->service_before_ms;
    if (isnan(more) || isnan(longer) || isinf(more) || isinf(longer)) {
        snprintf(load->says, sizeof(load->says), "too little is known of before to tell load from time");
        return;
    }
    const char *why = more >= 1.5 && longer >= 1.5 ? "more load, and each takes longer"
                      : more >= 1.5                ? "more load, each takes as long as before"
                      : longer >= 1.5              ? "the same load, each takes longer"
                                                   : "neither load nor the time of each has grown";
    snprintf(load->says, sizeof(load->says),
             "%s: arrivals times %.1f, time at work on each times %.1f, so at work at once times %.1f", why,
             more, longer, more * longer);
}

static void say_load(struct verdict *verdict)
{
    char now[32], before[32];
    scene_number(verdict->load.arrivals_now, "/s", now, sizeof(now));
    scene_number(verdict->load.arrivals_before, "/s", before, sizeof(before));
    evidence(verdict, "Arrivals %s, %s before; %s (Little's law).", now, before, verdict->load.says);
}

// ---- what stayd did --------------------------------------------------------------------------------------

[[gnu::format(printf, 2, 3)]] static void done(struct verdict *verdict, const char *format, ...)
{
    if (verdict->dones < VERDICT_DONE_MAX) {
        va_list list;
        va_start(list, format);
        (void)vsnprintf(verdict->done[verdict->dones], VERDICT_LINE_SIZE, format, list);
        scene_mend(verdict->done[verdict->dones++]);
        va_end(list);
    }
}

static void say_acts(const struct scene *scene, struct verdict *verdict)
{
    static const struct {
        uint8_t kind;
        const char *text;
    } acts[] = {
        {WIRE_EVENT_STATEMENT_CANCELLED, "cancelled a statement that ran away"},
        {WIRE_EVENT_SHARE_SHRUNK, "shrank a share of the connections"},
        {WIRE_EVENT_SHARE_RESTORED, "gave a share of the connections back"},
        {WIRE_EVENT_PENALTY, "shut out a source that kept crashing a front, or guessed too often"},
        {WIRE_EVENT_JOURNAL, "kept ends of sessions in the journal"},
    };
    uint64_t since =
        scene->detected->onset_ms > FACT_BEFORE_MS ? scene->detected->onset_ms - FACT_BEFORE_MS : 0;
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        unsigned count = facts_number(scene->facts, acts[i].kind, since);
        if (count > 0) {
            const struct fact *fact = facts_last(scene->facts, acts[i].kind, since);
            done(verdict, "%s%s%s, %u times", acts[i].text, fact->name[0] == '\0' ? "" : ": ", fact->name,
                 count);
        }
    }
}

static void say_restarts(const struct scene *scene, struct verdict *verdict)
{
    uint64_t onset = scene->detected->onset_ms;
    unsigned died = (unsigned)scene->figure[FIGURE_deaths].now;
    unsigned started = facts_number(scene->facts, WIRE_EVENT_PROCESS_STARTED, onset);
    if (died > 0 && started > 0) {
        done(verdict, "started the process again, %u times", started);
    }
}

static void say_refusals(const struct scene *scene, struct verdict *verdict)
{
    uint32_t ago = (uint32_t)(scene->now_ms - scene->detected->onset_ms) + 1;
    const struct window whole = {ago, 0};
    double refused = series_total(scene->series, SIGNAL_requests_refused, whole);
    double waits = series_total(scene->series, SIGNAL_requests_told_to_wait, whole);
    if (refused >= 1) {
        done(verdict, "refused %.0f requests at once, with a time to come again, so that the rest was served",
             refused);
    }
    if (waits >= 1) {
        done(verdict, "told %.0f requests of busy sources or accounts to wait", waits);
    }
    if (series_value(scene->series, SIGNAL_pool_breaker, scene->now) > 0) {
        done(verdict, "gave the database a rest: one connection tries whether it is back");
    }
}

// ---- who is affected -------------------------------------------------------------------------------------

static double affected(const struct scene *scene, enum signal all, enum signal refused, enum signal failed,
                       enum signal slow)
{
    uint32_t ago = (uint32_t)(scene->now_ms - scene->detected->onset_ms) + 1;
    const struct window whole = {ago, 0};
    double came = series_total(scene->series, all, whole);
    double bad = series_total(scene->series, refused, whole) + series_total(scene->series, failed, whole) +
                 series_total(scene->series, slow, whole);
    return came < 1 ? 0 : 100 * fmin(1, bad / came);
}

static void take_affected(const struct scene *scene, struct verdict *verdict)
{
    verdict->affected = (struct verdict_affected){
        .check = affected(scene, SIGNAL_checks_arrived_all, SIGNAL_checks_refused, SIGNAL_checks_failed,
                          SIGNAL_check_slow),
        .login = affected(scene, SIGNAL_logins_answered_all, SIGNAL_logins_short, SIGNAL_logins_failed,
                          SIGNAL_login_slow),
        .change = affected(scene, SIGNAL_changes_answered_all, SIGNAL_changes_short, SIGNAL_changes_failed,
                           SIGNAL_change_slow),
    };
}

// ---- all of it -------------------------------------------------------------------------------------------

static void say_sentence(struct verdict *verdict)
{
    const struct verdict_cause *first = &verdict->cause[0], *other = &verdict->cause[1];
    if (verdict->causes == 0) {
        snprintf(verdict->sentence, sizeof(verdict->sentence),
                 "Something is wrong (%s); the cause is being looked for.", excerpt(verdict->symptom).text);
    } else if (first->cause == CAUSE_unknown) {
        snprintf(verdict->sentence, sizeof(verdict->sentence),
                 "Something is wrong (%s), and the cause is not known.", excerpt(verdict->symptom).text);
    } else if (verdict->causes == 1) {
        snprintf(verdict->sentence, sizeof(verdict->sentence), "%s", first->sentence);
    } else {
        snprintf(verdict->sentence, sizeof(verdict->sentence), "%s (%.0f %%) and %s (%.0f %%): %s.",
                 cause_title(first->cause), 100 * first->share, cause_title(other->cause), 100 * other->share,
                 excerpt(first->predicate[0].text).text);
        capital(verdict->sentence);
    }
}

void explain_all(const struct scene *scene, struct verdict *verdict)
{
    verdict->evidences = verdict->dones = verdict->to_dos = 0;
    take_stages(scene, verdict);
    take_load_law(scene, verdict);
    take_affected(scene, verdict);
    say_onset(scene, verdict);
    say_what_changed(verdict);
    say_stages(verdict);
    say_load(verdict);
    say_acts(scene, verdict);
    say_restarts(scene, verdict);
    say_refusals(scene, verdict);
    say_sentence(verdict);
    verdict->sustaining[0] = '\0';
    for (unsigned i = 0; i < verdict->causes; i++) {
        advice_to_do(scene, &verdict->cause[i], verdict);
    }
    if (verdict->causes > 0) {
        snprintf(verdict->sustaining, sizeof(verdict->sustaining), "%s",
                 advice_sustaining(verdict->cause[0].cause));
    }
}
