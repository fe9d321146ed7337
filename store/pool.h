// SPDX-License-Identifier: ISC
// The decisions of the connection pool: how many statements may run, which may start now, when to open a
// connection, when to stop asking a database that does not answer. Pure: time and randomness are arguments.
// Used by the PostgreSQL service of stayd-store. Owns nothing. Bounds: POOL_KINDS_MAX kinds of operation;
// connections between `min` and `max`.
//
// Limit: how many healthy statements run at once follows measured latency by Gradient2 (Netflix,
// concurrency-limits: limit × tolerance × long/short + √limit/2, smoothed, only while the limit is used). As
// one pool serves statements of unlike cost, each sample is divided by its own kind's baseline before it
// counts.
//
// Share: a kind whose statement became slow (recent above 4 × baseline + 2 ms), or has one running that is
// overdue (8 × baseline + 10 ms), may start one at a time, or as many as it takes to get done what can be
// done (store/climb.h); a healthy kind may have three quarters of the limit. What is overdue no longer counts
// against the limit: the others get connections beyond it, up to `max`.
//
// Queue: where a slow statement takes POOL_LONG_US or more, as many may wait as are served within
// POOL_WAIT_MS, in order. None while a statement is stalled (it runs for POOL_STALL_MS, and three times as
// long as answered ones do): nobody knows when it ends. What finishes a piece of work is worth waiting for,
// as for a disk that takes its time over a commit: until its deadline, without such a bound of the queue.
//
// Patience: a kind that was given up at its deadline (a lock, perhaps) is tried by one asker at a time, who
// is told after POOL_TRIAL_MS that it is not to be had. What reads goes on to its deadline all the same: it
// is answered as soon as the lock is gone, or shows that the kind is slow and not stuck. What writes is
// cancelled, and gets its whole deadline once in POOL_TRIAL_LONG_EVERY_MS. An answer ends it.
//
// Breaker:  closed ──3 failures in a row, or none is left──▶ open ──jittered delay──▶ half open ──one
// probe──▶ closed or open. Delays: full jitter (Brooker, "Exponential Backoff And Jitter": uniform in
// 0..min(cap, base·2ⁿ)).
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include "store/climb.h"

#include <stdbool.h>

#define POOL_KINDS_MAX           32
#define POOL_BACKOFF_MIN_MS      20
#define POOL_BACKOFF_MAX_MS      1000
#define POOL_AT_ONCE_MS          20   // a server that ends ten connections has failed once
#define POOL_CROWDED_MS          5000 // a server that is full is asked for another connection after this
#define POOL_WAITING_MAX         1024
#define POOL_WAIT_MS             400
#define POOL_LONG_US             25000
#define POOL_STALL_MS            150
#define POOL_TRIAL_MS            60
#define POOL_TRIAL_LONG_EVERY_MS 10000

// Of a statement that runs; it only gets later.
enum pool_late { POOL_IN_TIME, POOL_OVERDUE, POOL_STALLED };

// From the start of a statement on.
struct pool_patience {
    uint32_t asker_ms;               // until when the asker waits
    uint32_t statement_ms;           // until when the statement may run; not before asker_ms
    uint64_t overdue_us, stalled_us; // when it is late
};

struct pool_kind {
    uint32_t running, overdue, stalled; // overdue of the running, stalled of the overdue
    uint64_t baseline_us;               // of a good run: falls fast, rises slowly
    uint64_t recent_us;
    uint64_t rose_ms; // when the baseline last rose
    bool slow;
    struct climb climb;     // how many at once while it is slow
    bool background;        // one at a time
    bool reads;             // and changes nothing
    bool finishes;          // who waits for it was work already (a hash), and nothing stands in for it
    uint32_t given_up;      // in a row, without an answer
    uint64_t answered_us;   // smoothed, of those that were answered
    uint64_t long_trial_ms; // when it gets a whole deadline again
};

enum pool_breaker { POOL_CLOSED, POOL_OPEN, POOL_HALF_OPEN };

struct pool {
    uint32_t min, max;
    uint32_t limit_max;
    uint64_t limit_milli; // thousandths
    uint64_t ratio_milli; // smoothed latency over baseline
    uint32_t since;       // samples since the limit was last moved
    uint32_t kinds;
    struct pool_kind kind[POOL_KINDS_MAX];

    uint32_t open, running, overdue; // connections; statements (until known to be over)
    bool connecting;
    uint64_t connect_at_ms; // not before
    uint32_t ceiling;       // what a full server gave, 0: no such limit
    uint64_t ceiling_until_ms;

    enum pool_breaker breaker;
    uint32_t failures; // in a row; what fails at the same time counts once
    uint64_t failed_ms;
    uint32_t backoff; // doublings
};

void pool_init(struct pool *pool, uint32_t kinds, uint32_t min, uint32_t start, uint32_t max);
// Between healthy statements; at least 1.
uint32_t pool_limit(const struct pool *pool);
// How many of this kind may run now, and wait; below POOL_WAITING_MAX they are to wait in order.
uint32_t pool_share(const struct pool *pool, uint32_t kind);
uint32_t pool_waiting_max(const struct pool *pool, uint32_t kind);
// What a statement of a slow kind takes; 0 where it is quick.
uint64_t pool_takes_us(const struct pool *pool, uint32_t kind);

// ---- statements ----
void pool_started(struct pool *pool, uint32_t kind);
// How long one of `deadline_ms` that starts now is waited for.
struct pool_patience pool_patience(struct pool *pool, uint32_t kind, uint32_t deadline_ms, uint64_t now_ms);
// It is later than before: each step once, in order.
void pool_became(struct pool *pool, uint32_t kind, enum pool_late late);
// One was cancelled because that time was over; one was answered, whatever the answer.
void pool_gave_up(struct pool *pool, uint32_t kind, uint64_t now_ms);
void pool_answered(struct pool *pool, uint32_t kind, uint64_t run_us);
// It is over. `run_us` 0: nothing is to be learned from it.
void pool_ended(struct pool *pool, uint32_t kind, enum pool_late late, uint64_t run_us, uint64_t now_ms);

// ---- connections ----
// Another connection is wanted and may be tried now. `waiting`: a job could start if there were one.
[[nodiscard]] bool pool_may_connect(const struct pool *pool, uint64_t now_ms, bool waiting);
void pool_connecting(struct pool *pool);
void pool_connected(struct pool *pool);
// The one beside the pool.
void pool_connected_reserved(struct pool *pool);
// `random` is uniform over all of uint32_t.
void pool_connect_failed(struct pool *pool, uint64_t now_ms, uint32_t random);
// The server has no room for another: not a failure of the database.
void pool_crowded(struct pool *pool, uint64_t now_ms);
// One is closed, in whatever state it was.
void pool_closed(struct pool *pool);

// ---- breaker ----
// A connection broke, or the server did not answer in time.
void pool_failed(struct pool *pool, uint64_t now_ms, uint32_t random);
// The server answered something.
void pool_worked(struct pool *pool);
// Opens it whatever the count is: the server can't be used.
void pool_trip(struct pool *pool, uint64_t now_ms, uint32_t random);
// Open, and time for one probe: it is half open from here on.
[[nodiscard]] bool pool_may_probe(struct pool *pool, uint64_t now_ms);
static inline bool pool_is_up(const struct pool *pool)
{
    return pool->breaker == POOL_CLOSED;
}

#endif
