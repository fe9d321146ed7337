// SPDX-License-Identifier: ISC
// Readers beside a writer that works as fast as it can: first threads (for the thread sanitizer), then
// processes with read-only mappings while one writer after another is killed. The writer tells, beside the
// tables, what it has acknowledged: a session is LIVE, OVER, or CHANGING. A reader looks at that before and
// after a check:
//   - VALID is always the session's own account, all of it;
//   - OVER before the check: never VALID;
//   - LIVE before and after: never INVALID, and seldom a MISS.
#include "sessions/write.h"
#include "sessions/testing/tables.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SESSIONS = 3000, ACCOUNTS = 200, TABLE_MAX = 1 << 15 };

enum { OVER = 0, CHANGING = 1, LIVE = 2 };

// Shared by all: what is acknowledged, and what the readers saw.
struct notice {
    _Atomic uint64_t session[SESSIONS]; // incarnation << 2 | OVER, CHANGING or LIVE
    _Atomic uint64_t epoch[ACCOUNTS];
    _Atomic uint64_t account_changing[ACCOUNTS];
    _Atomic bool stop;
    _Atomic uint64_t checks, valid, misses, contended;
    _Atomic uint64_t wrong_identity, over_valid, live_invalid, torn;
};

static struct notice *notice;
static struct tables tables;

static uint64_t session_number(uint64_t session, uint64_t word)
{
    return session + (word >> 2) * SESSIONS;
}

static uint64_t account_of(uint64_t session)
{
    return session * 2654435761u % ACCOUNTS;
}

static void notice_set(uint64_t session, unsigned state)
{
    uint64_t word = atomic_load(&notice->session[session]);
    atomic_store(&notice->session[session], (word & ~3ull) | state);
}

// ---- a reader

static void reader_check(const struct sessions_reader *reader, uint64_t session)
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
    notice->misses += check == SESSIONS_MISS;
    notice->contended += identity.reason == SESSIONS_REASON_CONTENDED;
}

static void reader_run(const struct sessions_reader *reader, uint64_t seed)
{
    while (!atomic_load(&notice->stop))
        reader_check(reader, random_next(&seed) % SESSIONS);
}

static void *reader_thread(void *seed)
{
    reader_run(&tables.reader, (uint64_t)(uintptr_t)seed);
    return NULL;
}

// ---- the writer

static struct sessions_account_ref account_put(uint64_t account, uint32_t length)
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

static struct sessions_account_ref account_get(uint64_t account)
{
    struct id16 id = number_account(account);
    struct sessions_account_ref ref;
    return sessions_account_find(&tables.writer, &id, &ref) ? ref : account_put(account, 10);
}

static void session_grant(uint64_t session, uint64_t incarnation)
{
    struct sessions_account_ref ref = account_get(account_of(session));
    struct sessions_row row = row_make(session_number(session, incarnation << 2), &ref);
    row.idle_expires = sessions_idle_clock(&tables.writer) + 10;
    enum sessions_inserted result = sessions_insert(&tables.writer, &row);
    if (result != SESSIONS_INSERTED && result != SESSIONS_PRESENT)
        abort();
    atomic_store(&notice->session[session], incarnation << 2 | LIVE);
}

static void session_end(uint64_t session, uint64_t word, uint64_t how)
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
static void account_end(uint64_t account)
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
static void clock_tick(void)
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

static void writer_deed(uint64_t *random)
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

static void writer_run(uint64_t seed, int deeds)
{
    for (int i = 0; i < deeds; i++) {
        writer_deed(&seed);
        if (i % 500 == 0)
            clock_tick();
    }
}

// ---- the tests

static int notice_new(void **state)
{
    (void)state;
    notice = mmap(NULL, sizeof *notice, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(notice != MAP_FAILED);
    for (int i = 0; i < ACCOUNTS; i++)
        notice->epoch[i] = 1;
    tables_init(&tables, TABLE_MAX);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_NEW);
    return 0;
}

