// SPDX-License-Identifier: ISC
// Answers "whose session is this?" from the shared tables. Runs in front, watch, and (texts only) core.
//
// Why a reader is right without a lock. The writer stores with release and the reader loads with acquire,
// word by word, in the order written here; on x86 both are plain moves.
//   1. An entry is taken only if its occupied bit was set after the version was read and the version is the
//   same after the
//      copy. The version is raised between the clearing of a bit and the next use of its words, so a copy
//      that mixes two sessions has seen the version change.
//   2. A session that is found nowhere may have moved behind the reader's back: then `moves` was raised
//   before it left
//      its old place, and the reader, who saw it gone, sees that and begins again.
//   3. The account is taken under its own sequence and only with the generation that the entry names. After
//   it the
//      bucket's version is read once more: entry and account were both there at one moment.
//   4. The idle clock is read before the entry. A clock that has passed an expiry was set after that expiry
//   was
//      extended, if it was; so a live session is never called idle.
//   5. A kept session is restamped before its account's epoch is raised. Who sees the raised epoch and the
//   old stamp
//      reads the stamp again.
//   6. What does not fit (addressing, slots, lengths, kinds) is a MISS, never an access outside the mappings.
#include "sessions/read.h"

enum { CHECK_TRIES = 32 };

#ifndef LOAD // interleave_test.c has one that gives way to the writer
#define LOAD(word) atomic_load_explicit(&(word), memory_order_acquire)
#endif

struct entry_copy {
    uint64_t verifier_hash[2];
    uint32_t account_slot;
    uint32_t account_generation;
    uint32_t epoch;
    uint32_t created;
    uint32_t expires;
    uint32_t idle_expires;
    uint32_t idle_s;
    uint32_t state;
};

// Where an entry was found, to look again.
struct entry_place {
    const struct sessions_bucket *bucket;
    const struct sessions_entry *entry;
    uint32_t version;
};

const char *sessions_reason_text(enum sessions_reason reason)
{
    static const char *const text[SESSIONS_REASON_COUNT] = {
        [SESSIONS_REASON_NONE] = "valid",
        [SESSIONS_REASON_ABSENT] = "absent",
        [SESSIONS_REASON_CONTENDED] = "contended",
        [SESSIONS_REASON_GENERATION] = "generation",
        [SESSIONS_REASON_CORRUPT] = "corrupt",
        [SESSIONS_REASON_UNFORMATTED] = "unformatted",
        [SESSIONS_REASON_WRONG_VERIFIER] = "wrong verifier",
        [SESSIONS_REASON_ENDING] = "ending",
        [SESSIONS_REASON_EXPIRED] = "expired",
        [SESSIONS_REASON_IDLE] = "idle",
        [SESSIONS_REASON_EPOCH] = "epoch",
        [SESSIONS_REASON_DISABLED] = "disabled",
    };
    return (unsigned)reason < SESSIONS_REASON_COUNT ? text[reason] : "?";
}

bool sessions_reader_init(struct sessions_reader *reader, const void *sessions_map, uint64_t sessions_size,
                          const void *accounts_map, uint64_t accounts_size)
{
    *reader = (struct sessions_reader){
        .sessions = sessions_map,
        .accounts = accounts_map,
        .bucket_max = sessions_buckets_in(sessions_size),
        .slot_max = accounts_slots_in(accounts_size),
    };
    return reader->bucket_max >= 1u << SESSIONS_BUCKETS_MIN_LEVEL && reader->slot_max > 0;
}

static void entry_copy(const struct sessions_entry *entry, struct entry_copy *copy)
{
    copy->verifier_hash[0] = LOAD(entry->verifier_hash[0]);
    copy->verifier_hash[1] = LOAD(entry->verifier_hash[1]);
    copy->account_slot = LOAD(entry->account_slot);
    copy->account_generation = LOAD(entry->account_generation);
    copy->epoch = LOAD(entry->epoch);
    copy->created = LOAD(entry->created);
    copy->expires = LOAD(entry->expires);
    copy->idle_expires = LOAD(entry->idle_expires);
    copy->idle_s = LOAD(entry->idle_s);
    copy->state = LOAD(entry->state);
}

