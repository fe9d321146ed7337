// SPDX-License-Identifier: ISC
// Ends that every reader refuses already and that the store does not know yet. Runs in core.
//   1. A place counts when its kind is not NONE; the kind is stored last, and cleared first.
//   2. Places at or above pending_high are NONE.
//   3. While an end is pending, no insert brings the session back, and no account comes back with a lower
//   epoch.
#include "sessions/write_parts.h"

static struct sessions_pending_place *place_at(const struct sessions_writer *writer, uint64_t place)
{
    return &writer->sessions->pending[place];
}

static uint64_t places_used(const struct sessions_writer *writer)
{
    return writer->pending_count == 0 ? 0 : READ(writer->sessions->header.pending_high);
}

static bool words_are(const _Atomic uint64_t word[2], const uint8_t byte[16])
{
    uint64_t other[2];
    memcpy(other, byte, sizeof other);
    return READ(word[0]) == other[0] && READ(word[1]) == other[1];
}

static void words_put(struct sessions_writer *writer, _Atomic uint64_t word[2], const uint8_t byte[16])
{
    uint64_t value[2];
    memcpy(value, byte, sizeof value);
    store64(writer, &word[0], value[0]);
    store64(writer, &word[1], value[1]);
}

static bool place_is(const struct sessions_pending_place *place, const struct sessions_pending *pending)
{
    if (READ(place->kind) != (uint32_t)pending->kind || !words_are(place->selector, pending->selector))
        return false;
    return pending->kind == SESSIONS_PENDING_END ||
           (words_are(place->account, pending->account.byte) && READ(place->epoch) == pending->epoch);
}

bool sessions_pending_add(struct sessions_writer *writer, const struct sessions_pending *pending,
                          uint32_t *place)
{
    assert(pending->kind != SESSIONS_PENDING_NONE);
    uint64_t used = places_used(writer);
    uint64_t free = used;
    for (uint64_t i = 0; i < used; i++) {
        if (place_is(place_at(writer, i), pending)) {
            *place = (uint32_t)i;
            return true;
        }
        if (free == used && READ(place_at(writer, i)->kind) == SESSIONS_PENDING_NONE)
            free = i;
    }
    if (free == SESSIONS_PENDING_MAX)
        return false;
    if (free == used)
        store64(writer, &writer->sessions->header.pending_high, used + 1);
    struct sessions_pending_place *to = place_at(writer, free);
    words_put(writer, to->account, pending->account.byte);
    words_put(writer, to->selector, pending->selector);
    store32(writer, &to->epoch, pending->epoch);
    store32(writer, &to->kind, (uint32_t)pending->kind);
    writer->pending_count++;
    *place = (uint32_t)free;
    return true;
}

void sessions_pending_remove(struct sessions_writer *writer, uint32_t place)
{
    if (place >= places_used(writer) || READ(place_at(writer, place)->kind) == SESSIONS_PENDING_NONE)
        return;
    store32(writer, &place_at(writer, place)->kind, SESSIONS_PENDING_NONE);
    writer->pending_count--;
}

bool sessions_pending_next(const struct sessions_writer *writer, uint32_t *place,
                           struct sessions_pending *out)
{
    for (uint64_t used = places_used(writer); *place < used; ++*place) {
        const struct sessions_pending_place *from = place_at(writer, *place);
        if (READ(from->kind) == SESSIONS_PENDING_NONE)
            continue;
        uint64_t account[2] = {READ(from->account[0]), READ(from->account[1])};
        uint64_t selector[2] = {READ(from->selector[0]), READ(from->selector[1])};
        out->kind = (enum sessions_pending_kind)READ(from->kind);
        out->epoch = READ(from->epoch);
        memcpy(out->account.byte, account, sizeof account);
        memcpy(out->selector, selector, sizeof selector);
        return true;
    }
    return false;
}

uint32_t sessions_pending_count(const struct sessions_writer *writer)
{
    return writer->pending_count;
}

uint32_t pending_epoch(const struct sessions_writer *writer, const struct id16 *id)
{
    uint32_t epoch = 0;
    for (uint64_t i = 0, used = places_used(writer); i < used; i++) {
        const struct sessions_pending_place *place = place_at(writer, i);
        if (READ(place->kind) == SESSIONS_PENDING_END_ALL && words_are(place->account, id->byte) &&
            READ(place->epoch) > epoch)
            epoch = READ(place->epoch);
    }
    return epoch;
}

bool pending_has_end(const struct sessions_writer *writer, const uint8_t selector[16])
{
    for (uint64_t i = 0, used = places_used(writer); i < used; i++) {
        const struct sessions_pending_place *place = place_at(writer, i);
        if (READ(place->kind) == SESSIONS_PENDING_END && words_are(place->selector, selector))
            return true;
    }
    return false;
}

// The store still has the kept session with the epoch before. Ends of one account follow one another by one.
uint32_t pending_kept_epoch(const struct sessions_writer *writer, const struct id16 *account,
                            const uint8_t selector[16], uint32_t epoch)
{
    bool raised = writer->pending_count > 0;
    while (raised) {
        raised = false;
        for (uint64_t i = 0, used = places_used(writer); i < used; i++) {
            const struct sessions_pending_place *place = place_at(writer, i);
            if (READ(place->kind) != SESSIONS_PENDING_END_ALL || READ(place->epoch) != epoch + 1 ||
                !words_are(place->account, account->byte) || !words_are(place->selector, selector))
                continue;
            epoch++;
            raised = true;
        }
    }
    return epoch;
}

static void make_visible(struct sessions_writer *writer, const struct sessions_pending *pending)
{
    static const uint8_t nobody[16];
    if (pending->kind == SESSIONS_PENDING_END)
        sessions_mark_ending(writer, pending->selector);
    else
        sessions_end_all(writer, &pending->account, pending->epoch,
                         memcmp(pending->selector, nobody, sizeof nobody) == 0 ? NULL : pending->selector);
}

void pending_recover(struct sessions_writer *writer)
{
    uint64_t used = READ(writer->sessions->header.pending_high);
    for (uint64_t i = 0; i < used; i++) {
        uint32_t kind = READ(place_at(writer, i)->kind);
        if (kind != SESSIONS_PENDING_END && kind != SESSIONS_PENDING_END_ALL)
            store32(writer, &place_at(writer, i)->kind, SESSIONS_PENDING_NONE);
        else
            writer->pending_count++;
    }
    struct sessions_pending pending;
    for (uint32_t place = 0; sessions_pending_next(writer, &place, &pending); place++)
        make_visible(writer, &pending);
}
