// SPDX-License-Identifier: ISC
// Gives libsodium the memory of a hash in huge pages that are kept between hashes, in stayd-hash: a third
// less processor time for each.
//
// libsodium maps the memory of every argon2id anew (19 MiB, some 4900 pages) and has no way to be given it.
// Its calls of mmap and munmap find these functions instead of the C library's, because the executable comes
// first in the search order. What it gets is a plain anonymous mapping as it asked for; only large ones,
// asked for with MAP_POPULATE, are placed on a boundary of huge pages and filled with them. Where the kernel
// has none to give, they are ordinary pages. argon2id writes every block before it reads it, so what the hash
// before left there does not matter to the next. Sanitizers have a mmap of their own, which is left in place.
//
// Invariants, under the mutex: (1) a place is used by one hash at most; (2) no more places are kept than
// hashes were at work at once since hash_memory_release, each no larger than KEPT_SIZE_MAX.
#include "keeper/hash_memory.h"

#include "base/bytes.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#ifndef SANITIZED

#define HUGE_PAGE  ((size_t)2 << 20)
#define PAGE       ((size_t)4096)
#define LARGE_SIZE ((size_t)4 << 20)

#define KEPT_SIZE_MAX ((size_t)64 << 20)
#define PLACES        256 // as many as there may be workers (keeper/crew.h)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14; older ones fill the pages when they are touched
#endif

struct place {
    void *start; // NULL: none
    size_t size;
    bool used;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct place places[PLACES];

// The libraries' names for them, whatever the headers make of `mmap` with 64-bit offsets.
void *hash_memory_map(void *address, size_t size, int protection, int flags, int fd,
                      off_t offset) __asm__("mmap");
int hash_memory_unmap(void *address, size_t size) __asm__("munmap");

static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    long mapped = syscall(SYS_mmap, address, size, protection, flags, fd, offset);
    return mapped == -1 ? MAP_FAILED : (void *)mapped; // NOLINT(performance-no-int-to-ptr)
}

static int unmap(void *address, size_t size)
{
    return (int)syscall(SYS_munmap, address, size);
}

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

// More than asked for, then cut on both sides to the first boundary and the size.
static void *map_on_boundary(size_t size, int protection, int flags)
{
    size_t whole = round_up(size, PAGE);
    uint8_t *start = map(NULL, whole + HUGE_PAGE, protection, flags & ~MAP_POPULATE, -1, 0);
    if (start == MAP_FAILED) {
        return MAP_FAILED;
    }
    size_t before = round_up((uintptr_t)start, HUGE_PAGE) - (uintptr_t)start;
    if (before > 0) {
        unmap(start, before);
    }
    unmap(start + before + whole, HUGE_PAGE - before);
    return start + before;
}

static void *map_huge(size_t size, int protection, int flags)
{
    void *start = map_on_boundary(size, protection, flags);
    if (start != MAP_FAILED) {
        int before = errno;
        (void)madvise(start, size, MADV_HUGEPAGE);
        (void)madvise(start, size, MADV_POPULATE_WRITE);
        errno = before;
    }
    return start;
}

// One that is kept and has this size; NULL: there is none.
static void *use_kept(size_t size)
{
    void *start = NULL;
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < PLACES && start == NULL; i++) {
        struct place *place = &places[i];
        if (place->start != NULL && !place->used && place->size == size) {
            place->used = true;
            start = place->start;
        }
    }
    pthread_mutex_unlock(&mutex);
    return start;
}

// In a free place, or in that of one of another size.
static void note_used(void *start, size_t size)
{
    struct place old = {0};
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < PLACES; i++) {
        if (!places[i].used) {
            old = places[i];
            places[i] = (struct place){.start = start, .size = size, .used = true};
            break;
        }
    }
    pthread_mutex_unlock(&mutex);
    if (old.start != NULL) {
        unmap(old.start, old.size);
    }
}

void *hash_memory_map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    bool of_a_hash = address == NULL && size >= LARGE_SIZE && size < SIZE_MAX - HUGE_PAGE - PAGE &&
                     (flags & MAP_POPULATE) != 0 && (flags & MAP_ANONYMOUS) != 0;
    if (!of_a_hash) {
        return map(address, size, protection, flags, fd, offset);
    }
    if (size > KEPT_SIZE_MAX) {
        return map_huge(size, protection, flags);
    }
    void *start = use_kept(size);
    if (start == NULL) {
        start = map_huge(size, protection, flags);
        if (start != MAP_FAILED) {
            note_used(start, size);
        }
    }
    return start;
}

int hash_memory_unmap(void *address, size_t size)
{
    bool kept = false;
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < PLACES && !kept; i++) {
        kept = places[i].used && places[i].start == address && places[i].size == size;
        places[i].used = places[i].used && !kept;
    }
    pthread_mutex_unlock(&mutex);
    return kept ? 0 : unmap(address, size);
}

void hash_memory_release(void)
{
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < PLACES; i++) {
        if (places[i].start != NULL && !places[i].used) {
            unmap(places[i].start, places[i].size);
            places[i] = (struct place){0};
        }
    }
    pthread_mutex_unlock(&mutex);
}

#else

void hash_memory_release(void)
{
}

#endif
