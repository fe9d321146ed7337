// SPDX-License-Identifier: ISC
// Mappings of shared files (memfd) in whole huge pages. Used by core (the writer) and by all who read the
// tables. Owns nothing. With ten million sessions a check's reads are far apart: in pages of 4 KiB nearly
// each of them first walks the page tables, in pages of 2 MiB hardly any does.
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#define SHARED_HUGE_BYTES (2u << 20)

// Maps the whole file; a large one at an address where the kernel can use huge pages. NULL on failure
// (errno).
void *shared_map(int fd, uint64_t size, int protection);

// The bytes of the file below `to` were allocated up to `from` before and are all allocated now: makes huge
// pages of those stretches that became whole, copying them. For the writer's mapping; readers notice nothing
// but speed. Each takes about a millisecond. False when the kernel can't (before Linux 6.1) or has no such
// page to give: the small ones stay, and nothing depends on it; but asking often costs the time of a search.
[[nodiscard]] bool shared_join(void *map, uint64_t from, uint64_t to);

#endif
