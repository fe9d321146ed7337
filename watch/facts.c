// SPDX-License-Identifier: ISC
// A ring of what was told. Runs in stayd-watch.
// 1. Fact number n lies in the ring at n % FACTS_MAX, until n + FACTS_MAX overwrites it.
// 2. No text from another process leaves here with a control character, a bidirectional override or
// ill-formed
//    UTF-8 in it: it ends up in terminals, logs and pages.
#include "watch/facts.h"

#include <stdlib.h>

struct facts {
    struct fact ring[FACTS_MAX];
    uint64_t count;
};

struct facts *facts_new(void)
{
    return calloc(1, sizeof(struct facts));
}

void facts_free(struct facts **facts)
{
    free(*facts);
    *facts = NULL;
}

// The length of a well-formed character at the front of `rest`; 0 when there is none.
static size_t character(struct view rest)
{
    static const uint8_t least[] = {0, 0, 0xc2, 0xe0, 0xf0};
    uint8_t first = rest.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    bool fits = size <= rest.size && (size == 1 || first >= least[size]);
    return fits && view_is_utf8(view_first(rest, size)) ? size : 0;
}

// Characters that steer how others are shown: C1 controls, and U+200B to U+200F, U+2028 to U+202E,
// U+2060 to U+206F, U+FEFF.
static bool steers(const uint8_t *at, size_t size)
{
    if (size == 1) {
        return at[0] < ' ' || at[0] == 0x7f;
    }
    if (size == 2) {
        return at[0] == 0xc2 && at[1] < 0xa0;
    }
    return size == 3 && ((at[0] == 0xe2 && at[1] == 0x80 &&
                          ((at[2] >= 0x8b && at[2] <= 0x8f) || at[2] >= 0xa8) && at[2] <= 0xae) ||
                         (at[0] == 0xe2 && at[1] == 0x81 && at[2] >= 0xa0 && at[2] <= 0xaf) ||
                         (at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf));
}

static void clean(struct view text, char *out, size_t out_size)
{
    size_t used = 0;
    while (text.size > 0) {
        size_t size = character(text);
        bool good = size > 0 && !steers(text.data, size);
        size_t takes = good ? size : 1;
        if (used + takes >= out_size) {
            break;
        }
        if (good) {
            memcpy(out + used, text.data, size);
        } else {
            out[used] = size == 0 ? '?' : ' ';
        }
        used += takes;
        text = view_from(text, size == 0 ? 1 : size);
    }
    out[used] = '\0';
}

void facts_add(struct facts *facts, const struct wire_event *event, struct watched_now now)
{
    uint64_t number = ++facts->count, now_ms = now.mono_ns / 1000000u, at_ms = event->mono_ns / 1000000u;
    struct fact *fact = &facts->ring[number % FACTS_MAX];
    bool plausible = at_ms <= now_ms;
    fact->kind = event->kind;
    fact->role = event->role;
    fact->index = event->index;
    fact->number = number;
    fact->mono_ms = plausible ? at_ms : now_ms;
    fact->wall_ms = now.wall_ms - (now_ms - fact->mono_ms);
    fact->a = event->a;
    fact->b = event->b;
    clean(event->name, fact->name, sizeof(fact->name));
    clean(event->text, fact->text, sizeof(fact->text));
    clean(event->more, fact->more, sizeof(fact->more));
}

uint64_t facts_count(const struct facts *facts)
{
    return facts->count;
}

const struct fact *facts_get(const struct facts *facts, uint64_t number)
{
    bool there = number > 0 && number <= facts->count && facts->count - number < FACTS_MAX;
    return there ? &facts->ring[number % FACTS_MAX] : NULL;
}

const struct fact *facts_last(const struct facts *facts, uint8_t kind, uint64_t since_ms)
{
    const struct fact *fact;
    for (uint64_t number = facts->count; (fact = facts_get(facts, number)) != NULL; number--) {
        if (fact->kind == kind && fact->mono_ms >= since_ms) {
            return fact;
        }
    }
    return NULL;
}

const struct fact *facts_first(const struct facts *facts, uint8_t kind, uint64_t since_ms)
{
    const struct fact *fact, *first = NULL;
    for (uint64_t number = facts->count; (fact = facts_get(facts, number)) != NULL; number--) {
        if (fact->kind == kind && fact->mono_ms >= since_ms) {
            first = fact;
        }
    }
    return first;
}

unsigned facts_number(const struct facts *facts, uint8_t kind, uint64_t since_ms)
{
    const struct fact *fact;
    unsigned found = 0;
    for (uint64_t number = facts->count; (fact = facts_get(facts, number)) != NULL; number--) {
        found += fact->kind == kind && fact->mono_ms >= since_ms;
    }
    return found;
}

static bool ended(const struct facts *facts, const struct fact *on, uint8_t off)
{
    const struct fact *fact;
    for (uint64_t number = facts->count; number > on->number && (fact = facts_get(facts, number)) != NULL;
         number--) {
        bool same = fact->name[0] == '\0' || on->name[0] == '\0' ||
                    view_equal(view_of_cstr(fact->name), view_of_cstr(on->name));
        if (fact->kind == off && same) {
            return true;
        }
    }
    return false;
}

const struct fact *facts_standing(const struct facts *facts, uint8_t on, uint8_t off, uint64_t since_ms)
{
    const struct fact *fact;
    for (uint64_t number = facts->count; (fact = facts_get(facts, number)) != NULL; number--) {
        if (fact->kind == on && fact->mono_ms >= since_ms && !ended(facts, fact, off)) {
            return fact;
        }
    }
    return NULL;
}
