// SPDX-License-Identifier: ISC
// Admission before scarce work. Used by core and stayd-store; pure.
// 1. working <= workers, and of each class <= its share, unless they were lowered.
// 2. A ticket is in its class's list exactly while its `waiting` is set; waiting is the length of the lists.
// 3. After gate_next returned NULL, a class that waits is at its share, or no place is free.
#include "base/gate.h"

#include <assert.h>
#include <stddef.h>

#define OWED_MAX 10000000u

void gate_init(struct gate *gate, uint32_t classes, uint32_t workers, uint32_t waiting_max, uint32_t hold_us,
               uint32_t target_us, uint32_t interval_us)
{
    assert(classes > 0 && classes <= GATE_CLASSES_MAX);
    *gate = (struct gate){.workers = workers, .hold_us = hold_us, .classes = classes};
    for (uint32_t i = 0; i < classes; i++) {
        gate->class[i] =
            (struct gate_class){.share = GATE_SHARE_ALL, .waiting_max = waiting_max, .hold_us = hold_us};
        gate_set_target(gate, i, target_us, interval_us);
    }
}

void gate_set_workers(struct gate *gate, uint32_t workers)
{
    gate->workers = workers;
}

void gate_set_share(struct gate *gate, unsigned class, uint32_t share)
{
    assert(class < gate->classes && share > 0);
    gate->class[class].share = share;
}

void gate_set_queue(struct gate *gate, unsigned class, uint32_t waiting_max, bool in_order)
{
    assert(class < gate->classes);
    gate->class[class].waiting_max = waiting_max;
    gate->class[class].in_order = in_order;
}

void gate_set_target(struct gate *gate, unsigned class, uint32_t target_us, uint32_t interval_us)
{
    assert(class < gate->classes);
    gate->class[class].target_us = target_us;
    gate->class[class].interval_us = interval_us;
}

// ---- how fast

// The time between two that leave while their queue stands: of all places, or of the class's own.
static uint64_t spacing_us(const struct gate *gate, unsigned class)
{
    const struct gate_class *own = &gate->class[class];
    uint32_t workers = gate->workers > 0 ? gate->workers : 1;
    uint32_t share = own->share < workers ? own->share : workers;
    uint64_t common = gate->hold_us / workers;
    uint64_t alone = own->hold_us / share;
    uint64_t spacing = common > alone ? common : alone;
    return spacing > 0 ? spacing : 1;
}

static uint64_t ahead_of(const struct gate *gate, unsigned class)
{
    uint64_t ahead = 0;
    for (unsigned i = 0; i < class; i++) {
        ahead += gate->class[i].waiting;
    }
    // Newest first: those who wait already wait behind.
    return ahead + (gate->class[class].overloaded ? 0 : gate->class[class].waiting);
}

uint64_t gate_expected_wait_us(const struct gate *gate, unsigned class)
{
    return (ahead_of(gate, class) + 1) * spacing_us(gate, class);
}

uint64_t gate_drain_rate_milli(const struct gate *gate, unsigned class)
{
    return 1000000000u / spacing_us(gate, class);
}

// One that was held up (a disk, a lock) says little about the next.
static void learn(uint32_t *hold_us, uint64_t took_us)
{
    uint64_t most_us = 8ull * (*hold_us + 100);
    took_us = took_us > most_us ? most_us : took_us;
    took_us = took_us > 3600000000u ? 3600000000u : took_us;
    *hold_us = (uint32_t)(((uint64_t)*hold_us * 7 + took_us) / 8);
}

// ---- standing queues

static void begin_interval(struct gate_class *class, uint64_t now_us)
{
    class->interval_began_us = now_us;
    class->arrived = class->served = class->refused = 0;
    class->standing = true;
}

static void end_interval(struct gate_class *class, uint64_t now_us)
{
    class->overloaded = class->overloaded ? 16ull * class->refused > class->arrived
                                          : class->standing && class->arrived > class->served;
    // Of a long silence nothing is to be learned.
    class->overloaded &= now_us - class->interval_began_us < 2ull * class->interval_us;
    begin_interval(class, now_us);
}

static uint64_t steep_us(const struct gate_class *class)
{
    uint32_t part_us = class->interval_us / GATE_STEEP;
    return part_us > class->target_us ? part_us : class->target_us;
}

