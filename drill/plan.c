// SPDX-License-Identifier: ISC
// Reads what is planned into pieces. Runs in stayctl storm.
// Invariants: 1. pieces follow each other without a gap, from 0 to `seconds`; 2. every rate is finite and not
// negative; 3. a spike begins and ends a piece, so that a piece is what a person calls a phase.
#include "drill/plan.h"

#include <math.h>
#include <stdarg.h>

struct spike {
    double begin_s, end_s;
    double factor; // or, when 0:
    double rate;   // in all (or of the class)
    bool one_class;
    enum storm_class class;
};

struct making {
    struct plan *plan;
    double share[STORM_CLASSES]; // of the rate; they sum to 1
    double base[PLAN_STEPS_MAX + 1];
    unsigned bases; // 1: constant; more: steps
    double ramp_end;
    bool ramp;
    struct spike spike[PLAN_SPIKES_MAX];
    unsigned spikes;
};

static const char *const class_name[STORM_CLASSES] = {
#define X(id, deadline_ms) [STORM_##id] = #id,
    STORM_CLASSES_TABLE(X)
#undef X
};

const char *storm_class_name(enum storm_class class)
{
    return class_name[class];
}

bool storm_class_find(struct view name, enum storm_class *class)
{
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        if (view_equal(name, view_of_cstr(class_name[i]))) {
            *class = (enum storm_class)i;
            return true;
        }
    }
    return false;
}

[[gnu::format(printf, 2, 3)]] static bool problem(struct making *making, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(making->plan->problem, sizeof(making->plan->problem), format, list);
    va_end(list);
    return false;
}

bool plan_read_number(struct view text, double *number)
{
    struct view fraction = text;
    struct view whole = view_cut(&fraction, '.');
    uint64_t units = 0;
    uint64_t parts = 0;
    bool has_fraction = whole.size < text.size;
    if (!view_to_u64(whole, &units) || units > 1000000000000ull ||
        (has_fraction && (fraction.size > 9 || !view_to_u64(fraction, &parts)))) {
        return false;
    }
    *number = (double)units + (has_fraction ? (double)parts / pow(10, (double)fraction.size) : 0);
    return true;
}

bool plan_read_duration(struct view text, double *seconds)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};
    double factor = 1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct view unit = view_of_cstr(units[i].unit);
        if (text.size > unit.size && view_equal(view_from(text, text.size - unit.size), unit)) {
            text = view_first(text, text.size - unit.size);
            factor = units[i].seconds;
            break;
        }
    }
    double number;
    if (!plan_read_number(text, &number) || number * factor > PLAN_SECONDS_MAX) {
        return false;
    }
    *seconds = number * factor;
    return true;
}

static bool read_rate(struct view text, double *rate)
{
    return plan_read_number(text, rate) && *rate <= PLAN_RATE_MAX;
}

// Returns the sum of what stands in the mix; 0 when it is wrong.
static double read_mix(struct making *making, const char *mix)
{
    struct view rest = view_of_cstr(mix);
    double sum = 0;
    while (rest.size > 0) {
        struct view value = view_cut(&rest, ',');
        struct view name = view_trim(view_cut(&value, '='));
        enum storm_class class;
        double share;
        if (!storm_class_find(name, &class) || !read_rate(view_trim(value), &share)) {
            problem(
                making,
                "The mix is a list like check=90,login=10 of check, login, change and register: \"%.60s\".",
                mix);
            return 0;
        }
        sum += share - making->share[class];
        making->share[class] = share;
    }
    if (sum <= 0) {
        problem(making, "The mix asks for nothing: \"%.60s\".", mix);
        return 0;
    }
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        making->share[i] /= sum;
    }
    return sum;
}

static bool read_steps(struct making *making, const char *steps)
{
    struct view rest = view_of_cstr(steps);
    while (rest.size > 0) {
        if (making->bases == PLAN_STEPS_MAX) {
            return problem(making, "There are more than %d steps.", PLAN_STEPS_MAX);
        }
        if (!read_rate(view_trim(view_cut(&rest, ',')), &making->base[making->bases++])) {
            return problem(making, "Steps are rates like 100,200,400: \"%.60s\".", steps);
        }
    }
    return making->bases > 0 || problem(making, "There are no steps.");
}

static bool read_ramp(struct making *making, const char *ramp)
{
    struct view to = view_of_cstr(ramp);
    struct view from = view_cut(&to, '-');
    making->ramp = true;
    making->bases = 1;
    return (read_rate(from, &making->base[0]) && read_rate(to, &making->ramp_end)) ||
           problem(making, "A ramp is two rates like 100-1000: \"%.60s\".", ramp);
}

