// SPDX-License-Identifier: ISC
// The life of the journal's entries. Runs in stayd-store, on its event loop.
// 1. Numbers are given in order and never twice. A number's slot is its distance from the segment's first.
// 2. Nothing is said to be durable, and nothing is replayed, before the writer said so.
// 3. The memory of ends has an entry before its number is known to anyone, and for as long as its file is
//    there.
// 4. Files go from the oldest on, and only when all in them is acknowledged by the server of today.
#include "store/journal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stats.h"
#include "store/journal_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define TURN_EVERY_S 1.0

static void on_wake(struct ev_loop *loop, ev_async *watcher, int revents);
static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents);

// ---- segments --------------------------------------------------------------------------------------------

struct journal_segment *journal_segment_add(struct journal *journal, uint64_t first)
{
    struct journal_segment *segment =
        journal->segment_count < JOURNAL_SEGMENTS_MAX ? calloc(1, sizeof(*segment)) : NULL;
    if (segment != NULL) {
        segment->first = first;
        segment->quiet_since_s = journal->now_s;
        journal->segments[journal->segment_count++] = segment;
    }
    return segment;
}

void journal_segment_note(struct journal_segment *segment, uint64_t sequence)
{
    journal_bit_set(segment->entry, (uint32_t)(sequence - segment->first), true);
    segment->entries++;
    segment->unacknowledged++;
    segment->waiting++;
}

