// SPDX-License-Identifier: ISC
// Admission before scarce work. Used by core; pure.
// 1. working <= workers unless workers was lowered; waiting is the length of the list.
// 2. A ticket is in the list exactly while its `waiting` is set.
#include "base/gate.h"

#include <assert.h>
#include <stddef.h>

void gate_init(struct gate *gate, uint32_t workers, uint32_t waiting_max, uint32_t wait_max_ms,
               uint32_t service_us)
{
    *gate = (struct gate){
        .workers = workers, .waiting_max = waiting_max, .wait_max_ms = wait_max_ms, .service_us = service_us};
}

static uint64_t drain_us(const struct gate *gate, uint32_t ahead)
{
    uint32_t workers = gate->workers > 0 ? gate->workers : 1;
    return (uint64_t)(ahead + 1) * gate->service_us / workers;
}

enum gate_answer gate_enter(struct gate *gate, struct gate_ticket *ticket, uint64_t now_ms)
{
    assert(!ticket->waiting);
    if (gate->working < gate->workers && gate->waiting == 0) {
        gate->working++;
        return GATE_ENTERED;
    }
    if (gate->waiting >= gate->waiting_max ||
        drain_us(gate, gate->waiting) > (uint64_t)gate->wait_max_ms * 1000) {
        return GATE_REFUSED;
    }
    *ticket = (struct gate_ticket){.before = gate->last, .entered_ms = now_ms, .waiting = true};
    if (gate->last != NULL) {
        gate->last->next = ticket;
    } else {
        gate->first = ticket;
    }
    gate->last = ticket;
    gate->waiting++;
    return GATE_WAITING;
}

void gate_leave(struct gate *gate, uint32_t service_us)
{
    assert(gate->working > 0);
    gate->working--;
    if (service_us > 0) {
        gate->service_us = (uint32_t)(((uint64_t)gate->service_us * 7 + service_us) / 8);
    }
}

void gate_forget(struct gate *gate, struct gate_ticket *ticket)
{
    if (!ticket->waiting) {
        return;
    }
    *(ticket->before != NULL ? &ticket->before->next : &gate->first) = ticket->next;
    *(ticket->next != NULL ? &ticket->next->before : &gate->last) = ticket->before;
    ticket->waiting = false;
    ticket->next = ticket->before = NULL;
    gate->waiting--;
}

struct gate_ticket *gate_next(struct gate *gate)
{
    struct gate_ticket *ticket = gate->first;
    if (ticket == NULL || gate->working >= gate->workers) {
        return NULL;
    }
    gate_forget(gate, ticket);
    gate->working++;
    return ticket;
}

uint32_t gate_retry_after_s(const struct gate *gate)
{
    uint64_t seconds = (drain_us(gate, gate->waiting) + 999999) / 1000000;
    return seconds < 1 ? 1 : seconds > 3600 ? 3600 : (uint32_t)seconds;
}
