// SPDX-License-Identifier: ISC
// Gives libsodium the memory of a hash in huge pages, in stayd-hash: a quarter less processor time for each.
//
// libsodium maps the memory of every argon2id anew (19 MiB, some 4900 pages) and has no way to be given it.
// Its calls of mmap find this function instead of the C library's, because the executable comes first in the
// search order. What it gets is a plain anonymous mapping as it asked for, which it unmaps itself; only large
// ones, asked for with MAP_POPULATE, are placed on a boundary of huge pages and filled with them. Where the
// kernel has none to give, they are ordinary pages. Nothing is kept between hashes. Sanitizers have a mmap of
// their own, which is left in place.
#include "base/bytes.h"

#include <errno.h>
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

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14; older ones fill the pages when they are touched
#endif

// The libraries' name for it, whatever the headers make of `mmap` with 64-bit offsets.
void *hash_memory_map(void *address, size_t size, int protection, int flags, int fd,
                      off_t offset) __asm__("mmap");

static void *map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    long mapped = syscall(SYS_mmap, address, size, protection, flags, fd, offset);
    return mapped == -1 ? MAP_FAILED : (void *)mapped; // NOLINT(performance-no-int-to-ptr)
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
        munmap(start, before);
    }
    munmap(start + before + whole, HUGE_PAGE - before);
    return start + before;
}

void *hash_memory_map(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    bool of_a_hash = address == NULL && size >= LARGE_SIZE && size < SIZE_MAX - HUGE_PAGE - PAGE &&
                     (flags & MAP_POPULATE) != 0 && (flags & MAP_ANONYMOUS) != 0;
    if (!of_a_hash) {
        return map(address, size, protection, flags, fd, offset);
    }
    void *start = map_on_boundary(size, protection, flags);
    if (start != MAP_FAILED) {
        int before = errno;
        (void)madvise(start, size, MADV_HUGEPAGE);
        (void)madvise(start, size, MADV_POPULATE_WRITE);
        errno = before;
    }
    return start;
}

#endif
