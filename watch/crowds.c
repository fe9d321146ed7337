// SPDX-License-Identifier: ISC
// Adds up the sources of all fronts. Runs in stayd-watch. The seconds of two fronts need not begin at the
// same moment: each is a whole one, so that the sums are rates.
#include "watch/crowds.h"

#include <stdlib.h>

static uint64_t load(const _Atomic uint64_t *from)
{
    return atomic_load_explicit(from, memory_order_relaxed);
}

static void add_front(struct crowds *crowds, const struct stats_crowd *crowd)
{
    uint64_t total = load(&crowd->total);
    crowds->total += total;
    for (unsigned i = 0; i < STATS_SOURCES && total > 0; i++) {
        const struct stats_source *from = &crowd->heaviest[i];
        struct crowds_source source = {load(&from->hash), load(&from->count), load(&from->network)};
        if (source.hash == 0) {
            return;
        }
        source.count = source.count < total ? source.count : total;
        crowds->source[crowds->sources++] = source;
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct crowds_source *left = a, *right = b;
    return (left->hash > right->hash) - (left->hash < right->hash);
}

static int by_count(const void *a, const void *b)
{
    const struct crowds_source *left = a, *right = b;
    return (left->count < right->count) - (left->count > right->count);
}

// One entry for each hash.
static void join(struct crowds *crowds)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < crowds->sources; i++) {
        const struct crowds_source *one = &crowds->source[i];
        struct crowds_source *last = &crowds->source[kept == 0 ? 0 : kept - 1];
        if (kept > 0 && last->hash == one->hash) {
            last->count += one->count;
            last->network = last->network == 0 ? one->network : last->network;
        } else {
            crowds->source[kept++] = *one;
        }
    }
    crowds->sources = kept;
}

void crowds_take(struct crowds *crowds, const struct watched *watched)
{
    crowds->total = 0;
    crowds->sources = 0;
    for (unsigned i = 0; i < watched->pages; i++) {
        const struct watched_page *one = &watched->page[i];
        if (one->role == STATS_ROLE_front && stats_page_fits(one->page)) {
            add_front(crowds, stats_crowd_shown(one->page));
        }
    }
    qsort(crowds->source, crowds->sources, sizeof(crowds->source[0]), by_hash);
    join(crowds);
    qsort(crowds->source, crowds->sources, sizeof(crowds->source[0]), by_count);
}

// What a page says is not trusted to fit together.
static uint64_t thousandths(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : part >= all ? 1000 : part * 1000 / all;
}

uint64_t crowds_heaviest_thousandths(const struct crowds *crowds)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < CROWDS_HEAVIEST && i < crowds->sources; i++) {
        sum += crowds->source[i].count;
    }
    return thousandths(sum, crowds->total);
}

// ---- networks --------------------------------------------------------------------------------------------

static void add_to(struct crowds_network *networks, unsigned *found, unsigned most,
                   const struct crowds_source *source)
{
    unsigned at = 0;
    while (at < *found && networks[at].network != source->network) {
        at++;
    }
    if (at == most || source->network == 0) {
        return;
    }
    if (at == *found) {
        networks[(*found)++] = (struct crowds_network){.network = source->network};
    }
    networks[at].count += source->count;
}

static int by_sum(const void *a, const void *b)
{
    const struct crowds_network *left = a, *right = b;
    return (left->count < right->count) - (left->count > right->count);
}

unsigned crowds_networks(const struct crowds *crowds, struct crowds_network *out, unsigned out_max)
{
    unsigned found = 0;
    for (unsigned i = 0; i < crowds->sources; i++) {
        add_to(out, &found, out_max, &crowds->source[i]);
    }
    qsort(out, found, sizeof(out[0]), by_sum);
    return found;
}