static bool read_base(struct making *making, const struct plan_texts *texts, double mix_sum)
{
    int shapes = (texts->rate != NULL) + (texts->steps != NULL) + (texts->ramp != NULL);
    if (shapes > 1) {
        return problem(making, "The rate, steps and a ramp exclude each other.");
    }
    if (texts->steps != NULL) {
        return read_steps(making, texts->steps);
    }
    if (texts->ramp != NULL) {
        return read_ramp(making, texts->ramp);
    }
    making->bases = 1;
    making->base[0] = texts->mix != NULL ? mix_sum : 100;
    return (texts->rate == NULL || read_rate(view_of_cstr(texts->rate), &making->base[0])) ||
           problem(making, "The rate is a number of requests a second, at most %d: \"%.60s\".", PLAN_RATE_MAX,
                   texts->rate);
}

static bool read_spike(struct making *making, struct view text)
{
    struct spike *spike = &making->spike[making->spikes];
    size_t colon = view_index(text, ':');
    struct view rest = colon < text.size ? view_from(text, colon + 1) : text;
    struct view much = view_cut(&rest, '@');
    struct view from = view_cut(&rest, '+');
    *spike = (struct spike){.one_class = colon < text.size};
    bool factor = view_starts_with(much, VIEW("x"));
    if ((spike->one_class && !storm_class_find(view_first(text, colon), &spike->class)) ||
        !read_rate(view_from(much, factor ? 1 : 0), factor ? &spike->factor : &spike->rate) ||
        !plan_read_duration(from, &spike->begin_s) || !plan_read_duration(rest, &spike->end_s)) {
        return false;
    }
    spike->end_s += spike->begin_s;
    making->spikes++;
    return !factor || spike->factor > 0;
}

static bool read_spikes(struct making *making, const char *spikes)
{
    struct view rest = view_of_cstr(spikes);
    while (rest.size > 0) {
        if (making->spikes == PLAN_SPIKES_MAX) {
            return problem(making, "There are more than %d spikes.", PLAN_SPIKES_MAX);
        }
        if (!read_spike(making, view_trim(view_cut(&rest, ',')))) {
            return problem(making,
                           "A spike is x10@20s+5s, 5000@20s+5s or login:x10@20s+5s (how much, from when, for "
                           "how long): \"%.60s\".",
                           spikes);
        }
    }
    return true;
}

// The rate in all at a time, but for spikes; steps are looked up at the middle of a piece.
static double base_at(const struct making *making, double at_s)
{
    double part = at_s / making->plan->seconds;
    if (making->ramp) {
        return making->base[0] + (making->ramp_end - making->base[0]) * part;
    }
    unsigned step = (unsigned)(part * making->bases);
    return making->base[step < making->bases ? step : making->bases - 1];
}

static double with_spikes(const struct making *making, enum storm_class class, double middle_s, double base)
{
    double rate = base * making->share[class];
    for (unsigned i = 0; i < making->spikes; i++) {
        const struct spike *spike = &making->spike[i];
        if (middle_s < spike->begin_s || middle_s >= spike->end_s ||
            (spike->one_class && spike->class != class)) {
            continue;
        }
        rate = spike->factor > 0  ? rate * spike->factor
               : spike->one_class ? spike->rate
                                  : spike->rate * making->share[class];
    }
    return rate < PLAN_RATE_MAX ? rate : PLAN_RATE_MAX;
}

static void add_piece(struct making *making, double begin_s, double end_s)
{
    struct plan_piece *piece = &making->plan->piece[making->plan->pieces++];
    double middle_s = (begin_s + end_s) / 2;
    piece->begin_s = begin_s;
    piece->end_s = end_s;
    for (unsigned i = 0; i < STORM_CLASSES; i++) {
        double begin = base_at(making, making->ramp ? begin_s : middle_s);
        double end = base_at(making, making->ramp ? end_s : middle_s);
        piece->rate[i].begin = with_spikes(making, (enum storm_class)i, middle_s, begin);
        piece->rate[i].end = with_spikes(making, (enum storm_class)i, middle_s, end);
    }
}

// The next time after `after_s` at which the plan bends.
static double next_bend(const struct making *making, double after_s)
{
    double seconds = making->plan->seconds;
    double next = seconds;
    const double least = after_s + 1e-6;
    for (unsigned i = 1; i < making->bases; i++) {
        double at = seconds * i / making->bases;
        next = at >= least && at < next ? at : next;
    }
    for (unsigned i = 0; i < making->spikes; i++) {
        double begin = making->spike[i].begin_s;
        double end = making->spike[i].end_s;
        next = begin >= least && begin < next ? begin : next;
        next = end >= least && end < next ? end : next;
    }
    return next;
}

