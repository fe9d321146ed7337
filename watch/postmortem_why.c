// SPDX-License-Identifier: ISC
// The part of a postmortem that explains: causes with their figures, what was ruled out, what stayd did by
// itself. Runs in stayd-watch.
#include "watch/postmortem_private.h"

#include "watch/incident.h"
#include "watch/read_json.h"

static void write_predicates(struct bytes *out, json_t *predicates)
{
    size_t at;
    const json_t *one;
    json_array_foreach(predicates, at, one)
    {
        char value[PROSE_FIGURE_SIZE], bound[PROSE_FIGURE_SIZE];
        const char *unit = read_text(one, "unit");
        prose_figure(read_number(one, "value"), unit, value);
        prose_figure(read_number(one, "bound"), unit, bound);
        bytes_append_view(out, VIEW("- "));
        postmortem_text(out, read_text(one, "text"));
        if (isfinite(read_number(one, "value"))) {
            bytes_append_format(out, ": %s", value);
        }
        if (isfinite(read_number(one, "bound"))) {
            bytes_append_format(out, " (bound %s)", bound);
        }
        bytes_append_byte(out, '\n');
    }
}

// Statements and plans as they are, in a fence; names and the like in a line. What is inside has no line
// ends, so that it can't close the fence.
enum { SHORT_DETAIL = 60 };

static void write_details(struct bytes *out, json_t *details)
{
    const char *key;
    const json_t *value;
    json_object_foreach(details, key, value)
    {
        const char *text = json_string_value(value);
        bool code = strlen(text == NULL ? "" : text) > SHORT_DETAIL;
        bytes_append_view(out, code ? VIEW("\n") : VIEW("- "));
        for (const char *c = key; *c != '\0'; c++) {
            bytes_append_byte(out, *c == '_' ? ' ' : (uint8_t)*c);
        }
        if (!code) {
            bytes_append_view(out, VIEW(": "));
            postmortem_text(out, text);
            bytes_append_byte(out, '\n');
            continue;
        }
        bytes_append_view(out, VIEW(":\n\n~~~~~~~~\n"));
        prose_clean(out, text);
        bytes_append_view(out, VIEW("\n~~~~~~~~\n"));
    }
}

static void write_cause(struct bytes *out, const json_t *cause, size_t number)
{
    char share[PROSE_FIGURE_SIZE];
    prose_figure(read_number(cause, "share"), "share", share);
    bytes_append_format(out, "**%s: ", number == 0 ? "Trigger" : "And");
    postmortem_text(out, read_text(cause, "title"));
    bytes_append_format(out, "** (%s of what became worse). ", share);
    postmortem_text(out, read_text(cause, "sentence"));
    bytes_append_view(out, VIEW("\n\n"));
    write_predicates(out, read_list(cause, "predicates"));
    write_details(out, read_list(cause, "details"));
    bytes_append_byte(out, '\n');
}

// Of the requests that fronts count by source (front/crowd.h).
static void write_networks(struct bytes *out, json_t *networks)
{
    size_t at;
    const json_t *one;
    if (json_array_size(networks) > 0) {
        bytes_append_view(out,
                          VIEW("The busiest sources' networks, by the second in which each sent most, of "
                               "all log-ins, changes and look-ups:\n\n"));
    }
    json_array_foreach(networks, at, one)
    {
        char share[PROSE_FIGURE_SIZE];
        prose_figure(read_number(one, "share"), "share", share);
        bytes_append_view(out, VIEW("- "));
        postmortem_text(out, read_text(one, "network"));
        bytes_append_format(out, " sent %s of them, %llu/s%s", share,
                            (unsigned long long)read_whole(one, "per_second"),
                            at + 1 == json_array_size(networks) ? "\n\n" : "\n");
    }
}

static void write_list(struct bytes *out, json_t *list)
{
    size_t at;
    const json_t *one;
    json_array_foreach(list, at, one)
    {
        bytes_append_view(out, VIEW("- "));
        postmortem_text(out, json_string_value(one));
        bytes_append_byte(out, '\n');
    }
}

