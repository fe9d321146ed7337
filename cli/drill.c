// SPDX-License-Identifier: ISC
// stayctl drill: reads what is asked for, runs drill/drill.h, shows what came of it. Runs in stayctl.
#include "cli/cli.h"

#include "base/clock.h"
#include "cli/show.h"
#include "drill/drill_report.h"
#include "drill/plan.h"

#include <math.h>
#include <poll.h>
#include <unistd.h>

enum {
    ACCOUNTS = 1000000,
    ACCOUNTS_LEAST = 1000,
    ACCOUNTS_MOST = 10000000,
    SQLITE_USERS = 60,
    QUIET_S = 12,
    QUIET_FAST_S = 10,
    LIVE_MAX = 400,
    FAULT_S_MAX = 43200,
};

struct asked {
    struct drill_options options;
    FILE *junit;
    unsigned run, failed;
    int code;
    void (*shown)(const struct drill_result *result); // before the rest; NULL: nothing
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void live(const char *line)
{
    fprintf(stderr, "\r%.*s\x1b[K", LIVE_MAX, line);
    fflush(stderr);
}

static bool read_factor(const struct cli *cli, enum cli_option option, double *factor)
{
    const char *text = cli->arguments->value[option];
    *factor = 1;
    if (text == NULL || (plan_read_number(view_of_cstr(text), factor) && *factor >= 0.1 && *factor <= 10)) {
        return true;
    }
    cli_say("--%s is a number from 0.1 to 10.", cli_options[option].name);
    return false;
}

static bool read_options(const struct cli *cli, struct drill_options *options)
{
    uint64_t accounts = ACCOUNTS;
    bool fast = arguments_has(cli->arguments, CLI_fast);
    bool terminal = isatty(STDERR_FILENO) != 0;
    *options = (struct drill_options){.seed = 1, .stop = &stop};
    options->quiet_s =
        fast ? QUIET_FAST_S : QUIET_S; // no sooner: a stayd that starts is not judged by its waits
    options->fault_s = fast ? 6 : 12;
    options->after_s = fast ? 3 : 8;
    options->live = terminal ? live : NULL;
    if (!arguments_number(cli->arguments, CLI_seed, 0, UINT32_MAX, &options->seed) ||
        !arguments_number(cli->arguments, CLI_accounts, ACCOUNTS_LEAST, ACCOUNTS_MOST, &accounts)) {
        cli_say("--seed is a number, --accounts one from %d to %d.", ACCOUNTS_LEAST, ACCOUNTS_MOST);
        return false;
    }
    options->stage = (struct stage_options){.sqlite = arguments_has(cli->arguments, CLI_sqlite),
                                            .accounts = (uint32_t)accounts,
                                            .users = SQLITE_USERS,
                                            .cache = cli->arguments->value[CLI_cache],
                                            .progress = terminal ? live : NULL,
                                            .stop = &stop};
    const char *duration = cli->arguments->value[CLI_duration];
    if (duration != NULL && (!plan_read_duration(view_of_cstr(duration), &options->fault_s) ||
                             options->fault_s < 1 || options->fault_s > FAULT_S_MAX)) {
        cli_say("--duration is a time from 1s to 12h.");
        return false;
    }
    return read_factor(cli, CLI_load, &options->load) && read_factor(cli, CLI_strength, &options->strength);
}

// ---- running

static void show_postmortem(const struct drill_result *result)
{
    char line[1024];
    FILE *in = result->postmortem[0] == '\0' ? NULL : fopen(result->postmortem, "re");
    if (in == NULL) {
        puts("\nstayd wrote no postmortem.");
        return;
    }
    puts("\n---- the postmortem that stayd wrote\n");
    while (fgets(line, sizeof(line), in) != NULL) {
        fputs(line, stdout);
    }
    fclose(in);
}

static void keep_result(const struct drill_result *result, enum drill_end end)
{
    char path[PROGRAM_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/result.json", result->folder);
    json_t *whole = drill_report_json(result, end, true);
    if (result->folder[0] != '\0') {
        (void)json_dump_file(whole, path, JSON_INDENT(2));
    }
    json_decref(whole);
}

static void show(const struct cli *cli, const struct drill_result *result, enum drill_end end)
{
    if (end == DRILL_PASSED || end == DRILL_FAILED) {
        keep_result(result, end);
        if (cli->json) {
            show_json(stdout, drill_report_json(result, end, false));
        } else {
            drill_report_table(stdout, result, end);
            show_postmortem(result);
        }
    }
    if (end == DRILL_STOPPED) {
        cli_say("Stopped; everything of the drill is gone.");
    } else if (end != DRILL_PASSED && (cli->json || end != DRILL_FAILED)) {
        cli_say("%s", result->why);
    }
}

static int code_of(enum drill_end end)
{
    switch (end) {
    case DRILL_PASSED:
        return CLI_DONE;
    case DRILL_UNAVAILABLE:
        return CLI_UNAVAILABLE;
    case DRILL_FAILED:
    case DRILL_BROKEN:
    case DRILL_STOPPED:
        break;
    }
    return CLI_REFUSED;
}

static bool play(const struct cli *cli, struct asked *asked, const struct drill_row *row)
{
    static struct drill_result result;
    uint64_t began_ns = clock_mono_ns();
    struct drill_options options = asked->options;
    double lasts_s = options.second == NULL ? row->lasts_s : fmax(row->lasts_s, options.second->lasts_s);
    options.fault_s = fmax(options.fault_s, lasts_s);
    enum drill_end end = drill_run(row, &options, &result);
    if (asked->options.live != NULL) {
        live("");
    }
    if (asked->shown != NULL && (end == DRILL_PASSED || end == DRILL_FAILED)) {
        asked->shown(&result);
    }
    show(cli, &result, end);
    if (asked->junit != NULL) {
        drill_junit_case(asked->junit, &result, end, (double)(clock_mono_ns() - began_ns) / 1e9);
    }
    asked->run++;
    asked->failed += end != DRILL_PASSED;
    int code = code_of(end);
    asked->code = code == CLI_DONE ? asked->code : asked->code == CLI_REFUSED ? CLI_REFUSED : code;
    drill_result_release(&result);
    return end != DRILL_STOPPED;
}

static int list(const struct cli *cli)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < drill_rows_count; i++) {
        const struct drill_row *row = &drill_rows[i];
        if (cli->json) {
            json_array_append_new(all, json_pack("{s:s, s:s, s:b, s:b}", "drill", row->name, "title",
                                                 row->title, "outage", !row->decoy, "sqlite", row->sqlite));
        } else {
            printf("%-16s %s%s\n", row->name, row->title, row->decoy ? "" : " (one of the five)");
        }
    }
    if (cli->json) {
        show_json(stdout, all);
    } else {
        json_decref(all);
    }
    return CLI_DONE;
}

