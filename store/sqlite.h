// SPDX-License-Identifier: ISC
// One connection to the SQLite file: opening, groups of operations in one transaction, failures sorted by
// what is to be done about them. Used by stayd-store, each connection by one thread at a time. Owns the
// connection and its prepared statements. Bounds: SQLITE_CACHE_KIB to
// SQLITE_CACHE_KIB_MAX of page cache.
//
// Writes go: store_sqlite_begin, store_sqlite_apply for each operation, store_sqlite_commit; only then is any
// of them answered. Reads: store_sqlite_apply alone.
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "store/store.h"

#define SQLITE_CACHE_KIB     512
#define SQLITE_CACHE_KIB_MAX 2048 // while it would help
#define SQLITE_PAGE_BYTES    4096

struct store_sqlite;

enum store_open {
    STORE_OPENED = 1,
    STORE_OPEN_DAMAGED,  // not what stayd wrote: restore from a backup
    STORE_OPEN_NEWER,    // written by a newer stayd
    STORE_OPEN_NO_SPACE, // try again later
    STORE_OPEN_FAILED,   // rights, I/O, memory: try again later
};

// What went wrong below an operation.
enum store_failure {
    STORE_FINE = 0,
    STORE_FAILED_NO_SPACE, // the disk is full: reading goes on
    STORE_FAILED_VALUE,    // the schema refused a value, which is a bug; it concerns one operation
    STORE_FAILED_BUSY,     // locked, or past its deadline: try again
    STORE_FAILED_IO,       // the disk or memory: nothing is certain but what was acknowledged
    STORE_FAILED_DAMAGED,  // the file is not what stayd wrote
};

#define STORE_WHY_MAX 256

// Once, before the first open: the memory that SQLite and its threads hold is kept small.
void store_sqlite_process(void);

// `path` is used as it stands (see store/vfs.h). A writer brings the schema up to date, a reader expects it
// to be. *why says what went wrong and what to do. On success *store is the caller's, to be closed.
[[nodiscard]] enum store_open store_sqlite_open(struct store_sqlite **store, const char *path,
                                                enum store_access access, char why[static STORE_WHY_MAX]);
void store_sqlite_close(struct store_sqlite **store);

[[nodiscard]] enum store_failure store_sqlite_begin(struct store_sqlite *store);
// false: the packet is malformed. A refusal undoes its own operation only. After a failure that concerns the
// whole group, store_sqlite_failure says so and the rest of the group is answered without being run.
[[nodiscard]] bool store_sqlite_apply(struct store_sqlite *store, struct view packet,
                                      struct store_answer *answer);
// In place of a commit: nothing of the group was done.
void store_sqlite_undo(struct store_sqlite *store);
// After a failure nothing of the group was done, or it is unknown whether it was.
[[nodiscard]] enum store_failure store_sqlite_commit(struct store_sqlite *store);
// The last operation's failure, or the group's.
enum store_failure store_sqlite_failure(const struct store_sqlite *store);
// For the log: the last failure's text.
const char *store_sqlite_message(const struct store_sqlite *store);
// How a failed operation is answered.
enum wire_store_outcome store_failure_outcome(enum store_failure failure);

// A read is given up (STORE_FAILED_BUSY) at this monotonic time; 0: never.
void store_sqlite_deadline(struct store_sqlite *store, uint64_t deadline_ns);
// One whole transaction of its own that changes nothing: is writing possible again?
[[nodiscard]] enum store_failure store_sqlite_probe(struct store_sqlite *store);
[[nodiscard]] enum store_failure store_sqlite_state(struct store_sqlite *store, bool *empty,
                                                    uint64_t *last_alive);

// Since when (monotonic) another program keeps this connection from writing, whether or not it is trying just
// now; 0: none does. From any thread.
uint64_t store_sqlite_busy_ns(const struct store_sqlite *store);

// Frames in the write-ahead log since it was last moved into the file.
uint32_t store_sqlite_wal_pages(const struct store_sqlite *store);
// Moves what no reader still needs; it never waits for one. A failure costs disk space only.
[[nodiscard]] enum store_failure store_sqlite_checkpoint(struct store_sqlite *store);
// Gives cached memory back.
void store_sqlite_shrink(struct store_sqlite *store);

// For tests: the plan of every statement is what store/statements.def says; those that are not go to standard
// error.
[[nodiscard]] bool store_sqlite_plans_hold(struct store_sqlite *store);

#endif
