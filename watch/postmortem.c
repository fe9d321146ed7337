// SPDX-License-Identifier: ISC
// Postmortem drafts. Runs in stayd-watch. A place that people must fill begins with TO_FILL.
#include "watch/postmortem.h"

#include "watch/postmortem_private.h"
#include "watch/prose.h"
#include "watch/read_json.h"

void postmortem_text(struct bytes *out, const char *text)
{
    for (; text != NULL && *text != '\0'; text++) {
        uint8_t c = (uint8_t)*text;
        if (c < ' ' || c == 0x7f) {
            c = ' ';
        }
        if (c == '|' || c == '<' || c == '*' || c == '`' || c == '\\' || c == '[') {
            bytes_append_byte(out, '\\');
        }
        bytes_append_byte(out, c);
    }
}

void postmortem_heading(struct bytes *out, const char *text)
{
    bytes_append_format(out, "\n## %s\n\n", text);
}

void postmortem_to_fill(struct bytes *out, const char *what)
{
    bytes_append_format(out, "> **To fill in:** %s\n", what);
}

void postmortem_span(const json_t *incident, const char *from, const char *to,
                     char out[static PROSE_FIGURE_SIZE])
{
    uint64_t begin = read_whole(incident, from);
    uint64_t end = read_whole(incident, to);
    if (end < begin || begin == 0) {
        snprintf(out, PROSE_FIGURE_SIZE, "–");
    } else {
        prose_span(end - begin, out);
    }
}

// "2026-11-21 05:01:02 UTC"
static void moment(struct bytes *out, uint64_t unix_ms)
{
    char iso[ISO_SIZE];
    iso_time(unix_ms, iso);
    bytes_append_format(out, "%.10s %.8s UTC", iso, iso + 11);
}

static const char *cause_title_of(const json_t *incident)
{
    const json_t *causes = json_object_get(json_object_get(incident, "verdict"), "causes");
    const char *title = read_text(json_array_get(causes, 0), "title");
    return title[0] == '\0' ? "cause not known" : title;
}

static void write_head(struct bytes *out, const json_t *incident)
{
    char lasted[PROSE_FIGURE_SIZE], noticed[PROSE_FIGURE_SIZE], named[PROSE_FIGURE_SIZE];
    bool open = incident_is_open(incident);
    postmortem_span(incident, "onset_unix_ms", "closed_unix_ms", lasted);
    postmortem_span(incident, "onset_unix_ms", "detected_unix_ms", noticed);
    postmortem_span(incident, "onset_unix_ms", "diagnosed_unix_ms", named);
    bytes_append_view(out, VIEW("# Incident "));
    postmortem_text(out, incident_id(incident));
    bytes_append_view(out, VIEW(": "));
    postmortem_text(out, cause_title_of(incident));
    bytes_append_format(out, "\n\n| | |\n|---|---|\n| Status | %s |\n| Severity | ",
                        open ? "open: this draft is written anew while it goes on" : "closed");
    postmortem_text(out, read_text(incident, "severity"));
    bytes_append_view(out, VIEW(" |\n| Began | "));
    moment(out, read_whole(incident, "onset_unix_ms"));
    bytes_append_view(out, VIEW(" |\n| Ended | "));
    if (open) {
        bytes_append_view(out, VIEW("not yet"));
    } else {
        moment(out, read_whole(incident, "closed_unix_ms"));
    }
    bytes_append_format(out,
                        " |\n| Lasted | %s |\n| Noticed after | %s |\n| Cause named after | %s |\n| stayd | ",
                        open ? "–" : lasted, noticed, named);
    postmortem_text(out, read_text(incident, "version"));
    bytes_append_view(out, VIEW(" |\n| Owner | **to fill in** |\n| Reviewed by | **to fill in** |\n"));
}

static void write_summary(struct bytes *out, const json_t *incident)
{
    const json_t *verdict = json_object_get(incident, "verdict");
    const char *sentence = read_text(verdict, "sentence");
    char lasted[PROSE_FIGURE_SIZE];
    postmortem_heading(out, "Summary");
    postmortem_text(out, sentence[0] == '\0' ? read_text(incident, "sentence") : sentence);
    bytes_append_view(out, VIEW(" It was first seen as: "));
    postmortem_text(out, read_text(incident, "symptom"));
    bytes_append_byte(out, '.');
    if (!incident_is_open(incident)) {
        postmortem_span(incident, "onset_unix_ms", "closed_unix_ms", lasted);
        bytes_append_format(out, " It lasted %s.", lasted);
    }
    bytes_append_view(out, VIEW("\n\n"));
    postmortem_to_fill(out,
                       "one or two sentences for readers who do not know stayd: what people could not do.");
}

