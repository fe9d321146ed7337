// SPDX-License-Identifier: ISC
// The format of the two shared tables: live sessions, and the accounts they belong to.
// Core maps both files for writing (write.h) and is the only writer; fronts and watch map them read-only
// (read.h). Owns nothing. Both files are sparse; their sizes follow from a maximum and never change.
//
// Sessions file
//   +-----------------+------------------------+---------------------------------------------+
//   | header, 4 KiB   | pending, 4096 x 64 B   | buckets, 512 B each, as many as are in use  |
//   +-----------------+------------------------+---------------------------------------------+
//   A bucket is a 64-byte head (version, occupied bits, fingerprints) and 7 entries of 64 bytes. A session
//   has two candidate buckets, one from each half of its selector, and lives in one of them (bucketised
//   cuckoo). Each half is turned into a bucket number by linear hashing: there are n = 2^level + split
//   buckets, and a hash whose low `level` bits are below `split` uses one bit more. The pair (level, split)
//   is one 64-bit word, so that the table grows by one bucket at a time and readers change over atomically.
//
// Accounts file
//   +-----------------+----------------------------------+-----------------------------------------+
//   | header, 4 KiB   | slots, 128 B each                | index: chain heads, 4 B each            |
//   +-----------------+----------------------------------+-----------------------------------------+
//   A slot is a head (one account, its text when short), a continuation of a head's text, or free. The index
//   (by account id: chains through the slots, linear hashing again) is for the writer; readers go by slot
//   number.
//
// Rules that hold for both sides (the argument is in write.c and read.c):
//   1. Every shared word is accessed atomically and belongs to one writer. Writers store with release,
//   readers
//      load with acquire: a reader that saw a word saw all that was stored before it.
//   2. An entry's words are written only while its occupied bit is clear, after the bucket's version was
//   raised.
//      Exceptions, each one atomic store in place: state, idle expiry, epoch.
//   3. A slot's words are written only while its sequence is odd. Exceptions, each one atomic store: epoch,
//   flags.
//   4. A session that moves is in its new place before it leaves the old one, and `moves` is raised in
//   between.
//   5. A slot number means something only together with its generation, which changes whenever the slot is
//   freed.
#ifndef SESSIONS_FORMAT_H
#define SESSIONS_FORMAT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Eight letters; the last one is the version of the format.
#define SESSIONS_MAGIC 0x316e6f6973736573ull // "session1", read as little-endian
#define ACCOUNTS_MAGIC 0x31746e756f636361ull // "account1"

enum {
    SESSIONS_HEADER_BYTES = 4096,
    SESSIONS_BUCKET_ENTRIES = 7,
    SESSIONS_PENDING_MAX = 4096,
    SESSIONS_BUCKETS_MIN_LEVEL = 4, // a new table has 16 buckets
    SESSIONS_MAX_DEFAULT = 1 << 25,
    SESSIONS_MAX_LEAST = 64,
    ACCOUNTS_INDEX_MIN_LEVEL = 4,

    ACCOUNT_NAME_MAX = 64,
    ACCOUNT_DISPLAY_NAME_MAX = 255,
    ACCOUNT_EMAIL_MAX = 254,
    ACCOUNT_GROUPS_MAX = 1024, // joined by commas
    ACCOUNT_TEXT_MAX = ACCOUNT_NAME_MAX + ACCOUNT_DISPLAY_NAME_MAX + ACCOUNT_EMAIL_MAX + ACCOUNT_GROUPS_MAX,
    ACCOUNT_BODY_WORDS = 12,
    ACCOUNT_HEAD_TEXT = (ACCOUNT_BODY_WORDS - 2) * 8, // bytes of text in a head, after the id
    ACCOUNT_MORE_TEXT = ACCOUNT_BODY_WORDS * 8,       // bytes of text in a continuation
    ACCOUNT_CHAIN_MAX =
        1 + (ACCOUNT_TEXT_MAX - ACCOUNT_HEAD_TEXT + ACCOUNT_MORE_TEXT - 1) / ACCOUNT_MORE_TEXT,
};

// An expiry of this value never comes.
#define SESSIONS_NEVER UINT32_MAX

enum session_state {
    SESSION_LIVE = 1,
    SESSION_ENDING = 2, // refused by every reader; waits for the store to know
};

enum account_flag {
    ACCOUNT_DISABLED = 1u << 0,
    ACCOUNT_ADMIN = 1u << 1,
    ACCOUNT_EMAIL_VERIFIED = 1u << 2, // or set by an administrator: may be told to applications
};

enum account_kind {
    ACCOUNT_SLOT_FREE = 0,
    ACCOUNT_SLOT_HEAD = 1,
    ACCOUNT_SLOT_MORE = 2,
};

