// SPDX-License-Identifier: ISC
// What the parts of the writer share (write.c, write_grow.c, write_accounts.c, write_index.c,
// write_pending.c, write_sweep.c, verify.c). Used inside this room only. Every store to the shared files goes
// through store16/32/64: that is where tests cut the writer short.
#ifndef SESSIONS_WRITE_PARTS_H
#define SESSIONS_WRITE_PARTS_H

#include "sessions/write.h"

enum { SESSIONS_CHUNK_BYTES = 64 * 1024 }; // files get their pages in steps of this

// The writer's own reads: nobody else stores.
#define READ(word) atomic_load_explicit(&(word), memory_order_relaxed)

static inline void writer_step(const struct sessions_writer *writer)
{
    if (writer->step != NULL)
        writer->step(writer->step_context);
}

static inline void store16(const struct sessions_writer *writer, _Atomic uint16_t *word, uint16_t value)
{
    writer_step(writer);
    atomic_store_explicit(word, value, memory_order_release);
}

static inline void store32(const struct sessions_writer *writer, _Atomic uint32_t *word, uint32_t value)
{
    writer_step(writer);
    atomic_store_explicit(word, value, memory_order_release);
}

static inline void store64(const struct sessions_writer *writer, _Atomic uint64_t *word, uint64_t value)
{
    writer_step(writer);
    atomic_store_explicit(word, value, memory_order_release);
}

// One place in the table of sessions.
struct table_place {
    uint64_t bucket;
    unsigned place;
};

static inline struct sessions_entry *table_entry(const struct sessions_writer *writer, struct table_place at)
{
    return &writer->sessions->bucket[at.bucket].entry[at.place];
}

static inline bool table_occupied(const struct sessions_writer *writer, struct table_place at)
{
    return (READ(writer->sessions->bucket[at.bucket].occupied) >> at.place & 1) != 0;
}

static inline uint64_t table_addressing(const struct sessions_writer *writer)
{
    return READ(writer->sessions->header.addressing);
}

static inline struct sessions_hash entry_hash(const struct sessions_entry *entry)
{
    return sessions_hash_words(READ(entry->selector[0]), READ(entry->selector[1]));
}

// ---- write.c: one place, one change

// sessions_writer_open after the fields that the caller gives are set (tests set `step` too).
[[nodiscard]] enum sessions_opened writer_open(struct sessions_writer *writer);

// Names the change that follows, so that the next core can finish or undo it.
void change_begin(struct sessions_writer *writer, enum sessions_change_kind kind, struct table_place at);
void change_end(struct sessions_writer *writer);
// Copies an entry into a free place and makes it visible.
void place_fill(struct sessions_writer *writer, struct table_place to, const struct sessions_entry *entry);
void place_clear(struct sessions_writer *writer, struct table_place at);
bool table_find(const struct sessions_writer *writer, const struct sessions_hash *hash,
                struct table_place *at);
// A free place in a bucket; false when it is full.
bool bucket_free_place(const struct sessions_writer *writer, uint64_t bucket, struct table_place *at);
// Takes an entry out of the table, `live` with it.
void table_remove(struct sessions_writer *writer, struct table_place at);
// Gives pages to the first `need` bytes of an area that begins at `offset`; `allocated` is its word in the
// header.
[[nodiscard]] bool area_allocate(struct sessions_writer *writer, enum sessions_which which, uint64_t offset,
                                 _Atomic uint64_t *allocated, uint64_t need, uint64_t limit);

// ---- write_grow.c: splits and moves

// Splits one bucket. False when there are no more buckets or pages.
bool table_grow(struct sessions_writer *writer);
// Splits until one more session keeps the load below its bound, two at most.
void table_grow_ahead(struct sessions_writer *writer);
// A free place for `hash`, made by moving others when there is none.
bool table_make_place(struct sessions_writer *writer, const struct sessions_hash *hash,
                      struct table_place *at);
// What a dead core's change left: finished, or undone.
void table_recover(struct sessions_writer *writer);

// ---- write_accounts.c, write_index.c

enum { ACCOUNT_NONE = UINT32_MAX };

static inline enum account_kind account_slot_kind(const struct accounts_slot *slot)
{
    return (enum account_kind)(READ(slot->sizes) >> 24);
}

static inline uint64_t account_id_hash(const struct accounts_slot *slot)
{
    return sessions_mix(READ(slot->body[0]) ^ sessions_mix(READ(slot->body[1])));
}

static inline void account_mark(struct sessions_writer *writer, uint32_t slot)
{
    assert(slot < writer->slot_max);
    writer->marks[slot / 64] |= 1ull << (slot % 64);
}

// The head that (slot, generation) means, or NULL when it is another's by now.
struct accounts_slot *account_slot_get(const struct sessions_writer *writer, uint32_t slot,
                                       uint32_t generation);
// Takes an account out. Its generation is another afterwards: entries that name it are misses.
void account_free(struct sessions_writer *writer, uint32_t slot);
// The number of slots that a head's text needs, itself included.
uint32_t account_slots_needed(uint32_t text_size);
uint32_t account_text_size(const struct accounts_slot *slot);

uint32_t index_find(const struct sessions_writer *writer, const struct id16 *id);
void index_add(struct sessions_writer *writer, uint32_t slot);
void index_remove(struct sessions_writer *writer, uint32_t slot);
// Splits one chain when there are more accounts than chains.
void index_grow(struct sessions_writer *writer);
// Makes index, free slots and counts anew from the slots. False when there is no memory for it.
[[nodiscard]] bool accounts_rebuild(struct sessions_writer *writer);

// ---- write_pending.c

// The epoch that pending ends give this account; 0 when there are none.
uint32_t pending_epoch(const struct sessions_writer *writer, const struct id16 *id);
bool pending_has_end(const struct sessions_writer *writer, const uint8_t selector[16]);
// The epoch of a session that pending ends of its account keep.
uint32_t pending_kept_epoch(const struct sessions_writer *writer, const struct id16 *account,
                            const uint8_t selector[16], uint32_t epoch);
// Counts the pending ends of a dead core and makes them visible again.
void pending_recover(struct sessions_writer *writer);

// race.c, in builds with fault points: what a drill plants after an account was put.
void race_plant(struct sessions_writer *writer, uint32_t number);

#endif
