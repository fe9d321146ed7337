// SPDX-License-Identifier: ISC
// Incidents and crash records, for those who ask. Runs in stayd-watch. Only the control socket may mark
// action items as done.
#include "watch/html.h"
#include "watch/incident_actions.h"
#include "watch/postmortem.h"
#include "watch/prose.h"
#include "watch/read_json.h"
#include "watch/routes.h"

static void row(struct bytes *out, const struct incident_entry *entry)
{
    char began[ISO_SIZE], lasted[PROSE_FIGURE_SIZE] = "still open";
    iso_time(entry->onset_unix_ms, began);
    if (entry->closed_unix_ms >= entry->onset_unix_ms) {
        prose_span(entry->closed_unix_ms - entry->onset_unix_ms, lasted);
    }
    bytes_append_format(out, "<tr><td>%.10s %.8s</td><td>%s</td><td>", began, began + 11, lasted);
    html_cstr(out, entry->severity);
    bytes_append_view(out, VIEW("</td><td>"));
    html_cstr(out, entry->sentence);
    bytes_append_format(out,
                        "</td><td><a href=\"/incidents/%s.md\">postmortem</a> <a href=\"/incidents/%s.json\">"
                        "JSON</a></td><td class=\"n\">%u of %u</td></tr>\n",
                        entry->id, entry->id, entry->actions_open, entry->actions);
}

static void write_incidents(struct bytes *out, const struct incident_book *book)
{
    if (book == NULL || book->entries == 0) {
        bytes_append_view(out, VIEW("<p>There has been no incident.</p>\n"));
        return;
    }
    bytes_append_view(
        out, VIEW("<div class=\"wide\"><table>\n<tr><th>Began (UTC)</th><th>Lasted</th><th></th><th>What</th>"
                  "<th></th><th class=\"n\">Actions open</th></tr>\n"));
    for (unsigned i = book->entries; i > 0; i--) {
        row(out, &book->entry[i - 1]);
    }
    bytes_append_view(out, VIEW("</table></div>\n"));
}

void route_incidents_page(const struct asked *asked)
{
    struct bytes *out = &asked->ops->body;
    html_begin(out, "Incidents", 0);
    write_incidents(out, asked->ops->book);
    bytes_append_view(out, VIEW("<h2>Crash records</h2>\n"));
    incidents_list(asked->ops->incidents, out);
    html_end(out);
    answer_page(asked);
}

static void answer_json(const struct asked *asked, json_t *value)
{
    json_write(&asked->ops->body, value);
    json_decref(value);
    answer_body(asked, VIEW("application/json"));
}

void route_incidents_json(const struct asked *asked)
{
    const struct incident_book *book = asked->ops->book;
    json_t *list = book == NULL ? json_array() : incident_book_list(book);
    answer_json(asked,
                json_pack("{s:o, s:o}", "incidents", list, "records", incidents_json(asked->ops->incidents)));
}

void route_incident_actions(const struct asked *asked)
{
    const struct incident_book *book = asked->ops->book;
    answer_json(asked,
                json_pack("{s:o}", "actions", book == NULL ? json_array() : incident_book_actions(book)));
}

// From the document, which for an incident that goes on is newer than its files. False when there is none.
static bool answer_incident(const struct asked *asked)
{
    struct view name = asked->rest;
    size_t dot = view_index(name, '.');
    struct view ending = view_from(name, dot);
    bool as_json = view_equal(ending, VIEW(".json"));
    json_t *incident = asked->ops->book == NULL || (!as_json && !view_equal(ending, VIEW(".md")))
                           ? NULL
                           : incident_book_read(asked->ops->book, view_first(name, dot));
    if (incident == NULL) {
        return false;
    }
    if (as_json) {
        json_write(&asked->ops->body, incident);
        answer_body(asked, VIEW("application/json"));
    } else {
        postmortem_write(&asked->ops->body, incident);
        answer_body(asked, VIEW("text/markdown; charset=utf-8"));
    }
    json_decref(incident);
    return true;
}

void route_incident(const struct asked *asked)
{
    if (answer_incident(asked)) {
        return;
    }
    if (incidents_read(asked->ops->incidents, asked->rest, &asked->ops->body)) {
        answer_body(asked, incidents_type(asked->rest));
    } else {
        answer_nothing_here(asked);
    }
}

// "20261121T050102Z/actions/2/done"
static bool parse_done(struct view path, struct view *id, uint64_t *number)
{
    *id = view_cut(&path, '/');
    return view_equal(view_cut(&path, '/'), VIEW("actions")) && view_to_u64(view_cut(&path, '/'), number) &&
           *number <= INCIDENT_ACTIONS_MAX && view_equal(path, VIEW("done"));
}

void route_incident_post(const struct asked *asked)
{
    struct view id;
    uint64_t number;
    if (asked->ops->book == NULL || !parse_done(asked->rest, &id, &number)) {
        answer_nothing_here(asked);
        return;
    }
    switch (incident_book_done(asked->ops->book, id, (unsigned)number, asked->now->wall_ms)) {
    case INCIDENT_DONE:
        bytes_append_view(&asked->ops->body, VIEW("{\"done\":true}\n"));
        answer_body(asked, VIEW("application/json"));
        return;
    case INCIDENT_NOT_FOUND:
        answer_problem(asked, 404, VIEW("There is no such action item."),
                       VIEW("stayctl incident list --actions shows those that are open."), 0);
        return;
    case INCIDENT_NOT_WRITTEN:
        answer_problem(asked, 503, VIEW("The incident's file could not be written."),
                       VIEW("Is the disk full?"), 1);
        return;
    }
}
