// SPDX-License-Identifier: ISC
// Mappings in whole huge pages. Runs in core and in the readers of the shared tables, before and inside their
// sandboxes.
#include "base/shared.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

void *shared_map(int fd, uint64_t size, int protection)
{
    if (size < SHARED_HUGE_BYTES) {
        void *map = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
        return map == MAP_FAILED ? NULL : map;
    }
    // Room for the file at any offset from a whole huge page; what is left over at both ends is given back.
    uint64_t room = size + SHARED_HUGE_BYTES;
    uint8_t *around = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (around == MAP_FAILED) {
        return NULL;
    }
    uint64_t before = (SHARED_HUGE_BYTES - (uintptr_t)around % SHARED_HUGE_BYTES) % SHARED_HUGE_BYTES;
    void *map = mmap(around + before, size, protection, MAP_SHARED | MAP_FIXED, fd, 0);
    if (map == MAP_FAILED) {
        (void)munmap(around, room);
        return NULL;
    }
    uint64_t end = (before + size + 4095) & ~(uint64_t)4095;
    if (before > 0) {
        (void)munmap(around, before);
    }
    if (end < room) {
        (void)munmap(around + end, room - end);
    }
    return map;
}

bool shared_join(void *map, uint64_t from, uint64_t to)
{
    uint8_t *at = map;
    for (uint64_t number = from / SHARED_HUGE_BYTES; number < to / SHARED_HUGE_BYTES; number++) {
        bool joined = madvise(at + number * SHARED_HUGE_BYTES, SHARED_HUGE_BYTES, MADV_COLLAPSE) == 0;
        if (!joined && errno != EAGAIN) { // that: somebody else is at one of the pages just now
            return false;
        }
    }
    return true;
}
