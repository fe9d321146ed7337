// SPDX-License-Identifier: ISC
// stayctl review: /review.json of stayd-watch, and the incidents beside it, as a page of text. Runs in
// stayctl.
#include "cli/cli.h"

#include "cli/show.h"
#include "cli/watch_client.h"

#include <math.h>

enum { FULL_SHOWN = 8, INCIDENTS_SHOWN = 10 };

static struct view text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? VIEW("-") : view_of_cstr(text);
}

// "account_by_name" as it stands; "-" for what is not known.
static void number_cell(struct table *table, double value, int decimals, const char *unit)
{
    char text[64];
    if (isfinite(value)) {
        snprintf(text, sizeof(text), "%.*f%s", decimals, value, unit);
    } else {
        snprintf(text, sizeof(text), "-");
    }
    table_cell(table, view_of_cstr(text));
}

// "2026-11-20 09:31" of "2026-11-20T09:31:00.000Z"; "-" for null.
static void time_cell(struct table *table, const json_t *object, const char *name)
{
    struct view whole = text_of(object, name);
    char text[32];
    if (whole.size < 16 || !view_to_cstr(view_first(whole, 16), text, sizeof(text))) {
        table_cell(table, VIEW("-"));
        return;
    }
    text[10] = ' ';
    table_cell(table, view_of_cstr(text));
}

static void show_capacity(const json_t *review)
{
    static const char *const titles[] = {"CAPACITY", "BEARS", "PEAK", "AT (UTC)", "HEADROOM", "BY", NULL};
    struct table table;
    size_t at;
    const json_t *one;
    table_init(&table, stdout, titles);
    json_array_foreach((json_t *)json_object_get(review, "capacity"), at, one)
    {
        char name[64];
        snprintf(name, sizeof(name), "%.*s", (int)text_of(one, "what").size,
                 (const char *)text_of(one, "what").data);
        for (char *c = name; *c != '\0'; c++) {
            *c = *c == '_' ? ' ' : *c;
        }
        double capacity = show_number_of(one, "capacity");
        table_cell(&table, view_of_cstr(name));
        number_cell(&table, capacity, capacity < 100 ? 1 : 0, "");
        number_cell(&table, show_number_of(one, "peak"), show_number_of(one, "peak") < 100 ? 1 : 0, "");
        time_cell(&table, one, "peak_at");
        number_cell(&table, show_number_of(one, "headroom"), 1, " x");
        table_cell(&table, text_of(one, "how"));
    }
    table_end(&table);
    putchar('\n');
}

static void show_full(const json_t *review)
{
    static const char *const titles[] = {"FULL FIRST", "AT MOST", "AT (UTC)", "HELPS", "WHAT", NULL};
    struct table table;
    size_t at;
    const json_t *one;
    if (json_array_size(json_object_get(review, "full_first")) == 0) {
        return;
    }
    table_init(&table, stdout, titles);
    json_array_foreach((json_t *)json_object_get(review, "full_first"), at, one)
    {
        if (at >= FULL_SHOWN) {
            break;
        }
        table_cell(&table, text_of(one, "resource"));
        number_cell(&table, show_number_of(one, "peak") * 100, 0, " %");
        time_cell(&table, one, "peak_at");
        table_cell(&table, text_of(one, "relief"));
        table_cell(&table, text_of(one, "what"));
    }
    table_end(&table);
    putchar('\n');
}

static void show_statements(const json_t *review)
{
    static const char *const titles[] = {"STATEMENT", "RUNS", "MEAN MS", "WAITED MS", "SHARE", "SLOW", NULL};
    struct table table;
    size_t at;
    const json_t *one;
    if (json_array_size(json_object_get(review, "statements")) == 0) {
        return;
    }
    table_init(&table, stdout, titles);
    json_array_foreach((json_t *)json_object_get(review, "statements"), at, one)
    {
        table_cell(&table, text_of(one, "operation"));
        number_cell(&table, show_number_of(one, "runs"), 0, "");
        number_cell(&table, show_number_of(one, "mean_ms"), 2, "");
        number_cell(&table, show_number_of(one, "wait_ms"), 2, "");
        number_cell(&table, show_number_of(one, "share") * 100, 0, " %");
        number_cell(&table, show_number_of(one, "slow"), 0, "");
    }
    table_end(&table);
    puts("Their plans: stayctl check-db\n");
}

static void show_caches(const json_t *review)
{
    static const char *const titles[] = {"CACHE", "HITS", "REQUESTS", "ENTRIES", "ROOM", "", NULL};
    struct table table;
    size_t at;
    const json_t *one;
    table_init(&table, stdout, titles);
    json_array_foreach((json_t *)json_object_get(review, "caches"), at, one)
    {
        table_cell(&table, text_of(one, "cache"));
        number_cell(&table, show_number_of(one, "hits") * 100, 1, " %");
        number_cell(&table, show_number_of(one, "requests"), 0, "");
        number_cell(&table, show_number_of(one, "entries"), 0, "");
        number_cell(&table, show_number_of(one, "capacity"), 0, "");
        table_cell(&table, json_is_true(json_object_get(one, "small")) ? VIEW("far too small") : VIEW(""));
    }
    table_end(&table);
    putchar('\n');
}

