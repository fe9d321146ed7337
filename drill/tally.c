// SPDX-License-Identifier: ISC
// Adds up what came of the requests. Runs in stayctl storm.
// Invariant: `second` has room for second number `seconds - 1`, the one that runs.
#include "drill/tally.h"

#include <assert.h>

enum { LAG_P99_MAX_NS = 5000000, SECONDS_STEP = 64 };

const char *storm_outcome_name(enum storm_outcome outcome)
{
    static const char *const name[STORM_OUTCOMES] = {
#define X(id, meaning) [STORM_##id] = #id,
        STORM_OUTCOMES_TABLE(X)
#undef X
    };
    return name[outcome];
}

const char *storm_cause_name(enum storm_cause cause)
{
    static const char *const name[STORM_CAUSES] = {
#define X(id, text) [STORM_CAUSE_##id] = #id,
        STORM_CAUSES_TABLE(X)
#undef X
    };
    return name[cause];
}

const char *storm_cause_text(enum storm_cause cause)
{
    static const char *const text_of[STORM_CAUSES] = {
#define X(id, text) [STORM_CAUSE_##id] = text,
        STORM_CAUSES_TABLE(X)
#undef X
    };
    return text_of[cause];
}

bool tally_init(struct tally *tally, unsigned phases)
{
    memset(tally, 0, sizeof(*tally));
    tally->phases = phases;
    tally->cell = calloc((size_t)phases * STORM_CLASSES, sizeof(*tally->cell));
    return tally->cell != NULL && tally_turn(tally, 0);
}

void tally_release(struct tally *tally)
{
    free(tally->cell);
    free(tally->second);
    tally->cell = NULL;
    tally->second = NULL;
}

struct tally_cell *tally_at(const struct tally *tally, unsigned phase, enum storm_class class)
{
    assert(phase < tally->phases);
    return &tally->cell[phase * STORM_CLASSES + class];
}

void tally_sum(const struct tally *tally, enum storm_class class, struct tally_cell *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned phase = 0; phase < tally->phases; phase++) {
        const struct tally_cell *cell = tally_at(tally, phase, class);
        sum->offered += cell->offered;
        sum->retries += cell->retries;
        sum->delayed += cell->delayed;
        sum->given_up += cell->given_up;
        for (unsigned i = 0; i < STORM_OUTCOMES; i++) {
            histogram_merge(&sum->times[i], &cell->times[i]);
        }
    }
}

static struct tally_instant *instant(struct tally *tally, uint64_t at_ns, enum storm_class class)
{
    size_t second = (size_t)(at_ns / 1000000000u);
    second = second < tally->seconds ? second : tally->seconds - 1;
    return &tally->second[second].class[class];
}

void tally_offer(struct tally *tally, unsigned phase, enum storm_class class, uint64_t at_ns)
{
    tally_at(tally, phase, class)->offered++;
    instant(tally, at_ns, class)->offered++;
}

void tally_answer(struct tally *tally, unsigned phase, enum storm_class class, enum storm_outcome outcome,
                  uint64_t at_ns, uint64_t took_ns)
{
    histogram_add(&tally_at(tally, phase, class)->times[outcome], took_ns);
    instant(tally, at_ns, class)->answers[outcome]++;
    if (outcome == STORM_ok || outcome == STORM_refused) {
        histogram_add(&tally->now[class][outcome == STORM_refused], took_ns);
    }
}

static void close_second(struct tally *tally)
{
    struct tally_second *second = &tally->second[tally->seconds - 1];
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        second->class[i].ok_p99_us = (uint32_t)(histogram_quantile_ns(&tally->now[i][0], 0.99) / 1000);
        second->class[i].refused_p99_us = (uint32_t)(histogram_quantile_ns(&tally->now[i][1], 0.99) / 1000);
        histogram_reset(&tally->now[i][0]);
        histogram_reset(&tally->now[i][1]);
    }
}

bool tally_turn(struct tally *tally, size_t second)
{
    if (second > PLAN_SECONDS_MAX + 3600) {
        return false;
    }
    if (tally->seconds > 0) {
        close_second(tally);
    }
    if (second + 1 > tally->seconds_room) {
        size_t room = second + SECONDS_STEP;
        struct tally_second *grown = realloc(tally->second, room * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        memset(grown + tally->seconds_room, 0, (room - tally->seconds_room) * sizeof(*grown));
        tally->second = grown;
        tally->seconds_room = room;
    }
    tally->seconds = second + 1;
    return true;
}

bool tally_kept_up(const struct tally *tally)
{
    return tally->unsent == 0 && histogram_quantile_ns(&tally->lag, 0.99) <= LAG_P99_MAX_NS;
}
