// SPDX-License-Identifier: ISC
// The table of stayctl's commands and the help that is made from it. Used by stayctl. Owns nothing.
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/arguments.h"

#include <stdio.h>

struct cli; // cli/cli.h

struct command {
    const char *group;    // first word
    const char *verb;     // second word, or NULL when there is none
    const char *operands; // as in the usage line
    unsigned operands_min, operands_max;
    uint64_t options; // CLI_TAKES bits beside CLI_GLOBAL
    int (*run)(struct cli *cli);
    const char *summary;  // one line
    const char *more;     // further explanation, or NULL
    const char *examples; // lines, without the indent
};

extern const struct command commands[];
extern const unsigned commands_count;

// The command of these words; verb may be NULL. *is_group says that `group` names commands with verbs.
const struct command *commands_find(const char *group, const char *verb, bool *is_group);

void commands_help(FILE *out);                                         // all of them
void commands_help_group(FILE *out, const char *group);                // those of one group
void command_help(FILE *out, const struct command *command);           // one
void command_name(const struct command *command, char out[static 48]); // "user add"

#endif
