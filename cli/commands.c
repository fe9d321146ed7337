// SPDX-License-Identifier: ISC
// All commands, and their help. Runs in stayctl.
#include "cli/commands.h"

#include "cli/cli.h"

#define T(id) CLI_TAKES(id)

const struct command commands[] = {
    {"user", "add", "NAME", 1, 1, T(email) | T(display_name) | T(group) | T(password_stdin) | T(no_password),
     user_add, "make an account",
     "The password is asked for twice on a terminal, or read from standard input.\n"
     "Members of the group \"admins\" administer stayd.",
     "stayctl user add alice --email alice@example.org\n"
     "stayctl user add bob --email bob@example.org --group staff --group admins\n"
     "pwgen 20 1 | tee bob.txt | stayctl user add bob --email bob@example.org --password-stdin\n"},
    {"user", "set", "NAME", 1, 1,
     T(email) | T(display_name) | T(group) | T(add_group) | T(remove_group) | T(no_groups), user_set,
     "change an account",
     "--group names all groups the account is to be in; --add-group and --remove-group keep the others.",
     "stayctl user set alice --display-name 'Alice Arnold'\n"
     "stayctl user set alice --add-group admins\n"
     "stayctl user set alice --group staff --group press\n"},
    {"user", "list", "[TEXT]", 0, 1, T(limit), user_list, "list accounts",
     "With TEXT only those whose name, display name or e-mail address contains it.",
     "stayctl user list\n"
     "stayctl user list example.org\n"
     "stayctl user list --json | jq -r '.[] | select(.disabled) | .name'\n"},
    {"user", "show", "NAME", 1, 1, 0, user_show, "show one account", NULL,
     "stayctl user show alice\n"
     "stayctl user show alice --json | jq .groups\n"},
    {"user", "disable", "NAME", 1, 1, 0, user_disable, "lock an account and end its sessions",
     "The sessions end at once, everywhere. Nothing is deleted.", "stayctl user disable alice\n"},
    {"user", "enable", "NAME", 1, 1, 0, user_enable, "let an account log in again", NULL,
     "stayctl user enable alice\n"},
    {"user", "password", "NAME", 1, 1, T(password_stdin), user_password,
     "set an account's password and end its sessions",
     "The password is asked for twice on a terminal, or read from standard input.",
     "stayctl user password alice\n"
     "pwgen 20 1 | tee alice.txt | stayctl user password alice --password-stdin\n"},
    {"user", "invite", "", 0, 0, T(group) | T(days), user_invite,
     "print a link with which one person can register",
     "The link holds for 7 days, and for one account. Who registers with it is put into the groups named.",
     "stayctl user invite\n"
     "stayctl user invite --group staff --days 2\n"},
    {"user", "delete", "NAME", 1, 1, T(yes), user_delete, "delete an account and end its sessions",
     "There is no way back but a backup. \"user disable\" keeps the account.",
     "stayctl user delete alice\n"
     "stayctl user delete alice --yes\n"},
    {"user", "import", "FILE", 1, 1, 0, user_import, "make accounts from a file of JSON lines",
     "One object a line: name, and optionally display_name, email, groups (a list), disabled, password.\n"
     "What \"user export\" writes can be read again. A line that is refused is reported, the others are "
     "done.\n"
     "FILE may be - for standard input.",
     "stayctl user import accounts.jsonl\n"
     "echo '{\"name\":\"alice\",\"email\":\"alice@example.org\"}' | stayctl user import -\n"},
    {"user", "export", "", 0, 0, 0, user_export, "write all accounts as JSON lines",
     "Without passwords, which leave stayd only inside \"stayctl backup\".",
     "stayctl user export > accounts.jsonl\n"},
    {"session", "list", "NAME", 1, 1, 0, session_list, "list an account's sessions", NULL,
     "stayctl session list alice\n"},
    {"session", "end", "[ID]", 0, 1, T(user) | T(all), session_end, "end a session, or all of an account",
     "ID is as in \"session list\".",
     "stayctl session end vOka1nUp4wfJJHl30y5-sg\n"
     "stayctl session end --user alice --all\n"},
    {"audit", "list", "", 0, 0, T(user) | T(event) | T(since) | T(limit), audit_list,
     "list security events, newest first", "Without --limit the newest 100; --limit 0 lists all.",
     "stayctl audit list --user alice --since 7d\n"
     "stayctl audit list --event login --since 2026-11-20T08:00 --limit 20\n"
     "stayctl audit list --since 1h --limit 0 --json | jq length\n"},
    {"backup", NULL, "FILE", 1, 1, 0, store_backup, "write a consistent copy of everything",
     "stayd goes on serving. The copy holds the accounts, the sessions and the keys: keep it as secret as "
     "them.",
     "stayctl backup /var/backups/stayd-$(date +%F).db\n"},
    {"restore", NULL, "FILE", 1, 1, T(yes), store_restore, "put a backup in place of what is there",
     "stayd must be stopped.",
     "systemctl stop stayd && stayctl restore /var/backups/stayd-2026-11-20.db && systemctl start stayd\n"},
    {"check-db", NULL, "", 0, 0, 0, store_check_db, "look whether the database is as stayd needs it",
     "What a start of this stayd would change; which indexes are missing, with the statement that makes "
     "each;\nand whether every statement finds its rows by the index it should. It changes nothing, and may "
     "be "
     "run\nwhile stayd serves. Exit code 1: something is slow, missing or in the way.",
     "stayctl check-db\n"
     "stayctl check-db --json | jq '.statements[] | select(.holds | not)'\n"},
    {"why", NULL, "[session ID]", 0, 2, T(watch), server_why,
     "say what is wrong and why, or what became of one session",
     "The verdict in one sentence, then what it rests on: the cause with its figures, where the time of a\n"
     "request goes, load against service time, what stayd has done by itself, what to do now, and what was\n"
     "ruled out by which figure. stayd-watch answers, also while core or the database hang. When it does "
     "not\n"
     "answer itself: what can be seen from outside; exit code 3.\n"
     "\"why session ID\" tells the life of one session: which log-in made it, when it was last seen, and "
     "what\n"
     "ended it, or why it is refused. ID is as in \"session list\".",
     "stayctl why\n"
     "stayctl why --watch\n"
     "stayctl why --json | jq -r '.causes[].cause'\n"
     "stayctl why session vOka1nUp4wfJJHl30y5-sg\n"},
    {"incident", "list", "", 0, 0, T(actions), incident_list, "list incidents, or their open action items",
     "Incidents are opened and closed by stayd-watch, which answers, also while core is away. Below them\n"
     "stand the records of crashes. With --actions: what is still to be done, until \"incident done\".",
     "stayctl incident list\n"
     "stayctl incident list --actions\n"
     "stayctl incident list --json | jq -r '.incidents[] | select(.state == \"open\") | .id'\n"},
    {"incident", "show", "ID", 1, 1, 0, incident_show, "print an incident, or a record of a crash",
     "ID is as in \"incident list\".",
     "stayctl incident show 20261121T050102Z\n"
     "stayctl incident show 20261121T050102Z --json | jq .impact\n"
     "stayctl incident show crash-20261120T230410Z-stayd-front-0-4711.log\n"},
    {"incident", "postmortem", "ID", 1, 1, 0, incident_postmortem,
     "print the draft of an incident's postmortem",
     "Markdown, on standard output. Everything that stayd knows stands in it; \"To fill in\" marks the rest.",
     "stayctl incident postmortem 20261121T050102Z > postmortem.md\n"},
    {"incident", "done", "ID N", 2, 2, 0, incident_done, "mark an action item as done",
     "N is as in \"incident list --actions\".", "stayctl incident done 20261121T050102Z 2\n"},
    {"status", NULL, "", 0, 0, 0, server_status, "say whether stayd works, and what it holds", NULL,
     "stayctl status\n"
     "stayctl status --json | jq .sessions\n"},
    {"top", NULL, "", 0, 0, T(once) | T(interval), live_top, "show what goes on now, drawn again each second",
     "Rates and times by class of request, where the time goes, how full everything is, processes, and what\n"
     "is wrong if something is. q quits. Without a terminal one screen is printed. NO_COLOR is honoured.",
     "stayctl top\n"
     "stayctl top --interval 5s\n"
     "stayctl top --once | head -8\n"
     "stayctl top --json | jq .classes.login\n"},
    {"review", NULL, "", 0, 0, 0, quarterly_review,
     "look back on the last weeks: capacity, headroom, what to change",
     "How many log-ins, checks, connections and sessions this machine bears, by what was measured on it; "
     "how\n"
     "much of that the busiest minutes of the last five weeks took; what is full first; statements, caches,\n"
     "incidents and open actions. It changes nothing.",
     "stayctl review\n"
     "stayctl review --json | jq '.capacity[] | {what, headroom}'\n"},
    {"storm", NULL, "URL", 1, 1,
     T(rate) | T(mix) | T(duration) | T(steps) | T(ramp) | T(spike) | T(uniform) | T(users) | T(names) |
         T(password_file) | T(accounts) | T(sessions) | T(prepare) | T(signed_in) | T(sources) |
         T(connections) | T(retries) | T(deadline) | T(timeout) | T(seed) | T(own_server) | T(log) |
         T(first_source) | T(scenario) | T(replay) | T(speed) | T(load),
     load_storm, "put a load on a stayd and say how it bears it",
     "Requests are sent when they are due, however slow the answers are (an open model), and their times\n"
     "count from when they were due. The target must be on this machine's loopback.\n"
     "A check asks /auth/check and compares the name; a login opens a session; a change ends all other\n"
     "sessions of an account (a change without a password hash, as a refresh is); a register makes an "
     "account.\n"
     "Accounts and sessions that a storm made stay. stayd counts connections by address: many need "
     "--sources.",
     "stayctl storm http://127.0.0.1:8080 --prepare --rate 200\n"
     "stayctl storm http://127.0.0.1:8080 --prepare --users 500 --mix check=1000,login=20 --duration 1m\n"
     "stayctl storm http://127.0.0.1:8080 --prepare --rate 100 --duration 1m --spike login:x10@20s+10s\n"
     "stayctl storm http://127.0.0.1:8080 --accounts people.txt --steps 50,100,200,400 --retries polite\n"
     "stayctl storm http://127.0.0.1:8080 --prepare --ramp 100-5000 --mix check=1 --json | jq "
     ".classes.check.ok\n"},
    {"storm", "compare", "BEFORE AFTER", 2, 2, T(worse_by), compare_storms,
     "say what is worse in one storm than in another",
     "BEFORE and AFTER are files that \"storm --json\" wrote. Exit code 1: a figure is worse by more than "
     "--worse-by.",
     "stayctl storm compare last-week.json today.json\n"
     "stayctl storm compare last-week.json today.json --worse-by 25% --json\n"},
    {"drill", NULL, "NAME", 0, 1,
     T(seed) | T(sqlite) | T(accounts) | T(cache) | T(junit) | T(blind) | T(fast) | T(load) | T(strength) |
         T(duration),
     drill_play, "replay an outage on a stage of its own and see what it does",
     "NAME is one of \"drill list\", two joined by + for both at once, or all for the five outages. An own "
     "stayd and\n"
     "an own PostgreSQL in a temporary folder are put under load, the fault is injected by real means, and "
     "what it\n"
     "did to people is measured, beside what stayd found out by itself. Your own stayd is not touched. The "
     "first\n"
     "run builds a database of 1,000,000 accounts and keeps it. Exit code 1: a bar was missed.",
     "stayctl drill slow-query\n"
     "stayctl drill crash --sqlite --json\n"
     "stayctl drill all --seed 7 --junit drills.xml\n"
     "stayctl drill --blind\n"
     "stayctl drill list\n"},
    {"version", NULL, "", 0, 0, 0, program_version, "print the version of stayctl, and of stayd if it runs",
     NULL, "stayctl version\n"},
};
const unsigned commands_count = sizeof(commands) / sizeof(commands[0]);

