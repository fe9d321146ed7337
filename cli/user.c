// SPDX-License-Identifier: ISC
// stayctl user list, show, set, disable, enable, delete, invite. Runs in stayctl.
#include "cli/cli.h"
#include "cli/show.h"

#include <unistd.h>

static struct view name_of(const struct cli *cli)
{
    return view_of_cstr(cli->arguments->operand[0]);
}

// The account that core's answer holds, printed: as JSON, or its name and what `sentence` says of it.
static int show_result(struct cli *cli, enum client_result result, const struct wire_reply *reply,
                       const char *sentence)
{
    struct wire_account_public account;
    struct view rows = reply->rows;
    int code = cli_explain(&cli->client, result, reply);
    if (code != CLI_DONE) {
        return code;
    }
    if (!wire_account_public_next(&rows, &account)) {
        return cli_explain(&cli->client, CLIENT_BROKEN, reply);
    }
    if (cli->json || sentence == NULL) {
        show_account(stdout, &account, cli->json);
    } else {
        printf("%.*s %s\n", (int)account.name.size, (const char *)account.name.data, sentence);
    }
    return CLI_DONE;
}

int user_list(struct cli *cli)
{
    uint64_t limit = UINT64_MAX;
    struct wire_reply reply;
    struct listing listing;
    enum client_result result;
    size_t got;
    if (!arguments_number(cli->arguments, CLI_limit, 0, UINT32_MAX, &limit)) {
        cli_say("--limit is a number.");
        return CLI_USAGE;
    }
    limit = limit == 0 ? UINT64_MAX : limit;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    struct view query = cli->arguments->operands > 0 ? name_of(cli) : VIEW("");
    result = CLIENT_ASK(&cli->client, &reply, account_list, .query = query, .limit = 100);
    if (result != CLIENT_GRANTED) {
        return cli_explain(&cli->client, result, &reply);
    }
    listing_begin(&listing, SHOW_ACCOUNTS, cli->json, stdout);
    do {
        got = listing_rows(&listing, reply.rows, limit - listing.count);
        if (got > 0 && listing.count < limit) {
            result = CLIENT_ASK(&cli->client, &reply, account_list, .query = query,
                                .after = view_of_cstr(listing.last_name), .limit = 100);
        }
    } while (got > 0 && listing.count < limit && result == CLIENT_GRANTED);
    listing_end(&listing, query.size > 0 ? "No account matches." : "There are no accounts.");
    result = listing.broken ? CLIENT_BROKEN : result;
    return cli_explain(&cli->client, result, &reply);
}

int user_show(struct cli *cli)
{
    struct wire_reply reply;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = CLIENT_ASK(&cli->client, &reply, account_show, .username = name_of(cli));
    return show_result(cli, result, &reply, NULL);
}

static bool is_in(const struct cli_values *values, struct view group)
{
    for (unsigned i = 0; i < values->count; i++) {
        if (view_equal(view_of_cstr(values->value[i]), group)) {
            return true;
        }
    }
    return false;
}

// groups ∪ --add-group ∖ --remove-group.
static bool edit_groups(const struct arguments *arguments, struct view groups, char *out, size_t out_size)
{
    struct cli_values kept = {0};
    char copy[WIRE_GROUPS_MAX + CLI_GROUPS_MAX];
    size_t used = 0;
    while (groups.size > 0) {
        struct view group = view_cut(&groups, ',');
        if (is_in(&arguments->remove_group, group) || is_in(&arguments->add_group, group)) {
            continue;
        }
        if (kept.count == CLI_GROUPS_MAX || used + group.size + 1 > sizeof(copy)) {
            return false;
        }
        memcpy(copy + used, group.data, group.size);
        copy[used + group.size] = '\0';
        kept.value[kept.count++] = copy + used;
        used += group.size + 1;
    }
    for (unsigned i = 0; i < arguments->add_group.count; i++) {
        if (kept.count == CLI_GROUPS_MAX) {
            return false;
        }
        kept.value[kept.count++] = arguments->add_group.value[i];
    }
    return cli_values_join(&kept, out, out_size);
}

// The groups the account is to have: CLI_DONE with `out` filled, when any option about groups is given.
static int wanted_groups(struct cli *cli, char *out, size_t out_size)
{
    const struct arguments *arguments = cli->arguments;
    struct wire_reply reply;
    struct wire_account_public account;
    bool edits = arguments_has(arguments, CLI_add_group) || arguments_has(arguments, CLI_remove_group);
    bool fits = true;
    out[0] = '\0';
    if (edits) {
        enum client_result result = CLIENT_ASK(&cli->client, &reply, account_show, .username = name_of(cli));
        int code = cli_explain(&cli->client, result, &reply);
        if (code != CLI_DONE) {
            return code;
        }
        if (!wire_account_public_next(&reply.rows, &account)) {
            return cli_explain(&cli->client, CLIENT_BROKEN, &reply);
        }
        fits = edit_groups(arguments, account.groups, out, out_size);
    } else {
        fits = cli_values_join(&arguments->group, out, out_size);
    }
    if (!fits) {
        cli_say("These are too many groups.");
    }
    return fits ? CLI_DONE : CLI_REFUSED;
}

