// SPDX-License-Identifier: ISC
// One sample of every page. Runs in stayd-watch.
// 1. A page is read without stopping its writer: rows of one sample may be some microseconds apart.
// 2. A sample never goes back in time: a tick that comes twice for one moment is passed over.
#include "watch/series_ring.h"

#include "watch/crowds.h"

#include <math.h>

enum { STATUSES = sizeof(((struct stats_page *)0)->request[0]) / sizeof(uint64_t) };

// What all pages say, added up by role; the last row is everyone's.
struct totals {
    uint64_t sum[STATS_ROLE_COUNT + 1][STATS_COUNTER_COUNT];
    struct series_times times[STATS_ROLE_COUNT + 1][STATS_HISTOGRAM_COUNT];
    uint64_t request[STATS_CLASS_COUNT][STATUSES];
    uint32_t coarse[SERIES_COARSE][SERIES_HISTOGRAM_BUCKETS];
    uint64_t heaviest_thousandths;
};

// Of a bucket of the page, the one of ours that its values fall into.
static unsigned coarse_bucket(unsigned bucket)
{
    uint64_t last = stats_bucket_end(bucket) - 1;
    if (last < 1u << 10) {
        return 0;
    }
    unsigned octave = 63U - (unsigned)__builtin_clzll(last);
    unsigned at = (octave - 10) * 4 + (unsigned)((last >> (octave - 2)) & 3) + 1;
    return at < SERIES_HISTOGRAM_BUCKETS ? at : SERIES_HISTOGRAM_BUCKETS - 1;
}

static const uint8_t *coarse_map(void)
{
    static uint8_t map[STATS_BUCKETS];
    if (map[STATS_BUCKETS - 1] == 0) {
        for (unsigned i = 0; i < STATS_BUCKETS; i++) {
            map[i] = (uint8_t)coarse_bucket(i);
        }
    }
    return map;
}

static void add_times(struct totals *totals, enum stats_role role, enum stats_histogram which,
                      const struct stats_times *times)
{
    const uint8_t *map = coarse_map();
    uint64_t count = 0;
    for (unsigned i = 0; i < STATS_BUCKETS; i++) {
        uint64_t here = atomic_load_explicit(&times->bucket[i], memory_order_relaxed);
        count += here;
        if (here > 0 && (unsigned)which < SERIES_COARSE) {
            totals->coarse[which][map[i]] += (uint32_t)here;
        }
    }
    uint64_t sum_ns = atomic_load_explicit(&times->sum_ns, memory_order_relaxed);
    const unsigned rows[] = {role, STATS_ROLE_COUNT};
    for (unsigned i = 0; i < 2; i++) {
        totals->times[rows[i]][which].count += count;
        totals->times[rows[i]][which].sum_ns += sum_ns;
    }
}

static void add_page(struct totals *totals, enum stats_role role, const struct stats_page *page)
{
    const unsigned rows[] = {role, STATS_ROLE_COUNT};
    for (unsigned i = 0; i < STATS_COUNTER_COUNT; i++) {
        uint64_t value = stats_read(page, (enum stats_counter)i);
        for (unsigned row = 0; row < 2 && value != 0; row++) {
            totals->sum[rows[row]][i] += value;
        }
    }
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++) {
        add_times(totals, role, (enum stats_histogram)i, &page->times[i]);
    }
    for (unsigned class = 0; class < STATS_CLASS_COUNT; class ++) {
        for (unsigned status = 0; status < STATUSES; status++) {
            totals->request[class][status] +=
                atomic_load_explicit(&page->request[class][status], memory_order_relaxed);
        }
    }
}

// ---- requests by class and by how they were answered -----------------------------------------------------

static bool in_group(unsigned class, unsigned group)
{
    switch (class) {
    case STATS_CLASS_check:
    case STATS_CLASS_login:
    case STATS_CLASS_page:
        return group == class || group == REQUESTS_counted;
    default:
        return watched_is_change(class) ? group == REQUESTS_change || group == REQUESTS_counted
                                        : group == class;
    }
}

