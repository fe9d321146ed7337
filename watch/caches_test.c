// SPDX-License-Identifier: ISC
#include "watch/caches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void far_too_small_or_not(void **state)
{
    (void)state;
    const struct cache_figures small = {
        .hits = 300, .misses = 700, .evictions = 600, .entries = 95, .capacity = 100};
    assert_true(cache_is_small(&small, true));
    struct cache_figures other = small;
    other.misses = 200; // few requests
    assert_false(cache_is_small(&other, true));
    other = small;
    other.entries = 50; // room left: misses of another kind
    assert_false(cache_is_small(&other, true));
    other = small;
    other.hits = 3000; // it does its work
    assert_false(cache_is_small(&other, true));
    other = small;
    other.evictions = 10; // what it drops is of no use
    assert_false(cache_is_small(&other, true));
    assert_true(cache_is_small(&other, false));
    other.capacity = 0; // not in use
    assert_false(cache_is_small(&other, false));
}

static unsigned said;
static const struct cache_row *said_row;

static void say(const struct cache_row *row, const struct cache_figures *window)
{
    (void)window;
    said++;
    said_row = row;
}

static void said_once_an_hour(void **state)
{
    (void)state;
    static struct watched watched;
    static struct caches caches;
    struct stats_page *page = calloc(1, STATS_PAGE_SIZE);
    assert_non_null(page);
    page->magic = STATS_MAGIC;
    page->format = STATS_FORMAT;
    watched_init(&watched);
    watched_add(&watched, STATS_ROLE_front, 0, page);
    page->counter[STATS_cache_unknown_tokens_capacity] = 4096;
    page->counter[STATS_cache_unknown_tokens_entries] = 4090;
    page->counter[STATS_cache_unknown_tokens_misses] = 1000000; // before we looked
    uint64_t now_ms = 5000;
    caches_look(&caches, &watched, now_ms, say);
    assert_int_equal(said, 0);
    for (unsigned i = 0; i < 10; i++) { // a window may need several looks
        page->counter[STATS_cache_unknown_tokens_misses] += 200;
        page->counter[STATS_cache_unknown_tokens_evictions] += 150;
        caches_look(&caches, &watched, now_ms += CACHES_LOOK_MS, say);
        assert_int_equal(said, i < 4 ? 0 : 1);
    }
    assert_string_equal(said_row->name, "unknown_tokens");
    now_ms += CACHES_QUIET_MS;
    page->counter[STATS_cache_unknown_tokens_misses] += 2000;
    page->counter[STATS_cache_unknown_tokens_evictions] += 2000;
    caches_look(&caches, &watched, now_ms, say);
    assert_int_equal(said, 2);
    page->counter[STATS_cache_unknown_tokens_hits] += 100000;
    caches_look(&caches, &watched, now_ms += CACHES_QUIET_MS, say);
    assert_int_equal(said, 2);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(far_too_small_or_not),
        cmocka_unit_test(said_once_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
