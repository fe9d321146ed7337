// SPDX-License-Identifier: ISC
// What stayd-watch is told of the database: which of what is seen is worth an event, and when it is over.
// Pure: time is an argument, events go to a function. Used by both services of stayd-store. Owns nothing.
// Bounds: EYES_OPERATIONS operations, a second of history of each, one lock.
//
// An operation is slow while its latest runs take more than 4 × what they take when all is well + 5 ms, and
// what the network adds. Its plan is looked at then, and again while it stays slow. It is said to be
// slow at once when its plan is not what it should be; with a good plan only after a second, and only when
// nothing else explains it: no lock in the way, not most operations at once.
//
//   quick ──slow for two ticks, or one under way far too long──▶ slow ──quick for a second, or unused──▶
//   quick
#ifndef STORE_EYES_H
#define STORE_EYES_H

#include "store/plan.h"
#include "store/store.h"

#define EYES_TICK_MS       100
#define EYES_SLOTS         10    // ticks that are remembered
#define EYES_LOOK_AGAIN_MS 10000 // what is slow by a bad plan
#define EYES_LOOK_GOOD_MS  1500  // by a good one: a second fault may follow the first
#define EYES_LOOK_ALL_MS   60000 // while all is well
#define EYES_LOOK_MOST     3     // slow ones at a time
#define EYES_OPERATIONS    ((unsigned)(WIRE_MESSAGE_store_audit_list - WIRE_MESSAGE_store_account_by_name + 1))
#define EYES_LOOK_EVERY    ((UINT32_C(1) << EYES_OPERATIONS) - 1)

typedef void eyes_say(void *owner, const struct wire_event *event);

// How the statements of an operation find their rows.
struct eyes_plan {
    bool known, holds;
    char text[1024];  // one line
    char why[256];    // when it does not hold
    char remedy[512]; // the statement that makes a missing index; empty: none is missing
};

// One of its statements more: the plans in one line, what is wrong with the first that does not hold.
void eyes_plan_add(struct eyes_plan *plan, const struct plan_finding *finding);

// What was counted of an operation since the start, and what of it is under way.
struct eyes_counts {
    uint64_t runs, run_us;
    uint64_t running_us; // the longest of those under way
    bool shrunk;         // its share of the connections
    uint32_t share;      // in thousandths
};

struct eyes_look {
    struct eyes_counts operation[EYES_OPERATIONS];
    uint64_t network_us; // of a round trip: the latest, or so far
    uint64_t waiting_lock;
};

struct eyes_operation {
    uint64_t runs, run_us; // at the last tick
    uint32_t slot_runs[EYES_SLOTS];
    uint64_t slot_us[EYES_SLOTS];
    uint64_t now_us, before_us;
    uint64_t known; // runs that before_us was made from
    bool slow;
    unsigned ticks_slow, ticks_quick, ticks_shrunk, ticks_whole;
    uint64_t slow_ms;
    uint64_t alone_ms, slow_runs; // since when nothing else explains it, and how many runs since
    uint64_t said_ms, cancelled_ms, looked_ms;
    bool shrunk;
    struct eyes_plan plan, good; // the latest; the one when all was well
    bool plan_said;
};

// A session that is in the way, as one look found it.
struct eyes_blocker {
    uint64_t pid;
    char holder[32]; // tells its transaction from the same session's next one
    char relation[64];
    char who[640];
    uint64_t waited_ms; // by who waits longest
};

struct eyes {
    eyes_say *say;
    void *owner;
    struct eyes_operation operation[EYES_OPERATIONS];
    unsigned slot;
    uint64_t tick_ms; // the last
    uint64_t network_us, network_before_us;
    uint64_t waiting_lock;
    uint32_t looking; // operations whose plans are being looked at
    uint64_t all_looked_ms, looked_ms;
    struct eyes_blocker lock; // pid 0 and no holder: none
    bool locked, lock_said;
    uint64_t lock_ms, lock_said_ms;
    bool seen, up, down_said;
    uint64_t down_ms, up_ms, begun_ms;
    bool journal_said;
    uint64_t disk_ms;
};

void eyes_init(struct eyes *eyes, eyes_say *say, void *owner);
// Nothing before EYES_TICK_MS are over.
void eyes_tick(struct eyes *eyes, const struct eyes_look *look, uint64_t now_ms);
bool eyes_is_slow(const struct eyes *eyes); // any
// The number of an operation's message, as an index.
static inline unsigned eyes_operation(uint16_t number)
{
    return (unsigned)(number - WIRE_MESSAGE_store_account_by_name);
}

// Whose plans are to be looked at now, a bit for each; they are being looked at from then on. 0: none.
uint32_t eyes_wants_plans(struct eyes *eyes, uint64_t now_ms);
// `plans`: EYES_OPERATIONS of them, or NULL when they could not be looked at.
void eyes_take_plans(struct eyes *eyes, const struct eyes_plan *plans, uint64_t now_ms);

// An operation was cancelled at its deadline.
void eyes_cancelled(struct eyes *eyes, unsigned operation, uint64_t ran_ms, uint64_t now_ms);
// What was found in the way, or NULL; `held`: the one that was in the way before is still in its transaction.
void eyes_take_lock(struct eyes *eyes, const struct eyes_blocker *found, bool held, uint64_t now_ms);
// Is the database there? Every tick. `why` it is not.
void eyes_database(struct eyes *eyes, bool up, const char *why, uint64_t now_ms);
void eyes_moved(struct eyes *eyes, const char *host, const char *text);
void eyes_disk_full(struct eyes *eyes, const char *text, uint64_t now_ms);
// Ends that the journal has and the database has not.
void eyes_journal(struct eyes *eyes, uint64_t entries);

#endif
