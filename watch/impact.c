// SPDX-License-Identifier: ISC
// Whom an incident harms. Runs in stayd-watch.
#include "watch/impact.h"

const char *const impact_class_names[IMPACT_CLASSES] = {"check", "login", "change", "other"};

// What people wait for. Scrapes, probes, pictures and noise are nobody's harm.
static enum impact_class class_of(enum stats_class class)
{
    switch ((unsigned)class) {
    case STATS_CLASS_check:
        return IMPACT_CHECK;
    case STATS_CLASS_login:
        return IMPACT_LOGIN;
    case STATS_CLASS_page:
    case STATS_CLASS_other:
        return IMPACT_OTHER;
    default:
        return watched_is_change(class) ? IMPACT_CHANGE : IMPACT_CLASSES;
    }
}

static uint64_t late_in(const struct stats_page *page, enum stats_histogram histogram)
{
    uint64_t late = 0;
    for (unsigned at = stats_bucket(1000000000u) + 1; at < STATS_BUCKETS; at++) {
        late += atomic_load_explicit(&page->times[histogram].bucket[at], memory_order_relaxed);
    }
    return late;
}

static void add_page(const struct stats_page *page, struct impact_figures *sum)
{
    static const enum stats_histogram times[IMPACT_CLASSES] = {STATS_TIME_check, STATS_TIME_login,
                                                               STATS_TIME_change, STATS_TIME_other};
    for (unsigned class = 0; class < STATS_CLASS_COUNT; class ++) {
        enum impact_class to = class_of((enum stats_class) class);
        for (unsigned how = 0; to != IMPACT_CLASSES && how < STATS_ANSWERS; how++) {
            uint64_t count = atomic_load_explicit(&page->request[class][how], memory_order_relaxed);
            sum[to].asked += count;
            sum[to].failed += how == STATS_ANSWER_closed || how == STATS_ANSWER_5xx ? count : 0;
            sum[to].refused += how == STATS_ANSWER_429 || how == STATS_ANSWER_503 ? count : 0;
        }
    }
    for (unsigned to = 0; to < IMPACT_CLASSES; to++) {
        sum[to].late += late_in(page, times[to]);
    }
}

static void read_all(const struct watched *watched, struct impact_figures *sum, uint64_t *clients)
{
    *clients = 0;
    for (unsigned i = 0; i < watched->pages; i++) {
        const struct watched_page *one = &watched->page[i];
        if (one->role == STATS_ROLE_front && stats_page_fits(one->page)) {
            add_page(one->page, sum);
            *clients += stats_read(one->page, STATS_sources_distinct);
        }
    }
}

// A page that was made anew counts from zero.
static uint64_t since(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now;
}

static void add(struct impact *to, const struct impact_figures *what)
{
    for (unsigned i = 0; i < IMPACT_CLASSES; i++) {
        to->class[i].asked += what[i].asked;
        to->class[i].failed += what[i].failed;
        to->class[i].refused += what[i].refused;
        to->class[i].late += what[i].late;
    }
}

double impact_share(const struct impact_figures *figures)
{
    uint64_t harmed = figures->failed + figures->refused + figures->late;
    harmed = harmed < figures->asked ? harmed : figures->asked;
    return figures->asked == 0 ? 0 : (double)harmed / (double)figures->asked;
}

// As many of a second's clients as there were harmed requests among all.
static uint64_t clients_harmed(const struct impact *second)
{
    struct impact_figures all = {0};
    for (unsigned i = 0; i < IMPACT_CLASSES; i++) {
        all.asked += second->class[i].asked;
        all.failed += second->class[i].failed;
        all.refused += second->class[i].refused;
        all.late += second->class[i].late;
    }
    return (uint64_t)(impact_share(&all) * (double)second->clients + 0.5);
}

static void worst(struct impact_meter *meter, const struct impact *second)
{
    uint64_t clients = clients_harmed(second);
    meter->sum.clients = clients > meter->sum.clients ? clients : meter->sum.clients;
}

static struct impact *second_at(struct impact_meter *meter, uint64_t second)
{
    struct impact *slot = &meter->second[second % IMPACT_SECONDS];
    if (meter->second_of[second % IMPACT_SECONDS] != second) {
        if (meter->running) {
            worst(meter, &meter->second[meter->current % IMPACT_SECONDS]);
        }
        *slot = (struct impact){0};
        meter->second_of[second % IMPACT_SECONDS] = second;
        meter->current = second;
    }
    return slot;
}

void impact_init(struct impact_meter *meter)
{
    *meter = (struct impact_meter){0};
}

void impact_look(struct impact_meter *meter, const struct watched *watched, uint64_t mono_ms)
{
    struct impact_figures now[IMPACT_CLASSES] = {0};
    struct impact_figures step[IMPACT_CLASSES];
    uint64_t clients;
    read_all(watched, now, &clients);
    struct impact *second = second_at(meter, mono_ms / 1000 + 1);
    for (unsigned i = 0; i < IMPACT_CLASSES; i++) {
        step[i] = (struct impact_figures){.asked = since(now[i].asked, meter->last[i].asked),
                                          .failed = since(now[i].failed, meter->last[i].failed),
                                          .refused = since(now[i].refused, meter->last[i].refused),
                                          .late = since(now[i].late, meter->last[i].late)};
    }
    memcpy(meter->last, now, sizeof(now));
    second->clients = clients > second->clients ? clients : second->clients;
    if (meter->begun) {
        add(second, step);
    }
    if (meter->begun && meter->running) {
        add(&meter->sum, step);
    }
    meter->begun = true;
}

void impact_begin(struct impact_meter *meter, uint64_t onset_mono_ms, const struct impact *before)
{
    meter->running = true;
    meter->sum = before != NULL ? *before : (struct impact){0};
    for (unsigned i = 0; i < IMPACT_SECONDS; i++) {
        if (meter->second_of[i] > onset_mono_ms / 1000) {
            add(&meter->sum, meter->second[i].class);
            worst(meter, &meter->second[i]);
        }
    }
}

void impact_end(struct impact_meter *meter)
{
    if (meter->running) {
        worst(meter, &meter->second[meter->current % IMPACT_SECONDS]);
    }
    meter->running = false;
}
