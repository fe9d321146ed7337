// SPDX-License-Identifier: ISC
// The state page. Runs in stayd-watch. Figures are sums over all processes since they were first started.
#include "watch/state_page.h"

#include "watch/html.h"

static void write_process(struct bytes *out, const struct watched_page *page, const struct watched_now *now)
{
    enum watched_state state = watched_state(page, now);
    const char *text = watched_state_text(state);
    bytes_append_format(out,
                        "<tr><td>%s</td><td class=\"n\">%u</td><td class=\"state %s\">%s</td>"
                        "<td class=\"n\">%u</td><td class=\"n\">",
                        stats_role_name((uint32_t)page->role), page->index, text, text,
                        atomic_load_explicit(&page->page->pid, memory_order_relaxed));
    html_duration(out, watched_uptime_s(page, now));
    bytes_append_view(out, VIEW("</td></tr>\n"));
}

static void write_processes(struct bytes *out, const struct watched *watched, const struct watched_now *now)
{
    bytes_append_view(out, VIEW("<h2>Processes</h2>\n<div class=\"wide\"><table>\n<tr><th>Process</th><th "
                                "class=\"n\">Index</th><th>State</th><th class=\"n\">Pid</th>"
                                "<th class=\"n\">Up for</th></tr>\n"));
    for (unsigned i = 0; i < watched->pages; i++) {
        write_process(out, &watched->page[i], now);
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

static void row_number(struct bytes *out, const char *name, uint64_t number)
{
    row_begin(out, name);
    html_number(out, number);
    row_end(out);
}

static void write_tables(struct bytes *out, const struct watched *watched)
{
    struct sessions_counts counts;
    if (!watched->has_tables) {
        return;
    }
    sessions_reader_counts(&watched->reader, &counts);
    bytes_append_view(out, VIEW("<h2>Sessions</h2>\n<div class=\"wide\"><table>\n"));
    row_number(out, "Sessions", counts.sessions);
    row_number(out, "Accounts with sessions", counts.accounts);
    row_begin(out, "Memory of both tables");
    html_size(out, counts.sessions_bytes + counts.accounts_bytes);
    row_end(out);
    row_number(out, "Ends not yet durable", watched_sum(watched, STATS_ends_pending, STATS_ROLE_core));
    bytes_append_view(out, VIEW("</table></div>\n"));
}

static void write_counts(struct bytes *out, const struct watched *watched)
{
    static const struct {
        const char *name;
        enum stats_counter counter;
        enum stats_role role;
    } rows[] = {{"Checks: valid", STATS_checks_valid, STATS_ROLE_front},
                {"Checks: not logged in", STATS_checks_invalid, STATS_ROLE_front},
                {"Checks: unknown (503)", STATS_checks_unknown, STATS_ROLE_front},
                {"Checks: denied by a rule", STATS_checks_denied, STATS_ROLE_front},
                {"Log-ins: granted", STATS_logins_granted, STATS_ROLE_core},
                {"Log-ins: refused", STATS_logins_refused, STATS_ROLE_core},
                {"Log-ins: told to wait", STATS_logins_throttled, STATS_ROLE_core},
                {"Log-ins: unavailable (503)", STATS_logins_unavailable, STATS_ROLE_core},
                {"Connections open", STATS_connections_open, STATS_ROLE_front},
                {"Flows in progress", STATS_flows_active, STATS_ROLE_core},
                {"Processes restarted: crashed", STATS_restarts_crashed, STATS_ROLE_supervisor},
                {"Processes restarted: hung", STATS_restarts_hung, STATS_ROLE_supervisor},
                {"Log lines lost", STATS_log_lines_dropped, STATS_ROLE_COUNT}};
    bytes_append_view(out, VIEW("<h2>Since the start</h2>\n<div class=\"wide\"><table>\n"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row_number(out, rows[i].name, watched_sum(watched, rows[i].counter, rows[i].role));
    }
    bytes_append_view(out, VIEW("</table></div>\n"));
}

// The sum of one histogram over the fronts, who see the whole of a request.
static void add_times(const struct watched *watched, enum stats_histogram which, struct stats_times *sum)
{
    for (unsigned i = 0; i < watched->pages; i++) {
        const struct stats_page *page = watched->page[i].page;
        bool wanted = watched->page[i].role == STATS_ROLE_front && stats_page_fits(page);
        for (unsigned at = 0; wanted && at < STATS_BUCKETS; at++) {
            sum->bucket[at] += atomic_load_explicit(&page->times[which].bucket[at], memory_order_relaxed);
        }
    }
}

static void write_times(struct bytes *out, const struct watched *watched)
{
    static const struct {
        const char *name;
        enum stats_histogram which;
    } rows[] = {{"Checks", STATS_TIME_check},
                {"Log-ins", STATS_TIME_login},
                {"Other changes", STATS_TIME_change},
                {"of a change: database statement", STATS_TIME_stage_statement},
                {"of a change: waiting to be hashed", STATS_TIME_stage_hash_wait},
                {"of a change: hashing", STATS_TIME_stage_hash}};
    bytes_append_view(out, VIEW("<h2>Times</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th "
                                "class=\"n\">Half within</th><th class=\"n\">99 % within</th>"
                                "<th class=\"n\">Count</th></tr>\n"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct stats_times sum;
        memset(&sum, 0, sizeof(sum));
        add_times(watched, rows[i].which, &sum);
        row_begin(out, rows[i].name);
        html_time_ns(out, stats_quantile_ns(&sum, 0.5));
        bytes_append_view(out, VIEW("</td><td class=\"n\">"));
        html_time_ns(out, stats_quantile_ns(&sum, 0.99));
        bytes_append_view(out, VIEW("</td><td class=\"n\">"));
        html_number(out, stats_times_count(&sum));
        row_end(out);
    }
    bytes_append_view(out, VIEW("</table></div>\n"));
}

void state_page_write(struct bytes *out, const struct watched *watched, const struct watched_now *now)
{
    bool ready = watched_ready(watched, now);
    html_begin(out, ready ? "stayd is up" : "stayd is not ready", 5);
    if (!ready) {
        bytes_append_view(out, VIEW("<p>It serves while core and at least one front are up.</p>\n"));
    }
    write_processes(out, watched, now);
    write_tables(out, watched);
    write_times(out, watched);
    write_counts(out, watched);
    bytes_append_view(out, VIEW("<footer>stayd "));
    html_cstr(out, watched->version);
    bytes_append_view(out, VIEW(". This page loads itself again every 5 seconds.</footer>\n"));
    html_end(out);
}
