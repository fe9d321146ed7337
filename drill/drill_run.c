// SPDX-License-Identifier: ISC
// One run of a drill. Runs in stayctl drill; one thread.
//
//   stage ──▶ log-ins' peak ──▶ storm: quiet ──▶ fault ──▶ after ──▶ what it did to people, and what stayd
//   said
//
// Time is storm's: everything is done so many seconds after its load began, which its raw log says on the
// monotonic clock.
#include "drill/drill_parts.h"

#include "base/clock.h"
#include "drill/ask.h"
#include "drill/stage_template.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <unistd.h>

enum {
    ASK_EVERY_MS = 10,
    LIVE_EVERY_MS = 250,
    STORM_BEGINS_MS = 60000,
    STORM_ENDS_MS = 20000,
    PEAK_CONNECTIONS = 8,
    WAVES = 6,
};
#define CHECK_RATE         200.0
#define LOGIN_RATE         4.0
#define CHANGE_RATE        3.0
#define MARGIN_S           60.0
#define PEAK_SECONDS       5.0
#define CHECKPOINT_MS      60000
#define PEAK_SETTLED_S     0.5
#define DEGRADED_SECONDS   9.0
#define DEGRADED_SETTLED_S 3.0
#define PEAK_OFFERED       400.0

bool play_fail(struct play *play, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(play->result->why, sizeof(play->result->why), format, list);
    va_end(list);
    return false;
}

static bool stopping(const struct play *play)
{
    return play->options->stop != NULL && *play->options->stop != 0;
}

// ---- storm

// Longer than it can take: storm is told when it is over, since ending a fault takes its time, too.
static double total_s(const struct drill_options *options)
{
    return options->quiet_s + options->fault_s + options->after_s + MARGIN_S;
}

struct load {
    bool polite; // asks again as it is told to
    char mix[128], duration[32], spike[512], seed[32], connections[16];
};

static unsigned storm_words(const struct play *play, const struct load *load, const char *log,
                            const char *words[static PROGRAM_WORDS_MAX])
{
    const struct stage *stage = &play->stage;
    const char *all[] = {stage->own, "storm",    play->url,       "--json",
                         "--mix",    load->mix,  "--duration",    load->duration,
                         "--seed",   load->seed, "--connections", load->connections};
    unsigned count = sizeof(all) / sizeof(all[0]);
    memcpy(words, all, sizeof(all));
#define ADD(one, two) (words[count] = (one), words[count + 1] = (two), count += 2)
    if (stage->options->sqlite) {
        ADD("--prepare", "--users");
        words[count++] = play->users;
    } else {
        ADD("--sessions", stage->people);
        ADD("--password-file", stage->password);
    }
    ADD("--sources", "512");
    ADD("--log", log);
    if (load->polite) {
        ADD("--retries", "polite");
    }
    if (load->spike[0] != '\0') {
        ADD("--spike", load->spike);
    }
#undef ADD
    words[count] = NULL;
    return count;
}

static bool start_storm(struct play *play, const struct load *load, const char *log, const char *output)
{
    const char *words[PROGRAM_WORDS_MAX];
    (void)storm_words(play, load, log, words);
    return program_start(&play->storm, &(struct program_options){.words = words, .output = output}) ||
           play_fail(play, "storm could not be started: %s.", strerror(errno));
}

// What storm has used, and the drill itself, which reads along.
static double load_cpu_s(const struct play *play)
{
    double storm_s = program_cpu_s(&play->storm);
    return storm_s > 0 ? storm_s + (double)clock() / CLOCKS_PER_SEC : 0;
}

// Until it has ended; the processors that it used in its last two seconds.
static double wait_for_storm(struct play *play, uint64_t patience_ms)
{
    enum { STEP_MS = 100, STEPS = 20 };
    double used_s[STEPS + 1] = {0};
    for (uint64_t waited_ms = 0; waited_ms < patience_ms; waited_ms += STEP_MS) {
        double now_s = load_cpu_s(play);
        if (now_s > 0) {
            memmove(&used_s[0], &used_s[1], STEPS * sizeof(used_s[0]));
            used_s[STEPS] = now_s;
        }
        if (program_wait(&play->storm, STEP_MS)) {
            break;
        }
    }
    program_stop(&play->storm, SIGTERM, 3000);
    return used_s[0] > 0 ? (used_s[STEPS] - used_s[0]) * 1000 / (STEP_MS * STEPS) : 0;
}