// NONE: found; ABSENT: not in this bucket; CONTENDED: the bucket changed meanwhile.
static enum sessions_reason bucket_find(const struct sessions_bucket *bucket,
                                        const struct sessions_hash *hash, struct entry_copy *copy,
                                        struct entry_place *place)
{
    uint32_t version = LOAD(bucket->version);
    uint32_t occupied = LOAD(bucket->occupied);
    for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++) {
        if ((occupied >> i & 1) == 0 || LOAD(bucket->fingerprint[i]) != hash->fingerprint)
            continue;
        const struct sessions_entry *entry = &bucket->entry[i];
        if (LOAD(entry->selector[0]) != hash->selector[0] || LOAD(entry->selector[1]) != hash->selector[1])
            continue;
        entry_copy(entry, copy);
        *place = (struct entry_place){bucket, entry, version};
        return LOAD(bucket->version) == version ? SESSIONS_REASON_NONE : SESSIONS_REASON_CONTENDED;
    }
    return SESSIONS_REASON_ABSENT;
}

static const struct sessions_bucket *bucket_at(const struct sessions_reader *reader, uint64_t addressing,
                                               uint64_t hash)
{
    return &reader->sessions->bucket[addressing_bucket(addressing, hash)];
}

static enum sessions_reason reader_find(const struct sessions_reader *reader,
                                        const struct sessions_hash *hash, struct entry_copy *copy,
                                        struct entry_place *place)
{
    const struct sessions_header *header = &reader->sessions->header;
    uint64_t moves = LOAD(header->moves);
    uint64_t addressing = LOAD(header->addressing);
    if (!addressing_is_sound(addressing, reader->bucket_max))
        return SESSIONS_REASON_CORRUPT;
    const struct sessions_bucket *first = bucket_at(reader, addressing, hash->hash[0]);
    const struct sessions_bucket *second = bucket_at(reader, addressing, hash->hash[1]);
    __builtin_prefetch(second);
    enum sessions_reason found = bucket_find(first, hash, copy, place);
    if (found == SESSIONS_REASON_ABSENT && second != first)
        found = bucket_find(second, hash, copy, place);
    if (found == SESSIONS_REASON_ABSENT && LOAD(header->moves) != moves)
        return SESSIONS_REASON_CONTENDED;
    return found;
}

struct text_sizes {
    uint32_t name, display_name, email, groups;
    uint32_t all;
};

static bool text_sizes_read(const struct accounts_slot *slot, struct text_sizes *sizes)
{
    uint32_t word = LOAD(slot->sizes);
    *sizes = (struct text_sizes){
        .name = word & 0xff,
        .display_name = word >> 8 & 0xff,
        .email = word >> 16 & 0xff,
        .groups = LOAD(slot->groups_size),
    };
    if (sizes->name > ACCOUNT_NAME_MAX || sizes->display_name > ACCOUNT_DISPLAY_NAME_MAX ||
        sizes->email > ACCOUNT_EMAIL_MAX || sizes->groups > ACCOUNT_GROUPS_MAX)
        return false;
    sizes->all = sizes->name + sizes->display_name + sizes->email + sizes->groups;
    return true;
}

// Copies whole words, so up to 7 bytes more than `size`: out->text has room for them.
static uint32_t words_copy(const _Atomic uint64_t *from, uint32_t words_max, uint8_t *to, uint32_t size)
{
    uint32_t words = (size + 7) / 8;
    words = words < words_max ? words : words_max;
    for (uint32_t i = 0; i < words; i++) {
        uint64_t word = LOAD(from[i]);
        memcpy(to + (size_t)i * 8, &word, 8);
    }
    return words * 8;
}

// How many slots may be read. It grows: to be asked after what leads to a slot was read.
static uint64_t slots_readable(const struct sessions_reader *reader)
{
    uint64_t slot_count = LOAD(reader->accounts->header.slot_count);
    return slot_count <= reader->slot_max ? slot_count : 0;
}

