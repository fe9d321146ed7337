// SPDX-License-Identifier: ISC
// Draws the screen of stayctl top. Runs in stayctl. What is missing or not of the kind expected is shown as
// "-": a newer or older stayd-watch may say more or less.
#include "cli/top_view.h"

#include "cli/show.h"
#include "cli/text.h"

#include <math.h>

enum style { PLAIN, STRONG, FAINT, GOOD, WARNING, BAD };
enum { LINES_OF_LISTS_MIN = 3, STATEMENTS_MAX = 6, PROCESS_WIDTH = 40, CELL_SIZE = 256 };

struct screen {
    const struct top_view *view;
    struct bytes *out;
    enum style style; // in force
    unsigned columns; // used in this line
    unsigned lines;   // finished
};

// ---- cells and lines

static bool is_full(const struct screen *screen)
{
    return screen->view->rows > 0 && screen->lines >= screen->view->rows;
}

static void sgr(struct screen *screen, enum style style)
{
    static const char *const codes[] = {"0", "0;1", "0;2", "0;32", "0;33", "0;1;31"};
    if (screen->view->colour && style != screen->style) {
        bytes_append_format(screen->out, "\033[%sm", codes[style]);
        screen->style = style;
    }
}

// Bytes of the next character; 1 for what is not UTF-8.
static size_t step(const char *text)
{
    size_t size = 1;
    while (((uint8_t)text[size] & 0xc0) == 0x80 && size < 4) {
        size++;
    }
    return size;
}

static unsigned width_of(const char *text)
{
    unsigned width = 0;
    for (; *text != '\0'; text += step(text)) {
        width++;
    }
    return width;
}

// One character; what could steer a terminal, or what it can't show, is '?'.
static void put_character(struct screen *screen, const char *text, size_t size)
{
    uint8_t first = (uint8_t)text[0];
    bool c1 = first == 0xc2 && (uint8_t)text[1] < 0xa0;
    if (size == 1 ? first < 0x20 || first >= 0x7f : c1 || !screen->view->utf8) {
        bytes_append_byte(screen->out, '?');
    } else {
        bytes_append(screen->out, text, size);
    }
}

// `width` columns; right: at the right end. Cut where it is too long.
static void cell_of(struct screen *screen, unsigned width, bool right, enum style style, const char *text)
{
    unsigned room = screen->view->columns - screen->columns;
    unsigned have = width_of(text);
    width = width < room ? width : room;
    have = have < width ? have : width;
    if (is_full(screen)) {
        return;
    }
    bytes_append_format(screen->out, "%*s", right ? (int)(width - have) : 0, "");
    if (have > 0) {
        sgr(screen, style);
    }
    for (unsigned i = 0; i < have; i++) {
        size_t size = step(text);
        put_character(screen, text, size);
        text += size;
    }
    bytes_append_format(screen->out, "%*s", right ? 0 : (int)(width - have), "");
    screen->columns += width;
}

static void left(struct screen *screen, unsigned width, enum style style, const char *text)
{
    cell_of(screen, width, false, style, text);
}

static void right(struct screen *screen, unsigned width, enum style style, const char *text)
{
    cell_of(screen, width, true, style, text);
}

static void to_column(struct screen *screen, unsigned column)
{
    if (column > screen->columns) {
        left(screen, column - screen->columns, PLAIN, "");
    }
}

static void line_end(struct screen *screen)
{
    if (is_full(screen)) {
        return;
    }
    sgr(screen, PLAIN);
    screen->lines++;
    screen->columns = 0;
    bytes_append_view(screen->out, screen->view->live ? VIEW("\033[K") : VIEW(""));
    if (!screen->view->live) {
        while (screen->out->size > 0 && screen->out->data[screen->out->size - 1] == ' ') {
            screen->out->size--;
        }
    }
    if (!screen->view->live || !is_full(screen)) {
        bytes_append_view(screen->out, screen->view->live ? VIEW("\r\n") : VIEW("\n"));
    }
}

// ---- values

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "-" : text;
}

static void show_rate(char out[static CELL_SIZE], double value)
{
    if (!isfinite(value)) {
        snprintf(out, CELL_SIZE, "-");
    } else if (value >= 100000) {
        snprintf(out, CELL_SIZE, "%.0fk", value / 1000);
    } else {
        snprintf(out, CELL_SIZE, value >= 100 || value == 0 ? "%.0f" : "%.1f", value);
    }
}

