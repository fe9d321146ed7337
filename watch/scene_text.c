// SPDX-License-Identifier: ISC
// Figures in words. Runs in stayd-watch.
#include "watch/scene.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void scene_mend(char *text)
{
    size_t size = strlen(text);
    while (size > 0 && !view_is_utf8(view_of(text, size))) {
        text[--size] = '\0';
    }
}

[[gnu::format(printf, 2, 3)]] static void name(char (*out)[SCENE_NAME_SIZE], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(*out, sizeof(*out), format, list);
    scene_mend(*out);
    va_end(list);
}

// "2 h", "45 s", "120 ms"
static void duration(double ms, char *out, size_t out_size)
{
    double s = ms / 1000;
    if (s >= 7200) {
        snprintf(out, out_size, "%.0f h", s / 3600);
    } else if (s >= 120) {
        snprintf(out, out_size, "%.0f min", s / 60);
    } else if (s >= 1) {
        snprintf(out, out_size, s >= 10 ? "%.0f s" : "%.1f s", s);
    } else {
        snprintf(out, out_size, ms >= 10 ? "%.0f ms" : ms >= 1 ? "%.1f ms" : "%.2f ms", ms);
    }
}

void scene_number(double value, const char *unit, char *out, size_t out_size)
{
    bool per_second = unit[0] == '/', bare = unit[0] == '\0' || unit[0] == '/';
    if (isnan(value)) {
        snprintf(out, out_size, "–");
    } else if (unit[0] == 'm' && unit[1] == 's') {
        duration(value, out, out_size);
    } else if (unit[0] == 's' && unit[1] == '\0') {
        duration(value * 1000, out, out_size);
    } else {
        int digits = fabs(value) >= 10 || fabs(value - round(value)) < 0.05 ? 0 : 1;
        bool times = strcmp(unit, "×") == 0;
        snprintf(out, out_size, "%.*f%s%s", digits, value, bare || times ? "" : " ",
                 per_second || !(bare || times) ? unit : "");
    }
}

static void process_text(const struct series_process *process, char (*out)[SCENE_NAME_SIZE])
{
    if (process->role == STATS_ROLE_front) {
        name(out, "%s %u", stats_role_name(process->role), process->index);
    } else {
        name(out, "%s", stats_role_name(process->role));
    }
}

static void name_death(struct scene *scene)
{
    const struct fact *fact = scene->death;
    unsigned count = (unsigned)scene->figure[FIGURE_deaths].now;
    bool request = fact->name[0] != '\0' && strcmp(fact->name, "none") != 0;
    name(&scene->text_died, "%s died%s%s%s%s%s", stats_role_name(fact->role),
         fact->a == WIRE_EVENT_CRASHED ? " by a signal" : "",
         request ? ", while it worked on a request of kind " : "", request ? fact->name : "",
         count > 1 ? ", not the only one: " : "", "");
    if (count > 1) {
        size_t used = strlen(scene->text_died);
        snprintf(scene->text_died + used, sizeof(scene->text_died) - used, "%u deaths since", count);
    }
}

static void name_lock(struct scene *scene)
{
    const struct fact *fact = scene->lock;
    if (fact != NULL) {
        char held[32];
        duration((double)fact->a, held, sizeof(held));
        name(&scene->text_lock, "a lock on %s is held by backend %llu for %s",
             fact->name[0] == '\0' ? "a relation" : fact->name, (unsigned long long)fact->b, held);
    } else {
        name(&scene->text_lock, "%.0f of stayd's sessions wait for a lock in the database",
             fmax(1, scene->figure[FIGURE_locked].now));
    }
}

static void name_change(struct scene *scene)
{
    const struct fact *fact = scene->change;
    char ago[32];
    double before_ms =
        fact->mono_ms < scene->detected->onset_ms ? (double)(scene->detected->onset_ms - fact->mono_ms) : 0;
    duration(before_ms, ago, sizeof(ago));
    if (fact->kind == WIRE_EVENT_STARTED) {
        name(&scene->text_change, "stayd %.40s was started %s before", fact->text, ago);
    } else {
        name(&scene->text_change, "the configuration was changed %s before (%.80s)", ago, fact->text);
    }
}

