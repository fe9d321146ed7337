// SPDX-License-Identifier: ISC
// Counts from storm's raw log, see score.h. Runs in stayctl drill.
#include "drill/score.h"

#include <math.h>

enum { FIELDS = 8, LINE_MAX_SIZE = 256, ROOM_FIRST = 4096 };

void score_init(struct score *score)
{
    *score = (struct score){0};
}

void score_release(struct score *score)
{
    free(score->arrival);
    free(score->answer);
    *score = (struct score){0};
}

static bool arrival_room(struct score *score, uint32_t number)
{
    if (number >= SCORE_ARRIVALS_MAX) {
        return false;
    }
    if (number >= score->arrivals_room) {
        uint32_t room = number < ROOM_FIRST ? ROOM_FIRST : number * 2;
        struct score_arrival *more = realloc(score->arrival, room * sizeof(*more));
        if (more == NULL) {
            return false;
        }
        memset(more + score->arrivals_room, 0, (room - score->arrivals_room) * sizeof(*more));
        score->arrival = more;
        score->arrivals_room = room;
    }
    score->arrivals = number + 1 > score->arrivals ? number + 1 : score->arrivals;
    return true;
}

static bool answer_add(struct score *score, struct score_answer answer)
{
    if (score->answers == score->answers_room) {
        size_t room = score->answers_room == 0 ? ROOM_FIRST : score->answers_room * 2;
        struct score_answer *more = realloc(score->answer, room * sizeof(*more));
        if (more == NULL) {
            return false;
        }
        score->answer = more;
        score->answers_room = room;
    }
    score->answer[score->answers++] = answer;
    return true;
}

static bool outcome_find(struct view name, enum storm_outcome *outcome)
{
    for (unsigned i = 0; i < STORM_OUTCOMES; i++) {
        if (view_equal(name, view_of_cstr(storm_outcome_name((enum storm_outcome)i)))) {
            *outcome = (enum storm_outcome)i;
            return true;
        }
    }
    return false;
}

static bool head_line(struct score *score, struct view line)
{
    struct view mark = VIEW("# begin_mono_ns=");
    if (view_starts_with(line, mark)) {
        struct view rest = view_from(line, mark.size);
        return view_to_u64(view_cut(&rest, ' '), &score->begin_mono_ns);
    }
    return view_starts_with(line, VIEW("arrival,class,"));
}

static void take(struct score_arrival *one, enum storm_outcome outcome, uint32_t at_ms, uint64_t retry_s)
{
    if (outcome == STORM_ok || outcome == STORM_late) {
        one->done_ms = at_ms == 0 ? 1 : at_ms;
    }
    one->bad |= outcome == STORM_late || outcome == STORM_failed || outcome == STORM_wrong;
    one->failed |= outcome == STORM_failed;
    one->wrong |= outcome == STORM_wrong;
    if (outcome == STORM_refused) {
        one->refused = 1;
        one->again_ms = at_ms + (uint32_t)(retry_s > 86400 ? 86400 : retry_s) * 1000;
    }
}

bool score_line(struct score *score, struct view line)
{
    struct view field[FIELDS];
    uint64_t arrival, due_us, tries, took_us, retry_s = 0;
    enum storm_class class;
    enum storm_outcome outcome;
    struct view rest = line;
    if (line.size == 0 || line.data[0] == '#' || line.data[0] == 'a') {
        return line.size == 0 || head_line(score, line);
    }
    for (unsigned i = 0; i < FIELDS; i++) {
        field[i] = view_cut(&rest, ',');
    }
    if (!view_to_u64(field[0], &arrival) || !storm_class_find(field[1], &class) ||
        !view_to_u64(field[2], &due_us) || !view_to_u64(field[3], &tries) ||
        !view_to_u64(field[4], &took_us) || !outcome_find(field[5], &outcome) ||
        (field[7].size > 0 && !view_to_u64(field[7], &retry_s)) || arrival >= SCORE_ARRIVALS_MAX ||
        due_us / 1000 > UINT32_MAX / 4 || took_us / 1000 > UINT32_MAX / 4 ||
        !arrival_room(score, (uint32_t)arrival)) {
        return false;
    }
    struct score_arrival *one = &score->arrival[arrival];
    uint32_t at_ms = (uint32_t)((due_us + took_us) / 1000);
    if (tries == 0) {
        *one = (struct score_arrival){.due_ms = (uint32_t)(due_us / 1000) + 1}; // 0: no line yet
    }
    one->class = (uint8_t) class;
    take(one, outcome, at_ms, retry_s);
    score->end_ms = at_ms > score->end_ms ? at_ms : score->end_ms;
    return answer_add(score,
                      (struct score_answer){at_ms, took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us,
                                            (uint8_t) class, (uint8_t)outcome});
}

