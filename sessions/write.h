// SPDX-License-Identifier: ISC
// The writing side of the shared tables: sessions come, move, end and go; accounts with them.
// Used by core alone (and the simulator, with heap memory in place of shared files). One writer, one thread.
// Owns the content of both files and a bitmap on the heap; the mappings stay the caller's.
// Bounds: what the files have room for. An insert that finds no place says so and changes nothing.
//
// The order that core keeps:
//   grant:   store (durable) -> sessions_account_put -> sessions_insert -> reply.
//   end:     sessions_pending_add -> sessions_mark_ending -> store -> sessions_remove ->
//   sessions_pending_remove -> reply. end all: sessions_pending_add -> sessions_end_all -> store ->
//   sessions_pending_remove -> reply.
// Opening applies all pending ends again before it returns; core then sends them to the store again.
#ifndef SESSIONS_WRITE_H
#define SESSIONS_WRITE_H

#include "base/bytes.h"
#include "sessions/format.h"
#include "sessions/read.h"

#include <stdbool.h>
#include <stdint.h>

enum sessions_which { SESSIONS_FILE, SESSIONS_ACCOUNTS_FILE };

// Gives pages to a range of a file before anything there is published (fallocate; nothing to do for heap
// memory, which must be zeroed). False: no memory; the table stops growing and is asked again at a later
// growth.
typedef bool (*sessions_allocate)(void *context, enum sessions_which which, uint64_t offset, uint64_t size);

// Private to the room; declared here so that core can embed it.
struct sessions_writer {
    struct sessions_file *sessions;
    struct accounts_file *accounts;
    uint64_t sessions_size;
    uint64_t accounts_size;
    uint64_t bucket_max;
    uint64_t slot_max;
    _Atomic uint32_t *index; // in the accounts file, after the slots
    sessions_allocate allocate;
    void *context;
    // Tests: called before every store to the shared files, so that a crash can be made at any of them.
    void (*step)(void *context);
    void *step_context;
    // The sweep.
    uint64_t *marks; // one bit a slot: granted or used during this pass
    uint64_t sweep_bucket;
    uint64_t sweep_slot;
    bool sweep_in_accounts;
    uint32_t pending_count;
};

enum sessions_opened {
    SESSIONS_OPENED_NEW,      // the files were empty or of another format: now empty tables
    SESSIONS_OPENED_EXISTING, // the tables of the core before, made whole
    SESSIONS_OPEN_FAILED,     // too small, or no memory
};

// Takes over both files: empty ones, or those of a core that is dead. Constant time but for what was cut
// short (at worst a scan of the account slots). core_generation is one higher afterwards.
[[nodiscard]] enum sessions_opened sessions_writer_open(struct sessions_writer *writer, void *sessions_map,
                                                        uint64_t sessions_size, void *accounts_map,
                                                        uint64_t accounts_size, sessions_allocate allocate,
                                                        void *context);
// Frees the bitmap. The files stay as they are, valid for readers.
void sessions_writer_release(struct sessions_writer *writer);

// ---- sessions (write_sessions.c)

struct sessions_row {
    uint8_t selector[16];
    uint8_t verifier_hash[16];
    uint32_t account_slot;
    uint32_t account_generation;
    uint32_t epoch; // the account's when the session was granted
    uint32_t created;
    uint32_t expires;      // SESSIONS_NEVER for none
    uint32_t idle_expires; // SESSIONS_NEVER for none
    uint32_t idle_s;       // 0 for none
    uint8_t level;
    uint8_t state; // enum session_state; read only, insert makes it live
};

enum sessions_inserted {
    SESSIONS_INSERTED,
    SESSIONS_PRESENT,              // was there; the later idle expiry and the later epoch hold now
    SESSIONS_INSERT_OVER,          // ending, pending its end, or older than its account's epoch: not inserted
    SESSIONS_INSERT_STALE_ACCOUNT, // the account's slot is gone: put the account again, then insert
    SESSIONS_INSERT_FULL,          // no place: the product works on, through the miss path
};

// Makes a session visible. Idempotent by selector; never brings back one that is ending.
enum sessions_inserted sessions_insert(struct sessions_writer *writer, const struct sessions_row *row);
// False when it is not in the table.
bool sessions_find(const struct sessions_writer *writer, const uint8_t selector[16],
                   struct sessions_row *row);
// From here on no check is VALID. False when it is not in the table.
bool sessions_mark_ending(struct sessions_writer *writer, const uint8_t selector[16]);
// Takes the entry out. False when it was not there.
bool sessions_remove(struct sessions_writer *writer, const uint8_t selector[16]);
// Never moves the expiry back. False when it is not in the table, or is ending.
bool sessions_extend_idle(struct sessions_writer *writer, const uint8_t selector[16], uint32_t idle_expires);
// Makes a session outlive a raise of its account's epoch: call it before the raise. Never lowers.
bool sessions_restamp(struct sessions_writer *writer, const uint8_t selector[16], uint32_t epoch);