struct journal_segment *journal_segment_of(const struct journal *journal, uint64_t sequence)
{
    size_t low = 0, high = journal->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (journal->segments[middle]->first <= sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct journal_segment *segment = low == 0 ? NULL : journal->segments[low - 1];
    return segment != NULL && sequence - segment->first < segment->used ? segment : NULL;
}

static void set_running(struct journal_segment *segment, uint32_t slot, bool running)
{
    if (journal_bit(segment->running, slot) != running) {
        journal_bit_set(segment->running, slot, running);
        segment->waiting += running ? -1u : 1u;
    }
}

// Not an entry, or acknowledged before: nothing happens.
void journal_segment_acknowledge(struct journal *journal, struct journal_segment *segment, uint32_t slot)
{
    if (!journal_bit(segment->entry, slot) || journal_bit(segment->acknowledged, slot)) {
        return;
    }
    set_running(segment, slot, true);
    journal_bit_set(segment->acknowledged, slot, true);
    segment->unacknowledged--;
    if (segment->unacknowledged == 0) {
        segment->quiet_since_s = journal->now_s;
    }
}

// It could not be written, or can't be read any more.
static void give_up(struct journal *journal, uint64_t sequence)
{
    struct journal_segment *segment = journal_segment_of(journal, sequence);
    uint32_t slot = segment == NULL ? 0 : (uint32_t)(sequence - segment->first);
    if (segment != NULL && journal_bit(segment->entry, slot)) {
        journal_segment_acknowledge(journal, segment, slot);
        journal_bit_set(segment->entry, slot, false);
        segment->entries--;
    }
}

static void unread(struct journal *journal)
{
    if (journal->read_file >= 0) {
        close(journal->read_file);
    }
    journal->read_file = -1;
    journal->read_segment = 0;
}

// The oldest segments, up to `count`, are forgotten and their files removed.
static void drop(struct journal *journal, size_t count)
{
    size_t dropped = 0;
    while (dropped < count && journal_writer_remove(&journal->writer, journal->segments[dropped]->first)) {
        dropped++;
    }
    if (dropped == 0) {
        return;
    }
    const struct journal_segment *last = journal->segments[dropped - 1];
    ended_forget(&journal->ended, last->first + last->used - 1);
    for (size_t i = 0; i < dropped; i++) {
        free(journal->segments[i]);
    }
    journal->segment_count -= dropped;
    memmove(journal->segments, journal->segments + dropped,
            journal->segment_count * sizeof(journal->segments[0]));
    unread(journal);
}

// May it go: nothing of it waits for the database or the disk.
static bool is_over(const struct journal *journal, const struct journal_segment *segment)
{
    return segment->unacknowledged == 0 && segment->first + segment->used - 1 <= journal->settled;
}

// ---- appending -------------------------------------------------------------------------------------------

bool journal_remember(struct journal *journal, const struct journal_entry *entry)
{
    if (entry->kind == JOURNAL_SESSION) {
        return ended_add_session(&journal->ended, entry->id, entry->sequence);
    }
    return ended_add_account(&journal->ended, entry->id, entry->epoch, entry->has_keep ? &entry->keep : NULL,
                             entry->sequence);
}

static bool put(struct journal *journal, struct journal_segment *segment, struct journal_entry *entry)
{
    entry->sequence = journal->next;
    entry->time_s = clock_wall_s();
    if (!journal_writer_put(&journal->writer, segment->first, entry)) {
        return false;
    }
    segment->used++;
    journal->next++;
    return true;
}

// Everything up to here is acknowledged.
static uint64_t acknowledged_up_to(const struct journal *journal)
{
    for (size_t i = 0; i < journal->segment_count; i++) {
        const struct journal_segment *segment = journal->segments[i];
        for (uint32_t word = 0; segment->unacknowledged > 0 && word < JOURNAL_WORDS; word++) {
            uint64_t open = segment->entry[word] & ~segment->acknowledged[word];
            if (open != 0) {
                return segment->first + word * 64u + (unsigned)__builtin_ctzll(open) - 1;
            }
        }
    }
    return journal->next - 1;
}

static void mark(struct journal *journal, struct journal_segment *segment)
{
    struct journal_entry entry = {
        .kind = JOURNAL_MARK, .id = journal->server, .acknowledged = acknowledged_up_to(journal)};
    if (put(journal, segment, &entry)) {
        // The mark itself is no entry: without more to acknowledge there is nothing to mark again.
        journal->marked = entry.acknowledged + 1 == entry.sequence ? entry.sequence : entry.acknowledged;
    }
}

static void say_full(struct journal *journal, bool full)
{
    if (full && !journal->full) {
        log_event(LOG_ERROR, "journal_full",
                  "the journal holds as many ends as it may (%u files) and the database has not acknowledged "
                  "them: sessions can't be ended until the database is back",
                  JOURNAL_SEGMENTS_MAX);
    }
    journal->full = full;
}

// The new last segment; it begins with a mark, so that the older ones can go.
static struct journal_segment *rotate(struct journal *journal)
{
    size_t count = journal->segment_count;
    if (count == JOURNAL_SEGMENTS_MAX && is_over(journal, journal->segments[0])) {
        drop(journal, 1);
    }
    struct journal_segment *segment = journal_segment_add(journal, journal->next);
    say_full(journal, segment == NULL);
    if (segment != NULL) {
        journal->rotate = false;
        mark(journal, segment);
    }
    return segment;
}

static struct journal_segment *last_segment(const struct journal *journal)
{
    return journal->segment_count == 0 ? NULL : journal->segments[journal->segment_count - 1];
}

// The segment with room for one more; NULL: none is to be had.
static struct journal_segment *room(struct journal *journal)
{
    struct journal_segment *segment = last_segment(journal);
    bool fits = segment != NULL && segment->used < JOURNAL_SLOTS && !journal->rotate;
    return fits ? segment : rotate(journal);
}

static uint64_t append(struct journal *journal, struct journal_entry *entry)
{
    struct journal_segment *segment = room(journal);
    entry->sequence = journal->next;
    // Should the disk refuse it, it stays remembered: who asked for the end will ask again.
    if (segment == NULL || !journal_remember(journal, entry) || !put(journal, segment, entry)) {
        return 0;
    }
    journal_segment_note(segment, entry->sequence);
    set_running(segment, (uint32_t)(entry->sequence - segment->first), true);
    return entry->sequence;
}

uint64_t journal_end_session(struct journal *journal, struct id16 selector)
{
    return append(journal, &(struct journal_entry){.kind = JOURNAL_SESSION, .id = selector});
}

uint64_t journal_end_account(struct journal *journal, struct id16 account, uint32_t epoch,
                             const struct id16 *keep)
{
    struct journal_entry entry = {.kind = JOURNAL_ACCOUNT, .id = account, .epoch = epoch};
    if (keep != NULL) {
        entry.has_keep = true;
        entry.keep = *keep;
    }
    return append(journal, &entry);
}

enum journal_state journal_state(const struct journal *journal, uint64_t sequence)
{
    if (sequence > journal->settled) {
        return JOURNAL_UNSETTLED;
    }
    // Its file is there as long as it is not acknowledged, and not before it is settled.
    const struct journal_segment *segment = journal_segment_of(journal, sequence);
    bool lost = segment != NULL && !journal_bit(segment->entry, (uint32_t)(sequence - segment->first));
    return lost ? JOURNAL_LOST : JOURNAL_DURABLE;
}

// ---- the database's side ---------------------------------------------------------------------------------

void journal_postponed(struct journal *journal, uint64_t sequence)
{
    struct journal_segment *segment = journal_segment_of(journal, sequence);
    uint32_t slot = segment == NULL ? 0 : (uint32_t)(sequence - segment->first);
    if (segment != NULL && journal_bit(segment->entry, slot) && !journal_bit(segment->acknowledged, slot)) {
        set_running(segment, slot, false);
    }
}

void journal_acknowledged(struct journal *journal, uint64_t sequence, struct id16 server)
{
    struct journal_segment *segment = journal_segment_of(journal, sequence);
    if (segment != NULL && journal->server_known && memcmp(server.byte, journal->server.byte, 16) == 0) {
        journal_segment_acknowledge(journal, segment, (uint32_t)(sequence - segment->first));
    } else {
        journal_postponed(journal, sequence);
    }
}

static bool read_entry(struct journal *journal, const struct journal_segment *segment, uint32_t slot,
                       struct journal_entry *entry)
{
    uint8_t record[JOURNAL_RECORD_BYTES];
    if (journal->read_segment != segment->first) {
        char name[JOURNAL_NAME_MAX];
        unread(journal);
        journal_name(segment->first, name);
        journal->read_file = openat(journal->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        journal->read_segment = journal->read_file < 0 ? 0 : segment->first;
    }
    return journal->read_file >= 0 &&
           pread(journal->read_file, record, sizeof(record), (off_t)slot * JOURNAL_RECORD_BYTES) ==
               (ssize_t)sizeof(record) &&
           journal_record_read(record, segment->first + slot, entry) == JOURNAL_SLOT_WHOLE;
}

// The first slot that waits and is on the disk; false: none.
static bool first_waiting(const struct journal *journal, const struct journal_segment *segment,
                          uint32_t *slot)
{
    for (uint32_t word = 0; segment->waiting > 0 && word < JOURNAL_WORDS; word++) {
        uint64_t waits = segment->entry[word] & ~segment->acknowledged[word] & ~segment->running[word];
        if (waits != 0) {
            *slot = word * 64 + (unsigned)__builtin_ctzll(waits);
            return segment->first + *slot <= journal->settled;
        }
    }
    return false;
}

bool journal_next(struct journal *journal, struct journal_entry *entry)
{
    uint32_t slot;
    for (size_t i = 0; i < journal->segment_count; i++) {
        struct journal_segment *segment = journal->segments[i];
        while (first_waiting(journal, segment, &slot)) {
            if (read_entry(journal, segment, slot, entry)) {
                set_running(segment, slot, true);
                return true;
            }
            log_event(LOG_ERROR, "journal_damaged", "an end in the journal can't be read any more: %s",
                      strerror(errno));
            give_up(journal, segment->first + slot);
        }
    }
    return false;
}

struct journal_counts journal_count(const struct journal *journal)
{
    struct journal_counts counts = {.segments = journal->segment_count};
    for (size_t i = 0; i < journal->segment_count; i++) {
        counts.waiting += journal->segments[i]->waiting;
        counts.unacknowledged += journal->segments[i]->unacknowledged;
        counts.kept += journal->segments[i]->entries;
    }
    return counts;
}

static void show(const struct journal *journal)
{
    stats_set(STATS_journal_entries, journal_count(journal).unacknowledged);
}

static void wait_again(struct journal_segment *segment)
{
    for (uint32_t word = 0; word < JOURNAL_WORDS; word++) {
        uint64_t back = segment->entry[word] & segment->acknowledged[word];
        segment->acknowledged[word] &= ~back;
        segment->running[word] &= ~back; // what is running still is: its acknowledgement will not count
        segment->unacknowledged += (uint32_t)__builtin_popcountll(back);
        segment->waiting += (uint32_t)__builtin_popcountll(back);
    }
}

bool journal_server(struct journal *journal, struct id16 server)
{
    bool known = journal->server_known;
    if (known && memcmp(server.byte, journal->server.byte, 16) == 0) {
        return false;
    }
    journal->server_known = true;
    journal->server = server;
    for (size_t i = 0; known && i < journal->segment_count; i++) {
        wait_again(journal->segments[i]);
    }
    struct journal_segment *segment = room(journal);
    if (segment != NULL) {
        mark(journal, segment);
    }
    show(journal);
    return known;
}

// ---- time and the writer ---------------------------------------------------------------------------------

void journal_turn(struct journal *journal, uint64_t now_s)
{
    journal->now_s = now_s;
    struct journal_segment *last = last_segment(journal);
    if (last != NULL && last->entries > 0 && is_over(journal, last) &&
        now_s >= last->quiet_since_s + JOURNAL_KEPT_S) {
        last = rotate(journal);
    }
    if (last != NULL && acknowledged_up_to(journal) > journal->marked) {
        last = room(journal);
        if (last != NULL) {
            mark(journal, last);
        }
    }
    size_t old = 0;
    while (old + 1 < journal->segment_count && is_over(journal, journal->segments[old]) &&
           (journal->segments[old]->entries == 0 ||
            now_s >= journal->segments[old]->quiet_since_s + JOURNAL_KEPT_S)) {
        old++;
    }
    drop(journal, old);
    show(journal);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)revents;
    journal_turn(watcher->data, clock_mono_ns() / 1000000000u);
}

static void say_writing(struct journal *journal, const struct journal_result *result)
{
    if (!result->durable && !journal->failing) {
        log_event(LOG_ERROR, "journal_failed",
                  "the journal can't be written (%s): sessions can't be ended while the database is away; %s",
                  strerror(result->cause),
                  result->cause == ENOSPC || result->cause == EDQUOT || result->cause == EFBIG
                      ? "make room on the disk of data_dir"
                      : "look at the disk of data_dir");
    } else if (result->durable && journal->failing) {
        log_event(LOG_INFO, "journal_works", "the journal is written again");
    }
    journal->failing = !result->durable;
}

static void on_wake(struct ev_loop *loop, ev_async *watcher, int revents)
{
    (void)loop;
    (void)revents;
    struct journal *journal = watcher->data;
    struct journal_result result;
    if (!journal_writer_take(&journal->writer, &result)) {
        return;
    }
    say_writing(journal, &result);
    for (uint64_t sequence = journal->settled + 1; !result.durable && sequence <= result.last; sequence++) {
        give_up(journal, sequence);
    }
    journal->rotate = journal->rotate || result.spoilt;
    journal->settled = result.last;
    journal->on_settled(journal->owner, result.last, result.durable);
}

// ---- life ------------------------------------------------------------------------------------------------

static enum journal_opened lock_folder(struct journal *journal, int folder, char why[static JOURNAL_WHY_MAX])
{
    journal->folder = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->folder < 0) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "the journal's folder: %s", strerror(errno));
        return JOURNAL_OPEN_FAILED;
    }
    if (flock(journal->folder, LOCK_EX | LOCK_NB) != 0) {
        (void)snprintf(why, JOURNAL_WHY_MAX,
                       "the journal is in use (%s): is another stayd running with this data_dir?",
                       strerror(errno));
        return JOURNAL_OPEN_FAILED;
    }
    return JOURNAL_OPENED;
}