static bool in_answer(unsigned status, enum requests_how how)
{
    static const enum requests_how by_status[] = {
        REQUESTS_FAILED,   REQUESTS_ANSWERED, REQUESTS_ANSWERED, REQUESTS_ANSWERED,
        REQUESTS_ANSWERED, REQUESTS_FAILED,   REQUESTS_WAIT,     REQUESTS_REFUSED,
    };
    return how == REQUESTS_ARRIVED || by_status[status] == how;
}

static uint64_t requests(const struct totals *totals, unsigned group, enum requests_how how)
{
    uint64_t sum = 0;
    for (unsigned class = 0; class < STATS_CLASS_COUNT; class ++) {
        for (unsigned status = 0; status < STATUSES && in_group(class, group); status++) {
            sum += in_answer(status, how) ? totals->request[class][status] : 0;
        }
    }
    return sum;
}

// ---- signals ---------------------------------------------------------------------------------------------

static uint64_t over_1s(const struct totals *totals, unsigned histogram)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SERIES_HISTOGRAM_BUCKETS; i++) {
        sum += series_bucket_ms(i) > 1000 ? totals->coarse[histogram][i] : 0;
    }
    return sum;
}

static struct series_cell cell_of(const struct totals *totals, const struct signal_row *row)
{
    switch (row->kind) {
    case SIGNAL_CROWD:
        return (struct series_cell){totals->heaviest_thousandths, 0};
    case SIGNAL_MEAN:
    case SIGNAL_P50:
    case SIGNAL_P99:
        return (struct series_cell){totals->times[row->role][row->a].sum_ns,
                                    totals->times[row->role][row->a].count};
    case SIGNAL_OVER_1S:
        return (struct series_cell){over_1s(totals, row->a), 0};
    case SIGNAL_REQUESTS:
        return (struct series_cell){requests(totals, row->a, (enum requests_how)row->b), 0};
    case SIGNAL_RATE:
    case SIGNAL_LEVEL:
    case SIGNAL_FULL:
    case SIGNAL_SHARE:
    case SIGNAL_PER:
    case SIGNAL_PER_MS:
    case SIGNAL_BUSY:
    default:
        return (struct series_cell){totals->sum[row->role][row->a], totals->sum[row->role][row->b]};
    }
}

static void take_statements(struct series_sample *sample, const struct totals *totals)
{
    const uint64_t *sum = totals->sum[STATS_ROLE_store];
    for (unsigned i = 0; i < SERIES_OPERATIONS; i++) {
        sample->statement[i] = (struct series_statement){
            .count = sum[STATS_statement_account_by_name + i],
            .wait_us = sum[STATS_statement_wait_account_by_name + i],
            .hold_us = sum[STATS_statement_hold_account_by_name + i],
            .slow = sum[STATS_statement_slow_account_by_name + i],
        };
    }
}

// ---- processes -------------------------------------------------------------------------------------------

static struct series_slot *slot_of(struct series *series, enum stats_role role, uint16_t index)
{
    for (unsigned i = 0; i < series->slots; i++) {
        if (series->slot[i].role == role && series->slot[i].index == index) {
            return &series->slot[i];
        }
    }
    if (series->slots == SERIES_PROCESSES_MAX) {
        return NULL;
    }
    struct series_slot *slot = &series->slot[series->slots++];
    *slot = (struct series_slot){.role = role, .index = index};
    return slot;
}

static double known(uint64_t value)
{
    return value == 0 ? SERIES_UNKNOWN : (double)value;
}

// A process that was started again begins its growth anew.
static void take_process(struct series_slot *slot, const struct stats_page *page, uint64_t second,
                         unsigned missed)
{
    uint32_t pid = atomic_load_explicit(&page->pid, memory_order_relaxed);
    if (pid != slot->pid) {
        memset(slot->second, 0, sizeof(slot->second));
        slot->pid = pid;
    }
    slot->started_ns = atomic_load_explicit(&page->started_ns, memory_order_relaxed);
    slot->heartbeat_ms = stats_read(page, STATS_heartbeat_ms);
    slot->resource[SERIES_MEMORY] = known(stats_read(page, STATS_process_memory_bytes));
    slot->resource[SERIES_DESCRIPTORS] = known(stats_read(page, STATS_process_descriptors));
    slot->descriptors_max = known(stats_read(page, STATS_process_descriptors_max));
    for (unsigned which = 0; which < 2; which++) {
        for (unsigned back = 1; back <= missed; back++) {
            slot->second[which][(second - back) % SERIES_SECONDS] = 0;
        }
        double value = slot->resource[which];
        slot->second[which][second % SERIES_SECONDS] = isnan(value) ? 0 : (float)value;
    }
}

