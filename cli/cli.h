// SPDX-License-Identifier: ISC
// What every command of stayctl gets: its arguments, where stayd's data is, and the way to core.
// Owns: the client's connection. Bounds: paths of CLI_PATH_MAX.
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/config.h"

// Exit codes, a promise to scripts.
enum cli_exit {
    CLI_DONE = 0,
    CLI_REFUSED = 1, // refused, not found, or failed here
    CLI_USAGE = 2,
    CLI_UNAVAILABLE = 3, // stayd does not run, or is short of something: try again
};

struct cli {
    const struct arguments *arguments;
    struct cli_config config;
    struct client client;
    bool json;
};

// Every command is one function: it prints, and returns an exit code.
int user_add(struct cli *cli);
int user_set(struct cli *cli);
int user_list(struct cli *cli);
int user_show(struct cli *cli);
int user_disable(struct cli *cli);
int user_enable(struct cli *cli);
int user_password(struct cli *cli);
int user_invite(struct cli *cli);
int user_delete(struct cli *cli);
int user_import(struct cli *cli);
int user_export(struct cli *cli);
int session_list(struct cli *cli);
int session_end(struct cli *cli);
int audit_list(struct cli *cli);
int store_backup(struct cli *cli);
int store_check_db(struct cli *cli);
int store_restore(struct cli *cli);
int incident_list(struct cli *cli);
int incident_show(struct cli *cli);
int incident_postmortem(struct cli *cli);
int incident_done(struct cli *cli);
int server_why(struct cli *cli);
int server_status(struct cli *cli);
int live_top(struct cli *cli);
int quarterly_review(struct cli *cli);
int load_storm(struct cli *cli);
int compare_storms(struct cli *cli);
int drill_play(struct cli *cli);
int program_version(struct cli *cli);

// Finds the configuration; CLI_DONE, or says why not.
[[nodiscard]] int cli_configure(struct cli *cli);
// Also connects to core. Once; released by main.
[[nodiscard]] int cli_connect(struct cli *cli);
// Prints why an answer is not a grant, and what to do. Returns the exit code.
[[nodiscard]] int cli_explain(const struct client *client, enum client_result result,
                              const struct wire_reply *reply);
// "stayctl: …" on standard error.
[[gnu::format(printf, 1, 2)]] void cli_say(const char *format, ...);

#endif
