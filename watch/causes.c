// SPDX-License-Identifier: ISC
// The table of causes and its tests. Runs in stayd-watch.
#include "watch/causes.h"

#include "watch/bounds.h"

#include <math.h>

// ---- under which conditions one cause explains another (causes.def) -------------------------------------

static bool always(const struct cause_link *link)
{
    (void)link;
    return true;
}

static const char *changed_keys(const struct scene *scene)
{
    const struct fact *change = scene->change;
    return change == NULL || change->kind == WIRE_EVENT_STARTED ? "" : change->text;
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

static bool its_key_was_changed(const struct cause_link *link)
{
    return touches(changed_keys(link->scene), link->other);
}

// Neither was its key changed, nor one that makes passwords take far longer, as they do.
static bool has_no_part_in_it(const struct cause_link *link)
{
    const char *keys = changed_keys(link->scene);
    const struct figure *hash = &link->scene->figure[FIGURE_hash_time];
    bool felt = touches(keys, CAUSE_hashing_saturated) && hash->now >= 2 * hash->before;
    return !touches(keys, link->cause) && !felt;
}

// A stayd-store that lives, and says that the database does not, is believed.
static bool store_does_not_say_so(const struct cause_link *link)
{
    return link->scene->down == NULL;
}

// Of the episode, not of the moment: a slow statement that nobody runs just now is as slow as it was.
static double risen(const struct cause_link *link, enum figure_id figure)
{
    const struct figure *now = &link->scene->figure[figure];
    return isnan(link->rise[figure]) ? now->now - now->before : link->rise[figure];
}

// A network that was seen to be bad before, while the database still answered, is why it seems gone.
static bool was_bad_before(const struct cause_link *link)
{
    return link->first_ms + WAY_BEFORE_MS <= link->other_first_ms;
}

static bool was_not_bad_before(const struct cause_link *link)
{
    return !(link->other_first_ms + WAY_BEFORE_MS <= link->first_ms);
}

// A statement goes there and back once or a few times. A long way makes it slow; one that burns the
// database's processors makes the way a little longer, as whoever needs one waits; so do others who take
// them, and that makes each statement as much longer, too.
static bool it_is_the_way(const struct cause_link *link)
{
    return risen(link, FIGURE_statement) <= WAY_TIMES * risen(link, FIGURE_way);
}

// The same of a slow disk, which a statement waits for once or a few times.
static bool it_is_the_disk(const struct cause_link *link)
{
    return risen(link, FIGURE_statement) <= WAY_TIMES * risen(link, FIGURE_sync);
}

static bool it_is_not_the_disk(const struct cause_link *link)
{
    return !it_is_the_disk(link);
}

static bool it_takes_the_processors(const struct cause_link *link)
{
    return !it_is_the_way(link) && risen(link, FIGURE_way) <= CPU_DELAYS_MS;
}

static bool it_waits_for_a_processor(const struct cause_link *link)
{
    return risen(link, FIGURE_statement) <= CPU_DELAYS_MS &&
           link->scene->others_more >= CPU_OTHERS_TIMES * link->scene->at_work;
}

// Once the database's own use is known, and left out, what others take is not the statement's.
static bool it_takes_them(const struct cause_link *link)
{
    return !it_waits_for_a_processor(link) && link->scene->program == NULL;
}

static bool disk_waits_for_a_processor(const struct cause_link *link)
{
    return risen(link, FIGURE_sync) <= CPU_DELAYS_MS;
}

// Processors that are a little short do not make a database many times slower.
static bool is_strong_enough(const struct cause_link *link)
{
    return CPU_EXPLAINS_TIMES * link->weight >= link->other_weight;
}

// Who needs a processor waits for it as long as others use it up, here as in the database.
static bool way_waits_for_a_processor(const struct cause_link *link)
{
    return !(risen(link, FIGURE_way) > CPU_DELAYS_MS) || is_strong_enough(link);
}

// ---- the table ------------------------------------------------------------------------------------------

#define SURE                                FIGURE_COUNT
#define BY(figure_)                         FIGURE_##figure_
#define EXPLAINS(cause_)                    [CAUSE_##cause_] = always,
#define EXPLAINS_IF(cause_, condition_)     [CAUSE_##cause_] = condition_,
#define NEED(figure_, test_, bound_, text_) {text_, FIGURE_##figure_, TEST_##test_, bound_},

const struct cause_row cause_rows[CAUSE_unknown] = {
#define CAUSE(id_, title_, weight_, explains_, needs_)                                                       \
    [CAUSE_##id_] = {#id_, title_, weight_, {explains_}, {needs_}},
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

bool cause_explains(const struct cause_link *link)
{
    cause_condition *holds = cause_rows[link->cause].explains[link->other];
    return holds != NULL && holds(link);
}