// One session. Times are unix seconds. An entry is one cache line.
struct sessions_entry {
    _Atomic uint64_t selector[2];
    _Atomic uint64_t verifier_hash[2];
    _Atomic uint32_t account_slot;
    _Atomic uint32_t account_generation;
    _Atomic uint32_t epoch; // ended when below the account's
    _Atomic uint32_t created;
    _Atomic uint32_t expires;      // judged against the reader's clock
    _Atomic uint32_t idle_expires; // judged against idle_clock
    _Atomic uint32_t idle_s;       // the idle time this session is given; 0: it does not expire by idleness
    _Atomic uint32_t state;        // enum session_state, level << 8
};

struct sessions_bucket {
    _Atomic uint32_t version;  // raised before any entry's words are reused
    _Atomic uint32_t occupied; // bit i: entry i is valid
    _Atomic uint16_t fingerprint[8];
    uint8_t reserved[40];
    struct sessions_entry entry[SESSIONS_BUCKET_ENTRIES];
};

enum sessions_pending_kind {
    SESSIONS_PENDING_NONE = 0,
    SESSIONS_PENDING_END = 1,     // one session
    SESSIONS_PENDING_END_ALL = 2, // all of an account but, perhaps, one
};

// What is visible here and not durable yet. `kind` is stored last.
struct sessions_pending_place {
    _Atomic uint32_t kind;
    _Atomic uint32_t epoch;       // END_ALL: the account's new epoch
    _Atomic uint64_t account[2];  // END_ALL
    _Atomic uint64_t selector[2]; // END: the session. END_ALL: the one that is kept, or zeros
    uint8_t reserved[24];
};

// A change of several steps that a crash may have cut short, for the next core.
enum sessions_change_kind {
    SESSIONS_CHANGE_NONE = 0,
    SESSIONS_CHANGE_FILL = 1,  // (bucket, place) is being filled
    SESSIONS_CHANGE_CLEAR = 2, // (bucket, place) is being cleared
    SESSIONS_CHANGE_MOVE = 3,  // what is at (bucket, place) is being moved to its other bucket
    SESSIONS_CHANGE_SPLIT = 4, // `bucket` is being split
};

struct sessions_header {
    // Read at every check: one cache line.
    _Atomic uint64_t magic;      // stored last when the file is set up
    _Atomic uint64_t addressing; // level << 32 | split
    _Atomic uint64_t moves;
    _Atomic uint32_t idle_clock;
    _Atomic uint32_t core_generation; // raised by every core that opens the tables
    uint8_t reserved1[32];
    // The writer's own.
    _Atomic uint64_t live; // entries that are occupied
    _Atomic uint64_t bucket_max;
    _Atomic uint64_t allocated;    // bytes of the bucket area that have pages
    _Atomic uint64_t change;       // kind << 40 | place << 32 | bucket
    _Atomic uint64_t live_before;  // live when `change` was begun
    _Atomic uint64_t pending_high; // places of `pending` ever used
    uint8_t reserved2[16];
    uint8_t reserved3[SESSIONS_HEADER_BYTES - 128];
};

struct sessions_file {
    struct sessions_header header;
    struct sessions_pending_place pending[SESSIONS_PENDING_MAX];
    struct sessions_bucket bucket[];
};

struct accounts_slot {
    _Atomic uint32_t sequence; // odd while being written
    _Atomic uint32_t generation;
    _Atomic uint32_t epoch;
    _Atomic uint32_t flags;      // enum account_flag
    _Atomic uint32_t index_next; // slot + 1 of the next in the same index chain, 0 at the end
    _Atomic uint32_t next;       // slot + 1 of the next continuation or free slot, 0 at the end
    _Atomic uint32_t sizes;      // name | display name << 8 | e-mail << 16 | enum account_kind << 24
    _Atomic uint32_t groups_size;
    // head: id, then text (name, display name, e-mail, groups, run together); continuation: text.
    _Atomic uint64_t body[ACCOUNT_BODY_WORDS];
};

struct accounts_header {
    _Atomic uint64_t magic;
    _Atomic uint64_t slot_count; // slots ever used; all below have pages
    uint8_t reserved1[48];
    // The writer's own.
    _Atomic uint64_t slot_max;
    _Atomic uint64_t used;      // heads
    _Atomic uint64_t free_head; // slot + 1 of the first free slot, 0: none
    _Atomic uint64_t free_count;
    _Atomic uint64_t index_addressing; // level << 32 | split
    _Atomic uint64_t changing;         // not 0 while a change of several steps is under way
    _Atomic uint64_t slots_allocated;  // bytes
    _Atomic uint64_t index_allocated;  // bytes
    uint8_t reserved2[SESSIONS_HEADER_BYTES - 128];
};

struct accounts_file {
    struct accounts_header header;
    struct accounts_slot slot[];
};

