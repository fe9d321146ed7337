// SPDX-License-Identifier: ISC
// Writes man's and bash's view of the table of commands. Runs while stayd is built.
#include "cli/manual.h"

#include "cli/commands.h"

// Text for roff: nothing of it is a request or an escape.
static void put(FILE *out, const char *text)
{
    for (bool line_begins = true; *text != '\0'; text++) {
        if (line_begins && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '\'') {
            fputs("\\(aq", out);
        } else {
            fputc(*text, out);
        }
        line_begins = *text == '\n';
    }
}

static void put_options(FILE *out, uint64_t which)
{
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        const struct cli_option_row *option = &cli_options[i];
        if ((which >> i & 1) == 0) {
            continue;
        }
        fputs(".TP\n", out);
        if (option->letter != 0) {
            fprintf(out, "\\fB\\-%c\\fR, ", option->letter);
        }
        fputs("\\fB\\-\\-", out);
        put(out, option->name);
        fputs("\\fR", out);
        if (option->value != NULL) {
            fprintf(out, " \\fI%s\\fR", option->value);
        }
        fputc('\n', out);
        put(out, option->help);
        fputs(".\n", out);
    }
}

static void put_command(FILE *out, const struct command *command)
{
    char name[48];
    command_name(command, name);
    fprintf(out, ".SS %s %s\n", name, command->operands);
    put(out, command->summary);
    fputs(".\n", out);
    if (command->more != NULL) {
        put(out, command->more);
        fputc('\n', out);
    }
    put_options(out, command->options);
    fputs(".PP\n.nf\n.RS\n", out);
    put(out, command->examples);
    fputs(".RE\n.fi\n", out);
}

void manual_page(FILE *out)
{
    fputs(".\\\" SPDX-License-Identifier: ISC\n.TH STAYCTL 1\n.SH NAME\nstayctl \\- administer a stayd on "
          "this machine\n"
          ".SH SYNOPSIS\n.B stayctl\n.I command\n.RI [ options ]\n.SH DESCRIPTION\n"
          "stayctl speaks to the core of a running stayd over the socket\n.IR data_dir /run/core.sock,\n"
          "which only root and the user that stayd runs as may open.\nIt finds data_dir in stayd\\(aqs "
          "configuration.\n"
          ".SH OPTIONS\nUnderstood by every command, anywhere on the line:\n",
          out);
    put_options(out, CLI_GLOBAL);
    fputs(".SH COMMANDS\n", out);
    for (unsigned i = 0; i < commands_count; i++) {
        put_command(out, &commands[i]);
    }
    fputs(".SH EXIT STATUS\n.TP\n.B 0\nDone.\n.TP\n.B 1\nRefused, not found, or failed.\n.TP\n.B 2\n"
          "The command line is wrong.\n.TP\n.B 3\nstayd does not run or is short of something: try again.\n"
          ".SH ENVIRONMENT\n.TP\n.B STAYD_CONFIG\nThe configuration, where \\fB\\-c\\fR does not name it.\n"
          ".SH FILES\n.I ./var/stayd.conf\n.br\n.I /etc/stayd/stayd.conf\n",
          out);
}

static void put_words(FILE *out, const struct command *command)
{
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        if (((command->options | CLI_GLOBAL) >> i & 1) != 0) {
            fprintf(out, " --%s", cli_options[i].name);
        }
    }
}

// The verbs of a group, for its first command only: "" for the others.
static void put_verbs(FILE *out, unsigned first)
{
    const struct command *command = &commands[first];
    if (command->verb == NULL || (first > 0 && strcmp(commands[first - 1].group, command->group) == 0)) {
        return;
    }
    fprintf(out, "        %s) words=\"", command->group);
    for (unsigned i = first; i < commands_count && strcmp(commands[i].group, command->group) == 0; i++) {
        fprintf(out, "%s%s", i == first ? "" : " ", commands[i].verb);
    }
    fputs("\" ;;\n", out);
}

void manual_completion(FILE *out)
{
    fputs("# SPDX-License-Identifier: ISC\n# bash completion for stayctl\n_stayctl() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words\n"
          "    case $before in -c | --config) COMPREPLY=($(compgen -f -- \"$current\")); return ;; esac\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"help",
          out);
    for (unsigned i = 0; i < commands_count; i++) {
        if (i == 0 || strcmp(commands[i - 1].group, commands[i].group) != 0) {
            fprintf(out, " %s", commands[i].group);
        }
    }
    fputs("\"\n    elif [ \"$COMP_CWORD\" -eq 2 ]; then\n        case $before in\n", out);
    for (unsigned i = 0; i < commands_count; i++) {
        put_verbs(out, i);
    }
    fputs("        esac\n    fi\n    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]-}\" in\n", out);
    for (unsigned i = 0; i < commands_count; i++) {
        char name[48];
        command_name(&commands[i], name);
        fprintf(out, "    '%s'%s) words=\"${words-}", name, commands[i].verb == NULL ? "\\ *" : "");
        put_words(out, &commands[i]);
        fputs("\" ;;\n", out);
    }
    fputs("    esac\n    COMPREPLY=($(compgen -W \"${words-}\" -- \"$current\"))\n"
          "    case \"${COMP_WORDS[1]} ${COMP_WORDS[2]-}\" in\n"
          "    'backup '* | 'restore '* | 'user import') COMPREPLY+=($(compgen -f -- \"$current\")) ;;\n    "
          "esac\n"
          "}\ncomplete -o filenames -F _stayctl stayctl\n",
          out);
}
