// SPDX-License-Identifier: ISC
// `/why.json` and `/why`: the verdict as it stands. Runs in stayd-watch. Where nothing is wrong, the evidence
// is the figures that show it; what the verdict still holds then is of the last time that something was.
#include "watch/prose.h"
#include "watch/read_json.h"
#include "watch/routes.h"
#include "watch/why_text.h"

enum { HEALTHY_WINDOW_MS = 10000 };

[[gnu::format(printf, 2, 3)]] static void say(json_t *lines, const char *format, ...)
{
    char line[VERDICT_LINE_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof(line), format, list);
    va_end(list);
    json_array_append_new(lines, json_string(line));
}

static void say_processes(json_t *lines, const struct asked *asked)
{
    const struct watched *watched = asked->ops->watched;
    unsigned up = 0;
    for (unsigned i = 0; i < watched->pages; i++) {
        up += watched_state(&watched->page[i], asked->now) == WATCHED_UP;
    }
    say(lines, "%u of %u processes are up and answer their heartbeats.", up, watched->pages);
}

static void say_requests(json_t *lines, const struct series *series)
{
    static const struct window window = {HEALTHY_WINDOW_MS, 0};
    char rate[PROSE_FIGURE_SIZE], failed[PROSE_FIGURE_SIZE], refused[PROSE_FIGURE_SIZE];
    prose_figure(series_value(series, SIGNAL_requests_arrived, window), "/s", rate);
    prose_figure(series_value(series, SIGNAL_requests_failed, window), "/s", failed);
    prose_figure(series_value(series, SIGNAL_requests_refused, window), "/s", refused);
    say(lines, "Over the last 10 s %s requests came, %s failed and %s were refused.", rate, failed, refused);
}

static void say_times(json_t *lines, const struct series *series)
{
    static const struct {
        enum signal signal;
        const char *what;
    } rows[] = {{SIGNAL_check_p99_ms, "99 % of the session checks took less than"},
                {SIGNAL_login_p99_ms, "99 % of the log-ins took less than"}};
    static const struct window window = {HEALTHY_WINDOW_MS, 0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char figure[PROSE_FIGURE_SIZE];
        double ms = series_value(series, rows[i].signal, window);
        prose_ms(ms, figure);
        if (isfinite(ms)) {
            say(lines, "%s %s.", rows[i].what, figure);
        }
    }
}

static void say_store(json_t *lines, const struct series *series)
{
    static const struct window window = {HEALTHY_WINDOW_MS, 0};
    double up = series_value(series, SIGNAL_store_available, window);
    double waiting = series_value(series, SIGNAL_store_queued, window);
    if (isfinite(up) && isfinite(waiting)) {
        say(lines, "The database %s; %.1f operations wait for it on average.",
            up >= 0.999 ? "answers" : "does not answer all the time", waiting);
    }
}

// NULL while nothing has been looked at.
static json_t *why(const struct asked *asked)
{
    const struct ops *ops = asked->ops;
    if (ops->verdict == NULL || ops->series == NULL) {
        return NULL;
    }
    const char *incident = ops->verdict->open ? incident_book_current(ops->book) : NULL;
    json_t *verdict = verdict_json(ops->verdict, incident);
    if (!ops->verdict->open) {
        json_t *evidence = json_array();
        say_processes(evidence, asked);
        say_requests(evidence, ops->series);
        say_times(evidence, ops->series);
        say_store(evidence, ops->series);
        json_object_set_new(verdict, "evidence", evidence);
    }
    if (read_text(verdict, "sentence")[0] == '\0') {
        json_object_set_new(verdict, "sentence", json_string("Nothing is wrong."));
    }
    return verdict;
}

void why_write(const struct asked *asked, struct bytes *out)
{
    json_t *verdict = why(asked);
    if (verdict != NULL) {
        json_write(out, verdict);
        json_decref(verdict);
    }
}

static void not_yet(const struct asked *asked)
{
    answer_problem(asked, 503, VIEW("stayd-watch has only just been started."), VIEW(""), 1);
}

void route_why_json(const struct asked *asked)
{
    json_t *verdict = why(asked);
    if (verdict == NULL) {
        not_yet(asked);
        return;
    }
    json_write(&asked->ops->body, verdict);
    json_decref(verdict);
    answer_body(asked, VIEW("application/json"));
}

void route_why_text(const struct asked *asked)
{
    json_t *verdict = why(asked);
    if (verdict == NULL) {
        not_yet(asked);
        return;
    }
    why_text_write(&asked->ops->body, verdict, view_equal(asked->request->query, VIEW("colours")));
    json_decref(verdict);
    answer_body(asked, VIEW("text/plain; charset=utf-8"));
}
