// SPDX-License-Identifier: ISC
// The load of a run: storm, started and watched, how many log-ins the machine can do, and what is offered
// from that. Runs in stayctl drill.
#include "drill/drill_parts.h"

#include "base/clock.h"
#include "drill/stage_template.h"

#include <errno.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

enum {
    STORM_ENDS_MS = 3000,
    PEAK_CONNECTIONS = 8,
    WAVES = 6,
    CHECKPOINT_MS = 60000,
    CPU_STEP_MS = 100,
    CPU_STEPS = 20,
};
#define CHECK_RATE       200.0
#define LOGIN_RATE       4.0
#define CHANGE_RATE      3.0
#define PEAK_OFFERED     400.0
#define PEAK_SETTLED_S   0.5
#define PEAK_SECONDS     5.0
#define DEGRADED_SECONDS 9.0
#define BESIDE_LASTS_S   2.0 // longer than what it stands beside
#define MARGIN_S         60.0

static void storm_words(const struct play *play, const struct load *load, const char *log,
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
}

static bool start_storm(struct play *play, const struct load *load, const char *log, const char *output,
                        struct program *storm)
{
    const char *words[PROGRAM_WORDS_MAX];
    storm_words(play, load, log, words);
    return program_start(storm, &(struct program_options){.words = words, .output = output}) ||
           play_fail(play, "storm could not be started: %s.", strerror(errno));
}

bool play_start_load(struct play *play, const struct load *load)
{
    return start_storm(play, load, play->log_file, play->storm_file, &play->storm);
}

double play_load_cpu_s(const struct play *play)
{
    return program_cpu_s(&play->storm) + program_cpu_s(&play->beside) +
           program_cpu_s(&play->yardstick.program) + (double)clock() / CLOCKS_PER_SEC;
}

static void stop_beside(struct play *play)
{
    program_stop(&play->beside, SIGTERM, STORM_ENDS_MS);
}

// ---- measuring what the machine can do

struct peak {
    struct score_answers answers; // of log-ins
    struct drill_machine machine;
};

// Until storm has ended; the processors that were used in its last two seconds.
static double wait_for_storm(struct play *play, uint64_t patience_ms)
{
    double used_s[CPU_STEPS + 1];
    uint64_t steps = 0;
    for (; steps * CPU_STEP_MS < patience_ms; steps++) {
        double now_s = play_load_cpu_s(play);
        if (program_wait(&play->storm, CPU_STEP_MS)) {
            break;
        }
        memmove(&used_s[0], &used_s[1], CPU_STEPS * sizeof(used_s[0]));
        used_s[CPU_STEPS] = now_s;
    }
    program_stop(&play->storm, SIGTERM, STORM_ENDS_MS);
    return steps > CPU_STEPS ? (used_s[CPU_STEPS] - used_s[0]) * 1000 / (CPU_STEP_MS * CPU_STEPS) : 0;
}

static bool count_log_ins(const char *file, double from_s, double to_s, struct score_answers *answers)
{
    struct score score;
    score_init(&score);
    FILE *in = fopen(file, "re");
    bool done = in != NULL && score_read(&score, in);
    score_answers(&score, STORM_login, from_s, to_s, answers);
    if (in != NULL) {
        fclose(in);
    }
    score_release(&score);
    return done;
}

// The log-ins done under a load that lasts `settled_s` + `seconds`, without its beginning.
static bool measure_log_ins(struct play *play, struct load *load, double settled_s, double seconds,
                            struct peak *peak)
{
    char log[PROGRAM_PATH_MAX], output[PROGRAM_PATH_MAX];
    double end_s = settled_s + seconds;
    snprintf(log, sizeof(log), "%.1000s/peak.log", play->stage.folder);
    snprintf(output, sizeof(output), "%.1000s/peak.json", play->stage.folder);
    snprintf(load->duration, sizeof(load->duration), "%.1fs", end_s);
    if (!start_storm(play, load, log, output, &play->storm)) {
        return false;
    }
    uint64_t patience_ms =
        (uint64_t)(end_s * 1000) + (play->stage.options->sqlite ? PLAY_LOAD_BEGINS_MS : 500);
    uint64_t began_ns = clock_mono_ns();
    peak->machine.load_processors = wait_for_storm(play, patience_ms);
    peak->machine.yardstick_ms = yardstick_ms(&play->yardstick, began_ns, clock_mono_ns());
    return (count_log_ins(log, settled_s, end_s, &peak->answers) && peak->answers.ok > 0) ||
           play_fail(play, "No log-in was done.");
}