static int notice_free(void **state)
{
    (void)state;
    print_message("%lu checks, %lu valid; of live ones %lu missed, %lu of them contended\n", notice->checks,
                  notice->valid, notice->misses, notice->contended);
    tables_release(&tables);
    munmap(notice, sizeof *notice);
    return 0;
}

static void notice_verify(void)
{
    assert_int_equal(notice->wrong_identity, 0);
    assert_int_equal(notice->over_valid, 0);
    assert_int_equal(notice->live_invalid, 0);
    assert_int_equal(notice->torn, 0);
    assert_true(notice->valid > 0);
}

static void threads_read_what_one_writes(void **state)
{
    (void)state;
    pthread_t reader[2];
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&reader[i], NULL, reader_thread, (void *)(i + 1)), 0);
    writer_run(99, 40000);
    atomic_store(&notice->stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(reader[i], NULL);
    assert_null(sessions_verify(&tables.writer));
    notice_verify();
    assert_true(notice->misses * 100 <= notice->checks);
}

// A child that may only read: a write would end it.
static pid_t reader_fork(uint64_t seed)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (mprotect(tables.sessions_map, tables.sessions_size, PROT_READ) != 0 ||
        mprotect(tables.accounts_map, tables.accounts_size, PROT_READ) != 0)
        _exit(2);
    reader_run(&tables.reader, seed);
    _exit(0);
}

static void step_towards_death(void *context)
{
    uint64_t *steps_left = context;
    if ((*steps_left)-- == 0)
        kill(getpid(), SIGKILL);
}

// A writer that is killed before one of its stores, when it opens the tables or later.
static pid_t writer_fork(uint64_t seed, uint64_t steps_left)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (tables_open(&tables, step_towards_death, &steps_left) != SESSIONS_OPENED_EXISTING)
        _exit(2);
    for (;;)
        writer_run(seed++, 1000);
}

// What the dead writer left: consistent, and as acknowledged. What it had not acknowledged is ended.
static void dead_writer_verify(void)
{
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_EXISTING);
    const char *wrong = sessions_verify(&tables.writer);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    struct sessions_identity identity;
    for (uint64_t session = 0; session < SESSIONS; session++) {
        uint64_t word = notice->session[session];
        uint64_t account = account_of(session);
        enum sessions_check check = tables_check(&tables, session_number(session, word), &identity);
        if (check == SESSIONS_VALID)
            assert_true(identity_is(&identity, account));
        if ((word & 3) == OVER)
            assert_int_not_equal(check, SESSIONS_VALID);
        if ((word & 3) == LIVE && check != SESSIONS_VALID) {
            assert_int_equal(check, SESSIONS_MISS);
            assert_int_equal(notice->account_changing[account], 1);
        }
        if ((word & 3) == CHANGING || (check == SESSIONS_MISS && (word & 3) == LIVE))
            session_end(session, word, 0);
    }
    sessions_writer_release(&tables.writer);
}

static void processes_read_while_writers_die(void **state)
{
    (void)state;
    tables_allocate_all(&tables);
    pid_t reader[2];
    for (uint64_t i = 0; i < 2; i++)
        reader[i] = reader_fork(i + 1);
    sessions_writer_release(&tables.writer);
    uint64_t random = 5;
    for (uint64_t life = 0; life < 120; life++) {
        pid_t writer = writer_fork(1000 * life, random_next(&random) % (life % 4 == 0 ? 100 : 60000));
        assert_true(writer > 0);
        int status;
        assert_int_equal(waitpid(writer, &status, 0), writer);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        dead_writer_verify();
    }
    atomic_store(&notice->stop, true);
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(reader[i], &status, 0), reader[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    notice_verify();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(threads_read_what_one_writes, notice_new, notice_free),
        cmocka_unit_test_setup_teardown(processes_read_while_writers_die, notice_new, notice_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
