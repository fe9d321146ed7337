// SPDX-License-Identifier: ISC
// Five weeks of one row a minute, in one file of bounded size: what stayctl review looks back on. Used by
// stayd-watch. Owns: a descriptor and the minute under way. Bounds: HISTORY_MINUTES rows of HISTORY_ROW_SIZE
// bytes, 8 MB. The file is data_dir/incidents/.history; it may be removed at any time.
#ifndef WATCH_HISTORY_H
#define WATCH_HISTORY_H

#include "watch/saturation.h"
#include "watch/sums.h"

enum {
    HISTORY_MINUTES = 5 * 7 * 24 * 60,
    HISTORY_ROW_SIZE = 168,
    HISTORY_UNKNOWN = 255, // of `full`
};

// The figures of a row: identifier, and how two rows of one minute become one.
#define HISTORY_FIELDS(X)                                                                                    \
    X(seconds, ADD) /* that were watched: 60, or fewer after a start */                                      \
    X(checks, ADD)                                                                                           \
    X(logins, ADD)                                                                                           \
    X(changes, ADD)                                                                                          \
    X(others, ADD)                                                                                           \
    X(refused, ADD)                                                                                          \
    X(failed, ADD)                                                                                           \
    X(checks_peak, MOST) /* in the busiest second */                                                         \
    X(logins_peak, MOST)                                                                                     \
    X(changes_peak, MOST)                                                                                    \
    X(check_p99_us, MOST)                                                                                    \
    X(login_p99_us, MOST)                                                                                    \
    X(change_p99_us, MOST)                                                                                   \
    X(sessions, MOST)                                                                                        \
    X(connections, MOST)                                                                                     \
    X(front_processor_ms, ADD)                                                                               \
    X(hashed, ADD)                                                                                           \
    X(hashed_ms, ADD)                                                                                        \
    X(statements, ADD)                                                                                       \
    X(statements_ms, ADD)                                                                                    \
    X(restarts, ADD)                                                                                         \
    X(journal, MOST)                                                                                         \
    X(memory_used_mib, MOST)                                                                                 \
    X(disk_free_mib, LEAST)

enum history_field {
#define X(id, merge) HISTORY_##id,
    HISTORY_FIELDS(X)
#undef X
        HISTORY_FIELD_COUNT
};

struct history_row {
    uint64_t minute; // unix time / 60
    uint32_t field[HISTORY_FIELD_COUNT];
    uint8_t full[SATURATION_RESOURCES_MAX]; // most, in percent
};

struct history {
    int fd; // -1: none
    struct history_row row;
    struct sums begin, latest; // of the minute under way
    bool began;
};

void history_init(struct history *history);
// In this folder; false when it can't be opened, and nothing is kept then. `rows`: how many are there.
[[nodiscard]] bool history_open(struct history *history, int folder, unsigned *rows);
// Writes what there is of the minute under way, and closes.
void history_release(struct history *history);
// To be called every second; a minute that ended is written.
void history_take(struct history *history, const struct watched *watched, const struct sums *sums,
                  const struct watched_now *now);
// Calls `row` with each row of the last HISTORY_MINUTES before `minute`, the oldest first; returns how many.
unsigned history_read(const struct history *history, uint64_t minute, void *context,
                      void (*row)(void *context, const struct history_row *row));

// The form of a row in the file. False for what is none, or was half-written.
void history_encode(const struct history_row *row, uint8_t out[static HISTORY_ROW_SIZE]);
[[nodiscard]] bool history_decode(const uint8_t in[static HISTORY_ROW_SIZE], struct history_row *row);

#endif