static int run_all(const struct cli *cli, struct asked *asked)
{
    for (unsigned i = 0; i < drill_rows_count; i++) {
        if (!drill_rows[i].decoy && !play(cli, asked, &drill_rows[i])) {
            break;
        }
    }
    return asked->code;
}

static int run_named(const struct cli *cli, struct asked *asked, const char *name)
{
    struct view rest = view_of_cstr(name);
    const struct drill_row *row = drill_find(view_cut(&rest, '+'));
    const struct drill_row *second = rest.size == 0 ? NULL : drill_find(rest);
    if (row == NULL || (rest.size > 0 && second == NULL)) {
        cli_say("There is no drill %s. \"stayctl drill list\" names them.", name);
        return CLI_USAGE;
    }
    asked->options.second = second;
    (void)play(cli, asked, row);
    return asked->code;
}

static int run_asked(const struct cli *cli, struct asked *asked, const char *name)
{
    char *cases = NULL;
    size_t size = 0;
    const char *file = cli->arguments->value[CLI_junit];
    asked->junit = file == NULL ? NULL : open_memstream(&cases, &size);
    int code = strcmp(name, "all") == 0 ? run_all(cli, asked) : run_named(cli, asked, name);
    if (asked->junit != NULL) {
        fclose(asked->junit);
        FILE *out = fopen(file, "we");
        if (out != NULL) {
            drill_junit_begin(out, asked->run, asked->failed);
            fwrite(cases, 1, size, out);
            drill_junit_end(out);
        }
        if (out == NULL || fclose(out) != 0) {
            cli_say("%s can't be written.", file);
            code = code == CLI_DONE ? CLI_REFUSED : code;
        }
        free(cases);
    }
    return code;
}

// ---- training: a person finds out

enum { BLIND_S = 180, BLIND_CAUSES_MAX = 32 };

static struct {
    char line[64];
    size_t size;
    bool answered;
    const char *cause[BLIND_CAUSES_MAX];
    unsigned causes;
} blind;

static void blind_add(const char *cause)
{
    for (unsigned i = 0; i < blind.causes; i++) {
        if (strcmp(blind.cause[i], cause) == 0) {
            return;
        }
    }
    if (blind.causes < BLIND_CAUSES_MAX) {
        blind.cause[blind.causes++] = cause;
    }
}