static void show_ms(const struct screen *screen, char out[static CELL_SIZE], double value)
{
    if (!isfinite(value)) {
        snprintf(out, CELL_SIZE, "-");
    } else if (value < 1) {
        snprintf(out, CELL_SIZE, "%.0f %s", value * 1000, screen->view->utf8 ? "µs" : "us");
    } else if (value < 1000) {
        snprintf(out, CELL_SIZE, value < 100 ? "%.1f ms" : "%.0f ms", value);
    } else {
        snprintf(out, CELL_SIZE, "%.1f s", value / 1000);
    }
}

static void show_percent(char out[static CELL_SIZE], double share)
{
    if (isfinite(share)) {
        snprintf(out, CELL_SIZE, "%.0f%%", share * 100);
    } else {
        snprintf(out, CELL_SIZE, "-");
    }
}

static void show_size(char out[static CELL_SIZE], double bytes)
{
    static const char *const units[] = {"B", "K", "M", "G", "T"};
    unsigned i = 0;
    while (bytes >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        i++;
    }
    if (isfinite(bytes)) {
        snprintf(out, CELL_SIZE, i > 0 && bytes < 10 ? "%.1f%s" : "%.0f%s", bytes, units[i]);
    } else {
        snprintf(out, CELL_SIZE, "-");
    }
}

static void show_duration(char out[static CELL_SIZE], double value)
{
    unsigned long long seconds = isfinite(value) && value > 0 ? (unsigned long long)value : 0;
    if (seconds < 60) {
        snprintf(out, CELL_SIZE, "%llus", seconds);
    } else if (seconds < 3600) {
        snprintf(out, CELL_SIZE, "%llum", seconds / 60);
    } else if (seconds < 86400) {
        snprintf(out, CELL_SIZE, "%lluh%02llu", seconds / 3600, seconds % 3600 / 60);
    } else {
        snprintf(out, CELL_SIZE, "%llud%lluh", seconds / 86400, seconds % 86400 / 3600);
    }
}

// The last `width` points of a series.
static void spark(struct screen *screen, const json_t *series, unsigned width)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", "-", "=", "+", "*", "%", "#"};
    size_t count = json_array_size(series);
    size_t first = count > width ? count - width : 0;
    double most = 0;
    for (size_t i = first; i < count; i++) {
        double value = json_number_value(json_array_get(series, i));
        most = value > most ? value : most;
    }
    left(screen, width - (unsigned)(count - first), PLAIN, "");
    for (size_t i = first; i < count; i++) {
        const json_t *point = json_array_get(series, i);
        double value = json_number_value(point);
        unsigned level = most > 0 ? (unsigned)(value / most * 7 + 0.5) : 0;
        level = level > 7 ? 7 : level;
        left(screen, 1, FAINT,
             !json_is_number(point) ? " "
             : screen->view->utf8   ? blocks[level]
                                    : letters[level]);
    }
}

static void bar(struct screen *screen, unsigned width, double share, enum style style)
{
    unsigned filled = share > 0 ? (unsigned)(share * width + 0.5) : 0;
    filled = filled > width ? width : filled;
    for (unsigned i = 0; i < width; i++) {
        left(screen, 1, i < filled ? style : FAINT,
             screen->view->utf8 ? (i < filled ? "█" : "·") : (i < filled ? "#" : "."));
    }
}

// ---- parts

static void draw_title(struct screen *screen, const json_t *top)
{
    char text[CELL_SIZE];
    char time[TEXT_TIME_SIZE];
    const json_t *verdict = json_object_get(top, "verdict");
    const char *state = json_is_object(verdict) ? text_of(verdict, "state") : NULL;
    bool ready = json_is_true(json_object_get(top, "ready"));
    if (!ready) {
        state = "not ready";
    } else if (state == NULL) {
        state = "up";
    }
    enum style style = !ready || strcmp(state, "incident") == 0 ? BAD
                       : strcmp(state, "degraded") == 0         ? WARNING
                                                                : GOOD;
    snprintf(text, sizeof(text), "stayd %.40s  ", text_of(top, "version"));
    left(screen, width_of(text), STRONG, text);
    left(screen, 12, style, state);
    double seconds = show_number_of(top, "unix_ms") / 1000;
    text_time_local(isfinite(seconds) && seconds > 0 ? (uint64_t)seconds : 0, time);
    right(screen, screen->view->columns - screen->columns, FAINT, time);
    line_end(screen);
}

