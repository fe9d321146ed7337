// SPDX-License-Identifier: ISC
// Coarse time-outs for very many things: moving one later costs a store. Used by stayd-front. Owns nothing:
// nodes are embedded in what times out. Bounds: WHEEL_SLOTS ticks ahead; what is due later is looked at
// again.
#ifndef FRONT_WHEEL_H
#define FRONT_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_SLOTS   512
#define WHEEL_TICK_MS 250

struct wheel_node {
    struct wheel_node *previous, *next; // NULL: not in a wheel
    uint32_t due;                       // ticks
    uint32_t placed;                    // the tick at which it is looked at; never after `due`
};

struct wheel {
    struct wheel_node slot[WHEEL_SLOTS]; // heads of rings
    uint32_t now;                        // ticks
};

void wheel_init(struct wheel *wheel);
// Due in `ms` from now, at least a tick.
void wheel_set(struct wheel *wheel, struct wheel_node *node, uint32_t ms);
void wheel_remove(struct wheel_node *node);
// One tick on; calls `expire` for all that is due, which is out of the wheel then.
void wheel_tick(struct wheel *wheel, void (*expire)(struct wheel_node *node));

#endif
