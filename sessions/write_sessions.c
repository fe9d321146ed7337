// SPDX-License-Identifier: ISC
// The verbs on sessions: insert, find, end, remove, extend, restamp. Runs in core.
// The invariants are those of write.c; the changes in place (state, idle expiry, epoch) are one store each.
#include "sessions/write.h"
#include "sessions/write_parts.h"

static struct accounts_slot *entry_account(const struct sessions_writer *writer,
                                           const struct sessions_entry *entry)
{
    return account_slot_get(writer, READ(entry->account_slot), READ(entry->account_generation));
}

static bool entry_is_live(const struct sessions_entry *entry)
{
    return (READ(entry->state) & 0xff) == SESSION_LIVE;
}

// Never back: an expiry or an epoch only grows.
static void store_later(struct sessions_writer *writer, _Atomic uint32_t *word, uint32_t value)
{
    if (READ(*word) < value)
        store32(writer, word, value);
}

static void entry_from_row(struct sessions_entry *entry, const struct sessions_row *row,
                           const struct sessions_hash *hash, uint32_t epoch)
{
    uint64_t verifier[2];
    memcpy(verifier, row->verifier_hash, sizeof verifier);
    for (int i = 0; i < 2; i++) {
        atomic_init(&entry->selector[i], hash->selector[i]);
        atomic_init(&entry->verifier_hash[i], verifier[i]);
    }
    atomic_init(&entry->account_slot, row->account_slot);
    atomic_init(&entry->account_generation, row->account_generation);
    atomic_init(&entry->epoch, epoch);
    atomic_init(&entry->created, row->created);
    atomic_init(&entry->expires, row->expires);
    atomic_init(&entry->idle_expires, row->idle_expires);
    atomic_init(&entry->idle_s, row->idle_s);
    atomic_init(&entry->state, SESSION_LIVE | (uint32_t)row->level << 8);
}

// What is to be done with a session that is in the table already. INSERTED: its entry is to be replaced.
static enum sessions_inserted entry_merge(struct sessions_writer *writer, struct sessions_entry *entry,
                                          const struct sessions_row *row, uint32_t epoch)
{
    uint64_t verifier[2] = {READ(entry->verifier_hash[0]), READ(entry->verifier_hash[1])};
    if (!entry_is_live(entry) || !equal_secret(verifier, row->verifier_hash, sizeof verifier))
        return SESSIONS_INSERT_OVER;
    if (READ(entry->account_slot) != row->account_slot ||
        READ(entry->account_generation) != row->account_generation)
        return SESSIONS_INSERTED;
    store_later(writer, &entry->idle_expires, row->idle_expires);
    store_later(writer, &entry->epoch, epoch);
    return SESSIONS_PRESENT;
}

enum sessions_inserted sessions_insert(struct sessions_writer *writer, const struct sessions_row *row)
{
    struct sessions_header *header = &writer->sessions->header;
    const struct accounts_slot *account =
        account_slot_get(writer, row->account_slot, row->account_generation);
    if (account == NULL)
        return SESSIONS_INSERT_STALE_ACCOUNT;
    struct id16 id;
    memcpy(id.byte, account->body, sizeof id);
    uint32_t epoch = pending_kept_epoch(writer, &id, row->selector, row->epoch);
    if (epoch < READ(account->epoch) || pending_has_end(writer, row->selector))
        return SESSIONS_INSERT_OVER;
    account_mark(writer, row->account_slot);

    struct sessions_hash hash = sessions_hash_selector(row->selector);
    struct table_place at;
    if (table_find(writer, &hash, &at)) {
        enum sessions_inserted merged = entry_merge(writer, table_entry(writer, at), row, epoch);
        if (merged != SESSIONS_INSERTED)
            return merged;
        table_remove(writer, at);
    }
    table_grow_ahead(writer);
    if (!table_make_place(writer, &hash, &at))
        return SESSIONS_INSERT_FULL;
    struct sessions_entry entry;
    entry_from_row(&entry, row, &hash, epoch);
    change_begin(writer, SESSIONS_CHANGE_FILL, at);
    place_fill(writer, at, &entry);
    store64(writer, &header->live, READ(header->live) + 1);
    change_end(writer);
    return SESSIONS_INSERTED;
}

static struct sessions_entry *entry_find(const struct sessions_writer *writer, const uint8_t selector[16])
{
    struct sessions_hash hash = sessions_hash_selector(selector);
    struct table_place at;
    return table_find(writer, &hash, &at) ? table_entry(writer, at) : NULL;
}

bool sessions_find(const struct sessions_writer *writer, const uint8_t selector[16], struct sessions_row *row)
{
    const struct sessions_entry *entry = entry_find(writer, selector);
    if (entry == NULL)
        return false;
    uint64_t verifier[2] = {READ(entry->verifier_hash[0]), READ(entry->verifier_hash[1])};
    *row = (struct sessions_row){
        .account_slot = READ(entry->account_slot),
        .account_generation = READ(entry->account_generation),
        .epoch = READ(entry->epoch),
        .created = READ(entry->created),
        .expires = READ(entry->expires),
        .idle_expires = READ(entry->idle_expires),
        .idle_s = READ(entry->idle_s),
        .level = (uint8_t)(READ(entry->state) >> 8),
        .state = (uint8_t)READ(entry->state),
    };
    memcpy(row->selector, selector, sizeof row->selector);
    memcpy(row->verifier_hash, verifier, sizeof row->verifier_hash);
    return true;
}

bool sessions_mark_ending(struct sessions_writer *writer, const uint8_t selector[16])
{
    struct sessions_entry *entry = entry_find(writer, selector);
    if (entry == NULL)
        return false;
    store32(writer, &entry->state, (READ(entry->state) & ~0xffu) | SESSION_ENDING);
    return true;
}

bool sessions_remove(struct sessions_writer *writer, const uint8_t selector[16])
{
    struct sessions_hash hash = sessions_hash_selector(selector);
    struct table_place at;
    if (!table_find(writer, &hash, &at))
        return false;
    table_remove(writer, at);
    return true;
}

bool sessions_extend_idle(struct sessions_writer *writer, const uint8_t selector[16], uint32_t idle_expires)
{
    struct sessions_entry *entry = entry_find(writer, selector);
    if (entry == NULL || !entry_is_live(entry))
        return false;
    store_later(writer, &entry->idle_expires, idle_expires);
    return true;
}

bool sessions_restamp(struct sessions_writer *writer, const uint8_t selector[16], uint32_t epoch)
{
    struct sessions_entry *entry = entry_find(writer, selector);
    if (entry == NULL || !entry_is_live(entry))
        return false;
    const struct accounts_slot *account = entry_account(writer, entry);
    if (account == NULL || READ(entry->epoch) < READ(account->epoch))
        return false;
    store_later(writer, &entry->epoch, epoch);
    return true;
}