// ---- accounts (write_accounts.c)

struct sessions_account {
    struct id16 id;
    struct view name;         // at most ACCOUNT_NAME_MAX
    struct view display_name; // at most ACCOUNT_DISPLAY_NAME_MAX
    struct view email;        // at most ACCOUNT_EMAIL_MAX
    struct view groups;       // joined by commas, at most ACCOUNT_GROUPS_MAX
    uint32_t flags;
    uint32_t epoch;
};

// A slot together with its generation, and the epoch and flags it has now.
struct sessions_account_ref {
    uint32_t slot;
    uint32_t generation;
    uint32_t epoch;
    uint32_t flags;
};

enum sessions_account_put_result {
    SESSIONS_ACCOUNT_STORED,
    SESSIONS_ACCOUNT_STALE,    // the table has a higher epoch: nothing changed, *ref is what the table has
    SESSIONS_ACCOUNT_FULL,     // no slot: the account is not in the table, its sessions are misses
    SESSIONS_ACCOUNT_TOO_LONG, // a text is over its bound
};

// Inserts or updates. A pending END_ALL of this account raises the epoch that is stored. *ref is set when
// STORED or STALE.
enum sessions_account_put_result sessions_account_put(struct sessions_writer *writer,
                                                      const struct sessions_account *account,
                                                      struct sessions_account_ref *ref);
// False when it is not in the table. Counts as use: the account is not freed during this pass of the sweep.
bool sessions_account_find(struct sessions_writer *writer, const struct id16 *id,
                           struct sessions_account_ref *ref);
// The texts too, into *out (session fields are left alone). False when the slot is another's by now.
bool sessions_account_read(const struct sessions_writer *writer, const struct sessions_account_ref *ref,
                           struct sessions_identity *out);
// Ends all sessions below `epoch`: one store. Never lowers. False when the account is not in the table.
bool sessions_account_raise(struct sessions_writer *writer, const struct id16 *id, uint32_t epoch);
// The same, and the account is refused until an update says otherwise.
bool sessions_account_disable(struct sessions_writer *writer, const struct id16 *id, uint32_t epoch);
// Restamps `keep` (may be NULL) if it is a session of this account, then raises. At no moment is the kept one
// refused.
bool sessions_end_all(struct sessions_writer *writer, const struct id16 *id, uint32_t epoch,
                      const uint8_t *keep);

// ---- ends that are visible but not durable (write_pending.c)

struct sessions_pending {
    enum sessions_pending_kind kind;
    uint8_t selector[16]; // END: the session; END_ALL: the one kept, or zeros
    struct id16 account;  // END_ALL
    uint32_t epoch;       // END_ALL
};

// False when all places are taken: the end can't be made visible before it is durable. Idempotent.
[[nodiscard]] bool sessions_pending_add(struct sessions_writer *writer,
                                        const struct sessions_pending *pending, uint32_t *place);
void sessions_pending_remove(struct sessions_writer *writer, uint32_t place);
// Walks over all of them: start with *place = 0, go on with *place + 1 (*place is where it was found).
bool sessions_pending_next(const struct sessions_writer *writer, uint32_t *place,
                           struct sessions_pending *out);
uint32_t sessions_pending_count(const struct sessions_writer *writer);

// ---- upkeep (write_sweep.c)

struct sessions_swept {
    uint32_t expired;
    uint32_t idle;
    uint32_t stale; // epoch or account gone
    uint32_t accounts_freed;
    bool pass_done; // this step ended a pass
};

// Looks at up to `steps` buckets, or account slots. Call it again and again. Ending sessions are left to core
// unless they are past their absolute expiry; an account is freed when a whole pass found no session, grant
// or use of it.
void sessions_sweep(struct sessions_writer *writer, uint32_t steps, uint32_t now_s,
                    struct sessions_swept *out);
// Idleness is judged against this clock, which core sets every second: while core is away it stands still. A
// core that comes back finds here how long it was away, and moves it on only after the seen rings are
// drained.
void sessions_idle_clock_set(struct sessions_writer *writer, uint32_t now_s);
uint32_t sessions_idle_clock(const struct sessions_writer *writer);
void sessions_writer_counts(const struct sessions_writer *writer, struct sessions_counts *out);

// ---- the tables' own check (verify.c), for tests, the simulator and `stayctl doctor`

// Walks everything. NULL when both tables are consistent, else a sentence about the first thing that is not.
const char *sessions_verify(const struct sessions_writer *writer);

#endif
