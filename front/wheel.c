// SPDX-License-Identifier: ISC
// A hashed timing wheel with lazy moves. Runs in stayd-front.
// 1. A node is in the slot of `placed`, and placed <= due: it is never looked at too late.
// 2. Setting a later time only stores `due`; the node moves when its slot comes.
#include "front/wheel.h"

void wheel_init(struct wheel *wheel)
{
    for (size_t i = 0; i < WHEEL_SLOTS; i++) {
        wheel->slot[i].previous = wheel->slot[i].next = &wheel->slot[i];
    }
    wheel->now = 0;
}

void wheel_remove(struct wheel_node *node)
{
    if (node->next != NULL) {
        node->previous->next = node->next;
        node->next->previous = node->previous;
        node->previous = node->next = NULL;
    }
}

static void place(struct wheel *wheel, struct wheel_node *node)
{
    uint32_t ahead = node->due - wheel->now;
    node->placed = ahead < WHEEL_SLOTS ? node->due : wheel->now + WHEEL_SLOTS - 1;
    struct wheel_node *head = &wheel->slot[node->placed % WHEEL_SLOTS];
    node->next = head;
    node->previous = head->previous;
    head->previous->next = node;
    head->previous = node;
}

void wheel_set(struct wheel *wheel, struct wheel_node *node, uint32_t ms)
{
    node->due = wheel->now + ms / WHEEL_TICK_MS + 1;
    if (node->next == NULL) {
        place(wheel, node);
    } else if ((int32_t)(node->due - node->placed) < 0) {
        wheel_remove(node);
        place(wheel, node);
    }
}

void wheel_tick(struct wheel *wheel, void (*expire)(struct wheel_node *node))
{
    wheel->now++;
    // Taken out one by one: `expire` may remove others, or set some anew.
    struct wheel_node *head = &wheel->slot[wheel->now % WHEEL_SLOTS];
    struct wheel_node ring = {.previous = &ring, .next = &ring};
    if (head->next != head) {
        ring = *head;
        ring.next->previous = &ring;
        ring.previous->next = &ring;
        head->previous = head->next = head;
    }
    while (ring.next != &ring) {
        struct wheel_node *node = ring.next;
        wheel_remove(node);
        if ((int32_t)(node->due - wheel->now) > 0) {
            place(wheel, node);
        } else {
            expire(node);
        }
    }
}