static_assert(sizeof(struct sessions_entry) == 64);
static_assert(offsetof(struct sessions_entry, account_slot) == 32);
static_assert(offsetof(struct sessions_entry, state) == 60);
static_assert(sizeof(struct sessions_bucket) == 512);
static_assert(offsetof(struct sessions_bucket, entry) == 64);
static_assert(sizeof(struct sessions_pending_place) == 64);
static_assert(sizeof(struct sessions_header) == SESSIONS_HEADER_BYTES);
static_assert(offsetof(struct sessions_header, live) == 64);
static_assert(offsetof(struct sessions_file, bucket) == SESSIONS_HEADER_BYTES + SESSIONS_PENDING_MAX * 64);
static_assert(sizeof(struct accounts_slot) == 128);
static_assert(offsetof(struct accounts_slot, body) == 32);
static_assert(sizeof(struct accounts_header) == SESSIONS_HEADER_BYTES);
static_assert(offsetof(struct accounts_header, slot_max) == 64);
static_assert(offsetof(struct accounts_file, slot) == SESSIONS_HEADER_BYTES);
static_assert(ACCOUNT_NAME_MAX < 256 && ACCOUNT_DISPLAY_NAME_MAX < 256 && ACCOUNT_EMAIL_MAX < 256);
static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && sizeof(_Atomic uint64_t) == 8);

// The sizes of the two files for a maximum number of sessions (at least SESSIONS_MAX_LEAST). They are
// multiples of 4096. Room is left above the usual load of 0.88, and for as many account slots as sessions.
static inline uint64_t sessions_file_size(uint64_t sessions_max)
{
    uint64_t buckets = sessions_max / 6 + 16;
    uint64_t bytes = offsetof(struct sessions_file, bucket) + buckets * sizeof(struct sessions_bucket);
    return (bytes + 4095) & ~(uint64_t)4095;
}

static inline uint64_t accounts_file_size(uint64_t sessions_max)
{
    uint64_t slots = (sessions_max + 16 + 1023) & ~(uint64_t)1023;
    return SESSIONS_HEADER_BYTES + slots * (sizeof(struct accounts_slot) + sizeof(uint32_t));
}

// The same the other way round: what a mapping of `size` bytes has room for. 0 when it has no room for the
// least.
static inline uint64_t sessions_buckets_in(uint64_t size)
{
    uint64_t before = offsetof(struct sessions_file, bucket);
    return size < before ? 0 : (size - before) / sizeof(struct sessions_bucket);
}

static inline uint64_t accounts_slots_in(uint64_t size)
{
    uint64_t before = SESSIONS_HEADER_BYTES;
    return size < before ? 0 : (size - before) / (sizeof(struct accounts_slot) + sizeof(uint32_t));
}

// Where the slots end and the index begins.
static inline uint64_t accounts_slots_end(uint64_t size)
{
    return SESSIONS_HEADER_BYTES + accounts_slots_in(size) * sizeof(struct accounts_slot);
}

// Linear hashing: the number of the bucket that `hash` has under `addressing`. Below addressing_count always.
static inline uint64_t addressing_count(uint64_t addressing)
{
    return (1ull << ((addressing >> 32) & 31)) + (uint32_t)addressing;
}

static inline uint64_t addressing_bucket(uint64_t addressing, uint64_t hash)
{
    uint64_t mask = (1ull << ((addressing >> 32) & 31)) - 1;
    uint64_t bucket = hash & mask;
    return bucket < (uint32_t)addressing ? hash & (mask << 1 | 1) : bucket;
}

// The word after the bucket `split` was split.
static inline uint64_t addressing_grown(uint64_t addressing)
{
    uint64_t level = addressing >> 32;
    uint64_t split = (uint32_t)addressing + 1ull;
    return split == 1ull << level ? (level + 1) << 32 : level << 32 | split;
}

// What a corrupted file may not make a reader believe: split must be below 2^level, and level sane.
static inline int addressing_is_sound(uint64_t addressing, uint64_t count_max)
{
    uint64_t level = addressing >> 32;
    return level <= 30 && (uint32_t)addressing < 1ull << level && addressing_count(addressing) <= count_max;
}

// A bijective mix (the finaliser of splitmix64): selectors and ids are random already; a test's need not be.
static inline uint64_t sessions_mix(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ull;
    word = (word ^ word >> 27) * 0x94d049bb133111ebull;
    return word ^ word >> 31;
}

// Where a selector may be, and its mark in the bucket's head.
struct sessions_hash {
    uint64_t selector[2];
    uint64_t hash[2];
    uint16_t fingerprint;
};

static inline struct sessions_hash sessions_hash_words(uint64_t first, uint64_t second)
{
    struct sessions_hash hash = {.selector = {first, second}};
    hash.hash[0] = sessions_mix(first);
    hash.hash[1] = sessions_mix(second);
    hash.fingerprint = (uint16_t)((hash.hash[0] ^ hash.hash[1]) >> 48);
    return hash;
}

static inline struct sessions_hash sessions_hash_selector(const uint8_t selector[16])
{
    uint64_t word[2];
    memcpy(word, selector, sizeof word);
    return sessions_hash_words(word[0], word[1]);
}

#endif
