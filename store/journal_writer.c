// SPDX-License-Identifier: ISC
// The thread that writes the journal. Runs in stayd-store.
// 1. A batch is durable after its pwrites and the file's fdatasync, and, for a new file, its folder's fsync.
// 2. After an fdatasync failed the file is not written again: the kernel forgets the pages, a second call
//    would succeed without them.
// 3. One result at a time: a batch is written only when the one before was taken.
#include "store/journal_writer.h"

#include "base/crash.h"
#include "base/fault.h"
#include "store/syncs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void journal_writer_init(struct journal_writer *writer, int folder, struct ev_loop *loop, ev_async *wake)
{
    *writer = (struct journal_writer){.folder = folder, .loop = loop, .wake = wake, .file = -1};
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->wait, NULL);
}

// ---- the loop's side -------------------------------------------------------------------------------------

static bool grow(struct journal_batch *batch)
{
    size_t capacity = batch->capacity == 0 ? 256 : batch->capacity * 2;
    if (batch->count < batch->capacity) {
        return true;
    }
    if (batch->count >= JOURNAL_UNWRITTEN_MAX) {
        return false;
    }
    void *records = realloc(batch->records, capacity * sizeof(batch->records[0]));
    if (records != NULL) {
        batch->records = records;
    }
    uint64_t *segments = realloc(batch->segments, capacity * sizeof(*segments));
    if (segments != NULL) {
        batch->segments = segments;
    }
    if (records == NULL || segments == NULL) {
        return false;
    }
    batch->capacity = capacity;
    return true;
}

bool journal_writer_put(struct journal_writer *writer, uint64_t segment, const struct journal_entry *entry)
{
    pthread_mutex_lock(&writer->lock);
    struct journal_batch *batch = &writer->filling;
    bool fine = grow(batch);
    if (fine) {
        journal_record_write(batch->records[batch->count], entry);
        batch->segments[batch->count] = segment;
        batch->last = entry->sequence;
        batch->count++;
        pthread_cond_signal(&writer->wait);
    }
    pthread_mutex_unlock(&writer->lock);
    return fine;
}

bool journal_writer_take(struct journal_writer *writer, struct journal_result *result)
{
    pthread_mutex_lock(&writer->lock);
    *result = writer->result;
    writer->result = (struct journal_result){0};
    pthread_cond_signal(&writer->wait);
    pthread_mutex_unlock(&writer->lock);
    return result->ready;
}

bool journal_writer_remove(struct journal_writer *writer, uint64_t segment)
{
    pthread_mutex_lock(&writer->lock);
    bool fine = writer->removed_count < JOURNAL_SEGMENTS_MAX;
    if (fine) {
        writer->removed[writer->removed_count++] = segment;
        pthread_cond_signal(&writer->wait);
    }
    pthread_mutex_unlock(&writer->lock);
    return fine;
}

// ---- the thread's side -----------------------------------------------------------------------------------

static void close_file(struct journal_writer *writer)
{
    if (writer->file >= 0) {
        close(writer->file);
    }
    writer->file = -1;
    writer->segment = 0;
}

// The whole segment is claimed at once: ends go on for a while when the disk is full, and an fdatasync has no
// size to write. Without the room for it the file grows as it is written.
static bool open_segment(struct journal_writer *writer, uint64_t segment)
{
    char name[JOURNAL_NAME_MAX];
    journal_name(segment, name);
    close_file(writer);
    int file = openat(writer->folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return false;
    }
    (void)fallocate(file, 0, 0, JOURNAL_SEGMENT_BYTES);
    if (fsync(writer->folder) != 0) {
        int cause = errno;
        close(file);
        errno = cause;
        return false;
    }
    writer->file = file;
    writer->segment = segment;
    return true;
}

static bool write_run(int file, const uint8_t *data, size_t size, off_t at)
{
    while (size > 0) {
        ssize_t written = pwrite(file, data, size, at);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return false;
        }
        data += written;
        size -= (size_t)written;
        at += written;
    }
    return true;
}

// The part of a record that a full disk took would look like damage.
static void trim(int file)
{
    int cause = errno;
    struct stat now;
    off_t over = fstat(file, &now) == 0 ? now.st_size % JOURNAL_RECORD_BYTES : 0;
    if (over != 0 && ftruncate(file, now.st_size - over) != 0) {
        over = 0; // it will be said to be damaged, which it is
    }
    errno = cause;
}

