// SPDX-License-Identifier: ISC
// Asks watch for its verdict, see verdict_watch.h. Runs in stayctl drill.
//
// The times are stayd's own (detected_unix_ms, diagnosed_unix_ms) where they can be true: not before the
// fault, not after they were seen here, and not longer ago than asking takes. Else the time of seeing counts,
// so that a clock that is wrong makes stayd look slower, never faster.
#include "drill/verdict_watch.h"

#include "drill/ask.h"
#include "drill/program.h"

enum { ASK_MS = 100, ANSWER_SIZE = 1 << 17, BELIEVED_MS = 400 };

void verdict_watch_init(struct verdict_watch *watch, const char *socket)
{
    *watch = (struct verdict_watch){.socket = socket, .since_ms = UINT64_MAX};
}

void verdict_watch_release(struct verdict_watch *watch)
{
    json_decref(watch->last);
    watch->last = NULL;
}

void verdict_watch_begin(struct verdict_watch *watch, uint64_t wall_ms, const char *const *expected)
{
    watch->since_ms = wall_ms;
    watch->expected = expected;
}

static uint64_t own_time(const struct verdict_watch *watch, const json_t *verdict, const char *key,
                         uint64_t seen_ms)
{
    const json_t *value = json_object_get(verdict, key);
    double own = json_is_number(value) ? json_number_value(value) : -1;
    bool sound =
        own >= (double)watch->since_ms && own <= (double)seen_ms && own + BELIEVED_MS >= (double)seen_ms;
    return sound ? (uint64_t)own : seen_ms;
}

// One of the alternatives of what is looked for?
static bool is_one_of(const char *cause, const char *expected)
{
    struct view rest = view_of_cstr(expected);
    while (rest.size > 0) {
        if (view_equal(view_cut(&rest, '|'), view_of_cstr(cause))) {
            return true;
        }
    }
    return false;
}

// The first cause has to be one that is looked for, and all that are looked for have to be among them.
static bool is_right(const struct verdict_watch *watch, const struct verdict_seen *seen)
{
    bool first = false;
    for (const char *const *one = watch->expected; one != NULL && *one != NULL; one++) {
        bool named = false;
        for (unsigned i = 0; i < seen->causes; i++) {
            named |= is_one_of(seen->cause[i], *one);
        }
        first |= seen->causes > 0 && is_one_of(seen->cause[0], *one);
        if (!named) {
            return false;
        }
    }
    return first;
}

static void take_causes(const json_t *verdict, struct verdict_seen *seen)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(verdict, "causes"), i, one)
    {
        const char *name = json_string_value(json_object_get(one, "cause"));
        if (name != NULL && seen->causes < VERDICT_CAUSES_MAX) {
            snprintf(seen->cause[seen->causes++], VERDICT_CAUSE_SIZE, "%s", name);
        }
    }
}

static void take_incident(struct verdict_watch *watch, const json_t *verdict)
{
    const json_t *incident = json_object_get(verdict, "incident");
    if (json_is_string(incident)) {
        snprintf(watch->incident, sizeof(watch->incident), "%s", json_string_value(incident));
    } else if (json_is_integer(incident)) {
        snprintf(watch->incident, sizeof(watch->incident), "%lld", (long long)json_integer_value(incident));
    }
}

void verdict_watch_take(struct verdict_watch *watch, const char *text, uint64_t wall_ms)
{
    json_t *verdict = json_loads(text, 0, NULL);
    const char *state = json_string_value(json_object_get(verdict, "state"));
    if (state == NULL) {
        json_decref(verdict);
        return;
    }
    watch->answered++;
    bool well = strcmp(state, "healthy") == 0;
    if (well && watch->detected_ms != 0 && strcmp(watch->state, "healthy") != 0) {
        watch->well_ms = wall_ms;
    }
    snprintf(watch->state, sizeof(watch->state), "%s", state);
    struct verdict_seen seen = {0};
    take_causes(verdict, &seen);
    if (!well && wall_ms >= watch->since_ms) {
        take_incident(watch, verdict);
        if (watch->detected_ms == 0) {
            watch->detected_ms = own_time(watch, verdict, "detected_unix_ms", wall_ms);
        }
        if (seen.causes > 0) {
            seen.at_ms = own_time(watch, verdict, "diagnosed_unix_ms", wall_ms);
            watch->first = watch->first.at_ms == 0 ? seen : watch->first;
            bool right = is_right(watch, &seen);
            bool better = right || watch->right.at_ms == 0;
            watch->right = right && watch->right.at_ms == 0 ? seen : watch->right;
            if (better) {
                json_decref(watch->last);
                watch->last = json_incref(verdict);
            }
        }
    }
    json_decref(verdict);
}

void verdict_watch_ask(struct verdict_watch *watch)
{
    static char answer[ANSWER_SIZE];
    const struct ask ask = {.socket = watch->socket, .path = "/why.json", .timeout_ms = ASK_MS};
    watch->asked++;
    if (ask_get(&ask, answer, sizeof(answer)) == 200) {
        verdict_watch_take(watch, answer, program_wall_ms());
    }
}
