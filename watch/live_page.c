// SPDX-License-Identifier: ISC
// The live page. Runs in stayd-watch. One renderer for browsers with and without a script: the script asks
// for this page again and takes over what changed.
#include "watch/live_page.h"

#include "watch/html.h"

#include <math.h>

enum { SPARK_HEIGHT = 30, PAGE_REFRESH_S = 5 };

// One line of the last two minutes, its highest point at the top; gaps where nothing is known.
static void spark_path(struct bytes *out, const struct top *top, enum top_series series, double most,
                       const char *class)
{
    unsigned points = top_points(top);
    bool pen_down = false;
    bytes_append_format(out, "<path class=\"%s\" d=\"", class);
    for (unsigned i = 0; i < points; i++) {
        double value = top_point(top, series, i);
        if (!isfinite(value)) {
            pen_down = false;
            continue;
        }
        double y = most > 0 ? (SPARK_HEIGHT - 1) - value / most * (SPARK_HEIGHT - 2) : SPARK_HEIGHT - 1;
        bytes_append_format(out, "%c%u %.1f", pen_down ? 'L' : 'M', TOP_POINTS - points + i, y);
        if (!pen_down) {
            bytes_append_view(out, VIEW("h.01")); // a lone point is seen too
        }
        pen_down = true;
    }
    bytes_append_view(out, VIEW("\"/>"));
}

static double most_of(const struct top *top, enum top_series series)
{
    double most = 0;
    for (unsigned i = 0; i < top_points(top); i++) {
        double value = top_point(top, series, i);
        most = isfinite(value) && value > most ? value : most;
    }
    return most;
}

static void spark(struct bytes *out, const struct top *top, enum top_series series, const char *what)
{
    double most = most_of(top, series);
    bytes_append_format(
        out,
        "<svg class=\"spark\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" "
        "aria-label=\"%s in the last two minutes, at most %.*f\">",
        TOP_POINTS, SPARK_HEIGHT, what, most < 10 ? 2 : 0, most);
    spark_path(out, top, series, most, "now");
    bytes_append_view(out, VIEW("</svg>\n"));
}

// A bar from 0 to 1.
static void bar(struct bytes *out, double share)
{
    double width = share < 0 ? 0 : share > 1 ? 100 : share * 100;
    bytes_append_format(
        out,
        "<svg class=\"bar\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
        "<rect class=\"rest\" width=\"100\" height=\"6\"/>"
        "<rect%s width=\"%.1f\" height=\"6\"/></svg>",
        share >= 0.9 ? " class=\"full\"" : "", width);
}

static void rate(struct bytes *out, double per_second)
{
    bytes_append_format(out, per_second >= 100 || per_second == 0 ? "%.0f" : "%.1f", per_second);
}

static void card_begin(struct bytes *out, const char *title)
{
    bytes_append_format(out, "<div class=\"card\"><h3>%s</h3>\n", title);
}

static void card_end(struct bytes *out)
{
    bytes_append_view(out, VIEW("</div>\n"));
}

static void write_class(struct bytes *out, const struct top *top, enum sums_group group, const char *title,
                        enum top_series series)
{
    const uint64_t *answered = top->window.answered[group];
    const struct stats_times *times = &top->window.times[sums_group_times(group)];
    double seconds = sums_seconds(&top->window);
    card_begin(out, title);
    bytes_append_view(out, VIEW("<p><span class=\"big\">"));
    rate(out, (double)sums_answered(&top->window, group) / seconds);
    bytes_append_view(out, VIEW("</span> a second</p>\n<p>half in "));
    html_time_ns(out, stats_quantile_ns(times, 0.5));
    bytes_append_view(out, VIEW(", 99 % in "));
    html_time_ns(out, stats_quantile_ns(times, 0.99));
    bytes_append_view(out, VIEW("</p>\n<p>refused "));
    rate(out, (double)answered[SUMS_REFUSED] / seconds);
    bytes_append_view(out, VIEW(", failed "));
    rate(out, (double)answered[SUMS_FAILED] / seconds);
    bytes_append_view(out, VIEW("</p>\n"));
    spark(out, top, series, title);
    card_end(out);
}

