// SPDX-License-Identifier: ISC
// A planted race, for drills; in builds with fault points only. Runs in core, while the point "sessions_race"
// is armed; its number is for how many microseconds readers meet what they must never believe.
//
// Two bugs as they happen: a slot is given to another account while sessions still point to it, and its
// sequence is not raised (rule 3 of format.h); an entry is led to another slot, and its bucket's version is
// not raised (rule 2). Readers have only owner and generation left to tell. Core's own tables are as they
// were when it returns, but for a generation: its sessions are misses, and come back by way of the store.
#include "sessions/write.h"
#include "sessions/write_parts.h"

#include "base/clock.h"
#include "base/fault.h"

static void let_them_look(int64_t us)
{
    uint64_t end_ns = clock_mono_ns() + (uint64_t)us * 1000;
    while (clock_mono_ns() < end_ns) {
    }
}

// Another account than this one; ACCOUNT_NONE: there is none.
static uint32_t another(const struct sessions_writer *writer, uint32_t number)
{
    uint64_t count = READ(writer->accounts->header.slot_count);
    for (uint64_t i = 1; i < count; i++) {
        uint32_t other = (uint32_t)((number + i) % count);
        if (READ(writer->accounts->slot[other].sizes) >> 24 == ACCOUNT_SLOT_HEAD)
            return other;
    }
    return ACCOUNT_NONE;
}

static void reuse_slot(struct sessions_writer *writer, uint32_t victim, uint32_t other, int64_t us)
{
    struct accounts_slot *slot = &writer->accounts->slot[victim];
    const struct accounts_slot *from = &writer->accounts->slot[other];
    uint64_t kept[ACCOUNT_BODY_WORDS];
    store32(writer, &slot->generation, READ(slot->generation) + 1);
    for (unsigned i = 2; i < ACCOUNT_BODY_WORDS; i++) {
        kept[i] = READ(slot->body[i]);
        store64(writer, &slot->body[i], READ(from->body[i]));
    }
    let_them_look(us);
    for (unsigned i = 2; i < ACCOUNT_BODY_WORDS; i++) {
        store64(writer, &slot->body[i], kept[i]);
    }
}

static void mislead_entry(struct sessions_writer *writer, uint32_t slot, int64_t us)
{
    static uint64_t turn;
    uint64_t buckets = addressing_count(table_addressing(writer));
    struct table_place at = {.bucket = turn++ % buckets};
    for (; at.place < SESSIONS_BUCKET_ENTRIES; at.place++) {
        if (table_occupied(writer, at)) {
            struct sessions_entry *entry = table_entry(writer, at);
            uint32_t kept = READ(entry->account_slot);
            store32(writer, &entry->account_slot, slot);
            let_them_look(us);
            store32(writer, &entry->account_slot, kept);
            return;
        }
    }
}

void race_plant(struct sessions_writer *writer, uint32_t number)
{
    uint32_t victim = FAULT("sessions_race") ? another(writer, number) : ACCOUNT_NONE;
    int64_t us = FAULT_VALUE("sessions_race");
    if (victim != ACCOUNT_NONE) {
        reuse_slot(writer, victim, number, us);
        mislead_entry(writer, victim, us);
    }
}
