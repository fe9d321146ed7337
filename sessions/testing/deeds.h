// SPDX-License-Identifier: ISC
// A writer that does all there is to do, at random, and a reader that knows what it may see. The writer
// tells, beside the tables, what it has acknowledged: a session is LIVE, OVER, or CHANGING. A reader looks at
// that before and after a check:
//   - VALID is always the session's own account, all of it;
//   - OVER before the check: never VALID;
//   - LIVE before and after: never INVALID nor absent, and seldom a MISS (contended, or the account lost with
//   a writer).
// The includer defines SESSIONS and ACCOUNTS, how many there are.
#ifndef SESSIONS_TESTING_DEEDS_H
#define SESSIONS_TESTING_DEEDS_H

#include "sessions/testing/tables.h"

enum { OVER = 0, CHANGING = 1, LIVE = 2 };

// Shared by all: what is acknowledged, and what the readers saw.
struct notice {
    _Atomic uint64_t session[SESSIONS]; // incarnation << 2 | OVER, CHANGING or LIVE
    _Atomic uint64_t epoch[ACCOUNTS];
    _Atomic uint64_t account_changing[ACCOUNTS];
    _Atomic bool stop;
    _Atomic uint64_t checks, valid, misses, contended;
    _Atomic uint64_t wrong_identity, over_valid, live_invalid, live_absent, torn;
};

static struct notice *notice;
static struct tables tables;

static inline uint64_t session_number(uint64_t session, uint64_t word)
{
    return session + (word >> 2) * SESSIONS;
}

static inline uint64_t account_of(uint64_t session)
{
    return session * 2654435761u % ACCOUNTS;
}

static inline void notice_set(uint64_t session, unsigned state)
{
    uint64_t word = atomic_load(&notice->session[session]);
    atomic_store(&notice->session[session], (word & ~3ull) | state);
}

// ---- a reader

static inline void reader_check(const struct sessions_reader *reader, uint64_t session)
{
    struct sessions_identity identity;
    uint8_t selector[16], verifier[16];
    uint64_t before = atomic_load(&notice->session[session]);
    uint64_t number = session_number(session, before);
    number_selector(number, selector);
    number_verifier(number, verifier);
    enum sessions_check check = sessions_check(reader, selector, verifier, 2000, &identity);
    uint64_t after = atomic_load(&notice->session[session]);
    notice->checks++;
    notice->valid += check == SESSIONS_VALID;
    if (check == SESSIONS_VALID && !identity_is(&identity, account_of(session)))
        notice->wrong_identity++;
    if (check == SESSIONS_VALID && (before & 3) == OVER)
        notice->over_valid++;
    if (identity.reason == SESSIONS_REASON_CORRUPT)
        notice->torn++;
    if (before != after || (before & 3) != LIVE)
        return;
    notice->live_invalid += check == SESSIONS_INVALID;
    notice->live_absent += identity.reason == SESSIONS_REASON_ABSENT;
    notice->misses += check == SESSIONS_MISS;
    notice->contended += identity.reason == SESSIONS_REASON_CONTENDED;
}

// ---- the writer

static inline struct sessions_account_ref account_put(uint64_t account, uint32_t length)
{
    struct account_made made;
    struct sessions_account_ref ref = {0};
    account_make(&made, account, length, (uint32_t)atomic_load(&notice->epoch[account]));
    atomic_store(&notice->account_changing[account], 1);
    if (sessions_account_put(&tables.writer, &made.account, &ref) != SESSIONS_ACCOUNT_STORED)
        abort();
    atomic_store(&notice->account_changing[account], 0);
    return ref;
}

static inline struct sessions_account_ref account_get(uint64_t account)
{
    struct id16 id = number_account(account);
    struct sessions_account_ref ref;
    return sessions_account_find(&tables.writer, &id, &ref) ? ref : account_put(account, 10);
}

static inline void session_grant(uint64_t session, uint64_t incarnation)
{
    struct sessions_account_ref ref = account_get(account_of(session));
    struct sessions_row row = row_make(session_number(session, incarnation << 2), &ref);
    row.idle_expires = sessions_idle_clock(&tables.writer) + 10;
    enum sessions_inserted result = sessions_insert(&tables.writer, &row);
    if (result == SESSIONS_INSERT_FULL)
        return;
    if (result != SESSIONS_INSERTED && result != SESSIONS_PRESENT)
        abort();
    atomic_store(&notice->session[session], incarnation << 2 | LIVE);
}

