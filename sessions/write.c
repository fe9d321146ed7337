// SPDX-License-Identifier: ISC
// Sessions come, end and go. Runs in core, the only writer; readers look on at every moment (see read.c).
//
// Invariants, true after every single store:
//   1. An entry whose occupied bit is set is whole. It is filled while the bit is clear; the bit is the last
//   store.
//   2. The bucket's version is raised after a bit was cleared and before the words are filled again.
//   3. A live session is in one of the two buckets that its selector has under the present addressing, at
//   least
//      once; twice only while `change` names the move or the split.
//   4. live counts the set bits, but for the change that `change` names; live_before tells which way it went.
//   5. state goes from live to ending, or the bit is cleared: never back.
// So a core may die at any store: no reader waits for it, and the next core reads one word to know what to
// finish.
//
// A refused store is impossible here: only pages can lack (area_allocate), and they are asked for before
// anything is published.
#include "sessions/write.h"
#include "sessions/write_parts.h"

#include <stdlib.h>

// ---- one place

void change_begin(struct sessions_writer *writer, enum sessions_change_kind kind, struct table_place at)
{
    struct sessions_header *header = &writer->sessions->header;
    store64(writer, &header->live_before, READ(header->live));
    store64(writer, &header->change, (uint64_t)kind << 40 | (uint64_t)at.place << 32 | at.bucket);
}

void change_end(struct sessions_writer *writer)
{
    store64(writer, &writer->sessions->header.change, 0);
}

void place_fill(struct sessions_writer *writer, struct table_place to, const struct sessions_entry *from)
{
    struct sessions_bucket *bucket = &writer->sessions->bucket[to.bucket];
    struct sessions_entry *entry = &bucket->entry[to.place];
    assert(!table_occupied(writer, to));
    store32(writer, &bucket->version, READ(bucket->version) + 1);
    for (int i = 0; i < 2; i++) {
        store64(writer, &entry->selector[i], READ(from->selector[i]));
        store64(writer, &entry->verifier_hash[i], READ(from->verifier_hash[i]));
    }
    store32(writer, &entry->account_slot, READ(from->account_slot));
    store32(writer, &entry->account_generation, READ(from->account_generation));
    store32(writer, &entry->epoch, READ(from->epoch));
    store32(writer, &entry->created, READ(from->created));
    store32(writer, &entry->expires, READ(from->expires));
    store32(writer, &entry->idle_expires, READ(from->idle_expires));
    store32(writer, &entry->idle_s, READ(from->idle_s));
    store32(writer, &entry->state, READ(from->state));
    store16(writer, &bucket->fingerprint[to.place], entry_hash(from).fingerprint);
    store32(writer, &bucket->occupied, READ(bucket->occupied) | 1u << to.place);
}

void place_clear(struct sessions_writer *writer, struct table_place at)
{
    struct sessions_bucket *bucket = &writer->sessions->bucket[at.bucket];
    store32(writer, &bucket->occupied, READ(bucket->occupied) & ~(1u << at.place));
    store32(writer, &bucket->version, READ(bucket->version) + 1);
}

bool bucket_free_place(const struct sessions_writer *writer, uint64_t bucket, struct table_place *at)
{
    uint32_t occupied = READ(writer->sessions->bucket[bucket].occupied);
    for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
        if ((occupied >> i & 1) == 0) {
            *at = (struct table_place){bucket, i};
            return true;
        }
    }
    return false;
}

static bool bucket_find(const struct sessions_writer *writer, uint64_t number,
                        const struct sessions_hash *hash, struct table_place *at)
{
    const struct sessions_bucket *bucket = &writer->sessions->bucket[number];
    uint32_t occupied = READ(bucket->occupied);
    for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
        if ((occupied >> i & 1) != 0 && READ(bucket->fingerprint[i]) == hash->fingerprint &&
            READ(bucket->entry[i].selector[0]) == hash->selector[0] &&
            READ(bucket->entry[i].selector[1]) == hash->selector[1]) {
            *at = (struct table_place){number, i};
            return true;
        }
    }
    return false;
}

bool table_find(const struct sessions_writer *writer, const struct sessions_hash *hash,
                struct table_place *at)
{
    uint64_t addressing = table_addressing(writer);
    return bucket_find(writer, addressing_bucket(addressing, hash->hash[0]), hash, at) ||
           bucket_find(writer, addressing_bucket(addressing, hash->hash[1]), hash, at);
}

