// SPDX-License-Identifier: ISC
// Compares two reports of storm, see compare.h. Runs in stayctl storm compare.
#include "drill/compare.h"

#define FLOOR_MS      1.0
#define FLOOR_PERCENT 0.1

static double number_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static double count_of(const json_t *class, const char *outcome)
{
    return number_of(json_object_get(class, outcome), "count");
}

static double percent_of(const json_t *class, double count)
{
    double all = count_of(class, "ok") + count_of(class, "refused") + count_of(class, "late") +
                 count_of(class, "failed") + count_of(class, "wrong");
    return all > 0 ? 100 * count / all : 0;
}

static void add(struct compare *out, const char *class, const char *name, double before, double after,
                double share, double floor)
{
    if (out->figures == COMPARE_FIGURES_MAX) {
        return;
    }
    struct compare_figure *figure = &out->figure[out->figures++];
    bool more_is_better = floor < 0;
    double loss = more_is_better ? before - after : after - before;
    *figure = (struct compare_figure){.before = before, .after = after, .more_is_better = more_is_better};
    snprintf(figure->name, sizeof(figure->name), "%s %s", class, name);
    figure->worse = loss > before * share && loss > (more_is_better ? 0 : floor);
    out->worse += figure->worse;
}

static void add_class(struct compare *out, const char *name, const json_t *before, const json_t *after,
                      double share)
{
    const json_t *ok_before = json_object_get(before, "ok");
    const json_t *ok_after = json_object_get(after, "ok");
    double bad_before = count_of(before, "failed") + count_of(before, "late");
    double bad_after = count_of(after, "failed") + count_of(after, "late");
    add(out, name, "ok_per_second", number_of(ok_before, "per_second"), number_of(ok_after, "per_second"),
        share, -1);
    add(out, name, "p50_ms", number_of(ok_before, "p50_ms"), number_of(ok_after, "p50_ms"), share, FLOOR_MS);
    add(out, name, "p99_ms", number_of(ok_before, "p99_ms"), number_of(ok_after, "p99_ms"), share, FLOOR_MS);
    add(out, name, "failed_percent", percent_of(before, bad_before), percent_of(after, bad_after), share,
        FLOOR_PERCENT);
    add(out, name, "refused_percent", percent_of(before, count_of(before, "refused")),
        percent_of(after, count_of(after, "refused")), share, FLOOR_PERCENT);
    add(out, name, "wrong", count_of(before, "wrong"), count_of(after, "wrong"), 0, 0);
}

bool compare_reports(const json_t *before, const json_t *after, double share, struct compare *out)
{
    const char *name;
    json_t *class;
    json_t *classes = json_object_get(before, "classes");
    const json_t *others = json_object_get(after, "classes");
    *out = (struct compare){0};
    json_object_foreach(classes, name, class)
    {
        const json_t *other = json_object_get(others, name);
        if (json_is_object(other) && strlen(name) < 12) {
            add_class(out, name, class, other, share);
        }
    }
    return out->figures > 0;
}
