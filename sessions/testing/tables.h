// SPDX-License-Identifier: ISC
// Tables for tests: memory that is out of bounds until it is allocated, sessions and accounts made from
// numbers, so that what a check answers can be compared with what it must be. Used by this room's tests and
// benches only.
#ifndef SESSIONS_TESTING_TABLES_H
#define SESSIONS_TESTING_TABLES_H

#include "sessions/write.h"
#include "sessions/write_parts.h"

#include <stdlib.h>
#include <sys/mman.h>

// Sanitizers slow these tests down manifold: they then do a part of their rounds.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SLOW_DOWN = 8 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
enum { SLOW_DOWN = 8 };
#else
enum { SLOW_DOWN = 1 };
#endif
#else
enum { SLOW_DOWN = 1 };
#endif

struct tables {
    uint64_t sessions_size;
    uint64_t accounts_size;
    uint8_t *sessions_map;
    uint8_t *accounts_map;
    uint64_t bytes_left; // what `allocate` still gives
    uint64_t bytes_given;
    struct sessions_writer writer;
    struct sessions_reader reader;
};

static inline bool tables_allocate(void *context, enum sessions_which which, uint64_t offset, uint64_t size)
{
    struct tables *tables = context;
    if (size > tables->bytes_left)
        return false;
    tables->bytes_left -= size;
    tables->bytes_given += size;
    uint8_t *map = which == SESSIONS_FILE ? tables->sessions_map : tables->accounts_map;
    uint64_t first = offset & ~(uint64_t)4095;
    uint64_t last = (offset + size + 4095) & ~(uint64_t)4095;
    return mprotect(map + first, last - first, PROT_READ | PROT_WRITE) == 0;
}

static inline uint8_t *tables_map(uint64_t size)
{
    uint8_t *map = mmap(NULL, size, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED || mprotect(map, SESSIONS_HEADER_BYTES, PROT_READ | PROT_WRITE) != 0)
        abort();
    return map;
}

// What an opener knows; `step` is the tests' own.
static inline enum sessions_opened tables_open(struct tables *tables, void (*step)(void *),
                                               void *step_context)
{
    tables->writer = (struct sessions_writer){
        .sessions = (struct sessions_file *)tables->sessions_map,
        .accounts = (struct accounts_file *)tables->accounts_map,
        .sessions_size = tables->sessions_size,
        .accounts_size = tables->accounts_size,
        .allocate = tables_allocate,
        .context = tables,
        .step = step,
        .step_context = step_context,
    };
    return writer_open(&tables->writer);
}

static inline void tables_init(struct tables *tables, uint64_t sessions_max)
{
    *tables = (struct tables){
        .sessions_size = sessions_file_size(sessions_max),
        .accounts_size = accounts_file_size(sessions_max),
        .bytes_left = UINT64_MAX,
    };
    tables->sessions_map = tables_map(tables->sessions_size);
    tables->accounts_map = tables_map(tables->accounts_size);
    if (!sessions_reader_init(&tables->reader, tables->sessions_map, tables->sessions_size,
                              tables->accounts_map, tables->accounts_size))
        abort();
}

// All pages at once, for tables that images are put into.
static inline void tables_allocate_all(struct tables *tables)
{
    if (!tables_allocate(tables, SESSIONS_FILE, 0, tables->sessions_size) ||
        !tables_allocate(tables, SESSIONS_ACCOUNTS_FILE, 0, tables->accounts_size))
        abort();
}

static inline void tables_release(struct tables *tables)
{
    sessions_writer_release(&tables->writer);
    munmap(tables->sessions_map, tables->sessions_size);
    munmap(tables->accounts_map, tables->accounts_size);
}

// ---- what a crash leaves: the files as they were before one store

struct tables_image {
    uint8_t *bytes;
    uint64_t sessions_size;
    uint64_t slots_size;
    uint64_t index_size;
};

static inline uint64_t image_offset(const struct tables *tables)
{
    return (uint64_t)((uint8_t *)tables->writer.index - tables->accounts_map);
}

