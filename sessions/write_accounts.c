// SPDX-License-Identifier: ISC
// Accounts of live sessions: put, find, raise the epoch, disable, free. Runs in core.
//
// Invariants:
//   1. A head with an even sequence is whole: its text is all there, its chain leads through continuations of
//   its own.
//   2. Generation and kind change only while the sequence is odd; the generation changes whenever a head is
//   freed.
//   3. The epoch never falls while the slot is in use. It and the flags are one store each, in place.
//   4. Everything of several steps happens while `changing` is set. A core that finds it set makes index,
//   free
//      slots and counts anew from the slots (write_index.c); a slot cut short, odd, is freed then: its
//      sessions are misses, and come back from the store.
#include "sessions/write.h"
#include "sessions/write_parts.h"

// The four texts, run together.
struct account_text {
    uint8_t byte[ACCOUNT_TEXT_MAX + 8];
    uint32_t size;
    uint32_t sizes; // the slot's word, kind included
    uint32_t groups_size;
};

static void changing_set(struct sessions_writer *writer, uint64_t value)
{
    store64(writer, &writer->accounts->header.changing, value);
}

static void text_add(struct account_text *text, struct view part)
{
    if (part.size > 0)
        memcpy(text->byte + text->size, part.data, part.size);
    text->size += (uint32_t)part.size;
}

static bool text_make(const struct sessions_account *account, struct account_text *text)
{
    if (account->name.size > ACCOUNT_NAME_MAX || account->display_name.size > ACCOUNT_DISPLAY_NAME_MAX ||
        account->email.size > ACCOUNT_EMAIL_MAX || account->groups.size > ACCOUNT_GROUPS_MAX)
        return false;
    *text = (struct account_text){
        .sizes =
            (uint32_t)(account->name.size | account->display_name.size << 8 | account->email.size << 16) |
            (uint32_t)ACCOUNT_SLOT_HEAD << 24,
        .groups_size = (uint32_t)account->groups.size,
    };
    text_add(text, account->name);
    text_add(text, account->display_name);
    text_add(text, account->email);
    text_add(text, account->groups);
    return true;
}

uint32_t account_slots_needed(uint32_t text_size)
{
    if (text_size <= ACCOUNT_HEAD_TEXT)
        return 1;
    return 1 + (text_size - ACCOUNT_HEAD_TEXT + ACCOUNT_MORE_TEXT - 1) / ACCOUNT_MORE_TEXT;
}

uint32_t account_text_size(const struct accounts_slot *slot)
{
    uint32_t sizes = READ(slot->sizes);
    return (sizes & 0xff) + (sizes >> 8 & 0xff) + (sizes >> 16 & 0xff) + READ(slot->groups_size);
}

struct accounts_slot *account_slot_get(const struct sessions_writer *writer, uint32_t slot,
                                       uint32_t generation)
{
    if (slot >= READ(writer->accounts->header.slot_count))
        return NULL;
    struct accounts_slot *head = &writer->accounts->slot[slot];
    return account_slot_kind(head) == ACCOUNT_SLOT_HEAD && READ(head->generation) == generation ? head : NULL;
}

static void ref_set(const struct accounts_slot *slot, uint32_t number, struct sessions_account_ref *ref)
{
    *ref = (struct sessions_account_ref){
        .slot = number,
        .generation = READ(slot->generation),
        .epoch = READ(slot->epoch),
        .flags = READ(slot->flags),
    };
}

// ---- slots

static bool slots_reserve(struct sessions_writer *writer, uint64_t count)
{
    struct accounts_header *header = &writer->accounts->header;
    uint64_t free_count = READ(header->free_count);
    uint64_t fresh = count > free_count ? count - free_count : 0;
    return area_allocate(writer, SESSIONS_ACCOUNTS_FILE, SESSIONS_HEADER_BYTES, &header->slots_allocated,
                         (READ(header->slot_count) + fresh) * sizeof(struct accounts_slot),
                         writer->slot_max * sizeof(struct accounts_slot));
}

// A slot for the taking: slots_reserve made sure of it.
static uint32_t slot_take(struct sessions_writer *writer)
{
    struct accounts_header *header = &writer->accounts->header;
    uint64_t free_head = READ(header->free_head);
    if (free_head != 0) {
        store64(writer, &header->free_head, READ(writer->accounts->slot[free_head - 1].next));
        store64(writer, &header->free_count, READ(header->free_count) - 1);
        return (uint32_t)(free_head - 1);
    }
    uint32_t number = (uint32_t)READ(header->slot_count);
    struct accounts_slot *slot = &writer->accounts->slot[number];
    store32(writer, &slot->sizes, (uint32_t)ACCOUNT_SLOT_FREE << 24);
    // Generations of different slots have nothing in common: an entry that points to the wrong slot, by
    // whatever bug, does not fit there.
    if (READ(slot->generation) == 0)
        store32(writer, &slot->generation, (uint32_t)sessions_mix(number + 1ull));
    store32(writer, &slot->sequence, (READ(slot->sequence) + 1) & ~1u);
    store64(writer, &header->slot_count, number + 1ull);
    return number;
}

