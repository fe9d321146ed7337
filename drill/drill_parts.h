// SPDX-License-Identifier: ISC
// Between the files of one run of a drill: its state while it runs. Used by stayctl drill.
#ifndef DRILL_DRILL_PARTS_H
#define DRILL_DRILL_PARTS_H

#include "drill/drill.h"
#include "drill/scans.h"
#include "drill/yardstick.h"

#include <stdio.h>

enum { PLAY_LOAD_BEGINS_MS = 60000 }; // storm makes its accounts first, where none are given

// What is done without a spike, and with one, is counted from as long after the fault's beginning.
#define PLAY_DEGRADED_SETTLED_S 3.0

enum play_phase { PLAY_QUIET, PLAY_FAULT, PLAY_AFTER };

struct play {
    const struct drill_row *row;
    const struct drill_options *options;
    struct stage_options stage_options; // with what the faults need
    struct drill_result *result;
    struct stage stage;
    const struct injection *injection[DRILL_INJECTIONS_MAX];
    struct injecting injecting[DRILL_INJECTIONS_MAX];
    unsigned injections;
    const char *expected[2 * DRILL_EXPECTED_MAX + 1];
    struct verdict_watch watch;
    struct program storm;
    struct program beside;      // who asks while the log-ins' peak is measured
    struct yardstick yardstick; // where what the machine can do is measured
    struct scans scans;
    struct score score;
    FILE *log;
    char log_file[PROGRAM_PATH_MAX], storm_file[PROGRAM_PATH_MAX], url[64], users[16];
    enum play_phase phase;
    bool unwell_before;                      // stayd said that something was wrong when nothing was
    double begun_s, asked_to_end_s, ended_s; // seconds since the load began
    double ask_ms, live_ms;                  // the next question, the next line; milliseconds since
    double load_cpu_s;                       // processor time of the load, until the fault began
};

struct load {
    bool polite; // asks again as it is told to
    char mix[128], duration[32], spike[512], seed[32], connections[16];
};

[[gnu::format(printf, 2, 3)]] bool play_fail(struct play *play, const char *format, ...);
// What is to be offered, by what the machine can do.
bool play_plan_load(struct play *play, struct load *load);
bool play_start_load(struct play *play, const struct load *load);
// Processor time that the load has used, and the drill itself, which reads along.
double play_load_cpu_s(const struct play *play);
// Counts, from the raw log and from what stayd said.
void play_measure(struct play *play);
// Keeps the postmortem and stayd's log in the result's folder.
void play_keep(struct play *play);
// True when every bar was met; else the result says which was not.
bool play_judge(struct play *play);

#endif
