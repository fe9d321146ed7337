// SPDX-License-Identifier: ISC
// Reads the command line by the tables of options and commands. Runs in stayctl.
// Options may stand anywhere, before the command too; "--" ends them. A name that is nearly right is answered
// with the right one, never taken for it.
#include "cli/arguments.h"

#include "cli/commands.h"

#include <assert.h>
#include <stdarg.h>

const struct cli_option_row cli_options[CLI_OPTION_COUNT] = {
#define X(id, name, letter, value, help) [CLI_##id] = {name, letter, value, help},
    CLI_OPTIONS(X)
#undef X
};

// What has been read so far: words are sorted into command and operands once all options are known.
struct reading {
    struct arguments *arguments;
    int count;
    char *const *argv;
    int at;
    const char *word[CLI_OPERANDS_MAX + 3];
    unsigned words;
};

[[gnu::format(printf, 2, 3)]] static bool problem(struct arguments *arguments, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(arguments->problem, sizeof(arguments->problem), format, list);
    va_end(list);
    return false;
}

// Levenshtein's distance of short words; large when one is too long.
static unsigned distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    unsigned row[LONGEST + 1];
    if (a_size > LONGEST || b_size > LONGEST) {
        return LONGEST;
    }
    for (unsigned j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_size; j++) {
            unsigned changed = diagonal + (a[i - 1] != b[j - 1]);
            unsigned shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = changed < shorter ? changed : shorter;
        }
    }
    return row[b_size];
}

const char *cli_nearest(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    unsigned least = strlen(word) < 4 ? 2 : 3;
    for (; *names != NULL; names++) {
        unsigned here = distance(word, *names);
        if (here < least || (strlen(word) >= 3 && strncmp(*names, word, strlen(word)) == 0)) {
            least = here < least ? here : least;
            nearest = *names;
        }
    }
    return nearest;
}

static bool unknown_option(struct arguments *arguments, const char *word, struct view name)
{
    const char *names[CLI_OPTION_COUNT + 1] = {0};
    char text[64];
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        names[i] = cli_options[i].name;
    }
    const char *nearest = view_to_cstr(name, text, sizeof(text)) ? cli_nearest(text, names) : NULL;
    return nearest == NULL ? problem(arguments, "%.64s is not an option.", word)
                           : problem(arguments, "%.64s is not an option. Did you mean --%s?", word, nearest);
}

static struct cli_values *values_of(struct arguments *arguments, enum cli_option option)
{
    return option == CLI_group          ? &arguments->group
           : option == CLI_add_group    ? &arguments->add_group
           : option == CLI_remove_group ? &arguments->remove_group
                                        : NULL;
}

static bool keep_value(struct arguments *arguments, enum cli_option option, const char *value)
{
    struct cli_values *values = values_of(arguments, option);
    if (values != NULL) {
        if (values->count == CLI_GROUPS_MAX) {
            return problem(arguments, "--%s is given more than %d times.", cli_options[option].name,
                           CLI_GROUPS_MAX);
        }
        values->value[values->count++] = value;
    } else if (arguments_has(arguments, option) && cli_options[option].value != NULL) {
        return problem(arguments, "--%s is given twice.", cli_options[option].name);
    }
    arguments->given |= (uint64_t)1 << option;
    arguments->value[option] = value;
    return true;
}

// `inline_value`: what stands after '=' or after the letter, or NULL.
static bool take_option(struct reading *reading, enum cli_option option, const char *inline_value)
{
    const struct cli_option_row *row = &cli_options[option];
    if (row->value == NULL) {
        return inline_value == NULL ? keep_value(reading->arguments, option, "")
                                    : problem(reading->arguments, "--%s has no value.", row->name);
    }
    if (inline_value == NULL && reading->at + 1 >= reading->count) {
        return problem(reading->arguments, "--%s needs a value: --%s %s.", row->name, row->name, row->value);
    }
    return keep_value(reading->arguments, option,
                      inline_value != NULL ? inline_value : reading->argv[++reading->at]);
}

// A session's ID is random text that may begin with '-', and is no option then.
static bool is_session_id(const char *word)
{
    struct id16 id;
    return base64url_decode(view_of_cstr(word), id.byte, sizeof(id.byte));
}

static bool take_long(struct reading *reading, const char *word)
{
    struct view name = view_of_cstr(word + 2);
    const char *equals = strchr(word, '=');
    if (equals != NULL) {
        name = view_of(word + 2, (size_t)(equals - word) - 2);
    }
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        if (view_equal(name, view_of_cstr(cli_options[i].name))) {
            return take_option(reading, (enum cli_option)i, equals == NULL ? NULL : equals + 1);
        }
    }
    return unknown_option(reading->arguments, word, name);
}

static bool take_short(struct reading *reading, const char *word)
{
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        if (cli_options[i].letter != 0 && cli_options[i].letter == word[1]) {
            return take_option(reading, (enum cli_option)i, word[2] == '\0' ? NULL : word + 2);
        }
    }
    return unknown_option(reading->arguments, word, view_of_cstr(word + 1));
}

