// SPDX-License-Identifier: ISC
// Runs the administrator's command for one alert: its words from the configuration, the JSON object on
// standard input, the essentials in the environment. Used by stayd-alert. Owns: the child while it runs.
// Bounds: COMMAND_WORDS_MAX words, `limit_ms`, after which the whole process group is killed.
#ifndef ALERT_COMMAND_H
#define ALERT_COMMAND_H

#include "base/bytes.h"

enum { COMMAND_WORDS_MAX = 32, COMMAND_WHY_MAX = 200 };

struct command {
    struct view line; // "/path arg arg": words are parted by spaces, nothing is quoted or expanded
    struct view event, incident, sentence;
    struct view input;
    unsigned limit_ms;
    char why[COMMAND_WHY_MAX]; // after a failure: one sentence
};

// True when it ended with status 0.
[[nodiscard]] bool command_run(struct command *command);

// Splits into words (copied into `room`) ended by NULL; false when there are none, or too many.
[[nodiscard]] bool command_split(struct view line, char *room, size_t room_size,
                                 char *words[COMMAND_WORDS_MAX + 1]);

#endif