// The log-ins done a second under a load that lasts `settled_s` + `seconds`, without its beginning.
static bool measure_log_ins(struct play *play, struct load *load, double settled_s, double seconds,
                            struct score_answers *answers)
{
    char log[PROGRAM_PATH_MAX], output[PROGRAM_PATH_MAX];
    double end_s = settled_s + seconds;
    snprintf(log, sizeof(log), "%s/peak.log", play->stage.folder);
    snprintf(output, sizeof(output), "%s/peak.json", play->stage.folder);
    snprintf(load->duration, sizeof(load->duration), "%.1fs", end_s);
    snprintf(load->seed, sizeof(load->seed), "%llu", (unsigned long long)play->options->seed);
    if (!start_storm(play, load, log, output)) {
        return false;
    }
    uint64_t patience_ms = (uint64_t)(end_s * 1000) + (play->stage.options->sqlite ? STORM_BEGINS_MS : 500);
    play->result->measured.storm_at_peak = wait_for_storm(play, patience_ms);
    struct score score;
    score_init(&score);
    FILE *in = fopen(log, "re");
    bool done = in != NULL && score_read(&score, in);
    score_answers(&score, STORM_login, settled_s, end_s, answers);
    if (in != NULL) {
        fclose(in);
    }
    score_release(&score);
    return (done && answers->ok > 0) || play_fail(play, "No log-in was done.");
}

// What eight who each wait for their answer get done.
static bool measure_peak(struct play *play)
{
    struct load load = {0};
    stage_say(&play->stage, "measuring how many log-ins this machine can do");
    snprintf(load.mix, sizeof(load.mix), "login=%.0f", PEAK_OFFERED);
    snprintf(load.connections, sizeof(load.connections), "%d", PEAK_CONNECTIONS);
    struct score_answers answers;
    bool done = measure_log_ins(play, &load, PEAK_SETTLED_S, PEAK_SECONDS, &answers);
    play->result->measured.login_peak = done ? (double)(answers.ok + answers.late) / PEAK_SECONDS : 0;
    return done;
}

// What is done in time of the usual load while the fault lasts.
static bool measure_degraded(struct play *play, struct load usual)
{
    const struct injection *injection = play->injection[0];
    struct injecting *injecting = &play->injecting[0];
    struct score_answers answers;
    stage_say(&play->stage, "measuring how many it can do while the fault lasts");
    if (!injection->begin(injecting)) {
        return play_fail(play, "%s", injecting->problem);
    }
    bool done = measure_log_ins(play, &usual, DEGRADED_SETTLED_S, DEGRADED_SECONDS, &answers);
    play->result->measured.degraded_peak = done ? (double)answers.ok / DEGRADED_SECONDS : 0;
    if (!injection->end(injecting)) {
        return play_fail(play, "%s", injecting->problem);
    }
    return done && (psql_run(&play->stage.psql, "CHECKPOINT", CHECKPOINT_MS) ||
                    play_fail(play, "No checkpoint was made."));
}

// ---- the plan of a run

// Ordinary waves: more log-ins, and fewer, all the time.
static void plan_waves(const struct drill_options *options, double factor, struct load *load)
{
    double each_s = options->fault_s / WAVES / 2;
    size_t size = 0;
    for (unsigned i = 0; i < WAVES; i++) {
        size += (size_t)snprintf(load->spike + size, sizeof(load->spike) - size, "%sx%.2f@%.1fs+%.1fs",
                                 i == 0 ? "" : ",", factor, options->quiet_s + 2 * i * each_s, each_s);
    }
}

