// SPDX-License-Identifier: ISC
// The journal's thread: takes records in batches, writes each batch with one fdatasync, and says what came of
// it. Private to the journal. Owns the thread, the file that is written, two buffers. Bounds:
// JOURNAL_UNWRITTEN_MAX records wait.
#ifndef STORE_JOURNAL_WRITER_H
#define STORE_JOURNAL_WRITER_H

#include "store/journal.h"

#include <pthread.h>

struct journal_batch {
    uint8_t (*records)[JOURNAL_RECORD_BYTES];
    uint64_t *segments; // of each record: the first sequence number of its file
    size_t count, capacity;
    uint64_t last; // sequence number of the last record
};

struct journal_result {
    bool ready, durable;
    uint64_t last;
    bool spoilt; // the file is not to be written any more: after a failed fdatasync nothing of it is certain
    int cause;   // errno
};

struct journal_writer {
    int folder;
    struct ev_loop *loop;
    ev_async *wake;
    pthread_t thread;
    bool started;

    // the thread's
    int file;
    uint64_t segment; // of `file`; 0: none
    uint64_t spoilt;  // the segment that an fdatasync failed on

    // shared, under `lock`
    pthread_mutex_t lock;
    pthread_cond_t wait;
    struct journal_batch filling, writing;
    struct journal_result result;
    uint64_t removed[JOURNAL_SEGMENTS_MAX];
    size_t removed_count;
    bool ending;
    uint64_t syncs; // fdatasyncs done
};

// `wake` is sent when there is a result.
void journal_writer_init(struct journal_writer *writer, int folder, struct ev_loop *loop, ev_async *wake);
[[nodiscard]] bool journal_writer_start(struct journal_writer *writer);
// Writes what waits, ends the thread.
void journal_writer_release(struct journal_writer *writer);

// False: the disk does not keep up, or no memory.
[[nodiscard]] bool journal_writer_put(struct journal_writer *writer, uint64_t segment,
                                      const struct journal_entry *entry);
// The result of a batch; the next batch begins when it is taken. False: there is none.
[[nodiscard]] bool journal_writer_take(struct journal_writer *writer, struct journal_result *result);
// Deletes the file. False: too many at once, ask again.
[[nodiscard]] bool journal_writer_remove(struct journal_writer *writer, uint64_t segment);

#endif
