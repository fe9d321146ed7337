// SPDX-License-Identifier: ISC
// The part of a postmortem that looks ahead: how it ended, what contributed, what is to be done. Runs in
// stayd-watch.
#include "watch/postmortem_private.h"

#include "watch/incident.h"
#include "watch/read_json.h"

static void write_resolution(struct bytes *out, const json_t *incident)
{
    json_t *timeline = read_list(incident, "timeline");
    json_t *to_do = read_list(json_object_get(incident, "verdict"), "to_do");
    size_t at;
    const json_t *one;
    postmortem_heading(out, "Resolution");
    if (incident_is_open(incident)) {
        bytes_append_view(out, VIEW("It is not over.\n"));
    }
    json_array_foreach(timeline, at, one)
    {
        if (strcmp(read_text(one, "kind"), "end") == 0) {
            postmortem_text(out, read_text(one, "text"));
            bytes_append_byte(out, '\n');
        }
    }
    if (json_array_size(to_do) > 0) {
        bytes_append_view(out, VIEW("\nWhat stayd advised:\n\n"));
    }
    json_array_foreach(to_do, at, one)
    {
        const char *command = read_text(one, "command");
        bytes_append_format(out, "%zu. ", at + 1);
        postmortem_text(out, read_text(one, "text"));
        if (command[0] != '\0') {
            bytes_append_view(out, VIEW("\n\n       "));
            prose_clean(out, command);
            bytes_append_byte(out, '\n');
        }
        bytes_append_byte(out, '\n');
    }
    bytes_append_byte(out, '\n');
    postmortem_to_fill(out, "what ended it: which of these, or what else, was done by whom.");
}

static void write_factors(struct bytes *out, const json_t *incident)
{
    json_t *causes = read_list(json_object_get(incident, "verdict"), "causes");
    json_t *timeline = read_list(incident, "timeline");
    size_t at;
    const json_t *one;
    postmortem_heading(out, "Contributing factors");
    json_array_foreach(causes, at, one)
    {
        if (at > 0) {
            char share[PROSE_FIGURE_SIZE];
            prose_figure(read_number(one, "share"), "share", share);
            bytes_append_view(out, VIEW("- "));
            postmortem_text(out, read_text(one, "title"));
            bytes_append_format(out, " (%s): ", share);
            postmortem_text(out, read_text(one, "sentence"));
            bytes_append_byte(out, '\n');
        }
    }
    json_array_foreach(timeline, at, one)
    {
        if (strcmp(read_text(one, "kind"), "change") == 0) {
            bytes_append_view(out, VIEW("- "));
            postmortem_text(out, read_text(one, "text"));
            bytes_append_byte(out, '\n');
        }
    }
    bytes_append_byte(out, '\n');
    postmortem_to_fill(out, "what made it possible or worse: changes, limits, missing tests, habits.");
}

static void write_actions(struct bytes *out, const json_t *incident)
{
    json_t *actions = read_list(incident, "actions");
    size_t at;
    const json_t *one;
    postmortem_heading(out, "Action items");
    bytes_append_view(out,
                      VIEW("Proposed from the cause. `stayctl incident list --actions` lists the open ones, "
                           "`stayctl incident done "));
    postmortem_text(out, incident_id(incident));
    bytes_append_view(out, VIEW(" N` marks one as done.\n\n| N | kind | what | owner | due | done |\n"
                                "|---:|---|---|---|---|---|\n"));
    json_array_foreach(actions, at, one)
    {
        char iso[ISO_SIZE] = "";
        if (read_whole(one, "done_unix_ms") > 0) {
            iso_time(read_whole(one, "done_unix_ms"), iso);
        }
        bytes_append_format(out, "| %llu | ", (unsigned long long)read_whole(one, "number"));
        postmortem_text(out, read_text(one, "kind"));
        bytes_append_view(out, VIEW(" | "));
        postmortem_text(out, read_text(one, "text"));
        bytes_append_format(out, " | **to fill in** | **to fill in** | %.10s |\n", iso);
    }
    bytes_append_byte(out, '\n');
    postmortem_to_fill(out, "further items; an owner and a date for each.");
}

static void write_records(struct bytes *out, const json_t *incident)
{
    json_t *records = read_list(incident, "records");
    size_t at;
    const json_t *one;
    postmortem_heading(out, "Records");
    bytes_append_view(out, VIEW("- "));
    postmortem_text(out, incident_id(incident));
    bytes_append_view(out, VIEW(".json: this incident for programs\n"));
    json_array_foreach(records, at, one)
    {
        bytes_append_view(out, VIEW("- "));
        postmortem_text(out, json_string_value(one));
        bytes_append_view(out, VIEW(": a crash (`stayctl incident show` prints it)\n"));
    }
}

void postmortem_write_after(struct bytes *out, const json_t *incident)
{
    write_resolution(out, incident);
    write_factors(out, incident);
    write_actions(out, incident);
    postmortem_heading(out, "Communication");
    postmortem_to_fill(out,
                       "what users and customers were told, when, by whom, and what is still owed to them.");
    postmortem_heading(out, "Lessons");
    postmortem_to_fill(out, "what went well, what went badly, and where we were lucky.");
    write_records(out, incident);
}
