// SPDX-License-Identifier: ISC
// stayctl incident: what stayd-watch keeps in data_dir/incidents. Runs in stayctl.
#include "cli/show.h"
#include "cli/watch_client.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static long long whole_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

// Asks, and takes the answer for JSON. NULL: said why not, *code is set.
static json_t *ask_json(struct cli *cli, const char *method, const char *path, int *code)
{
    struct watch_answer answer;
    json_t *object = NULL;
    watch_answer_init(&answer);
    *code = cli_watch(cli, method, path, &answer);
    if (*code == CLI_DONE) {
        object = json_loadb((const char *)answer.body.data, answer.body.size, 0, NULL);
        if (!json_is_object(object)) {
            cli_say("stayd-watch's answer can't be read: it is of another version than this stayctl.");
            json_decref(object);
            object = NULL;
            *code = CLI_UNAVAILABLE;
        }
    }
    watch_answer_release(&answer);
    return object;
}

static void cell(struct table *table, const char *text)
{
    table_cell(table, view_of_cstr(text));
}

static void show_incidents(json_t *incidents)
{
    static const char *const titles[] = {"ID", "STATE", "CAUSE", "ACTIONS", "WHAT", NULL};
    struct table table;
    size_t at;
    const json_t *one;
    if (json_array_size(incidents) == 0) {
        puts("There has been no incident.");
        return;
    }
    table_init(&table, stdout, titles);
    json_array_foreach(incidents, at, one)
    {
        char actions[48];
        snprintf(actions, sizeof(actions), "%lld open", whole_of(one, "actions_open"));
        cell(&table, text_of(one, "id"));
        cell(&table, text_of(one, "state"));
        cell(&table, text_of(one, "cause"));
        cell(&table, actions);
        cell(&table, text_of(one, "sentence"));
    }
    table_end(&table);
}

static void show_records(json_t *records)
{
    static const char *const titles[] = {"TIME", "BYTES", "RECORD", NULL};
    struct table table;
    size_t at;
    const json_t *one;
    if (json_array_size(records) == 0) {
        return;
    }
    putchar('\n');
    table_init(&table, stdout, titles);
    json_array_foreach(records, at, one)
    {
        char size[32];
        snprintf(size, sizeof(size), "%lld", whole_of(one, "bytes"));
        cell(&table, text_of(one, "at"));
        cell(&table, size);
        cell(&table, text_of(one, "name"));
    }
    table_end(&table);
}

static void show_actions(json_t *actions)
{
    static const char *const titles[] = {"INCIDENT", "N", "KIND", "WHAT", NULL};
    struct table table;
    size_t at;
    const json_t *one;
    if (json_array_size(actions) == 0) {
        puts("No action items are open.");
        return;
    }
    table_init(&table, stdout, titles);
    json_array_foreach(actions, at, one)
    {
        char number[24];
        snprintf(number, sizeof(number), "%lld", whole_of(one, "number"));
        cell(&table, text_of(one, "incident"));
        cell(&table, number);
        cell(&table, text_of(one, "kind"));
        cell(&table, text_of(one, "text"));
    }
    table_end(&table);
}

int incident_list(struct cli *cli)
{
    int code;
    bool actions = arguments_has(cli->arguments, CLI_actions);
    json_t *list = ask_json(cli, "GET", actions ? "/incidents/actions.json" : "/incidents.json", &code);
    if (list == NULL) {
        return code;
    }
    if (cli->json) {
        show_json(stdout, json_incref(list));
    } else if (actions) {
        show_actions(json_object_get(list, "actions"));
    } else {
        show_incidents(json_object_get(list, "incidents"));
        show_records(json_object_get(list, "records"));
    }
    json_decref(list);
    return CLI_DONE;
}

// Names hold none of the characters that mean something in a path.
static bool is_name(const char *name)
{
    bool plain =
        name[0] != '\0' && strlen(name) <= 128 &&
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(name);
    if (!plain) {
        cli_say("%.64s is not the ID of an incident or record; \"stayctl incident list\" shows them.", name);
    }
    return plain;
}

// Text as it is, or as {"name","text"}.
static int print_text(struct cli *cli, const char *path, const char *name)
{
    struct watch_answer answer;
    watch_answer_init(&answer);
    int code = cli_watch(cli, "GET", path, &answer);
    if (code == CLI_DONE && cli->json) {
        show_json(stdout, json_pack("{s:s, s:o}", "name", name, "text", show_text_json(answer.body)));
    } else if (code == CLI_DONE) {
        fwrite(answer.body.data, 1, answer.body.size, stdout);
    }
    watch_answer_release(&answer);
    return code;
}

static void path_of(char out[static 192], const char *name, const char *ending)
{
    snprintf(out, 192, "/incidents/%s%s", name, ending);
}

// A record has an ending, an incident's ID has none.
int incident_show(struct cli *cli)
{
    char path[192];
    int code;
    const char *name = cli->arguments->operand[0];
    bool record = strchr(name, '.') != NULL;
    if (!is_name(name)) {
        return CLI_USAGE;
    }
    path_of(path, name, record ? "" : cli->json ? ".json" : ".md");
    if (record || !cli->json) {
        return print_text(cli, path, name);
    }
    json_t *incident = ask_json(cli, "GET", path, &code);
    if (incident != NULL) {
        show_json(stdout, incident);
    }
    return code;
}

int incident_postmortem(struct cli *cli)
{
    char path[192];
    const char *name = cli->arguments->operand[0];
    if (!is_name(name)) {
        return CLI_USAGE;
    }
    path_of(path, name, ".md");
    return print_text(cli, path, name);
}

int incident_done(struct cli *cli)
{
    char path[256];
    uint64_t number;
    int code;
    const char *name = cli->arguments->operand[0];
    if (!is_name(name)) {
        return CLI_USAGE;
    }
    if (!view_to_u64(view_of_cstr(cli->arguments->operand[1]), &number) || number > 1000) {
        cli_say("%.32s is not the number of an action item; \"stayctl incident list --actions\" shows them.",
                cli->arguments->operand[1]);
        return CLI_USAGE;
    }
    snprintf(path, sizeof(path), "/incidents/%s/actions/%llu/done", name, (unsigned long long)number);
    json_t *answer = ask_json(cli, "POST", path, &code);
    if (answer != NULL && cli->json) {
        show_json(stdout, json_incref(answer));
    } else if (answer != NULL) {
        puts("Marked as done.");
    }
    json_decref(answer);
    return code;
}
