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
    TURN_MS = 10,
    ASK_EVERY_MS = 50, // an answer costs stayd something, too: a hundred a second took 2 % of a processor
    LIVE_EVERY_MS = 250,
    STORM_ENDS_MS = 20000,
};

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
    uint64_t end_ns = clock_mono_ns() + PLAY_LOAD_BEGINS_MS * 1000000ull;
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
    scans_begin(&play->scans);
    uint64_t wall_ms = program_wall_ms();
    play->result->measured.injected_at_ms = wall_ms;
    play->unwell_before = play->watch.state[0] != '\0' && strcmp(play->watch.state, "healthy") != 0;
    verdict_watch_begin(&play->watch, wall_ms, play->expected);
    play->begun_s = now_s(play);
    play->load_cpu_s = play_load_cpu_s(play);
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
    play->result->measured.in_fault.load_processors =
        (play_load_cpu_s(play) - play->load_cpu_s) / (play->asked_to_end_s - play->begun_s);
    scans_end(&play->scans);
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
    if (at_s * 1000 >= play->ask_ms) {
        play->ask_ms = at_s * 1000 + ASK_EVERY_MS;
        verdict_watch_ask(&play->watch);
    }
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
        program_pause(TURN_MS);
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
    play->scans.stage = play->injections == 1 && play->injection[0]->scans ? &play->stage : NULL;
    (void)scans_settle(&play->scans, 0); // what was read so far
    scans_begin(&play->scans);
    for (unsigned i = 0; i < play->injections; i++) {
        if (play->injection[i]->prepare != NULL && !play->injection[i]->prepare(&play->injecting[i])) {
            return play_fail(play, "%s", play->injecting[i].problem);
        }
    }
    scans_end(&play->scans);
    play->result->measured.alone.scan_ms = scans_settle(&play->scans, 0);
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

// Until the index was there again, log-ins had the table read, which is not in the processor time.
static void measure_scans(struct play *play)
{
    struct score_answers after;
    score_answers(&play->score, STORM_login, play->asked_to_end_s, play->ended_s, &after);
    stage_stop_stayd(&play->stage);
    play->result->measured.in_fault.scan_ms =
        scans_settle(&play->scans, SCANS_OF_INDEX + (unsigned)(after.ok + after.late));
}

static enum drill_end perform(struct play *play)
{
    struct load load;
    enum drill_end end = stage_up(play);
    if (end != DRILL_PASSED) {
        return end;
    }
    if (!play_plan_load(play, &load)) {
        return DRILL_BROKEN;
    }
    stage_say(&play->stage, "");
    if (play->options->staged != NULL) {
        play->options->staged(&play->stage);
    }
    if (!play_start_load(play, &load) || !run_load(play)) {
        return DRILL_BROKEN;
    }
    play_keep(play);
    measure_scans(play);
    play_measure(play);
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
                         .storm = {.in = -1, .out = -1},
                         .beside = {.in = -1, .out = -1},
                         .yardstick = {.program = {.in = -1, .out = -1}}};
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
    program_stop(&play.beside, SIGKILL, 0);
    yardstick_stop(&play.yardstick);
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
