// SPDX-License-Identifier: ISC
// Reads plans from files, see scenario.h. Runs in stayctl storm.
#include "drill/scenario.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>

enum { COLUMNS_MAX = 32, TIME_COLUMN = STORM_CLASSES, NO_COLUMN };

struct reading {
    struct plan *plan;
    unsigned line;
    // of a recording
    double speed, load, first_s;
    unsigned column[COLUMNS_MAX]; // enum storm_class, TIME_COLUMN or NO_COLUMN
    unsigned columns;
    unsigned rows;
};

[[gnu::format(printf, 2, 3)]] static bool problem(struct reading *reading, const char *format, ...)
{
    char text[PLAN_PROBLEM_SIZE - 32];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    snprintf(reading->plan->problem, sizeof(reading->plan->problem), "Line %u: %s", reading->line, text);
    return false;
}

static struct plan_piece *last_piece(struct plan *plan)
{
    return plan->pieces == 0 ? NULL : &plan->piece[plan->pieces - 1];
}

static bool read_rate(struct view text, double *rate)
{
    return plan_read_number(text, rate) && isfinite(*rate) && *rate <= PLAN_RATE_MAX;
}

static struct view next_word(struct view *rest)
{
    struct view word;
    do {
        word = view_trim(view_cut(rest, ' '));
    } while (word.size == 0 && rest->size > 0);
    return word;
}

// ---- a scenario

// "200", "200-1000" or "x10".
static bool phase_rate(struct view text, double before, struct plan_rates *rates)
{
    double factor;
    if (text.size > 1 && text.data[0] == 'x') {
        bool done = read_rate(view_from(text, 1), &factor) && before * factor <= PLAN_RATE_MAX;
        rates->begin = rates->end = done ? before * factor : 0;
        return done;
    }
    size_t dash = view_index(text, '-');
    if (dash < text.size) {
        return read_rate(view_first(text, dash), &rates->begin) &&
               read_rate(view_from(text, dash + 1), &rates->end);
    }
    bool done = read_rate(text, &rates->begin);
    rates->end = rates->begin;
    return done;
}

static bool phase_class(struct reading *reading, struct view word, const struct plan_piece *before,
                        struct plan_piece *piece)
{
    struct view value = word;
    struct view name = view_cut(&value, '=');
    enum storm_class class;
    if (!storm_class_find(name, &class)) {
        return problem(reading, "\"%.*s\" is no class of requests (check, login, change, register).",
                       (int)(name.size < 40 ? name.size : 40), (const char *)name.data);
    }
    return phase_rate(value, before == NULL ? 0 : before->rate[class].end, &piece->rate[class]) ||
           problem(reading, "A rate is like %s=200, %s=200-1000 or %s=x10 (at most %d a second).",
                   storm_class_name(class), storm_class_name(class), storm_class_name(class), PLAN_RATE_MAX);
}

static bool scenario_line(struct reading *reading, struct view line)
{
    struct plan *plan = reading->plan;
    struct view rest = view_trim(view_first(line, view_index(line, '#')));
    double seconds;
    if (rest.size == 0) {
        return true;
    }
    if (!view_equal(next_word(&rest), VIEW("phase"))) {
        return problem(reading, "A line is \"phase DURATION CLASS=RATE…\".");
    }
    if (plan->pieces == PLAN_PHASES_MAX) {
        return problem(reading, "There are more than %d phases.", PLAN_PHASES_MAX);
    }
    if (!plan_read_duration(next_word(&rest), &seconds) || seconds <= 0 ||
        plan->seconds + seconds > PLAN_SECONDS_MAX) {
        return problem(reading, "A phase lasts a time like 30s or 5m; all of them at most a day.");
    }
    const struct plan_piece *before = last_piece(plan);
    struct plan_piece piece = {.begin_s = plan->seconds, .end_s = plan->seconds + seconds};
    for (unsigned i = 0; before != NULL && i < STORM_CLASSES; i++) {
        piece.rate[i].begin = piece.rate[i].end = before->rate[i].end;
    }
    while (rest.size > 0) {
        struct view word = next_word(&rest);
        if (word.size > 0 && !phase_class(reading, word, before, &piece)) {
            return false;
        }
    }
    plan->piece[plan->pieces++] = piece;
    plan->seconds = piece.end_s;
    return true;
}

static bool each_line(struct reading *reading, struct view text, bool (*take)(struct reading *, struct view))
{
    if (text.size > SCENARIO_FILE_MAX) {
        return problem(reading, "The file is larger than %d MiB.", SCENARIO_FILE_MAX >> 20);
    }
    while (text.size > 0) {
        struct view line = view_cut(&text, '\n');
        reading->line++;
        if (line.size > SCENARIO_LINE_MAX) {
            return problem(reading, "It is longer than %d characters.", SCENARIO_LINE_MAX);
        }
        if (!take(reading, view_trim(line))) {
            return false;
        }
    }
    return true;
}