static void blind_staged(const struct stage *stage)
{
    fprintf(stderr,
            "\r\x1b[KThis stayd is yours: stayctl -c %s top (or why, status, incident list), "
            "http://127.0.0.1:%u/,\n"
            "its log is %s/stayd.log. Something will go wrong. What is it? Type its number, once:\n",
            stage->config, (unsigned)stage->ops_port, stage->folder);
    for (unsigned i = 0; i < blind.causes; i++) {
        fprintf(stderr, "%4u %-22s%s", i + 1, blind.cause[i],
                i % 3 == 2 || i + 1 == blind.causes ? "\n" : "");
    }
}

// A number of the list, or a name of it.
static const char *blind_choice(void)
{
    uint64_t number = 0;
    struct view line = view_trim(view_of(blind.line, blind.size));
    if (view_to_u64(line, &number) && number >= 1 && number <= blind.causes) {
        return blind.cause[number - 1];
    }
    for (unsigned i = 0; i < blind.causes; i++) {
        if (view_equal(line, view_of_cstr(blind.cause[i]))) {
            return blind.cause[i];
        }
    }
    return NULL;
}

static bool blind_answered(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    while (!blind.answered && poll(&input, 1, 0) == 1) {
        char letter;
        if (read(STDIN_FILENO, &letter, 1) != 1) {
            return false; // nobody is there: it lasts its time
        }
        if (letter != '\n') {
            blind.line[blind.size] = letter;
            blind.size += blind.size + 1 < sizeof(blind.line);
            continue;
        }
        blind.answered = blind_choice() != NULL;
        if (!blind.answered) {
            fputs("That is none of the list.\n", stderr);
            blind.size = 0;
        }
    }
    return blind.answered;
}

static bool is_expected(const struct drill_row *row, const char *cause)
{
    for (unsigned i = 0; i < DRILL_EXPECTED_MAX && row->expected[i] != NULL; i++) {
        if (strcmp(row->expected[i], cause) == 0) {
            return true;
        }
    }
    return false;
}

static void blind_show(const struct drill_result *result)
{
    const char *choice = blind.answered ? blind_choice() : NULL;
    bool right = choice != NULL && is_expected(result->row, choice);
    printf("\nIt was: %s. ", result->row->title);
    if (choice == NULL) {
        printf("You named nothing.\n");
    } else {
        printf("You said %s after %.0f s, which is %s.\n", choice,
               (double)result->measured.answered_ms / 1000, right ? "right" : "wrong");
    }
    if (result->measured.diagnosed_ms >= 0) {
        printf("stayd said %s after %.1f s.\n\n", result->cause,
               (double)result->measured.diagnosed_ms / 1000);
    } else {
        printf("stayd did not find it.\n\n");
    }
}

static int run_blind(const struct cli *cli, struct asked *asked)
{
    const struct drill_row *possible[64];
    unsigned count = 0;
    char found[PROGRAM_PATH_MAX];
    asked->options.stage.sqlite |= !postgres_find(found, sizeof(found));
    for (unsigned i = 0; i < drill_rows_count && count < 64; i++) {
        const struct drill_row *row = &drill_rows[i];
        unsigned needs = injection_find(row->injection)->needs;
        for (unsigned j = 0; j < DRILL_EXPECTED_MAX && row->expected[j] != NULL; j++) {
            blind_add(row->expected[j]);
        }
        if (!row->calm && row->expected[1] == NULL && ((needs & INJECT_FAULTS) == 0 || stage_has_faults()) &&
            ((needs & INJECT_DATABASE) == 0 || !asked->options.stage.sqlite)) {
            possible[count++] = row;
        }
    }
    uint64_t random = arguments_has(cli->arguments, CLI_seed) ? asked->options.seed : clock_wall_ms();
    asked->options.seed = storm_random(&random) & UINT32_MAX;
    asked->options.quiet_s += 10 * storm_random_share(&random); // nobody knows when
    asked->options.fault_s = BLIND_S;
    asked->options.blind = true;
    asked->options.answered = blind_answered;
    asked->options.staged = blind_staged;
    asked->shown = blind_show;
    (void)play(cli, asked, possible[storm_random(&random) % count]);
    return asked->code;
}

int drill_play(struct cli *cli)
{
    static struct asked asked;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    const char *name = cli->arguments->operands > 0 ? cli->arguments->operand[0] : NULL;
    bool training = arguments_has(cli->arguments, CLI_blind);
    if ((name == NULL) != training) {
        cli_say(training ? "Blind means that you do not choose."
                         : "Which one? \"stayctl drill list\" names them.");
        return CLI_USAGE;
    }
    if (!training && strcmp(name, "list") == 0) {
        return list(cli);
    }
    if (!read_options(cli, &asked.options)) {
        return CLI_USAGE;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return training ? run_blind(cli, &asked) : run_asked(cli, &asked, name);
}
