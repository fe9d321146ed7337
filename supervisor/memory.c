// SPDX-License-Identifier: ISC
// Shared memory. Runs in the supervisor.
// The size is sealed so that no mapping ever meets SIGBUS behind the end; writing can't be sealed, because a
// core that is started again maps the tables for writing anew.
#include "supervisor/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool memory_init(struct memory *memory, const char *name, uint64_t size)
{
    char path[64];
    *memory = (struct memory){.write_fd = -1, .read_fd = -1, .size = size};
    memory->write_fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory->write_fd < 0 || ftruncate(memory->write_fd, (off_t)size) != 0 ||
        fcntl(memory->write_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ||
        fchmod(memory->write_fd, 0400) != 0) {
        memory_release(memory);
        return false;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory->write_fd);
    memory->read_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (memory->read_fd < 0) {
        memory_release(memory);
        return false;
    }
    return true;
}

void memory_release(struct memory *memory)
{
    if (memory->write_fd >= 0) {
        close(memory->write_fd);
    }
    if (memory->read_fd >= 0) {
        close(memory->read_fd);
    }
    memory->write_fd = memory->read_fd = -1;
}