static inline void session_end(uint64_t session, uint64_t word, uint64_t how)
{
    struct sessions_pending end = {.kind = SESSIONS_PENDING_END};
    uint32_t place;
    number_selector(session_number(session, word), end.selector);
    notice_set(session, CHANGING);
    if (how % 2 == 0) {
        sessions_remove(&tables.writer, end.selector);
    } else if (sessions_pending_add(&tables.writer, &end, &place)) {
        sessions_mark_ending(&tables.writer, end.selector);
        notice_set(session, OVER);
        sessions_remove(&tables.writer, end.selector);
        sessions_pending_remove(&tables.writer, place);
    }
    notice_set(session, OVER);
}

// All of an account but the first that is live.
static inline void account_end(uint64_t account)
{
    uint8_t keep[16];
    bool kept = false;
    for (uint64_t session = 0; session < SESSIONS; session++) {
        uint64_t word = atomic_load(&notice->session[session]);
        if (account_of(session) != account || (word & 3) != LIVE)
            continue;
        if (!kept)
            number_selector(session_number(session, word), keep);
        else
            notice_set(session, CHANGING);
        kept = true;
    }
    struct id16 id = number_account(account);
    uint64_t epoch = atomic_load(&notice->epoch[account]) + 1;
    atomic_store(&notice->epoch[account], epoch);
    sessions_end_all(&tables.writer, &id, (uint32_t)epoch, kept ? keep : NULL);
    for (uint64_t session = 0; session < SESSIONS; session++) {
        if (account_of(session) == account && (atomic_load(&notice->session[session]) & 3) == CHANGING)
            notice_set(session, OVER);
    }
}

// Extends every session, then moves the clock on: nothing may be idle in between.
static inline void clock_tick(void)
{
    uint32_t clock = sessions_idle_clock(&tables.writer) + 1;
    uint8_t selector[16];
    for (uint64_t session = 0; session < SESSIONS; session++) {
        uint64_t word = atomic_load(&notice->session[session]);
        number_selector(session_number(session, word), selector);
        if ((word & 3) == LIVE)
            sessions_extend_idle(&tables.writer, selector, clock + 1);
    }
    sessions_idle_clock_set(&tables.writer, clock);
}

static inline void writer_deed(uint64_t *random)
{
    uint64_t session = random_next(random) % SESSIONS;
    uint64_t word = atomic_load(&notice->session[session]);
    uint64_t deed = random_next(random) % 100;
    struct sessions_swept swept;
    if (deed < 1)
        account_end(account_of(session));
    else if (deed < 10)
        account_put(account_of(session), (uint32_t)(random_next(random) % 400));
    else if (deed < 20)
        sessions_sweep(&tables.writer, 16, 2000, &swept);
    else if (deed < 21)
        table_grow(&tables.writer);
    else if ((word & 3) != LIVE)
        session_grant(session, (word >> 2) + 1);
    else if (deed < 50)
        session_end(session, word, random_next(random));
}

// After a new core opened the tables of a dead one: what that one had not acknowledged is ended, and so is
// what it took along with an account that it was writing.
static inline void deeds_reconcile(void)
{
    struct sessions_account_ref ref;
    for (uint64_t account = 0; account < ACCOUNTS; account++) {
        struct id16 id = number_account(account);
        if (sessions_account_find(&tables.writer, &id, &ref))
            atomic_store(&notice->epoch[account], ref.epoch);
    }
    for (uint64_t session = 0; session < SESSIONS; session++) {
        uint64_t word = atomic_load(&notice->session[session]);
        struct id16 id = number_account(account_of(session));
        struct sessions_row row;
        uint8_t selector[16];
        number_selector(session_number(session, word), selector);
        bool whole = sessions_account_find(&tables.writer, &id, &ref) &&
                     sessions_find(&tables.writer, selector, &row) && row.account_slot == ref.slot &&
                     row.account_generation == ref.generation;
        if ((word & 3) == CHANGING || ((word & 3) == LIVE && !whole))
            session_end(session, word, 0);
    }
}

#endif