static bool plan_load(struct play *play, struct load *load)
{
    const struct drill_row *row = play->row;
    const struct drill_options *options = play->options;
    struct drill_result *result = play->result;
    double *rate = result->rates;
    double share = row->login_share;
    double factor = row->login_factor;
    if (options->second != NULL) {
        share = fmax(share, options->second->login_share);
        factor = fmax(factor, options->second->login_factor);
    }
    if (share > 0 && !measure_peak(play)) {
        return false;
    }
    rate[STORM_check] = CHECK_RATE * options->load;
    rate[STORM_login] = share > 0 ? share * result->measured.login_peak * fmin(options->load, 1.2)
                                  : LOGIN_RATE * options->load;
    rate[STORM_change] = CHANGE_RATE * options->load;
    result->factor = factor;
    *load = (struct load){.polite = true};
    snprintf(load->connections, sizeof(load->connections), "2000");
    snprintf(load->mix, sizeof(load->mix), "check=%.2f,login=%.2f,change=%.2f", rate[STORM_check],
             rate[STORM_login], rate[STORM_change]);
    if ((row->bars & DRILL_OF_DEGRADED_PEAK) != 0 && !measure_degraded(play, *load)) {
        return false;
    }
    // So many at once were an incident to stayd: it begins anew, and knows nothing of them.
    if (share > 0 && !stage_begin_anew(&play->stage)) {
        return play_fail(play, "stayd did not start again.");
    }
    snprintf(load->duration, sizeof(load->duration), "%.2fs", total_s(options));
    snprintf(load->seed, sizeof(load->seed), "%llu", (unsigned long long)options->seed);
    if (play->row->calm) {
        plan_waves(options, factor, load);
    } else if (factor > 1) {
        snprintf(load->spike, sizeof(load->spike), "login:x%.2f@%.2fs+%.2fs", factor, options->quiet_s,
                 options->fault_s);
    }
    return true;
}

// ---- while it runs

static double now_s(const struct play *play)
{
    return ((double)clock_mono_ns() - (double)play->score.begin_mono_ns) / 1e9;
}

static bool read_log(struct play *play)
{
    if (play->log == NULL) {
        play->log = fopen(play->log_file, "re");
    }
    return play->log == NULL || score_read(&play->score, play->log) ||
           play_fail(play, "storm's raw log can't be read.");
}

static bool wait_for_load(struct play *play)
{
    uint64_t end_ns = clock_mono_ns() + STORM_BEGINS_MS * 1000000ull;
    while (play->score.begin_mono_ns == 0) {
        if (!read_log(play)) {
            return false;
        }
        if (program_ended(&play->storm) || clock_mono_ns() > end_ns || stopping(play)) {
            char text[400] = "";
            (void)program_read_file(play->storm_file, text, sizeof(text));
            return play_fail(play, "storm did not begin: %s", text);
        }
        program_pause(5);
    }
    return true;
}

static void show_live(struct play *play, double at_s)
{
    struct score_answers check, login;
    bool seen = play->watch.first.causes > 0 && !play->options->blind;
    char line[256];
    const char *what = play->options->blind        ? ""
                       : play->phase == PLAY_QUIET ? "quiet"
                       : play->phase == PLAY_FAULT ? "FAULT"
                                                   : "after";
    score_answers(&play->score, STORM_check, at_s - 1.5, at_s - 0.5, &check);
    score_answers(&play->score, STORM_login, at_s - 1.5, at_s - 0.5, &login);
    snprintf(
        line, sizeof(line),
        "%4.0f s %s  checks %llu/s, failed or late %llu  log-ins %llu/s, refused %llu, failed or late %llu  "
        "stayd says: %s%s%s",
        at_s, what, (unsigned long long)check.ok, (unsigned long long)(check.failed + check.late),
        (unsigned long long)login.ok, (unsigned long long)login.refused,
        (unsigned long long)(login.failed + login.late),
        play->options->blind           ? "(you find out)"
        : play->watch.state[0] == '\0' ? "nothing"
                                       : play->watch.state,
        seen ? ": " : "", seen ? play->watch.first.cause[0] : "");
    play->options->live(line);
}

static bool begin_fault(struct play *play)
{
    play->phase = PLAY_FAULT;
    uint64_t wall_ms = program_wall_ms();
    play->result->measured.injected_at_ms = wall_ms;
    play->unwell_before = play->watch.state[0] != '\0' && strcmp(play->watch.state, "healthy") != 0;
    verdict_watch_begin(&play->watch, wall_ms, play->expected);
    play->begun_s = now_s(play);
    play->storm_cpu_s = load_cpu_s(play);
    for (unsigned i = 0; i < play->injections; i++) {
        if (!play->injection[i]->begin(&play->injecting[i])) {
            return play_fail(play, "%s", play->injecting[i].problem);
        }
    }
    return true;
}

