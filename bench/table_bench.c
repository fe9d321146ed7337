// SPDX-License-Identifier: ISC
// Nanoseconds of CPU a check, a grant and a sweep step take, and bytes a session takes, at the numbers of
// sessions given as arguments (by default 1,000 and 10,000,000). Ten sessions an account, checked in random
// order; no other process.
#include "sessions/testing/tables.h"

#include <sys/mman.h>
#include <time.h>

enum { PER_ACCOUNT = 10, CHECKS = 2000000 };

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); // others may be at work
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static double fill(struct tables *tables, uint64_t sessions)
{
    struct sessions_account_ref ref = {0};
    int64_t began = now_ns();
    for (uint64_t number = 0; number < sessions; number++) {
        if (number % PER_ACCOUNT == 0) {
            struct account_made made;
            account_make(&made, number / PER_ACCOUNT, 12, 1);
            if (sessions_account_put(&tables->writer, &made.account, &ref) != SESSIONS_ACCOUNT_STORED)
                abort();
        }
        struct sessions_row row = row_make(number, &ref);
        if (sessions_insert(&tables->writer, &row) != SESSIONS_INSERTED)
            abort();
    }
    return (double)(now_ns() - began) / (double)sessions;
}

// Tokens are made ahead, so that only checks are measured.
struct token {
    uint8_t selector[16];
    uint8_t verifier[16];
};

static double check(struct tables *tables, uint64_t sessions)
{
    enum { AHEAD = 4096 };
    static struct token token[AHEAD];
    uint64_t random = 1;
    int64_t spent = 0;
    for (int done = 0; done < CHECKS; done += AHEAD) {
        for (int i = 0; i < AHEAD; i++) {
            uint64_t number = random_next(&random) % sessions;
            number_selector(number, token[i].selector);
            number_verifier(number, token[i].verifier);
        }
        struct sessions_identity identity;
        int64_t began = now_ns();
        for (int i = 0; i < AHEAD; i++) {
            if (sessions_check(&tables->reader, token[i].selector, token[i].verifier, 2000, &identity) !=
                SESSIONS_VALID)
                abort();
        }
        spent += now_ns() - began;
    }
    return (double)spent / CHECKS;
}

static double sweep(struct tables *tables)
{
    struct sessions_swept swept = {0};
    uint64_t steps = 0;
    int64_t began = now_ns();
    for (; !swept.pass_done; steps += 64)
        sessions_sweep(&tables->writer, 64, 2000, &swept);
    return (double)(now_ns() - began) / (double)steps;
}

static void measure(uint64_t sessions)
{
    struct tables tables;
    tables_init(&tables, SESSIONS_MAX_DEFAULT);
    if (tables_open(&tables, NULL, NULL) != SESSIONS_OPENED_NEW)
        abort();
    double fill_ns = fill(&tables, sessions);
    double check_ns = check(&tables, sessions);
    double sweep_ns = sweep(&tables);
    struct sessions_counts counts;
    sessions_writer_counts(&tables.writer, &counts);
    uint64_t fixed = offsetof(struct sessions_file, bucket) + SESSIONS_HEADER_BYTES;
    printf("{\"sessions\": %lu, \"check_ns\": %.1f, \"grant_ns\": %.1f, \"sweep_step_ns\": %.1f, "
           "\"bytes_per_session\": %.1f}\n",
           sessions, check_ns, fill_ns, sweep_ns,
           (double)(counts.sessions_bytes + counts.accounts_bytes - fixed) / (double)sessions);
    fflush(stdout);
    tables_release(&tables);
}

int main(int argc, char **argv)
{
    if (argc == 1) {
        measure(1000);
        measure(10000000);
    }
    for (int i = 1; i < argc; i++)
        measure(strtoull(argv[i], NULL, 10));
    return 0;
}
