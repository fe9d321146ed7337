// SPDX-License-Identifier: ISC
// What of the database is worth an event. Runs in stayd-store on the event loop.
// 1. What began with an event ends with one, or fades: a lock that was said to be held is said to be gone.
// 2. The same is said again at growing distances, never every tick.
#include "store/eyes.h"

#include <stdio.h>

#define SLOW_TIMES    4u
#define SLOW_US       5000u
#define SLOW_GOOD_US  10000u // more, with a good plan
#define QUICK_TIMES   3u
#define QUICK_US      4000u
#define STUCK_TIMES   8u // one that is under way
#define STUCK_US      50000u
#define UNKNOWN_US    100000u // of an operation that was not seen when all is well
#define KNOWN_RUNS    5u
#define RECENT_RUNS   3u
#define BELIEVED_MS   1000u   // slow with a good plan
#define NEW_NORMAL_MS 300000u // after so long this is how it is
#define SAY_AGAIN_MS  5000u
#define LOCK_AGAIN_MS 4000u // at most: what was said of a lock is believed for five seconds
#define LOCK_SAID_MS  200u
#define CANCEL_SAY_MS 1000u
#define DISK_SAY_MS   10000u
#define SHRUNK_TICKS  2u
#define WHOLE_TICKS   10u
#define UNUSED_TICKS  30u
#define START_MS      2000u // away since the start
#define LOOK_MIN_MS   300u
#define SETTLED_MS    1000u

void eyes_init(struct eyes *eyes, eyes_say *say, void *owner)
{
    *eyes = (struct eyes){.say = say, .owner = owner};
}

static const char *name_of(unsigned operation)
{
    return store_operation_find((uint16_t)(WIRE_MESSAGE_store_account_by_name + operation))->name;
}

static bool is_background(unsigned operation)
{
    return store_operation_find((uint16_t)(WIRE_MESSAGE_store_account_by_name + operation))->class ==
           STORE_BACKGROUND;
}