const struct command *commands_find(const char *group, const char *verb, bool *is_group)
{
    const struct command *alone = NULL; // the group's name is a command, too
    *is_group = false;
    for (unsigned i = 0; i < commands_count; i++) {
        if (strcmp(commands[i].group, group) != 0) {
            continue;
        }
        if (commands[i].verb == NULL) {
            alone = &commands[i];
        } else if (verb != NULL && strcmp(commands[i].verb, verb) == 0) {
            *is_group = true;
            return &commands[i];
        }
        *is_group = alone == NULL;
    }
    return alone;
}

void command_name(const struct command *command, char out[static 48])
{
    snprintf(out, 48, "%s%s%s", command->group, command->verb == NULL ? "" : " ",
             command->verb == NULL ? "" : command->verb);
}

static void summary_line(FILE *out, const struct command *command)
{
    char name[48];
    char usage[96];
    command_name(command, name);
    snprintf(usage, sizeof(usage), "%s%s%s", name, command->operands[0] == '\0' ? "" : " ",
             command->operands);
    fprintf(out, "  %-21s %s\n", usage, command->summary);
}

static void option_line(FILE *out, const struct cli_option_row *option)
{
    char left[48];
    char letter[8] = "    ";
    if (option->letter != 0) {
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    }
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name, option->value == NULL ? "" : " ",
             option->value == NULL ? "" : option->value);
    fprintf(out, "  %-25s %s\n", left, option->help);
}

