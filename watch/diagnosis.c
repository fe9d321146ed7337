// SPDX-License-Identifier: ISC
// From figures to a verdict. Runs in stayd-watch. Read it from the bottom up: diagnosis_look is the whole
// story.
//
// Each look while something is wrong:
//   1. judge: which causes' needs all hold now; one that has held for a while, or was seen itself, is
//   established.
//   2. trace: an established cause that another one explains is a consequence; what remains are roots.
//   3. share: roots share what has become worse by their weights (logarithms of factors, as Little's L = λW
//   is a
//      product of load and time); small shares are not named.
//   4. say: sentence, evidence, ruled out, what to do (watch/explain.c).
// 1. What is established stays so for the episode, unless it has not held for EXPIRES_MS while another does.
// What was named for NAMED_STAYS_MS does not give way to our own change, which is what is left to blame when
// nothing else is seen: after a spike that came soon after a start it was still the spike.
// 2. Nothing is judged while no symptom is seen: the aftermath has figures of its own.
#include "watch/diagnosis.h"

#include "watch/bounds.h"
#include "watch/causes.h"
#include "watch/explain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct standing {
    bool holds;        // at the last look
    uint64_t first_ms; // when it held first
    uint64_t held_ms;  // all together, in this episode
    uint64_t last_ms;  // when it held last
    uint64_t named_ms; // how long it was named
    double weight;     // the highest so far
    bool root;
    double share;
    char because[VERDICT_LINE_SIZE]; // it was ruled out, at the last look at which it did not hold
};

struct diagnosis {
    struct verdict verdict;
    struct scene scene;
    struct baseline baseline;
    struct standing standing[CAUSE_unknown];
    double rise[FIGURE_COUNT]; // see struct cause_link
    unsigned rises[FIGURE_COUNT];
    uint64_t episode, looked_ms, judged_ms;
    enum cause named[VERDICT_CAUSES_MAX];
    unsigned named_count;
};

struct diagnosis *diagnosis_new(void)
{
    return calloc(1, sizeof(struct diagnosis));
}

void diagnosis_free(struct diagnosis **diagnosis)
{
    free(*diagnosis);
    *diagnosis = NULL;
}

static uint64_t unix_ms(const struct series *series, uint64_t mono_ms)
{
    struct watched_now now = series_now(series);
    return mono_ms == 0 ? 0 : now.wall_ms - (now.mono_ns / 1000000u - mono_ms);
}

// ---- 1. judge --------------------------------------------------------------------------------------------

static bool is_sure(unsigned cause)
{
    return cause_rows[cause].weight == FIGURE_COUNT && cause != CAUSE_own_change;
}

static bool established(const struct diagnosis *diagnosis, unsigned cause)
{
    const struct standing *standing = &diagnosis->standing[cause];
    double could = (double)(diagnosis->judged_ms - standing->first_ms);
    bool passing = !is_sure(cause) && (double)standing->held_ms < HELD_SHARE * could &&
                   standing->named_ms < NAMED_STAYS_MS;
    return standing->held_ms >= ESTABLISHED_MS && !passing;
}

static void note_rise(struct diagnosis *diagnosis, enum figure_id id)
{
    if (id == FIGURE_COUNT) {
        return;
    }
    const struct figure *figure = &diagnosis->scene.figure[id];
    double rise = figure->now - figure->before;
    if (!isnan(rise)) {
        unsigned count = ++diagnosis->rises[id];
        double mean = diagnosis->rise[id];
        diagnosis->rise[id] = count == 1 ? rise : mean + (rise - mean) / count;
    }
}

static void judge_one(struct diagnosis *diagnosis, enum cause cause, uint64_t passed_ms)
{
    struct standing *standing = &diagnosis->standing[cause];
    const struct scene *scene = &diagnosis->scene;
    const struct cause_need *fails = cause_fails(cause, scene);
    bool sure = is_sure(cause);
    standing->holds = fails == NULL;
    if (standing->holds) {
        standing->first_ms = standing->held_ms == 0 ? scene->now_ms - passed_ms : standing->first_ms;
        standing->held_ms += sure ? ESTABLISHED_MS : passed_ms;
        standing->last_ms = scene->now_ms;
        standing->weight = fmax(standing->weight, cause_weight(cause, scene));
        note_rise(diagnosis, cause_rows[cause].weight);
    } else {
        scene_text(scene, fails->text, fails->figure, false, standing->because, sizeof(standing->because));
    }
}

