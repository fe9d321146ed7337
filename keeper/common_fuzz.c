// SPDX-License-Identifier: ISC
// Fuzz target of keeper/common: the file is foreign, and whatever is in it, a look-up stays inside and ends.
#include "keeper/common.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct common *list)
{
    static const char *const words[] = {"password", "12345678", "", "x"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        (void)common_find(list, view_of_cstr(words[i]), VIEW("qwertyuiop"));
    }
}

// The first byte says how: the bytes as they are, or as the counts of an otherwise right header.
static bool write_file(int fd, const uint8_t *data, size_t size)
{
    uint8_t header[COMMON_HEADER_SIZE] = "staydpw1";
    if (size == 0 || data[0] % 2 == 0) {
        return write(fd, data, size) == (ssize_t)size;
    }
    size_t counts = size - 1 < sizeof header - 8 ? size - 1 : sizeof header - 8;
    memcpy(header + 8, data + 1, counts);
    return write(fd, header, sizeof header) == (ssize_t)sizeof header &&
           ftruncate(fd, (off_t)(sizeof header + (size_t)header[8] * COMMON_KEY_SIZE)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct common list;
    int fd = memfd_create("list", MFD_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    if (!write_file(fd, data, size)) {
        close(fd);
        return 0;
    }
    if (common_init(&list, fd) == COMMON_OK) {
        look_up(&list);
        common_release(&list);
    }
    return 0;
}