// Follows the chain of slots until `size` bytes are there; false when it leads anywhere else.
static bool text_read(const struct sessions_reader *reader, const struct accounts_slot *slot, uint32_t size,
                      uint8_t *text)
{
    uint32_t done = words_copy(&slot->body[2], ACCOUNT_BODY_WORDS - 2, text, size);
    while (done < size) {
        uint64_t next = LOAD(slot->next);
        if (next == 0 || next > slots_readable(reader))
            return false;
        slot = &reader->accounts->slot[next - 1];
        if (LOAD(slot->sizes) >> 24 != ACCOUNT_SLOT_MORE)
            return false;
        done += words_copy(slot->body, ACCOUNT_BODY_WORDS, text + done, size - done);
    }
    return true;
}

static void text_views(struct sessions_identity *out, const struct text_sizes *sizes)
{
    const uint8_t *at = out->text;
    out->name = view_of(at, sizes->name);
    at += sizes->name;
    out->display_name = view_of(at, sizes->display_name);
    at += sizes->display_name;
    out->email = view_of(at, sizes->email);
    at += sizes->email;
    out->groups = view_of(at, sizes->groups);
}

// A slot is two cache lines; both are fetched while the verifier is compared.
static void account_prefetch(const struct sessions_reader *reader, uint32_t number)
{
    if (number < reader->slot_max) {
        __builtin_prefetch(&reader->accounts->slot[number]);
        __builtin_prefetch((const uint8_t *)&reader->accounts->slot[number] + 64);
    }
}

// The account fields of *out; account_slot, account_generation and epoch are the caller's to set.
static enum sessions_reason account_read(const struct sessions_reader *reader, uint32_t number,
                                         uint32_t generation, struct sessions_identity *out, uint32_t *epoch)
{
    if (number >= slots_readable(reader))
        return SESSIONS_REASON_CORRUPT;
    const struct accounts_slot *slot = &reader->accounts->slot[number];
    uint32_t sequence = LOAD(slot->sequence);
    if ((sequence & 1) != 0)
        return SESSIONS_REASON_CONTENDED;
    struct text_sizes sizes;
    enum sessions_reason reason = SESSIONS_REASON_NONE;
    if (LOAD(slot->sizes) >> 24 != ACCOUNT_SLOT_HEAD || LOAD(slot->generation) != generation) {
        reason = SESSIONS_REASON_GENERATION;
    } else if (!text_sizes_read(slot, &sizes) || !text_read(reader, slot, sizes.all, out->text)) {
        reason = SESSIONS_REASON_CORRUPT;
    } else {
        words_copy(slot->body, 2, out->account.byte, 16);
        out->account_flags = LOAD(slot->flags);
        *epoch = LOAD(slot->epoch);
        text_views(out, &sizes);
        // The sequence says that nobody wrote meanwhile; that the slot is still this account's is looked at
        // for itself, so that a writer that forgets the one is caught by the other.
        if (LOAD(slot->generation) != generation) {
            reason = SESSIONS_REASON_GENERATION;
        }
    }
    return LOAD(slot->sequence) == sequence ? reason : SESSIONS_REASON_CONTENDED;
}

// What the entry says by itself. The verifier comes first: who does not have it learns nothing else.
static enum sessions_reason entry_judge(const struct entry_copy *copy, const uint8_t verifier_hash[16],
                                        uint32_t now_s, uint32_t idle_clock)
{
    if (!equal_secret(copy->verifier_hash, verifier_hash, 16))
        return SESSIONS_REASON_WRONG_VERIFIER;
    if ((copy->state & 0xff) == SESSION_ENDING)
        return SESSIONS_REASON_ENDING;
    if ((copy->state & 0xff) != SESSION_LIVE)
        return SESSIONS_REASON_CORRUPT;
    if (copy->expires != SESSIONS_NEVER && copy->expires <= now_s)
        return SESSIONS_REASON_EXPIRED;
    if (copy->idle_expires != SESSIONS_NEVER && copy->idle_expires <= idle_clock)
        return SESSIONS_REASON_IDLE;
    return SESSIONS_REASON_NONE;
}

