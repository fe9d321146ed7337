// SPDX-License-Identifier: ISC
// A minimal reader of ELF symbol tables. Runs in the supervisor after a child has crashed. Every offset is
// checked against the file all the same: a file that was replaced meanwhile must not crash the one process
// that restarts others.
#include "supervisor/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void symbols_init(struct symbols *symbols, const char *path)
{
    struct stat status;
    *symbols = (struct symbols){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size > (off_t)sizeof(ElfW(Ehdr))) {
        void *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            *symbols = (struct symbols){file, (size_t)status.st_size};
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

void symbols_release(struct symbols *symbols)
{
    if (symbols->file != NULL) {
        munmap((void *)(uintptr_t)symbols->file, symbols->size);
        symbols->file = NULL;
    }
}

static const void *part(const struct symbols *symbols, uint64_t offset, uint64_t size)
{
    if (offset > symbols->size || size > symbols->size - offset) {
        return NULL;
    }
    return symbols->file + offset;
}

static const ElfW(Shdr) * sections(const struct symbols *symbols, size_t *count)
{
    const ElfW(Ehdr) *header = part(symbols, 0, sizeof *header);
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_shentsize != sizeof(ElfW(Shdr)) || header->e_shoff % _Alignof(ElfW(Shdr)) != 0) {
        return NULL;
    }
    *count = header->e_shnum;
    return part(symbols, header->e_shoff, sizeof(ElfW(Shdr)) * header->e_shnum);
}

static bool table_find(const struct symbols *symbols, const ElfW(Shdr) * table, const ElfW(Shdr) * names,
                       uint64_t offset, char *name, size_t name_size, uint64_t *into)
{
    const ElfW(Sym) *symbol = part(symbols, table->sh_offset, table->sh_size);
    const char *text = part(symbols, names->sh_offset, names->sh_size);
    if (symbol == NULL || text == NULL || names->sh_size == 0 || text[names->sh_size - 1] != '\0' ||
        table->sh_offset % _Alignof(ElfW(Sym)) != 0) {
        return false;
    }
    for (size_t i = 0; i < table->sh_size / sizeof *symbol; i++) {
        if (ELF64_ST_TYPE(symbol[i].st_info) == STT_FUNC && symbol[i].st_name < names->sh_size &&
            offset >= symbol[i].st_value && offset - symbol[i].st_value < symbol[i].st_size) {
            *into = offset - symbol[i].st_value;
            snprintf(name, name_size, "%s", text + symbol[i].st_name);
            return true;
        }
    }
    return false;
}

bool symbols_find(const struct symbols *symbols, uint64_t offset, char *name, size_t name_size,
                  uint64_t *into)
{
    size_t count = 0;
    const ElfW(Shdr) *section = symbols->file == NULL ? NULL : sections(symbols, &count);
    for (size_t i = 0; section != NULL && i < count; i++) {
        if ((section[i].sh_type == SHT_SYMTAB || section[i].sh_type == SHT_DYNSYM) &&
            section[i].sh_link < count &&
            table_find(symbols, &section[i], &section[section[i].sh_link], offset, name, name_size, into)) {
            return true;
        }
    }
    return false;
}
