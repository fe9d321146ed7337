// SPDX-License-Identifier: ISC
// Channels between core and the others, as two queues each. Used by the simulator. Owns the packets.
#ifndef SIM_CHANNEL_H
#define SIM_CHANNEL_H

#include "sim/world.h"

// Copies the message; it is due after some delay.
void queue_put(struct world *world, struct queue *queue, struct view data);
// The first one, which is the caller's to free. The queue is not empty.
struct packet *queue_take(struct queue *queue);
// What is still under way when one side dies: the first `keep` arrive, the rest never.
void queue_cut(struct queue *queue, uint64_t keep);
void queue_clear(struct queue *queue);
// The number of the link; WORLD_LINKS: there is none.
uint32_t queue_link_of(enum wire_role role, uint16_t index);

#endif
