// SPDX-License-Identifier: ISC
// stayctl session list and end. Runs in stayctl.
#include "cli/cli.h"
#include "cli/show.h"

int session_list(struct cli *cli)
{
    struct wire_reply reply;
    struct listing listing;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = CLIENT_ASK(&cli->client, &reply, account_sessions,
                                           .username = view_of_cstr(cli->arguments->operand[0]));
    if (result != CLIENT_GRANTED) {
        return cli_explain(&cli->client, result, &reply);
    }
    listing_begin(&listing, SHOW_SESSIONS, cli->json, stdout);
    listing_rows(&listing, reply.rows, SIZE_MAX);
    listing_end(&listing, "No sessions.");
    return cli_explain(&cli->client, listing.broken ? CLIENT_BROKEN : CLIENT_GRANTED, &reply);
}

static int say_ended(struct cli *cli, const char *what, const char *sentence)
{
    if (cli->json) {
        show_json(stdout, json_pack("{s:s}", "ended", what));
    } else {
        printf("%s\n", sentence);
    }
    return CLI_DONE;
}

static int end_one(struct cli *cli, const char *text)
{
    struct id16 id;
    struct wire_reply reply;
    struct view given = view_of_cstr(text);
    if (!base64url_decode(given, id.byte, sizeof(id.byte))) {
        cli_say("%.64s is not the ID of a session; \"stayctl session list NAME\" shows them.", text);
        return CLI_USAGE;
    }
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result = CLIENT_ASK(&cli->client, &reply, any_session_end, .public_id = id);
    code = cli_explain(&cli->client, result, &reply);
    return code == CLI_DONE ? say_ended(cli, text, "The session has ended.") : code;
}

static int end_all(struct cli *cli, const char *name)
{
    struct wire_reply reply;
    int code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result =
        CLIENT_ASK(&cli->client, &reply, account_sessions_end, .username = view_of_cstr(name));
    code = cli_explain(&cli->client, result, &reply);
    return code == CLI_DONE ? say_ended(cli, name, "All sessions of the account have ended.") : code;
}

int session_end(struct cli *cli)
{
    const struct arguments *arguments = cli->arguments;
    bool user = arguments_has(arguments, CLI_user);
    bool all = arguments_has(arguments, CLI_all);
    if (arguments->operands == 1 && !user && !all) {
        return end_one(cli, arguments->operand[0]);
    }
    if (arguments->operands == 0 && user && all) {
        return end_all(cli, arguments->value[CLI_user]);
    }
    cli_say("Give either the ID of one session, or --user NAME --all.");
    return CLI_USAGE;
}