static enum sessions_reason account_judge(const struct entry_copy *copy, const struct entry_place *place,
                                          uint32_t account_epoch, uint32_t account_flags)
{
    if (LOAD(place->bucket->version) != place->version)
        return SESSIONS_REASON_CONTENDED;
    if (copy->epoch < account_epoch)
        return LOAD(place->entry->epoch) == copy->epoch ? SESSIONS_REASON_EPOCH : SESSIONS_REASON_CONTENDED;
    return (account_flags & ACCOUNT_DISABLED) != 0 ? SESSIONS_REASON_DISABLED : SESSIONS_REASON_NONE;
}

// Seen last at idle_expires - idle_s; worth a note when a sixteenth of the idle time has passed since.
static bool note_is_due(const struct entry_copy *copy, uint32_t now_s)
{
    if (copy->idle_s == 0 || copy->idle_expires == SESSIONS_NEVER)
        return false;
    int64_t seen_s = (int64_t)copy->idle_expires - copy->idle_s;
    return now_s >= seen_s + copy->idle_s / 16;
}

static void identity_fill(struct sessions_identity *out, const struct entry_copy *copy, uint32_t now_s)
{
    out->account_slot = copy->account_slot;
    out->account_generation = copy->account_generation;
    out->epoch = copy->epoch;
    out->created = copy->created;
    out->expires = copy->expires;
    out->idle_expires = copy->idle_expires;
    out->idle_s = copy->idle_s;
    out->level = (uint8_t)(copy->state >> 8);
    out->note_seen = note_is_due(copy, now_s);
}

static enum sessions_reason check_once(const struct sessions_reader *reader, const struct sessions_hash *hash,
                                       const uint8_t verifier_hash[16], uint32_t now_s,
                                       struct sessions_identity *out)
{
    const struct sessions_header *header = &reader->sessions->header;
    if (LOAD(header->magic) != SESSIONS_MAGIC)
        return SESSIONS_REASON_UNFORMATTED;
    uint32_t idle_clock = LOAD(header->idle_clock);
    struct entry_copy copy;
    struct entry_place place;
    enum sessions_reason reason = reader_find(reader, hash, &copy, &place);
    if (reason == SESSIONS_REASON_NONE)
        account_prefetch(reader, copy.account_slot);
    if (reason == SESSIONS_REASON_NONE)
        reason = entry_judge(&copy, verifier_hash, now_s, idle_clock);
    if (reason != SESSIONS_REASON_NONE)
        return reason;
    uint32_t epoch = 0;
    reason = account_read(reader, copy.account_slot, copy.account_generation, out, &epoch);
    if (reason == SESSIONS_REASON_NONE || reason == SESSIONS_REASON_GENERATION) {
        enum sessions_reason judged = account_judge(&copy, &place, epoch, out->account_flags);
        reason = reason == SESSIONS_REASON_NONE || judged == SESSIONS_REASON_CONTENDED ? judged : reason;
    }
    if (reason == SESSIONS_REASON_NONE)
        identity_fill(out, &copy, now_s);
    return reason;
}

static enum sessions_check reason_check(enum sessions_reason reason)
{
    if (reason == SESSIONS_REASON_NONE)
        return SESSIONS_VALID;
    return reason < SESSIONS_REASON_WRONG_VERIFIER ? SESSIONS_MISS : SESSIONS_INVALID;
}

void sessions_prefetch(const struct sessions_reader *reader, const uint8_t selector[16])
{
    struct sessions_hash hash = sessions_hash_selector(selector);
    uint64_t addressing = LOAD(reader->sessions->header.addressing);
    if (addressing_is_sound(addressing, reader->bucket_max)) {
        __builtin_prefetch(bucket_at(reader, addressing, hash.hash[0]));
        __builtin_prefetch(bucket_at(reader, addressing, hash.hash[1]));
    }
}

// Where one session of several may be.
struct ahead {
    struct sessions_hash hash;
    const struct sessions_bucket *bucket[2];
    const struct sessions_entry *entry;
};

