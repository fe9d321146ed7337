// SPDX-License-Identifier: ISC
// The journal of ends: what has ended is on this machine's disk before it is acknowledged, whatever the
// database does, and stays there for a while after the database has it. Used by stayd-store with PostgreSQL.
// Owns: the files `journal-*` of a folder, a thread that writes them, the memory of ends (store/ended.h).
// Bounds: JOURNAL_SEGMENTS_MAX files of JOURNAL_SEGMENT_BYTES (64 MiB, about a million ends), after which an
// end is refused; JOURNAL_UNWRITTEN_MAX entries that wait for the disk; kept JOURNAL_KEPT_S after the
// database acknowledged, less only when the files are full.
//
//   running ──acknowledged──▶ kept ──an hour, or no room──▶ forgotten
//    ▲   └──postponed──▶ waiting ◀──another server────┘
//    └─────────next────────┘
//
// An entry begins as running: its maker tries the database at once. All functions are the loop thread's and
// none of them waits for the disk, but journal_open, journal_next (a read of what was lately written) and
// journal_close.
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include "store/ended.h"
#include "store/journal_file.h"

#include <ev.h>

#define JOURNAL_SEGMENTS_MAX  64u
#define JOURNAL_KEPT_S        3600u
#define JOURNAL_UNWRITTEN_MAX 16384u
#define JOURNAL_WHY_MAX       256

struct journal;

// What was appended up to `sequence` (after what was said before) is on the disk, or could not be written.
// An entry that could not be written is not replayed; its maker refuses it unless the database has it.
typedef void journal_settled(void *owner, uint64_t sequence, bool durable);

enum journal_opened {
    JOURNAL_OPENED,
    JOURNAL_OPEN_FAILED,
    JOURNAL_OPEN_NEWER, // a newer stayd wrote it: a restart would end here again
};
// Reads all that is there, so that journal_ended is complete when this returns. What the database did not
// acknowledge waits. `folder` is duplicated and locked: one process a folder. *why says what went wrong and
// what to do.
[[nodiscard]] enum journal_opened journal_open(struct journal **journal, int folder, struct ev_loop *loop,
                                               journal_settled *on_settled, void *owner,
                                               char why[static JOURNAL_WHY_MAX]);
// Starts the thread that writes, and the timer.
[[nodiscard]] bool journal_start(struct journal *journal);
// Writes what is to be written; nothing is called back.
void journal_close(struct journal **journal);

// What has ended, from the moment it was appended.
const struct ended *journal_ended(const struct journal *journal);

// Appends: the entry's number, or 0: refused, nothing happened (the files are full, the disk does not keep
// up, or no memory). An account's end may keep a session; NULL: none.
uint64_t journal_end_session(struct journal *journal, struct id16 selector);
uint64_t journal_end_account(struct journal *journal, struct id16 account, uint32_t epoch,
                             const struct id16 *keep);

// Is it on the disk?
enum journal_state { JOURNAL_UNSETTLED, JOURNAL_DURABLE, JOURNAL_LOST };
enum journal_state journal_state(const struct journal *journal, uint64_t sequence);
// The database `server` has it; one that is not journal_server's counts as not having it.
void journal_acknowledged(struct journal *journal, uint64_t sequence, struct id16 server);
// The attempt came to nothing: the entry waits to be replayed.
void journal_postponed(struct journal *journal, uint64_t sequence);
// The oldest entry that waits and is on the disk; it is running then.
[[nodiscard]] bool journal_next(struct journal *journal, struct journal_entry *entry);
// Entries that wait, and that are not acknowledged (waiting and running), and all that are kept.
struct journal_counts {
    uint64_t waiting, unacknowledged, kept, segments;
};
struct journal_counts journal_count(const struct journal *journal);

// Which server is spoken with, by whatever changes with a failover. When it is another than before, whatever
// is kept waits again: true.
bool journal_server(struct journal *journal, struct id16 server);

// What the timer does once a second: notes how far the database has come, forgets what is old. `now_s` is
// monotonic. For tests.
void journal_turn(struct journal *journal, uint64_t now_s);

#endif
