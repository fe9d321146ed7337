// SPDX-License-Identifier: ISC
// What the other processes told watch: deaths, reloads, slow statements, locks. The newest FACTS_MAX are
// kept. Used by stayd-watch. Owns copies of their text, cleaned: one line, well-formed UTF-8, nothing that a
// terminal or a log would obey.
#ifndef WATCH_FACTS_H
#define WATCH_FACTS_H

#include "wire/messages.h"

#include "watch/watched.h"

enum { FACTS_MAX = 256, FACT_NAME_SIZE = 65, FACT_TEXT_SIZE = 2049, FACT_MORE_SIZE = 4097 };

struct wire_event; // wire/messages.def

struct fact {
    uint8_t kind; // as in the message
    uint8_t role; // enum stats_role it is about
    uint16_t index;
    uint64_t number; // 1, 2, 3 … in the order they came
    uint64_t mono_ms, wall_ms;
    uint64_t a, b;
    char name[FACT_NAME_SIZE], text[FACT_TEXT_SIZE], more[FACT_MORE_SIZE];
};

struct facts; // large

[[nodiscard]] struct facts *facts_new(void);
void facts_free(struct facts **facts);
// Takes in one event; its own time counts unless it lies in the future.
void facts_add(struct facts *facts, const struct wire_event *event, struct watched_now now);

uint64_t facts_count(const struct facts *facts); // ever taken in
// The fact of that number; NULL when it is gone or not there yet.
const struct fact *facts_get(const struct facts *facts, uint64_t number);
// The newest of a kind at `since_ms` (monotonic) or later; NULL: none.
const struct fact *facts_last(const struct facts *facts, uint8_t kind, uint64_t since_ms);
// The oldest of a kind at `since_ms` or later; NULL: none.
const struct fact *facts_first(const struct facts *facts, uint8_t kind, uint64_t since_ms);
// How many of a kind at `since_ms` or later.
unsigned facts_number(const struct facts *facts, uint8_t kind, uint64_t since_ms);
// The newest `on` that no `off` (of the same name, where it has one) followed; NULL: none.
const struct fact *facts_standing(const struct facts *facts, uint8_t on, uint8_t off, uint64_t since_ms);

#endif