static void show_weeks(const json_t *review)
{
    size_t at;
    const json_t *one;
    const json_t *weeks = json_object_get(review, "weeks");
    if (json_array_size(weeks) == 0) {
        return;
    }
    json_array_foreach((json_t *)(uintptr_t)weeks, at, one)
    {
        double ago = show_number_of(one, "ago");
        char when[32];
        snprintf(when, sizeof(when), ago > 0 ? "%.0f weeks ago" : "last 7 days", ago);
        printf("%-13s busiest minute: %.1f checks, %.2f log-ins a second\n", when,
               show_number_of(one, "checks_per_second"), show_number_of(one, "logins_per_second"));
    }
    const json_t *answers = json_object_get(review, "answers");
    printf("%-13s %.0f answers, %.0f refused, %.0f failed; %.0f processes started again\n", "in all",
           show_number_of(answers, "all"), show_number_of(answers, "refused"),
           show_number_of(answers, "failed"), show_number_of(review, "restarts"));
    putchar('\n');
}

static void show_incidents(const json_t *review)
{
    const json_t *incidents = json_object_get(review, "incidents");
    size_t at;
    const json_t *one;
    printf("Incidents: %zu. Open actions: %.0f%s\n", json_array_size(incidents),
           show_number_of(review, "actions_open"),
           show_number_of(review, "actions_open") > 0 ? " (\"stayctl incident list --actions\")." : ".");
    json_array_foreach((json_t *)(uintptr_t)incidents, at, one)
    {
        if (at >= INCIDENTS_SHOWN) {
            break;
        }
        fputs("  ", stdout);
        text_print(stdout, text_of(one, "id"), 0);
        fputs("  ", stdout);
        text_print(stdout, text_of(one, "sentence"), 0);
        putchar('\n');
    }
    putchar('\n');
}

static void show_advice(const json_t *review)
{
    const json_t *advice = json_object_get(review, "advice");
    size_t at;
    const json_t *one;
    puts(json_array_size(advice) == 0 ? "Nothing needs to change." : "What to change:");
    json_array_foreach((json_t *)(uintptr_t)advice, at, one)
    {
        const char *command = json_string_value(json_object_get(one, "command"));
        fputs("- ", stdout);
        text_print(stdout, text_of(one, "text"), 0);
        putchar('\n');
        if (command != NULL) {
            printf("    %s\n", command);
        }
    }
}

static void show_review(const json_t *review)
{
    struct view since = text_of(review, "since");
    double minutes = show_number_of(review, "minutes");
    if (minutes > 0) {
        printf("%.1f days of history since %.*s.\n\n", minutes / 1440,
               (int)(since.size < 10 ? since.size : 10), (const char *)since.data);
    } else {
        puts("There is no history yet: the first row comes after a minute.\n");
    }
    static void (*const sections[])(const json_t *) = {
        show_capacity, show_full, show_weeks, show_statements, show_caches, show_incidents, show_advice};
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        sections[i](review);
    }
}

static int ask(struct cli *cli, const char *path, json_t **object)
{
    struct watch_answer answer;
    watch_answer_init(&answer);
    int code = cli_watch(cli, "GET", path, &answer);
    if (code == CLI_DONE) {
        *object = json_loadb((const char *)answer.body.data, answer.body.size, 0, NULL);
        if (!json_is_object(*object)) {
            cli_say("stayd-watch's answer can't be read: it is of another version than this stayctl.");
            json_decref(*object);
            *object = NULL;
            code = CLI_UNAVAILABLE;
        }
    }
    watch_answer_release(&answer);
    return code;
}

int quarterly_review(struct cli *cli)
{
    json_t *review = NULL;
    json_t *incidents = NULL;
    int code = ask(cli, "/review.json", &review);
    if (code == CLI_DONE) {
        code = ask(cli, "/incidents.json", &incidents);
    }
    if (code == CLI_DONE) {
        json_t *list = json_object_get(incidents, "incidents");
        double actions = 0;
        size_t at;
        const json_t *one;
        json_array_foreach(list, at, one)
        {
            double open = show_number_of(one, "actions_open");
            actions += isfinite(open) ? open : 0;
        }
        json_object_set_new(review, "incidents", list == NULL ? json_array() : json_incref(list));
        json_object_set_new(review, "actions_open", json_integer((json_int_t)actions));
        if (cli->json) {
            show_json(stdout, json_incref(review));
        } else {
            show_review(review);
        }
    }
    json_decref(incidents);
    json_decref(review);
    return code;
}
