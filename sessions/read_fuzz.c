// SPDX-License-Identifier: ISC
// A reader over files in which anything may stand: it never reads outside of them, never loops, and what it
// calls valid has texts within their bounds. The input's first bytes choose how; the rest is written over
// sound tables, as (offset, word) pairs or as the whole of both files.
#include "sessions/write.h"
#include "sessions/testing/tables.h"

enum { FUZZ_SESSIONS = 200, PATCH_BYTES = 8 };

static struct tables sound;
static struct tables_image image;

static void sound_make(void)
{
    tables_init(&sound, SESSIONS_MAX_LEAST);
    tables_allocate_all(&sound);
    if (tables_open(&sound, NULL, NULL) != SESSIONS_OPENED_NEW)
        abort();
    for (uint64_t i = 0; i < FUZZ_SESSIONS; i++) {
        struct account_made made;
        struct sessions_account_ref ref;
        account_make(&made, i % 20, (uint32_t)(i % 20 * 50), 1);
        if (sessions_account_put(&sound.writer, &made.account, &ref) != SESSIONS_ACCOUNT_STORED)
            abort();
        struct sessions_row row = row_make(i, &ref);
        sessions_insert(&sound.writer, &row);
    }
    image_take(&sound, &image);
}

// Copies of exactly the files' sizes, so that the sanitizer sees the first byte outside.
struct corrupt {
    uint8_t *sessions;
    uint8_t *accounts;
};

// A region that readers look at, in one of the files.
struct region {
    bool accounts;
    uint64_t offset;
    uint64_t size;
};

static void patch(struct corrupt *files, const uint8_t *bytes)
{
    const uint64_t buckets = offsetof(struct sessions_file, bucket);
    const struct region regions[] = {
        {false, 0, 64},
        {false, buckets, sound.sessions_size - buckets},
        {false, buckets, sizeof(struct sessions_bucket)},
        {true, 0, 64},
        {true, SESSIONS_HEADER_BYTES, 40 * sizeof(struct accounts_slot)},
        {true, SESSIONS_HEADER_BYTES, sound.accounts_size - SESSIONS_HEADER_BYTES},
    };
    const struct region *region = &regions[bytes[0] % (sizeof regions / sizeof regions[0])];
    uint64_t at = region->offset + ((uint64_t)bytes[1] | (uint64_t)bytes[2] << 8 | (uint64_t)bytes[3] << 16) *
                                       4 % (region->size - 4);
    uint8_t *file = region->accounts ? files->accounts : files->sessions;
    memcpy(file + at, bytes + 4, 4);
}

static void prefetch_all(const struct sessions_reader *reader)
{
    struct id16 selectors[SESSIONS_AHEAD_MAX];
    for (uint64_t number = 0; number < FUZZ_SESSIONS; number++) {
        number_selector(number, selectors[number % SESSIONS_AHEAD_MAX].byte);
        if (number % SESSIONS_AHEAD_MAX == SESSIONS_AHEAD_MAX - 1)
            sessions_prefetch_all(reader, selectors, SESSIONS_AHEAD_MAX);
    }
}

static void check_all(const struct sessions_reader *reader)
{
    prefetch_all(reader);
    for (uint64_t number = 0; number < FUZZ_SESSIONS + 2; number++) {
        struct sessions_identity identity;
        uint8_t selector[16], verifier[16];
        number_selector(number, selector);
        number_verifier(number, verifier);
        if (sessions_check(reader, selector, verifier, 2000, &identity) != SESSIONS_VALID)
            continue;
        size_t size =
            identity.name.size + identity.display_name.size + identity.email.size + identity.groups.size;
        if (size > ACCOUNT_TEXT_MAX ||
            identity.groups.data + identity.groups.size > identity.text + ACCOUNT_TEXT_MAX)
            abort();
    }
    struct sessions_counts counts;
    sessions_reader_counts(reader, &counts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sound.sessions_map == NULL)
        sound_make();
    struct corrupt files = {malloc(sound.sessions_size), malloc(sound.accounts_size)};
    if (files.sessions == NULL || files.accounts == NULL)
        abort();
    memcpy(files.sessions, sound.sessions_map, sound.sessions_size);
    memcpy(files.accounts, sound.accounts_map, sound.accounts_size);
    for (; size >= PATCH_BYTES; data += PATCH_BYTES, size -= PATCH_BYTES)
        patch(&files, data);
    struct sessions_reader reader;
    if (sessions_reader_init(&reader, files.sessions, sound.sessions_size, files.accounts,
                             sound.accounts_size))
        check_all(&reader);
    free(files.sessions);
    free(files.accounts);
    return 0;
}