static void option_lines(FILE *out, uint64_t which)
{
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        if ((which >> i & 1) != 0) {
            option_line(out, &cli_options[i]);
        }
    }
}

static void exit_codes(FILE *out)
{
    fputs("\nExit codes: 0 done, 1 refused or not found, 2 usage, 3 unavailable (try again).\n", out);
}

void commands_help(FILE *out)
{
    fputs("stayctl administers a stayd on this machine.\n\nUsage: stayctl COMMAND [OPTIONS]\n\n", out);
    for (unsigned i = 0; i < commands_count; i++) {
        summary_line(out, &commands[i]);
    }
    fputs("\nWith every command:\n", out);
    option_lines(out, CLI_GLOBAL);
    fputs("\n\"stayctl help COMMAND\" explains one, with examples.\n", out);
    exit_codes(out);
}

void commands_help_group(FILE *out, const char *group)
{
    fprintf(out, "Usage: stayctl %s COMMAND [OPTIONS]\n\n", group);
    for (unsigned i = 0; i < commands_count; i++) {
        if (strcmp(commands[i].group, group) == 0) {
            summary_line(out, &commands[i]);
        }
    }
    fprintf(out, "\nExamples:\n");
    for (unsigned i = 0; i < commands_count; i++) {
        if (strcmp(commands[i].group, group) == 0) {
            struct view first = view_of_cstr(commands[i].examples);
            struct view line = view_cut(&first, '\n');
            fprintf(out, "  %.*s\n", (int)line.size, (const char *)line.data);
        }
    }
}

void command_help(FILE *out, const struct command *command)
{
    char name[48];
    struct view rest = view_of_cstr(command->examples);
    command_name(command, name);
    fprintf(out, "stayctl %s: %s.\n\nUsage: stayctl %s %s%s[OPTIONS]\n", name, command->summary, name,
            command->operands, command->operands[0] == '\0' ? "" : " ");
    if (command->more != NULL) {
        fprintf(out, "\n%s\n", command->more);
    }
    fputs("\nOptions:\n", out);
    option_lines(out, command->options);
    option_lines(out, CLI_GLOBAL);
    fputs("\nExamples:\n", out);
    while (rest.size > 0) {
        struct view line = view_cut(&rest, '\n');
        fprintf(out, "  %.*s\n", (int)line.size, (const char *)line.data);
    }
    exit_codes(out);
}
