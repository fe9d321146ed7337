// SPDX-License-Identifier: ISC
// Shows what a drill found, see drill_report.h. Runs in stayctl drill.
#include "drill/drill_report.h"

#include <time.h>

void drill_report_name(const struct drill_result *result, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", result->row->name, result->second == NULL ? "" : "+",
             result->second == NULL ? "" : result->second->name);
}

// ---- JSON

static json_t *time_or_null(int64_t ms)
{
    return ms < 0 ? json_null() : json_integer((json_int_t)ms);
}

static json_t *load_json(const struct drill_result *result)
{
    json_t *load =
        json_pack("{s:f, s:f, s:f, s:f, s:f}", "check_per_second", result->rates[STORM_check],
                  "login_per_second", result->rates[STORM_login], "change_per_second",
                  result->rates[STORM_change], "login_factor", result->factor, "strength", result->strength);
    json_object_set_new(load, "database", json_string(result->accounts == 0 ? "sqlite" : "postgresql"));
    json_object_set_new(load, "accounts",
                        result->accounts == 0 ? json_null() : json_integer((json_int_t)result->accounts));
    return load;
}

static json_t *before_json(const struct drill_before *before)
{
    return before->affected_percent == 0
               ? json_null()
               : json_pack("{s:i, s:s, s:s, s:s, s:s}", "affected_percent", (int)before->affected_percent,
                           "noticed", before->noticed, "cause_known", before->cause_known, "well",
                           before->well, "misled_by", before->misled);
}

static json_t *ruled_out_json(const struct drill_result *result)
{
    json_t *list = json_array();
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(result->verdict, "ruled_out"), i, one)
    {
        const char *cause = json_string_value(json_object_get(one, "cause"));
        const char *because = json_string_value(json_object_get(one, "because"));
        json_array_append_new(list, json_pack("{s:s?, s:s?}", "cause", cause, "because", because));
    }
    return list;
}

static void time_text(uint64_t unix_ms, char *out, size_t size)
{
    char second[32];
    struct tm parts;
    time_t at = (time_t)(unix_ms / 1000);
    gmtime_r(&at, &parts);
    strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out, size, "%s.%03uZ", second, (unsigned)(unix_ms % 1000));
}

static json_t *classes_json(const struct drill_measured *measured)
{
    static const enum storm_class shown[] = {STORM_check, STORM_login, STORM_change};
    json_t *classes = json_object();
    for (unsigned i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        const struct score_class *people = &measured->people[shown[i]];
        const struct score_answers *answers = &measured->answers[shown[i]];
        const struct score_answers *calm = &measured->calm[shown[i]];
        json_object_set_new(
            classes, storm_class_name(shown[i]),
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "offered", (json_int_t)people->offered,
                      "well", (json_int_t)people->well, "delayed", (json_int_t)people->delayed, "waiting",
                      (json_int_t)people->waiting, "affected", (json_int_t)people->affected, "refusals",
                      (json_int_t)answers->refused, "refused_p99_ms", answers->refused_p99_ms, "ok_p99_ms",
                      answers->ok_p99_ms, "calm_p99_ms", calm->ok_p99_ms));
    }
    return classes;
}

static json_t *machine_json(const struct drill_machine *machine)
{
    return json_pack("{s:f, s:f, s:f}", "load_processors", machine->load_processors, "yardstick_ms",
                     machine->yardstick_ms, "scan_ms", machine->scan_ms);
}

static void add_whole(json_t *object, const struct drill_result *result, enum drill_end end)
{
    static const char *const ends[] = {"passed", "failed", "broken", "unavailable", "stopped"};
    const struct drill_measured *measured = &result->measured;
    json_object_set_new(object, "end", json_string(ends[end]));
    json_object_set_new(object, "why_not_passed", json_string(result->why));
    json_object_set_new(object, "right_cause", json_boolean(result->right));
    json_object_set_new(object, "classes", classes_json(measured));
    json_object_set_new(object, "login_peak_per_second", json_real(measured->login_peak));
    json_object_set_new(object, "machine",
                        json_pack("{s:o, s:o, s:o, s:o}", "alone", machine_json(&measured->alone), "at_peak",
                                  machine_json(&measured->at_peak), "at_degraded_peak",
                                  machine_json(&measured->at_degraded_peak), "in_fault",
                                  machine_json(&measured->in_fault)));
    json_object_set_new(object, "degraded_peak_per_second", json_real(measured->degraded_peak));
    json_object_set_new(object, "able_per_second", json_real(measured->able));
    json_object_set_new(object, "used_percent", json_real(measured->used_percent));
    json_object_set_new(object, "verdict",
                        result->verdict == NULL ? json_null() : json_incref(result->verdict));
}

json_t *drill_report_json(const struct drill_result *result, enum drill_end end, bool whole)
{
    const struct drill_measured *measured = &result->measured;
    char name[96], injected[48];
    drill_report_name(result, name, sizeof(name));
    time_text(measured->injected_at_ms, injected, sizeof(injected));
    json_t *object =
        json_pack("{s:s, s:I, s:o, s:{s:f, s:f, s:f}, s:I}", "drill", name, "seed", (json_int_t)result->seed,
                  "load", load_json(result), "affected_percent", "check", measured->percent[STORM_check],
                  "login", measured->percent[STORM_login], "change", measured->percent[STORM_change],
                  "wrong_identity", (json_int_t)measured->wrong_identity);
    json_object_set_new(object, "injected_at",
                        measured->injected_at_ms == 0 ? json_null() : json_string(injected));
    json_object_set_new(object, "detected_ms", time_or_null(measured->detected_ms));
    json_object_set_new(object, "diagnosed_ms", time_or_null(measured->diagnosed_ms));
    json_object_set_new(object, "recovered_ms", time_or_null(measured->recovered_ms));
    json_object_set_new(object, "cause", result->cause[0] == '\0' ? json_null() : json_string(result->cause));
    json_object_set_new(object, "ruled_out", ruled_out_json(result));
    json_object_set_new(object, "before", before_json(&result->row->before));
    json_object_set_new(object, "passed", json_boolean(end == DRILL_PASSED));
    if (whole) {
        add_whole(object, result, end);
    }
    return object;
}