bool score_read(struct score *score, FILE *log)
{
    char line[LINE_MAX_SIZE];
    for (;;) {
        off_t at = ftello(log);
        if (fgets(line, sizeof(line), log) == NULL) {
            clearerr(log);
            return fseeko(log, at, SEEK_SET) == 0;
        }
        size_t size = strlen(line);
        if (size == 0 || line[size - 1] != '\n') {
            // Half a line: the rest comes later; a longer one than any is no log.
            return size + 1 < sizeof(line) && fseeko(log, at, SEEK_SET) == 0;
        }
        if (!score_line(score, view_of(line, size - 1))) {
            return false;
        }
    }
}

static bool within(uint32_t ms, double from_s, double to_s)
{
    return ms >= from_s * 1000 && ms < to_s * 1000;
}

void score_people(const struct score *score, enum storm_class class, double from_s, double to_s,
                  struct score_class *out)
{
    *out = (struct score_class){0};
    for (uint32_t i = 0; i < score->arrivals; i++) {
        const struct score_arrival *one = &score->arrival[i];
        if (one->due_ms == 0 || one->class != class || !within(one->due_ms - 1, from_s, to_s)) {
            continue;
        }
        bool waiting = !one->bad && one->done_ms == 0 && one->again_ms >= score->end_ms;
        bool affected = one->bad || (one->done_ms == 0 && !waiting);
        out->offered++;
        out->affected += affected;
        out->failed += one->failed;
        out->wrong += one->wrong;
        out->waiting += waiting;
        out->delayed += !affected && !waiting && one->refused;
        out->well += !affected && !waiting && !one->refused;
    }
}

void score_answers(const struct score *score, enum storm_class class, double from_s, double to_s,
                   struct score_answers *out)
{
    struct histogram *times = calloc(2, sizeof(*times));
    *out = (struct score_answers){0};
    for (size_t i = 0; i < score->answers; i++) {
        const struct score_answer *one = &score->answer[i];
        if (one->class != class || !within(one->at_ms, from_s, to_s)) {
            continue;
        }
        out->ok += one->outcome == STORM_ok;
        out->late += one->outcome == STORM_late;
        out->refused += one->outcome == STORM_refused;
        out->failed += one->outcome == STORM_failed || one->outcome == STORM_wrong;
        if (times != NULL && (one->outcome == STORM_ok || one->outcome == STORM_refused)) {
            histogram_add(&times[one->outcome == STORM_refused], (uint64_t)one->took_us * 1000);
        }
    }
    if (times != NULL) {
        out->ok_p99_ms = (double)histogram_quantile_ns(&times[0], 0.99) / 1e6;
        out->refused_p99_ms = (double)histogram_quantile_ns(&times[1], 0.99) / 1e6;
    }
    free(times);
}

struct second {
    uint32_t done, refused, harmed;
};

// Attempts begun after `from_s` and answered in a second from `at_s` on.
static struct second second_at(const struct score *score, enum storm_class class, double from_s, double at_s)
{
    struct second second = {0};
    for (size_t i = 0; i < score->answers; i++) {
        const struct score_answer *one = &score->answer[i];
        double begun_s = one->at_ms / 1000.0 - one->took_us / 1e6;
        if (one->class == class && within(one->at_ms, at_s, at_s + 1) && begun_s >= from_s) {
            second.done += one->outcome == STORM_ok;
            second.refused += one->outcome == STORM_refused;
            second.harmed +=
                one->outcome == STORM_late || one->outcome == STORM_failed || one->outcome == STORM_wrong;
        }
    }
    return second;
}

double score_well_after(const struct score *score, enum storm_class class, double from_s, double limit_s)
{
    const double step_s = 0.05;
    for (double after_s = 0; after_s < limit_s; after_s += step_s) {
        struct second second = second_at(score, class, from_s, from_s + after_s);
        uint32_t all = second.done + second.refused + second.harmed;
        if (second.harmed * 50 <= all && (second.done > 0 || all == 0)) {
            return after_s;
        }
    }
    return limit_s;
}
