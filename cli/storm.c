// SPDX-License-Identifier: ISC
// stayctl storm: reads what is asked for, runs drill/storm.h, shows the report. Runs in stayctl.
#include "cli/cli.h"

#include "cli/show.h"
#include "drill/report.h"
#include "drill/scenario.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

enum { USERS = 50, SIGNED_IN = 50, SOURCES = 16, CONNECTIONS = 1000, POLITE_TRIES = 5, RUDE_TRIES = 3 };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static bool read_count(const struct cli *cli, enum cli_option option, uint64_t least, uint64_t most,
                       uint32_t *count)
{
    uint64_t number = *count;
    if (!arguments_number(cli->arguments, option, least, most, &number)) {
        cli_say("--%s is a number from %llu to %llu.", cli_options[option].name, (unsigned long long)least,
                (unsigned long long)most);
        return false;
    }
    *count = (uint32_t)number;
    return true;
}

static bool read_counts(const struct cli *cli, struct storm_options *options, uint32_t *users)
{
    *users = USERS;
    options->sources = SOURCES;
    options->connections = CONNECTIONS;
    options->signed_in = SIGNED_IN;
    options->seed = 1;
    if (!arguments_number(cli->arguments, CLI_seed, 0, UINT64_MAX, &options->seed)) {
        cli_say("--seed is a number.");
        return false;
    }
    return read_count(cli, CLI_users, 1, PEOPLE_MAX, users) &&
           read_count(cli, CLI_sources, 1, LINK_SOURCES_MAX, &options->sources) &&
           read_count(cli, CLI_first_source, 0, LINK_SOURCES_MAX, &options->first_source) &&
           read_count(cli, CLI_connections, 1, LINKS_MAX, &options->connections) &&
           read_count(cli, CLI_signed_in, 0, PEOPLE_MAX, &options->signed_in);
}

static bool read_deadlines(const struct cli *cli, struct storm_options *options)
{
    struct view rest = view_of_cstr(cli->arguments->value[CLI_deadline]);
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        options->deadline_ns[i] = 1000000000;
    }
    while (rest.size > 0) {
        struct view value = view_cut(&rest, ',');
        struct view name = view_of(NULL, 0);
        enum storm_class class;
        double seconds;
        if (view_index(value, '=') < value.size) {
            name = view_cut(&value, '=');
        }
        if (!plan_read_duration(value, &seconds) || (name.size > 0 && !storm_class_find(name, &class))) {
            cli_say("--deadline is a time like 500ms, or a list like check=50ms,login=2s.");
            return false;
        }
        for (unsigned i = 0; i < STORM_CLASSES; i++) {
            if (name.size == 0 || i == (unsigned)class) {
                options->deadline_ns[i] = (uint64_t)(seconds * 1e9);
            }
        }
    }
    return true;
}

static bool read_retries(const struct cli *cli, struct storm_options *options)
{
    const char *how = cli->arguments->value[CLI_retries];
    struct view tries = view_of_cstr(how);
    struct view word = view_cut(&tries, ':');
    uint64_t number = 0;
    if (how == NULL || strcmp(how, "none") == 0) {
        return true;
    }
    bool polite = view_equal(word, VIEW("polite"));
    options->retries = polite ? STORM_RETRY_POLITE : STORM_RETRY_RUDE;
    options->tries = polite ? POLITE_TRIES : RUDE_TRIES;
    if (tries.size > 0 && view_to_u64(tries, &number) && number > 0 && number <= STORM_TRIES_MAX) {
        options->tries = (unsigned)number;
        tries.size = 0;
    }
    if (tries.size == 0 && (polite || view_equal(word, VIEW("rude")))) {
        return true;
    }
    cli_say("--retries is none, polite, rude, or one of the last two with how often: rude:3 (at most %d).",
            STORM_TRIES_MAX);
    return false;
}

static bool read_timeout(const struct cli *cli, struct storm_options *options)
{
    const char *text = cli->arguments->value[CLI_timeout];
    double seconds = 10;
    if (text != NULL && (!plan_read_duration(view_of_cstr(text), &seconds) || seconds <= 0)) {
        cli_say("--timeout is a time like 10s.");
        return false;
    }
    options->timeout_ns = (uint64_t)(seconds * 1e9);
    return true;
}

