// SPDX-License-Identifier: ISC
// The connection pool's decisions. Runs in stayd-store.
// 1. running = the sum over kinds, overdue likewise; stalled ≤ overdue ≤ running ≤ open.
// 2. At most one connection attempt is under way; none while the breaker is open but the probe's.
// 3. Any healthy kind may always start one when a connection is idle and the limit is not reached: no kind
// can
//    hold more than half of the limit.
#include "store/pool.h"

#include <assert.h>

#define MILLI           1000u
#define BASELINE_US     1000u // before anything was measured
#define TOLERANCE       2u    // latency may double before the limit falls
#define BREAKER_COUNT   3u
#define BACKOFF_DOUBLED 6u
#define RISE_MS         250u

void pool_init(struct pool *pool, uint32_t kinds, uint32_t min, uint32_t start, uint32_t max)
{
    assert(kinds <= POOL_KINDS_MAX && min >= 1 && min <= start && start <= max);
    *pool = (struct pool){.min = min, .max = max, .kinds = kinds, .ratio_milli = MILLI};
    pool->limit_max = max / 2 > start ? max / 2 : start;
    pool->limit_milli = (uint64_t)start * MILLI;
    for (uint32_t i = 0; i < kinds; i++) {
        pool->kind[i].baseline_us = BASELINE_US;
        pool->kind[i].recent_us = BASELINE_US;
    }
}

uint32_t pool_limit(const struct pool *pool)
{
    uint64_t limit = (pool->limit_milli + MILLI / 2) / MILLI;
    return limit < 1 ? 1 : (uint32_t)limit;
}

static uint32_t share_max(const struct pool *pool)
{
    uint32_t limit = pool_limit(pool);
    return limit - limit / 4;
}

uint32_t pool_share(const struct pool *pool, uint32_t kind)
{
    const struct pool_kind *k = &pool->kind[kind];
    bool stuck = k->stalled > 0 || k->given_up > 0;
    return k->background || stuck ? 1 : k->slow || k->overdue > 0 ? climb_level(&k->climb) : share_max(pool);
}

uint32_t pool_waiting_max(const struct pool *pool, uint32_t kind)
{
    const struct pool_kind *k = &pool->kind[kind];
    if (k->background) {
        return POOL_WAITING_MAX; // nobody waits for it
    }
    if (k->stalled > 0 || k->given_up > 0) {
        return 0;
    }
    if (!k->slow || k->finishes || k->recent_us < POOL_LONG_US) {
        return POOL_WAITING_MAX;
    }
    uint64_t most = POOL_WAIT_MS * 1000u * climb_proven(&k->climb) / (k->recent_us + 1);
    return most < 1 ? 1 : (uint32_t)most;
}

uint64_t pool_takes_us(const struct pool *pool, uint32_t kind)
{
    return pool->kind[kind].slow ? pool->kind[kind].recent_us : 0;
}

// ---- statements ------------------------------------------------------------------------------------------

void pool_started(struct pool *pool, uint32_t kind)
{
    pool->running++;
    pool->kind[kind].running++;
}

void pool_became(struct pool *pool, uint32_t kind, enum pool_late late)
{
    struct pool_kind *k = &pool->kind[kind];
    pool->overdue += late == POOL_OVERDUE;
    k->overdue += late == POOL_OVERDUE;
    k->stalled += late == POOL_STALLED;
    assert(k->stalled <= k->overdue && k->overdue <= k->running);
}

