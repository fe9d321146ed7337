// SPDX-License-Identifier: ISC
// Records of the journal, to and from bytes. Runs in stayd-store.
// 1. A record is whole only with its checksum and in its place.
// 2. The checksum finds accidents. Who may write to the journal's folder may write ends; there is no secret.
#include "store/journal_file.h"

#include <sodium.h>

#define VERSION     1
#define CHECKED     56
#define NAME_PREFIX "journal-"
#define NAME_DIGITS 16

static const uint8_t checksum_key[crypto_shorthash_KEYBYTES] = "stayd's journal";

static void put(uint8_t *to, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t take(const uint8_t *from, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)from[i] << (8 * i);
    }
    return value;
}

void journal_record_write(uint8_t record[static JOURNAL_RECORD_BYTES], const struct journal_entry *entry)
{
    memset(record, 0, JOURNAL_RECORD_BYTES);
    record[0] = 'J';
    record[1] = VERSION;
    record[2] = (uint8_t)entry->kind;
    record[3] = entry->has_keep;
    put(record + 4, entry->epoch, 4);
    put(record + 8, entry->sequence, 8);
    put(record + 16, entry->time_s, 8);
    memcpy(record + 24, entry->id.byte, 16);
    if (entry->kind == JOURNAL_MARK) {
        put(record + 40, entry->acknowledged, 8);
    } else if (entry->has_keep) {
        memcpy(record + 40, entry->keep.byte, 16);
    }
    (void)crypto_shorthash(record + CHECKED, record, CHECKED, checksum_key);
}

static bool is_zero(const uint8_t *record)
{
    uint8_t any = 0;
    for (size_t i = 0; i < JOURNAL_RECORD_BYTES; i++) {
        any |= record[i];
    }
    return any == 0;
}

static void fill(const uint8_t *record, struct journal_entry *entry)
{
    *entry = (struct journal_entry){.sequence = take(record + 8, 8),
                                    .time_s = take(record + 16, 8),
                                    .kind = (enum journal_kind)record[2],
                                    .has_keep = record[3] != 0,
                                    .epoch = (uint32_t)take(record + 4, 4)};
    memcpy(entry->id.byte, record + 24, 16);
    if (entry->kind == JOURNAL_MARK) {
        entry->acknowledged = take(record + 40, 8);
    } else {
        memcpy(entry->keep.byte, record + 40, 16);
    }
}

enum journal_slot journal_record_read(const uint8_t record[static JOURNAL_RECORD_BYTES], uint64_t sequence,
                                      struct journal_entry *entry)
{
    uint8_t checksum[crypto_shorthash_BYTES];
    if (is_zero(record)) {
        return JOURNAL_SLOT_FREE;
    }
    (void)crypto_shorthash(checksum, record, CHECKED, checksum_key);
    if (record[0] != 'J' || memcmp(checksum, record + CHECKED, sizeof(checksum)) != 0 ||
        take(record + 8, 8) != sequence) {
        return JOURNAL_SLOT_DAMAGED;
    }
    if (record[1] != VERSION || record[2] < JOURNAL_SESSION || record[2] > JOURNAL_MARK || record[3] > 1) {
        return JOURNAL_SLOT_NEWER;
    }
    fill(record, entry);
    return JOURNAL_SLOT_WHOLE;
}

void journal_scan(struct view segment, uint64_t first, struct journal_scan *scan,
                  void (*visit)(void *owner, const struct journal_entry *entry), void *owner)
{
    size_t slots = segment.size / JOURNAL_RECORD_BYTES;
    uint32_t damaged = 0;
    *scan = (struct journal_scan){0};
    for (uint32_t slot = 0; slot < slots && slot < JOURNAL_SLOTS; slot++) {
        struct journal_entry entry;
        switch (journal_record_read(segment.data + slot * JOURNAL_RECORD_BYTES, first + slot, &entry)) {
        case JOURNAL_SLOT_WHOLE:
            scan->used = slot + 1;
            scan->damaged = damaged;
            scan->whole++;
            visit(owner, &entry);
            break;
        case JOURNAL_SLOT_NEWER:
            scan->newer = true;
            break;
        case JOURNAL_SLOT_DAMAGED:
            damaged++;
            break;
        case JOURNAL_SLOT_FREE:
        default:
            break;
        }
    }
}

void journal_name(uint64_t first, char name[static JOURNAL_NAME_MAX])
{
    (void)snprintf(name, JOURNAL_NAME_MAX, NAME_PREFIX "%016llx", (unsigned long long)first);
}

bool journal_name_read(const char *name, uint64_t *first)
{
    uint8_t number[NAME_DIGITS / 2];
    struct view digits = view_from(view_of_cstr(name), sizeof(NAME_PREFIX) - 1);
    char again[JOURNAL_NAME_MAX];
    if (!view_starts_with(view_of_cstr(name), VIEW(NAME_PREFIX)) || digits.size != NAME_DIGITS ||
        !hex_decode(digits, number, sizeof(number))) {
        return false;
    }
    *first = 0;
    for (size_t i = 0; i < sizeof(number); i++) {
        *first = *first << 8 | number[i];
    }
    journal_name(*first, again); // one file a name: no capitals
    return strcmp(name, again) == 0 && *first > 0 && *first <= UINT64_MAX - JOURNAL_SLOTS;
}