// The sentence, in as many lines as it takes up to two, and what to do.
static void draw_verdict(struct screen *screen, const json_t *top)
{
    const json_t *verdict = json_object_get(top, "verdict");
    const char *sentence = json_string_value(json_object_get(verdict, "sentence"));
    const json_t *to_do = json_array_get(json_object_get(verdict, "to_do"), 0);
    const char *command = json_string_value(json_object_get(to_do, "command"));
    if (sentence == NULL) {
        return;
    }
    bool wrong = strcmp(text_of(verdict, "state"), "healthy") != 0;
    for (unsigned line = 0; line < 2 && *sentence != '\0'; line++) {
        unsigned width = screen->view->columns;
        left(screen, width, wrong ? STRONG : PLAIN, sentence);
        line_end(screen);
        for (unsigned i = 0; i < width && *sentence != '\0'; i++) {
            sentence += step(sentence);
        }
    }
    if (wrong && command != NULL && command[0] != '\0') {
        left(screen, 4, FAINT, "do: ");
        left(screen, screen->view->columns - 4, PLAIN, command);
        line_end(screen);
    }
}

static void draw_classes(struct screen *screen, const json_t *top)
{
    static const struct {
        const char *name, *series;
    } rows[] = {{"check", "checks"}, {"login", "logins"}, {"change", "changes"}, {"other", "others"}};
    static const char *const titles[] = {"a second", "ok", "refused", "failed", "p50", "p99"};
    static const unsigned widths[] = {9, 9, 9, 8, 9, 9};
    char text[CELL_SIZE];
    left(screen, 7, FAINT, "");
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        right(screen, widths[i], FAINT, titles[i]);
    }
    left(screen, 2, PLAIN, "");
    left(screen, screen->view->columns - screen->columns, FAINT, "last two minutes");
    line_end(screen);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const char *const rates[] = {"per_second", "ok_per_second", "refused_per_second",
                                            "failed_per_second"};
        static const enum style styles[] = {PLAIN, PLAIN, WARNING, BAD};
        const json_t *class = json_object_get(json_object_get(top, "classes"), rows[i].name);
        left(screen, 7, STRONG, rows[i].name);
        for (size_t at = 0; at < 4; at++) {
            double rate = show_number_of(class, rates[at]);
            show_rate(text, rate);
            right(screen, widths[at], rate > 0 ? styles[at] : PLAIN, text);
        }
        show_ms(screen, text, show_number_of(class, "p50_ms"));
        right(screen, widths[4], PLAIN, text);
        show_ms(screen, text, show_number_of(class, "p99_ms"));
        right(screen, widths[5], PLAIN, text);
        left(screen, 2, PLAIN, "");
        spark(screen, json_object_get(json_object_get(top, "history"), rows[i].series),
              screen->view->columns - screen->columns);
        line_end(screen);
    }
}

// The elements of a list, the largest of `by` first.
static size_t sorted(const json_t *list, const char *by, const json_t **out, size_t most)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        double value = show_number_of(one, by);
        size_t place = count < most ? count++ : most;
        while (place > 0 && !(show_number_of(out[place - 1], by) >= value)) {
            if (place < most) {
                out[place] = out[place - 1];
            }
            place--;
        }
        if (place < most) {
            out[place] = one;
        }
    }
    return count;
}

// Names are written with spaces.
static void name_of(const json_t *object, const char *name, char out[static CELL_SIZE])
{
    snprintf(out, CELL_SIZE, "%.100s", text_of(object, name));
    for (char *c = out; *c != '\0'; c++) {
        *c = *c == '_' ? ' ' : *c;
    }
}

static void draw_stage(struct screen *screen, const json_t *stage, unsigned width)
{
    char text[CELL_SIZE];
    double share = show_number_of(stage, "share");
    unsigned end = screen->columns + width;
    name_of(stage, "stage", text);
    left(screen, 12, PLAIN, text);
    show_ms(screen, text, show_number_of(stage, "mean_ms"));
    right(screen, 9, PLAIN, text);
    show_percent(text, share);
    right(screen, 5, PLAIN, text);
    left(screen, 1, PLAIN, "");
    bar(screen, end - screen->columns, share, PLAIN);
}

static void draw_resource(struct screen *screen, const json_t *resource, unsigned width)
{
    char text[CELL_SIZE];
    double full = show_number_of(resource, "full");
    enum style style = full >= 0.9 ? BAD : full >= 0.7 ? WARNING : PLAIN;
    unsigned end = screen->columns + width;
    name_of(resource, "resource", text);
    left(screen, 21, PLAIN, text);
    show_percent(text, full);
    right(screen, 5, style, text);
    left(screen, 1, PLAIN, "");
    bar(screen, end - screen->columns, full, style);
}

