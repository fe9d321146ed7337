// SPDX-License-Identifier: ISC
// The table of causes and its tests. Runs in stayd-watch.
#include "watch/causes.h"

#include "watch/bounds.h"

#include <math.h>

#define SURE                                FIGURE_COUNT
#define BY(figure_)                         FIGURE_##figure_
#define EXPLAINS(cause_)                    | UINT32_C(1) << CAUSE_##cause_
#define NEED(figure_, test_, bound_, text_) {text_, FIGURE_##figure_, TEST_##test_, bound_},

const struct cause_row cause_rows[CAUSE_unknown] = {
#define CAUSE(id_, title_, weight_, explains_, needs_)                                                       \
    [CAUSE_##id_] = {#id_, title_, weight_, 0 explains_, {needs_}},
#include "watch/causes.def"
#undef CAUSE
};

const char *cause_id(enum cause cause)
{
    return cause < CAUSE_unknown ? cause_rows[cause].id : "unknown";
}

const char *cause_title(enum cause cause)
{
    return cause < CAUSE_unknown ? cause_rows[cause].title : "a cause that is not known";
}

bool need_holds(const struct cause_need *need, const struct scene *scene)
{
    const struct figure *figure = &scene->figure[need->figure];
    switch (need->test) {
    case TEST_AT_LEAST:
        return figure->now >= need->bound;
    case TEST_AT_MOST:
        return !(figure->now > need->bound); // what is not known excludes nothing
    case TEST_BELOW:
        return figure->now < need->bound;
    case TEST_TIMES:
        return figure->now >= need->bound * figure->before && figure->now > 0;
    case TEST_TIMES_AT_MOST:
        return !(figure->now > need->bound * figure->before);
    case TEST_RISE:
    default:
        return figure->now - figure->before >= need->bound;
    }
}

const struct cause_need *cause_fails(enum cause cause, const struct scene *scene)
{
    for (const struct cause_need *need = cause_rows[cause].need; need->text != NULL; need++) {
        if (!need_holds(need, scene)) {
            return need;
        }
    }
    return NULL;
}

double cause_weight(enum cause cause, const struct scene *scene)
{
    enum figure_id id = cause_rows[cause].weight;
    if (id == FIGURE_COUNT) {
        return SURE_WEIGHT;
    }
    const struct figure *figure = &scene->figure[id];
    double factor = figure->now / fmax(figure->before, 0.01);
    return isnan(factor) || factor <= 1 ? 0 : fmin(log(factor), 2 * SURE_WEIGHT);
}

// A change of ours is the reason of what it touched.
static bool touches(const char *keys, enum cause other)
{
    static const struct {
        enum cause cause;
        const char *key;
    } touched[] = {
        {CAUSE_pool_small, "database_connections"}, {CAUSE_pool_small, "database_pooler"},
        {CAUSE_hashing_saturated, "hash_workers"},  {CAUSE_hashing_saturated, "password_memory"},
        {CAUSE_hashing_saturated, "password_time"}, {CAUSE_cache_small, "sessions_max"},
        {CAUSE_database_down, "database"},          {CAUSE_database_slow, "database"},
    };
    for (size_t i = 0; i < sizeof touched / sizeof touched[0]; i++) {
        if (touched[i].cause == other && strstr(keys, touched[i].key) != NULL) {
            return true;
        }
    }
    return false;
}

// Passwords take far longer, as they would by it.
static bool is_felt(const struct scene *scene)
{
    const struct figure *hash = &scene->figure[FIGURE_hash_time];
    return touches(scene->change->text, CAUSE_hashing_saturated) && hash->now >= 2 * hash->before;
}

static double risen(const struct scene *scene, enum figure_id figure)
{
    return scene->figure[figure].now - scene->figure[figure].before;
}

// A statement goes there and back once or a few times. A long way makes it slow; one that burns the
// database's processors makes the way a little longer, as whoever needs one waits; so do others who take
// them, and that makes each statement as much longer, too.
static bool is_the_way(const struct scene *scene)
{
    return risen(scene, FIGURE_statement) <= WAY_TIMES * risen(scene, FIGURE_way);
}

// What the processors have to do with a statement, with the way, and with who waits for a disk.
static bool by_processors(enum cause cause, enum cause other, const struct scene *scene)
{
    bool little = risen(scene, FIGURE_statement) <= CPU_DELAYS_MS &&
                  scene->others_more >= CPU_OTHERS_TIMES * scene->at_work;
    if (cause == CAUSE_database_network && other == CAUSE_slow_statement) {
        return is_the_way(scene);
    }
    if (cause == CAUSE_slow_statement && other == CAUSE_database_network) {
        return !is_the_way(scene) && risen(scene, FIGURE_way) <= CPU_DELAYS_MS;
    }
    if (cause == CAUSE_cpu_taken && other == CAUSE_slow_statement) {
        return little;
    }
    if (cause == CAUSE_cpu_taken && other == CAUSE_disk_slow) {
        return risen(scene, FIGURE_sync) <= CPU_DELAYS_MS;
    }
    return cause != CAUSE_slow_statement || other != CAUSE_cpu_taken || !little;
}

bool cause_explains(enum cause cause, enum cause other, const struct scene *scene)
{
    bool keyed = scene->change != NULL && scene->change->kind != WIRE_EVENT_STARTED;
    if (cause == CAUSE_own_change) {
        return keyed && touches(scene->change->text, other);
    }
    if (other == CAUSE_own_change && keyed && (touches(scene->change->text, cause) || is_felt(scene))) {
        return false;
    }
    if (cause == CAUSE_process_crashing && other == CAUSE_database_down && scene->down != NULL) {
        return false; // stayd-store lives, and says that the database does not
    }
    return (cause_rows[cause].explains >> other & 1) != 0 && by_processors(cause, other, scene);
}