static bool finish(struct reading *reading)
{
    double sum = 0;
    plan_make_phases(reading->plan);
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        sum += plan_count(reading->plan, (enum storm_class)i);
    }
    return sum > 0 || problem(reading, "Nothing is asked for.");
}

bool scenario_read(struct plan *plan, struct view text)
{
    struct reading reading = {.plan = plan};
    memset(plan, 0, sizeof(*plan));
    return each_line(&reading, text, scenario_line) && finish(&reading);
}

// ---- a recording

// A row's time ends the row before.
static bool add_row(struct reading *reading, double time_s, const double rate[static STORM_CLASSES])
{
    struct plan *plan = reading->plan;
    if (!isfinite(time_s) || fabs(time_s) > 1e12) {
        return problem(reading, "The time is a number of seconds.");
    }
    reading->first_s = reading->rows == 0 ? time_s : reading->first_s;
    double at_s = (time_s - reading->first_s) / reading->speed;
    struct plan_piece *before = last_piece(plan);
    if (before != NULL && at_s <= before->begin_s) {
        return problem(reading, "Times have to ascend.");
    }
    if (at_s > PLAN_SECONDS_MAX || plan->pieces == PLAN_PIECES_MAX) {
        return problem(reading, "At most %d rows and a day; --speed makes it shorter.", PLAN_PIECES_MAX);
    }
    if (before != NULL) {
        before->end_s = plan->seconds = at_s;
    }
    struct plan_piece *piece = &plan->piece[plan->pieces++];
    *piece = (struct plan_piece){.begin_s = at_s, .end_s = at_s};
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        double all = rate[i] * reading->load;
        if (!(all >= 0) || all > PLAN_RATE_MAX) {
            return problem(reading, "A rate is a number from 0 to %d.", PLAN_RATE_MAX);
        }
        piece->rate[i].begin = piece->rate[i].end = all;
    }
    reading->rows++;
    return true;
}

static bool head(struct reading *reading, struct view line)
{
    bool time = false, any = false;
    while (line.size > 0) {
        struct view name = view_trim(view_cut(&line, ','));
        enum storm_class class;
        if (reading->columns == COLUMNS_MAX) {
            return problem(reading, "There are more than %d columns.", COLUMNS_MAX);
        }
        bool is_time = view_equal(name, VIEW("time"));
        bool is_class = storm_class_find(name, &class);
        reading->column[reading->columns++] = is_time ? TIME_COLUMN : is_class ? class : NO_COLUMN;
        time |= is_time;
        any |= is_class;
    }
    return (time && any) ||
           problem(reading, "The head names the columns: time, and classes (check, login, …).");
}

static bool csv_row(struct reading *reading, struct view line)
{
    double value[NO_COLUMN + 1] = {0};
    for (unsigned i = 0; i < reading->columns; i++) {
        struct view cell = view_trim(view_cut(&line, ','));
        unsigned column = reading->column[i];
        if (column != NO_COLUMN && !plan_read_number(cell, &value[column])) {
            return problem(reading, "Column %u is no number.", i + 1);
        }
    }
    return add_row(reading, value[TIME_COLUMN], value);
}

static bool json_row(struct reading *reading, struct view line)
{
    double value[STORM_CLASSES] = {0};
    json_t *row = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
    json_t *time = json_object_get(row, "time");
    bool fine = json_is_number(time);
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        const json_t *rate = json_object_get(row, storm_class_name((enum storm_class)i));
        fine = fine && (rate == NULL || json_is_number(rate));
        value[i] = rate == NULL ? 0 : json_number_value(rate);
    }
    double time_s = json_number_value(time);
    json_decref(row);
    return fine ? add_row(reading, time_s, value)
                : problem(reading, "A row is like {\"time\": 60, \"check\": 200, \"login\": 5}.");
}

static bool recording_line(struct reading *reading, struct view line)
{
    if (line.size == 0 || line.data[0] == '#') {
        return true;
    }
    if (line.data[0] == '{') {
        return json_row(reading, line);
    }
    return reading->columns == 0 ? head(reading, line) : csv_row(reading, line);
}

bool scenario_replay(struct plan *plan, struct view text, double speed, double load)
{
    struct reading reading = {.plan = plan, .speed = speed, .load = load};
    memset(plan, 0, sizeof(*plan));
    if (!each_line(&reading, text, recording_line)) {
        return false;
    }
    if (plan->pieces < 2) {
        return problem(&reading, "A recording has at least two rows.");
    }
    plan->pieces--; // the last row only says when the one before it ends
    return finish(&reading);
}