static bool another_holds(const struct diagnosis *diagnosis, unsigned cause)
{
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        const struct standing *other = &diagnosis->standing[i];
        bool weak = i == CAUSE_own_change && diagnosis->standing[cause].named_ms >= NAMED_STAYS_MS;
        if (i != cause && !weak && other->holds && established(diagnosis, i)) {
            return true;
        }
    }
    return false;
}

static void judge(struct diagnosis *diagnosis, uint64_t passed_ms)
{
    diagnosis->judged_ms = diagnosis->scene.now_ms;
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        judge_one(diagnosis, (enum cause)i, passed_ms);
    }
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        struct standing *standing = &diagnosis->standing[i];
        bool sure = is_sure(i);
        bool faded = diagnosis->scene.now_ms - standing->last_ms > (sure ? 6u : 1u) * EXPIRES_MS;
        if (!standing->holds && faded && another_holds(diagnosis, i)) {
            standing->held_ms = 0;
            standing->named_ms = 0;
            standing->weight = 0;
        }
    }
}

// ---- 2. trace --------------------------------------------------------------------------------------------

static bool explains(const struct diagnosis *diagnosis, unsigned cause, unsigned other)
{
    return cause_explains(&(struct cause_link){.scene = &diagnosis->scene,
                                               .cause = (enum cause)cause,
                                               .other = (enum cause)other,
                                               .weight = diagnosis->standing[cause].weight,
                                               .other_weight = diagnosis->standing[other].weight,
                                               .first_ms = diagnosis->standing[cause].first_ms,
                                               .other_first_ms = diagnosis->standing[other].first_ms,
                                               .rise = diagnosis->rise});
}

static void trace(struct diagnosis *diagnosis)
{
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        struct standing *standing = &diagnosis->standing[i];
        standing->root = established(diagnosis, i);
        for (unsigned j = 0; j < CAUSE_unknown && standing->root; j++) {
            if (j != i && established(diagnosis, j) && explains(diagnosis, j, i)) {
                standing->root = false;
                snprintf(standing->because, sizeof(standing->because), "what there is of it follows from %s",
                         cause_title((enum cause)j));
            }
        }
    }
}

// ---- 3. share --------------------------------------------------------------------------------------------

static void share(struct diagnosis *diagnosis)
{
    double all = 0;
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        all += diagnosis->standing[i].root ? fmax(diagnosis->standing[i].weight, 0.1) : 0;
    }
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        struct standing *standing = &diagnosis->standing[i];
        standing->share = standing->root ? fmax(standing->weight, 0.1) / all : 0;
    }
}

static void name_one(struct diagnosis *diagnosis)
{
    int best = -1;
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        const struct standing *standing = &diagnosis->standing[i];
        bool named = false;
        for (unsigned n = 0; n < diagnosis->named_count; n++) {
            named |= diagnosis->named[n] == (enum cause)i;
        }
        bool enough = standing->root && standing->share >= SHARE_MIN;
        if (enough && !named && (best < 0 || standing->share > diagnosis->standing[best].share)) {
            best = (int)i;
        }
    }
    if (best >= 0) {
        diagnosis->named[diagnosis->named_count++] = (enum cause)best;
    }
}

