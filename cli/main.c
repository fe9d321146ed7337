// SPDX-License-Identifier: ISC
// stayctl: reads the command line, runs one command. A process of its own, started by an administrator.
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/text.h"

#include <signal.h>
#include <sodium.h>

static int usage(const struct arguments *arguments)
{
    char name[48] = "";
    if (arguments->command != NULL) {
        command_name(arguments->command, name);
    } else if (arguments->topic != NULL) {
        snprintf(name, sizeof(name), "%s", arguments->topic);
    }
    cli_say("%s", arguments->problem);
    fprintf(stderr, "Try \"stayctl %s%s--help\".\n", name, name[0] == '\0' ? "" : " ");
    return CLI_USAGE;
}

static int help(const struct arguments *arguments)
{
    if (arguments->command != NULL) {
        command_help(stdout, arguments->command);
    } else if (arguments->topic != NULL) {
        commands_help_group(stdout, arguments->topic);
    } else {
        commands_help(stdout);
    }
    return CLI_DONE;
}

static int run(struct cli *cli)
{
    const struct arguments *arguments = cli->arguments;
    if (arguments_has(arguments, CLI_help)) {
        return help(arguments);
    }
    int code = arguments->command->run(cli);
    client_release(&cli->client);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    static struct cli cli;
    signal(SIGPIPE, SIG_IGN);
    text_init();
    if (sodium_init() < 0) {
        cli_say("The cryptographic library can't be used here.");
        return CLI_REFUSED;
    }
    if (!arguments_read(&arguments, argc - 1, argv + 1)) {
        return usage(&arguments);
    }
    client_init(&cli.client);
    cli.arguments = &arguments;
    cli.json = arguments_has(&arguments, CLI_json);
    int code = run(&cli);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_say("The output could not be written.");
        return code == CLI_DONE ? CLI_REFUSED : code;
    }
    return code;
}
