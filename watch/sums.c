// SPDX-License-Identifier: ISC
// Adds pages up. Runs in stayd-watch.
#include "watch/sums.h"

static enum sums_group group_of(unsigned class)
{
    switch (class) {
    case STATS_CLASS_check:
        return SUMS_check;
    case STATS_CLASS_login:
        return SUMS_login;
    default:
        return watched_is_change(class) ? SUMS_change : SUMS_other;
    }
}

static enum sums_outcome outcome_of(unsigned answer)
{
    switch (answer) {
    case STATS_ANSWER_429:
    case STATS_ANSWER_503:
        return SUMS_REFUSED;
    case STATS_ANSWER_closed:
    case STATS_ANSWER_5xx:
        return SUMS_FAILED;
    default:
        return SUMS_OK;
    }
}

static void add_times(struct stats_times *to, const struct stats_times *from)
{
    to->sum_ns += atomic_load_explicit(&from->sum_ns, memory_order_relaxed);
    for (unsigned i = 0; i < STATS_BUCKETS; i++) {
        uint64_t more = atomic_load_explicit(&from->bucket[i], memory_order_relaxed);
        if (more > 0) {
            to->bucket[i] += more;
        }
    }
}

static void add_front(struct sums *sums, const struct stats_page *page)
{
    for (unsigned class = 0; class < STATS_CLASS_COUNT; class ++) {
        for (unsigned answer = 0; answer < STATS_ANSWERS; answer++) {
            sums->answered[group_of(class)][outcome_of(answer)] +=
                atomic_load_explicit(&page->request[class][answer], memory_order_relaxed);
        }
    }
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++) {
        add_times(&sums->times[i], &page->times[i]);
    }
    sums->front_processor_us += stats_read(page, STATS_process_processor_us);
}

void sums_take(struct sums *sums, const struct watched *watched, uint64_t now_ns)
{
    memset(sums, 0, sizeof(*sums));
    sums->at_ns = now_ns;
    for (unsigned at = 0; at < watched->pages; at++) {
        const struct stats_page *page = watched->page[at].page;
        if (!stats_page_fits(page)) {
            continue;
        }
        for (unsigned i = 0; i < STATS_COUNTER_COUNT; i++) {
            sums->counter[i] += stats_read(page, (enum stats_counter)i);
        }
        if (watched->page[at].role == STATS_ROLE_front) {
            add_front(sums, page);
        } else if (watched->page[at].role == STATS_ROLE_hash) {
            const struct stats_times *times = &page->times[STATS_TIME_stage_hash];
            sums->hashed_ns += atomic_load_explicit(&times->sum_ns, memory_order_relaxed);
            sums->hashed += stats_times_count(times);
        }
    }
}

static uint64_t since(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

void sums_between(const struct sums *from, const struct sums *to, struct sums *out)
{
    out->at_ns = since(from->at_ns, to->at_ns);
    out->at_ns += out->at_ns == 0;
    for (unsigned i = 0; i < STATS_COUNTER_COUNT; i++) {
        out->counter[i] = since(from->counter[i], to->counter[i]);
    }
    for (unsigned i = 0; i < SUMS_GROUPS; i++) {
        for (unsigned outcome = 0; outcome < SUMS_OUTCOMES; outcome++) {
            out->answered[i][outcome] = since(from->answered[i][outcome], to->answered[i][outcome]);
        }
    }
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++) {
        out->times[i].sum_ns = since(from->times[i].sum_ns, to->times[i].sum_ns);
        for (unsigned at = 0; at < STATS_BUCKETS; at++) {
            out->times[i].bucket[at] = since(from->times[i].bucket[at], to->times[i].bucket[at]);
        }
    }
    out->hashed_ns = since(from->hashed_ns, to->hashed_ns);
    out->hashed = since(from->hashed, to->hashed);
    out->front_processor_us = since(from->front_processor_us, to->front_processor_us);
}

const char *sums_group_name(enum sums_group group)
{
#define X(id) #id,
    static const char *const names[] = {SUMS_GROUPS_LIST(X)};
#undef X
    return names[group];
}

enum stats_histogram sums_group_times(enum sums_group group)
{
#define X(id) STATS_TIME_##id,
    static const enum stats_histogram times[] = {SUMS_GROUPS_LIST(X)};
#undef X
    return times[group];
}

double sums_seconds(const struct sums *between)
{
    return (double)between->at_ns / 1e9;
}

double sums_rate(const struct sums *between, enum stats_counter counter)
{
    return (double)between->counter[counter] / sums_seconds(between);
}

uint64_t sums_answered(const struct sums *between, enum sums_group group)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < SUMS_OUTCOMES; i++) {
        all += between->answered[group][i];
    }
    return all;
}

uint64_t sums_mean_ns(const struct sums *between, enum stats_histogram histogram)
{
    uint64_t count = stats_times_count(&between->times[histogram]);
    return count == 0 ? 0 : between->times[histogram].sum_ns / count;
}