bool plan_make(struct plan *plan, const struct plan_texts *texts)
{
    struct making making = {.plan = plan};
    *plan = (struct plan){.seconds = 10};
    if (texts->duration != NULL &&
        (!plan_read_duration(view_of_cstr(texts->duration), &plan->seconds) || plan->seconds <= 0)) {
        return problem(&making, "The duration is a time like 30s, 5m or 250ms: \"%.60s\".", texts->duration);
    }
    double sum = read_mix(&making, texts->mix != NULL ? texts->mix : "check=90,login=10");
    if (sum <= 0 || !read_base(&making, texts, sum) ||
        (texts->spike != NULL && !read_spikes(&making, texts->spike))) {
        return false;
    }
    // At most steps + two bends a spike: they fit.
    for (double at = 0; at < plan->seconds && plan->pieces < PLAN_PIECES_MAX;) {
        double next = next_bend(&making, at);
        add_piece(&making, at, next);
        at = next;
    }
    plan_make_phases(plan);
    return true;
}

void plan_make_phases(struct plan *plan)
{
    plan->phases = plan->pieces < PLAN_PHASES_MAX ? plan->pieces : PLAN_PHASES_MAX;
    for (unsigned i = 0; i <= plan->phases; i++) {
        plan->phase_first[i] = (uint16_t)(plan->phases == 0 ? 0 : i * plan->pieces / plan->phases);
    }
}

unsigned plan_piece_at(const struct plan *plan, double at_s)
{
    unsigned first = 0;
    for (unsigned last = plan->pieces - 1; first < last;) {
        unsigned middle = (first + last) / 2;
        if (at_s >= plan->piece[middle].end_s) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first;
}

unsigned plan_phase_at(const struct plan *plan, double at_s)
{
    unsigned piece = plan_piece_at(plan, at_s);
    unsigned phase = 0;
    while (phase + 1 < plan->phases && piece >= plan->phase_first[phase + 1]) {
        phase++;
    }
    return phase;
}

double plan_phase_begin(const struct plan *plan, unsigned phase)
{
    return plan->piece[plan->phase_first[phase]].begin_s;
}

double plan_phase_end(const struct plan *plan, unsigned phase)
{
    return plan->piece[plan->phase_first[phase + 1] - 1].end_s;
}

static double rate_in(const struct plan_piece *piece, enum storm_class class, double at_s)
{
    const struct plan_rates *rate = &piece->rate[class];
    double length = piece->end_s - piece->begin_s;
    return rate->begin + (rate->end - rate->begin) * (at_s - piece->begin_s) / length;
}

double plan_rate(const struct plan *plan, enum storm_class class, double at_s)
{
    return at_s >= plan->seconds ? 0 : rate_in(&plan->piece[plan_piece_at(plan, at_s)], class, at_s);
}

double plan_count(const struct plan *plan, enum storm_class class)
{
    double count = 0;
    for (unsigned i = 0; i < plan->pieces; i++) {
        const struct plan_piece *piece = &plan->piece[i];
        count += (piece->rate[class].begin + piece->rate[class].end) / 2 * (piece->end_s - piece->begin_s);
    }
    return count;
}

uint64_t storm_random(uint64_t *state)
{
    uint64_t mixed = *state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

double storm_random_share(uint64_t *state)
{
    return (double)(storm_random(state) >> 11) * 0x1p-53;
}

void schedule_init(struct schedule *schedule, const struct plan *plan, enum storm_class class, bool uniform,
                   uint64_t seed)
{
    *schedule = (struct schedule){.plan = plan,
                                  .class = class,
                                  .uniform = uniform,
                                  .random = seed + 0x632be59bd9b4e019u * ((uint64_t) class + 1)};
}

bool schedule_next(struct schedule *schedule, uint64_t *at_ns)
{
    double owed = schedule->uniform ? 1 : -log1p(-storm_random_share(&schedule->random));
    for (; schedule->piece < schedule->plan->pieces; schedule->piece++) {
        const struct plan_piece *piece = &schedule->plan->piece[schedule->piece];
        double left_s = piece->end_s - schedule->at_s;
        double here = rate_in(piece, schedule->class, schedule->at_s);
        double there = piece->rate[schedule->class].end;
        double area = (here + there) / 2 * left_s;
        if (area > owed) {
            // here x + slope x²/2 = owed, in the form that stays exact when the slope is 0.
            double slope = (there - here) / left_s;
            double root = here * here + 2 * slope * owed;
            schedule->at_s += 2 * owed / (here + sqrt(root > 0 ? root : 0));
            *at_ns = (uint64_t)(schedule->at_s * 1e9);
            return true;
        }
        owed -= area;
        schedule->at_s = piece->end_s;
    }
    return false;
}
