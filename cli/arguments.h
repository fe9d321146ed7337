// SPDX-License-Identifier: ISC
// The command line as data: which command, its operands, its options. Used by stayctl. Owns nothing: all text
// is argv's. Bounds: CLI_OPERANDS_MAX operands, CLI_GROUPS_MAX repetitions of --group and its kin.
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/bytes.h"

#include <assert.h>

enum { CLI_OPERANDS_MAX = 2, CLI_GROUPS_MAX = 32, CLI_PROBLEM_SIZE = 256 };

// Options: identifier, long name, short letter or 0, what its value is (NULL: it has none), help.
// clang-format off
#define CLI_OPTIONS(X) \
    X(config, "config", 'c', "FILE", "stayd's configuration (else $STAYD_CONFIG, ./var/stayd.conf, /etc/stayd/stayd.conf)") \
    X(json, "json", 0, NULL, "print JSON") \
    X(help, "help", 'h', NULL, "explain the command") \
    X(email, "email", 0, "ADDRESS", "e-mail address; counts as verified, since an administrator says so") \
    X(display_name, "display-name", 0, "NAME", "the name that people see") \
    X(group, "group", 0, "GROUP", "a group; may be given several times") \
    X(add_group, "add-group", 0, "GROUP", "put into a group, keeping the others; may be given several times") \
    X(remove_group, "remove-group", 0, "GROUP", "take out of a group; may be given several times") \
    X(no_groups, "no-groups", 0, NULL, "take out of all groups") \
    X(password_stdin, "password-stdin", 0, NULL, "read the password from standard input, one line") \
    X(no_password, "no-password", 0, NULL, "without a password: nobody can log in until one is set") \
    X(days, "days", 0, "N", "how long the invitation holds (default 7)") \
    X(yes, "yes", 'y', NULL, "do not ask") \
    X(user, "user", 0, "NAME", "only this account") \
    X(all, "all", 0, NULL, "all of that account's sessions") \
    X(event, "event", 0, "EVENT", "only this kind of event, as in the list: login, logout, ...") \
    X(since, "since", 0, "WHEN", "not before: 2026-11-20, 2026-11-20T10:00, or 30m, 12h, 7d ago") \
    X(limit, "limit", 0, "N", "at most so many") \
    X(rate, "rate", 0, "N", "requests a second in all (default 100)") \
    X(mix, "mix", 0, "LIST", "shares of the rate: check=90,login=10 (the default), change, register; without a rate: a second") \
    X(duration, "duration", 0, "TIME", "how long, as 30s or 5m (storm: default 10s; drill: how long the fault lasts)") \
    X(steps, "steps", 0, "RATES", "instead of a rate: 100,200,400, each for an equal part of the duration") \
    X(ramp, "ramp", 0, "FROM-TO", "instead of a rate: from one to the other over the duration") \
    X(spike, "spike", 0, "LIST", "x10@20s+5s, 5000@20s+5s or login:x10@20s+5s: how much, from when, for how long") \
    X(uniform, "uniform", 0, NULL, "evenly spaced arrivals instead of Poisson's") \
    X(users, "users", 0, "N", "accounts to act for (default 50)") \
    X(names, "names", 0, "PATTERN", "their names, {} being the number (default storm-{})") \
    X(password_file, "password-file", 0, "FILE", "its first line is the password of all of them") \
    X(accounts, "accounts", 0, "FILE|N", "storm: instead, lines \"NAME PASSWORD\"; drill: accounts in the database (default 1000000)") \
    X(sessions, "sessions", 0, "FILE", "instead: lines \"NAME TOKEN\", sessions that are live already") \
    X(prepare, "prepare", 0, NULL, "register the accounts first; those that are there are only logged in") \
    X(signed_in, "signed-in", 0, "N", "log so many of them in first, for checks and changes (default 50)") \
    X(sources, "sources", 0, "N", "source addresses in 127.0.0.0/8 (default 16)") \
    X(connections, "connections", 0, "N", "at most so many connections (default 1000)") \
    X(retries, "retries", 0, "HOW", "none (the default), polite[:N] (honours Retry-After), rude[:N] (at once)") \
    X(deadline, "deadline", 0, "TIMES", "later answers are late: 1s (the default) or check=50ms,login=2s") \
    X(timeout, "timeout", 0, "TIME", "without an answer by then it failed (default 10s)") \
    X(seed, "seed", 0, "N", "the same seed makes the same arrivals (default 1)") \
    X(first_source, "first-source", 0, "N", "begin with the Nth of those addresses, for a second storm beside one") \
    X(scenario, "scenario", 0, "FILE", "instead of rates: lines \"phase 30s check=200 login=5\", login=x10, check=1-9") \
    X(replay, "replay", 0, "FILE", "instead of rates: a recorded day, CSV or JSON lines of time and rates") \
    X(speed, "speed", 0, "F", "so many times faster than it was recorded (default 1)") \
    X(worse_by, "worse-by", 0, "N%", "how much worse a figure may be (default 10%)") \
    X(log, "log", 0, "FILE", "write each attempt into it, a line of CSV each") \
    X(sqlite, "sqlite", 0, NULL, "without PostgreSQL") \
    X(cache, "cache", 0, "DIR", "where databases for drills, and what drills leave, are kept") \
    X(junit, "junit", 0, "FILE", "write the result for a CI") \
    X(blind, "blind", 0, NULL, "a random one: you name the cause, then see how stayd did") \
    X(fast, "fast", 0, NULL, "shorter times") \
    X(load, "load", 0, "F", "times the usual, or the recorded, load (default 1)") \
    X(strength, "strength", 0, "F", "times the usual strength of the fault (default 1)") \
    X(once, "once", 0, NULL, "one screen, then end") \
    X(interval, "interval", 0, "TIME", "draw again so often, as 500ms or 5s (default 1s)") \
    X(watch, "watch", 'w', NULL, "go on, every second") \
    X(actions, "actions", 0, NULL, "the action items that are not done yet") \
    X(own_server, "i-own-this-server", 0, NULL, "let the target be another machine")