static void write_stages(struct bytes *out, json_t *stages)
{
    size_t at;
    const json_t *one;
    if (json_array_size(stages) == 0) {
        return;
    }
    bytes_append_view(
        out, VIEW("\nWhere the time of a request went:\n\n| stage | before | during | of the added |\n"
                  "|---|---:|---:|---:|\n"));
    json_array_foreach(stages, at, one)
    {
        char before[PROSE_FIGURE_SIZE], now[PROSE_FIGURE_SIZE], share[PROSE_FIGURE_SIZE];
        prose_ms(read_number(one, "before_ms"), before);
        prose_ms(read_number(one, "now_ms"), now);
        prose_figure(read_number(one, "added_share"), "share", share);
        bytes_append_view(out, VIEW("| "));
        postmortem_text(out, read_text(one, "stage"));
        bytes_append_format(out, " | %s | %s | %s |\n", before, now, share);
    }
}

static void write_ruled_out(struct bytes *out, const json_t *verdict)
{
    json_t *list = read_list(verdict, "ruled_out");
    size_t at;
    const json_t *one;
    postmortem_heading(out, "Ruled out");
    if (json_array_size(list) == 0) {
        bytes_append_view(out, VIEW("Nothing was ruled out.\n"));
        return;
    }
    bytes_append_view(out, VIEW("| not this | because |\n|---|---|\n"));
    json_array_foreach(list, at, one)
    {
        const char *title = read_text(one, "title");
        bytes_append_view(out, VIEW("| "));
        postmortem_text(out, title[0] == '\0' ? read_text(one, "cause") : title);
        bytes_append_view(out, VIEW(" | "));
        postmortem_text(out, read_text(one, "because"));
        bytes_append_view(out, VIEW(" |\n"));
    }
}

// From the timeline, where each act has its time, and from the verdict.
static void write_done(struct bytes *out, const json_t *incident, const json_t *verdict)
{
    json_t *timeline = read_list(incident, "timeline");
    size_t acts = json_array_size(json_object_get(verdict, "done"));
    size_t at;
    const json_t *one;
    postmortem_heading(out, "Automatic actions");
    write_list(out, read_list(verdict, "done"));
    json_array_foreach(timeline, at, one)
    {
        char iso[ISO_SIZE];
        if (strcmp(read_text(one, "kind"), "action") != 0) {
            continue;
        }
        iso_time(read_whole(one, "unix_ms"), iso);
        bytes_append_format(out, "- %.8s ", iso + 11);
        postmortem_text(out, read_text(one, "text"));
        bytes_append_byte(out, '\n');
        acts++;
    }
    if (acts == 0) {
        bytes_append_view(out, VIEW("stayd did nothing by itself.\n"));
    }
}

void postmortem_write_why(struct bytes *out, const json_t *incident)
{
    const json_t *verdict = json_object_get(incident, "verdict");
    json_t *causes = read_list(verdict, "causes");
    const char *sustaining = read_text(verdict, "sustaining");
    const char *load = read_text(json_object_get(verdict, "load"), "says");
    size_t at;
    const json_t *cause;
    postmortem_heading(out, "Trigger and sustaining cause");
    json_array_foreach(causes, at, cause)
    {
        write_cause(out, cause, at);
    }
    if (json_array_size(causes) == 0) {
        postmortem_to_fill(out, "the cause: stayd did not find it. What is known stands below.");
        bytes_append_byte(out, '\n');
    }
    write_networks(out, read_list(incident, "networks"));
    bytes_append_view(out, VIEW("**Sustained by:** "));
    postmortem_text(out, sustaining[0] == '\0'
                             ? "nothing beside the trigger itself, as far as the figures show"
                             : sustaining);
    bytes_append_view(out, VIEW("\n\n"));
    postmortem_text(out, load);
    bytes_append_view(out, load[0] == '\0' ? VIEW("Evidence:\n\n") : VIEW("\n\nEvidence:\n\n"));
    write_list(out, read_list(verdict, "evidence"));
    write_stages(out, read_list(verdict, "stages"));
    write_ruled_out(out, verdict);
    write_done(out, incident, verdict);
}