// The roots with the largest shares; "unknown" when there is none after a while.
static void name_causes(struct diagnosis *diagnosis, uint64_t passed_ms)
{
    enum cause first = diagnosis->named_count > 0 ? diagnosis->named[0] : CAUSE_COUNT;
    diagnosis->named_count = 0;
    for (unsigned i = 0; i < VERDICT_CAUSES_MAX; i++) {
        name_one(diagnosis);
    }
    for (unsigned i = 0; i < diagnosis->named_count; i++) {
        diagnosis->standing[diagnosis->named[i]].named_ms += passed_ms;
    }
    const struct detected *detected = diagnosis->scene.detected;
    if (diagnosis->named_count == 0 && diagnosis->scene.now_ms - detected->detected_ms >= UNKNOWN_AFTER_MS) {
        diagnosis->named[diagnosis->named_count++] = CAUSE_unknown;
    }
    enum cause now = diagnosis->named_count > 0 ? diagnosis->named[0] : CAUSE_COUNT;
    if (now != first) {
        diagnosis->verdict.diagnosed_unix_ms =
            now == CAUSE_COUNT ? 0 : unix_ms(diagnosis->scene.series, diagnosis->scene.now_ms);
    }
}

// ---- 4. say ----------------------------------------------------------------------------------------------

static void say_cause(struct diagnosis *diagnosis, enum cause cause)
{
    struct verdict *verdict = &diagnosis->verdict;
    const struct standing *standing = cause < CAUSE_unknown ? &diagnosis->standing[cause] : NULL;
    for (unsigned i = 0; i < VERDICT_CAUSES_MAX;
         i++) { // what was said of it while it held, where it does not now
        if (verdict->cause[i].cause == cause && i < verdict->causes && standing != NULL && !standing->holds) {
            verdict->cause[i].share = standing->share;
            return;
        }
    }
    struct verdict_cause said = {.cause = cause, .share = standing == NULL ? 0 : standing->share};
    explain_cause(&diagnosis->scene, cause, &said);
    for (unsigned i = 0; i < verdict->causes; i++) {
        if (verdict->cause[i].cause == cause) {
            verdict->cause[i] = said;
            return;
        }
    }
    if (verdict->causes < VERDICT_CAUSES_MAX) {
        verdict->cause[verdict->causes++] = said;
    }
}

static bool is_named(const struct diagnosis *diagnosis, enum cause cause)
{
    for (unsigned i = 0; i < diagnosis->named_count; i++) {
        if (diagnosis->named[i] == cause) {
            return true;
        }
    }
    return false;
}

// Drops those that are no longer named, and puts the rest into the order of their shares.
static void arrange(struct diagnosis *diagnosis)
{
    struct verdict *verdict = &diagnosis->verdict;
    unsigned kept = 0;
    for (unsigned i = 0; i < verdict->causes; i++) {
        if (is_named(diagnosis, verdict->cause[i].cause)) {
            if (kept != i) {
                verdict->cause[kept] = verdict->cause[i];
            }
            kept++;
        }
    }
    verdict->causes = kept;
    for (unsigned i = 0; i < diagnosis->named_count; i++) {
        say_cause(diagnosis, diagnosis->named[i]);
    }
    for (unsigned i = 0; i < verdict->causes; i++) {
        for (unsigned j = i + 1; j < verdict->causes; j++) {
            if (verdict->cause[j].share > verdict->cause[i].share) {
                static struct verdict_cause other;
                other = verdict->cause[i];
                verdict->cause[i] = verdict->cause[j];
                verdict->cause[j] = other;
            }
        }
    }
}

static void say_ruled_out(struct diagnosis *diagnosis)
{
    struct verdict *verdict = &diagnosis->verdict;
    verdict->ruled_outs = 0;
    for (unsigned i = 0; i < CAUSE_unknown; i++) {
        const struct standing *standing = &diagnosis->standing[i];
        if (is_named(diagnosis, (enum cause)i) || standing->because[0] == '\0') {
            continue;
        }
        struct verdict_ruled_out *out = &verdict->ruled_out[verdict->ruled_outs++];
        out->cause = (enum cause)i;
        snprintf(out->because, sizeof(out->because), "%s", standing->because);
    }
}

// ---- the life of a verdict -------------------------------------------------------------------------------

