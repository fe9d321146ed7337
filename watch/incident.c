// SPDX-License-Identifier: ISC
// Incidents as documents. Runs in stayd-watch.
// 1. The timeline is in the order of time, where a fact's own time counts, not when it was told.
// 2. Action items are proposed once, when it closes or when its cause is known; they are never taken back.
#include "watch/incident.h"

#include "watch/incident_actions.h"
#include "watch/prose.h"
#include "watch/read_json.h"

enum { SAME_WITHIN = 6 }; // so many entries back a repetition is looked for

static void set_moment(json_t *object, const char *key, uint64_t unix_ms)
{
    json_object_set_new(object, key, unix_ms == 0 ? json_null() : json_integer((json_int_t)unix_ms));
}

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

json_t *incident_new(const char *id, const struct verdict *verdict, uint64_t now_unix_ms, const char *version)
{
    json_t *incident = json_pack("{s:i, s:s, s:s, s:s, s:s}", "format", 1, "id", id, "state", "open",
                                 "severity", verdict_state_id(verdict->state), "version", version);
    if (incident == NULL) {
        return NULL;
    }
    uint64_t onset = verdict->onset_unix_ms == 0 ? now_unix_ms : verdict->onset_unix_ms;
    uint64_t detected = verdict->detected_unix_ms == 0 ? now_unix_ms : verdict->detected_unix_ms;
    set_text(incident, "sentence", verdict->sentence);
    set_text(incident, "symptom", verdict->symptom);
    set_moment(incident, "opened_unix_ms", now_unix_ms);
    set_moment(incident, "onset_unix_ms", onset);
    set_moment(incident, "detected_unix_ms", detected);
    set_moment(incident, "diagnosed_unix_ms", 0);
    set_moment(incident, "closed_unix_ms", 0);
    json_object_set_new(incident, "timeline", json_array());
    json_object_set_new(incident, "timeline_left_out", json_integer(0));
    json_object_set_new(incident, "records", json_array());
    json_object_set_new(incident, "actions", json_array());
    incident_tell(incident, onset, "onset", "It began, as the figures show.");
    incident_tell(incident, detected, "symptom", verdict->symptom);
    return incident;
}

// ---- timeline ----

static bool repeats(json_t *timeline, uint64_t unix_ms, const char *kind, const char *text)
{
    size_t count = json_array_size(timeline);
    for (size_t back = 1; back <= SAME_WITHIN && back <= count; back++) {
        json_t *entry = json_array_get(timeline, count - back);
        if (strcmp(read_text(entry, "kind"), kind) == 0 && strcmp(read_text(entry, "text"), text) == 0) {
            uint64_t times = read_whole(entry, "times");
            json_object_set_new(entry, "times", json_integer((json_int_t)(times < 1 ? 2 : times + 1)));
            set_moment(entry, "until_unix_ms", unix_ms);
            return true;
        }
    }
    return false;
}

void incident_tell(json_t *incident, uint64_t unix_ms, const char *kind, const char *text)
{
    json_t *timeline = read_list(incident, "timeline");
    bool last = strcmp(kind, "end") == 0 || strcmp(kind, "note") == 0;
    size_t most = INCIDENT_TIMELINE_MAX - (last ? 0 : INCIDENT_TIMELINE_LAST);
    if (text[0] == '\0' || repeats(timeline, unix_ms, kind, text)) {
        return;
    }
    if (json_array_size(timeline) >= most) {
        json_object_set_new(incident, "timeline_left_out",
                            json_integer((json_int_t)read_whole(incident, "timeline_left_out") + 1));
        return;
    }
    size_t at = json_array_size(timeline);
    while (at > 0 && read_whole(json_array_get(timeline, at - 1), "unix_ms") > unix_ms) {
        at--;
    }
    json_array_insert_new(timeline, at,
                          json_pack("{s:o, s:I, s:s, s:s}", "at", iso_json(unix_ms), "unix_ms",
                                    (json_int_t)unix_ms, "kind", kind, "text", text));
}

// ---- what the verdict says ----

static bool says_same_causes(const json_t *causes, const struct verdict *verdict)
{
    if (json_array_size(causes) != verdict->causes) {
        return false;
    }
    for (unsigned i = 0; i < verdict->causes; i++) {
        if (strcmp(read_text(json_array_get(causes, i), "cause"), cause_id(verdict->cause[i].cause)) != 0) {
            return false;
        }
    }
    return true;
}

static bool is_known(const struct verdict *verdict)
{
    return verdict->causes > 0 && verdict->cause[0].cause != CAUSE_unknown;
}

static void tell_verdict(json_t *incident, const struct verdict *verdict)
{
    char line[VERDICT_LINE_SIZE + 128];
    const char *sentence = verdict->causes > 0 ? verdict->cause[0].sentence : verdict->sentence;
    uint64_t at = verdict->at_unix_ms;
    if (!is_known(verdict)) {
        snprintf(line, sizeof(line), "The cause is not known yet. %s", sentence);
    } else if (verdict->causes > 1) {
        snprintf(line, sizeof(line), "Cause named: %s, with %s. %s", cause_title(verdict->cause[0].cause),
                 cause_title(verdict->cause[1].cause), sentence);
    } else {
        snprintf(line, sizeof(line), "Cause named: %s. %s", cause_title(verdict->cause[0].cause), sentence);
    }
    incident_tell(incident, at, "verdict", line);
}