// What others do all the time; they have a storm of their own, since who waits for a log-in keeps its
// connections. (Nobody does with SQLite: two storms can't make the same accounts.)
static bool start_beside(struct play *play, const struct load *usual)
{
    const double *rate = play->result->rates;
    struct load load = *usual;
    char log[PROGRAM_PATH_MAX], output[PROGRAM_PATH_MAX];
    if (play->stage.options->sqlite) {
        return true;
    }
    snprintf(log, sizeof(log), "%.1000s/beside.log", play->stage.folder);
    snprintf(output, sizeof(output), "%.1000s/beside.json", play->stage.folder);
    snprintf(load.mix, sizeof(load.mix), "check=%.2f,change=%.2f", rate[STORM_check], rate[STORM_change]);
    snprintf(load.duration, sizeof(load.duration), "%.1fs", PEAK_SETTLED_S + PEAK_SECONDS + BESIDE_LASTS_S);
    return start_storm(play, &load, log, output, &play->beside);
}

// What eight who each wait for their answer get done.
static bool measure_peak(struct play *play, const struct load *usual)
{
    struct load load = *usual;
    struct peak peak = {0};
    stage_say(&play->stage, "measuring how many log-ins this machine can do");
    load.polite = false;
    snprintf(load.mix, sizeof(load.mix), "login=%.0f", PEAK_OFFERED);
    snprintf(load.connections, sizeof(load.connections), "%d", PEAK_CONNECTIONS);
    bool done =
        start_beside(play, usual) && measure_log_ins(play, &load, PEAK_SETTLED_S, PEAK_SECONDS, &peak);
    stop_beside(play);
    play->result->measured.at_peak = peak.machine;
    play->result->measured.login_peak =
        done ? (double)(peak.answers.ok + peak.answers.late) / PEAK_SECONDS : 0;
    return done;
}

// What is done in time of the usual load while the fault lasts.
static bool measure_degraded(struct play *play, struct load usual)
{
    const struct injection *injection = play->injection[0];
    struct injecting *injecting = &play->injecting[0];
    struct peak peak = {0};
    stage_say(&play->stage, "measuring how many it can do while the fault lasts");
    scans_begin(&play->scans);
    if (!injection->begin(injecting)) {
        return play_fail(play, "%s", injecting->problem);
    }
    bool done = measure_log_ins(play, &usual, PLAY_DEGRADED_SETTLED_S, DEGRADED_SECONDS, &peak);
    scans_end(&play->scans);
    play->result->measured.at_degraded_peak = peak.machine;
    play->result->measured.degraded_peak = done ? (double)peak.answers.ok / DEGRADED_SECONDS : 0;
    if (!injection->end(injecting)) {
        return play_fail(play, "%s", injecting->problem);
    }
    stage_stop_stayd(&play->stage);
    play->result->measured.at_degraded_peak.scan_ms = scans_settle(&play->scans, SCANS_OF_INDEX);
    return done && (psql_run(&play->stage.psql, "CHECKPOINT", CHECKPOINT_MS) ||
                    play_fail(play, "No checkpoint was made."));
}

// ---- the plan

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

// Longer than it can take: storm is told when it is over, since ending a fault takes its time, too.
static double total_s(const struct drill_options *options)
{
    return options->quiet_s + options->fault_s + options->after_s + MARGIN_S;
}

static void plan_spike(const struct play *play, double factor, struct load *load)
{
    const struct drill_options *options = play->options;
    if (play->row->calm) {
        plan_waves(options, factor, load);
    } else if (factor > 1) {
        snprintf(load->spike, sizeof(load->spike), "login:x%.2f@%.2fs+%.2fs", factor, options->quiet_s,
                 options->fault_s);
    }
}

bool play_plan_load(struct play *play, struct load *load)
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
    *load = (struct load){.polite = true};
    snprintf(load->connections, sizeof(load->connections), "2000");
    snprintf(load->seed, sizeof(load->seed), "%llu", (unsigned long long)options->seed);
    rate[STORM_check] = CHECK_RATE * options->load;
    rate[STORM_change] = CHANGE_RATE * options->load;
    if (share > 0 && !yardstick_start(&play->yardstick)) {
        return play_fail(play, "The yardstick could not be started: %s.", strerror(errno));
    }
    if (share > 0 && !measure_peak(play, load)) {
        return false;
    }
    rate[STORM_login] = share > 0 ? share * result->measured.login_peak * fmin(options->load, 1.2)
                                  : LOGIN_RATE * options->load;
    result->factor = factor;
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
    plan_spike(play, factor, load);
    return true;
}
