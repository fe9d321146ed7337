// SPDX-License-Identifier: ISC
// stayctl why: what stayd-watch says, as it says it. Runs in stayctl.
#include "cli/why.h"

#include "cli/show.h"
#include "cli/watch_client.h"

#include <time.h>
#include <unistd.h>

enum { WHY_TIMEOUT_MS = 2000 }; // who asks why is in a hurry

static bool on_terminal(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

static bool wants_colours(void)
{
    const char *terminal = getenv("TERM");
    return on_terminal() && getenv("NO_COLOR") == NULL && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

static int print_json(const struct watch_answer *answer, size_t flags)
{
    json_t *verdict = json_loadb((const char *)answer->body.data, answer->body.size, 0, NULL);
    if (!json_is_object(verdict)) {
        json_decref(verdict);
        cli_say("stayd-watch's answer can't be read: it is of another version than this stayctl.");
        return CLI_UNAVAILABLE;
    }
    json_dumpf(verdict, stdout, flags | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(verdict);
    return CLI_DONE;
}

static int once(struct cli *cli, bool again)
{
    struct watch_answer answer;
    const char *path = cli->json ? "/why.json" : wants_colours() ? "/why?colours" : "/why";
    watch_answer_init(&answer);
    enum client_result result = watch_ask(&cli->config, "GET", path, WHY_TIMEOUT_MS, &answer);
    int code = CLI_DONE;
    if (again && on_terminal() && !cli->json) {
        fputs("\033[H\033[2J", stdout);
    }
    if (result != CLIENT_GRANTED || answer.status != 200) {
        code = why_from_outside(cli, result);
    } else if (cli->json) {
        code = print_json(&answer, again ? JSON_COMPACT : JSON_INDENT(2));
    } else {
        fwrite(answer.body.data, 1, answer.body.size, stdout);
    }
    fflush(stdout);
    watch_answer_release(&answer);
    return code;
}

static int go_on(struct cli *cli)
{
    for (;;) {
        (void)!once(cli, true);
        if (ferror(stdout)) {
            return CLI_REFUSED;
        }
        if (!on_terminal() && !cli->json) {
            putchar('\n');
        }
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    }
}

int server_why(struct cli *cli)
{
    const struct arguments *arguments = cli->arguments;
    bool again = arguments_has(arguments, CLI_watch);
    if (arguments->operands == 2 && strcmp(arguments->operand[0], "session") == 0 && !again) {
        return why_session(cli, arguments->operand[1]);
    }
    if (arguments->operands > 0) {
        cli_say("Ask \"stayctl why\", or \"stayctl why session ID\".");
        return CLI_USAGE;
    }
    int code = cli_configure(cli);
    if (code != CLI_DONE) {
        return code;
    }
    return again ? go_on(cli) : once(cli, false);
}
