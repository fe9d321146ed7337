// SPDX-License-Identifier: ISC
// Readers beside a writer that works as fast as it can: first threads (for the thread sanitizer), then
// processes with read-only mappings while one writer after another is killed. What a reader may see is said
// in testing/deeds.h.
#include "sessions/write.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SESSIONS = 3000, ACCOUNTS = 200, TABLE_MAX = 1 << 15 };

#include "sessions/testing/deeds.h"

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
    assert_int_equal(notice->live_absent, 0);
    assert_int_equal(notice->torn, 0);
    assert_true(notice->valid > 0);
}

static void threads_read_what_one_writes(void **state)
{
    (void)state;
    pthread_t reader[2];
    for (uintptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&reader[i], NULL, reader_thread, (void *)(i + 1)), 0);
    writer_run(99, 40000 / SLOW_DOWN);
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
    }
    deeds_reconcile();
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
    for (uint64_t life = 0; life < 120 / SLOW_DOWN; life++) {
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
