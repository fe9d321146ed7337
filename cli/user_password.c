// SPDX-License-Identifier: ISC
// stayctl user add and password: what carries a new password. Runs in stayctl. It is sealed for stayd-hash as
// soon as it is read, and wiped.
#include "cli/cli.h"
#include "cli/password.h"
#include "cli/show.h"

#include <unistd.h>

struct sealed {
    size_t size;
    uint8_t data[WIRE_SEALED_MAX];
};

static int read_password(struct cli *cli, struct password *password)
{
    enum password_result result;
    if (arguments_has(cli->arguments, CLI_password_stdin)) {
        result = password_from(STDIN_FILENO, password);
    } else {
        result = password_ask(password);
    }
    if (result != PASSWORD_READ) {
        cli_say("%s", password_result_text(result));
    }
    return result == PASSWORD_READ ? CLI_DONE : CLI_REFUSED;
}

static int read_sealed(struct cli *cli, struct sealed *sealed)
{
    struct password password;
    int code = read_password(cli, &password);
    if (code != CLI_DONE) {
        return code;
    }
    sealed->size = client_seal(&cli->client, view_of(password.text, password.size), sealed->data);
    wipe(&password, sizeof(password));
    return sealed->size > 0 ? CLI_DONE : cli_explain(&cli->client, CLIENT_BROKEN, &(struct wire_reply){0});
}

// Nobody is there to be asked, and nothing was said: an account without a password would be a surprise.
static bool way_is_clear(const struct cli *cli, const char *others)
{
    if (arguments_has(cli->arguments, CLI_password_stdin) || isatty(STDIN_FILENO)) {
        return true;
    }
    cli_say(
        "There is no terminal to ask for the password. Give it on standard input with --password-stdin%s.",
        others);
    return false;
}

static int show_added(struct cli *cli, struct view rows)
{
    struct wire_account_public account;
    if (!wire_account_public_next(&rows, &account)) {
        return cli_explain(&cli->client, CLIENT_BROKEN, &(struct wire_reply){0});
    }
    if (cli->json) {
        show_account(stdout, &account, true);
    } else {
        printf("%.*s is added%s.\n", (int)account.name.size, (const char *)account.name.data,
               account.has_password ? ""
                                    : ", and can log in once \"stayctl user password\" has set a password");
    }
    return CLI_DONE;
}

int user_add(struct cli *cli)
{
    const struct arguments *arguments = cli->arguments;
    struct sealed sealed = {0};
    struct wire_reply reply;
    char groups[1025];
    bool without = arguments_has(arguments, CLI_no_password);
    if (without && arguments_has(arguments, CLI_password_stdin)) {
        cli_say("--no-password and --password-stdin exclude each other.");
        return CLI_USAGE;
    }
    if (!without && !way_is_clear(cli, ", or make the account without one with --no-password")) {
        return CLI_USAGE;
    }
    if (!cli_values_join(&arguments->group, groups, sizeof(groups))) {
        cli_say("These are too many groups.");
        return CLI_REFUSED;
    }
    int code = cli_connect(cli);
    code = code != CLI_DONE || without ? code : read_sealed(cli, &sealed);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result =
        CLIENT_ASK(&cli->client, &reply, account_add, .username = view_of_cstr(arguments->operand[0]),
                   .display_name = view_of_cstr(arguments->value[CLI_display_name]),
                   .email = view_of_cstr(arguments->value[CLI_email]), .groups = view_of_cstr(groups),
                   .sealed = view_of(sealed.data, sealed.size));
    code = cli_explain(&cli->client, result, &reply);
    return code == CLI_DONE ? show_added(cli, reply.rows) : code;
}

int user_password(struct cli *cli)
{
    struct sealed sealed = {0};
    struct wire_reply reply;
    const char *name = cli->arguments->operand[0];
    if (!way_is_clear(cli, "")) {
        return CLI_USAGE;
    }
    int code = cli_connect(cli);
    code = code != CLI_DONE ? code : read_sealed(cli, &sealed);
    if (code != CLI_DONE) {
        return code;
    }
    enum client_result result =
        CLIENT_ASK(&cli->client, &reply, account_password, .username = view_of_cstr(name),
                   .sealed = view_of(sealed.data, sealed.size));
    code = cli_explain(&cli->client, result, &reply);
    if (code == CLI_DONE && cli->json) {
        show_json(stdout, json_pack("{s:s}", "changed", name));
    } else if (code == CLI_DONE) {
        printf("%s has a new password; all its sessions have ended.\n", name);
    }
    return code;
}
