// SPDX-License-Identifier: ISC
// stayctl incident: what stayd-watch keeps in data_dir/incidents. Runs in stayctl.
#include "cli/show.h"
#include "cli/watch_client.h"

static void record_row(struct table *table, const json_t *record)
{
    char size[32];
    snprintf(size, sizeof(size), "%lld", (long long)json_integer_value(json_object_get(record, "bytes")));
    table_cell(table, view_of_cstr(json_string_value(json_object_get(record, "at"))));
    table_cell(table, view_of_cstr(size));
    table_cell(table, view_of_cstr(json_string_value(json_object_get(record, "name"))));
}

static void show_records(const json_t *records)
{
    static const char *const titles[] = {"TIME", "BYTES", "RECORD", NULL};
    struct table table;
    size_t at;
    const json_t *record;
    if (json_array_size(records) == 0) {
        puts("Nothing has been recorded.");
        return;
    }
    table_init(&table, stdout, titles);
    json_array_foreach((json_t *)(uintptr_t)records, at, record)
    {
        record_row(&table, record);
    }
    table_end(&table);
}

int incident_list(struct cli *cli)
{
    struct watch_answer answer;
    watch_answer_init(&answer);
    int code = cli_watch(cli, "GET", "/incidents.json", &answer);
    json_t *list =
        code == CLI_DONE ? json_loadb((const char *)answer.body.data, answer.body.size, 0, NULL) : NULL;
    if (code == CLI_DONE && !json_is_object(list)) {
        cli_say("stayd-watch's answer can't be read: it is of another version than this stayctl.");
        code = CLI_UNAVAILABLE;
    } else if (code == CLI_DONE && cli->json) {
        show_json(stdout, json_incref(list));
    } else if (code == CLI_DONE) {
        show_records(json_object_get(list, "records"));
    }
    json_decref(list);
    watch_answer_release(&answer);
    return code;
}

// Names of records hold none of the characters that mean something in a path.
static bool is_record_name(const char *name)
{
    return name[0] != '\0' && strlen(name) <= 128 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == strlen(name);
}

int incident_show(struct cli *cli)
{
    char path[160];
    struct watch_answer answer;
    const char *name = cli->arguments->operand[0];
    if (!is_record_name(name)) {
        cli_say("%.64s is not the name of a record; \"stayctl incident list\" shows them.", name);
        return CLI_USAGE;
    }
    snprintf(path, sizeof(path), "/incidents/%s", name);
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