static bool end_fault(struct play *play)
{
    play->phase = PLAY_AFTER;
    play->asked_to_end_s = now_s(play);
    play->result->measured.storm_in_fault =
        (load_cpu_s(play) - play->storm_cpu_s) / (play->asked_to_end_s - play->begun_s);
    for (unsigned i = 0; i < play->injections; i++) {
        if (!play->injection[i]->end(&play->injecting[i])) {
            return play_fail(play, "%s", play->injecting[i].problem);
        }
    }
    play->ended_s = now_s(play);
    return true;
}

static void turn_fault(struct play *play, double at_s)
{
    for (unsigned i = 0; i < play->injections; i++) {
        if (play->injection[i]->turn != NULL) {
            play->injection[i]->turn(&play->injecting[i], at_s);
        }
    }
}

static bool one_turn(struct play *play, double at_s)
{
    const struct drill_options *options = play->options;
    if (play->phase == PLAY_QUIET && at_s >= options->quiet_s && !begin_fault(play)) {
        return false;
    }
    bool answered = play->phase == PLAY_FAULT && options->answered != NULL && options->answered();
    if (answered) {
        play->result->measured.answered_ms = (int64_t)((at_s - play->begun_s) * 1000);
    }
    if (play->phase == PLAY_FAULT && (answered || at_s >= options->quiet_s + options->fault_s)) {
        if (!end_fault(play)) {
            return false;
        }
    } else if (play->phase == PLAY_FAULT) {
        turn_fault(play, at_s - play->begun_s);
    }
    verdict_watch_ask(&play->watch);
    if (options->live != NULL && at_s * 1000 >= play->live_ms) {
        play->live_ms = at_s * 1000 + LIVE_EVERY_MS;
        if (!read_log(play)) {
            return false;
        }
        show_live(play, at_s);
    }
    return true;
}

static bool is_over(const struct play *play, double at_s)
{
    return play->phase == PLAY_AFTER && at_s >= play->ended_s + play->options->after_s;
}

static bool run_load(struct play *play)
{
    bool done = wait_for_load(play);
    while (done && !stopping(play) && !is_over(play, now_s(play))) {
        done = one_turn(play, now_s(play));
        program_pause(ASK_EVERY_MS);
    }
    // An end by hand, or by a failure, is an end of the fault, too.
    if (play->phase == PLAY_FAULT) {
        done = end_fault(play) && done;
    }
    if (!done || stopping(play)) {
        return false;
    }
    program_stop(&play->storm, SIGTERM, STORM_ENDS_MS);
    return read_log(play);
}

// ---- before and after

static bool open_folder(struct play *play)
{
    struct drill_result *result = play->result;
    if (play->options->keep != NULL) {
        snprintf(result->folder, sizeof(result->folder), "%s", play->options->keep);
    } else {
        char cache[PROGRAM_PATH_MAX - 128];
        stage_cache_folder(&play->options->stage, cache, sizeof(cache));
        snprintf(result->folder, sizeof(result->folder), "%s/runs/%s%s%s-%llu", cache, play->row->name,
                 play->options->second == NULL ? "" : "+",
                 play->options->second == NULL ? "" : play->options->second->name,
                 (unsigned long long)play->options->seed);
    }
    snprintf(play->log_file, sizeof(play->log_file), "%.1000s/storm.log", result->folder);
    snprintf(play->storm_file, sizeof(play->storm_file), "%.1000s/storm.json", result->folder);
    program_remove_folder(result->folder);
    return stage_make_folders(result->folder) ||
           play_fail(play, "%.300s can't be made: %s.", result->folder, strerror(errno));
}

static bool suits(struct play *play, const struct drill_row *row, unsigned needs)
{
    struct stage_options *stage = &play->stage_options;
    if ((needs & INJECT_FAULTS) != 0 && !stage_has_faults()) {
        return play_fail(play, "%s needs a build with fault points (tools/build faults).", row->name);
    }
    if ((needs & INJECT_SQLITE) != 0) {
        stage->sqlite = true; // there is no other way
    }
    if ((needs & INJECT_DATABASE) != 0 && stage->sqlite) {
        return play_fail(play, "%s needs PostgreSQL.", row->name);
    }
    stage->proxy |= (needs & INJECT_PROXY) != 0;
    stage->standby |= (needs & INJECT_STANDBY) != 0;
    return true;
}

