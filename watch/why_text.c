// SPDX-License-Identifier: ISC
// `stayctl why` on a terminal. Runs in stayd-watch.
#include "watch/why_text.h"

#include "watch/prose.h"
#include "watch/read_json.h"

struct page {
    struct bytes *out;
    const json_t *verdict;
    bool colours;
};

#define BOLD   "1"
#define RED    "1;31"
#define YELLOW "1;33"
#define GREEN  "1;32"
#define DIM    "2"

static void paint(const struct page *page, const char *colour)
{
    if (page->colours) {
        bytes_append_format(page->out, "\033[%sm", colour);
    }
}

static void heading(const struct page *page, const char *text)
{
    bytes_append_byte(page->out, '\n');
    paint(page, BOLD);
    prose_clean(page->out, text);
    paint(page, "0");
    bytes_append_byte(page->out, '\n');
}

static void write_sentence(const struct page *page)
{
    const char *state = read_text(page->verdict, "state");
    bool incident = strcmp(state, "incident") == 0;
    bool healthy = strcmp(state, "healthy") == 0;
    paint(page, incident ? RED : healthy ? GREEN : YELLOW);
    prose_wrap(page->out,
               incident  ? "INCIDENT  "
               : healthy ? "HEALTHY  "
                         : "DEGRADED  ",
               0, read_text(page->verdict, "sentence"));
    paint(page, "0");
}

static void write_times(const struct page *page)
{
    char took[PROSE_FIGURE_SIZE];
    double onset = read_number(page->verdict, "onset_unix_ms");
    double detected = read_number(page->verdict, "detected_unix_ms");
    double diagnosed = read_number(page->verdict, "diagnosed_unix_ms");
    const char *id = read_text(page->verdict, "incident");
    if (!isfinite(onset)) {
        return;
    }
    bytes_append_format(page->out, "Since %s", read_text(page->verdict, "onset"));
    if (detected >= onset) {
        prose_span((uint64_t)(detected - onset), took);
        bytes_append_format(page->out, ", noticed after %s", took);
    }
    if (diagnosed >= onset) {
        prose_span((uint64_t)(diagnosed - onset), took);
        bytes_append_format(page->out, ", named after %s", took);
    }
    bytes_append_view(page->out, VIEW("\n"));
    if (id[0] != '\0') {
        bytes_append_view(page->out, VIEW("Kept as incident "));
        prose_clean(page->out, id);
        bytes_append_view(page->out, VIEW(": stayctl incident show "));
        prose_clean(page->out, id);
        bytes_append_byte(page->out, '\n');
    }
}

static void write_lines(const struct page *page, const char *key, const char *title)
{
    json_t *list = read_list(page->verdict, key);
    size_t at;
    const json_t *line;
    if (json_array_size(list) == 0) {
        return;
    }
    heading(page, title);
    json_array_foreach(list, at, line)
    {
        prose_wrap(page->out, "  - ", 4, json_string_value(line));
    }
}

static void write_stages(const struct page *page)
{
    json_t *list = read_list(page->verdict, "stages");
    size_t at;
    const json_t *one;
    if (json_array_size(list) == 0) {
        return;
    }
    heading(page, "Where the time of a request goes");
    bytes_append_format(page->out, "  %-16s %12s %12s %14s\n", "stage", "before", "now", "of the added");
    json_array_foreach(list, at, one)
    {
        char before[PROSE_FIGURE_SIZE], now[PROSE_FIGURE_SIZE], share[PROSE_FIGURE_SIZE];
        prose_ms(read_number(one, "before_ms"), before);
        prose_ms(read_number(one, "now_ms"), now);
        prose_figure(read_number(one, "added_share"), "share", share);
        bytes_append_format(page->out, "  %-16.16s %12s %12s %14s\n", read_text(one, "stage"), before, now,
                            share);
    }
}

static void write_load(const struct page *page)
{
    const json_t *load = json_object_get(page->verdict, "load");
    char figure[4][PROSE_FIGURE_SIZE];
    const char *says = read_text(load, "says");
    if (says[0] == '\0') {
        return;
    }
    prose_figure(read_number(load, "arrivals_before"), "/s", figure[0]);
    prose_figure(read_number(load, "arrivals_now"), "/s", figure[1]);
    prose_ms(read_number(load, "service_before_ms"), figure[2]);
    prose_ms(read_number(load, "service_now_ms"), figure[3]);
    heading(page, "Load or service time? (at work at once = arrivals × time of each)");
    bytes_append_format(page->out, "  arrivals %s → %s, time of each %s → %s\n", figure[0], figure[1],
                        figure[2], figure[3]);
    prose_wrap(page->out, "  ", 2, says);
}

