// SPDX-License-Identifier: ISC
// Samples every second and what can be said from them. Runs in stayd-watch.
#include "watch/top.h"

#include <math.h>

static const struct top_sample *sample_ago(const struct top *top, unsigned seconds)
{
    return &top->ring[(top->taken - 1 - seconds) % (TOP_WINDOW_S + 1)];
}

void top_init(struct top *top)
{
    memset(top, 0, sizeof(*top));
}

bool top_known(const struct top *top)
{
    return top->taken >= 2;
}

static void take_processes(struct top_sample *sample, const struct watched *watched)
{
    sample->processes = watched->pages;
    for (unsigned i = 0; i < watched->pages; i++) {
        const struct watched_page *page = &watched->page[i];
        bool fits = stats_page_fits(page->page);
        sample->process[i].role = page->role;
        sample->process[i].index = page->index;
        sample->process[i].processor_us = fits ? stats_read(page->page, STATS_process_processor_us) : 0;
    }
}

static float p99_ms(const struct sums *second, enum sums_group group)
{
    const struct stats_times *times = &second->times[sums_group_times(group)];
    return stats_times_count(times) == 0 ? NAN : (float)((double)stats_quantile_ns(times, 0.99) / 1e6);
}

static float fullness(const struct watched *watched, const char *resource)
{
    for (unsigned i = 0; i < saturation_row_count; i++) {
        if (strcmp(saturation_rows[i].resource, resource) == 0) {
            double full = saturation_now(watched, &saturation_rows[i]);
            return full < 0 ? NAN : (float)full;
        }
    }
    return (double)NAN;
}

static void take_point(float *point, const struct sums *second, const struct watched *watched)
{
    double seconds = sums_seconds(second);
    uint64_t refused = 0;
    uint64_t failed = 0;
    for (unsigned i = 0; i < SUMS_GROUPS; i++) {
        refused += second->answered[i][SUMS_REFUSED];
        failed += second->answered[i][SUMS_FAILED];
    }
    point[TOP_SERIES_checks] = (float)((double)sums_answered(second, SUMS_check) / seconds);
    point[TOP_SERIES_logins] = (float)((double)sums_answered(second, SUMS_login) / seconds);
    point[TOP_SERIES_changes] = (float)((double)sums_answered(second, SUMS_change) / seconds);
    point[TOP_SERIES_others] = (float)((double)sums_answered(second, SUMS_other) / seconds);
    point[TOP_SERIES_refused] = (float)((double)refused / seconds);
    point[TOP_SERIES_failed] = (float)((double)failed / seconds);
    point[TOP_SERIES_check_p99_ms] = p99_ms(second, SUMS_check);
    point[TOP_SERIES_login_p99_ms] = p99_ms(second, SUMS_login);
    point[TOP_SERIES_change_p99_ms] = p99_ms(second, SUMS_change);
    point[TOP_SERIES_processors] = fullness(watched, "processors");
    point[TOP_SERIES_hash] = fullness(watched, "hash_workers");
    float pool = fullness(watched, "database_connections"); // none with SQLite, which has one queue
    point[TOP_SERIES_database] = isnan(pool) ? fullness(watched, "store_queue") : pool;
    point[TOP_SERIES_sessions] = (float)watched_sum(watched, STATS_sessions_live, STATS_ROLE_core);
}

void top_take(struct top *top, const struct watched *watched, const struct watched_now *now)
{
    struct top_sample *sample = &top->ring[top->taken++ % (TOP_WINDOW_S + 1)];
    sums_take(&sample->sums, watched, now->mono_ns);
    take_processes(sample, watched);
    if (top->taken < 2) {
        return;
    }
    unsigned window = top->taken - 1 < TOP_WINDOW_S ? top->taken - 1 : TOP_WINDOW_S;
    sums_between(&sample_ago(top, 1)->sums, &sample->sums, &top->second);
    sums_between(&sample_ago(top, window)->sums, &sample->sums, &top->window);
    take_point(top->point[(top->taken - 2) % TOP_POINTS], &top->second, watched);
}

const struct sums *top_sums(const struct top *top)
{
    return &sample_ago(top, 0)->sums;
}

unsigned top_points(const struct top *top)
{
    unsigned points = top_known(top) ? top->taken - 1 : 0;
    return points < TOP_POINTS ? points : TOP_POINTS;
}