static void slot_give(struct sessions_writer *writer, uint32_t number)
{
    struct accounts_header *header = &writer->accounts->header;
    struct accounts_slot *slot = &writer->accounts->slot[number];
    store32(writer, &slot->sizes, (uint32_t)ACCOUNT_SLOT_FREE << 24);
    store32(writer, &slot->next, (uint32_t)READ(header->free_head));
    store64(writer, &header->free_head, number + 1ull);
    store64(writer, &header->free_count, READ(header->free_count) + 1);
}

// The continuations of a head, given back. The head's sequence is odd.
static void chain_give(struct sessions_writer *writer, const struct accounts_slot *head)
{
    uint32_t next = READ(head->next);
    for (uint32_t left = account_slots_needed(account_text_size(head)) - 1; left > 0; left--) {
        uint32_t number = next - 1;
        next = READ(writer->accounts->slot[number].next);
        slot_give(writer, number);
    }
}

static void words_store(struct sessions_writer *writer, _Atomic uint64_t *to, uint32_t words,
                        const uint8_t *from)
{
    for (uint32_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, from + (size_t)i * 8, sizeof word);
        store64(writer, &to[i], word);
    }
}

static uint32_t words_for(uint32_t size, uint32_t words_max)
{
    uint32_t words = (size + 7) / 8;
    return words < words_max ? words : words_max;
}

// The text into the head and as many continuations as it takes.
static void text_store(struct sessions_writer *writer, struct accounts_slot *head,
                       const struct account_text *text)
{
    words_store(writer, &head->body[2], words_for(text->size, ACCOUNT_BODY_WORDS - 2), text->byte);
    struct accounts_slot *last = head;
    for (uint32_t done = ACCOUNT_HEAD_TEXT; done < text->size; done += ACCOUNT_MORE_TEXT) {
        uint32_t number = slot_take(writer);
        struct accounts_slot *more = &writer->accounts->slot[number];
        store32(writer, &more->next, 0);
        words_store(writer, more->body, words_for(text->size - done, ACCOUNT_BODY_WORDS), text->byte + done);
        store32(writer, &more->sizes, (uint32_t)ACCOUNT_SLOT_MORE << 24);
        store32(writer, &last->next, number + 1);
        last = more;
    }
    if (last == head)
        store32(writer, &head->next, 0);
    store32(writer, &head->groups_size, text->groups_size);
    store32(writer, &head->sizes, text->sizes);
}

static void sequence_raise(struct sessions_writer *writer, struct accounts_slot *slot)
{
    store32(writer, &slot->sequence, READ(slot->sequence) + 1);
}

// ---- put

static uint32_t account_add(struct sessions_writer *writer, const struct sessions_account *account,
                            const struct account_text *text, uint32_t epoch)
{
    struct accounts_header *header = &writer->accounts->header;
    if (!slots_reserve(writer, account_slots_needed(text->size)))
        return ACCOUNT_NONE;
    changing_set(writer, 1);
    uint32_t number = slot_take(writer);
    struct accounts_slot *slot = &writer->accounts->slot[number];
    sequence_raise(writer, slot);
    store32(writer, &slot->generation, READ(slot->generation) + 1);
    store32(writer, &slot->epoch, epoch);
    store32(writer, &slot->flags, account->flags);
    words_store(writer, slot->body, 2, account->id.byte);
    text_store(writer, slot, text);
    sequence_raise(writer, slot);
    index_add(writer, number);
    store64(writer, &header->used, READ(header->used) + 1);
    index_grow(writer);
    changing_set(writer, 0);
    return number;
}

static bool text_is_same(const struct sessions_writer *writer, const struct accounts_slot *slot,
                         const struct account_text *text)
{
    if (READ(slot->sizes) != text->sizes || READ(slot->groups_size) != text->groups_size)
        return false;
    const _Atomic uint64_t *body = &slot->body[2];
    uint32_t words_left = ACCOUNT_BODY_WORDS - 2;
    for (uint32_t done = 0; done < text->size; done += 8) {
        if (words_left == 0) {
            slot = &writer->accounts->slot[READ(slot->next) - 1];
            body = slot->body;
            words_left = ACCOUNT_BODY_WORDS;
        }
        uint64_t word = READ(*body);
        if (memcmp(&word, text->byte + done, 8) != 0)
            return false;
        body++;
        words_left--;
    }
    return true;
}

