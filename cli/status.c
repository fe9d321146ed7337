// SPDX-License-Identifier: ISC
// stayctl status and version. Runs in stayctl.
#include "cli/cli.h"
#include "cli/show.h"

// Numbers become numbers, all else is text.
static json_t *value_json(struct view value)
{
    uint64_t number;
    if (view_to_u64(value, &number) && number <= INT64_MAX) {
        return json_integer((json_int_t)number);
    }
    return show_text_json(value);
}

// How core's rows are called here; those that are not named are left as they are, under their own names.
static const struct {
    const char *row;
    const char *shown;
} names[] = {{"version", "version"},
             {"store", "database"},
             {"uptime_s", "core up for"},
             {"sessions", "sessions"},
             {"accounts_in_table", "accounts with sessions"},
             {"table_bytes", "memory of the tables"},
             {"ends_pending", "ends not yet durable"}};

static bool is_yes_or_no(struct view name)
{
    return view_equal(name, VIEW("warm")) || view_equal(name, VIEW("setup_open"));
}

static void show_value(const struct wire_status_row *row)
{
    uint64_t number = 0;
    char duration[TEXT_TIME_SIZE];
    bool is_number = view_to_u64(row->value, &number);
    if (is_number && view_equal(row->name, VIEW("uptime_s"))) {
        text_duration(number, duration);
        printf("%s\n", duration);
    } else if (is_number && view_equal(row->name, VIEW("table_bytes"))) {
        printf("%.1f MiB\n", (double)number / 1048576);
    } else if (is_number && is_yes_or_no(row->name)) {
        printf("%s\n", number != 0 ? "yes" : "no");
    } else {
        text_print(stdout, row->value, 0);
        putchar('\n');
    }
}

static void show_row(const struct wire_status_row *row)
{
    struct view shown = row->name;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (view_equal(row->name, view_of_cstr(names[i].row))) {
            shown = view_of_cstr(names[i].shown);
        }
    }
    int width = 0;
    for (size_t i = 0; i < shown.size; i++) {
        putchar(shown.data[i] == '_' ? ' ' : shown.data[i]);
        width++;
    }
    printf("%*s", width < 28 ? 28 - width : 1, "");
    show_value(row);
}

int server_status(struct cli *cli)
{
    struct wire_reply reply;
    struct wire_status_row row;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = CLIENT_ASK(&cli->client, &reply, status);
    code = cli_explain(&cli->client, result, &reply);
    if (code != CLI_DONE) {
        return code;
    }
    json_t *object = json_object();
    if (!cli->json) {
        printf("%-28s%s\n%-28s%s\n", "address", cli->client.public_url, "data folder", cli->config.data_dir);
    }
    while (wire_status_row_next(&reply.rows, &row)) {
        char name[65];
        if (cli->json && view_to_cstr(row.name, name, sizeof(name))) {
            json_object_set_new(object, name, value_json(row.value));
        } else if (!cli->json) {
            show_row(&row);
        }
    }
    if (cli->json) {
        json_object_set_new(object, "public_url", json_string(cli->client.public_url));
        json_object_set_new(object, "data_dir", json_string(cli->config.data_dir));
        show_json(stdout, object);
    } else {
        json_decref(object);
    }
    return CLI_DONE;
}

int program_version(struct cli *cli)
{
    char path[CLI_PATH_MAX + 16];
    const struct arguments *arguments = cli->arguments;
    const char *running = NULL;
    // A stayd that does not run, or can't be found, is no failure here.
    if (cli_config_find(&cli->config,
                        arguments_has(arguments, CLI_config) ? arguments->value[CLI_config] : NULL)) {
        snprintf(path, sizeof(path), "%s/run/core.sock", cli->config.data_dir);
        running = client_connect(&cli->client, path) == CLIENT_GRANTED ? cli->client.version : NULL;
    }
    if (cli->json) {
        show_json(stdout, json_pack("{s:s, s:s?}", "stayctl", STAYD_VERSION, "stayd", running));
    } else {
        printf("stayctl %s\n%s%s\n", STAYD_VERSION, running == NULL ? "stayd is not running here" : "stayd ",
               running == NULL ? "" : running);
    }
    return CLI_DONE;
}
