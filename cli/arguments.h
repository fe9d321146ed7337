// SPDX-License-Identifier: ISC
// The command line as data: which command, its operands, its options. Used by stayctl. Owns nothing: all text
// is argv's. Bounds: CLI_OPERANDS_MAX operands, CLI_GROUPS_MAX repetitions of --group and its kin.
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/bytes.h"

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
    X(limit, "limit", 0, "N", "at most so many")
// clang-format on

enum cli_option {
#define X(id, name, letter, value, help) CLI_##id,
    CLI_OPTIONS(X)
#undef X
        CLI_OPTION_COUNT
};

#define CLI_TAKES(id) (1u << CLI_##id)
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
    uint32_t given;                      // CLI_TAKES bits
    const char *value[CLI_OPTION_COUNT]; // the last one
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
