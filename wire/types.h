// SPDX-License-Identifier: ISC
// The words that messages share: roles, outcomes, reasons, kinds. Used by every process.
#ifndef WIRE_TYPES_H
#define WIRE_TYPES_H

#include "base/bytes.h"

// Who a process is. A bit mask of these names the senders and receivers of a message.
enum wire_role {
    WIRE_SUPERVISOR = 1 << 0,
    WIRE_FRONT = 1 << 1,
    WIRE_CORE = 1 << 2,
    WIRE_STORE = 1 << 3,
    WIRE_HASH = 1 << 4,
    WIRE_KEY = 1 << 5,
    WIRE_WATCH = 1 << 6,
    WIRE_CTL = 1 << 7, // stayctl, through the socket of core or watch
};
#define WIRE_CHILD (WIRE_FRONT | WIRE_CORE | WIRE_STORE | WIRE_HASH | WIRE_KEY | WIRE_WATCH)

// How core answers a request.
enum wire_outcome {
    WIRE_GRANTED = 1,
    WIRE_REFUSED = 2,     // a verdict: `reason` says which
    WIRE_UNAVAILABLE = 3, // stayd is short of something: try again after `retry_after_s`
};

// Why. The order is part of the protocol between processes of one version only.
enum wire_reason {
    WIRE_REASON_NONE = 0,
    // refused
    WIRE_WRONG_CREDENTIALS, // unknown user and wrong password alike
    WIRE_THROTTLED,         // this source or account should wait
    WIRE_ACCOUNT_DISABLED,  // said only after the right password
    WIRE_WEAK_PASSWORD,     // `detail` says why and what to do
    WIRE_NAME_TAKEN,
    WIRE_BAD_NAME,
    WIRE_BAD_EMAIL,
    WIRE_BAD_DISPLAY_NAME,
    WIRE_BAD_GROUPS,
    WIRE_REGISTRATION_CLOSED,
    WIRE_BAD_INVITE, // missing, unknown, used or expired
    WIRE_NOT_SIGNED_IN,
    WIRE_FORBIDDEN,
    WIRE_NOT_FOUND,
    WIRE_BAD_SETUP_TOKEN, // wrong, or set-up was done already
    WIRE_BAD_REQUEST,
    WIRE_LAST_ADMINISTRATOR, // the change would leave no enabled administrator
    // unavailable
    WIRE_STORE_DOWN,
    WIRE_STORE_FULL, // no space left on the disk
    WIRE_STORE_BUSY, // too many operations wait for the database
    WIRE_HASH_BUSY,
    WIRE_HASH_DOWN,
    WIRE_KEY_DOWN,
    WIRE_BUSY, // too many requests in progress
    WIRE_STARTING,
    WIRE_DRAINING,
    WIRE_REASON_END
};
// The stable word for a reason: "wrong_credentials". Static text.
const char *wire_reason_name(enum wire_reason reason);

// Where a request came in.
enum wire_via {
    WIRE_VIA_PAGE = 1,
    WIRE_VIA_API = 2,
    WIRE_VIA_CHECK = 3,
    WIRE_VIA_CTL = 4,
};

// The outcome of a store operation.
enum wire_store_outcome {
    WIRE_STORE_OK = 1,
    WIRE_STORE_NOT_FOUND = 2,
    WIRE_STORE_CONFLICT =
        3, // a guard did not hold: name taken, epoch moved, invite gone, not the first; see `conflict`
    WIRE_STORE_UNAVAILABLE =
        4, // nothing was done, or it is unknown whether it was: the same operation may be sent again
    WIRE_STORE_NO_SPACE = 5, // nothing was done: the disk is full
    WIRE_STORE_REFUSED = 6,  // nothing was done: too many wait, see `retry_after_s`
};
enum wire_conflict {
    WIRE_CONFLICT_NONE = 0,
    WIRE_CONFLICT_NAME = 1,               // the user name exists
    WIRE_CONFLICT_INVITE = 2,             // the invitation is gone
    WIRE_CONFLICT_FIRST = 3,              // there is an account already
    WIRE_CONFLICT_EPOCH = 4,              // the account's sessions were ended meanwhile
    WIRE_CONFLICT_DISABLED = 5,           // the account was disabled meanwhile
    WIRE_CONFLICT_PASSWORD = 6,           // the password was changed meanwhile
    WIRE_CONFLICT_LAST_ADMINISTRATOR = 7, // no enabled administrator would be left
};

// The verdict of stayd-hash.
enum wire_hash_verdict {
    WIRE_HASH_OK = 1,          // `phc` is set when it must be stored (new, or parameters changed)
    WIRE_HASH_WRONG = 2,       // not that password
    WIRE_HASH_WEAK = 3,        // refused by the rules: `advice`
    WIRE_HASH_BAD = 4,         // could not be opened, or not valid UTF-8
    WIRE_HASH_UNAVAILABLE = 5, // queue full, deadline passed, no memory
};

// What stayd-key signs; each purpose has a key of its own.
enum wire_key_purpose {
    WIRE_KEY_DEVICE = 1, // "this browser has logged in as this account"
};

