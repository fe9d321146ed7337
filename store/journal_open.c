// SPDX-License-Identifier: ISC
// Reading the journal at the start. Runs in stayd-store, before anything is asked of it.
// 1. Segments are read in order, so that the memory of ends sees them in order.
// 2. What is damaged costs its own records and is said; what can't be read at all is for a person to decide.
// 3. The last mark says how far which database had come. Marks are not synced: an older one costs a replay.
#include "store/journal_private.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct reading {
    struct journal *journal;
    struct journal_segment *segment;
    uint64_t acknowledged; // by the last mark
    bool fine;
};

static int by_number(const void *a_, const void *b_)
{
    const uint64_t *a = a_, *b = b_;
    return (*a > *b) - (*a < *b);
}

// How many there are, sorted; -1: the folder can't be read; more than the maximum: too many.
static int list(int folder, uint64_t firsts[static JOURNAL_SEGMENTS_MAX])
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (names == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    unsigned count = 0;
    uint64_t first;
    for (const struct dirent *name = readdir(names); name != NULL; name = readdir(names)) {
        if (!journal_name_read(name->d_name, &first)) {
            continue;
        }
        if (count < JOURNAL_SEGMENTS_MAX) {
            firsts[count] = first;
        }
        count++;
    }
    closedir(names);
    qsort(firsts, count < JOURNAL_SEGMENTS_MAX ? count : JOURNAL_SEGMENTS_MAX, sizeof(firsts[0]), by_number);
    return (int)count;
}

static bool read_file(int folder, const char *name, uint8_t *data, size_t *size)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat file;
    bool fine = fd >= 0 && fstat(fd, &file) == 0;
    if (fine && !S_ISREG(file.st_mode)) {
        errno = EINVAL;
        fine = false;
    }
    *size = 0;
    while (fine && *size < JOURNAL_SEGMENT_BYTES) {
        ssize_t got = read(fd, data + *size, JOURNAL_SEGMENT_BYTES - *size);
        if (got == 0) {
            break;
        }
        if (got > 0) {
            *size += (size_t)got;
        } else if (errno != EINTR) {
            fine = false;
        }
    }
    int cause = errno;
    if (fd >= 0) {
        close(fd);
    }
    errno = cause;
    return fine;
}

static void visit(void *owner, const struct journal_entry *entry)
{
    struct reading *reading = owner;
    struct journal *journal = reading->journal;
    if (entry->kind == JOURNAL_MARK) {
        journal->server = entry->id; // zeros: there was none yet
        journal->server_known = memcmp(entry->id.byte, (const uint8_t[16]){0}, 16) != 0;
        reading->acknowledged = entry->acknowledged;
        return;
    }
    reading->fine = reading->fine && journal_remember(journal, entry);
    journal_segment_note(reading->segment, entry->sequence);
}

static void say_damage(const char *name, uint32_t damaged)
{
    if (damaged > 0) {
        log_event(LOG_WARNING, "journal_damaged",
                  "%s: %u records are damaged and left out; ends among them that the database does not have "
                  "are lost",
                  name, damaged);
    }
}

static enum journal_opened read_segment(struct reading *reading, uint64_t first, uint8_t *data,
                                        char why[static JOURNAL_WHY_MAX])
{
    struct journal *journal = reading->journal;
    char name[JOURNAL_NAME_MAX];
    size_t size;
    struct journal_scan scan;
    journal_name(first, name);
    if (!read_file(journal->folder, name, data, &size)) {
        (void)snprintf(why, JOURNAL_WHY_MAX,
                       "%s can't be read (%s): repair it, or move it away (ends that the database does not "
                       "have are lost with it)",
                       name, strerror(errno));
        return JOURNAL_OPEN_FAILED;
    }
    if (first < journal->next) {
        (void)snprintf(why, JOURNAL_WHY_MAX,
                       "%s overlaps the file before it: move away the one that is a copy", name);
        return JOURNAL_OPEN_FAILED;
    }
    reading->segment = journal_segment_add(journal, first);
    if (reading->segment == NULL) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "out of memory");
        return JOURNAL_OPEN_FAILED;
    }
    journal_scan(view_of(data, size), first, &scan, visit, reading);
    if (scan.newer) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "%s was written by a newer stayd: run that one", name);
        return JOURNAL_OPEN_NEWER;
    }
    say_damage(name, scan.damaged);
    reading->segment->used = scan.used;
    journal->next = first + scan.used;
    if (!reading->fine) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "out of memory");
    }
    return reading->fine ? JOURNAL_OPENED : JOURNAL_OPEN_FAILED;
}

static void acknowledge_all(struct journal *journal, uint64_t acknowledged)
{
    for (size_t i = 0; i < journal->segment_count; i++) {
        struct journal_segment *segment = journal->segments[i];
        for (uint32_t slot = 0; slot < segment->used && segment->first + slot <= acknowledged; slot++) {
            journal_segment_acknowledge(journal, segment, slot);
        }
    }
    journal->marked = acknowledged;
}

static enum journal_opened read_listed(struct journal *journal, const uint64_t *firsts, size_t count,
                                       char why[static JOURNAL_WHY_MAX])
{
    struct reading reading = {.journal = journal, .fine = true};
    enum journal_opened opened = JOURNAL_OPENED;
    uint8_t *data = malloc(JOURNAL_SEGMENT_BYTES);
    if (data == NULL) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "out of memory");
        return JOURNAL_OPEN_FAILED;
    }
    for (size_t i = 0; opened == JOURNAL_OPENED && i < count; i++) {
        opened = read_segment(&reading, firsts[i], data, why);
    }
    free(data);
    if (opened == JOURNAL_OPENED) {
        acknowledge_all(journal, reading.acknowledged);
        journal->settled = journal->next - 1;
    }
    return opened;
}

enum journal_opened journal_read_all(struct journal *journal, char why[static JOURNAL_WHY_MAX])
{
    uint64_t firsts[JOURNAL_SEGMENTS_MAX];
    int count = list(journal->folder, firsts);
    if (count < 0) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "the journal's folder can't be read: %s", strerror(errno));
        return JOURNAL_OPEN_FAILED;
    }
    if ((unsigned)count > JOURNAL_SEGMENTS_MAX) {
        (void)snprintf(why, JOURNAL_WHY_MAX,
                       "there are %d journal files, stayd writes %u at most: move copies away", count,
                       JOURNAL_SEGMENTS_MAX);
        return JOURNAL_OPEN_FAILED;
    }
    return read_listed(journal, firsts, (size_t)count, why);
}