enum journal_opened journal_open(struct journal **out, int folder, struct ev_loop *loop,
                                 journal_settled *on_settled, void *owner, char why[static JOURNAL_WHY_MAX])
{
    struct journal *journal = calloc(1, sizeof(*journal));
    *out = NULL;
    if (journal == NULL) {
        (void)snprintf(why, JOURNAL_WHY_MAX, "out of memory");
        return JOURNAL_OPEN_FAILED;
    }
    *journal = (struct journal){.folder = -1,
                                .loop = loop,
                                .on_settled = on_settled,
                                .owner = owner,
                                .next = 1,
                                .read_file = -1,
                                .now_s = clock_mono_ns() / 1000000000u};
    ended_init(&journal->ended);
    enum journal_opened opened = lock_folder(journal, folder, why);
    journal_writer_init(&journal->writer, journal->folder, loop, &journal->wake);
    ev_async_init(&journal->wake, on_wake);
    ev_timer_init(&journal->timer, on_timer, TURN_EVERY_S, TURN_EVERY_S);
    journal->wake.data = journal;
    journal->timer.data = journal;
    ev_async_start(loop, &journal->wake);
    if (opened == JOURNAL_OPENED) {
        opened = journal_read_all(journal, why);
    }
    if (opened != JOURNAL_OPENED) {
        journal_close(&journal);
    }
    *out = journal;
    return opened;
}

// The first thing written is a mark: a disk that refuses is known at once, and the file has its room.
bool journal_start(struct journal *journal)
{
    uint64_t next = journal->next;
    struct journal_segment *segment = room(journal);
    if (segment != NULL && journal->next == next) { // else the new segment has it
        mark(journal, segment);
    }
    stats_set(STATS_capacity_journal, (uint64_t)JOURNAL_SEGMENTS_MAX * JOURNAL_SLOTS);
    show(journal);
    ev_timer_start(journal->loop, &journal->timer);
    return journal_writer_start(&journal->writer);
}

void journal_close(struct journal **out)
{
    struct journal *journal = *out;
    if (journal == NULL) {
        return;
    }
    ev_timer_stop(journal->loop, &journal->timer);
    ev_async_stop(journal->loop, &journal->wake);
    journal_writer_release(&journal->writer);
    unread(journal);
    for (size_t i = 0; i < journal->segment_count; i++) {
        free(journal->segments[i]);
    }
    ended_release(&journal->ended);
    if (journal->folder >= 0) {
        close(journal->folder);
    }
    free(journal);
    *out = NULL;
}

const struct ended *journal_ended(const struct journal *journal)
{
    return &journal->ended;
}