// account_set: which fields change.
enum wire_account_field {
    WIRE_SET_DISPLAY_NAME = 1 << 0,
    WIRE_SET_EMAIL = 1 << 1,
    WIRE_SET_GROUPS = 1 << 2,
    WIRE_SET_DISABLED = 1 << 3,
};

// Bits of an account, in messages, in the store and in the shared table.
enum wire_account_flag {
    WIRE_ACCOUNT_DISABLED_FLAG = 1 << 0,
    WIRE_ACCOUNT_EMAIL_VERIFIED = 1 << 1,
};

enum wire_registration {
    WIRE_REGISTRATION_OPEN = 1,
    WIRE_REGISTRATION_INVITE = 2,
    WIRE_REGISTRATION_IS_CLOSED = 3,
};

// Descriptors that the supervisor hands out with a `memory` message.
enum wire_memory_kind {
    WIRE_MEMORY_STATS =
        1, // this process's stats page (read-write), or with owner another's (read-only, for watch)
    WIRE_MEMORY_SESSIONS = 2, // core: read-write, others: read-only
    WIRE_MEMORY_ACCOUNTS = 3, // core: read-write, others: read-only
    WIRE_MEMORY_SEEN =
        4, // front `index`'s ring: read-write for that front, core reads (and advances the tail)
    WIRE_MEMORY_PASSWORDS = 5, // hash: the offline list of common passwords, read-only
    WIRE_MEMORY_LISTENER = 6,  // front: a public listening socket; watch: the ops listener
    WIRE_MEMORY_CONTROL = 7,   // core, watch: the listening socket for stayctl
    WIRE_MEMORY_DIRECTORY = 8, // watch: incidents/
};

// What stayd-watch is told as it happens (message `event`, wire/event.h). In brackets what the fields say;
// role and index are the process's that it is about.
enum wire_event_kind {
    WIRE_EVENT_PROCESS_STARTED = 1, // ready; a: pid
    WIRE_EVENT_PROCESS_DIED,   // a: enum wire_event_death, b: signal or status; name: class of the request
                               // in flight; text: one line
    WIRE_EVENT_PROCESS_HUNG,   // a: ms without a heartbeat
    WIRE_EVENT_RELOADED,       // a: 1 done, 0 failed; text: the keys that changed
    WIRE_EVENT_STARTED,        // stayd is ready; text: version, a: Unix time in seconds
    WIRE_EVENT_CONFIG_CHANGED, // text: the keys that changed and are in force
    WIRE_EVENT_PENALTY,        // a: seconds; text: without the address; more: its network, for the
                               // incident's file alone
    WIRE_EVENT_DATABASE_DOWN,  // text: why
    WIRE_EVENT_DATABASE_UP,    // a: ms away
    WIRE_EVENT_DATABASE_MOVED, // another server answers; name: host
    WIRE_EVENT_STATEMENT_SLOW, // name: operation; a: mean us now, b: before; text: plan now; more: the
                               // statement that makes the missing index, or empty
    WIRE_EVENT_STATEMENT_PLAN, // name: operation; text: plan before, more: plan now
    WIRE_EVENT_STATEMENT_CANCELLED, // name: operation; a: ms it ran
    WIRE_EVENT_LOCK_HELD,      // name: relation; a: ms so far, b: the holder's backend pid; text: who, what
    WIRE_EVENT_LOCK_GONE,      // name: relation
    WIRE_EVENT_DISK_FULL,      // text
    WIRE_EVENT_JOURNAL,        // text
    WIRE_EVENT_SHARE_SHRUNK,   // name: operation or class; a: its share in thousandths
    WIRE_EVENT_SHARE_RESTORED, // name
    WIRE_EVENT_MISMATCH,       // a: count; text: owner, generation or epoch
    WIRE_EVENT_PROGRAM_BUSY, // the program that uses the processors most, stayd and databases apart; name; a:
                             // thousandths of a processor, b: the busiest of its processes; text: "3
                             // processes" where it has more
    WIRE_EVENT_END
};

// How a process ended.
enum wire_event_death { WIRE_EVENT_LEFT, WIRE_EVENT_CRASHED, WIRE_EVENT_WAS_HUNG };

#define WIRE_EVENT_NAME_MAX 64
#define WIRE_EVENT_TEXT_MAX 2048
#define WIRE_EVENT_MORE_MAX 4096

#define WIRE_USERNAME_MAX     64
#define WIRE_DISPLAY_NAME_MAX 128
#define WIRE_EMAIL_MAX        254
#define WIRE_GROUPS_MAX       512 // joined by commas
#define WIRE_PASSWORD_MAX     1024
#define WIRE_SEALED_MAX       (WIRE_PASSWORD_MAX + 48) // crypto_box_SEALBYTES
#define WIRE_PHC_MAX          160
#define WIRE_AGENT_MAX        160
#define WIRE_DEVICE_MAX       160
#define WIRE_PACKET_MAX       65536

// A child's exit status that says: starting it again would end the same way (a damaged or newer database, a
// folder without rights). It has written why to its log. EX_CONFIG of sysexits.h.
#define WIRE_EXIT_DATA 78

// The group whose members administer stayd.
#define WIRE_ADMIN_GROUP "admins"

#endif
