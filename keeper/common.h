// SPDX-License-Identifier: ISC
// Lists of common and breached passwords: look-up in a file, and how such a file is made.
// Used by stayd-hash (look-up) and by make-common-passwords (making). A list owns its descriptor.
//
// The file: "staydpw1", the number of entries (u64, little-endian), 256 running counts by first byte (u64
// each), and the entries: the first 8 bytes of the SHA-1 of each password, ascending, each once. Passwords
// from plain text are case-folded before; published SHA-1 lists are taken as they are, so both spellings are
// looked up. Bounds: 2 KiB of memory a list, however long it is; a look-up reads at most COMMON_READ_MAX
// bytes some 20 times. An entry is 8 bytes, so one password in 2^64 / entries is refused by chance: never.
#ifndef KEEPER_COMMON_H
#define KEEPER_COMMON_H

#include "base/bytes.h"

#define COMMON_KEY_SIZE    8
#define COMMON_HEADER_SIZE (8 + 8 + 256 * 8)
#define COMMON_READ_MAX    4096

struct common {
    int fd;
    uint64_t count;
    uint64_t through[256]; // entries whose first byte is at most the index
};

enum common_result {
    COMMON_OK,
    COMMON_UNREADABLE, // the descriptor can't be read (errno)
    COMMON_NOT_A_LIST, // another kind of file; most likely the plain text that a list is made from
    COMMON_DAMAGED,    // cut short, too long, or its counts contradict each other
};
// A sentence for the log or the terminal that says what to do.
const char *common_result_text(enum common_result result);

// Takes the descriptor over; on failure it is closed. Checks the header, not every entry.
[[nodiscard]] enum common_result common_init(struct common *list, int fd);
// A list of which nothing can be known: every answer is COMMON_UNKNOWN.
void common_init_unknown(struct common *list);
void common_release(struct common *list);

// What is known about a password. A list that can't be read any more is COMMON_UNKNOWN, not "absent".
enum common_answer {
    COMMON_ABSENT,
    COMMON_PRESENT,
    COMMON_UNKNOWN,
};
// normal and folded as keeper/text.h makes them. Thread-safe.
[[nodiscard]] enum common_answer common_find(const struct common *list, struct view normal,
                                             struct view folded);

// The key of one spelling.
void common_key(struct view spelling, uint8_t key[COMMON_KEY_SIZE]);
// Sorts the keys, drops repeated ones and writes a whole file; false when the disk fails (errno).
[[nodiscard]] bool common_write(int fd, uint8_t (*keys)[COMMON_KEY_SIZE], size_t count);

#endif