#define SAY(eyes_, kind_, ...)                                                                               \
    (eyes_)->say((eyes_)->owner, &(struct wire_event){.kind = WIRE_EVENT_##kind_, __VA_ARGS__})

static uint64_t toward(uint64_t value, uint64_t sample, uint64_t parts)
{
    return sample >= value ? value + (sample - value) / parts : value - (value - sample) / parts;
}

// ---- how long they take ----------------------------------------------------------------------------------

// What the network takes now beyond what it takes when all is well.
static uint64_t network_excess(const struct eyes *eyes)
{
    return eyes->network_us > eyes->network_before_us ? (eyes->network_us - eyes->network_before_us) * 3 / 2
                                                      : 0;
}

static void take_network(struct eyes *eyes, uint64_t network_us)
{
    eyes->network_us = network_us;
    if (network_us > 0) {
        eyes->network_before_us = eyes->network_before_us == 0 ? network_us
                                  : network_us < eyes->network_before_us
                                      ? toward(eyes->network_before_us, network_us, 4)
                                      : toward(eyes->network_before_us, network_us, 1024);
    }
}

// The mean of the latest runs: of as few ticks as have RECENT_RUNS of them.
static uint64_t recent_us(const struct eyes *eyes, const struct eyes_operation *operation)
{
    uint64_t runs = 0, run_us = 0;
    for (unsigned i = 0; i < EYES_SLOTS && runs < RECENT_RUNS; i++) {
        unsigned slot = (eyes->slot + EYES_SLOTS - i) % EYES_SLOTS;
        runs += operation->slot_runs[slot];
        run_us += operation->slot_us[slot];
    }
    return runs == 0 ? 0 : run_us / runs;
}

static void take_counts(const struct eyes *eyes, struct eyes_operation *operation,
                        const struct eyes_counts *counts)
{
    operation->slot_runs[eyes->slot] = (uint32_t)(counts->runs - operation->runs);
    operation->slot_us[eyes->slot] = counts->run_us - operation->run_us;
    operation->runs = counts->runs;
    operation->run_us = counts->run_us;
    operation->slow_runs += operation->slow ? operation->slot_runs[eyes->slot] : 0;
    operation->now_us = recent_us(eyes, operation);
}

static bool is_stuck(const struct eyes *eyes, const struct eyes_operation *operation, uint64_t running_us)
{
    return operation->known >= KNOWN_RUNS
               ? running_us > STUCK_TIMES * operation->before_us + STUCK_US + network_excess(eyes)
               : running_us > UNKNOWN_US + STUCK_US + network_excess(eyes);
}

static uint64_t slow_limit_us(const struct eyes *eyes, const struct eyes_operation *operation)
{
    return network_excess(eyes) +
           (operation->known >= KNOWN_RUNS ? SLOW_TIMES * operation->before_us + SLOW_US : UNKNOWN_US);
}

static void learn(struct eyes *eyes, struct eyes_operation *operation, uint64_t now_ms)
{
    uint64_t runs = operation->slot_runs[eyes->slot];
    bool normal = !operation->slow || now_ms - operation->slow_ms >= NEW_NORMAL_MS;
    if (runs == 0 || !normal || operation->now_us > slow_limit_us(eyes, operation)) {
        return;
    }
    uint64_t mean_us = operation->slot_us[eyes->slot] / runs;
    operation->before_us = operation->known == 0            ? mean_us
                           : mean_us < operation->before_us ? toward(operation->before_us, mean_us, 8)
                                                            : toward(operation->before_us, mean_us, 64);
    operation->known += runs;
}

static void become(struct eyes_operation *operation, bool slow, uint64_t now_ms)
{
    operation->slow = slow;
    operation->ticks_slow = 0;
    operation->ticks_quick = 0;
    operation->slow_ms = now_ms;
    operation->alone_ms = now_ms;
    operation->slow_runs = 0;
    operation->said_ms = 0;
    operation->looked_ms = 0;
    operation->plan_said = operation->plan_said && slow;
}

static void judge(struct eyes *eyes, struct eyes_operation *operation, uint64_t running_us, uint64_t now_ms)
{
    bool stuck = is_stuck(eyes, operation, running_us), used = false;
    for (unsigned i = 0; i < EYES_SLOTS; i++) {
        used = used || operation->slot_runs[i] > 0;
    }
    operation->now_us = stuck && running_us > operation->now_us ? running_us : operation->now_us;
    if (!operation->slow) {
        bool beyond = operation->now_us > slow_limit_us(eyes, operation);
        operation->ticks_slow = beyond ? operation->ticks_slow + 1 : 0;
        if (stuck || operation->ticks_slow >= 2) {
            become(operation, true, now_ms);
        }
        return;
    }
    uint64_t quick_us =
        network_excess(eyes) +
        (operation->known >= KNOWN_RUNS ? QUICK_TIMES * operation->before_us + QUICK_US : UNKNOWN_US / 2);
    // One that is not run shows nothing; its plan does.
    bool known_bad = operation->looked_ms > 0 && operation->plan.known && !operation->plan.holds;
    bool quick = running_us < quick_us && (used ? operation->now_us < quick_us : !known_bad);
    operation->ticks_quick = quick ? operation->ticks_quick + 1 : 0;
    if (operation->ticks_quick >= (used ? WHOLE_TICKS : UNUSED_TICKS)) {
        become(operation, false, now_ms);
    }
}

bool eyes_is_slow(const struct eyes *eyes)
{
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        if (eyes->operation[i].slow) {
            return true;
        }
    }
    return false;
}

// Most of those that are used: not one statement's matter.
static bool slow_as_a_whole(const struct eyes *eyes)
{
    unsigned used = 0, slow = 0;
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        const struct eyes_operation *operation = &eyes->operation[i];
        uint32_t runs = 0;
        for (unsigned slot = 0; slot < EYES_SLOTS; slot++) {
            runs += operation->slot_runs[slot];
        }
        used += runs > 0 || operation->slow;
        slow += operation->slow;
    }
    return slow >= 2 && slow * 2 > used;
}

// ---- what is said of a slow one --------------------------------------------------------------------------

