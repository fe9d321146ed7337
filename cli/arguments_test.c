// SPDX-License-Identifier: ISC
// The command line: where options may stand, what is refused and with which words, and that every row of the
// table of commands has its help.
#include "cli/arguments.h"

#include "cli/cli.h"
#include "cli/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct arguments arguments;

// The words are separated by single spaces.
static bool reads(const char *line)
{
    static char copy[512];
    char *argv[32];
    int count = 0;
    assert_true(view_to_cstr(view_of_cstr(line), copy, sizeof(copy)));
    for (char *at = copy; *at != '\0' && count < 32;) {
        argv[count++] = at;
        at += strcspn(at, " ");
        if (*at == ' ') {
            *at++ = '\0';
        }
    }
    return arguments_read(&arguments, count, argv);
}

static void options_stand_anywhere(void **unused)
{
    (void)unused;
    static const char *const lines[] = {
        "user show alice --json -c x.conf",       "--json -c x.conf user show alice",
        "user --json show --config x.conf alice", "user show --json --config=x.conf alice",
        "-cx.conf user show --json -- alice",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_true(reads(lines[i]));
        assert_ptr_equal(arguments.command->run, user_show);
        assert_true(arguments_has(&arguments, CLI_json));
        assert_string_equal(arguments.value[CLI_config], "x.conf");
        assert_int_equal(arguments.operands, 1);
        assert_string_equal(arguments.operand[0], "alice");
    }
}

static void two_dashes_end_the_options(void **unused)
{
    (void)unused;
    assert_true(reads("user list -- --json"));
    assert_false(arguments_has(&arguments, CLI_json));
    assert_string_equal(arguments.operand[0], "--json");
    assert_true(reads("session end -cOka1nUp4wfJJHl30y5-w"));
    assert_string_equal(arguments.operand[0], "-cOka1nUp4wfJJHl30y5-w");
    assert_true(reads("user import -"));
    assert_string_equal(arguments.operand[0], "-");
}

static void groups_are_collected(void **unused)
{
    char joined[64];
    char narrow[10];
    (void)unused;
    assert_true(reads("user add bob --group staff --group=admins --no-password"));
    assert_int_equal(arguments.group.count, 2);
    assert_true(cli_values_join(&arguments.group, joined, sizeof(joined)));
    assert_string_equal(joined, "staff,admins");
    assert_false(cli_values_join(&arguments.group, narrow, sizeof(narrow)));
}

static void mistakes_are_named(void **unused)
{
    (void)unused;
    static const struct {
        const char *line;
        const char *said;
    } rows[] = {
        {"", "No command is given."},
        {"--json", "No command is given."},
        {"usr list", "usr is not a command. Did you mean user?"},
        {"user", "user needs to know what to do."},
        {"user lst", "user lst is not a command. Did you mean user list?"},
        {"user frobnicate", "user frobnicate is not a command."},
        {"statsu", "statsu is not a command. Did you mean status?"},
        {"user show", "It needs more words: NAME."},
        {"user show a b", "b is one word too many."},
        {"user show a b c d e f g", "d is one word too many."},
        {"user list --emial x", "--emial is not an option. Did you mean --email?"},
        {"user list -q", "-q is not an option."},
        {"user list --email x", "--email does not belong to this command."},
        {"user list --json=yes", "--json has no value."},
        {"user list --limit", "--limit needs a value: --limit N."},
        {"user add a --email x --email y", "--email is given twice."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_false(reads(rows[i].line));
        assert_string_equal(arguments.problem, rows[i].said);
    }
}

static void help_is_found_at_every_level(void **unused)
{
    (void)unused;
    assert_true(reads("--help"));
    assert_null(arguments.command);
    assert_null(arguments.topic);
    assert_true(reads("user --help"));
    assert_string_equal(arguments.topic, "user");
    assert_true(reads("help user"));
    assert_string_equal(arguments.topic, "user");
    assert_true(reads("user add -h"));
    assert_ptr_equal(arguments.command->run, user_add);
    assert_true(reads("help user add"));
    assert_ptr_equal(arguments.command->run, user_add);
    assert_true(arguments_has(&arguments, CLI_help));
}

static void every_command_has_help_with_an_example_that_it_understands(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < commands_count; i++) {
        char name[48];
        char text[8192];
        FILE *file = fmemopen(text, sizeof(text), "w");
        assert_non_null(file);
        command_help(file, &commands[i]);
        assert_int_equal(fclose(file), 0);
        command_name(&commands[i], name);
        assert_non_null(strstr(text, name));
        assert_non_null(strstr(text, "Examples:\n  "));
        assert_non_null(strstr(commands[i].examples, name));
        assert_int_equal(commands[i].options & CLI_GLOBAL, 0);
        assert_non_null(commands[i].run);
    }
}

static void numbers_have_bounds(void **unused)
{
    uint64_t number = 7;
    (void)unused;
    assert_true(reads("user invite"));
    assert_true(arguments_number(&arguments, CLI_days, 1, 365, &number));
    assert_int_equal(number, 7);
    assert_true(reads("user invite --days 30"));
    assert_true(arguments_number(&arguments, CLI_days, 1, 365, &number));
    assert_int_equal(number, 30);
    static const char *const wrong[] = {"user invite --days 0", "user invite --days 366",
                                        "user invite --days -1", "user invite --days 1d"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(reads(wrong[i]));
        assert_false(arguments_number(&arguments, CLI_days, 1, 365, &number));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(groups_are_collected),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(help_is_found_at_every_level),
        cmocka_unit_test(every_command_has_help_with_an_example_that_it_understands),
        cmocka_unit_test(numbers_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