// The entry with this fingerprint; NULL: none. Without a branch for each: which one it is, nobody can
// predict.
static const struct sessions_entry *ahead_entry(const struct sessions_bucket *bucket, uint16_t fingerprint)
{
    uint32_t found = 0;
    for (unsigned i = 0; i < SESSIONS_BUCKET_ENTRIES; i++)
        found |= (uint32_t)(LOAD(bucket->fingerprint[i]) == fingerprint) << i;
    found &= LOAD(bucket->occupied);
    return found == 0 ? NULL : &bucket->entry[__builtin_ctz(found)];
}

// Each loop asks for memory that the one after it reads, and waits for nothing itself. The processor overlaps
// what is asked for back to back, the walks through the page tables too.
void sessions_prefetch_all(const struct sessions_reader *reader, const struct id16 *selectors, size_t count)
{
    struct ahead ahead[SESSIONS_AHEAD_MAX];
    uint64_t addressing = LOAD(reader->sessions->header.addressing);
    if (!addressing_is_sound(addressing, reader->bucket_max))
        return;
    assert(count <= SESSIONS_AHEAD_MAX);
    for (size_t i = 0; i < count; i++) {
        ahead[i].hash = sessions_hash_selector(selectors[i].byte);
        for (unsigned k = 0; k < 2; k++) {
            ahead[i].bucket[k] = bucket_at(reader, addressing, ahead[i].hash.hash[k]);
            __builtin_prefetch(ahead[i].bucket[k]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        ahead[i].entry = ahead_entry(ahead[i].bucket[0], ahead[i].hash.fingerprint);
        if (ahead[i].entry == NULL)
            ahead[i].entry = ahead_entry(ahead[i].bucket[1], ahead[i].hash.fingerprint);
        __builtin_prefetch(ahead[i].entry);
    }
    for (size_t i = 0; i < count; i++) {
        if (ahead[i].entry != NULL)
            account_prefetch(reader, LOAD(ahead[i].entry->account_slot));
    }
}

enum sessions_check sessions_check(const struct sessions_reader *reader, const uint8_t selector[16],
                                   const uint8_t verifier_hash[16], uint32_t now_s,
                                   struct sessions_identity *out)
{
    struct sessions_hash hash = sessions_hash_selector(selector);
    out->account_flags = 0;
    for (out->retries = 0;; out->retries++) {
        out->reason = check_once(reader, &hash, verifier_hash, now_s, out);
        if (out->reason != SESSIONS_REASON_CONTENDED || out->retries + 1 == CHECK_TRIES)
            return reason_check(out->reason);
    }
}

bool sessions_reader_account(const struct sessions_reader *reader, uint32_t slot, uint32_t generation,
                             struct sessions_identity *out)
{
    for (int try = 0; try < CHECK_TRIES; try++) {
        out->reason = account_read(reader, slot, generation, out, &out->epoch);
        if (out->reason != SESSIONS_REASON_CONTENDED)
            break;
    }
    out->account_slot = slot;
    out->account_generation = generation;
    return out->reason == SESSIONS_REASON_NONE;
}

void sessions_reader_counts(const struct sessions_reader *reader, struct sessions_counts *out)
{
    const struct sessions_header *sessions = &reader->sessions->header;
    const struct accounts_header *accounts = &reader->accounts->header;
    *out = (struct sessions_counts){
        .sessions = LOAD(sessions->live),
        .buckets = LOAD(sessions->magic) == SESSIONS_MAGIC ? addressing_count(LOAD(sessions->addressing)) : 0,
        .accounts = LOAD(accounts->used),
        .account_slots = LOAD(accounts->slot_count),
        .sessions_bytes = offsetof(struct sessions_file, bucket) + LOAD(sessions->allocated),
        .accounts_bytes =
            SESSIONS_HEADER_BYTES + LOAD(accounts->slots_allocated) + LOAD(accounts->index_allocated),
        .moves = LOAD(sessions->moves),
        .idle_clock = LOAD(sessions->idle_clock),
        .core_generation = LOAD(sessions->core_generation),
    };
}