double top_point(const struct top *top, enum top_series series, unsigned at)
{
    unsigned oldest = top->taken - 1 - top_points(top);
    return (double)top->point[(oldest + at) % TOP_POINTS][series];
}

const char *top_series_name(enum top_series series)
{
#define X(id, unit, decimals) #id,
    static const char *const names[] = {TOP_SERIES_LIST(X)};
#undef X
    return names[series];
}

unsigned top_stages(const struct top *top, struct top_stage out[static TOP_STAGES_MAX])
{
    static const size_t prefix = sizeof("stage_") - 1;
    unsigned count = 0;
    double all = 0;
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT && count < TOP_STAGES_MAX; i++) {
        const struct stats_row *row = stats_histogram_row((enum stats_histogram)i);
        if (strncmp(row->id, "stage_", prefix) != 0) {
            continue;
        }
        double sum = (double)top->window.times[i].sum_ns;
        out[count++] = (struct top_stage){.name = row->id + prefix,
                                          .mean_ns = sums_mean_ns(&top->window, (enum stats_histogram)i),
                                          .share = sum};
        all += sum;
    }
    for (unsigned i = 0; i < count; i++) {
        out[i].share = all > 0 ? out[i].share / all : 0;
    }
    return count;
}

static double processor_of(const struct top *top, unsigned page)
{
    unsigned window = top->taken - 1 < TOP_WINDOW_S ? top->taken - 1 : TOP_WINDOW_S;
    if (!top_known(top)) {
        return (double)NAN;
    }
    const struct top_sample *now = sample_ago(top, 0);
    const struct top_sample *before = sample_ago(top, window);
    if (page >= now->processes || page >= before->processes ||
        now->process[page].role != before->process[page].role ||
        now->process[page].index != before->process[page].index ||
        now->process[page].processor_us < before->process[page].processor_us) {
        return (double)NAN;
    }
    return (double)(now->process[page].processor_us - before->process[page].processor_us) / 1e6 /
           sums_seconds(&top->window);
}

struct top_process top_process(const struct top *top, const struct watched *watched, unsigned page,
                               const struct watched_now *now)
{
    const struct watched_page *one = &watched->page[page];
    bool fits = stats_page_fits(one->page);
    uint64_t starts = fits ? stats_read(one->page, STATS_process_starts) : 0;
    return (struct top_process){
        .name = stats_role_name((uint32_t)one->role),
        .index = one->index,
        .state = watched_state(one, now),
        .pid = fits ? atomic_load_explicit(&one->page->pid, memory_order_relaxed) : 0,
        .memory = fits ? stats_read(one->page, STATS_process_memory_bytes) : 0,
        .processor = processor_of(top, page),
        .uptime_s = watched_uptime_s(one, now),
        .restarts = starts > 0 ? starts - 1 : 0,
    };
}

struct operation {
    const char *name;
    enum stats_counter count;
};

static const struct operation operations[] = {
#define X(id, kind, family, labels, help) {&#id[sizeof("statement")], STATS_##id},
    STATS_PER_OPERATION(X, statement, "", "")
#undef X
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

// The rows of waiting and holding stand in the same order as those of counts.
static enum stats_counter row_of(enum stats_counter first, unsigned operation)
{
    return (enum stats_counter)(first + operation);
}

unsigned top_statements(const struct sums *between, struct top_statement *out, unsigned most)
{
    double seconds = sums_seconds(between);
    double all = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint64_t runs = between->counter[operations[i].count];
        double hold_us = (double)between->counter[row_of(STATS_statement_hold_account_by_name, i)];
        double wait_us = (double)between->counter[row_of(STATS_statement_wait_account_by_name, i)];
        unsigned place = count;
        if (runs == 0) {
            continue;
        }
        all += hold_us;
        while (place > 0 && out[place - 1].share < hold_us) {
            if (place < most) {
                out[place] = out[place - 1];
            }
            place--;
        }
        if (place < most) {
            out[place] = (struct top_statement){
                .operation = operations[i].name,
                .runs = runs,
                .slow = between->counter[row_of(STATS_statement_slow_account_by_name, i)],
                .per_second = (double)runs / seconds,
                .mean_ns = (uint64_t)(hold_us * 1000 / (double)runs),
                .wait_ns = (uint64_t)(wait_us * 1000 / (double)runs),
                .share = hold_us};
            count += count < most;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        out[i].share = all > 0 ? out[i].share / all : 0;
    }
    return count;
}