// A whole file; false, and a sentence, when it can't be read.
static bool read_file(const char *path, struct bytes *content)
{
    uint8_t part[65536];
    size_t got;
    FILE *in = fopen(path, "re");
    while (in != NULL && (got = fread(part, 1, sizeof(part), in)) > 0 && bytes_append(content, part, got)) {
    }
    bool done = in != NULL && !ferror(in) && !content->failed;
    if (in != NULL) {
        fclose(in);
    }
    if (!done) {
        cli_say("%s can't be read: %s.", path, content->failed ? "it is too large" : strerror(errno));
    }
    return done;
}

static bool read_factor(const struct cli *cli, enum cli_option option, double most, double *factor)
{
    const char *text = cli->arguments->value[option];
    *factor = 1;
    if (text == NULL || (plan_read_number(view_of_cstr(text), factor) && *factor > 0 && *factor <= most)) {
        return true;
    }
    cli_say("--%s is a number, at most %.0f.", cli_options[option].name, most);
    return false;
}

static bool read_plan_file(const struct cli *cli, struct plan *plan)
{
    static const enum cli_option others[] = {CLI_duration, CLI_rate, CLI_mix, CLI_steps, CLI_ramp, CLI_spike};
    const char *replay = cli->arguments->value[CLI_replay];
    const char *path = replay == NULL ? cli->arguments->value[CLI_scenario] : replay;
    double speed, load;
    struct bytes content;
    bool clash = replay != NULL && arguments_has(cli->arguments, CLI_scenario);
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        clash = clash || arguments_has(cli->arguments, others[i]);
    }
    if (clash) {
        cli_say(
            "The file says what is to be asked when: no --rate, --mix, --duration and the like beside it.");
        return false;
    }
    if (!read_factor(cli, CLI_speed, 10000, &speed) || !read_factor(cli, CLI_load, 1000, &load)) {
        return false;
    }
    bytes_init(&content, SCENARIO_FILE_MAX);
    bool read = read_file(path, &content);
    bool done = read && (replay != NULL ? scenario_replay(plan, bytes_view(&content), speed, load)
                                        : scenario_read(plan, bytes_view(&content)));
    bytes_release(&content);
    if (read && !done) {
        cli_say("%s: %s", path, plan->problem);
    }
    return done;
}

static bool read_plan(const struct cli *cli, struct plan *plan)
{
    const struct plan_texts texts = {
        .duration = cli->arguments->value[CLI_duration],
        .rate = cli->arguments->value[CLI_rate],
        .mix = cli->arguments->value[CLI_mix],
        .steps = cli->arguments->value[CLI_steps],
        .ramp = cli->arguments->value[CLI_ramp],
        .spike = cli->arguments->value[CLI_spike],
    };
    if (arguments_has(cli->arguments, CLI_scenario) || arguments_has(cli->arguments, CLI_replay)) {
        return read_plan_file(cli, plan);
    }
    if (!plan_make(plan, &texts)) {
        cli_say("%s", plan->problem);
        return false;
    }
    return true;
}

static bool read_people(const struct cli *cli, struct people *people, uint32_t users, bool prepare)
{
    const char *accounts = cli->arguments->value[CLI_accounts];
    const char *sessions = cli->arguments->value[CLI_sessions];
    const char *password = cli->arguments->value[CLI_password_file];
    const char *names = cli->arguments->value[CLI_names];
    bool files = accounts != NULL || sessions != NULL;
    if ((accounts != NULL && sessions != NULL) ||
        (files && (names != NULL || arguments_has(cli->arguments, CLI_users)))) {
        cli_say("The accounts come from one of --accounts, --sessions, and --users with --names.");
        return false;
    }
    // Accounts that are made here and have no password given get one that is random and kept nowhere, and
    // names of their own: nobody can log in to them later.
    static char own_names[32];
    if (prepare && !files && password == NULL) {
        uint8_t random[24];
        randombytes_buf(random, sizeof(random));
        people->password[base64url_encode(random, 18, people->password)] = '\0';
        memcpy(own_names, "storm-", 6);
        hex_encode(random + 18, 4, own_names + 6);
        memcpy(own_names + 14, "-{}", 4);
        names = names != NULL ? names : own_names;
    }
    bool done = (password == NULL || people_password_by_file(people, password)) &&
                (accounts != NULL   ? people_by_file(people, accounts, false)
                 : sessions != NULL ? people_by_file(people, sessions, true)
                                    : people_by_pattern(people, users, names != NULL ? names : "storm-{}"));
    if (!done) {
        cli_say("%s", people->problem);
        return false;
    }
    if (people->password[0] == '\0' && accounts == NULL && sessions == NULL) {
        cli_say(
            "The accounts' password is not known: make new ones with --prepare, or give --password-file or "
            "--accounts.");
        return false;
    }
    return true;
}