static void write_classes(struct bytes *out, const struct top *top)
{
    bytes_append_view(out, VIEW("<h2>Requests</h2>\n<div class=\"cards\">\n"));
    write_class(out, top, SUMS_check, "Checks", TOP_SERIES_checks);
    write_class(out, top, SUMS_login, "Log-ins", TOP_SERIES_logins);
    write_class(out, top, SUMS_change, "Changes", TOP_SERIES_changes);
    write_class(out, top, SUMS_other, "Others", TOP_SERIES_others);
    bytes_append_view(out, VIEW("</div>\n"));
}

static void write_gauges(struct bytes *out, const struct top *top)
{
    static const struct {
        const char *title;
        enum top_series series;
    } rows[] = {{"Processors", TOP_SERIES_processors},
                {"Password workers", TOP_SERIES_hash},
                {"Database", TOP_SERIES_database}};
    unsigned points = top_points(top);
    bytes_append_view(out, VIEW("<h2>Load</h2>\n<div class=\"cards\">\n"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double now = points == 0 ? (double)NAN : top_point(top, rows[i].series, points - 1);
        card_begin(out, rows[i].title);
        if (isfinite(now)) {
            bytes_append_format(out, "<p><span class=\"big\">%.0f %%</span> busy</p>\n", now * 100);
        } else {
            bytes_append_view(out, VIEW("<p><span class=\"big\">–</span></p>\n"));
        }
        spark(out, top, rows[i].series, rows[i].title);
        card_end(out);
    }
    card_begin(out, "Sessions");
    bytes_append_view(out, VIEW("<p><span class=\"big\">"));
    html_number(out, points == 0 ? 0 : (uint64_t)top_point(top, TOP_SERIES_sessions, points - 1));
    bytes_append_view(out, VIEW("</span> live</p>\n"));
    spark(out, top, TOP_SERIES_sessions, "Sessions");
    card_end(out);
    bytes_append_view(out, VIEW("</div>\n"));
}

static void write_stages(struct bytes *out, const struct top *top)
{
    struct top_stage stages[TOP_STAGES_MAX];
    unsigned count = top_stages(top, stages);
    bytes_append_view(
        out, VIEW("<div><h2>Where the time of log-ins and changes goes</h2>\n<table>\n<tr><th>Stage</th>"
                  "<th class=\"n\">Mean</th><th class=\"n\">Share</th><td class=\"bar\"></td></tr>\n"));
    for (unsigned i = 0; i < count; i++) {
        bytes_append_view(out, VIEW("<tr><td>"));
        for (const char *c = stages[i].name; *c != '\0'; c++) {
            bytes_append_byte(out, *c == '_' ? ' ' : (uint8_t)*c);
        }
        bytes_append_view(out, VIEW("</td><td class=\"n\">"));
        html_time_ns(out, stages[i].mean_ns);
        bytes_append_format(out, "</td><td class=\"n\">%.0f %%</td><td class=\"bar\">",
                            stages[i].share * 100);
        bar(out, stages[i].share < 0.9 ? stages[i].share : 0.899);
        bytes_append_view(out, VIEW("</td></tr>\n"));
    }
    bytes_append_view(out, VIEW("</table></div>\n"));
}

static void write_resources(struct bytes *out, const struct watched *watched,
                            const struct saturation *saturation)
{
    bytes_append_view(out,
                      VIEW("<div><h2>How full</h2>\n<table>\n<tr><th>Resource</th><th class=\"n\">Full</th>"
                           "<td class=\"bar\"></td></tr>\n"));
    for (unsigned i = 0; i < saturation_row_count; i++) {
        double full = saturation_mean(saturation, watched, i);
        if (full < 0) {
            continue;
        }
        bytes_append_view(out, VIEW("<tr><td>"));
        for (const char *c = saturation_rows[i].resource; *c != '\0'; c++) {
            bytes_append_byte(out, *c == '_' ? ' ' : (uint8_t)*c);
        }
        bytes_append_format(out, "</td><td class=\"n\">%.0f %%</td><td class=\"bar\">", full * 100);
        bar(out, full);
        bytes_append_view(out, VIEW("</td></tr>\n"));
    }
    bytes_append_view(out, VIEW("</table></div>\n"));
}

static void row_begin(struct bytes *out, const char *name)
{
    bytes_append_format(out, "<tr><td>%s</td><td class=\"n\">", name);
}

static void row_end(struct bytes *out)
{
    bytes_append_view(out, VIEW("</td></tr>\n"));
}

static void row_number(struct bytes *out, const char *name, const struct watched *watched,
                       enum stats_counter counter, enum stats_role role)
{
    row_begin(out, name);
    html_number(out, watched_sum(watched, counter, role));
    row_end(out);
}

static void row_rate(struct bytes *out, const char *name, const struct sums *window,
                     enum stats_counter counter)
{
    row_begin(out, name);
    rate(out, sums_rate(window, counter));
    bytes_append_view(out, VIEW(" a second"));
    row_end(out);
}

static void write_waits(struct bytes *out, const struct top *top, const struct watched *watched)
{
    const struct sums *window = &top->window;
    bytes_append_view(out, VIEW("<div><h2>Gates, pool and password workers</h2>\n<table>\n"));
    row_number(out, "Log-ins waiting at the gate", watched, STATS_gate_waiting, STATS_ROLE_core);
    row_rate(out, "Refused at the gate", window, STATS_gate_refused);
    row_number(out, "Operations waiting for the database", watched, STATS_store_queued, STATS_ROLE_store);
    row_rate(out, "Refused by the store", window, STATS_store_refused);
    row_begin(out, "Database");
    bytes_append_view(out, watched_sum(watched, STATS_store_available, STATS_ROLE_store) > 0 ? VIEW("answers")
                                                                                             : VIEW("away"));
    row_end(out);
    row_begin(out, "Connections to it: busy, open");
    bytes_append_format(out, "%llu, %llu",
                        (unsigned long long)watched_sum(watched, STATS_pool_busy, STATS_ROLE_store),
                        (unsigned long long)watched_sum(watched, STATS_pool_open, STATS_ROLE_store));
    row_end(out);
    row_number(out, "Entries in the journal", watched, STATS_journal_entries, STATS_ROLE_store);
    row_begin(out, "Password workers: busy, all");
    bytes_append_format(out, "%llu, %llu",
                        (unsigned long long)watched_sum(watched, STATS_hash_busy, STATS_ROLE_hash),
                        (unsigned long long)watched_sum(watched, STATS_hash_workers, STATS_ROLE_hash));
    row_end(out);
    row_begin(out, "One password");
    html_time_ns(out, window->hashed == 0 ? 0 : window->hashed_ns / window->hashed);
    row_end(out);
    row_number(out, "Connections of clients", watched, STATS_connections_open, STATS_ROLE_front);
    row_number(out, "Ends not yet durable", watched, STATS_ends_pending, STATS_ROLE_core);
    bytes_append_view(out, VIEW("</table></div>\n"));
}

static void write_statements(struct bytes *out, const struct top *top)
{
    struct top_statement statements[TOP_STATEMENTS_MAX];
    unsigned count = top_statements(&top->window, statements, TOP_STATEMENTS_MAX);
    bytes_append_view(out, VIEW("<div><h2>Statements that take most of the database</h2>\n"));
    if (count == 0) {
        bytes_append_view(out, VIEW("<p>None in the last seconds.</p></div>\n"));
        return;
    }
    bytes_append_view(out,
                      VIEW("<table>\n<tr><th>Operation</th><th class=\"n\">a second</th><th class=\"n\">Mean"
                           "</th><th class=\"n hide\">Waited</th><th class=\"n\">Share</th></tr>\n"));
    for (unsigned i = 0; i < count; i++) {
        bytes_append_format(out, "<tr><td>%s</td><td class=\"n\">", statements[i].operation);
        rate(out, statements[i].per_second);
        bytes_append_view(out, VIEW("</td><td class=\"n\">"));
        html_time_ns(out, statements[i].mean_ns);
        bytes_append_view(out, VIEW("</td><td class=\"n hide\">"));
        html_time_ns(out, statements[i].wait_ns);
        bytes_append_format(out, "</td><td class=\"n\">%.0f %%</td></tr>\n", statements[i].share * 100);
    }
    bytes_append_view(out, VIEW("</table></div>\n"));
}

static void write_process(struct bytes *out, const struct top_process *process)
{
    const char *state = watched_state_text(process->state);
    bytes_append_format(out, "<tr><td>%s %u</td><td class=\"state %s\">%s</td><td class=\"n\">",
                        process->name, process->index, state, state);
    if (isfinite(process->processor)) {
        bytes_append_format(out, "%.0f %%", process->processor * 100);
    } else {
        bytes_append_view(out, VIEW("–"));
    }
    bytes_append_view(out, VIEW("</td><td class=\"n\">"));
    html_size(out, process->memory);
    bytes_append_view(out, VIEW("</td><td class=\"n\">"));
    html_duration(out, process->uptime_s);
    bytes_append_format(out, "</td><td class=\"n\">%llu</td><td class=\"n hide\">%u</td></tr>\n",
                        (unsigned long long)process->restarts, process->pid);
}

static void write_processes(struct bytes *out, const struct top *top, const struct watched *watched,
                            const struct watched_now *now)
{
    bytes_append_view(
        out,
        VIEW(
            "<h2>Processes</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Processes\">"
            "<table>\n<tr><th>Process</th><th>State</th><th class=\"n\">CPU</th><th class=\"n\">Memory"
            "</th><th class=\"n\">Up for</th><th class=\"n\">Restarts</th><th class=\"n "
            "hide\">Pid</th></tr>\n"));
    for (unsigned i = 0; i < watched->pages; i++) {
        struct top_process process = top_process(top, watched, i, now);
        write_process(out, &process);
    }
    bytes_append_view(out, VIEW("</table></div>\n"));
}

static void write_to_do(struct bytes *out, const struct verdict *verdict)
{
    for (unsigned i = 0; i < verdict->to_dos; i++) {
        bytes_append_view(out, VIEW("<p>Do: "));
        html_cstr(out, verdict->to_do[i].text);
        bytes_append_view(out, VIEW("</p>\n"));
        if (verdict->to_do[i].command[0] != '\0') {
            bytes_append_view(out, VIEW("<pre>"));
            html_cstr(out, verdict->to_do[i].command);
            bytes_append_view(out, VIEW("</pre>\n"));
        }
    }
}

// What is wrong, why, and what to do: above all figures.
static void write_verdict(struct bytes *out, const struct verdict *verdict, const char *incident)
{
    if (verdict == NULL || !verdict->open) {
        bytes_append_view(out,
                          verdict == NULL ? VIEW("") : VIEW("<p class=\"healthy\">Nothing is wrong.</p>\n"));
        return;
    }
    bytes_append_format(out, "<section class=\"verdict %s\" aria-label=\"What is wrong\">\n<p><strong>",
                        verdict->state == VERDICT_INCIDENT ? "incident" : "degraded");
    html_cstr(out, verdict->sentence);
    bytes_append_view(out, VIEW("</strong></p>\n"));
    if (verdict->sustaining[0] != '\0') {
        bytes_append_view(out, VIEW("<p>"));
        html_cstr(out, verdict->sustaining);
        bytes_append_view(out, VIEW("</p>\n"));
    }
    write_to_do(out, verdict);
    if (incident != NULL) {
        bytes_append_view(out, VIEW("<p><a href=\"/incidents/"));
        html_cstr(out, incident);
        bytes_append_view(out, VIEW(".md\">The incident so far</a></p>\n"));
    }
    bytes_append_view(out, VIEW("<p><a href=\"/why\">Why, with the evidence and what was ruled out</a></p>\n"
                                "</section>\n"));
}

void live_page_write(struct bytes *out, const struct top *top, const struct watched *watched,
                     const struct saturation *saturation, const struct verdict *verdict, const char *incident,
                     const struct watched_now *now)
{
    bool ready = watched_ready(watched, now);
    html_begin(out, ready ? "stayd is up" : "stayd is not ready", PAGE_REFRESH_S);
    if (!ready) {
        bytes_append_view(out, VIEW("<p>It serves while core and at least one front are up.</p>\n"));
    }
    write_verdict(out, verdict, incident);
    if (top_known(top)) {
        write_classes(out, top);
        write_gauges(out, top);
        bytes_append_view(out, VIEW("<div class=\"columns\">\n"));
        write_stages(out, top);
        write_resources(out, watched, saturation);
        write_waits(out, top, watched);
        write_statements(out, top);
        bytes_append_view(out, VIEW("</div>\n"));
    } else {
        bytes_append_view(out, VIEW("<p>The first figures come within two seconds.</p>\n"));
    }
    write_processes(out, top, watched, now);
    bytes_append_view(out, VIEW("<footer>stayd "));
    html_cstr(out, watched->version);
    bytes_append_format(out,
                        ". Figures are of the last %d seconds, curves of the last two minutes.</footer>\n",
                        TOP_WINDOW_S);
    html_end(out);
}
