// SPDX-License-Identifier: ISC
// Finds accounts by id: chains through the slots, one chain head a word, grown by linear hashing. Runs in
// core; readers never come here. Also makes everything derived anew when a dead core left a change half done.
//   1. Every head is in exactly one chain, the one that its id has under index_addressing.
//   2. Outside of `changing`, the free list and the chains of continuations and heads share the slots without
//   rest.
#include "sessions/write_parts.h"

#include <stdlib.h>

static struct accounts_slot *slot_at(const struct sessions_writer *writer, uint32_t number)
{
    return &writer->accounts->slot[number];
}

static _Atomic uint32_t *chain_of(const struct sessions_writer *writer, uint64_t hash)
{
    return &writer->index[addressing_bucket(READ(writer->accounts->header.index_addressing), hash)];
}

uint32_t index_find(const struct sessions_writer *writer, const struct id16 *id)
{
    uint64_t word[2];
    memcpy(word, id->byte, sizeof word);
    uint32_t next = READ(*chain_of(writer, sessions_mix(word[0] ^ sessions_mix(word[1]))));
    while (next != 0) {
        const struct accounts_slot *slot = slot_at(writer, next - 1);
        if (READ(slot->body[0]) == word[0] && READ(slot->body[1]) == word[1])
            return next - 1;
        next = READ(slot->index_next);
    }
    return ACCOUNT_NONE;
}

static void chain_push(struct sessions_writer *writer, _Atomic uint32_t *chain, uint32_t number)
{
    store32(writer, &slot_at(writer, number)->index_next, READ(*chain));
    store32(writer, chain, number + 1);
}

void index_add(struct sessions_writer *writer, uint32_t number)
{
    chain_push(writer, chain_of(writer, account_id_hash(slot_at(writer, number))), number);
}

void index_remove(struct sessions_writer *writer, uint32_t number)
{
    _Atomic uint32_t *link = chain_of(writer, account_id_hash(slot_at(writer, number)));
    while (READ(*link) != number + 1) {
        assert(READ(*link) != 0);
        link = &slot_at(writer, READ(*link) - 1)->index_next;
    }
    store32(writer, link, READ(slot_at(writer, number)->index_next));
}

void index_grow(struct sessions_writer *writer)
{
    struct accounts_header *header = &writer->accounts->header;
    uint64_t addressing = READ(header->index_addressing);
    uint64_t child = addressing_count(addressing);
    uint64_t offset = SESSIONS_HEADER_BYTES + writer->slot_max * sizeof(struct accounts_slot);
    if (READ(header->used) <= child || child >= writer->slot_max || addressing_grown(addressing) >> 32 > 30 ||
        !area_allocate(writer, SESSIONS_ACCOUNTS_FILE, offset, &header->index_allocated,
                       (child + 1) * sizeof(uint32_t), writer->slot_max * sizeof(uint32_t)))
        return;
    uint32_t next = READ(writer->index[(uint32_t)addressing]);
    store32(writer, &writer->index[(uint32_t)addressing], 0);
    store32(writer, &writer->index[child], 0);
    store64(writer, &header->index_addressing, addressing_grown(addressing));
    while (next != 0) {
        uint32_t number = next - 1;
        next = READ(slot_at(writer, number)->index_next);
        index_add(writer, number);
    }
}

// ---- anew

struct rebuild {
    struct sessions_writer *writer;
    uint64_t slot_count;
    uint64_t *claimed; // one bit a slot: a whole head, or a continuation of one
};

static bool is_claimed(const struct rebuild *rebuild, uint64_t number)
{
    return (rebuild->claimed[number / 64] >> (number % 64) & 1) != 0;
}

static void claim(struct rebuild *rebuild, uint64_t number)
{
    rebuild->claimed[number / 64] |= 1ull << (number % 64);
}

static bool sizes_are_sound(const struct accounts_slot *slot)
{
    uint32_t sizes = READ(slot->sizes);
    return (sizes & 0xff) <= ACCOUNT_NAME_MAX && (sizes >> 8 & 0xff) <= ACCOUNT_DISPLAY_NAME_MAX &&
           (sizes >> 16 & 0xff) <= ACCOUNT_EMAIL_MAX && READ(slot->groups_size) <= ACCOUNT_GROUPS_MAX;
}