static uint64_t toward(uint64_t value, uint64_t sample, uint64_t parts)
{
    return sample >= value ? value + (sample - value) / parts : value - (value - sample) / parts;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

struct pool_patience pool_patience(struct pool *pool, uint32_t kind, uint32_t deadline_ms, uint64_t now_ms)
{
    struct pool_kind *k = &pool->kind[kind];
    struct pool_patience patience = {.asker_ms = deadline_ms, .statement_ms = deadline_ms};
    uint64_t usual_us = 3 * k->answered_us;
    patience.overdue_us = 8 * k->baseline_us + 10000;
    uint32_t stall_ms = k->finishes ? deadline_ms : POOL_STALL_MS;
    patience.stalled_us = larger(patience.overdue_us, larger(usual_us, stall_ms * 1000));
    uint64_t trial_ms = larger(usual_us / 1000, POOL_TRIAL_MS);
    if (k->given_up == 0 || deadline_ms <= trial_ms) {
        return patience;
    }
    if (!k->reads && now_ms >= k->long_trial_ms) {
        k->long_trial_ms = now_ms + POOL_TRIAL_LONG_EVERY_MS;
        return patience;
    }
    patience.asker_ms = (uint32_t)trial_ms;
    patience.statement_ms = k->reads ? deadline_ms : patience.asker_ms;
    return patience;
}

void pool_gave_up(struct pool *pool, uint32_t kind, uint64_t now_ms)
{
    struct pool_kind *k = &pool->kind[kind];
    if (k->given_up++ == 0) {
        k->long_trial_ms = now_ms + POOL_TRIAL_LONG_EVERY_MS;
    }
}

void pool_answered(struct pool *pool, uint32_t kind, uint64_t run_us)
{
    struct pool_kind *k = &pool->kind[kind];
    k->given_up = 0;
    k->answered_us = toward(k->answered_us, run_us, 4);
}

// The baseline falls with each better run and rises by the clock, whatever the load: within about 16 s where
// all is well, 4 minutes while the kind is slow, so that what stays slow for good is not held back for ever.
static void learn(struct pool_kind *kind, uint64_t run_us, uint64_t now_ms)
{
    kind->recent_us = toward(kind->recent_us, run_us, 4);
    if (run_us < kind->baseline_us) {
        kind->baseline_us = toward(kind->baseline_us, run_us, 8);
    } else if (now_ms >= kind->rose_ms + RISE_MS) {
        kind->baseline_us = toward(kind->baseline_us, kind->recent_us, kind->slow ? 1024 : 64);
        kind->rose_ms = now_ms;
    }
    if (kind->recent_us > 4 * kind->baseline_us + 2000) {
        kind->slow = true;
    } else if (kind->recent_us < 2 * kind->baseline_us + 1000) {
        kind->slow = false;
    }
}

static uint64_t square_root(uint64_t value)
{
    uint64_t root = 0;
    for (uint64_t bit = 1u << 31; bit > 0; bit /= 2) {
        root += (root + bit) * (root + bit) <= value ? bit : 0;
    }
    return root;
}

// With fewer at work than may be, nothing is seen of how they get on together.
static void climb(struct pool *pool, struct pool_kind *kind, uint64_t run_us, uint64_t now_ms)
{
    if (!kind->slow || kind->stalled > 0 || kind->given_up > 0) {
        climb_leave(&kind->climb);
    } else if (!kind->background && kind->running + 1 >= climb_level(&kind->climb)) {
        climb_take(&kind->climb, run_us, share_max(pool), now_ms);
    }
}

// Once in `limit` samples; a limit that was not used says nothing.
static void move_limit(struct pool *pool, bool used)
{
    if (++pool->since < pool_limit(pool) || !used) {
        return;
    }
    pool->since = 0;
    uint64_t gradient = TOLERANCE * MILLI * MILLI / (pool->ratio_milli == 0 ? 1 : pool->ratio_milli);
    gradient = gradient > MILLI ? MILLI : gradient < MILLI / 2 ? MILLI / 2 : gradient;
    uint64_t target = pool->limit_milli * gradient / MILLI + square_root(pool->limit_milli * MILLI) / 2;
    pool->limit_milli = toward(pool->limit_milli, target, 5);
    uint64_t least = (uint64_t)pool->min * MILLI, most = (uint64_t)pool->limit_max * MILLI;
    pool->limit_milli = pool->limit_milli < least  ? least
                        : pool->limit_milli > most ? most
                                                   : pool->limit_milli;
}

void pool_ended(struct pool *pool, uint32_t kind, enum pool_late late, uint64_t run_us, uint64_t now_ms)
{
    struct pool_kind *k = &pool->kind[kind];
    bool overdue = late >= POOL_OVERDUE, stalled = late >= POOL_STALLED;
    assert(pool->running > 0 && k->running > 0 && k->overdue >= overdue && k->stalled >= stalled);
    bool used = (pool->running - pool->overdue) * 2 > pool_limit(pool);
    pool->running--;
    k->running--;
    pool->overdue -= overdue;
    k->overdue -= overdue;
    k->stalled -= stalled;
    if (run_us == 0) {
        return;
    }
    learn(k, run_us, now_ms);
    climb(pool, k, run_us, now_ms);
    if (!k->slow && !overdue) {
        pool->ratio_milli = toward(pool->ratio_milli, run_us * MILLI / (k->baseline_us + 500), 8);
        move_limit(pool, used);
    }
}

// ---- connections -----------------------------------------------------------------------------------------

bool pool_may_connect(const struct pool *pool, uint64_t now_ms, bool waiting)
{
    uint32_t ceiling = pool->ceiling > 0 && now_ms < pool->ceiling_until_ms && pool->ceiling < pool->max
                           ? pool->ceiling
                           : pool->max;
    if (pool->breaker != POOL_CLOSED || pool->connecting || now_ms < pool->connect_at_ms ||
        pool->open >= ceiling) {
        return false;
    }
    return pool->open < pool->min ||
           (waiting && pool->open == pool->running && pool->open < pool_limit(pool) + pool->overdue);
}

void pool_connecting(struct pool *pool)
{
    assert(!pool->connecting);
    pool->connecting = true;
}

void pool_connected(struct pool *pool)
{
    pool->open++;
    pool_connected_reserved(pool);
}

void pool_connected_reserved(struct pool *pool)
{
    pool->connecting = false;
    pool->backoff = 0;
    pool->connect_at_ms = 0;
}

static void back_off(struct pool *pool, uint64_t now_ms, uint32_t random)
{
    uint64_t most_ms = (uint64_t)POOL_BACKOFF_MIN_MS << pool->backoff;
    most_ms = most_ms > POOL_BACKOFF_MAX_MS ? POOL_BACKOFF_MAX_MS : most_ms;
    pool->connect_at_ms = now_ms + 1 + (most_ms * random >> 32);
    pool->backoff += pool->backoff < BACKOFF_DOUBLED;
}

void pool_connect_failed(struct pool *pool, uint64_t now_ms, uint32_t random)
{
    pool->connecting = false;
    pool_failed(pool, now_ms, random);
}

void pool_crowded(struct pool *pool, uint64_t now_ms)
{
    pool->connecting = false;
    pool->ceiling = pool->open > 0 ? pool->open : 1;
    pool->ceiling_until_ms = now_ms + POOL_CROWDED_MS;
    pool->connect_at_ms = now_ms + POOL_CROWDED_MS / 10;
}

void pool_closed(struct pool *pool)
{
    assert(pool->open > 0);
    pool->open--;
}

// ---- breaker ---------------------------------------------------------------------------------------------

void pool_trip(struct pool *pool, uint64_t now_ms, uint32_t random)
{
    if (pool->breaker == POOL_CLOSED) {
        pool->backoff = 0;
    }
    pool->breaker = POOL_OPEN;
    back_off(pool, now_ms, random);
}

void pool_failed(struct pool *pool, uint64_t now_ms, uint32_t random)
{
    if (pool->failures == 0 || now_ms >= pool->failed_ms + POOL_AT_ONCE_MS) {
        pool->failures++;
        pool->failed_ms = now_ms;
    }
    if (pool->breaker == POOL_HALF_OPEN ||
        (pool->breaker == POOL_CLOSED && pool->failures >= BREAKER_COUNT)) {
        pool_trip(pool, now_ms, random);
    } else {
        back_off(pool, now_ms, random);
    }
}

void pool_worked(struct pool *pool)
{
    pool->failures = 0;
    if (pool->breaker != POOL_CLOSED) {
        pool->breaker = POOL_CLOSED;
        pool->backoff = 0;
        pool->connect_at_ms = 0;
    }
}

bool pool_may_probe(struct pool *pool, uint64_t now_ms)
{
    if (pool->breaker != POOL_OPEN || pool->connecting || now_ms < pool->connect_at_ms) {
        return false;
    }
    pool->breaker = POOL_HALF_OPEN;
    return true;
}