void table_remove(struct sessions_writer *writer, struct table_place at)
{
    struct sessions_header *header = &writer->sessions->header;
    change_begin(writer, SESSIONS_CHANGE_CLEAR, at);
    place_clear(writer, at);
    store64(writer, &header->live, READ(header->live) - 1);
    change_end(writer);
}

bool area_allocate(struct sessions_writer *writer, enum sessions_which which, uint64_t offset,
                   _Atomic uint64_t *allocated, uint64_t need, uint64_t limit)
{
    if (need > limit)
        return false;
    uint64_t have = READ(*allocated);
    if (need <= have)
        return true;
    uint64_t want = (need + SESSIONS_CHUNK_BYTES - 1) / SESSIONS_CHUNK_BYTES * SESSIONS_CHUNK_BYTES;
    want = want < limit ? want : limit;
    if (!writer->allocate(writer->context, which, offset + have, want - have))
        return false;
    store64(writer, allocated, want);
    return true;
}

// ---- opening

static bool buckets_allocate(struct sessions_writer *writer, uint64_t count)
{
    uint64_t offset = offsetof(struct sessions_file, bucket);
    return area_allocate(writer, SESSIONS_FILE, offset, &writer->sessions->header.allocated,
                         count * sizeof(struct sessions_bucket), writer->sessions_size - offset);
}

static bool index_allocate_first(struct sessions_writer *writer)
{
    uint64_t offset = (uint64_t)((uint8_t *)writer->index - (uint8_t *)writer->accounts);
    return area_allocate(writer, SESSIONS_ACCOUNTS_FILE, offset, &writer->accounts->header.index_allocated,
                         sizeof(uint32_t) << ACCOUNTS_INDEX_MIN_LEVEL, writer->slot_max * sizeof(uint32_t));
}

static bool sessions_are_sound(const struct sessions_writer *writer)
{
    const struct sessions_header *header = &writer->sessions->header;
    uint64_t change = READ(header->change);
    return READ(header->magic) == SESSIONS_MAGIC && READ(header->bucket_max) == writer->bucket_max &&
           addressing_is_sound(READ(header->addressing), writer->bucket_max) &&
           READ(header->addressing) >> 32 >= SESSIONS_BUCKETS_MIN_LEVEL &&
           addressing_count(READ(header->addressing)) * sizeof(struct sessions_bucket) <=
               READ(header->allocated) &&
           READ(header->pending_high) <= SESSIONS_PENDING_MAX && change >> 40 <= SESSIONS_CHANGE_SPLIT &&
           (change >> 32 & 0xff) < SESSIONS_BUCKET_ENTRIES &&
           (uint32_t)change < addressing_count(READ(header->addressing));
}

static bool accounts_are_sound(const struct sessions_writer *writer)
{
    const struct accounts_header *header = &writer->accounts->header;
    uint64_t index_count = addressing_count(READ(header->index_addressing));
    return READ(header->magic) == ACCOUNTS_MAGIC && READ(header->slot_max) == writer->slot_max &&
           READ(header->slot_count) <= writer->slot_max &&
           READ(header->slot_count) * sizeof(struct accounts_slot) <= READ(header->slots_allocated) &&
           addressing_is_sound(READ(header->index_addressing), writer->slot_max) &&
           index_count * sizeof(uint32_t) <= READ(header->index_allocated) &&
           READ(header->free_head) <= READ(header->slot_count) &&
           READ(header->used) <= READ(header->slot_count);
}

static void sessions_clear(struct sessions_writer *writer)
{
    struct sessions_header *header = &writer->sessions->header;
    for (uint64_t i = 0; i < SESSIONS_PENDING_MAX; i++)
        store32(writer, &writer->sessions->pending[i].kind, SESSIONS_PENDING_NONE);
    for (uint64_t i = 0; i < 1u << SESSIONS_BUCKETS_MIN_LEVEL; i++) {
        struct sessions_bucket *bucket = &writer->sessions->bucket[i];
        store32(writer, &bucket->occupied, 0);
        store32(writer, &bucket->version, READ(bucket->version) + 1);
    }
    store64(writer, &header->addressing, (uint64_t)SESSIONS_BUCKETS_MIN_LEVEL << 32);
    store64(writer, &header->moves, READ(header->moves) + 1);
    store64(writer, &header->live, 0);
    store64(writer, &header->bucket_max, writer->bucket_max);
    store64(writer, &header->change, 0);
    store64(writer, &header->pending_high, 0);
    store32(writer, &header->idle_clock, 0);
}