static const char *set_problem(const struct arguments *arguments)
{
    bool replaces = arguments_has(arguments, CLI_group);
    bool edits = arguments_has(arguments, CLI_add_group) || arguments_has(arguments, CLI_remove_group);
    bool none = arguments_has(arguments, CLI_no_groups);
    if (replaces + edits + none > 1) {
        return "--group names all groups, --no-groups none, --add-group and --remove-group change some: use "
               "one "
               "of these ways.";
    }
    return replaces || edits || none || arguments_has(arguments, CLI_email) ||
                   arguments_has(arguments, CLI_display_name)
               ? NULL
               : "Nothing to change is given: --email, --display-name, --group, ... See --help.";
}

int user_set(struct cli *cli)
{
    const struct arguments *arguments = cli->arguments;
    const char *problem = set_problem(arguments);
    char groups[1025];
    struct wire_reply reply;
    uint8_t fields = 0;
    if (problem != NULL) {
        cli_say("%s", problem);
        return CLI_USAGE;
    }
    int code = cli_connect(cli);
    code = code != CLI_DONE ? code : wanted_groups(cli, groups, sizeof(groups));
    if (code != CLI_DONE) {
        return code;
    }
    fields |= arguments_has(arguments, CLI_email) ? WIRE_SET_EMAIL : 0;
    fields |= arguments_has(arguments, CLI_display_name) ? WIRE_SET_DISPLAY_NAME : 0;
    fields |= (arguments->given & (CLI_TAKES(group) | CLI_TAKES(add_group) | CLI_TAKES(remove_group) |
                                   CLI_TAKES(no_groups))) != 0
                  ? WIRE_SET_GROUPS
                  : 0;
    enum client_result result = CLIENT_ASK(
        &cli->client, &reply, account_set, .username = name_of(cli), .fields = fields,
        .email = view_of_cstr(arguments->value[CLI_email]),
        .display_name = view_of_cstr(arguments->value[CLI_display_name]), .groups = view_of_cstr(groups));
    return show_result(cli, result, &reply, "is changed.");
}

static int set_disabled(struct cli *cli, bool disabled, const char *sentence)
{
    struct wire_reply reply;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = CLIENT_ASK(&cli->client, &reply, account_set, .username = name_of(cli),
                                           .fields = WIRE_SET_DISABLED, .disabled = disabled);
    return show_result(cli, result, &reply, sentence);
}

int user_disable(struct cli *cli)
{
    return set_disabled(cli, true, "is disabled; all its sessions have ended.");
}

int user_enable(struct cli *cli)
{
    return set_disabled(cli, false, "can log in again.");
}

// On a terminal only: scripts have said what they mean.
static bool confirmed(const struct cli *cli, const char *name)
{
    char answer[8];
    if (arguments_has(cli->arguments, CLI_yes) || !isatty(STDIN_FILENO)) {
        return true;
    }
    fprintf(stderr, "Delete %s and end all its sessions? [y/N] ", name);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

int user_delete(struct cli *cli)
{
    const char *name = cli->arguments->operand[0];
    struct wire_reply reply;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    if (!confirmed(cli, name)) {
        cli_say("Nothing was deleted.");
        return CLI_REFUSED;
    }
    enum client_result result = CLIENT_ASK(&cli->client, &reply, account_delete, .username = name_of(cli));
    code = cli_explain(&cli->client, result, &reply);
    if (code == CLI_DONE && cli->json) {
        show_json(stdout, json_pack("{s:s}", "deleted", name));
    } else if (code == CLI_DONE) {
        printf("%s is deleted; all its sessions have ended.\n", name);
    }
    return code;
}

static int show_invite(struct cli *cli, struct view rows)
{
    struct wire_invite invite;
    char link[640];
    char time[TEXT_TIME_SIZE];
    if (!wire_invite_next(&rows, &invite)) {
        return cli_explain(&cli->client, CLIENT_BROKEN, &(struct wire_reply){0});
    }
    snprintf(link, sizeof(link), "%s/register?invite=%.*s", cli->client.public_url, (int)invite.token.size,
             (const char *)invite.token.data);
    if (cli->json) {
        json_t *object = json_object();
        json_object_set_new(object, "link", json_string(link));
        json_object_set_new(object, "expires_at", show_time_json(invite.expires));
        show_json(stdout, object);
        return CLI_DONE;
    }
    printf("%s\n", link);
    text_time_local(invite.expires, time);
    fprintf(stderr, "It makes one account and holds until %s.\n", time);
    return CLI_DONE;
}

int user_invite(struct cli *cli)
{
    uint64_t days = 7;
    char groups[1025];
    struct wire_reply reply;
    if (!arguments_number(cli->arguments, CLI_days, 1, 365, &days)) {
        cli_say("--days is a number from 1 to 365.");
        return CLI_USAGE;
    }
    if (!cli_values_join(&cli->arguments->group, groups, sizeof(groups))) {
        cli_say("These are too many groups.");
        return CLI_REFUSED;
    }
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result =
        CLIENT_ASK(&cli->client, &reply, account_invite, .groups = view_of_cstr(groups),
                   .valid_s = (uint32_t)(days * 86400));
    code = cli_explain(&cli->client, result, &reply);
    return code == CLI_DONE ? show_invite(cli, reply.rows) : code;
}