static bool take_injection(struct play *play, const struct drill_row *row)
{
    const struct drill_options *options = play->options;
    const struct injection *injection = injection_find(row->injection);
    if (injection == NULL || !suits(play, row, injection->needs)) {
        return false;
    }
    injecting_init(&play->injecting[play->injections], &play->stage, options->strength,
                   options->seed + play->injections, options->fault_s);
    play->injection[play->injections++] = injection;
    unsigned count = 0;
    while (play->expected[count] != NULL) {
        count++;
    }
    for (unsigned i = 0; i < DRILL_EXPECTED_MAX && row->expected[i] != NULL; i++) {
        play->expected[count++] = row->expected[i];
    }
    return true;
}

static bool prepare(struct play *play)
{
    for (unsigned i = 0; i < play->injections; i++) {
        if (play->injection[i]->prepare != NULL && !play->injection[i]->prepare(&play->injecting[i])) {
            return play_fail(play, "%s", play->injecting[i].problem);
        }
    }
    return true;
}

static enum drill_end stage_up(struct play *play)
{
    enum stage_result result = stage_open(&play->stage, &play->stage_options);
    if (result == STAGE_READY) {
        result = stage_database(&play->stage);
    }
    if (result == STAGE_READY && !prepare(play)) {
        return DRILL_BROKEN;
    }
    if (result == STAGE_READY) {
        result = stage_stayd(&play->stage);
    }
    if (result != STAGE_READY) {
        (void)play_fail(play, "%.500s", play->stage.problem);
        return result == STAGE_UNAVAILABLE ? DRILL_UNAVAILABLE : DRILL_BROKEN;
    }
    snprintf(play->url, sizeof(play->url), "http://127.0.0.1:%u", (unsigned)play->stage.port);
    snprintf(play->users, sizeof(play->users), "%u", play->stage.options->users);
    verdict_watch_init(&play->watch, play->stage.watch);
    return DRILL_PASSED;
}

static enum drill_end perform(struct play *play)
{
    struct load load;
    enum drill_end end = stage_up(play);
    if (end != DRILL_PASSED) {
        return end;
    }
    if (!plan_load(play, &load)) {
        return DRILL_BROKEN;
    }
    stage_say(&play->stage, "");
    if (play->options->staged != NULL) {
        play->options->staged(&play->stage);
    }
    if (!start_storm(play, &load, play->log_file, play->storm_file) || !run_load(play)) {
        return DRILL_BROKEN;
    }
    play_measure(play);
    play_keep(play);
    return play_judge(play) ? DRILL_PASSED : DRILL_FAILED;
}

enum drill_end drill_run(const struct drill_row *row, const struct drill_options *options,
                         struct drill_result *result)
{
    static struct play play;
    play = (struct play){.row = row,
                         .options = options,
                         .stage_options = options->stage,
                         .result = result,
                         .storm = {.in = -1, .out = -1}};
    *result = (struct drill_result){.row = row,
                                    .second = options->second,
                                    .seed = options->seed,
                                    .strength = options->strength,
                                    .factor = 1,
                                    .accounts = options->stage.sqlite ? 0 : options->stage.accounts};
    result->measured.answered_ms = -1;
    result->measured.detected_ms = result->measured.diagnosed_ms = result->measured.recovered_ms = -1;
    score_init(&play.score);
    enum drill_end end = DRILL_UNAVAILABLE;
    if (take_injection(&play, row) && (options->second == NULL || take_injection(&play, options->second)) &&
        open_folder(&play)) {
        result->accounts = play.stage_options.sqlite ? 0 : play.stage_options.accounts;
        end = perform(&play);
    }
    program_stop(&play.storm, SIGKILL, 0);
    for (unsigned i = 0; i < play.injections; i++) {
        injecting_release(&play.injecting[i]);
    }
    stage_close(&play.stage);
    if (play.log != NULL) {
        fclose(play.log);
    }
    score_release(&play.score);
    verdict_watch_release(&play.watch);
    return options->stop != NULL && *options->stop != 0 ? DRILL_STOPPED : end;
}

void drill_result_release(struct drill_result *result)
{
    json_decref(result->verdict);
    result->verdict = NULL;
}