static bool read_target(const struct cli *cli, struct target *target)
{
    if (!target_read(target, view_of_cstr(cli->arguments->operand[0]))) {
        cli_say("%s", target->problem);
        return false;
    }
    if (!target->loopback && !arguments_has(cli->arguments, CLI_own_server)) {
        cli_say(
            "%s is not this machine's loopback. A load on a server that is not yours is an attack; if it is "
            "yours, say --i-own-this-server.",
            target->host);
        return false;
    }
    return true;
}

static int show_report(const struct cli *cli, const struct storm *storm)
{
    struct tally_cell *sum = malloc(sizeof(*sum));
    uint64_t wrong = 0;
    for (unsigned i = 0; sum != NULL && i < STORM_CLASSES; i++) {
        tally_sum(&storm->tally, (enum storm_class)i, sum);
        wrong += sum->times[STORM_wrong].count;
    }
    free(sum);
    if (storm->options->progress != NULL) {
        fputs("\r\x1b[K", storm->options->progress);
    }
    if (cli->json) {
        show_json(stdout, report_json(storm));
    } else {
        report_table(stdout, storm);
    }
    if (wrong > 0) {
        cli_say("%llu checks were answered with somebody else's name.", (unsigned long long)wrong);
    }
    return wrong > 0 ? CLI_REFUSED : CLI_DONE;
}

static int run(const struct cli *cli, const struct storm_options *options, struct people *people)
{
    static struct storm storm;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    enum storm_result result = storm_run(&storm, options, people);
    int code = result == STORM_RAN ? show_report(cli, &storm) : CLI_REFUSED;
    if (result != STORM_RAN) {
        if (options->progress != NULL) {
            fputs("\r\x1b[K", options->progress);
        }
        cli_say("%s", storm.problem);
        code = result == STORM_UNAVAILABLE ? CLI_UNAVAILABLE : CLI_REFUSED;
    }
    storm_release(&storm);
    return code;
}

int load_storm(struct cli *cli)
{
    static struct target target;
    static struct plan plan;
    static struct people people;
    struct storm_options options = {.target = &target, .plan = &plan, .stop = &stop};
    uint32_t users;
    options.prepare = arguments_has(cli->arguments, CLI_prepare);
    options.uniform = arguments_has(cli->arguments, CLI_uniform);
    if (arguments_has(cli->arguments, CLI_log)) {
        options.log = fopen(cli->arguments->value[CLI_log], "we");
        if (options.log == NULL) {
            cli_say("%s can't be written: %s.", cli->arguments->value[CLI_log], strerror(errno));
            return CLI_REFUSED;
        }
    }
    options.progress = isatty(STDERR_FILENO) ? stderr : NULL;
    people_init(&people);
    if (!read_plan(cli, &plan) || !read_counts(cli, &options, &users) || !read_deadlines(cli, &options) ||
        !read_retries(cli, &options) || !read_timeout(cli, &options)) {
        return CLI_USAGE;
    }
    // Nobody has to be logged in for log-ins and registrations alone; sessions that were given are enough.
    if ((plan_count(&plan, STORM_check) <= 0 && plan_count(&plan, STORM_change) <= 0) ||
        arguments_has(cli->arguments, CLI_sessions)) {
        options.signed_in = 0;
    }
    int code = !read_target(cli, &target) || !read_people(cli, &people, users, options.prepare)
                   ? CLI_REFUSED
                   : run(cli, &options, &people);
    if (options.log != NULL && fclose(options.log) != 0 && code == CLI_DONE) {
        cli_say("%s could not be written.", cli->arguments->value[CLI_log]);
        code = CLI_REFUSED;
    }
    people_release(&people);
    return code;
}