static bool take_all(struct reading *reading)
{
    bool options_over = false;
    for (reading->at = 0; reading->at < reading->count; reading->at++) {
        const char *word = reading->argv[reading->at];
        bool option = !options_over && word[0] == '-' && word[1] != '\0' && !is_session_id(word);
        if (option && strcmp(word, "--") == 0) {
            options_over = true;
        } else if (option) {
            if (word[1] == '-' ? !take_long(reading, word) : !take_short(reading, word)) {
                return false;
            }
        } else if (reading->words == sizeof(reading->word) / sizeof(reading->word[0])) {
            return problem(reading->arguments, "%.64s is one word too many.", word);
        } else {
            reading->word[reading->words++] = word;
        }
    }
    return true;
}

static bool unknown_word(struct arguments *arguments, const char *group, const char *word)
{
    const char *names[64] = {0};
    unsigned count = 0;
    for (unsigned i = 0; i < commands_count && count + 1 < sizeof(names) / sizeof(names[0]); i++) {
        if (group == NULL) {
            names[count++] = commands[i].group;
        } else if (strcmp(commands[i].group, group) == 0) {
            names[count++] = commands[i].verb;
        }
    }
    const char *nearest = cli_nearest(word, names);
    const char *space = group == NULL ? "" : " ";
    group = group == NULL ? "" : group;
    return nearest == NULL ? problem(arguments, "%s%s%.64s is not a command.", group, space, word)
                           : problem(arguments, "%s%s%.64s is not a command. Did you mean %s%s%s?", group,
                                     space, word, group, space, nearest);
}

// The first words name the command; the rest are its operands.
static bool find_command(struct reading *reading)
{
    struct arguments *arguments = reading->arguments;
    unsigned first = 0;
    bool is_group;
    if (reading->words > 0 && strcmp(reading->word[0], "help") == 0) {
        arguments->given |= CLI_TAKES(help);
        first = 1;
    }
    if (first == reading->words) {
        return arguments_has(arguments, CLI_help) || problem(arguments, "No command is given.");
    }
    const char *group = reading->word[first];
    const char *verb = first + 1 < reading->words ? reading->word[first + 1] : NULL;
    arguments->command = commands_find(group, verb, &is_group);
    if (arguments->command == NULL && is_group) {
        arguments->topic = group;
        return verb != NULL ? unknown_word(arguments, group, verb)
                            : arguments_has(arguments, CLI_help) ||
                                  problem(arguments, "%s needs to know what to do.", group);
    }
    if (arguments->command == NULL) {
        return unknown_word(arguments, NULL, group);
    }
    for (unsigned i = first + (is_group ? 2 : 1); i < reading->words; i++) {
        if (arguments->operands > CLI_OPERANDS_MAX) {
            return problem(arguments, "%.64s is one word too many.", reading->word[i]);
        }
        arguments->operand[arguments->operands++] = reading->word[i];
    }
    return true;
}

static bool fits(struct arguments *arguments)
{
    const struct command *command = arguments->command;
    if (command == NULL || arguments_has(arguments, CLI_help)) {
        return true;
    }
    for (unsigned i = 0; i < CLI_OPTION_COUNT; i++) {
        if ((arguments->given & ~(command->options | CLI_GLOBAL)) >> i & 1) {
            return problem(arguments, "--%s does not belong to this command.", cli_options[i].name);
        }
    }
    if (arguments->operands > command->operands_max) {
        return problem(arguments, "%.64s is one word too many.", arguments->operand[command->operands_max]);
    }
    return arguments->operands >= command->operands_min ||
           problem(arguments, "It needs more words: %s.", command->operands);
}

bool arguments_read(struct arguments *arguments, int count, char *const *argv)
{
    struct reading reading = {.arguments = arguments, .count = count, .argv = argv};
    *arguments = (struct arguments){0};
    return take_all(&reading) && find_command(&reading) && fits(arguments);
}

bool arguments_number(const struct arguments *arguments, enum cli_option option, uint64_t least,
                      uint64_t most, uint64_t *number)
{
    uint64_t value;
    if (!arguments_has(arguments, option)) {
        return true;
    }
    if (!view_to_u64(view_of_cstr(arguments->value[option]), &value) || value < least || value > most) {
        return false;
    }
    *number = value;
    return true;
}

bool cli_values_join(const struct cli_values *values, char *out, size_t out_size)
{
    size_t size = 0;
    assert(out_size > 0);
    for (unsigned i = 0; i < values->count; i++) {
        size_t more = strlen(values->value[i]);
        if (size + more + 2 > out_size) {
            return false;
        }
        if (i > 0) {
            out[size++] = ',';
        }
        memcpy(out + size, values->value[i], more);
        size += more;
    }
    out[size] = '\0';
    return true;
}