static void impact_row(struct bytes *out, const char *class, const json_t *figures)
{
    static const struct {
        const char *id, *name;
    } names[] = {{"check", "session checks"},
                 {"login", "log-ins"},
                 {"change", "changes (log-out, password, …)"},
                 {"other", "pages and the rest"}};
    const char *name = class;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        name = strcmp(names[i].id, class) == 0 ? names[i].name : name;
    }
    bytes_append_view(out, VIEW("| "));
    postmortem_text(out, name);
    bytes_append_format(
        out, " | %llu | %llu | %llu | %llu | %.2f %% |\n", (unsigned long long)read_whole(figures, "asked"),
        (unsigned long long)read_whole(figures, "failed"), (unsigned long long)read_whole(figures, "refused"),
        (unsigned long long)read_whole(figures, "late"), read_number(figures, "share") * 100);
}

static void write_impact(struct bytes *out, const json_t *incident)
{
    const json_t *impact = json_object_get(incident, "impact");
    json_t *classes = read_list(impact, "classes");
    uint64_t clients = read_whole(impact, "clients_estimate");
    const char *class;
    const json_t *figures;
    postmortem_heading(out, "Impact");
    bytes_append_view(
        out,
        VIEW("Measured from the onset on. *Failed*: 5xx or no answer. *Refused*: 429 or 503 in time, with "
             "`Retry-After`. *Late*: answered after more than a second.\n\n"
             "| requests | asked | failed | refused | late | harmed |\n|---|---:|---:|---:|---:|---:|\n"));
    json_object_foreach(classes, class, figures)
    {
        impact_row(out, class, figures);
    }
    bytes_append_view(
        out,
        VIEW("\nRequests that a process was answering when it died have no answer to count: the timeline "
             "names them.\n"));
    if (clients > 0) {
        bytes_append_format(
            out,
            "\nUsers: in the worst second about %llu clients saw harm (an estimate, from distinct "
            "addresses and the share of harmed requests).\n\n",
            (unsigned long long)clients);
    } else {
        bytes_append_view(out, VIEW("\nUsers: no estimate of how many clients saw harm.\n\n"));
    }
    postmortem_to_fill(out, "which apps and which people noticed, and what it cost them.");
}

static void write_timeline(struct bytes *out, const json_t *incident)
{
    json_t *timeline = read_list(incident, "timeline");
    uint64_t left_out = read_whole(incident, "timeline_left_out");
    size_t at;
    const json_t *one;
    postmortem_heading(out, "Timeline");
    bytes_append_view(out, VIEW("Times are UTC.\n\n| time | what | |\n|---|---|---|\n"));
    json_array_foreach(timeline, at, one)
    {
        char iso[ISO_SIZE];
        uint64_t times = read_whole(one, "times");
        iso_time(read_whole(one, "unix_ms"), iso);
        bytes_append_format(out, "| %.12s | ", iso + 11);
        postmortem_text(out, read_text(one, "kind"));
        bytes_append_view(out, VIEW(" | "));
        postmortem_text(out, read_text(one, "text"));
        if (times > 1) {
            iso_time(read_whole(one, "until_unix_ms"), iso);
            bytes_append_format(out, " (%llu times, until %.8s)", (unsigned long long)times, iso + 11);
        }
        bytes_append_view(out, VIEW(" |\n"));
    }
    if (left_out > 0) {
        bytes_append_format(out, "\n%llu more entries were left out.\n", (unsigned long long)left_out);
    }
    bytes_append_byte(out, '\n');
    postmortem_to_fill(out,
                       "what people did and when: who was called, what was tried, what was told to users.");
}

static void write_detection(struct bytes *out, const json_t *incident)
{
    char noticed[PROSE_FIGURE_SIZE], named[PROSE_FIGURE_SIZE];
    const char *alerted = read_text(json_object_get(incident, "alerts"), "incident_opened");
    postmortem_span(incident, "onset_unix_ms", "detected_unix_ms", noticed);
    postmortem_span(incident, "onset_unix_ms", "diagnosed_unix_ms", named);
    postmortem_heading(out, "Detection");
    bytes_append_view(out, VIEW("stayd-watch noticed it by itself: "));
    postmortem_text(out, read_text(incident, "symptom"));
    bytes_append_format(out, ". Noticed %s after the onset; ", noticed);
    if (read_whole(incident, "diagnosed_unix_ms") > 0) {
        bytes_append_format(out, "the cause was named %s after it.", named);
    } else {
        bytes_append_view(out, VIEW("the cause was not named."));
    }
    if (alerted[0] != '\0') {
        bytes_append_view(out, VIEW(" The alert went out at "));
        postmortem_text(out, alerted);
        bytes_append_byte(out, '.');
    }
    bytes_append_view(out, VIEW("\n\n"));
    postmortem_to_fill(out, "who saw it first, and whether an earlier sign was missed.");
}

void postmortem_write(struct bytes *out, const json_t *incident)
{
    write_head(out, incident);
    write_summary(out, incident);
    write_impact(out, incident);
    write_timeline(out, incident);
    write_detection(out, incident);
    postmortem_write_why(out, incident);
    postmortem_write_after(out, incident);
}