// At every event of a class, before the event.
static void observe(struct gate_class *class, uint64_t now_us)
{
    if (class->in_order) {
        class->overloaded = false;
        begin_interval(class, now_us);
        return;
    }
    if (class->oldest == NULL || now_us - class->oldest->since_us < class->target_us) {
        class->standing = false;
    } else if (!class->standing && !class->overloaded) {
        begin_interval(class, now_us); // above the target from here on, perhaps for an interval
    }
    uint64_t since_us = now_us - class->interval_began_us;
    if (since_us >= class->interval_us) {
        end_interval(class, now_us);
    } else if (class->standing && since_us >= steep_us(class) &&
               class->arrived > 2 * class->served + GATE_STEEP_LEAST) {
        class->overloaded = true; // no need to wait for the end
        begin_interval(class, now_us);
    }
}

static void note_refused(struct gate_class *class)
{
    class->refused++;
    class->refused_total++;
    class->owed += class->owed < OWED_MAX;
}

// ---- waiting

static void append(struct gate *gate, struct gate_class *class, struct gate_ticket *ticket)
{
    if (class->oldest == NULL || ticket->deadline_us < class->late_us) {
        class->late_us = ticket->deadline_us;
    }
    ticket->older = class->newest;
    *(class->newest != NULL ? &class->newest->newer : &class->oldest) = ticket;
    class->newest = ticket;
    class->waiting++;
    gate->waiting++;
}

static void take_out(struct gate *gate, struct gate_ticket *ticket)
{
    struct gate_class *class = &gate->class[ticket->class];
    *(ticket->older != NULL ? &ticket->older->newer : &class->oldest) = ticket->newer;
    *(ticket->newer != NULL ? &ticket->newer->older : &class->newest) = ticket->older;
    ticket->older = ticket->newer = NULL;
    ticket->waiting = false;
    class->waiting--;
    gate->waiting--;
}

void gate_forget(struct gate *gate, struct gate_ticket *ticket)
{
    if (ticket->waiting) {
        take_out(gate, ticket);
    }
}

// ---- working

static bool has_place(const struct gate *gate, const struct gate_class *class)
{
    return gate->working < gate->workers && class->working < class->share;
}

static void begin(struct gate *gate, struct gate_ticket *ticket, uint64_t now_us)
{
    struct gate_class *class = &gate->class[ticket->class];
    ticket->working = true;
    ticket->since_us = now_us;
    gate->working++;
    class->working++;
    class->served++;
    class->entered_total++;
}

bool gate_would_refuse(const struct gate *gate, unsigned class, uint64_t deadline_us, uint64_t now_us)
{
    const struct gate_class *own = &gate->class[class];
    if (has_place(gate, own) && own->waiting == 0) {
        return false;
    }
    return own->waiting >= own->waiting_max || deadline_us <= now_us ||
           gate_expected_wait_us(gate, class) > deadline_us - now_us;
}

enum gate_answer gate_enter(struct gate *gate, struct gate_ticket *ticket, unsigned class,
                            uint64_t deadline_us, uint64_t now_us)
{
    assert(class < gate->classes && !ticket->waiting && !ticket->working);
    struct gate_class *own = &gate->class[class];
    observe(own, now_us);
    own->arrived++;
    *ticket = (struct gate_ticket){.since_us = now_us, .deadline_us = deadline_us, .class = (uint8_t) class};
    if (has_place(gate, own) && own->waiting == 0) {
        own->owed -= own->owed / 8; // a free place: those who were sent away are not all coming
        begin(gate, ticket, now_us);
        return GATE_ENTERED;
    }
    if (gate_would_refuse(gate, class, deadline_us, now_us)) {
        note_refused(own);
        return GATE_REFUSED;
    }
    ticket->waiting = true;
    append(gate, own, ticket);
    return GATE_WAITING;
}

void gate_leave(struct gate *gate, struct gate_ticket *ticket, bool ran, uint64_t now_us)
{
    struct gate_class *class = &gate->class[ticket->class];
    assert(ticket->working && gate->working > 0 && class->working > 0);
    ticket->working = false;
    gate->working--;
    class->working--;
    if (ran) {
        uint64_t held_us = now_us > ticket->since_us ? now_us - ticket->since_us : 0;
        learn(&gate->hold_us, held_us);
        learn(&class->hold_us, held_us);
        class->owed -= class->owed > 0;
    }
}

// The ticket of a class whose turn it is; late ones are gate_drop's.
static struct gate_ticket *first_of(const struct gate_class *class, uint64_t now_us)
{
    struct gate_ticket *ticket = class->overloaded ? class->newest : class->oldest;
    while (ticket != NULL && ticket->deadline_us <= now_us) {
        ticket = class->overloaded ? ticket->older : ticket->newer;
    }
    return ticket;
}

