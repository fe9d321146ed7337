// SPDX-License-Identifier: ISC
// Admission: how many may work at once, how many may wait, and who is refused at once because waiting would
// take too long. Pure: time is an argument. Used by core before hashing. Owns nothing: the caller keeps the
// tickets. Bounds: `waiting_max` tickets wait; a ticket waits at most `wait_max_ms`. Source: Little's law
// (wait = queue length x service time / workers).
#ifndef BASE_GATE_H
#define BASE_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct gate_ticket {
    struct gate_ticket *next, *before;
    uint64_t entered_ms; // when it began to wait
    bool waiting;
};

struct gate {
    uint32_t workers;     // at work at once, at most
    uint32_t waiting_max; // tickets
    uint32_t wait_max_ms; // a longer expected wait is refused
    uint32_t working, waiting;
    uint32_t service_us; // smoothed (1/8), of one piece of work
    struct gate_ticket *first, *last;
};

enum gate_answer {
    GATE_ENTERED, // go on; call gate_leave when done
    GATE_WAITING, // gate_next will hand the ticket out
    GATE_REFUSED, // too many: come back after gate_retry_after_s
};

void gate_init(struct gate *gate, uint32_t workers, uint32_t waiting_max, uint32_t wait_max_ms,
               uint32_t service_us);
enum gate_answer gate_enter(struct gate *gate, struct gate_ticket *ticket, uint64_t now_ms);
// A piece of work is over; service_us 0 when it never ran (nothing is learned then).
void gate_leave(struct gate *gate, uint32_t service_us);
// The next that may work now (it counts as working from here on), or NULL.
struct gate_ticket *gate_next(struct gate *gate);
// A waiting ticket gives up.
void gate_forget(struct gate *gate, struct gate_ticket *ticket);
// When the queue that stands now will have drained, at least 1, rounded up.
uint32_t gate_retry_after_s(const struct gate *gate);

#endif
