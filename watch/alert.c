// SPDX-License-Identifier: ISC
// The text of alerts. Runs in stayd-watch. No names and addresses of users: alerts travel far.
#include "watch/alert.h"

#include "watch/incident.h"
#include "watch/prose.h"
#include "watch/read_json.h"

void alert_place(const char *ops_url, const char *listener, char *out, size_t size)
{
    bool named = ops_url[0] != '\0';
    bool reachable = listener[0] != '\0' && strncmp(listener, "unix:", 5) != 0;
    snprintf(out, size, "%s%s",
             named       ? ops_url
             : reachable ? "http://"
                         : "",
             named       ? ""
             : reachable ? listener
                         : "");
}

static json_t *line_for_people(const char *event, const json_t *incident)
{
    char text[640], lasted[PROSE_FIGURE_SIZE];
    const char *sentence = read_text(incident, "sentence");
    uint64_t onset = read_whole(incident, "onset_unix_ms");
    uint64_t closed = read_whole(incident, "closed_unix_ms");
    if (strcmp(event, "incident_closed") == 0) {
        prose_span(closed > onset ? closed - onset : 0, lasted);
        snprintf(text, sizeof(text), "stayd: over after %s: %.400s", lasted, sentence);
    } else {
        snprintf(text, sizeof(text), "stayd: %.16s: %.400s", read_text(incident, "severity"), sentence);
    }
    return json_string(text);
}

static json_t *link_of(const json_t *incident, const char *place)
{
    char link[700];
    snprintf(link, sizeof(link), "%.540s/incidents/%.64s.md", place, incident_id(incident));
    return place[0] == '\0' ? json_null() : json_string(link);
}

static json_t *cause_ids(const json_t *incident)
{
    json_t *list = json_array();
    json_t *causes = read_list(json_object_get(incident, "verdict"), "causes");
    size_t at;
    const json_t *one;
    json_array_foreach(causes, at, one)
    {
        json_array_append_new(list, json_string(read_text(one, "cause")));
    }
    return list;
}

json_t *alert_json(const char *event, const json_t *incident, const char *place)
{
    json_t *impact = json_object_get(incident, "impact");
    json_t *to_do = json_object_get(json_object_get(incident, "verdict"), "to_do");
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:O?, s:O?}", "text",
                     line_for_people(event, incident), "event", event, "incident", incident_id(incident),
                     "severity", read_text(incident, "severity"), "cause", incident_cause(incident),
                     "sentence", read_text(incident, "sentence"), "causes", cause_ids(incident), "link",
                     link_of(incident, place), "onset", iso_json(read_whole(incident, "onset_unix_ms")),
                     "detected", iso_json(read_whole(incident, "detected_unix_ms")), "closed",
                     iso_json(read_whole(incident, "closed_unix_ms")), "impact", impact, "to_do", to_do);
}