// ---- the table

static void duration_text(int64_t ms, char *out, size_t size)
{
    if (ms < 0) {
        snprintf(out, size, "never");
    } else if (ms < 1000) {
        snprintf(out, size, "%lld ms", (long long)ms);
    } else {
        snprintf(out, size, "%.1f s", (double)ms / 1000);
    }
}

static void row(FILE *out, const char *what, const char *before, const char *now, const char *bar)
{
    fprintf(out, "%-28s %-14s %-34s %s\n", what, before == NULL ? "-" : before, now, bar);
}

static void time_row(FILE *out, const char *what, const char *before, int64_t ms, unsigned bar_ms)
{
    char now[32], bar[32] = "";
    duration_text(ms, now, sizeof(now));
    if (bar_ms > 0) {
        duration_text(bar_ms, bar, sizeof(bar));
    }
    row(out, what, before, now, bar);
}

static void people_row(FILE *out, const struct drill_result *result, enum storm_class class)
{
    char what[48], now[96], before[16];
    const struct score_class *people = &result->measured.people[class];
    const struct drill_before *old = &result->row->before;
    if (people->offered == 0) {
        return;
    }
    snprintf(what, sizeof(what), "users affected, %ss", storm_class_name(class));
    snprintf(before, sizeof(before), "%u %%", old->affected_percent);
    snprintf(now, sizeof(now), "%.2f %% (%llu of %llu)", result->measured.percent[class],
             (unsigned long long)people->affected, (unsigned long long)people->offered);
    row(out, what, old->affected_percent == 0 ? NULL : before, now, class == STORM_check ? "0 %" : "");
    if (people->delayed + people->waiting > 0) {
        snprintf(now, sizeof(now), "%llu done later, %llu wait", (unsigned long long)people->delayed,
                 (unsigned long long)people->waiting);
        row(out, "  asked to come again", NULL, now, "");
    }
}

static void used_row(FILE *out, const struct drill_result *result)
{
    char now[96], bar[32];
    const struct drill_measured *measured = &result->measured;
    if (measured->able > 0 && result->row->used_least_percent > 0) {
        snprintf(now, sizeof(now), "%.0f %% of %.1f %ss/s", measured->used_percent, measured->able,
                 storm_class_name(result->row->slow));
        snprintf(bar, sizeof(bar), "%u %%", result->row->used_least_percent);
        row(out, "used of what can be done", NULL, now, bar);
    }
}

void drill_report_table(FILE *out, const struct drill_result *result, enum drill_end end)
{
    const struct drill_row *drill = result->row;
    const struct drill_measured *measured = &result->measured;
    char name[96], now[64];
    drill_report_name(result, name, sizeof(name));
    fprintf(out, "%s (seed %llu): %s\n\n", name, (unsigned long long)result->seed, drill->title);
    row(out, "", "the old outage", "now", "bar");
    people_row(out, result, STORM_check);
    people_row(out, result, STORM_login);
    people_row(out, result, STORM_change);
    snprintf(now, sizeof(now), "%llu", (unsigned long long)measured->wrong_identity);
    row(out, "wrong identities", NULL, now, "0");
    used_row(out, result);
    time_row(out, "until noticed", drill->before.noticed, measured->detected_ms, drill->detected_ms);
    time_row(out, "until the cause was known", drill->before.cause_known, measured->diagnosed_ms,
             drill->diagnosed_ms);
    time_row(out, "well after the cause's end", drill->before.well, measured->recovered_ms,
             drill->recovered_ms);
    if (drill->before.misled != NULL) {
        fprintf(out, "\nWhat misled them then: %s.\n", drill->before.misled);
    }
    fprintf(out, "The cause stayd named: %s%s\n", result->cause[0] == '\0' ? "none" : result->cause,
            result->right ? ", which is true." : ".");
    const char *sentence = json_string_value(json_object_get(result->verdict, "sentence"));
    if (sentence != NULL) {
        fprintf(out, "%s\n", sentence);
    }
    fprintf(out, "%s%s%s\nKept in %s\n",
            end == DRILL_PASSED ? "PASSED" : "FAILED: ", end == DRILL_PASSED ? "" : result->why,
            end == DRILL_PASSED ? "." : "", result->folder);
}

// ---- JUnit

static void escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        }
    }
}

void drill_junit_begin(FILE *out, unsigned tests, unsigned failures)
{
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"stayctl drill\" tests=\"%u\" "
            "failures=\"%u\">\n",
            tests, failures);
}

void drill_junit_case(FILE *out, const struct drill_result *result, enum drill_end end, double seconds)
{
    char name[96];
    drill_report_name(result, name, sizeof(name));
    fprintf(out, "  <testcase classname=\"drill\" name=\"%s seed %llu\" time=\"%.1f\">", name,
            (unsigned long long)result->seed, seconds);
    if (end != DRILL_PASSED) {
        const char *kind = end == DRILL_FAILED ? "failure" : end == DRILL_BROKEN ? "error" : "skipped";
        fprintf(out, "<%s message=\"", kind);
        escaped(out, result->why);
        fprintf(out, "\"/>");
    }
    fputs("</testcase>\n", out);
}

void drill_junit_end(FILE *out)
{
    fputs("</testsuite>\n", out);
}
