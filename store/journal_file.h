// SPDX-License-Identifier: ISC
// The journal's file format, without any file: records of fixed size, and the reading of a whole segment.
// Used by store/journal.c in stayd-store. Owns nothing. Bounds: JOURNAL_SLOTS records a segment.
//
// A segment is an array of records and nothing else. Its name says the sequence number of its first slot, so
// that a record's number follows from its place, and a record that is found elsewhere (an old block of the
// disk, a copy) is not taken for one. There is no header whose loss would cost a whole segment.
//
//   offset  0  'J', version, kind, has_keep     8  sequence    24  id      56  checksum (SipHash-2-4 of what
//           4  epoch                           16  time        40  keep        is before it)
//
// Integers are little-endian. A slot of zeros is free.
#ifndef STORE_JOURNAL_FILE_H
#define STORE_JOURNAL_FILE_H

#include "base/bytes.h"

#define JOURNAL_RECORD_BYTES  64
#define JOURNAL_SLOTS         16384u
#define JOURNAL_SEGMENT_BYTES (JOURNAL_SLOTS * JOURNAL_RECORD_BYTES)
#define JOURNAL_NAME_MAX      32

enum journal_kind {
    JOURNAL_SESSION = 1, // the session with this selector has ended
    JOURNAL_ACCOUNT = 2, // the account's sessions below `epoch` have ended, `keep` (if any) was raised to it
    JOURNAL_MARK = 3,    // what came no later than `acknowledged` is in the database `id`
};

struct journal_entry {
    uint64_t sequence;
    uint64_t time_s; // for a person who reads it: nothing depends on the wall clock
    enum journal_kind kind;
    bool has_keep;
    uint32_t epoch;
    struct id16 id;
    struct id16 keep;
    uint64_t acknowledged; // of a mark; takes the place of `keep`
};

void journal_record_write(uint8_t record[static JOURNAL_RECORD_BYTES], const struct journal_entry *entry);

enum journal_slot {
    JOURNAL_SLOT_WHOLE,
    JOURNAL_SLOT_FREE,
    JOURNAL_SLOT_DAMAGED, // torn, overwritten, or not of this place
    JOURNAL_SLOT_NEWER,   // whole, of a version, kind or flag that this stayd does not know
};
enum journal_slot journal_record_read(const uint8_t record[static JOURNAL_RECORD_BYTES], uint64_t sequence,
                                      struct journal_entry *entry);

struct journal_scan {
    uint32_t used;    // slots up to the last whole record: what follows was never said to be durable
    uint32_t whole;   // records
    uint32_t damaged; // slots before the last whole record that hold something else
    bool newer;
};
// Reads a segment; `visit` gets the whole records in order.
void journal_scan(struct view segment, uint64_t first, struct journal_scan *scan,
                  void (*visit)(void *owner, const struct journal_entry *entry), void *owner);

void journal_name(uint64_t first, char name[static JOURNAL_NAME_MAX]);
[[nodiscard]] bool journal_name_read(const char *name, uint64_t *first);

#endif
