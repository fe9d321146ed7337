// SPDX-License-Identifier: ISC
// For the journal's tests: a journal in a folder of its own on a loop of its own. Included by tests only.
#ifndef STORE_TESTING_JOURNAL_H
#define STORE_TESTING_JOURNAL_H

#include "store/testing.h"

#include "store/journal_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

struct fixture {
    char folder[64];
    int fd;
    struct ev_loop *loop;
    struct journal *journal;
    uint64_t settled, durable, failed; // the last sequence number said, the last durable one, failures said
    int pipe;                          // told of every durable number
};

static inline void on_settled(void *owner, uint64_t sequence, bool durable)
{
    struct fixture *f = owner;
    assert_true(sequence > f->settled);
    f->settled = sequence;
    f->durable = durable ? sequence : f->durable;
    f->failed += !durable;
    if (durable && f->pipe > 0) {
        assert_int_equal(write(f->pipe, &sequence, sizeof(sequence)), sizeof(sequence));
    }
}

static inline enum journal_opened open_journal(struct fixture *f, char why[static JOURNAL_WHY_MAX])
{
    f->settled = f->durable = f->failed = 0;
    return journal_open(&f->journal, f->fd, f->loop, on_settled, f, why);
}

static inline void begin(struct fixture *f)
{
    char why[JOURNAL_WHY_MAX] = "";
    assert_int_equal(open_journal(f, why), JOURNAL_OPENED);
    assert_true(journal_start(f->journal));
}

static inline void again(struct fixture *f)
{
    journal_close(&f->journal);
    begin(f);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    testing_folder(f->folder);
    f->fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->loop = ev_loop_new(EVFLAG_AUTO);
    *state = f;
    return f->fd < 0 || f->loop == NULL;
}

// Counts the journal's files, and removes them if asked to.
static inline size_t each_file(const struct fixture *f, bool removes)
{
    size_t count = 0;
    uint64_t first;
    int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fdopendir(fd);
    assert_non_null(names);
    for (const struct dirent *name = readdir(names); name != NULL; name = readdir(names)) {
        if (journal_name_read(name->d_name, &first)) {
            count++;
            assert_true(!removes || unlinkat(f->fd, name->d_name, 0) == 0);
        }
    }
    closedir(names);
    return count;
}

static inline void remove_segments(const struct fixture *f)
{
    (void)each_file(f, true);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    journal_close(&f->journal);
    remove_segments(f);
    close(f->fd);
    ev_loop_destroy(f->loop);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static inline void settle(struct fixture *f, uint64_t sequence)
{
    while (f->settled < sequence) {
        ev_run(f->loop, EVRUN_ONCE);
    }
}

static inline uint64_t end_one(struct fixture *f, uint32_t number)
{
    uint64_t sequence = journal_end_session(f->journal, testing_id('s', number));
    assert_true(sequence > 0);
    return sequence;
}

static inline bool has_ended(const struct fixture *f, uint32_t number)
{
    return ended_session(journal_ended(f->journal), testing_id('s', number));
}

static inline size_t files(const struct fixture *f)
{
    return each_file(f, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
