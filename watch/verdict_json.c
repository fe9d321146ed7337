// SPDX-License-Identifier: ISC
// Verdicts as JSON. Runs in stayd-watch. Without memory parts are left out, never half of one.
#include "watch/verdict_json.h"

#include <math.h>
#include <time.h>

void iso_time(uint64_t unix_ms, char out[static ISO_SIZE])
{
    struct tm parts;
    char day[24] = "?";
    time_t seconds = (time_t)(unix_ms / 1000);
    if (unix_ms / 1000 <= 253402300799u && gmtime_r(&seconds, &parts) != NULL) {
        strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &parts);
    }
    snprintf(out, ISO_SIZE, "%s.%03uZ", day, (unsigned)(unix_ms % 1000));
}

json_t *iso_json(uint64_t unix_ms)
{
    char text[ISO_SIZE];
    iso_time(unix_ms, text);
    return unix_ms == 0 ? json_null() : json_string(text);
}

const char *verdict_state_id(enum verdict_state state)
{
    static const char *const ids[] = {"healthy", "degraded", "incident"};
    return ids[state];
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *moment(uint64_t unix_ms)
{
    return unix_ms == 0 ? json_null() : json_integer((json_int_t)unix_ms);
}

static json_t *predicates(const struct verdict_cause *cause)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < cause->predicates; i++) {
        const struct verdict_predicate *one = &cause->predicate[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:s}", "text", one->text, "value",
                                              number(one->value), "bound", number(one->bound), "unit",
                                              one->unit == NULL ? "" : one->unit));
    }
    return list;
}

static json_t *details(const struct verdict_cause *cause)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < cause->details; i++) {
        json_object_set_new(object, cause->detail[i].key, json_string(cause->detail[i].text));
    }
    return object;
}

static json_t *causes(const struct verdict *verdict)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < verdict->causes; i++) {
        const struct verdict_cause *one = &verdict->cause[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "cause", cause_id(one->cause),
                                              "title", cause_title(one->cause), "share", number(one->share),
                                              "sentence", one->sentence, "predicates", predicates(one),
                                              "details", details(one)));
    }
    return list;
}

static json_t *lines(const char (*line)[VERDICT_LINE_SIZE], unsigned count)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < count; i++) {
        json_array_append_new(list, json_string(line[i]));
    }
    return list;
}

static json_t *stages(const struct verdict *verdict)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < verdict->stages; i++) {
        const struct verdict_stage *one = &verdict->stage[i];
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "stage", one->stage, "before_ms",
                                              number(one->before_ms), "now_ms", number(one->now_ms),
                                              "added_share", number(one->added_share)));
    }
    return list;
}

static json_t *load(const struct verdict_load *load)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:s}", "arrivals_before", number(load->arrivals_before),
                     "arrivals_now", number(load->arrivals_now), "service_before_ms",
                     number(load->service_before_ms), "service_now_ms", number(load->service_now_ms), "says",
                     load->says);
}

static json_t *to_do(const struct verdict *verdict)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < verdict->to_dos; i++) {
        const struct verdict_to_do *one = &verdict->to_do[i];
        json_array_append_new(list, json_pack("{s:s, s:s?}", "text", one->text, "command",
                                              one->command[0] == '\0' ? NULL : one->command));
    }
    return list;
}

static json_t *ruled_out(const struct verdict *verdict)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < verdict->ruled_outs; i++) {
        const struct verdict_ruled_out *one = &verdict->ruled_out[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "cause", cause_id(one->cause), "title",
                                              cause_title(one->cause), "because", one->because));
    }
    return list;
}

static void set_times(json_t *object, const struct verdict *verdict)
{
    json_object_set_new(object, "onset", iso_json(verdict->onset_unix_ms));
    json_object_set_new(object, "onset_unix_ms", moment(verdict->onset_unix_ms));
    json_object_set_new(object, "detected_unix_ms", moment(verdict->detected_unix_ms));
    json_object_set_new(object, "diagnosed_unix_ms", moment(verdict->diagnosed_unix_ms));
    json_object_set_new(object, "ended_unix_ms", moment(verdict->ended_unix_ms));
}

json_t *verdict_json(const struct verdict *verdict, const char *incident)
{
    json_t *object = json_object();
    json_object_set_new(object, "at", iso_json(verdict->at_unix_ms));
    json_object_set_new(object, "number", json_integer((json_int_t)verdict->number));
    json_object_set_new(object, "state", json_string(verdict_state_id(verdict->state)));
    json_object_set_new(object, "open", json_boolean(verdict->open));
    json_object_set_new(object, "sentence", json_string(verdict->sentence));
    json_object_set_new(object, "symptom", json_string(verdict->symptom));
    json_object_set_new(object, "incident", incident == NULL ? json_null() : json_string(incident));
    set_times(object, verdict);
    json_object_set_new(object, "causes", causes(verdict));
    json_object_set_new(object, "evidence", lines(verdict->evidence, verdict->evidences));
    json_object_set_new(object, "stages", stages(verdict));
    json_object_set_new(object, "load", load(&verdict->load));
    json_object_set_new(object, "sustaining", json_string(verdict->sustaining));
    json_object_set_new(object, "done", lines(verdict->done, verdict->dones));
    json_object_set_new(object, "to_do", to_do(verdict));
    json_object_set_new(object, "ruled_out", ruled_out(verdict));
    json_object_set_new(object, "affected_percent",
                        json_pack("{s:o, s:o, s:o}", "check", number(verdict->affected.check), "login",
                                  number(verdict->affected.login), "change",
                                  number(verdict->affected.change)));
    return object;
}

static int append(const char *text, size_t size, void *out)
{
    return bytes_append(out, text, size) ? 0 : -1;
}

void json_write(struct bytes *out, const json_t *value)
{
    if (json_dump_callback(value, append, out, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) != 0) {
        out->failed = true;
    }
    bytes_append_byte(out, '\n');
}