static void say_slow(struct eyes *eyes, unsigned index, uint64_t now_ms)
{
    struct eyes_operation *operation = &eyes->operation[index];
    const struct eyes_plan *plan = &operation->plan;
    bool looked = operation->looked_ms >= operation->slow_ms && operation->looked_ms > 0 && plan->known;
    char text[sizeof(plan->text) + sizeof(plan->why) + 8];
    (void)snprintf(text, sizeof(text), "%s%s%s%s", looked ? plan->text : "",
                   looked && !plan->holds ? " (" : "", looked && !plan->holds ? plan->why : "",
                   looked && !plan->holds ? ")" : "");
    SAY(eyes, STATEMENT_SLOW, .name = view_of_cstr(name_of(index)), .a = operation->now_us,
        .b = operation->before_us, .text = view_of_cstr(text),
        .more = view_of_cstr(looked ? plan->remedy : ""));
    operation->said_ms = now_ms;
}

static void consider(struct eyes *eyes, unsigned index, uint64_t now_ms)
{
    struct eyes_operation *operation = &eyes->operation[index];
    if (!operation->slow || (operation->said_ms > 0 && now_ms < operation->said_ms + SAY_AGAIN_MS)) {
        return;
    }
    bool looked = operation->looked_ms >= operation->slow_ms && operation->looked_ms > 0;
    bool guilty = looked && operation->plan.known && !operation->plan.holds;
    bool explained = eyes->locked || eyes->waiting_lock > 0 || slow_as_a_whole(eyes) || !eyes->up ||
                     now_ms < eyes->up_ms + SETTLED_MS || is_background(index);
    bool much = operation->now_us > 2 * slow_limit_us(eyes, operation) + SLOW_GOOD_US;
    if (explained || !much) {
        // What was held up by it is counted for a while yet.
        operation->alone_ms = explained ? now_ms + EYES_SLOTS * EYES_TICK_MS : now_ms;
        operation->slow_runs = 0;
    }
    bool believed = now_ms >= operation->alone_ms + BELIEVED_MS && operation->slow_runs >= RECENT_RUNS &&
                    (looked || now_ms >= operation->alone_ms + 2 * BELIEVED_MS);
    if (guilty || believed) {
        say_slow(eyes, index, now_ms);
    }
}

static void take_share(struct eyes *eyes, unsigned index, const struct eyes_counts *counts)
{
    struct eyes_operation *operation = &eyes->operation[index];
    operation->ticks_shrunk = counts->shrunk ? operation->ticks_shrunk + 1 : 0;
    operation->ticks_whole = counts->shrunk ? 0 : operation->ticks_whole + 1;
    if (!operation->shrunk && operation->ticks_shrunk >= SHRUNK_TICKS) {
        operation->shrunk = true;
        SAY(eyes, SHARE_SHRUNK, .name = view_of_cstr(name_of(index)), .a = counts->share);
    } else if (operation->shrunk && operation->ticks_whole >= WHOLE_TICKS) {
        operation->shrunk = false;
        SAY(eyes, SHARE_RESTORED, .name = view_of_cstr(name_of(index)), .a = counts->share);
    }
}

void eyes_tick(struct eyes *eyes, const struct eyes_look *look, uint64_t now_ms)
{
    if (now_ms < eyes->tick_ms + EYES_TICK_MS) {
        return;
    }
    eyes->tick_ms = now_ms;
    eyes->slot = (eyes->slot + 1) % EYES_SLOTS;
    eyes->waiting_lock = look->waiting_lock;
    take_network(eyes, look->network_us);
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        struct eyes_operation *operation = &eyes->operation[i];
        take_counts(eyes, operation, &look->operation[i]);
        judge(eyes, operation, look->operation[i].running_us, now_ms);
        learn(eyes, operation, now_ms);
        take_share(eyes, i, &look->operation[i]);
    }
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        consider(eyes, i, now_ms);
    }
}

void eyes_cancelled(struct eyes *eyes, unsigned index, uint64_t ran_ms, uint64_t now_ms)
{
    struct eyes_operation *operation = &eyes->operation[index];
    if (operation->cancelled_ms == 0 || now_ms >= operation->cancelled_ms + CANCEL_SAY_MS) {
        operation->cancelled_ms = now_ms;
        SAY(eyes, STATEMENT_CANCELLED, .name = view_of_cstr(name_of(index)), .a = ran_ms);
    }
}

