// SPDX-License-Identifier: ISC
// Shared memory that the supervisor owns: anonymous files of a fixed, sealed size, mode 0400. Used by the
// supervisor. Owns two descriptors: one for writing, one opened read-only. Who has the second can't get the
// first back: reopening needs the mode's permission, and the sandbox forbids it besides.
#ifndef SUPERVISOR_MEMORY_H
#define SUPERVISOR_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

struct memory {
    int write_fd; // -1: none
    int read_fd;
    uint64_t size;
};

// A file of `size` bytes, sparse, which can't shrink or grow any more. False: errno.
[[nodiscard]] bool memory_init(struct memory *memory, const char *name, uint64_t size);
void memory_release(struct memory *memory);

#endif
