// SPDX-License-Identifier: ISC
// The ring of "seen" notes: front puts, core takes.
//   1. put - taken, modulo 2^32, is the number of notes in the ring, at most SEEN_RING_PLACES.
//   2. A place is written before `put` passes it and read before `taken` passes it.
//   3. Each side keeps its own position and only publishes it: what the other side writes can make it wait or
//   skip,
//      never read or write outside the page.
#include "sessions/seen.h"

#include <string.h>

void seen_putter_init(struct seen_putter *putter, void *page)
{
    putter->page = page;
    putter->put = atomic_load_explicit(&putter->page->put, memory_order_relaxed);
}

bool seen_put(struct seen_putter *putter, const struct seen_note *note)
{
    uint32_t taken = atomic_load_explicit(&putter->page->taken, memory_order_acquire);
    if (putter->put - taken >= SEEN_RING_PLACES)
        return false;
    struct seen_place *place = &putter->page->place[putter->put % SEEN_RING_PLACES];
    uint64_t word[2];
    memcpy(word, note->selector, sizeof word);
    atomic_store_explicit(&place->selector[0], word[0], memory_order_relaxed);
    atomic_store_explicit(&place->selector[1], word[1], memory_order_relaxed);
    atomic_store_explicit(&place->seen_s, note->seen_s, memory_order_relaxed);
    putter->put++;
    atomic_store_explicit(&putter->page->put, putter->put, memory_order_release);
    return true;
}

void seen_taker_init(struct seen_taker *taker, void *page)
{
    taker->page = page;
    taker->taken = atomic_load_explicit(&taker->page->taken, memory_order_relaxed);
}

static void taken_store(struct seen_taker *taker, uint32_t taken)
{
    taker->taken = taken;
    atomic_store_explicit(&taker->page->taken, taken, memory_order_release);
}

bool seen_take(struct seen_taker *taker, struct seen_note *note)
{
    uint32_t put = atomic_load_explicit(&taker->page->put, memory_order_acquire);
    if (put == taker->taken)
        return false;
    if (put - taker->taken > SEEN_RING_PLACES) {
        taken_store(taker, put);
        return false;
    }
    const struct seen_place *place = &taker->page->place[taker->taken % SEEN_RING_PLACES];
    uint64_t word[2] = {
        atomic_load_explicit(&place->selector[0], memory_order_relaxed),
        atomic_load_explicit(&place->selector[1], memory_order_relaxed),
    };
    memcpy(note->selector, word, sizeof word);
    note->seen_s = (uint32_t)atomic_load_explicit(&place->seen_s, memory_order_relaxed);
    taken_store(taker, taker->taken + 1);
    return true;
}