static void begin(struct diagnosis *diagnosis, const struct detected *detected)
{
    struct verdict *verdict = &diagnosis->verdict;
    uint64_t number = verdict->number;
    *verdict = (struct verdict){.number = number + 1, .open = true, .episode = detected->episode};
    memset(diagnosis->standing, 0, sizeof(diagnosis->standing));
    for (unsigned i = 0; i < FIGURE_COUNT; i++) {
        diagnosis->rise[i] = SERIES_UNKNOWN;
        diagnosis->rises[i] = 0;
    }
    diagnosis->baseline.taken = false;
    diagnosis->named_count = 0;
    diagnosis->episode = detected->episode;
    diagnosis->looked_ms = 0;
    snprintf(verdict->symptom, sizeof(verdict->symptom), "%s", symptom_text(detected->first));
}

static void take_times(struct diagnosis *diagnosis, const struct series *series,
                       const struct detected *detected)
{
    struct verdict *verdict = &diagnosis->verdict;
    enum verdict_state state = !detected->open     ? VERDICT_HEALTHY
                               : detected->harmful ? VERDICT_INCIDENT
                                                   : VERDICT_DEGRADED;
    verdict->number += verdict->open != detected->open || verdict->state != state;
    verdict->at_unix_ms = series_now(series).wall_ms;
    verdict->open = detected->open;
    verdict->state = state;
    if (detected->episode != 0 && verdict->onset_unix_ms == 0) {
        verdict->detected_unix_ms = unix_ms(series, detected->detected_ms);
    }
    if (detected->open) {
        verdict->onset_unix_ms = unix_ms(series, detected->onset_ms);
    } else if (verdict->ended_unix_ms == 0) {
        verdict->ended_unix_ms = unix_ms(series, detected->ended_ms);
    }
}

static void look(struct diagnosis *diagnosis, const struct series *series, const struct facts *facts,
                 const struct detected *detected)
{
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    uint64_t passed = diagnosis->looked_ms == 0 ? LOOK_EVERY_MS : now_ms - diagnosis->looked_ms;
    bool soon = now_ms - detected->detected_ms <= ONSET_MOVES_MS;
    diagnosis->looked_ms = now_ms;
    if (!diagnosis->baseline.taken || (soon && diagnosis->baseline.onset_ms != detected->onset_ms)) {
        baseline_take(&diagnosis->baseline, series, detected->onset_ms);
    }
    scene_take(&diagnosis->scene, series, facts, detected, &diagnosis->baseline);
    if (now_ms - detected->last_symptom_ms <= LOOK_EVERY_MS) {
        passed = passed < 1000 ? passed : 1000;
        judge(diagnosis, passed);
        trace(diagnosis);
        share(diagnosis);
        name_causes(diagnosis, passed);
        arrange(diagnosis);
        say_ruled_out(diagnosis);
    }
    explain_all(&diagnosis->scene, &diagnosis->verdict);
    diagnosis->verdict.number++;
}

static void say_all_is_well(struct verdict *verdict)
{
    if (verdict->episode == 0) {
        snprintf(verdict->sentence, sizeof(verdict->sentence), "All is well.");
    } else {
        char cause[64];
        snprintf(cause, sizeof(cause), "%s",
                 verdict->causes > 0 ? cause_title(verdict->cause[0].cause) : "a cause that is not known");
        snprintf(verdict->sentence, sizeof(verdict->sentence),
                 "All is well again. The last incident was due to %s.", cause);
    }
}

const struct verdict *diagnosis_look(struct diagnosis *diagnosis, const struct series *series,
                                     const struct facts *facts, const struct detected *detected)
{
    struct verdict *verdict = &diagnosis->verdict;
    uint64_t now_ms = series_now(series).mono_ns / 1000000u;
    bool new_episode = detected->episode != diagnosis->episode;
    if (new_episode) {
        begin(diagnosis, detected);
    }
    bool was_open = verdict->open;
    take_times(diagnosis, series, detected);
    if (detected->open && (new_episode || now_ms - diagnosis->looked_ms >= LOOK_EVERY_MS)) {
        look(diagnosis, series, facts, detected);
    } else if (!detected->open && (was_open || verdict->sentence[0] == '\0')) {
        say_all_is_well(verdict);
    }
    return verdict;
}
