// SPDX-License-Identifier: ISC
// Messages under way. Runs in the simulator.
// A queue keeps its order: no message is due before the one in front of it.
#include "sim/channel.h"

struct packet *packet_new(struct view data, uint64_t due_ns)
{
    struct packet *packet = malloc(sizeof(*packet) + data.size);
    if (packet == NULL) {
        abort();
    }
    *packet = (struct packet){.due_ns = due_ns, .size = data.size};
    memcpy(packet->data, data.data, data.size);
    return packet;
}

void queue_put(struct world *world, struct queue *queue, struct view data)
{
    uint64_t due_ns = world->now_ns + world_delay(world, WORLD_MS / 5);
    queue->last_due_ns = due_ns > queue->last_due_ns ? due_ns : queue->last_due_ns;
    struct packet *packet = packet_new(data, queue->last_due_ns);
    if (queue->last != NULL) {
        queue->last->next = packet;
    } else {
        queue->first = packet;
    }
    queue->last = packet;
    queue->count++;
}

struct packet *queue_take(struct queue *queue)
{
    struct packet *packet = queue->first;
    queue->first = packet->next;
    queue->last = queue->first == NULL ? NULL : queue->last;
    queue->count--;
    return packet;
}

// What is still under way when one side dies: some of it arrives, in order, the rest never.
void queue_cut(struct queue *queue, uint64_t keep)
{
    struct queue kept = {.last_due_ns = queue->last_due_ns};
    while (queue->first != NULL) {
        struct packet *packet = queue_take(queue);
        if (kept.count >= keep) {
            free(packet);
            continue;
        }
        packet->next = NULL;
        *(kept.last != NULL ? &kept.last->next : &kept.first) = packet;
        kept.last = packet;
        kept.count++;
    }
    *queue = kept;
}

void queue_clear(struct queue *queue)
{
    queue_cut(queue, 0);
    queue->last_due_ns = 0;
}

void world_to_core(struct world *world, uint32_t link, struct view packet)
{
    if (world->link[link].alive && world->core != NULL) {
        queue_put(world, &world->link[link].to_core, packet);
    }
}

bool world_from_client(struct world *world, uint32_t link, struct view packet)
{
    if (!world->link[link].alive || !world->link[link].open || world->core == NULL) {
        return false;
    }
    queue_put(world, &world->link[link].to_core, packet);
    return true;
}

uint32_t queue_link_of(enum wire_role role, uint16_t index)
{
    switch ((unsigned)role) {
    case WIRE_FRONT:
        return index < WORLD_FRONTS ? index : WORLD_LINKS;
    case WIRE_CTL:
        return WORLD_CTL;
    case WIRE_STORE:
        return WORLD_STORE;
    case WIRE_HASH:
        return WORLD_HASH;
    case WIRE_KEY:
        return WORLD_KEY;
    default:
        return WORLD_LINKS;
    }
}
