// SPDX-License-Identifier: ISC
// What a session costs in memory at 100,000 and 1,000,000 with ten to an account (asserted), and how long the
// next core needs to open the tables after a crash at the worst moment (told, not asserted).
#include "sessions/write.h"
#include "sessions/testing/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

enum { PER_ACCOUNT = 10, BYTES_EACH_MAX = 115 };

static struct tables tables;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static void fill(uint64_t from, uint64_t to)
{
    struct sessions_account_ref ref = {0};
    for (uint64_t number = from; number < to; number++) {
        if (number % PER_ACCOUNT == 0) {
            struct account_made made;
            account_make(&made, number / PER_ACCOUNT, 12, 1);
            assert_int_equal(sessions_account_put(&tables.writer, &made.account, &ref),
                             SESSIONS_ACCOUNT_STORED);
        }
        struct sessions_row row = row_make(number, &ref);
        assert_int_equal(sessions_insert(&tables.writer, &row), SESSIONS_INSERTED);
    }
}

static void memory_verify(uint64_t sessions)
{
    struct sessions_counts counts;
    sessions_writer_counts(&tables.writer, &counts);
    assert_int_equal(counts.sessions, sessions);
    assert_int_equal(counts.accounts, sessions / PER_ACCOUNT);
    uint64_t fixed = offsetof(struct sessions_file, bucket) + SESSIONS_HEADER_BYTES;
    double bytes_each = (double)(counts.sessions_bytes + counts.accounts_bytes - fixed) / (double)sessions;
    print_message("%lu sessions: %.1f bytes each, accounts included; load %.3f\n", sessions, bytes_each,
                  (double)sessions / (double)(counts.buckets * SESSIONS_BUCKET_ENTRIES));
    assert_true(bytes_each <= BYTES_EACH_MAX);
    assert_true(counts.sessions_bytes + counts.accounts_bytes <= tables.bytes_given + SESSIONS_CHUNK_BYTES);
}

static void reopen(const char *after)
{
    int64_t began = now_us();
    sessions_writer_release(&tables.writer);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_EXISTING);
    print_message("opened after %s in %.2f ms\n", after, (double)(now_us() - began) / 1000);
}

static void a_session_costs_little(void **state)
{
    (void)state;
    const uint64_t many = 1000000 / SLOW_DOWN;
    tables_init(&tables, SESSIONS_MAX_DEFAULT);
    assert_int_equal(tables_open(&tables, NULL, NULL), SESSIONS_OPENED_NEW);
    fill(0, 100000);
    memory_verify(100000);
    fill(100000, many);
    memory_verify(many);
    reopen("a quiet end");
    atomic_store(&tables.writer.accounts->header.changing, 1);
    reopen("a crash in a change of an account");
    struct sessions_identity identity;
    for (uint64_t number = 0; number < many; number += 997) {
        assert_int_equal(tables_check(&tables, number, &identity), SESSIONS_VALID);
        assert_true(identity_is(&identity, number / PER_ACCOUNT));
    }
    tables_release(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
