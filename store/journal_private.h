// SPDX-License-Identifier: ISC
// What the journal's two halves (journal.c: the life of entries; journal_open.c: reading all that is there)
// share; private to them.
#ifndef STORE_JOURNAL_PRIVATE_H
#define STORE_JOURNAL_PRIVATE_H

#include "store/journal_writer.h"

#define JOURNAL_WORDS (JOURNAL_SLOTS / 64)

// A slot is an entry or not (a mark, damaged, never written); an entry is running, waiting or acknowledged.
struct journal_segment {
    uint64_t first;
    uint32_t used;           // slots given out
    uint32_t entries;        // bits of `entry`
    uint32_t unacknowledged; // entries without `acknowledged`
    uint32_t waiting;        // of those, the ones without `running`
    uint64_t quiet_since_s;  // when the last one was acknowledged
    uint64_t entry[JOURNAL_WORDS], acknowledged[JOURNAL_WORDS], running[JOURNAL_WORDS];
};

struct journal {
    int folder;
    struct ev_loop *loop;
    ev_async wake;
    ev_timer timer;
    journal_settled *on_settled;
    void *owner;

    struct journal_segment *segments[JOURNAL_SEGMENTS_MAX]; // oldest first; the last is written to
    size_t segment_count;
    uint64_t next;      // sequence number
    uint64_t settled;   // up to it everything is on the disk or given up
    bool rotate;        // the last segment is spoilt
    bool full, failing; // said in the log
    uint64_t now_s;

    bool server_known;
    struct id16 server;
    uint64_t marked; // what the last mark says

    int read_file; // of read_segment
    uint64_t read_segment;

    struct ended ended;
    struct journal_writer writer;
};

static inline bool journal_bit(const uint64_t words[static JOURNAL_WORDS], uint32_t slot)
{
    return (words[slot / 64] >> (slot % 64) & 1) != 0;
}

static inline void journal_bit_set(uint64_t words[static JOURNAL_WORDS], uint32_t slot, bool on)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);
    words[slot / 64] = on ? words[slot / 64] | bit : words[slot / 64] & ~bit;
}

// A new last segment; NULL: too many, or no memory.
struct journal_segment *journal_segment_add(struct journal *journal, uint64_t first);
// Notes the entry at its slot as waiting.
void journal_segment_note(struct journal_segment *segment, uint64_t sequence);
// The segment that has the number; NULL: none.
struct journal_segment *journal_segment_of(const struct journal *journal, uint64_t sequence);
void journal_segment_acknowledge(struct journal *journal, struct journal_segment *segment, uint32_t slot);
// Adds what has ended; false: no memory.
[[nodiscard]] bool journal_remember(struct journal *journal, const struct journal_entry *entry);

// Reads every segment of the folder.
[[nodiscard]] enum journal_opened journal_read_all(struct journal *journal, char why[static JOURNAL_WHY_MAX]);

#endif
