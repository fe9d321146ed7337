// SPDX-License-Identifier: ISC
// The reading side of the shared tables: whose session is this? No message, no lock, no write.
// Used by front (every check) and watch, over read-only mappings; any number of readers beside the one
// writer. Owns nothing: the mappings stay the caller's, and must outlive the reader. A reader may be shared
// by threads. Bounds: a check reads at most two buckets and one account, a few times over when the writer is
// changing them. Nothing in the mappings is trusted: a number that does not fit makes the check a MISS.
#ifndef SESSIONS_READ_H
#define SESSIONS_READ_H

#include "base/bytes.h"
#include "sessions/format.h"

#include <stdbool.h>
#include <stdint.h>

struct sessions_reader {
    const struct sessions_file *sessions;
    const struct accounts_file *accounts;
    uint64_t bucket_max;
    uint64_t slot_max;
};

enum sessions_check {
    SESSIONS_VALID,   // live; the identity is filled in
    SESSIONS_INVALID, // known to be over, or the verifier is wrong: not logged in
    SESSIONS_MISS,    // the tables do not know: ask core
};

// Why, for counters and diagnosis. Never shown to a client.
enum sessions_reason {
    SESSIONS_REASON_NONE,        // valid
    SESSIONS_REASON_ABSENT,      // miss: not in the table
    SESSIONS_REASON_CONTENDED,   // miss: kept changing under the reader, or half-written by a core that died
    SESSIONS_REASON_GENERATION,  // miss: the account's slot is another's by now
    SESSIONS_REASON_CORRUPT,     // miss: something does not fit
    SESSIONS_REASON_UNFORMATTED, // miss: core has not set up the tables yet
    SESSIONS_REASON_WRONG_VERIFIER, // invalid from here on
    SESSIONS_REASON_ENDING,
    SESSIONS_REASON_EXPIRED,
    SESSIONS_REASON_IDLE,
    SESSIONS_REASON_EPOCH,
    SESSIONS_REASON_DISABLED,
    SESSIONS_REASON_COUNT,
};

const char *sessions_reason_text(enum sessions_reason reason);

// The answer of a check. `reason` and `retries` are always set, the rest only when valid.
// The views point into `text`: the struct can't be copied and its views kept.
struct sessions_identity {
    enum sessions_reason reason;
    uint32_t retries; // how often the reader had to begin again
    uint32_t account_slot;
    uint32_t account_generation;
    struct id16 account;
    uint32_t account_flags; // enum account_flag
    uint32_t epoch;
    uint32_t created;
    uint32_t expires;      // SESSIONS_NEVER: by nothing but idleness
    uint32_t idle_expires; // SESSIONS_NEVER: not by idleness
    uint32_t idle_s;
    uint8_t level;
    bool note_seen; // a sixteenth of the idle time has passed: put the selector into the seen ring
    struct view name;
    struct view display_name;
    struct view email; // tell applications only with ACCOUNT_EMAIL_VERIFIED
    struct view groups;
    uint8_t text[ACCOUNT_TEXT_MAX + 8];
};

// False when a mapping is too small to hold any table. The files may be empty still: checks then say MISS.
[[nodiscard]] bool sessions_reader_init(struct sessions_reader *reader, const void *sessions_map,
                                        uint64_t sessions_size, const void *accounts_map,
                                        uint64_t accounts_size);

// Begins to fetch what a check of this selector reads first: worth the call when there is something else to
// do before the check, such as hashing the verifier.
void sessions_prefetch(const struct sessions_reader *reader, const uint8_t selector[16]);

// The same for many at once, all the way to the account: a reader that is about to check several sessions
// waits for the memory of all of them together. What it reads is a hint; nothing comes back. At most
// SESSIONS_AHEAD_MAX.
#define SESSIONS_AHEAD_MAX 32
void sessions_prefetch_all(const struct sessions_reader *reader, const struct id16 *selectors, size_t count);

// Whose session is this? now_s is unix time in seconds (absolute expiry); idleness is judged against core's
// clock. Once an end has returned in core, no check that begins later is VALID. Never another's identity.
[[nodiscard]] enum sessions_check sessions_check(const struct sessions_reader *reader,
                                                 const uint8_t selector[16], const uint8_t verifier_hash[16],
                                                 uint32_t now_s, struct sessions_identity *out);

// The account fields of *out alone (epoch is the account's). False when the slot is another's by now.
bool sessions_reader_account(const struct sessions_reader *reader, uint32_t slot, uint32_t generation,
                             struct sessions_identity *out);

// The figures that watch shows. Each is right by itself; they are not one moment's.
struct sessions_counts {
    uint64_t sessions; // entries in use, ending ones included
    uint64_t buckets;
    uint64_t accounts;
    uint64_t account_slots;  // ever used
    uint64_t sessions_bytes; // with pages, headers included
    uint64_t accounts_bytes;
    uint64_t moves;
    uint32_t idle_clock;
    uint32_t core_generation;
};

void sessions_reader_counts(const struct sessions_reader *reader, struct sessions_counts *out);

#endif