// Stages at the left, resources at the right.
static void draw_lists(struct screen *screen, const json_t *top, unsigned lines)
{
    enum { MOST = 32 };
    const json_t *stages[MOST];
    const json_t *resources[MOST];
    unsigned half = (screen->view->columns - 2) / 2;
    unsigned most = lines < MOST ? lines : MOST;
    size_t stage_count = sorted(json_object_get(top, "stages"), "share", stages, most);
    size_t resource_count = sorted(json_object_get(top, "resources"), "full", resources, most);
    left(screen, half + 2, FAINT, "time of log-ins and changes");
    left(screen, half, FAINT, "how full");
    line_end(screen);
    for (size_t i = 0; i < stage_count || i < resource_count; i++) {
        if (i < stage_count) {
            draw_stage(screen, stages[i], half);
        }
        to_column(screen, half + 2);
        if (i < resource_count) {
            draw_resource(screen, resources[i], half);
        }
        line_end(screen);
    }
}

static void item(struct screen *screen, const char *name, const char *value)
{
    unsigned width = width_of(name) + width_of(value) + 3;
    if (screen->columns + width > screen->view->columns) {
        return;
    }
    left(screen, width_of(name) + 1, FAINT, name);
    left(screen, width_of(value) + 2, PLAIN, value);
}

static void item_count(struct screen *screen, const char *name, const json_t *object, const char *of)
{
    char text[CELL_SIZE];
    double value = show_number_of(object, of);
    snprintf(text, sizeof(text), isfinite(value) ? "%.0f" : "-", value);
    item(screen, name, text);
}

static void item_pair(struct screen *screen, const char *name, const json_t *object, const char *used,
                      const char *limit)
{
    char text[CELL_SIZE];
    snprintf(text, sizeof(text), "%.0f/%.0f", show_number_of(object, used), show_number_of(object, limit));
    item(screen, name, text);
}

static void item_rate(struct screen *screen, const char *name, const json_t *object, const char *of)
{
    char text[CELL_SIZE];
    show_rate(text, show_number_of(object, of));
    item(screen, name, text);
}

static void item_ms(struct screen *screen, const char *name, const json_t *object, const char *of)
{
    char text[CELL_SIZE];
    show_ms(screen, text, show_number_of(object, of));
    item(screen, name, text);
}

static void draw_details(struct screen *screen, const json_t *top)
{
    const json_t *hash = json_object_get(top, "hash");
    const json_t *pool = json_object_get(top, "pool");
    const json_t *database = json_object_get(top, "database");
    const json_t *sessions = json_object_get(top, "sessions");
    bool available = json_is_true(json_object_get(database, "available"));
    char size[CELL_SIZE];
    left(screen, 10, STRONG, "hashing");
    item_pair(screen, "busy", hash, "busy", "workers");
    item_count(screen, "queued", hash, "queued");
    item_rate(screen, "a second", hash, "per_second");
    item_ms(screen, "each", hash, "mean_ms");
    item_count(screen, "at the gate", json_object_get(top, "gate"), "waiting");
    line_end(screen);
    left(screen, 10, available ? STRONG : BAD, "database");
    left(screen, 9, available ? GOOD : BAD, available ? "answers" : "away");
    item_pair(screen, "pool", pool, "busy", "open");
    item_count(screen, "queued", database, "queued");
    item_rate(screen, "done", database, "done_per_second");
    item_rate(screen, "refused", database, "refused_per_second");
    item_count(screen, "journal", database, "journal_entries");
    line_end(screen);
    left(screen, 10, STRONG, "sessions");
    item_count(screen, "live", sessions, "live");
    item_count(screen, "accounts", sessions, "accounts");
    show_size(size, show_number_of(sessions, "memory_bytes"));
    item(screen, "memory", size);
    item_count(screen, "connections", sessions, "connections");
    item_count(screen, "ends pending", sessions, "ends_pending");
    line_end(screen);
}

