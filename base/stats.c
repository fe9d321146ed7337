// SPDX-License-Identifier: ISC
// The stats page: attaching, reading, names. Runs in every process.
// Invariants:
//  1. stats_here always points to a page that may be written.
//  2. Counters survive a restart of their process (the supervisor keeps the file), so that rates have no
//  gaps;
//     gauges describe the living process and start at zero.
#include "base/stats.h"

#include <link.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct stats_page page_private = {.magic = STATS_MAGIC, .format = STATS_FORMAT};
struct stats_page *stats_here = &page_private;

static const struct stats_row counter_rows[STATS_COUNTER_COUNT] = {
#define X(id, kind, family, labels, help) {#id, STATS_KIND_##kind, family, labels, help},
    STATS_COUNTERS(X)
#undef X
};

static const struct stats_row histogram_rows[STATS_HISTOGRAM_COUNT] = {
#define X(id, family, labels, help) {#id, STATS_KIND_counter, family, labels, help},
    STATS_HISTOGRAMS(X)
#undef X
};

static const char *const class_labels[STATS_CLASS_COUNT] = {
#define X(id, label) label,
    STATS_CLASSES(X)
#undef X
};

static const char *const role_names[STATS_ROLE_COUNT] = {
#define X(id, name) name,
    STATS_ROLES(X)
#undef X
};

static uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

// The GNU build id lies in a note of the main module.
static void build_id_take(struct stats_page *page, const ElfW(Nhdr) * note, size_t size)
{
    const uint8_t *at = (const uint8_t *)note;
    const uint8_t *end = at + size;
    while ((size_t)(end - at) >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *header = (const ElfW(Nhdr) *)(const void *)at;
        size_t name_size = (header->n_namesz + 3U) & ~3U;
        size_t text_size = (header->n_descsz + 3U) & ~3U;
        const uint8_t *name = at + sizeof *header;
        if ((size_t)(end - name) < name_size + text_size) {
            return;
        }
        if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 && memcmp(name, "GNU", 4) == 0) {
            page->build_id_size =
                header->n_descsz < STATS_BUILD_ID_SIZE ? header->n_descsz : STATS_BUILD_ID_SIZE;
            memcpy(page->build_id, name + name_size, page->build_id_size);
            return;
        }
        at = name + name_size + text_size;
    }
}

static void module_name(struct stats_module *module, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t size = strnlen(name, sizeof module->name - 1);
    memcpy(module->name, name, size);
    module->name[size] = '\0';
}

static int module_take(struct dl_phdr_info *info, size_t size, void *context)
{
    struct stats_page *page = context;
    (void)size;
    if (page->modules == STATS_MODULES_MAX) {
        return 1;
    }
    struct stats_module *module = &page->module[page->modules];
    module->base = info->dlpi_addr;
    module->size = 0;
    module_name(module, info->dlpi_name);
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && header->p_vaddr + header->p_memsz > module->size) {
            module->size = header->p_vaddr + header->p_memsz;
        }
        if (header->p_type == PT_NOTE && page->modules == 0 && page->build_id_size == 0) {
            build_id_take(page, (const void *)(info->dlpi_addr + header->p_vaddr), header->p_memsz);
        }
    }
    page->modules++;
    return 0;
}

static void page_begin(struct stats_page *page, enum stats_role role, uint32_t index)
{
    page->magic = STATS_MAGIC;
    page->format = STATS_FORMAT;
    page->role = (uint32_t)role;
    page->index = index;
    page->build_id_size = 0;
    page->modules = 0;
    dl_iterate_phdr(module_take, page);
    for (size_t i = 0; i < STATS_COUNTER_COUNT; i++) {
        if (counter_rows[i].kind == STATS_KIND_gauge) {
            atomic_store_explicit(&page->counter[i], 0, memory_order_relaxed);
        }
    }
    atomic_fetch_add_explicit(&page->counter[STATS_process_starts], 1, memory_order_relaxed);
    atomic_store_explicit(&page->flight.class, STATS_CLASS_none, memory_order_relaxed);
    for (size_t i = 0; i < 2; i++) {
        atomic_store_explicit(&page->crowd[i].total, 0, memory_order_relaxed);
    }
    atomic_store_explicit(&page->started_ns, monotonic_ns(), memory_order_relaxed);
    atomic_store_explicit(&page->pid, (uint32_t)getpid(), memory_order_relaxed);
    atomic_store_explicit(&page->crash.state, STATS_CRASH_none, memory_order_release);
}

bool stats_attach(int fd, enum stats_role role, uint32_t index)
{
    void *memory = mmap(NULL, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    struct stats_page *page = memory;
    page_begin(page, role, index);
    stats_here = page;
    return true;
}

const struct stats_page *stats_map(int fd)
{
    void *memory = mmap(NULL, STATS_PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct stats_page *stats_map_writable(int fd)
{
    void *memory = mmap(NULL, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void stats_unmap(const struct stats_page *page)
{
    if (page != NULL) {
        munmap((void *)(uintptr_t)page, STATS_PAGE_SIZE);
    }
}

bool stats_page_fits(const struct stats_page *page)
{
    return page->magic == STATS_MAGIC && page->format == STATS_FORMAT;
}

uint64_t stats_bucket_end(unsigned bucket)
{
    if (bucket < STATS_SUB_BUCKETS) {
        return bucket + 1;
    }
    unsigned octave = bucket / STATS_SUB_BUCKETS + 2;
    return (uint64_t)(STATS_SUB_BUCKETS + bucket % STATS_SUB_BUCKETS + 1) << (octave - 3);
}

void stats_time_shared(enum stats_histogram histogram, uint64_t duration_ns)
{
    struct stats_times *times = &stats_here->times[histogram];
    atomic_fetch_add_explicit(&times->bucket[stats_bucket(duration_ns)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&times->sum_ns, duration_ns, memory_order_relaxed);
}

uint64_t stats_times_count(const struct stats_times *times)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < STATS_BUCKETS; i++) {
        count += atomic_load_explicit(&times->bucket[i], memory_order_relaxed);
    }
    return count;
}

uint64_t stats_quantile_ns(const struct stats_times *times, double quantile)
{
    uint64_t count = stats_times_count(times);
    uint64_t wanted = (uint64_t)(quantile * (double)count);
    uint64_t below = 0;
    for (unsigned i = 0; i < STATS_BUCKETS && count > 0; i++) {
        below += atomic_load_explicit(&times->bucket[i], memory_order_relaxed);
        if (below > wanted || below == count) {
            return stats_bucket_end(i) - 1;
        }
    }
    return 0;
}

const struct stats_row *stats_counter_row(enum stats_counter counter)
{
    return &counter_rows[counter];
}

const struct stats_row *stats_histogram_row(enum stats_histogram histogram)
{
    return &histogram_rows[histogram];
}

const char *stats_class_label(uint32_t class)
{
    return class < STATS_CLASS_COUNT ? class_labels[class] : "other";
}

const char *stats_role_name(uint32_t role)
{
    return role < STATS_ROLE_COUNT ? role_names[role] : "?";
}

const char *stats_address_text(uint32_t address)
{
    static const char *const text[] = {"none", "null", "stack", "code", "other"};
    return address < sizeof text / sizeof text[0] ? text[address] : "other";
}