// ---- plans -----------------------------------------------------------------------------------------------

void eyes_plan_add(struct eyes_plan *plan, const struct plan_finding *finding)
{
    size_t size = strlen(plan->text);
    (void)snprintf(plan->text + size, sizeof(plan->text) - size, "%s%s",
                   size > 0 && finding->plan[0] != '\0' ? "; " : "", finding->plan);
    if (plan->holds && !finding->holds) {
        plan->holds = false;
        (void)snprintf(plan->why, sizeof(plan->why), "%s", finding->why);
        (void)snprintf(plan->remedy, sizeof(plan->remedy), "%s", finding->missing ? finding->remedy : "");
    }
}

static uint32_t slow_ones_to_look_at(struct eyes *eyes, uint64_t now_ms)
{
    uint32_t wanted = 0;
    unsigned count = 0;
    for (unsigned i = 0; i < EYES_OPERATIONS && count < EYES_LOOK_MOST; i++) {
        const struct eyes_operation *operation = &eyes->operation[i];
        bool bad = operation->plan.known && !operation->plan.holds;
        uint64_t again_ms = operation->looked_ms + (bad ? EYES_LOOK_AGAIN_MS : EYES_LOOK_GOOD_MS);
        if (operation->slow && (operation->looked_ms == 0 || now_ms >= again_ms)) {
            wanted |= UINT32_C(1) << i;
            count++;
        }
    }
    return wanted;
}

uint32_t eyes_wants_plans(struct eyes *eyes, uint64_t now_ms)
{
    if (eyes->looking != 0 || !eyes->up || now_ms < eyes->looked_ms + LOOK_MIN_MS) {
        return 0;
    }
    eyes->looking = slow_ones_to_look_at(eyes, now_ms);
    bool settled = now_ms >= eyes->up_ms + SETTLED_MS && !eyes->locked && !eyes_is_slow(eyes);
    if (eyes->looking == 0 && settled &&
        (eyes->all_looked_ms == 0 || now_ms >= eyes->all_looked_ms + EYES_LOOK_ALL_MS)) {
        eyes->looking = EYES_LOOK_EVERY;
        eyes->all_looked_ms = now_ms;
    }
    return eyes->looking;
}

static void take_plan(struct eyes *eyes, unsigned index, const struct eyes_plan *plan)
{
    struct eyes_operation *operation = &eyes->operation[index];
    bool changed = operation->good.known && strcmp(operation->good.text, plan->text) != 0;
    operation->plan = *plan;
    if (changed && (!plan->holds || operation->slow) && !operation->plan_said) {
        operation->plan_said = true;
        SAY(eyes, STATEMENT_PLAN, .name = view_of_cstr(name_of(index)),
            .text = view_of_cstr(operation->good.text), .more = view_of_cstr(plan->text));
    }
    if (plan->holds && !operation->slow) {
        operation->good = *plan;
        operation->plan_said = false;
    }
}

void eyes_take_plans(struct eyes *eyes, const struct eyes_plan *plans, uint64_t now_ms)
{
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) {
        if ((eyes->looking >> i & 1) == 0) {
            continue;
        }
        eyes->operation[i].looked_ms = now_ms;
        if (plans != NULL && plans[i].known) {
            take_plan(eyes, i, &plans[i]);
        } else {
            eyes->operation[i].plan.known = false;
        }
        consider(eyes, i, now_ms);
    }
    if (plans == NULL && eyes->looking == EYES_LOOK_EVERY) {
        eyes->all_looked_ms = now_ms - EYES_LOOK_ALL_MS + EYES_LOOK_AGAIN_MS;
    }
    eyes->looking = 0;
    eyes->looked_ms = now_ms;
}

// ---- locks -----------------------------------------------------------------------------------------------

