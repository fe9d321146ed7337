// SPDX-License-Identifier: ISC
// Writes what a load test found. Runs in stayctl storm. Times are in milliseconds, from when a request was
// due.
#include "drill/report.h"

static const struct {
    const char *name;
    double share;
} quantiles[] = {{"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"p999_ms", 0.999}};
enum { QUANTILES = sizeof(quantiles) / sizeof(quantiles[0]) };

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static bool is_planned(const struct storm *storm, enum storm_class class)
{
    return plan_count(storm->options->plan, class) > 0;
}

// The part of a phase that was run: a run may have been stopped.
static double phase_seconds(const struct storm *storm, unsigned phase)
{
    double begin_s = plan_phase_begin(storm->options->plan, phase);
    double end_s = plan_phase_end(storm->options->plan, phase);
    end_s = end_s < storm->ran_s ? end_s : storm->ran_s;
    return end_s > begin_s ? end_s - begin_s : 0;
}

// ---- JSON

static json_t *times_json(const struct histogram *times, double seconds)
{
    json_t *object = json_object();
    json_object_set_new(object, "count", json_integer((json_int_t)times->count));
    if (times->count > 0) {
        json_object_set_new(object, "per_second",
                            json_real(seconds > 0 ? (double)times->count / seconds : 0));
        json_object_set_new(object, "mean_ms", json_real(ms(times->sum_ns) / (double)times->count));
        for (unsigned i = 0; i < QUANTILES; i++) {
            json_object_set_new(object, quantiles[i].name,
                                json_real(ms(histogram_quantile_ns(times, quantiles[i].share))));
        }
        json_object_set_new(object, "max_ms", json_real(ms(times->max_ns)));
    }
    return object;
}

static json_t *cell_json(const struct tally_cell *cell, double seconds)
{
    json_t *object =
        json_pack("{s:I, s:f, s:I, s:I, s:I}", "offered", (json_int_t)cell->offered, "offered_per_second",
                  seconds > 0 ? (double)cell->offered / seconds : 0.0, "retries", (json_int_t)cell->retries,
                  "done_by_retry", (json_int_t)cell->delayed, "given_up", (json_int_t)cell->given_up);
    for (unsigned i = 0; i < STORM_OUTCOMES; i++) {
        json_object_set_new(object, storm_outcome_name((enum storm_outcome)i),
                            times_json(&cell->times[i], seconds));
    }
    return object;
}

static json_t *classes_json(const struct storm *storm, unsigned phase)
{
    json_t *classes = json_object();
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        enum storm_class class = (enum storm_class)i;
        if (is_planned(storm, class)) {
            json_object_set_new(
                classes, storm_class_name(class),
                cell_json(tally_at(&storm->tally, phase, class), phase_seconds(storm, phase)));
        }
    }
    return classes;
}

static json_t *totals_json(const struct storm *storm)
{
    json_t *classes = json_object();
    struct tally_cell *sum = malloc(sizeof(*sum));
    for (unsigned i = 0; sum != NULL && i < STORM_CLASSES; i++) {
        enum storm_class class = (enum storm_class)i;
        if (is_planned(storm, class)) {
            tally_sum(&storm->tally, class, sum);
            json_object_set_new(classes, storm_class_name(class), cell_json(sum, storm->ran_s));
        }
    }
    free(sum);
    return classes;
}

static json_t *phases_json(const struct storm *storm)
{
    json_t *phases = json_array();
    const struct plan *plan = storm->options->plan;
    for (unsigned i = 0; i < plan->phases; i++) {
        if (phase_seconds(storm, i) > 0) {
            json_array_append_new(phases,
                                  json_pack("{s:f, s:f, s:o}", "begin_s", plan_phase_begin(plan, i), "end_s",
                                            plan_phase_end(plan, i), "classes", classes_json(storm, i)));
        }
    }
    return phases;
}

static json_t *instant_json(const struct tally_instant *instant)
{
    json_t *object = json_pack("{s:I}", "offered", (json_int_t)instant->offered);
    for (unsigned i = 0; i < STORM_OUTCOMES; i++) {
        json_object_set_new(object, storm_outcome_name((enum storm_outcome)i),
                            json_integer((json_int_t)instant->answers[i]));
    }
    json_object_set_new(object, "ok_p99_ms", json_real(instant->ok_p99_us / 1e3));
    json_object_set_new(object, "refused_p99_ms", json_real(instant->refused_p99_us / 1e3));
    return object;
}

static json_t *seconds_json(const struct storm *storm)
{
    json_t *seconds = json_array();
    for (size_t i = 0; i < storm->tally.seconds; i++) {
        json_t *second = json_object();
        for (unsigned j = 0; j < STORM_CLASSES; j++) {
            if (is_planned(storm, (enum storm_class)j)) {
                json_object_set_new(second, storm_class_name((enum storm_class)j),
                                    instant_json(&storm->tally.second[i].class[j]));
            }
        }
        json_array_append_new(seconds, second);
    }
    return seconds;
}

static json_t *counts_json(const struct storm *storm)
{
    json_t *status = json_object();
    json_t *failed = json_object();
    for (unsigned i = 0; i < sizeof(storm->tally.status) / sizeof(storm->tally.status[0]); i++) {
        char name[16];
        snprintf(name, sizeof(name), "%u", i);
        if (storm->tally.status[i] > 0) {
            json_object_set_new(status, name, json_integer((json_int_t)storm->tally.status[i]));
        }
    }
    for (unsigned i = STORM_CAUSE_none + 1; i < STORM_CAUSES; i++) {
        if (storm->tally.cause[i] > 0) {
            json_object_set_new(failed, storm_cause_name((enum storm_cause)i),
                                json_integer((json_int_t)storm->tally.cause[i]));
        }
    }
    return json_pack("{s:o, s:o}", "status", status, "failed", failed);
}

static json_t *self_json(const struct storm *storm)
{
    const struct tally *tally = &storm->tally;
    return json_pack("{s:b, s:f, s:f, s:f, s:f, s:I, s:f, s:I, s:i}", "kept_up", tally_kept_up(tally),
                     "lag_p50_ms", ms(histogram_quantile_ns(&tally->lag, 0.5)), "lag_p99_ms",
                     ms(histogram_quantile_ns(&tally->lag, 0.99)), "lag_max_ms", ms(tally->lag.max_ns),
                     "wait_for_connection_p99_ms", ms(histogram_quantile_ns(&tally->queued, 0.99)), "unsent",
                     (json_int_t)tally->unsent, "cpu_share",
                     storm->ran_s > 0 ? storm->own_cpu_s / storm->ran_s : 0.0, "connections_opened",
                     (json_int_t)tally->connections, "under_way_max", (int)tally->in_flight_max);
}

json_t *report_json(const struct storm *storm)
{
    const struct storm_options *options = storm->options;
    json_t *object =
        json_pack("{s:s, s:f, s:b, s:I, s:I, s:I, s:I}", "target", options->target->authority, "seconds",
                  storm->ran_s, "stopped", storm->stopped, "seed", (json_int_t)options->seed, "accounts",
                  (json_int_t)storm->people->count, "sources", (json_int_t)options->sources, "connections",
                  (json_int_t)options->connections);
    json_t *counts = counts_json(storm);
    json_object_set_new(object, "prepared",
                        json_pack("{s:I, s:I, s:f}", "registered", (json_int_t)storm->registered, "logged_in",
                                  (json_int_t)storm->signed_in_now, "seconds", storm->prepare_s));
    json_object_set_new(object, "self", self_json(storm));
    json_object_set_new(object, "classes", totals_json(storm));
    json_object_update(object, counts);
    json_decref(counts);
    json_object_set_new(object, "phases", phases_json(storm));
    json_object_set_new(object, "by_second", seconds_json(storm));
    return object;
}

// ---- the table

static void time_cell(FILE *out, uint64_t ns)
{
    double value = ms(ns);
    fprintf(out, value < 10 ? "%10.2f" : value < 100 ? "%10.1f" : "%10.0f", value);
}

static void outcome_row(FILE *out, const char *class, const struct tally_cell *cell,
                        enum storm_outcome outcome)
{
    const struct histogram *times = &cell->times[outcome];
    uint64_t attempts = 0;
    for (unsigned i = 0; i < STORM_OUTCOMES; i++) {
        attempts += cell->times[i].count;
    }
    if (times->count == 0) {
        return;
    }
    fprintf(out, "%-9s %-8s %9llu %7.2f %%", class, storm_outcome_name(outcome),
            (unsigned long long)times->count, 100.0 * (double)times->count / (double)attempts);
    for (unsigned i = 0; i < QUANTILES; i++) {
        time_cell(out, histogram_quantile_ns(times, quantiles[i].share));
    }
    time_cell(out, times->max_ns);
    fputc('\n', out);
}

static void class_rows(FILE *out, const struct storm *storm)
{
    struct tally_cell *sum = malloc(sizeof(*sum));
    fprintf(out, "%-9s %-8s %9s %9s%10s%10s%10s%10s%10s\n", "", "", "count", "share", "p50 ms", "p90", "p99",
            "p99.9", "max");
    for (unsigned i = 0; sum != NULL && i < STORM_CLASSES; i++) {
        const char *name = storm_class_name((enum storm_class)i);
        tally_sum(&storm->tally, (enum storm_class)i, sum);
        for (unsigned j = 0; j < STORM_OUTCOMES; j++) {
            outcome_row(out, name, sum, (enum storm_outcome)j);
        }
        if (sum->retries > 0) {
            fprintf(out, "%-9s retried %10llu times; %llu of %llu were done so, %llu given up\n", name,
                    (unsigned long long)sum->retries, (unsigned long long)sum->delayed,
                    (unsigned long long)sum->offered, (unsigned long long)sum->given_up);
        }
    }
    free(sum);
}

static void phase_rows(FILE *out, const struct storm *storm)
{
    const struct plan *plan = storm->options->plan;
    fprintf(out, "\n%-15s %-9s%11s%11s%11s%11s%11s%11s\n", "seconds", "", "offered/s", "ok/s", "refused/s",
            "ok p99", "ref. p99", "failed");
    for (unsigned i = 0; i < plan->phases; i++) {
        double seconds = phase_seconds(storm, i);
        for (unsigned j = 0; j < STORM_CLASSES && seconds > 0; j++) {
            const struct tally_cell *cell = tally_at(&storm->tally, i, (enum storm_class)j);
            char range[32];
            snprintf(range, sizeof(range), "%.4g-%.4g", plan_phase_begin(plan, i), plan_phase_end(plan, i));
            if (cell->offered > 0) {
                fprintf(out, "%-15s %-9s%11.1f%11.1f%11.1f", range, storm_class_name((enum storm_class)j),
                        (double)cell->offered / seconds, (double)cell->times[STORM_ok].count / seconds,
                        (double)cell->times[STORM_refused].count / seconds);
                fputc(' ', out);
                time_cell(out, histogram_quantile_ns(&cell->times[STORM_ok], 0.99));
                fputc(' ', out);
                time_cell(out, histogram_quantile_ns(&cell->times[STORM_refused], 0.99));
                fprintf(
                    out, "%11llu\n",
                    (unsigned long long)(cell->times[STORM_failed].count + cell->times[STORM_wrong].count));
            }
        }
    }
}

static void own_lines(FILE *out, const struct storm *storm)
{
    const struct tally *tally = &storm->tally;
    double lag_ms = ms(histogram_quantile_ns(&tally->lag, 0.99));
    double cpu = storm->ran_s > 0 ? 100 * storm->own_cpu_s / storm->ran_s : 0;
    fprintf(out, "\n%llu connections opened, at most %u requests under way or waiting; ",
            (unsigned long long)tally->connections, tally->in_flight_max);
    if (tally_kept_up(tally)) {
        fprintf(out, "storm kept up (its own lag: p99 %.2f ms; %.0f %% of a processor).\n", lag_ms, cpu);
        return;
    }
    fprintf(out,
            "storm COULD NOT KEEP UP: it came to its requests late (p99 %.1f ms, worst %.0f ms; %.0f %% of a "
            "processor) and left %llu unsent. The times above are its own, too: ask for less, or give it a "
            "processor "
            "of its own.\n",
            lag_ms, ms(tally->lag.max_ns), cpu, (unsigned long long)tally->unsent);
}

void report_table(FILE *out, const struct storm *storm)
{
    const struct storm_options *options = storm->options;
    fprintf(out, "%.1f s against %s%s: %u accounts, %u source address%s, seed %llu%s\n\n", storm->ran_s,
            options->target->tls ? "https://" : "http://", options->target->authority, storm->people->count,
            options->sources, options->sources == 1 ? "" : "es", (unsigned long long)options->seed,
            storm->stopped ? "; stopped early" : "");
    class_rows(out, storm);
    for (unsigned i = STORM_CAUSE_none + 1; i < STORM_CAUSES; i++) {
        if (storm->tally.cause[i] > 0) {
            fprintf(out, "%llu failed: %s\n", (unsigned long long)storm->tally.cause[i],
                    storm_cause_text((enum storm_cause)i));
        }
    }
    if (options->plan->phases > 1) {
        phase_rows(out, storm);
    }
    own_lines(out, storm);
}
