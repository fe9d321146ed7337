// SPDX-License-Identifier: ISC
// Upkeep in small steps: what is over leaves the table of sessions, then accounts without use leave theirs.
// Runs in core, between requests.
//
// A pass walks over all buckets, then over all account slots. An account is freed when its bit in `marks` is
// not set at the second walk. Set it: the walk, for every session that stays; a grant, put or find during the
// pass; a session that moves (it may pass from a bucket before the walk to one behind it). The bits are
// cleared at the end.
#include "sessions/write.h"
#include "sessions/write_parts.h"

static bool is_over(uint32_t expires, uint32_t now_s)
{
    return expires != SESSIONS_NEVER && expires <= now_s;
}

// The counter for why this entry goes, or NULL when it stays.
static uint32_t *entry_judge(const struct sessions_writer *writer, const struct sessions_entry *entry,
                             uint32_t now_s, struct sessions_swept *out)
{
    if (is_over(READ(entry->expires), now_s))
        return &out->expired;
    if ((READ(entry->state) & 0xff) == SESSION_ENDING)
        return NULL;
    if (is_over(READ(entry->idle_expires), sessions_idle_clock(writer)))
        return &out->idle;
    const struct accounts_slot *account =
        account_slot_get(writer, READ(entry->account_slot), READ(entry->account_generation));
    return account == NULL || READ(entry->epoch) < READ(account->epoch) ? &out->stale : NULL;
}

static void bucket_sweep(struct sessions_writer *writer, uint64_t bucket, uint32_t now_s,
                         struct sessions_swept *out)
{
    for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
        struct table_place at = {bucket, i};
        if (!table_occupied(writer, at))
            continue;
        const struct sessions_entry *entry = table_entry(writer, at);
        uint32_t *counter = entry_judge(writer, entry, now_s, out);
        if (counter != NULL) {
            table_remove(writer, at);
            ++*counter;
        } else if (READ(entry->account_slot) < writer->slot_max) {
            account_mark(writer, READ(entry->account_slot));
        }
    }
}

static void slot_sweep(struct sessions_writer *writer, uint32_t slot, struct sessions_swept *out)
{
    bool marked = (writer->marks[slot / 64] >> (slot % 64) & 1) != 0;
    if (marked || account_slot_kind(&writer->accounts->slot[slot]) != ACCOUNT_SLOT_HEAD)
        return;
    account_free(writer, slot);
    out->accounts_freed++;
}

static void pass_begin(struct sessions_writer *writer)
{
    uint64_t slot_count = READ(writer->accounts->header.slot_count);
    memset(writer->marks, 0, (slot_count / 64 + 1) * sizeof(uint64_t));
    writer->sweep_bucket = 0;
    writer->sweep_slot = 0;
    writer->sweep_in_accounts = false;
}

void sessions_sweep(struct sessions_writer *writer, uint32_t steps, uint32_t now_s,
                    struct sessions_swept *out)
{
    *out = (struct sessions_swept){0};
    for (uint32_t i = 0; i < steps; i++) {
        if (!writer->sweep_in_accounts) {
            bucket_sweep(writer, writer->sweep_bucket++, now_s, out);
            writer->sweep_in_accounts = writer->sweep_bucket >= addressing_count(table_addressing(writer));
        } else if (writer->sweep_slot < READ(writer->accounts->header.slot_count)) {
            slot_sweep(writer, (uint32_t)writer->sweep_slot++, out);
        } else {
            pass_begin(writer);
            out->pass_done = true;
            return;
        }
    }
}

void sessions_idle_clock_set(struct sessions_writer *writer, uint32_t now_s)
{
    store32(writer, &writer->sessions->header.idle_clock, now_s);
}

uint32_t sessions_idle_clock(const struct sessions_writer *writer)
{
    return READ(writer->sessions->header.idle_clock);
}

void sessions_writer_counts(const struct sessions_writer *writer, struct sessions_counts *out)
{
    struct sessions_reader reader = {.sessions = writer->sessions, .accounts = writer->accounts};
    sessions_reader_counts(&reader, out);
}