// The slots of a whole account, in order; 0 when it is not whole.
static uint32_t account_slots(const struct rebuild *rebuild, uint32_t number,
                              uint32_t slots[ACCOUNT_CHAIN_MAX])
{
    const struct accounts_slot *slot = slot_at(rebuild->writer, number);
    if ((READ(slot->sequence) & 1) != 0 || !sizes_are_sound(slot))
        return 0;
    uint32_t needed = account_slots_needed(account_text_size(slot));
    slots[0] = number;
    for (uint32_t i = 1; i < needed; i++) {
        uint32_t next = READ(slot->next);
        if (next == 0 || next > rebuild->slot_count || is_claimed(rebuild, next - 1))
            return 0;
        slot = slot_at(rebuild->writer, next - 1);
        if (account_slot_kind(slot) != ACCOUNT_SLOT_MORE)
            return 0;
        slots[i] = next - 1;
    }
    return needed;
}

static void head_drop(struct sessions_writer *writer, struct accounts_slot *slot)
{
    store32(writer, &slot->sequence, READ(slot->sequence) | 1);
    store32(writer, &slot->generation, READ(slot->generation) + 1);
    store32(writer, &slot->sizes, (uint32_t)ACCOUNT_SLOT_FREE << 24);
    store32(writer, &slot->sequence, READ(slot->sequence) + 1);
}

static void heads_claim(struct rebuild *rebuild)
{
    for (uint32_t number = 0; number < rebuild->slot_count; number++) {
        struct accounts_slot *slot = slot_at(rebuild->writer, number);
        uint32_t slots[ACCOUNT_CHAIN_MAX];
        // A head that was being written may be any kind by now; odd says so.
        if (account_slot_kind(slot) != ACCOUNT_SLOT_HEAD && (READ(slot->sequence) & 1) == 0)
            continue;
        uint32_t count = account_slots(rebuild, number, slots);
        if (count == 0 || account_slot_kind(slot) != ACCOUNT_SLOT_HEAD)
            head_drop(rebuild->writer, slot);
        else
            for (uint32_t i = 0; i < count; i++)
                claim(rebuild, slots[i]);
    }
}

static void slots_sort_out(struct rebuild *rebuild)
{
    struct sessions_writer *writer = rebuild->writer;
    struct accounts_header *header = &writer->accounts->header;
    uint64_t used = 0, free_count = 0, free_head = 0;
    for (uint32_t number = 0; number < rebuild->slot_count; number++) {
        struct accounts_slot *slot = slot_at(writer, number);
        if (!is_claimed(rebuild, number)) {
            store32(writer, &slot->sizes, (uint32_t)ACCOUNT_SLOT_FREE << 24);
            store32(writer, &slot->next, (uint32_t)free_head);
            free_head = number + 1ull;
            free_count++;
        } else if (account_slot_kind(slot) == ACCOUNT_SLOT_HEAD) {
            index_add(writer, number);
            used++;
        }
    }
    store64(writer, &header->free_head, free_head);
    store64(writer, &header->free_count, free_count);
    store64(writer, &header->used, used);
}

bool accounts_rebuild(struct sessions_writer *writer)
{
    struct accounts_header *header = &writer->accounts->header;
    struct rebuild rebuild = {.writer = writer, .slot_count = READ(header->slot_count)};
    rebuild.claimed = calloc(rebuild.slot_count / 64 + 1, sizeof(uint64_t));
    if (rebuild.claimed == NULL)
        return false;
    uint64_t chains = addressing_count(READ(header->index_addressing));
    for (uint64_t i = 0; i < chains; i++)
        store32(writer, &writer->index[i], 0);
    heads_claim(&rebuild);
    slots_sort_out(&rebuild);
    free(rebuild.claimed);
    store64(writer, &header->changing, 0);
    return true;
}