// clang-format on

enum cli_option {
#define X(id, name, letter, value, help) CLI_##id,
    CLI_OPTIONS(X)
#undef X
        CLI_OPTION_COUNT
};

static_assert(CLI_OPTION_COUNT <= 64, "a set of options is one word");

#define CLI_TAKES(id) ((uint64_t)1 << CLI_##id)
// Understood by every command.
#define CLI_GLOBAL (CLI_TAKES(config) | CLI_TAKES(json) | CLI_TAKES(help))

struct cli_option_row {
    const char *name;
    char letter;
    const char *value; // NULL: none
    const char *help;
};
extern const struct cli_option_row cli_options[CLI_OPTION_COUNT];

struct command; // cli/commands.h

// A list of values, for options that may be repeated.
struct cli_values {
    const char *value[CLI_GROUPS_MAX];
    unsigned count;
};

struct arguments {
    const struct command *command;       // NULL: none was named
    const char *topic;                   // of help without a command: "user" or NULL
    uint64_t given;                      // CLI_TAKES bits
    const char *value[CLI_OPTION_COUNT]; // the last one; NULL: not given
    struct cli_values group, add_group, remove_group;
    const char *operand[CLI_OPERANDS_MAX + 1];
    unsigned operands;
    char problem[CLI_PROBLEM_SIZE]; // after a failure: one sentence
};

// Reads argv (without the program's name). False: `problem` says what is wrong and `command` is the command
// as far as it was understood.
[[nodiscard]] bool arguments_read(struct arguments *arguments, int count, char *const *argv);

static inline bool arguments_has(const struct arguments *arguments, enum cli_option option)
{
    return (arguments->given >> option & 1) != 0;
}
// A whole number from `least` to `most`; false when the option is given and is none. *number keeps its value
// when the option is absent.
[[nodiscard]] bool arguments_number(const struct arguments *arguments, enum cli_option option, uint64_t least,
                                    uint64_t most, uint64_t *number);
// Joined by commas; false when it does not fit.
[[nodiscard]] bool cli_values_join(const struct cli_values *values, char *out, size_t out_size);
// The one of `names` (ended by NULL) that looks most like `word`, or NULL when none does.
const char *cli_nearest(const char *word, const char *const *names);

#endif
