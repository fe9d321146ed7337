// SPDX-License-Identifier: ISC
// Admission before scarce work: how many may work at once, who may wait, and who is refused at once because
// waiting would take too long. Pure: time (monotonic microseconds) and randomness are arguments. Used by core
// before hashing and by stayd-store before its connections. Owns nothing: the caller keeps the tickets.
// Bounds: GATE_CLASSES_MAX classes, `waiting_max` tickets waiting in each; a ticket waits until its deadline
// at most.
//
//              ┌── a free place ─────────────────────────────► working ── gate_leave ──► idle
//   idle ── gate_enter ── waiting ── gate_next ────────────────┘
//              │             └──── gate_drop (late, too many, a standing queue), gate_forget ──► idle
//              └── refused: its deadline can't be met, or too many wait
//
// - Classes: a smaller number goes first. No class starves: one that was passed over GATE_PASSED_MAX times
//   goes next. `share` is how many of a class may work at once, so that a slow class can't take every place.
// - Expected wait: Little's law over the time that places are held, which is measured, per class.
// - Standing queues (CoDel, RFC 8289 section 3): the least age of the oldest ticket over an interval tells a
//   standing queue from a burst. While more arrive than are served as well, the class is overloaded: the
//   newest goes first, and whoever waited longer than `target` is dropped. The drop spacing of section 3.3
//   (interval / sqrt(count)) is for senders that slow down within a round trip; clients of an open system
//   don't, so here the target itself is the bound (as in Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
// - Where one piece of work takes longer than `target`, age says nothing. Such a class has a short queue in
//   order (gate_set_queue): who is in it will be served, and everybody else is refused as they come.
// - Retry-After: when those who wait and those who were sent away before will have been served, with jitter.
// docs/decisions/0062 tells why.
#ifndef BASE_GATE_H
#define BASE_GATE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    GATE_CLASSES_MAX = 24, // stayd-store has one for each operation
    GATE_PASSED_MAX = 8,
    GATE_KEPT = 2,  // the newest this many of an overloaded class are not dropped by age: a place never idles
    GATE_STEEP = 8, // an eighth of the interval is enough when more than twice as many come as are served
    GATE_STEEP_LEAST = 8, // … and so many more
    GATE_RETRY_AFTER_MAX_S = 120,
};
#define GATE_SHARE_ALL UINT32_MAX

struct gate_ticket {
    struct gate_ticket *older, *newer; // of its class, while waiting
    uint64_t since_us;                 // when it began to wait; when working, to work
    uint64_t deadline_us;              // of the wait
    uint8_t class;
    bool waiting, working;
};

struct gate_class {
    // settings
    uint32_t share;
    uint32_t waiting_max;
    bool in_order;
    uint32_t target_us, interval_us;
    // what is
    uint32_t working, waiting;
    uint32_t hold_us; // how long a place is held, smoothed (1/8); at most twice as much after each
    struct gate_ticket *oldest, *newest;
    uint64_t late_us; // no deadline in the list is earlier
    bool overloaded;
    uint32_t passed; // times that another class went first
    uint32_t owed;   // refused, and not served since: they come again
    // the interval under way
    uint64_t interval_began_us;
    uint32_t arrived, served, refused; // in it
    bool standing;                     // the oldest was never younger than the target
    // since the beginning
    uint64_t entered_total, refused_total, dropped_total;
};

struct gate {
    uint32_t workers; // places: at work at once, at most
    uint32_t working, waiting;
    uint32_t hold_us; // of all classes
    uint32_t classes;
    struct gate_class class[GATE_CLASSES_MAX];
};

enum gate_answer {
    GATE_ENTERED, // go on; call gate_leave when done
    GATE_WAITING, // gate_next or gate_drop will hand the ticket out
    GATE_REFUSED, // come back after gate_retry_after_s
};

// Every class: no share of its own, `waiting_max` places to wait. `hold_us`: a first guess.
// `target_us`: an acceptable standing wait; `interval_us`: a burst may last as long.
void gate_init(struct gate *gate, uint32_t classes, uint32_t workers, uint32_t waiting_max, uint32_t hold_us,
               uint32_t target_us, uint32_t interval_us);
// At run time. After more places or a larger share: gate_next until NULL. Fewer: those at work finish.
void gate_set_workers(struct gate *gate, uint32_t workers);
void gate_set_share(struct gate *gate, unsigned class, uint32_t share); // at least 1
// How many may wait (0: nobody); gate_drop hands out those that are too many. `in_order`: the length of the
// queue bounds the wait, instead of the age of who is in it.
void gate_set_queue(struct gate *gate, unsigned class, uint32_t waiting_max, bool in_order);
// Another target and interval than the gate's: where who waits was work already.
void gate_set_target(struct gate *gate, unsigned class, uint32_t target_us, uint32_t interval_us);

// `deadline_us`: until when the ticket may wait. A ticket that waits or works must not enter again.
enum gate_answer gate_enter(struct gate *gate, struct gate_ticket *ticket, unsigned class,
                            uint64_t deadline_us, uint64_t now_us);
// Whether gate_enter would refuse: to be asked before work is put into a request.
bool gate_would_refuse(const struct gate *gate, unsigned class, uint64_t deadline_us, uint64_t now_us);
// A piece of work is over. `ran`: its time tells how long such work takes.
void gate_leave(struct gate *gate, struct gate_ticket *ticket, bool ran, uint64_t now_us);
// The next that is refused after all (call it first, at every event and every few milliseconds), or NULL.
struct gate_ticket *gate_drop(struct gate *gate, uint64_t now_us);
// When gate_drop may have one next; UINT64_MAX: nobody waits.
uint64_t gate_drop_due_us(const struct gate *gate);
// The next that may work now (it counts as working from here on), or NULL.
struct gate_ticket *gate_next(struct gate *gate, uint64_t now_us);
// A waiting ticket gives up; nothing for others.
void gate_forget(struct gate *gate, struct gate_ticket *ticket);

// How long one that enters this class now will wait when there is no place.
uint64_t gate_expected_wait_us(const struct gate *gate, unsigned class);
// Pieces of work of this class that get done in 1000 seconds while its queue stands.
uint64_t gate_drain_rate_milli(const struct gate *gate, unsigned class);
// `count` more were refused before they came here: they come again, too.
void gate_owe(struct gate *gate, unsigned class, uint32_t count);
// At least 1, whole seconds. `random`: uniform over 32 bits; adds up to a half.
uint32_t gate_retry_after_s(const struct gate *gate, unsigned class, uint32_t random);

#endif