static void accounts_clear(struct sessions_writer *writer)
{
    struct accounts_header *header = &writer->accounts->header;
    for (uint64_t i = 0; i < 1u << ACCOUNTS_INDEX_MIN_LEVEL; i++)
        store32(writer, &writer->index[i], 0);
    store64(writer, &header->slot_count, 0);
    store64(writer, &header->slot_max, writer->slot_max);
    store64(writer, &header->used, 0);
    store64(writer, &header->free_head, 0);
    store64(writer, &header->free_count, 0);
    store64(writer, &header->index_addressing, (uint64_t)ACCOUNTS_INDEX_MIN_LEVEL << 32);
    store64(writer, &header->changing, 0);
}

// Sets up empty tables. Slots keep their generations and buckets their versions where they had any.
static bool tables_clear(struct sessions_writer *writer)
{
    struct sessions_header *sessions = &writer->sessions->header;
    struct accounts_header *accounts = &writer->accounts->header;
    if (!writer->allocate(writer->context, SESSIONS_FILE, 0, offsetof(struct sessions_file, bucket)) ||
        !writer->allocate(writer->context, SESSIONS_ACCOUNTS_FILE, 0, SESSIONS_HEADER_BYTES))
        return false;
    store64(writer, &sessions->magic, 0);
    store64(writer, &accounts->magic, 0);
    store64(writer, &sessions->allocated, 0);
    store64(writer, &accounts->slots_allocated, 0);
    store64(writer, &accounts->index_allocated, 0);
    if (!buckets_allocate(writer, 1u << SESSIONS_BUCKETS_MIN_LEVEL) || !index_allocate_first(writer))
        return false;
    accounts_clear(writer);
    sessions_clear(writer);
    store64(writer, &accounts->magic, ACCOUNTS_MAGIC);
    store64(writer, &sessions->magic, SESSIONS_MAGIC);
    return true;
}

static bool tables_recover(struct sessions_writer *writer)
{
    table_recover(writer);
    if (READ(writer->accounts->header.changing) != 0 && !accounts_rebuild(writer))
        return false;
    pending_recover(writer);
    return true;
}

enum sessions_opened writer_open(struct sessions_writer *writer)
{
    writer->bucket_max = sessions_buckets_in(writer->sessions_size);
    writer->slot_max = accounts_slots_in(writer->accounts_size);
    if (writer->bucket_max < 1u << SESSIONS_BUCKETS_MIN_LEVEL ||
        writer->slot_max < 1u << ACCOUNTS_INDEX_MIN_LEVEL)
        return SESSIONS_OPEN_FAILED;
    writer->index = (_Atomic uint32_t *)&writer->accounts->slot[writer->slot_max];
    writer->marks = calloc(writer->slot_max / 64 + 1, sizeof(uint64_t));
    if (writer->marks == NULL)
        return SESSIONS_OPEN_FAILED;
    bool existing = sessions_are_sound(writer) && accounts_are_sound(writer);
    if (existing ? !tables_recover(writer) : !tables_clear(writer)) {
        sessions_writer_release(writer);
        return SESSIONS_OPEN_FAILED;
    }
    struct sessions_header *header = &writer->sessions->header;
    store32(writer, &header->core_generation, READ(header->core_generation) + 1);
    return existing ? SESSIONS_OPENED_EXISTING : SESSIONS_OPENED_NEW;
}

enum sessions_opened sessions_writer_open(struct sessions_writer *writer, void *sessions_map,
                                          uint64_t sessions_size, void *accounts_map, uint64_t accounts_size,
                                          sessions_allocate allocate, void *context)
{
    *writer = (struct sessions_writer){
        .sessions = sessions_map,
        .accounts = accounts_map,
        .sessions_size = sessions_size,
        .accounts_size = accounts_size,
        .allocate = allocate,
        .context = context,
    };
    return writer_open(writer);
}

void sessions_writer_release(struct sessions_writer *writer)
{
    free(writer->marks);
    writer->marks = NULL;
}