// Without slots for the new text the account is taken out: its sessions are misses, not out of date.
static bool account_rewrite(struct sessions_writer *writer, uint32_t number, const struct account_text *text)
{
    struct accounts_slot *slot = &writer->accounts->slot[number];
    if (text_is_same(writer, slot, text))
        return true;
    uint32_t have = account_slots_needed(account_text_size(slot));
    uint32_t need = account_slots_needed(text->size);
    if (need > have && !slots_reserve(writer, need - have)) {
        account_free(writer, number);
        return false;
    }
    changing_set(writer, 1);
    sequence_raise(writer, slot);
    chain_give(writer, slot);
    text_store(writer, slot, text);
    sequence_raise(writer, slot);
    changing_set(writer, 0);
    return true;
}

enum sessions_account_put_result sessions_account_put(struct sessions_writer *writer,
                                                      const struct sessions_account *account,
                                                      struct sessions_account_ref *ref)
{
    struct account_text text;
    if (!text_make(account, &text))
        return SESSIONS_ACCOUNT_TOO_LONG;
    uint32_t pending = pending_epoch(writer, &account->id);
    uint32_t epoch = account->epoch > pending ? account->epoch : pending;
    uint32_t number = index_find(writer, &account->id);
    if (number == ACCOUNT_NONE) {
        number = account_add(writer, account, &text, epoch);
        if (number == ACCOUNT_NONE)
            return SESSIONS_ACCOUNT_FULL;
    }
    struct accounts_slot *slot = &writer->accounts->slot[number];
    account_mark(writer, number);
    if (epoch < READ(slot->epoch)) {
        ref_set(slot, number, ref);
        return SESSIONS_ACCOUNT_STALE;
    }
    if (!account_rewrite(writer, number, &text))
        return SESSIONS_ACCOUNT_FULL;
    if (READ(slot->epoch) != epoch)
        store32(writer, &slot->epoch, epoch);
    if (READ(slot->flags) != account->flags)
        store32(writer, &slot->flags, account->flags);
#ifdef STAYD_FAULTS
    race_plant(writer, number);
#endif
    ref_set(slot, number, ref);
    return SESSIONS_ACCOUNT_STORED;
}

// ---- find, raise, free

bool sessions_account_find(struct sessions_writer *writer, const struct id16 *id,
                           struct sessions_account_ref *ref)
{
    uint32_t number = index_find(writer, id);
    if (number == ACCOUNT_NONE)
        return false;
    account_mark(writer, number);
    ref_set(&writer->accounts->slot[number], number, ref);
    return true;
}

bool sessions_account_read(const struct sessions_writer *writer, const struct sessions_account_ref *ref,
                           struct sessions_identity *out)
{
    struct sessions_reader reader;
    return sessions_reader_init(&reader, writer->sessions, writer->sessions_size, writer->accounts,
                                writer->accounts_size) &&
           sessions_reader_account(&reader, ref->slot, ref->generation, out);
}

bool sessions_account_raise(struct sessions_writer *writer, const struct id16 *id, uint32_t epoch)
{
    uint32_t number = index_find(writer, id);
    if (number == ACCOUNT_NONE)
        return false;
    struct accounts_slot *slot = &writer->accounts->slot[number];
    if (READ(slot->epoch) < epoch)
        store32(writer, &slot->epoch, epoch);
    return true;
}

bool sessions_account_disable(struct sessions_writer *writer, const struct id16 *id, uint32_t epoch)
{
    uint32_t number = index_find(writer, id);
    if (number == ACCOUNT_NONE)
        return false;
    struct accounts_slot *slot = &writer->accounts->slot[number];
    store32(writer, &slot->flags, READ(slot->flags) | ACCOUNT_DISABLED);
    return sessions_account_raise(writer, id, epoch);
}

bool sessions_end_all(struct sessions_writer *writer, const struct id16 *id, uint32_t epoch,
                      const uint8_t *keep)
{
    uint32_t number = index_find(writer, id);
    if (number == ACCOUNT_NONE)
        return false;
    struct sessions_row kept;
    if (keep != NULL && sessions_find(writer, keep, &kept) && kept.account_slot == number)
        sessions_restamp(writer, keep, epoch);
    return sessions_account_raise(writer, id, epoch);
}

void account_free(struct sessions_writer *writer, uint32_t number)
{
    struct accounts_header *header = &writer->accounts->header;
    struct accounts_slot *slot = &writer->accounts->slot[number];
    changing_set(writer, 1);
    index_remove(writer, number);
    sequence_raise(writer, slot);
    store32(writer, &slot->generation, READ(slot->generation) + 1);
    chain_give(writer, slot);
    slot_give(writer, number);
    sequence_raise(writer, slot);
    store64(writer, &header->used, READ(header->used) - 1);
    changing_set(writer, 0);
}