static void draw_statements(struct screen *screen, const json_t *top, unsigned lines)
{
    const json_t *statements = json_object_get(json_object_get(top, "database"), "statements");
    char text[CELL_SIZE];
    if (lines < 2 || json_array_size(statements) == 0) {
        return;
    }
    left(screen, 24, FAINT, "statements");
    right(screen, 10, FAINT, "a second");
    right(screen, 10, FAINT, "mean");
    right(screen, 10, FAINT, "waited");
    right(screen, 8, FAINT, "share");
    line_end(screen);
    for (size_t i = 0; i < json_array_size(statements) && i + 1 < lines; i++) {
        const json_t *one = json_array_get(statements, i);
        left(screen, 24, PLAIN, text_of(one, "operation"));
        show_rate(text, show_number_of(one, "per_second"));
        right(screen, 10, PLAIN, text);
        show_ms(screen, text, show_number_of(one, "mean_ms"));
        right(screen, 10, PLAIN, text);
        show_ms(screen, text, show_number_of(one, "wait_ms"));
        right(screen, 10, PLAIN, text);
        show_percent(text, show_number_of(one, "share"));
        right(screen, 8, PLAIN, text);
        line_end(screen);
    }
}

static unsigned processes_across(const struct screen *screen)
{
    unsigned across = screen->view->columns / PROCESS_WIDTH;
    return across == 0 ? 1 : across;
}

static void draw_process(struct screen *screen, const json_t *process)
{
    char text[CELL_SIZE];
    const char *name = text_of(process, "process");
    const char *state = text_of(process, "state");
    bool up = strcmp(state, "up") == 0;
    double restarts = show_number_of(process, "restarts");
    name = strncmp(name, "stayd-", 6) == 0 ? name + 6 : "supervisor";
    snprintf(text, sizeof(text), "%.20s %.0f", name, show_number_of(process, "index"));
    left(screen, 12, PLAIN, strcmp(name, "front") == 0 ? text : name);
    left(screen, 7, up ? GOOD : strcmp(state, "starting") == 0 ? WARNING : BAD, state);
    show_percent(text, show_number_of(process, "processor"));
    right(screen, 4, PLAIN, text);
    show_size(text, show_number_of(process, "memory_bytes"));
    right(screen, 5, PLAIN, text);
    show_duration(text, show_number_of(process, "uptime_s"));
    right(screen, 6, PLAIN, text);
    snprintf(text, sizeof(text), " x%.0f", restarts);
    left(screen, 4, WARNING, restarts > 0 ? text : "");
}

static void draw_processes(struct screen *screen, const json_t *top)
{
    const json_t *processes = json_object_get(top, "processes");
    unsigned across = processes_across(screen);
    for (unsigned i = 0; i < across; i++) {
        to_column(screen, i * PROCESS_WIDTH);
        left(screen, 12, FAINT, "process");
        left(screen, 7, FAINT, "state");
        right(screen, 4, FAINT, "cpu");
        right(screen, 5, FAINT, "mem");
        right(screen, 6, FAINT, "up");
    }
    line_end(screen);
    for (size_t i = 0; i < json_array_size(processes); i++) {
        unsigned column = (unsigned)(i % across);
        to_column(screen, column * PROCESS_WIDTH);
        draw_process(screen, json_array_get(processes, i));
        if (column + 1 == across || i + 1 == json_array_size(processes)) {
            line_end(screen);
        }
    }
}

// Lines left for the lists: what the other parts need is fixed.
static void divide(const struct screen *screen, const json_t *top, unsigned *lists, unsigned *statements)
{
    unsigned processes = (unsigned)json_array_size(json_object_get(top, "processes"));
    unsigned across = processes_across(screen);
    unsigned others = screen->lines + 5 + 1 + 3 + 1 + (processes + across - 1) / across +
                      (screen->view->note != NULL ? 1 : 0);
    unsigned most = (unsigned)json_array_size(json_object_get(top, "resources"));
    unsigned stages = (unsigned)json_array_size(json_object_get(top, "stages"));
    unsigned rest = screen->view->rows > others ? screen->view->rows - others : LINES_OF_LISTS_MIN;
    most = most > stages ? most : stages;
    *lists = screen->view->rows == 0 || rest > most ? most : rest;
    *statements = screen->view->rows == 0 ? STATEMENTS_MAX + 1 : rest > *lists ? rest - *lists : 0;
}

void top_view_draw(const struct top_view *view, const json_t *top, struct bytes *out)
{
    struct screen screen = {.view = view, .out = out};
    unsigned lists;
    unsigned statements;
    draw_title(&screen, top);
    draw_verdict(&screen, top);
    divide(&screen, top, &lists, &statements);
    draw_classes(&screen, top);
    draw_lists(&screen, top, lists);
    draw_details(&screen, top);
    draw_statements(&screen, top, statements);
    draw_processes(&screen, top);
    while (view->live && view->note != NULL && screen.lines + 1 < view->rows) {
        line_end(&screen);
    }
    if (view->note != NULL) {
        left(&screen, view->columns, FAINT, view->note);
        line_end(&screen);
    }
}
