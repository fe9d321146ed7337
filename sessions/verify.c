// SPDX-License-Identifier: ISC
// Walks over both tables and says the first thing that does not fit. For tests and the simulator; slow.
// Runs wherever the writer does, between its changes.
#include "sessions/write.h"
#include "sessions/write_parts.h"

#include <stdlib.h>

static unsigned copies(const struct sessions_writer *writer, const struct sessions_hash *hash)
{
    unsigned count = 0;
    uint64_t bucket[2];
    for (int side = 0; side < 2; side++)
        bucket[side] = addressing_bucket(table_addressing(writer), hash->hash[side]);
    for (int side = 0; side < (bucket[0] == bucket[1] ? 1 : 2); side++) {
        for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
            struct table_place at = {bucket[side], i};
            const struct sessions_entry *entry = table_entry(writer, at);
            count += table_occupied(writer, at) && READ(entry->selector[0]) == hash->selector[0] &&
                     READ(entry->selector[1]) == hash->selector[1];
        }
    }
    return count;
}

static const char *entry_verify(const struct sessions_writer *writer, struct table_place at)
{
    const struct sessions_entry *entry = table_entry(writer, at);
    struct sessions_hash hash = entry_hash(entry);
    uint64_t addressing = table_addressing(writer);
    if (addressing_bucket(addressing, hash.hash[0]) != at.bucket &&
        addressing_bucket(addressing, hash.hash[1]) != at.bucket)
        return "a session is in a bucket that its selector does not lead to";
    if (READ(writer->sessions->bucket[at.bucket].fingerprint[at.place]) != hash.fingerprint)
        return "a fingerprint is not its session's";
    if (copies(writer, &hash) != 1)
        return "a session is in the table twice";
    uint32_t state = READ(entry->state) & 0xff;
    if (state != SESSION_LIVE && state != SESSION_ENDING)
        return "a session is in no known state";
    if (READ(entry->account_slot) >= READ(writer->accounts->header.slot_count))
        return "a session names a slot that was never used";
    return NULL;
}

static const char *sessions_file_verify(const struct sessions_writer *writer)
{
    const struct sessions_header *header = &writer->sessions->header;
    uint64_t live = 0;
    for (uint64_t bucket = 0; bucket < addressing_count(table_addressing(writer)); bucket++) {
        if (READ(writer->sessions->bucket[bucket].occupied) >> SESSIONS_BUCKET_ENTRIES != 0)
            return "a bucket has more places than entries";
        for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
            struct table_place at = {bucket, i};
            if (!table_occupied(writer, at))
                continue;
            live++;
            const char *wrong = entry_verify(writer, at);
            if (wrong != NULL)
                return wrong;
        }
    }
    if (live != READ(header->live))
        return "the count of sessions is wrong";
    return READ(header->change) == 0 ? NULL : "a change of the table of sessions is half done";
}

// What each slot was seen as: every slot is seen once.
struct slots_seen {
    uint64_t *bit;
    uint64_t count;
};

static bool see(struct slots_seen *seen, uint64_t slot, uint64_t slot_count)
{
    if (slot >= slot_count || (seen->bit[slot / 64] >> (slot % 64) & 1) != 0)
        return false;
    seen->bit[slot / 64] |= 1ull << (slot % 64);
    seen->count++;
    return true;
}

static const char *account_verify(const struct sessions_writer *writer, uint64_t number,
                                  struct slots_seen *seen)
{
    uint64_t slot_count = READ(writer->accounts->header.slot_count);
    const struct accounts_slot *slot = &writer->accounts->slot[number];
    if (!see(seen, number, slot_count))
        return "a slot is in the index twice, or out of bounds";
    if (account_slot_kind(slot) != ACCOUNT_SLOT_HEAD || (READ(slot->sequence) & 1) != 0)
        return "the index leads to a slot that is no whole account";
    for (uint32_t left = account_slots_needed(account_text_size(slot)) - 1; left > 0; left--) {
        uint32_t next = READ(slot->next);
        if (next == 0 || !see(seen, next - 1, slot_count))
            return "a continuation is shared, or out of bounds";
        slot = &writer->accounts->slot[next - 1];
        if (account_slot_kind(slot) != ACCOUNT_SLOT_MORE)
            return "a continuation is not one";
    }
    return READ(slot->next) == 0 ? NULL : "a text goes on after its end";
}

static const char *index_verify(const struct sessions_writer *writer, struct slots_seen *seen)
{
    const struct accounts_header *header = &writer->accounts->header;
    uint64_t addressing = READ(header->index_addressing);
    uint64_t used = 0;
    for (uint64_t chain = 0; chain < addressing_count(addressing); chain++) {
        for (uint32_t next = READ(writer->index[chain]); next != 0;
             next = READ(writer->accounts->slot[next - 1].index_next)) {
            const char *wrong = account_verify(writer, next - 1, seen);
            if (wrong != NULL)
                return wrong;
            if (addressing_bucket(addressing, account_id_hash(&writer->accounts->slot[next - 1])) != chain)
                return "an account is in another's chain";
            used++;
        }
    }
    return used == READ(header->used) ? NULL : "the count of accounts is wrong";
}

static const char *free_verify(const struct sessions_writer *writer, struct slots_seen *seen)
{
    const struct accounts_header *header = &writer->accounts->header;
    uint64_t free_count = 0;
    for (uint64_t next = READ(header->free_head); next != 0;
         next = READ(writer->accounts->slot[next - 1].next)) {
        if (!see(seen, next - 1, READ(header->slot_count)))
            return "a free slot is in use, or out of bounds";
        if (account_slot_kind(&writer->accounts->slot[next - 1]) != ACCOUNT_SLOT_FREE)
            return "a free slot is not marked free";
        free_count++;
    }
    if (free_count != READ(header->free_count))
        return "the count of free slots is wrong";
    return seen->count == READ(header->slot_count) ? NULL : "a slot is neither free nor in use";
}

const char *sessions_verify(const struct sessions_writer *writer)
{
    const char *wrong = sessions_file_verify(writer);
    if (wrong != NULL)
        return wrong;
    if (READ(writer->accounts->header.changing) != 0)
        return "a change of the table of accounts is half done";
    struct slots_seen seen = {
        .bit = calloc(READ(writer->accounts->header.slot_count) / 64 + 1, sizeof(uint64_t))};
    if (seen.bit == NULL)
        return "no memory to verify";
    wrong = index_verify(writer, &seen);
    if (wrong == NULL)
        wrong = free_verify(writer, &seen);
    free(seen.bit);
    return wrong;
}