static bool sync_file(struct journal_writer *writer)
{
    uint64_t begun_ns = clock_mono_ns();
    bool fine = fdatasync(writer->file) == 0;
    syncs_count(begun_ns);
    if (FAULT("journal_sync")) {
        errno = EIO;
        fine = false;
    }
    int cause = errno;
    pthread_mutex_lock(&writer->lock);
    writer->syncs++;
    pthread_mutex_unlock(&writer->lock);
    if (!fine) {
        writer->spoilt = writer->segment;
        close_file(writer);
        errno = cause;
    }
    return fine;
}

// Records that lie together in one file.
static bool write_together(struct journal_writer *writer, uint64_t sequence, size_t from, size_t to)
{
    const struct journal_batch *batch = &writer->writing;
    uint64_t segment = batch->segments[from];
    if (segment == writer->spoilt) {
        errno = EIO;
        return false;
    }
    if (writer->segment != segment && !open_segment(writer, segment)) {
        return false;
    }
    if (!write_run(writer->file, batch->records[from], (to - from) * JOURNAL_RECORD_BYTES,
                   (off_t)((sequence - segment) * JOURNAL_RECORD_BYTES))) {
        trim(writer->file);
        return false;
    }
    return sync_file(writer);
}

static bool write_batch(struct journal_writer *writer)
{
    const struct journal_batch *batch = &writer->writing;
    uint64_t first = batch->last + 1 - batch->count;
    for (size_t from = 0, to = 0; from < batch->count; from = to) {
        while (to < batch->count && batch->segments[to] == batch->segments[from]) {
            to++;
        }
        if (!write_together(writer, first + from, from, to)) {
            return false;
        }
    }
    return true;
}

static void remove_files(struct journal_writer *writer, const uint64_t *removed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[JOURNAL_NAME_MAX];
        journal_name(removed[i], name);
        if (removed[i] == writer->segment) {
            close_file(writer);
        }
        (void)unlinkat(writer->folder, name, 0); // one that comes back is only read once more
    }
}

static void give_result(struct journal_writer *writer, bool durable, int cause)
{
    uint64_t last_segment = writer->writing.segments[writer->writing.count - 1];
    pthread_mutex_lock(&writer->lock);
    writer->result = (struct journal_result){.ready = true,
                                             .durable = durable,
                                             .last = writer->writing.last,
                                             .spoilt = !durable && writer->spoilt == last_segment,
                                             .cause = cause};
    writer->writing.count = 0;
    pthread_mutex_unlock(&writer->lock);
    ev_async_send(writer->loop, writer->wake);
}

// Waits for something to do; false: nothing will come.
static bool wait_for_work(struct journal_writer *writer, uint64_t removed[static JOURNAL_SEGMENTS_MAX],
                          size_t *removed_count)
{
    pthread_mutex_lock(&writer->lock);
    while (!writer->ending && writer->removed_count == 0 &&
           (writer->filling.count == 0 || writer->result.ready)) {
        pthread_cond_wait(&writer->wait, &writer->lock);
    }
    if (writer->filling.count > 0 && (writer->ending || !writer->result.ready)) {
        struct journal_batch full = writer->filling;
        writer->filling = writer->writing;
        writer->writing = full;
    }
    *removed_count = writer->removed_count;
    memcpy(removed, writer->removed, sizeof(writer->removed));
    writer->removed_count = 0;
    bool more = !writer->ending || writer->writing.count > 0 || *removed_count > 0;
    pthread_mutex_unlock(&writer->lock);
    return more;
}

static void *write_all(void *owner)
{
    struct journal_writer *writer = owner;
    uint64_t removed[JOURNAL_SEGMENTS_MAX];
    size_t removed_count;
    (void)crash_watch_thread();
    while (wait_for_work(writer, removed, &removed_count)) {
        remove_files(writer, removed, removed_count);
        if (writer->writing.count > 0) {
            bool durable = write_batch(writer);
            give_result(writer, durable, durable ? 0 : errno);
        }
    }
    return NULL;
}

bool journal_writer_start(struct journal_writer *writer)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256u << 10);
    writer->started = pthread_create(&writer->thread, &small, write_all, writer) == 0;
    pthread_attr_destroy(&small);
    return writer->started;
}

static void release_batch(struct journal_batch *batch)
{
    free(batch->records);
    free(batch->segments);
    *batch = (struct journal_batch){0};
}

void journal_writer_release(struct journal_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->ending = true;
    pthread_cond_signal(&writer->wait);
    pthread_mutex_unlock(&writer->lock);
    if (writer->started) {
        pthread_join(writer->thread, NULL);
    }
    close_file(writer);
    release_batch(&writer->filling);
    release_batch(&writer->writing);
    pthread_cond_destroy(&writer->wait);
    pthread_mutex_destroy(&writer->lock);
}
