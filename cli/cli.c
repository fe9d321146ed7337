// SPDX-License-Identifier: ISC
// Finds stayd and says what went wrong, in words that lead on. Runs in stayctl.
#include "cli/cli.h"

#include "cli/text.h"

#include <errno.h>
#include <stdarg.h>

void cli_say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("stayctl: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

int cli_configure(struct cli *cli)
{
    if (cli_config_find(&cli->config, cli->arguments->value[CLI_config])) {
        return CLI_DONE;
    }
    cli_say("%s", cli->config.problem);
    return CLI_REFUSED;
}

static int not_connected(const struct cli *cli, enum client_result result)
{
    switch (result) {
    case CLIENT_ABSENT:
        cli_say("stayd is not running with the data folder %s (from %s): start it, or give -c FILE.",
                cli->config.data_dir, cli->config.file);
        return CLI_UNAVAILABLE;
    case CLIENT_FORBIDDEN:
        cli_say("The socket in %s/run is not for you. Run stayctl as root or as the user that stayd runs as.",
                cli->config.data_dir);
        return CLI_REFUSED;
    case CLIENT_SILENT:
        cli_say("stayd runs, but its core does not answer. Look at its log; try again.");
        return CLI_UNAVAILABLE;
    case CLIENT_BROKEN:
    case CLIENT_GRANTED:
    case CLIENT_REFUSED:
    case CLIENT_UNAVAILABLE:
        break;
    }
    cli_say("The connection to stayd's core failed: it is starting, or of another version than this stayctl. "
            "Try again.");
    return CLI_UNAVAILABLE;
}

int cli_connect(struct cli *cli)
{
    char path[CLI_PATH_MAX + 16];
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    snprintf(path, sizeof(path), "%s/run/core.sock", cli->config.data_dir);
    enum client_result result = client_connect(&cli->client, path);
    return result == CLIENT_GRANTED ? CLI_DONE : not_connected(cli, result);
}

// What to say where core gave no sentence of its own.
static const char *reason_sentence(enum wire_reason reason)
{
    switch (reason) {
    case WIRE_WRONG_CREDENTIALS:
        return "The user name or the password is wrong.";
    case WIRE_THROTTLED:
        return "Too many failures: wait a little.";
    case WIRE_ACCOUNT_DISABLED:
        return "The account is disabled.";
    case WIRE_WEAK_PASSWORD:
        return "The password is too easy to guess.";
    case WIRE_NAME_TAKEN:
        return "An account with this name exists already.";
    case WIRE_BAD_NAME:
        return "User names have 1 to 64 lower-case letters, digits, dots, hyphens and underscores, and begin "
               "with a letter or digit.";
    case WIRE_BAD_EMAIL:
        return "This does not look like an e-mail address.";
    case WIRE_BAD_DISPLAY_NAME:
        return "Display names have at most 128 bytes of text.";
    case WIRE_BAD_GROUPS:
        return "Groups are named like users; all of an account's together have at most 512 bytes.";
    case WIRE_REGISTRATION_CLOSED:
        return "Registration is closed in the configuration.";
    case WIRE_NOT_FOUND:
        return "There is nothing with this name.";
    case WIRE_BAD_REQUEST:
        return "A value is too long, or not what it should be.";
    case WIRE_LAST_ADMINISTRATOR:
        return "This would leave no enabled administrator. Put somebody else into the group "
               "\"" WIRE_ADMIN_GROUP "\" first.";
    case WIRE_STORE_DOWN:
        return "The database can't be reached.";
    case WIRE_STORE_FULL:
        return "The disk is full: nothing was changed. Free some space.";
    case WIRE_STORE_BUSY:
        return "The database has too much to do right now.";
    case WIRE_HASH_BUSY:
        return "Too many passwords are being checked right now.";
    case WIRE_HASH_DOWN:
        return "The process that hashes passwords is being started again.";
    case WIRE_KEY_DOWN:
        return "The process that holds the keys is being started again.";
    case WIRE_BUSY:
        return "stayd is busy.";
    case WIRE_STARTING:
        return "stayd is starting.";
    case WIRE_DRAINING:
        return "stayd is stopping.";
    case WIRE_REASON_NONE:
    case WIRE_BAD_INVITE:
    case WIRE_NOT_SIGNED_IN:
    case WIRE_FORBIDDEN:
    case WIRE_BAD_SETUP_TOKEN:
    case WIRE_REASON_END:
        break;
    }
    return NULL;
}

static void say_reason(const struct wire_reply *reply, const char *hint)
{
    const char *sentence = reason_sentence((enum wire_reason)reply->reason);
    fputs("stayctl: ", stderr);
    if (reply->detail.size > 0) {
        text_print(stderr, reply->detail, 0);
    } else if (sentence != NULL) {
        fputs(sentence, stderr);
    } else {
        fprintf(stderr, "Refused: %s.", wire_reason_name((enum wire_reason)reply->reason));
    }
    fprintf(stderr, "%s\n", hint);
}

int cli_explain(const struct client *client, enum client_result result, const struct wire_reply *reply)
{
    char hint[64] = " Try again.";
    (void)client;
    if (result == CLIENT_GRANTED) {
        return CLI_DONE;
    }
    if (result == CLIENT_REFUSED) {
        say_reason(reply, "");
        return CLI_REFUSED;
    }
    if (result == CLIENT_UNAVAILABLE) {
        if (reply->retry_after_s > 0) {
            snprintf(hint, sizeof(hint), " Try again in %u second%s.", reply->retry_after_s,
                     reply->retry_after_s == 1 ? "" : "s");
        }
        say_reason(reply, hint);
        return CLI_UNAVAILABLE;
    }
    cli_say(
        result == CLIENT_SILENT
            ? "No answer from stayd's core: it is unknown whether this was done. Look before trying again."
            : "stayd's core ended the connection: it is unknown whether this was done. Look before trying "
              "again.");
    return CLI_UNAVAILABLE;
}