static bool knew_cause(const json_t *incident)
{
    return strcmp(incident_cause(incident), cause_id(CAUSE_unknown)) != 0;
}

bool incident_learn(json_t *incident, const struct verdict *verdict)
{
    json_t *before = json_object_get(incident, "verdict");
    bool known = is_known(verdict);
    if (!known && knew_cause(incident)) {
        return false; // what was found out is not forgotten
    }
    bool changed = before == NULL || !says_same_causes(json_object_get(before, "causes"), verdict);
    if (changed && (known || before != NULL)) {
        tell_verdict(incident, verdict);
    }
    json_object_set_new(incident, "verdict", verdict_json(verdict, incident_id(incident)));
    set_text(incident, "sentence", verdict->sentence);
    if (verdict->state == VERDICT_INCIDENT) {
        set_text(incident, "severity", verdict_state_id(verdict->state));
    }
    if (known && read_whole(incident, "diagnosed_unix_ms") == 0) {
        set_moment(incident, "diagnosed_unix_ms",
                   verdict->diagnosed_unix_ms == 0 ? verdict->at_unix_ms : verdict->diagnosed_unix_ms);
    }
    if (known && changed) {
        incident_actions_propose(incident);
    }
    return changed;
}

// ---- harm ----

void incident_set_impact(json_t *incident, const struct impact *impact, uint64_t lasted_ms)
{
    json_t *classes = json_object();
    for (unsigned i = 0; i < IMPACT_CLASSES; i++) {
        const struct impact_figures *one = &impact->class[i];
        json_object_set_new(classes, impact_class_names[i],
                            json_pack("{s:I, s:I, s:I, s:I, s:f}", "asked", (json_int_t)one->asked, "failed",
                                      (json_int_t)one->failed, "refused", (json_int_t)one->refused, "late",
                                      (json_int_t)one->late, "share", impact_share(one)));
    }
    json_object_set_new(incident, "impact",
                        json_pack("{s:I, s:o, s:I}", "lasted_ms", (json_int_t)lasted_ms, "classes", classes,
                                  "clients_estimate", (json_int_t)impact->clients));
}

void incident_get_impact(const json_t *incident, struct impact *impact)
{
    const json_t *figures = json_object_get(incident, "impact");
    *impact = (struct impact){.clients = read_whole(figures, "clients_estimate")};
    for (unsigned i = 0; i < IMPACT_CLASSES; i++) {
        const json_t *one = json_object_get(json_object_get(figures, "classes"), impact_class_names[i]);
        impact->class[i] = (struct impact_figures){.asked = read_whole(one, "asked"),
                                                   .failed = read_whole(one, "failed"),
                                                   .refused = read_whole(one, "refused"),
                                                   .late = read_whole(one, "late")};
    }
}

// ---- the rest ----

void incident_link(json_t *incident, const char *record)
{
    json_t *records = read_list(incident, "records");
    size_t at;
    const json_t *one;
    json_array_foreach(records, at, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), record) == 0) {
            return;
        }
    }
    if (json_array_size(records) < INCIDENT_RECORDS_MAX) {
        json_array_append_new(records, json_string(record));
    }
}

void incident_close(json_t *incident, uint64_t ended_unix_ms, const char *how)
{
    uint64_t onset = read_whole(incident, "onset_unix_ms");
    uint64_t ended = ended_unix_ms > onset ? ended_unix_ms : onset;
    set_text(incident, "state", "closed");
    set_moment(incident, "closed_unix_ms", ended);
    incident_tell(incident, ended, "end", how);
    if (json_array_size(json_object_get(incident, "actions")) == 0) {
        incident_actions_propose(incident);
    }
}

bool incident_is_open(const json_t *incident)
{
    return strcmp(read_text(incident, "state"), "open") == 0;
}

const char *incident_id(const json_t *incident)
{
    return read_text(incident, "id");
}

const char *incident_cause(const json_t *incident)
{
    const json_t *causes = json_object_get(json_object_get(incident, "verdict"), "causes");
    const char *cause = read_text(json_array_get(causes, 0), "cause");
    return cause[0] == '\0' ? cause_id(CAUSE_unknown) : cause;
}

static bool is_done(const json_t *action)
{
    return json_is_integer(json_object_get(action, "done_unix_ms"));
}

unsigned incident_actions_open(const json_t *incident)
{
    json_t *actions = read_list(incident, "actions");
    unsigned open = 0;
    size_t at;
    const json_t *one;
    json_array_foreach(actions, at, one)
    {
        open += !is_done(one);
    }
    return open;
}

bool incident_action_done(json_t *incident, unsigned number, uint64_t now_unix_ms)
{
    json_t *actions = read_list(incident, "actions");
    size_t at;
    json_t *one;
    json_array_foreach(actions, at, one)
    {
        if (read_whole(one, "number") == number) {
            if (!is_done(one)) {
                set_moment(one, "done_unix_ms", now_unix_ms);
            }
            return true;
        }
    }
    return false;
}

bool incident_is_one(const json_t *document)
{
    return json_is_object(document) && read_whole(document, "format") == 1 &&
           json_is_array(json_object_get(document, "timeline")) &&
           json_is_array(json_object_get(document, "records")) &&
           json_is_array(json_object_get(document, "actions")) && read_text(document, "id")[0] != '\0' &&
           read_whole(document, "onset_unix_ms") > 0;
}