static void forget_lock(struct eyes *eyes)
{
    if (eyes->lock_said) {
        SAY(eyes, LOCK_GONE, .name = view_of_cstr(eyes->lock.relation), .b = eyes->lock.pid);
    }
    eyes->locked = false;
    eyes->lock_said = false;
}

void eyes_take_lock(struct eyes *eyes, const struct eyes_blocker *found, bool held, uint64_t now_ms)
{
    bool same = eyes->locked && found != NULL && found->pid == eyes->lock.pid &&
                strcmp(found->holder, eyes->lock.holder) == 0;
    if (eyes->locked && !same && (!held || (found != NULL && !eyes->lock_said))) {
        forget_lock(eyes);
    }
    if (found != NULL && !eyes->locked) {
        eyes->locked = true;
        eyes->lock = *found;
        eyes->lock_ms = now_ms - (found->waited_ms < now_ms ? found->waited_ms : now_ms);
        eyes->lock_said_ms = 0;
    }
    uint64_t lasts_ms = now_ms - eyes->lock_ms, said_ms = eyes->lock_said_ms - eyes->lock_ms;
    uint64_t pause_ms = said_ms / 2 + 1000 < LOCK_AGAIN_MS ? said_ms / 2 + 1000 : LOCK_AGAIN_MS;
    bool due = !eyes->lock_said || lasts_ms >= said_ms + pause_ms;
    if (eyes->locked && lasts_ms >= LOCK_SAID_MS && due) {
        eyes->lock_said = true;
        eyes->lock_said_ms = now_ms;
        SAY(eyes, LOCK_HELD, .name = view_of_cstr(eyes->lock.relation), .a = lasts_ms, .b = eyes->lock.pid,
            .text = view_of_cstr(eyes->lock.who));
    }
}

// ---- the database ----------------------------------------------------------------------------------------

static void say_down(struct eyes *eyes, const char *why)
{
    eyes->down_said = true;
    SAY(eyes, DATABASE_DOWN, .text = view_of_cstr(why[0] == '\0' ? "it does not answer" : why));
}

void eyes_database(struct eyes *eyes, bool up, const char *why, uint64_t now_ms)
{
    eyes->begun_ms = eyes->begun_ms == 0 ? now_ms : eyes->begun_ms;
    bool was = eyes->up;
    eyes->up = up;
    if (up && !was) {
        eyes->up_ms = now_ms;
        if (eyes->down_said) {
            SAY(eyes, DATABASE_UP, .a = now_ms - eyes->down_ms);
        }
        eyes->down_said = false;
        eyes->seen = true;
    } else if (!up && was) {
        eyes->down_ms = now_ms;
        eyes->looking = 0;
        forget_lock(eyes);
        say_down(eyes, why);
    } else if (!up && !eyes->seen && !eyes->down_said && now_ms >= eyes->begun_ms + START_MS) {
        eyes->down_ms = eyes->begun_ms;
        say_down(eyes, why);
    }
}

void eyes_moved(struct eyes *eyes, const char *host, const char *text)
{
    SAY(eyes, DATABASE_MOVED, .name = view_of_cstr(host), .text = view_of_cstr(text));
    for (unsigned i = 0; i < EYES_OPERATIONS; i++) { // its plans are its own
        eyes->operation[i].good.known = false;
    }
    eyes->all_looked_ms = 0;
}

void eyes_disk_full(struct eyes *eyes, const char *text, uint64_t now_ms)
{
    if (eyes->disk_ms == 0 || now_ms >= eyes->disk_ms + DISK_SAY_MS) {
        eyes->disk_ms = now_ms;
        SAY(eyes, DISK_FULL, .text = view_of_cstr(text));
    }
}

void eyes_journal(struct eyes *eyes, uint64_t entries)
{
    if (!eyes->journal_said && !eyes->up && entries > 0) {
        eyes->journal_said = true;
        SAY(eyes, JOURNAL,
            .text = VIEW("ends of sessions are kept in the journal until the database is back"),
            .a = entries);
    } else if (eyes->journal_said && eyes->up && entries == 0) {
        eyes->journal_said = false;
        SAY(eyes, JOURNAL, .text = VIEW("the database has taken over all that the journal kept"));
    }
}