static void write_predicate(const struct page *page, const json_t *predicate)
{
    char line[512], value[PROSE_FIGURE_SIZE], bound[PROSE_FIGURE_SIZE];
    const char *unit = read_text(predicate, "unit");
    double figure = read_number(predicate, "value");
    double limit = read_number(predicate, "bound");
    prose_figure(figure, unit, value);
    prose_figure(limit, unit, bound);
    if (isfinite(figure) && isfinite(limit)) {
        snprintf(line, sizeof(line), "%.400s: %s (bound %s)", read_text(predicate, "text"), value, bound);
    } else if (isfinite(figure)) {
        snprintf(line, sizeof(line), "%.400s: %s", read_text(predicate, "text"), value);
    } else {
        snprintf(line, sizeof(line), "%.400s", read_text(predicate, "text"));
    }
    prose_wrap(page->out, "  + ", 4, line);
}

static void write_details(const struct page *page, json_t *details)
{
    const char *key;
    const json_t *value;
    json_object_foreach(details, key, value)
    {
        paint(page, DIM);
        bytes_append_view(page->out, VIEW("    "));
        for (const char *c = key; *c != '\0'; c++) {
            bytes_append_byte(page->out, *c == '_' ? ' ' : (uint8_t)*c);
        }
        bytes_append_view(page->out, VIEW(": "));
        prose_clean(page->out, json_string_value(value));
        paint(page, "0");
        bytes_append_byte(page->out, '\n');
    }
}

static void write_cause(const struct page *page, const json_t *cause)
{
    char title[160], share[PROSE_FIGURE_SIZE];
    size_t at;
    const json_t *predicate;
    prose_figure(read_number(cause, "share"), "share", share);
    snprintf(title, sizeof(title), "Cause: %.100s (%s of what became worse)", read_text(cause, "title"),
             share);
    heading(page, title);
    prose_wrap(page->out, "  ", 2, read_text(cause, "sentence"));
    json_array_foreach(read_list(cause, "predicates"), at, predicate)
    {
        write_predicate(page, predicate);
    }
    write_details(page, json_object_get(cause, "details"));
}

static void write_sustaining(const struct page *page)
{
    const char *text = read_text(page->verdict, "sustaining");
    if (text[0] != '\0') {
        heading(page, "What keeps it going");
        prose_wrap(page->out, "  ", 2, text);
    }
}

static void write_to_do(const struct page *page)
{
    json_t *list = read_list(page->verdict, "to_do");
    size_t at;
    const json_t *one;
    if (json_array_size(list) == 0) {
        return;
    }
    heading(page, "What to do now");
    json_array_foreach(list, at, one)
    {
        char number[32];
        const char *command = read_text(one, "command");
        snprintf(number, sizeof(number), "  %zu. ", at + 1);
        prose_wrap(page->out, number, 5, read_text(one, "text"));
        if (command[0] != '\0') {
            paint(page, BOLD);
            bytes_append_view(page->out, VIEW("       "));
            prose_clean(page->out, command);
            paint(page, "0");
            bytes_append_byte(page->out, '\n');
        }
    }
}

static void write_ruled_out(const struct page *page)
{
    json_t *list = read_list(page->verdict, "ruled_out");
    size_t at;
    const json_t *one;
    if (json_array_size(list) == 0) {
        return;
    }
    heading(page, "Ruled out");
    json_array_foreach(list, at, one)
    {
        char line[512];
        const char *title = read_text(one, "title");
        snprintf(line, sizeof(line), "%.120s: %.360s", title[0] != '\0' ? title : read_text(one, "cause"),
                 read_text(one, "because"));
        prose_wrap(page->out, "  - ", 4, line);
    }
}

// All is well: what was the matter last time, in short. Incidents have the rest.
static void write_last(const struct page *page)
{
    json_t *causes = read_list(page->verdict, "causes");
    const char *onset = read_text(page->verdict, "onset");
    size_t at;
    const json_t *cause;
    if (json_array_size(causes) == 0 || onset[0] == '\0') {
        return;
    }
    heading(page, "The last time that something was wrong");
    bytes_append_format(page->out, "  since %s:\n", onset);
    json_array_foreach(causes, at, cause)
    {
        prose_wrap(page->out, "  - ", 4, read_text(cause, "sentence"));
    }
    bytes_append_view(page->out, VIEW("  stayctl incident list\n"));
}

void why_text_write(struct bytes *out, const json_t *verdict, bool colours)
{
    const struct page page = {out, verdict, colours};
    size_t at;
    const json_t *cause;
    write_sentence(&page);
    if (strcmp(read_text(verdict, "state"), "healthy") == 0) {
        write_lines(&page, "evidence", "Evidence");
        write_last(&page);
        return;
    }
    write_times(&page);
    json_array_foreach(read_list(verdict, "causes"), at, cause)
    {
        write_cause(&page, cause);
    }
    write_lines(&page, "evidence", "Evidence");
    write_stages(&page);
    write_load(&page);
    write_sustaining(&page);
    write_lines(&page, "done", "Done by stayd itself");
    write_to_do(&page);
    write_ruled_out(&page);
}