struct gate_ticket *gate_next(struct gate *gate, uint64_t now_us)
{
    struct gate_ticket *next = NULL;
    uint32_t passed = 0;
    if (gate->working >= gate->workers || gate->waiting == 0) {
        return NULL;
    }
    uint32_t unseen = gate->waiting;
    for (unsigned i = 0; unseen > 0; i++) {
        struct gate_class *class = &gate->class[i];
        if (class->waiting == 0) {
            continue; // what became of its queue is seen when the next one comes
        }
        unseen -= class->waiting;
        observe(class, now_us);
        struct gate_ticket *first = has_place(gate, class) ? first_of(class, now_us) : NULL;
        if (first == NULL) {
            continue;
        }
        if (next == NULL || (class->passed >= GATE_PASSED_MAX && class->passed > passed)) {
            next = first;
            passed = class->passed >= GATE_PASSED_MAX ? class->passed : 0;
        }
        class->passed++;
    }
    if (next != NULL) {
        gate->class[next->class].passed = 0;
        take_out(gate, next);
        begin(gate, next, now_us);
    }
    return next;
}

// ---- who is refused after all

static bool rots(const struct gate_class *class, uint64_t now_us)
{
    return class->overloaded && class->waiting > GATE_KEPT &&
           now_us - class->oldest->since_us >= class->target_us;
}

// Too many: the newest, as it would wait longest.
static struct gate_ticket *surplus_of(const struct gate_class *class)
{
    return class->waiting > class->waiting_max ? class->newest : NULL;
}

static struct gate_ticket *late_of(struct gate_class *class, uint64_t now_us)
{
    if (class->oldest == NULL || class->late_us > now_us) {
        return NULL;
    }
    class->late_us = UINT64_MAX;
    for (struct gate_ticket *ticket = class->oldest; ticket != NULL; ticket = ticket->newer) {
        if (ticket->deadline_us <= now_us) {
            class->late_us = now_us; // there may be more
            return ticket;
        }
        class->late_us = ticket->deadline_us < class->late_us ? ticket->deadline_us : class->late_us;
    }
    return NULL;
}

struct gate_ticket *gate_drop(struct gate *gate, uint64_t now_us)
{
    for (unsigned i = 0; i < gate->classes; i++) {
        struct gate_class *class = &gate->class[i];
        observe(class, now_us);
        struct gate_ticket *ticket = rots(class, now_us) ? class->oldest : surplus_of(class);
        ticket = ticket != NULL ? ticket : late_of(class, now_us);
        if (ticket != NULL) {
            take_out(gate, ticket);
            note_refused(class);
            class->dropped_total++;
            return ticket;
        }
    }
    return NULL;
}

uint64_t gate_drop_due_us(const struct gate *gate)
{
    uint64_t due_us = UINT64_MAX;
    for (unsigned i = 0; i < gate->classes; i++) {
        const struct gate_class *class = &gate->class[i];
        if (class->waiting > class->waiting_max) {
            return 0;
        }
        if (class->overloaded && class->waiting > GATE_KEPT) {
            uint64_t rots_us = class->oldest->since_us + class->target_us;
            due_us = rots_us < due_us ? rots_us : due_us;
        }
        if (class->oldest != NULL && class->late_us < due_us) {
            due_us = class->late_us;
        }
    }
    return due_us;
}

// ---- when to come again

void gate_owe(struct gate *gate, unsigned class, uint32_t count)
{
    struct gate_class *own = &gate->class[class];
    own->owed = count > OWED_MAX - own->owed ? OWED_MAX : own->owed + count;
}

uint32_t gate_retry_after_s(const struct gate *gate, unsigned class, uint32_t random)
{
    uint64_t ahead = 1 + (uint64_t)gate->class[class].owed;
    for (unsigned i = 0; i <= class; i++) {
        ahead += gate->class[i].waiting;
    }
    uint64_t wait_us = ahead * spacing_us(gate, class);
    uint64_t most_us = GATE_RETRY_AFTER_MAX_S * 1000000ull;
    wait_us = wait_us < 1000000 ? 1000000 : wait_us > most_us ? most_us : wait_us;
    wait_us += wait_us / 2 * (random >> 16) / 65536;
    uint64_t seconds = (wait_us + 999999) / 1000000;
    return (uint32_t)seconds;
}