static void name_program(struct scene *scene)
{
    const struct fact *fact = scene->program;
    if (fact == NULL) {
        name(&scene->text_program, "not known");
    } else {
        name(&scene->text_program, "%.40s with %.1f processors (%s%sprocess %llu)", fact->name,
             (double)fact->a / 1000, fact->text, fact->text[0] == '\0' ? "" : ", mostly ",
             (unsigned long long)fact->b);
    }
}

void scene_name(struct scene *scene)
{
    char space[32] = "–";
    double bytes = series_value(scene->series, SIGNAL_disk_free, (struct window){2000, 0});
    name(&scene->text_operation, "%s",
         scene->operation < 0 ? "no statement" : series_operation_name((unsigned)scene->operation));
    if (scene->process_hung >= 0) {
        struct series_process process = series_process(scene->series, (unsigned)scene->process_hung);
        process_text(&process, &scene->text_hung);
    } else {
        name(&scene->text_hung, "a process");
    }
    if (scene->death != NULL) {
        name_death(scene);
    }
    if (scene->change != NULL) {
        name_change(scene);
    }
    name_lock(scene);
    name_program(scene);
    name(&scene->text_host, "%.80s", scene->moved == NULL ? "" : scene->moved->name);
    if (!isnan(bytes)) {
        snprintf(space, sizeof(space), bytes >= 1e9 ? "%.1f GB" : "%.1f MB",
                 bytes >= 1e9 ? bytes / 1e9 : bytes / 1e6);
    }
    name(&scene->text_free, "%s", space);
}

// ---- templates -------------------------------------------------------------------------------------------

// "as before (60/s)", "60/s before", or that nothing is known of before.
static void was(const struct figure *figure, const char *unit, char *out, size_t out_size)
{
    char before[48];
    scene_number(figure->before, unit, before, sizeof(before));
    double change = figure->now / figure->before;
    if (isnan(figure->before)) {
        snprintf(out, out_size, "not known from before");
    } else if ((change > 0.8 && change < 1.25) || figure->now == figure->before) {
        snprintf(out, out_size, "as before (%s)", before);
    } else {
        snprintf(out, out_size, "%s before", before);
    }
}

static const char *word(const struct scene *scene, struct view key)
{
    const struct {
        const char *key, *text;
    } words[] = {
        {"operation", scene->text_operation}, {"leak", scene->text_leak},
        {"hung", scene->text_hung},           {"died", scene->text_died},
        {"lock", scene->text_lock},           {"host", scene->text_host},
        {"free", scene->text_free},           {"change", scene->text_change},
        {"program", scene->text_program},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (view_equal(key, view_of_cstr(words[i].key))) {
            return words[i].text;
        }
    }
    return NULL;
}

static void fill(const struct scene *scene, struct view key, enum figure_id id, char *out, size_t out_size)
{
    const struct figure *figure = &scene->figure[id];
    const char *unit = figure_unit(id), *text = word(scene, key);
    if (text != NULL) {
        snprintf(out, out_size, "%s", text);
    } else if (view_equal(key, VIEW("now"))) {
        scene_number(figure->now, unit, out, out_size);
    } else if (view_equal(key, VIEW("before"))) {
        scene_number(figure->before, unit, out, out_size);
    } else {
        was(figure, unit, out, out_size);
    }
}

void scene_text(const struct scene *scene, const char *text, enum figure_id figure, bool holds, char *out,
                size_t out_size)
{
    struct view rest = view_of_cstr(text), first = view_cut(&rest, '|');
    struct view half = holds || rest.size == 0 ? first : rest;
    size_t used = 0;
    while (half.size > 0 && used + 1 < out_size) {
        struct view plain = view_cut(&half, '{'), key = {0};
        int wrote = snprintf(out + used, out_size - used, "%.*s", (int)plain.size, (const char *)plain.data);
        used += (size_t)wrote < out_size - used ? (size_t)wrote : out_size - used - 1;
        if (half.size > 0) {
            key = view_cut(&half, '}');
            fill(scene, key, figure, out + used, out_size - used);
            used += strlen(out + used);
        }
    }
    out[used < out_size ? used : out_size - 1] = '\0';
    scene_mend(out);
}