static inline void image_take(const struct tables *tables, struct tables_image *image)
{
    const struct accounts_header *accounts = &tables->writer.accounts->header;
    image->sessions_size =
        offsetof(struct sessions_file, bucket) + READ(tables->writer.sessions->header.allocated);
    image->slots_size = SESSIONS_HEADER_BYTES + READ(accounts->slots_allocated);
    image->index_size = READ(accounts->index_allocated);
    if (image->bytes == NULL)
        image->bytes = malloc(tables->sessions_size + tables->accounts_size);
    if (image->bytes == NULL)
        abort();
    uint8_t *to = image->bytes;
    memcpy(to, tables->sessions_map, image->sessions_size);
    memcpy(to + image->sessions_size, tables->accounts_map, image->slots_size);
    memcpy(to + image->sessions_size + image->slots_size, tables->accounts_map + image_offset(tables),
           image->index_size);
}

// Into tables of the same size, whose writer has been opened before and is released here.
static inline void image_put(struct tables *tables, const struct tables_image *image)
{
    uint64_t offset = image_offset(tables);
    sessions_writer_release(&tables->writer);
    memcpy(tables->sessions_map, image->bytes, image->sessions_size);
    memcpy(tables->accounts_map, image->bytes + image->sessions_size, image->slots_size);
    memcpy(tables->accounts_map + offset, image->bytes + image->sessions_size + image->slots_size,
           image->index_size);
}

// ---- sessions and accounts by number

static inline uint64_t number_mix(uint64_t number, uint64_t salt)
{
    return sessions_mix(sessions_mix(number + 1) ^ salt * 0x9e3779b97f4a7c15ull);
}

static inline void number_fill(uint8_t out[16], uint64_t number, uint64_t salt)
{
    uint64_t word[2] = {number_mix(number, salt), number_mix(number, salt + 1)};
    memcpy(out, word, sizeof word);
}

static inline void number_selector(uint64_t number, uint8_t out[16])
{
    number_fill(out, number, 11);
}

static inline void number_verifier(uint64_t number, uint8_t out[16])
{
    number_fill(out, number, 21);
}

static inline struct id16 number_account(uint64_t account)
{
    struct id16 id;
    number_fill(id.byte, account, 31);
    return id;
}

// An account whose every text tells its number. `length` is that of the groups.
struct account_made {
    struct sessions_account account;
    char name[ACCOUNT_NAME_MAX];
    char display_name[ACCOUNT_DISPLAY_NAME_MAX];
    char email[ACCOUNT_EMAIL_MAX];
    char groups[ACCOUNT_GROUPS_MAX];
};

static inline void account_make(struct account_made *made, uint64_t number, uint32_t length, uint32_t epoch)
{
    unsigned n = (unsigned)number;
    snprintf(made->name, sizeof made->name, "user%u", n);
    snprintf(made->display_name, sizeof made->display_name, "User No. %u", n);
    snprintf(made->email, sizeof made->email, "user%u@example.org", n);
    memset(made->groups, 'a' + (int)(number % 26), length);
    made->account = (struct sessions_account){
        .id = number_account(number),
        .name = view_of_cstr(made->name),
        .display_name = view_of_cstr(made->display_name),
        .email = view_of_cstr(made->email),
        .groups = view_of(made->groups, length),
        .epoch = epoch,
    };
}

// Whether an identity is wholly this account's.
static inline bool identity_is(const struct sessions_identity *identity, uint64_t number)
{
    struct account_made made;
    account_make(&made, number, 0, 0);
    struct id16 id = number_account(number);
    if (memcmp(&identity->account, &id, sizeof id) != 0 || !view_equal(identity->name, made.account.name) ||
        !view_equal(identity->display_name, made.account.display_name) ||
        !view_equal(identity->email, made.account.email))
        return false;
    for (size_t i = 0; i < identity->groups.size; i++) {
        if (identity->groups.data[i] != 'a' + (int)(number % 26))
            return false;
    }
    return true;
}

static inline struct sessions_row row_make(uint64_t number, const struct sessions_account_ref *ref)
{
    struct sessions_row row = {
        .account_slot = ref->slot,
        .account_generation = ref->generation,
        .epoch = ref->epoch,
        .created = 1000,
        .expires = 1000000,
        .idle_expires = SESSIONS_NEVER,
        .level = (uint8_t)(number % 3),
    };
    number_selector(number, row.selector);
    number_verifier(number, row.verifier_hash);
    return row;
}

static inline enum sessions_check tables_check(const struct tables *tables, uint64_t number,
                                               struct sessions_identity *out)
{
    uint8_t selector[16], verifier[16];
    number_selector(number, selector);
    number_verifier(number, verifier);
    return sessions_check(&tables->reader, selector, verifier, 2000, out);
}

// A small generator of numbers, so that a failing run can be run again.
static inline uint64_t random_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15ull;
    return sessions_mix(*state);
}

#endif
