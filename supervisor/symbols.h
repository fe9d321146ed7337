// SPDX-License-Identifier: ISC
// Names for the addresses of a backtrace, out of an executable's own symbol table. Used by the supervisor on
// the executables that it starts (trusted files). Owns a mapping of the file.
#ifndef SUPERVISOR_SYMBOLS_H
#define SUPERVISOR_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbols {
    const uint8_t *file; // NULL: none
    size_t size;
};

void symbols_init(struct symbols *symbols, const char *path);
void symbols_release(struct symbols *symbols);
// The function that holds `offset` (from where the file is loaded) and how far into it; false when there is
// none.
[[nodiscard]] bool symbols_find(const struct symbols *symbols, uint64_t offset, char *name, size_t name_size,
                                uint64_t *into);

#endif
