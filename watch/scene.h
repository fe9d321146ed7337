// SPDX-License-Identifier: ISC
// What a diagnosis looks at: the figures now and from before the onset, and the names that go with them. Used
// by stayd-watch. Owns plain values; made anew for every look. Bounds: texts of SCENE_NAME_SIZE.
#ifndef WATCH_SCENE_H
#define WATCH_SCENE_H

#include "watch/detect.h"

enum { SCENE_NAME_SIZE = 160 };

enum figure_id {
#define FIGURE(id, unit, signal) FIGURE_##id,
#include "watch/figures.def"
#undef FIGURE
    FIGURE_COUNT
};

struct figure {
    double now, before; // NAN: not known
};

// What was usual, kept from the onset on: the ring forgets it after two minutes.
struct baseline {
    double signal[SIGNAL_COUNT];
    double arrivals[SIGNAL_COUNT]; // over the last seconds before: steps are judged by it
    double stage_ms[STATS_HISTOGRAM_COUNT];
    uint64_t onset_ms;
    bool taken;
};

struct scene {
    const struct series *series;
    const struct facts *facts;
    const struct detected *detected;
    const struct baseline *baseline;
    uint64_t now_ms;
    struct window now; // what counts as now
    struct figure figure[FIGURE_COUNT];
    // Names, each made of figures and of what others told.
    uint32_t jumped_ms_ago; // the largest step in log-ins
    int operation;          // the statement that became slower than all others; -1: none
    double at_work;         // how many of it, on the average: so many processors it can use
    double others_more;     // processors that others than stayd use more than before
    const struct fact *lock, *death, *change, *moved, *slow, *down;
    const struct fact *program;        // that uses the processors most; NULL: not known
    int process_hung, process_leaking; // in the series; -1: none
    char text_operation[SCENE_NAME_SIZE], text_leak[SCENE_NAME_SIZE], text_hung[SCENE_NAME_SIZE],
        text_died[SCENE_NAME_SIZE], text_lock[SCENE_NAME_SIZE], text_host[SCENE_NAME_SIZE],
        text_free[SCENE_NAME_SIZE], text_change[SCENE_NAME_SIZE], text_program[SCENE_NAME_SIZE];
};

const char *figure_unit(enum figure_id figure);

// What was usual before the onset.
void baseline_take(struct baseline *baseline, const struct series *series, uint64_t onset_ms);
// Facts are looked for from shortly before the onset on.
void scene_take(struct scene *scene, const struct series *series, const struct facts *facts,
                const struct detected *detected, const struct baseline *baseline);

// The names, once the figures stand.
void scene_name(struct scene *scene);

// A figure with its unit: "58/s", "1.2 s", "93 %", "–" when not known.
void scene_number(double value, const char *unit, char *out, size_t out_size);
// Drops what is left of a character that was cut in two at the end.
void scene_mend(char *text);
// Fills in {now}, {before}, {was} and the names; of a text with two halves the first when `holds`.
void scene_text(const struct scene *scene, const char *text, enum figure_id figure, bool holds, char *out,
                size_t out_size);

#endif