// Seconds between the last sample and this that have none.
static unsigned missed_seconds(const struct series *series, uint64_t second)
{
    uint64_t last = series->count == 0 ? second : series_back(series, 0)->mono_ms / 1000;
    uint64_t missed = second > last + 1 ? second - last - 1 : 0;
    return missed < SERIES_SECONDS ? (unsigned)missed : SERIES_SECONDS - 1;
}

// ---- the objective ---------------------------------------------------------------------------------------

static double increase_of(const struct series_sample *before, const struct series_sample *now,
                          enum signal signal)
{
    return (double)series_increase(before->cell[signal].a, now->cell[signal].a);
}

static void take_burn(struct series *series, const struct series_sample *before,
                      const struct series_sample *now)
{
    static const enum signal breaking[] = {SIGNAL_requests_refused, SIGNAL_requests_failed,
                                           SIGNAL_check_slow,       SIGNAL_login_slow,
                                           SIGNAL_change_slow,      SIGNAL_other_slow};
    uint64_t at = now->mono_ms / (SERIES_BURN_S * 1000);
    struct series_bucket *bucket = &series->burn[at % SERIES_BURNS];
    double all = increase_of(before, now, SIGNAL_requests_arrived);
    double bad = 0;
    for (size_t i = 0; i < sizeof breaking / sizeof breaking[0]; i++) {
        bad += increase_of(before, now, breaking[i]);
    }
    bad = bad < all ? bad : all;
    if (bucket->at != at) {
        *bucket = (struct series_bucket){.at = at};
    }
    bucket->bad += bad;
    bucket->good += all - bad;
}

// ---- all of it -------------------------------------------------------------------------------------------

static void add_up(struct totals *totals, const struct watched *watched)
{
    static struct crowds crowds;
    *totals = (struct totals){0};
    for (unsigned i = 0; i < watched->pages; i++) {
        if (stats_page_fits(watched->page[i].page)) {
            add_page(totals, watched->page[i].role, watched->page[i].page);
        }
    }
    crowds_take(&crowds, watched);
    totals->heaviest_thousandths = crowds_heaviest_thousandths(&crowds);
}

static void take_processes(struct series *series, const struct watched *watched, uint64_t second,
                           unsigned missed)
{
    for (unsigned i = 0; i < watched->pages; i++) {
        const struct watched_page *page = &watched->page[i];
        struct series_slot *slot =
            stats_page_fits(page->page) ? slot_of(series, page->role, page->index) : NULL;
        if (slot != NULL) {
            take_process(slot, page->page, second, missed);
        }
    }
}

void series_take(struct series *series, const struct watched *watched, struct watched_now now)
{
    static struct totals totals;
    uint64_t mono_ms = now.mono_ns / 1000000u;
    const struct series_sample *last = series->count == 0 ? NULL : series_back(series, 0);
    if (last != NULL && mono_ms <= last->mono_ms) {
        return;
    }
    if (last != NULL && mono_ms - last->mono_ms > SERIES_LATE_MS) {
        series->gap_ms = mono_ms;
    }
    add_up(&totals, watched);
    take_processes(series, watched, mono_ms / 1000, missed_seconds(series, mono_ms / 1000));
    unsigned at = series->count == 0 ? 0 : (series->newest + 1) % SERIES_SAMPLES;
    struct series_sample *sample = &series->ring[at];
    sample->mono_ms = mono_ms;
    sample->wall_ms = now.wall_ms;
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        sample->cell[i] = cell_of(&totals, &signal_rows[i]);
    }
    take_statements(sample, &totals);
    memcpy(sample->stage, totals.times[STATS_ROLE_front], sizeof(sample->stage));
    memcpy(sample->coarse, totals.coarse, sizeof(sample->coarse));
    series->newest = at;
    series->count += series->count < SERIES_SAMPLES;
    if (last != NULL) {
        take_burn(series, last, sample);
    }
}
