// SPDX-License-Identifier: ISC
// Lists of common and breached passwords, read by stayd-hash with pread.
// Not mapped: a list that someone cuts short while it is in use is then an answer "unknown" instead of a
// SIGBUS, and none of it counts as memory of ours. A password is looked up when it is chosen, never at login,
// so the reads don't matter.
//
// Invariants of an open list: (1) through[] never decreases and ends with count; (2) the file had exactly the
// header and count entries when it was opened. That the entries are sorted is not relied on for safety, only
// for the answer.
#include "keeper/common.h"
#include "keeper/sha1.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        "staydpw1"
#define MAGIC_SIZE   8
#define ENTRIES_READ (COMMON_READ_MAX / COMMON_KEY_SIZE)
#define COUNT_MAX    (UINT64_C(1) << 40)

static uint64_t load_u64(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | from[i];
    }
    return value;
}

static void store_u64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

const char *common_result_text(enum common_result result)
{
    static const char *const text[] = {
        [COMMON_OK] = "a list of passwords",
        [COMMON_UNREADABLE] = "the list of passwords can't be read",
        [COMMON_NOT_A_LIST] = "not a list of passwords; make one from a text file with make-common-passwords",
        [COMMON_DAMAGED] = "the list of passwords is damaged; make it again with make-common-passwords",
    };
    return text[result];
}

static bool read_at(int fd, void *out, size_t size, uint64_t offset)
{
    uint8_t *to = out;
    while (size > 0) {
        ssize_t got = pread(fd, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        to += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

static bool counts_agree(const struct common *list)
{
    for (int i = 1; i < 256; i++) {
        if (list->through[i] < list->through[i - 1]) {
            return false;
        }
    }
    return list->through[255] == list->count;
}

static enum common_result read_header(struct common *list, uint64_t file_size)
{
    uint8_t header[COMMON_HEADER_SIZE];
    if (file_size < MAGIC_SIZE || !read_at(list->fd, header, MAGIC_SIZE, 0) ||
        memcmp(header, MAGIC, MAGIC_SIZE) != 0) {
        return COMMON_NOT_A_LIST;
    }
    if (!read_at(list->fd, header, sizeof header, 0)) {
        return COMMON_DAMAGED;
    }
    list->count = load_u64(header + MAGIC_SIZE);
    for (int i = 0; i < 256; i++) {
        list->through[i] = load_u64(header + MAGIC_SIZE + 8 + (ptrdiff_t)8 * i);
    }
    if (list->count > COUNT_MAX || file_size != COMMON_HEADER_SIZE + list->count * COMMON_KEY_SIZE ||
        !counts_agree(list)) {
        return COMMON_DAMAGED;
    }
    return COMMON_OK;
}

enum common_result common_init(struct common *list, int fd)
{
    struct stat status;
    enum common_result result = COMMON_UNREADABLE;
    *list = (struct common){.fd = fd};
    if (fstat(fd, &status) == 0) {
        result = S_ISREG(status.st_mode) ? read_header(list, (uint64_t)status.st_size) : COMMON_NOT_A_LIST;
    }
    if (result != COMMON_OK) {
        common_release(list);
    }
    return result;
}

void common_init_unknown(struct common *list)
{
    *list = (struct common){.fd = -1, .count = 256};
    for (size_t i = 0; i < 256; i++) {
        list->through[i] = i + 1; // one entry each, which can't be read
    }
}

void common_release(struct common *list)
{
    if (list->fd >= 0) {
        close(list->fd);
    }
    *list = (struct common){.fd = -1};
}

static uint64_t entry_offset(uint64_t index)
{
    return COMMON_HEADER_SIZE + index * COMMON_KEY_SIZE;
}

// Halves [*from, *to) by single reads until what is left fits in one.
static bool narrow(const struct common *list, const uint8_t *key, uint64_t *from, uint64_t *to)
{
    while (*to - *from > ENTRIES_READ) {
        uint64_t middle = *from + (*to - *from) / 2;
        uint8_t entry[COMMON_KEY_SIZE];
        if (!read_at(list->fd, entry, sizeof entry, entry_offset(middle))) {
            return false;
        }
        if (memcmp(entry, key, COMMON_KEY_SIZE) <= 0) {
            *from = middle;
        } else {
            *to = middle;
        }
    }
    return true;
}

static enum common_answer find_key(const struct common *list, const uint8_t *key)
{
    uint8_t entries[ENTRIES_READ][COMMON_KEY_SIZE];
    uint64_t from = key[0] == 0 ? 0 : list->through[key[0] - 1];
    uint64_t to = list->through[key[0]];
    if (!narrow(list, key, &from, &to)) {
        return COMMON_UNKNOWN;
    }
    size_t count = (size_t)(to - from);
    if (!read_at(list->fd, entries, count * COMMON_KEY_SIZE, entry_offset(from))) {
        return COMMON_UNKNOWN;
    }
    for (size_t i = 0; i < count; i++) {
        if (memcmp(entries[i], key, COMMON_KEY_SIZE) == 0) {
            return COMMON_PRESENT;
        }
    }
    return COMMON_ABSENT;
}

void common_key(struct view spelling, uint8_t key[COMMON_KEY_SIZE])
{
    uint8_t digest[SHA1_SIZE];
    sha1(spelling, digest);
    memcpy(key, digest, COMMON_KEY_SIZE);
    wipe(digest, sizeof digest);
}

enum common_answer common_find(const struct common *list, struct view normal, struct view folded)
{
    uint8_t key[COMMON_KEY_SIZE];
    common_key(folded, key);
    enum common_answer answer = find_key(list, key);
    if (answer == COMMON_ABSENT && !view_equal(normal, folded)) {
        common_key(normal, key);
        answer = find_key(list, key);
    }
    wipe(key, sizeof key);
    return answer;
}

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, COMMON_KEY_SIZE);
}

static size_t drop_repeated(uint8_t (*keys)[COMMON_KEY_SIZE], size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || memcmp(keys[kept - 1], keys[i], COMMON_KEY_SIZE) != 0) {
            memmove(keys[kept++], keys[i], COMMON_KEY_SIZE);
        }
    }
    return kept;
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return false;
        }
        data += written;
        size -= (size_t)written;
    }
    return true;
}

bool common_write(int fd, uint8_t (*keys)[COMMON_KEY_SIZE], size_t count)
{
    uint8_t header[COMMON_HEADER_SIZE];
    if (count > 0) {
        qsort(keys, count, COMMON_KEY_SIZE, compare_keys);
    }
    count = drop_repeated(keys, count);
    memcpy(header, MAGIC, MAGIC_SIZE);
    store_u64(header + MAGIC_SIZE, count);
    size_t through = 0;
    for (size_t first = 0; first < 256; first++) {
        while (through < count && keys[through][0] <= first) {
            through++;
        }
        store_u64(header + MAGIC_SIZE + 8 + 8 * first, through);
    }
    return write_all(fd, header, sizeof header) &&
           write_all(fd, (const uint8_t *)keys, count * COMMON_KEY_SIZE);
}
